// Selection of tensors, expansion of the grid, hashes, tasks: what a plan holds and what it must not depend on.
#include <set>

#include "core/hash.hpp"

#include "tests/experiments/config_testing.hpp"

namespace wcodec {
namespace {

using testing::edited;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kSmall;
using testing::MemoryCheckpoint;
using testing::parse;
using ::testing::SizeIs;

std::shared_ptr<MemoryCheckpoint> model() {
  auto checkpoint = std::make_shared<MemoryCheckpoint>();
  checkpoint->add("embed.weight", DType::f32, 40, 16, "embedding", 1);
  checkpoint->add("norm.weight", DType::f32, 1, 16, "norm", 2);
  checkpoint->add("mlp.up.weight", DType::bf16, 16, 32, "mlp.up", 3);
  checkpoint->add("codes", DType::int8, 16, 16, "other", 4);
  checkpoint->add("empty.weight", DType::f32, 0, 16, "other", 5);
  checkpoint->add("tied.weight", DType::f32, 40, 16, "lm_head", 1);
  return checkpoint;
}

Plan plan_of(const ExperimentConfig& config, std::shared_ptr<const Checkpoint> checkpoint = model()) {
  std::vector<OpenedCheckpoint> opened(config.checkpoints.size());
  for (OpenedCheckpoint& entry : opened) entry.checkpoint = checkpoint;
  return make_plan(config, opened);
}
Plan plan_of(const std::string& text) { return plan_of(parse(text)); }

std::string with(const std::string& section) { return edited(kSmall, "axes:", section + "\naxes:"); }

std::vector<std::string> selected(const std::string& tensors) {
  std::vector<std::string> names;
  for (const PlannedTensor& tensor : plan_of(edited(with("tensors: " + tensors), "int8", "lossless")).tensors)
    names.push_back(tensor.info.name);
  return names;
}

// A cell in one line, for comparing whole plans.
std::string line_of(const Cell& cell) {
  std::string out = std::to_string(cell.tensor);
  for (const std::string& part : {cell.control, cell.quantizer, cell.tile, cell.modes, cell.coder}) out += " " + part;
  return out;
}
std::vector<std::string> lines(const Plan& plan) {
  std::vector<std::string> out;
  for (const Cell& cell : plan.cells) out.push_back(line_of(cell));
  return out;
}

TEST(PlanTensors, GlobsKindsAndBoundsSelect) {
  EXPECT_THAT(selected("{min_dim: 2}"), ElementsAre("embed.weight", "mlp.up.weight", "codes", "tied.weight"));
  EXPECT_THAT(selected("{min_dim: 1, include: [\"norm*\"]}"), ElementsAre("norm.weight"));
  EXPECT_THAT(selected("{include: [\"*.weight\"]}"), ElementsAre("embed.weight", "mlp.up.weight", "tied.weight"));
  EXPECT_THAT(selected("{exclude: [\"*.weight\", nothing]}"), ElementsAre("codes"));
  EXPECT_THAT(selected("{kinds: [\"mlp.*\", embedding]}"), ElementsAre("embed.weight", "mlp.up.weight"));
  EXPECT_THAT(error_of([] { selected("{min_dim: 17}"); }), HasSubstr("no tensor is selected"));
}

TEST(PlanTensors, LimitsCountAfterSelection) {
  EXPECT_THAT(selected("{limit: 2}"), ElementsAre("embed.weight", "mlp.up.weight"));
  EXPECT_THAT(selected("{max_weights: 512, limit: 1}"), ElementsAre("mlp.up.weight"));
}

TEST(PlanGrid, ReportOrderIsTensorQuantizerControlThenAxes) {
  const std::string text =
      edited(with("tensors: {include: [\"mlp*\"]}\ncontrols: [original, shuffled]\nbaselines: [gzip]"),
             ", \"int4:group=64\"", "");
  EXPECT_THAT(
      lines(plan_of(text)),
      ElementsAre("2 original int8 8x32 none rans", "2 original int8 8x32 none+left rans",
                  "2 original int8 16x16 none rans", "2 original int8 16x16 none+left rans",
                  "2 shuffled int8 8x32 none rans", "2 shuffled int8 8x32 none+left rans",
                  "2 shuffled int8 16x16 none rans", "2 shuffled int8 16x16 none+left rans", "2 original int8   gzip"));
}

TEST(PlanGrid, ZipAdvancesAxesTogether) {
  const std::string text = with(
      "tensors: {include: [\"mlp*\"]}\ncontrols: original\nzip: [[modes, tile]]\nwhere: [{if: {quantizer: "
      "\"int4:*\"}, drop: {tile: \"*\"}}]");
  EXPECT_THAT(lines(plan_of(text)),
              ElementsAre("2 original int8 8x32 none rans", "2 original int8 16x16 none+left rans"));
  const std::string whole = with("tensors: {include: [\"mlp*\"]}\ncontrols: original\nzip: [[quantizer, modes, tile]]");
  EXPECT_THAT(lines(plan_of(whole)),
              ElementsAre("2 original int8 8x32 none rans", "2 original int4:group=64 16x16 none+left rans"));
}

std::vector<std::string> left_by(const std::string& where) {
  const std::string base = edited(kSmall, "int4:group=64", "int4:group=128");
  return lines(
      plan_of(edited(base, "axes:",
                     "tensors: {include: [\"mlp*\"]}\ncontrols: original\nbaselines: [gzip, \"zstd:level=19\"]\n"
                     "where: " +
                         where + "\naxes:")));
}

TEST(PlanGrid, WhereDropsWhatMeetsBothSides) {
  EXPECT_THAT(
      left_by("[{if: {quantizer: \"int4:*\"}, drop: {tile: 8x32}}]"),
      ElementsAre("2 original int8 8x32 none rans", "2 original int8 8x32 none+left rans",
                  "2 original int8 16x16 none rans", "2 original int8 16x16 none+left rans", "2 original int8   gzip",
                  "2 original int8   zstd:level=19", "2 original int4 16x16 none rans",
                  "2 original int4 16x16 none+left rans", "2 original int4   gzip", "2 original int4   zstd:level=19"));
  const std::string no_codec = "{if: {role: codec}, drop: {quantizer: \"*\"}}";
  EXPECT_THAT(left_by("[" + no_codec + ", {if: {quantizer: int4}, drop: {baseline: \"zstd:*\"}}]"),
              ElementsAre("2 original int8   gzip", "2 original int8   zstd:level=19", "2 original int4   gzip"));
  EXPECT_THAT(left_by("[" + no_codec + ", {if: {kind: \"mlp.*\", dtype: BF16}, drop: {baseline: gzip}}]"), SizeIs(2));
  EXPECT_THAT(left_by("[" + no_codec + ", {if: {kind: \"mlp.*\", dtype: F32}, drop: {baseline: gzip}}]"), SizeIs(4));
  EXPECT_THAT(left_by("[{if: {tensor: \"mlp*\", checkpoint: a}, drop: {modes: left+none, tile: [8x32, 16x16]}}]"),
              SizeIs(8));
  EXPECT_THAT(left_by("[{if: {coder: \"*\"}, drop: {control: original}}]"), SizeIs(4)) << "a baseline has no coder";
}

TEST(PlanGrid, CellsCarryWhatDecidesTheirBytesBeyondTheSpecs) {
  LoadOptions options = testing::fake_options();
  const std::string text = with("baselines: [gzip]");
  const Plan plain = plan_of(parse(text, options));
  options.names.modes_identity = [](const std::string& modes) { return modes == "none" ? "" : "left of plug-in 2"; };
  options.names.coder_identity = [](const std::string&) { return "coder of plug-in 3"; };
  options.names.baseline_identity = [](const std::string& spec) { return spec + " by zlib 1.3"; };
  const Plan named = plan_of(parse(text, options));
  for (std::size_t i = 0; i < plain.cells.size(); ++i) {
    const Cell& cell = named.cells[i];
    EXPECT_EQ(plain.cells[i].plugins, "");
    EXPECT_NE(plain.cells[i].hash, cell.hash);
    EXPECT_EQ(cell.plugins, cell.role == Role::baseline ? "gzip by zlib 1.3"
                            : cell.modes == "none"      ? "coder of plug-in 3"
                                                        : "left of plug-in 2;coder of plug-in 3");
  }
}

TEST(PlanGrid, RulesWithoutEffectAreSaid) {
  const Plan plan = plan_of(with("where: [{if: {quantizer: fp8}, drop: {tile: 8x32}}]"));
  EXPECT_THAT(plan.notes, ::testing::Contains(HasSubstr("where[0] drops nothing")));
}

TEST(PlanGrid, NumericQuantizersTakeFloatsOnly) {
  const Plan plan = plan_of(with("tensors: {include: [codes, mlp*]}\nbaselines: [gzip]"));
  EXPECT_EQ(plan.not_applicable, 2u * (2 * 2 * 3 + 1));
  for (const Cell& cell : plan.cells) EXPECT_EQ(cell.tensor, 2u);
  EXPECT_THAT(plan.notes, ::testing::Contains(HasSubstr("26 combinations are not applicable")));
  const std::string message = error_of([] { plan_of(with("tensors: {include: [codes]}")); });
  EXPECT_THAT(message, HasSubstr("no cell is left: 24 combinations do not apply"));
  EXPECT_THAT(plan_of(edited(with("tensors: {include: [codes]}"), "int8", "lossless")).cells, SizeIs(12));
}

TEST(PlanGrid, EqualCellsRunOnceAndAreReportedTwice) {
  const Plan plan = plan_of(with("tensors: {kinds: [embedding, lm_head]}"));
  EXPECT_EQ(plan.cells.size(), 48u);
  EXPECT_EQ(plan.duplicates, 24u);
  std::set<std::string> hashes;
  for (const Task& task : plan.tasks) {
    for (const std::size_t cell : task.cells) EXPECT_TRUE(hashes.insert(plan.cells[cell].hash).second);
  }
  EXPECT_EQ(hashes.size(), 24u);
}

TEST(PlanTasks, ShareTensorAndQuantizerLargestFirst) {
  const Plan plan = plan_of(with("baselines: [gzip]"));
  ASSERT_THAT(plan.tasks, SizeIs(4));
  EXPECT_EQ(plan.tasks.front().tensor, 0u);
  u64 weight_cells = 0;
  for (std::size_t i = 0; i < plan.tasks.size(); ++i) {
    const Task& task = plan.tasks[i];
    EXPECT_LE(task.seconds, plan.tasks[i == 0 ? 0 : i - 1].seconds);
    EXPECT_GT(task.memory_bytes, task.weights * 8);
    for (const std::size_t cell : task.cells) {
      EXPECT_EQ(plan.cells[cell].tensor, task.tensor);
      EXPECT_EQ(plan.cells[cell].quantizer, task.quantizer);
      weight_cells += task.weights;
    }
  }
  EXPECT_EQ(plan.weight_cells, weight_cells);
}

TEST(PlanTiming, TimesOriginalsUnlessToldOtherwise) {
  EXPECT_THAT(plan_of(kSmall).timed, IsEmpty());
  const Plan plan = plan_of(with("tensors: {include: [mlp*]}\nbaselines: [gzip]\nmeasure: {timing: {repeats: 3}}"));
  EXPECT_EQ(plan.timed.size(), 2u * (4 + 1));
  const Plan some = plan_of(with("tensors: {include: [mlp*]}\nmeasure: {timing: {only: {tile: 8x32, modes: none}}}"));
  EXPECT_EQ(some.timed.size(), 2u * 3);
  const Plan none = plan_of(with("measure: {timing: {only: {tensor: nope}}}"));
  EXPECT_THAT(none.notes, ::testing::Contains(HasSubstr("selects no cell")));
}

TEST(PlanHostile, Row41GridTooLargeForTheTensorsIsRefusedBeforeReading) {
  auto checkpoint = std::make_shared<MemoryCheckpoint>();
  for (int i = 0; i < 1000; ++i) checkpoint->add("t" + std::to_string(i), DType::f32, 8, 8);
  const std::string message = error_of(
      [&] { plan_of(parse(with("limits: {max_cells: 23999}\nbaselines: [gzip]")), checkpoint); }, ErrorKind::limit);
  EXPECT_THAT(message, HasSubstr("1000 tensors × (quantizer 2 × tile 2 × modes 2 × control 3 + quantizer 2) = 26000 "
                                 "cells, more than limits.max_cells = 23999"));
  EXPECT_EQ(checkpoint->reads, 0);
  EXPECT_EQ(plan_of(parse(with("limits: {max_cells: 26000}\nbaselines: [gzip]")), checkpoint).cells.size(), 26'000u);
}

TEST(PlanProperty, KeyOrderCommentsAndThreadsChangeNothing) {
  const std::string other = R"(# the same, written otherwise
threads: 5
axes:
  coder: [rans]
  modes: [["none"], [left, none]]  # order within a set
  quantizer: ["int8:axis=row", "int4:group=64"]
  tile: [8x32, 16x16]
checkpoints: [{path: a.safetensors, name: a}]
experiment: renamed
)";
  const Plan a = plan_of("threads: 1\n" + kSmall), b = plan_of(other);
  ASSERT_EQ(lines(a), lines(b));
  for (std::size_t i = 0; i < a.cells.size(); ++i) EXPECT_EQ(a.cells[i].hash, b.cells[i].hash);
  ASSERT_EQ(a.tasks.size(), b.tasks.size());
  for (std::size_t i = 0; i < a.tasks.size(); ++i) EXPECT_EQ(a.tasks[i].cells, b.tasks[i].cells);
}

TEST(PlanProperty, SeedTouchesControlsOnly) {
  const Plan a = plan_of(kSmall), b = plan_of(with("seed: 2"));
  for (std::size_t i = 0; i < a.cells.size(); ++i) {
    EXPECT_EQ(a.cells[i].hash == b.cells[i].hash, a.cells[i].control == "original");
  }
}

TEST(PlanTensors, HashIsThatOfTheWholeTensorInWindows) {
  auto checkpoint = std::make_shared<MemoryCheckpoint>();
  checkpoint->add("wide", DType::f32, 3, 1 << 20);
  checkpoint->add("tall", DType::f32, 1 << 20, 3);
  const Plan plan = plan_of(parse(kSmall), checkpoint);
  EXPECT_EQ(checkpoint->reads, 3 + 4);
  EXPECT_EQ(plan.tensors[0].hash, content_hash(Bytes(checkpoint->read(0))));
  EXPECT_EQ(plan.tensors[1].hash, content_hash(Bytes(checkpoint->read(1))));
}

TEST(PlanTensors, ReadErrorsAreThrownWhateverThread) {
  struct Broken : MemoryCheckpoint {
    void read_rows(std::size_t index, i64, i64, MutBytes) const override {
      throw Error(ErrorKind::truncated, "tensor " + std::to_string(index) + " ends early");
    }
  };
  auto checkpoint = std::make_shared<Broken>();
  for (int i = 0; i < 20; ++i) checkpoint->add("t" + std::to_string(i), DType::f32, 8, 8);
  EXPECT_EQ(error_of([&] { plan_of(parse("threads: 8\n" + kSmall), checkpoint); }, ErrorKind::truncated),
            "tensor 0 ends early");
}

Cell some_cell() {
  Cell cell;
  cell.tensor_hash = "0123";
  cell.quantizer = "int8";
  cell.tile = "16x16";
  cell.modes = "none";
  cell.coder = "rans";
  return cell;
}

TEST(CellHash, ChangesWithEachFieldThatSaysWhatIsMeasured) {
  const Cell cell = some_cell();
  std::set<std::string> seen{cell_hash(cell, "F32", 2, 3)};
  EXPECT_EQ(seen.begin()->size(), 32u);
  const auto is_new = [&](const Cell& changed) { return seen.insert(cell_hash(changed, "F32", 2, 3)).second; };
  std::string Cell::*const texts[] = {&Cell::tensor_hash, &Cell::control, &Cell::quantizer, &Cell::tile,   &Cell::modes,
                                      &Cell::transform,   &Cell::coder,   &Cell::device,    &Cell::plugins};
  const auto with = [&](std::string Cell::*text) {
    Cell changed = cell;
    changed.*text += "x";
    return changed;
  };
  EXPECT_TRUE(is_new(with(&Cell::order)));
  EXPECT_TRUE(is_new(with(&Cell::approx)));
  for (const auto text : texts) {
    Cell changed = cell;
    changed.*text += "x";
    EXPECT_TRUE(is_new(changed));
  }
  Cell changed = cell;
  changed.seed = 7;
  EXPECT_TRUE(is_new(changed));
  changed = cell;
  changed.role = Role::baseline;
  EXPECT_TRUE(is_new(changed));
  changed = cell;  // one text's end is not the next one's beginning
  changed.tile = "16x16none";
  changed.modes = "";
  EXPECT_TRUE(is_new(changed));
  EXPECT_TRUE(seen.insert(cell_hash(cell, "F16", 2, 3)).second);
  EXPECT_TRUE(seen.insert(cell_hash(cell, "F32", 3, 2)).second);
}

TEST(CellHash, IgnoresWhereATensorWasFound) {
  Cell cell = some_cell();
  const std::string hash = cell_hash(cell, "F32", 2, 3);
  cell.checkpoint = 5;
  cell.tensor = 6;
  cell.hash = "something";
  EXPECT_EQ(cell_hash(cell, "F32", 2, 3), hash);
}

TEST(CellHash, IsNewWhereACoderWritesOtherBytes) {
  Cell cell = some_cell();
  cell.coder = "rans:tables=best";
  // The name under which earlier builds, whose `best` tried more tables, recorded this cell.
  EXPECT_NE(cell_hash(cell, "F32", 2, 3), "1340f08abf9fb3f045d706687885925b");
}

TEST(CellHash, StaysWhatItWas) {
  // A ledger of an earlier build must still be found. When this changes on purpose, kCellVersion does.
  EXPECT_EQ(cell_hash(some_cell(), "F32", 2, 3), "4e5561ea45af6f9e6998d1d4aa6e2db6");
}

}  // namespace
}  // namespace wcodec

// Opening what an experiment names, and showing its plan.
#include <nlohmann/json.hpp>

#include "tests/experiments/config_testing.hpp"

namespace wcodec {
namespace {

using testing::edited;
using testing::error_of;
using ::testing::HasSubstr;
using testing::kSmall;
using testing::MemoryCheckpoint;
using testing::parse;
using ::testing::StartsWith;

ExperimentConfig two_checkpoints(const std::string& flags) {
  return parse(edited(kSmall, "axes:", "  - {name: b, path: b" + flags + "}\naxes:"));
}

std::unique_ptr<Checkpoint> open_first_only(const CheckpointConfig& checkpoint) {
  if (checkpoint.name == "b") throw Error(ErrorKind::not_found, "b is not there: fetch it");
  auto memory = std::make_unique<MemoryCheckpoint>();
  memory->add("w\x1b[31m", DType::f32, 16, 16);
  return memory;
}

TEST(PlanOpen, OptionalCheckpointsMayBeAbsent) {
  const ExperimentConfig config = two_checkpoints(", optional: true");
  const auto opened = open_checkpoints(config, open_first_only, false);
  EXPECT_EQ(opened[1].checkpoint, nullptr);
  EXPECT_EQ(opened[1].skipped, "b is not there: fetch it");
  const Plan plan = make_plan(config, opened);
  EXPECT_THAT(plan.notes, ::testing::Contains("checkpoint 'b' is skipped: b is not there: fetch it"));
  EXPECT_NO_THROW(open_checkpoints(config, open_first_only, true));
}

TEST(PlanOpen, OthersMayNot) {
  const auto message =
      error_of([] { open_checkpoints(two_checkpoints(""), open_first_only, false); }, ErrorKind::not_found);
  EXPECT_EQ(message, "checkpoint 'b': b is not there: fetch it");
  const ExperimentConfig in_ci = two_checkpoints(", optional: true, required_in_ci: true");
  EXPECT_NO_THROW(open_checkpoints(in_ci, open_first_only, false));
  error_of([&] { open_checkpoints(in_ci, open_first_only, true); }, ErrorKind::not_found);
}

TEST(PlanOpen, DamagedCheckpointsAreNotAbsent) {
  const auto broken = [](const CheckpointConfig&) -> std::unique_ptr<Checkpoint> {
    throw Error(ErrorKind::corrupt, "bad header");
  };
  error_of([&] { open_checkpoints(two_checkpoints(", optional: true"), broken, false); }, ErrorKind::corrupt);
  const auto absent = [](const CheckpointConfig&) -> std::unique_ptr<Checkpoint> {
    throw Error(ErrorKind::not_found, "gone");
  };
  const ExperimentConfig config = parse(edited(kSmall, "a.safetensors", "a, optional: true"));
  EXPECT_THAT(error_of([&] { open_checkpoints(config, absent, false); }, ErrorKind::not_found),
              HasSubstr("none of the experiment's checkpoints is there; the first: gone"));
}

TEST(PlanPrint, TableSaysWhatARunWillDo) {
  const ExperimentConfig config = two_checkpoints(", optional: true");
  const Plan plan = make_plan(config, open_checkpoints(config, open_first_only, false));
  const std::string text = describe_plan(plan, config);
  EXPECT_THAT(text, StartsWith("small\ngrid: quantizer 2 × tile 2 × modes 2 × control 3 per tensor\n"));
  EXPECT_THAT(text, HasSubstr("24 cells to run in 2 tasks"));
  EXPECT_THAT(text, HasSubstr("note: checkpoint 'b' is skipped"));
}

TEST(PlanPrint, JsonAndLinesParseBack) {
  const ExperimentConfig config = two_checkpoints(", optional: true");
  const Plan plan = make_plan(config, open_checkpoints(config, open_first_only, false));
  const auto json = nlohmann::json::parse(plan_json(plan, config));
  EXPECT_EQ(json["cells"], 24);
  EXPECT_EQ(json["config_hash"], config_hash(config));
  std::FILE* file = std::tmpfile();
  write_cells_jsonl(file, plan, config);
  std::rewind(file);
  std::string line(4096, '\0');
  std::size_t count = 0;
  while (std::fgets(line.data(), static_cast<int>(line.size()), file) != nullptr) {
    const auto row = nlohmann::json::parse(line.c_str());
    EXPECT_EQ(row["cell"], plan.cells[count].hash);
    EXPECT_EQ(row["tensor"], "w\x1b[31m");
    EXPECT_EQ(std::string(line.c_str()).find('\x1b'), std::string::npos);
    ++count;
  }
  std::fclose(file);
  EXPECT_EQ(count, 24u);
}

TEST(PlanEstimate, SlowBaselinesCostMoreAndLosslessTakesMoreMemory) {
  TensorInfo tensor;
  tensor.dtype = DType::f32;
  tensor.rows = tensor.cols = 100;
  Cell cell;
  cell.role = Role::baseline;
  const auto seconds = [&](const char* spec, const char* quantizer) {
    cell.coder = spec;
    cell.quantizer = quantizer;
    return estimated_seconds(cell, tensor.weights());
  };
  EXPECT_GT(seconds("zstd:level=19", "int8"), 10 * seconds("zstd:level=3", "int8"));
  EXPECT_GT(seconds("gzip", "int8"), seconds("memcpy", "int8"));
  EXPECT_DOUBLE_EQ(seconds("gzip", "lossless"), 2 * seconds("gzip", "int8"));
  EXPECT_EQ(estimated_memory(tensor, "int8", 5), 10'000u * (8 + 9));
  EXPECT_EQ(estimated_memory(tensor, "lossless", 5), 10'000u * (8 + 4 * 9));
}

}  // namespace
}  // namespace wcodec

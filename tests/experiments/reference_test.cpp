// Axis `reference`: names, which tensor they mean, what is left of a tensor and that it comes back, hostile side
// information, and cells from plan to bytes.
#include "experiments/reference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>

#include "core/philox.hpp"
#include "experiments/measure.hpp"
#include "experiments/reference_coding.hpp"
#include "experiments/results.hpp"
#include "experiments/row_matching.hpp"
#include "quantizers/half.hpp"
#include "quantizers/planes.hpp"
#include "tests/experiments/config_testing.hpp"

namespace wcodec {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::MemoryCheckpoint;

TEST(ReferenceNames, AreCanonical) {
  const auto canonical = [](sv text) { return to_string(parse_reference(text)); };
  EXPECT_EQ(canonical("none"), "none");
  EXPECT_EQ(canonical("previous-layer"), "previous-layer:fit=scalar");
  EXPECT_EQ(canonical("previous-layer:fit=permuted"), "previous-layer:fit=permuted");
  EXPECT_EQ(canonical("checkpoint:from=base"), "checkpoint:fit=delta,from=base");
  EXPECT_EQ(canonical("checkpoint:from=base,fit=xor"), "checkpoint:fit=xor,from=base");
}

TEST(ReferenceNames, ErrorsSayWhatThereIs) {
  const auto error = [](sv text) { return error_of([&] { parse_reference(text); }, ErrorKind::usage); };
  EXPECT_THAT(error("previous-layr"), HasSubstr("did you mean 'previous-layer'?"));
  EXPECT_THAT(error("checkpoint"), HasSubstr("checkpoint:from=NAME"));
  EXPECT_THAT(error("previous-layer:fit=xro"), HasSubstr("xor"));
  EXPECT_THAT(error("previous-layer:from=base"), HasSubstr("from"));
  EXPECT_THAT(error("none:fit=scalar"), HasSubstr("fit"));
}

TEST(ReferenceNames, LayerBefore) {
  const std::pair<sv, sv> cases[] = {
      {"model.layers.7.mlp.up_proj.weight", "model.layers.6.mlp.up_proj.weight"},
      {"model.layers.10.mlp.experts.3.w1.weight", "model.layers.9.mlp.experts.3.w1.weight"},
      {"h.1.attn", "h.0.attn"},
      {"blk.100", "blk.99"},
      {"1.weight", "0.weight"},
      {"model.layers.0.mlp.up_proj.weight", ""},
      {"model.embed_tokens.weight", ""},
      {"layer1.weight", ""},
      {"a.99999999999.b", ""},
      {"", ""},
      {"..", ""}};
  for (const auto& [name, before] : cases) EXPECT_EQ(previous_layer_name(name).value_or(""), before) << name;
}

// Gaussian weights in any type, rows of different scale.
std::vector<u8> weights(DType dtype, i64 rows, i64 cols, u64 stream) {
  Philox random(11, stream);
  std::vector<u8> bytes;
  for (i64 r = 0; r < rows; ++r) {
    const double scale = 0.02 * std::exp2(random.normal());
    for (i64 c = 0; c < cols; ++c) {
      const double x = scale * random.normal();
      u32 word = 0;
      if (dtype == DType::bf16) word = float_to_bf16(static_cast<float>(x));
      if (dtype == DType::f16) word = float_to_f16(static_cast<float>(x));
      if (dtype == DType::f32) word = std::bit_cast<u32>(static_cast<float>(x));
      if (info(dtype).number != NumberClass::floating) word = random.next32();
      if (dtype == DType::int4) word = static_cast<u32>(static_cast<int>(word << 28) >> 28);
      if (dtype == DType::uint4) word &= 15;
      if (dtype == DType::f8_e4m3) word = random.next32() & 0xff;
      for (int b = 0; b < info(dtype).memory_bytes; ++b) bytes.push_back(static_cast<u8>(word >> (8 * b)));
    }
  }
  return bytes;
}

QuantizedTensor quantized(const std::string& quantizer, DType dtype, i64 rows, i64 cols, u64 stream) {
  const QuantizerChoice choice = parse_quantizer(quantizer);
  const std::vector<u8> bytes = weights(dtype, rows, cols, stream);
  return choice.row->quantize({"w", dtype, rows, cols, bytes}, choice.spec);
}

struct Coded {
  QuantizedTensor residual;
  std::vector<u8> side;
  Ledger ledger;
};
Coded code(const QuantizedTensor& tensor, const std::string& quantizer, const QuantizedTensor& reference,
           ReferenceFit fit) {
  const QuantizerChoice choice = parse_quantizer(quantizer);
  LedgerWriter out;
  QuantizedTensor residual = subtract_reference(tensor, choice, make_reference(reference, choice), fit, out);
  return {std::move(residual), out.bytes(), out.ledger()};
}
QuantizedTensor restored(const Coded& coded, const std::string& quantizer, const QuantizedTensor& reference) {
  const QuantizerChoice choice = parse_quantizer(quantizer);
  ByteReader in(coded.side);
  QuantizedTensor back = add_reference(coded.residual, choice, make_reference(reference, choice), in);
  EXPECT_EQ(in.remaining(), 0u);
  return back;
}

constexpr ReferenceFit kFits[] = {ReferenceFit::delta, ReferenceFit::exclusive_or, ReferenceFit::scalar,
                                  ReferenceFit::affine, ReferenceFit::permuted};

struct Kind {
  const char* quantizer;
  DType dtype;
};
constexpr Kind kKinds[] = {{"int8:axis=row", DType::f32}, {"int8:axis=tensor", DType::bf16},
                           {"int4:group=16", DType::f32}, {"int4:group=16,symmetric=false", DType::f32},
                           {"fp8", DType::bf16},          {"fp8:format=e5m2", DType::f16},
                           {"ecsq", DType::f32},          {"lossless", DType::bf16},
                           {"lossless", DType::f16},      {"lossless", DType::f32},
                           {"lossless", DType::int8},     {"lossless", DType::int4},
                           {"lossless", DType::uint4},    {"lossless", DType::int16},
                           {"lossless", DType::uint32},   {"lossless", DType::f8_e4m3}};

TEST(ReferenceCoding, ComesBackForEveryQuantizerTypeAndFit) {
  for (const auto& [quantizer, dtype] : kKinds) {
    const QuantizedTensor tensor = quantized(quantizer, dtype, 9, 35, 1), other = quantized(quantizer, dtype, 9, 35, 2);
    for (const ReferenceFit fit : kFits) {
      const Coded coded = code(tensor, quantizer, other, fit);
      const QuantizedTensor back = restored(coded, quantizer, other);
      EXPECT_EQ(back.words, tensor.words) << quantizer << " " << info(dtype).name << " " << to_string(fit);
      EXPECT_EQ(back.scales, tensor.scales);
      EXPECT_TRUE(back.format == tensor.format);
      EXPECT_EQ(coded.ledger[LedgerEntry::param], coded.side.size());
      EXPECT_EQ(coded.ledger.total(), coded.side.size());
    }
  }
}

TEST(ReferenceCoding, OfItselfNothingIsLeft) {
  for (const auto& [quantizer, dtype] : kKinds) {
    if (dtype == DType::f8_e4m3) continue;  // of all words, some are NaN and two are 0
    const QuantizedTensor tensor = quantized(quantizer, dtype, 7, 33, 1);
    for (const ReferenceFit fit : {ReferenceFit::delta, ReferenceFit::exclusive_or}) {
      const QuantizedTensor residual = code(tensor, quantizer, tensor, fit).residual;
      for (u64 i = 0; i < residual.weights(); ++i) {
        const u64 word = load_word(residual.format, residual.words.data(), i);
        ASSERT_EQ(word, 0u) << quantizer << " " << info(dtype).name << " " << to_string(fit);
      }
    }
  }
}

QuantizedTensor of_words(DType dtype, i64 rows, i64 cols, std::vector<u16> words) {
  QuantizedTensor out{rows, cols, word_format(info(dtype)), std::vector<u8>(2 * words.size()), {}};
  std::memcpy(out.words.data(), words.data(), out.words.size());
  return out;
}

TEST(ReferenceCoding, DeltasOfWideWordsAreFoldedAndKeepTheOrderOfFloats) {
  // 1.0, the next above, the next below, the smallest negative number against the smallest positive one.
  const QuantizedTensor tensor = of_words(DType::bf16, 1, 4, {0x3f80, 0x3f81, 0x3f7f, 0x8001});
  const QuantizedTensor reference = of_words(DType::bf16, 1, 4, {0x3f80, 0x3f80, 0x3f80, 0x0001});
  const Coded coded = code(tensor, "lossless", reference, ReferenceFit::delta);
  EXPECT_EQ(coded.residual.format.number, NumberClass::unsigned_int);
  std::vector<u64> folded;
  for (u64 i = 0; i < 4; ++i) folded.push_back(load_word(coded.residual.format, coded.residual.words.data(), i));
  EXPECT_THAT(folded, ElementsAre(0, 2, 1, 5)) << "the two zeros lie between, so the last is three below";
  EXPECT_EQ(coded.side.size(), 3u);
}

TEST(ReferenceCoding, NanAndInfinityComeBack) {
  const QuantizedTensor tensor = of_words(DType::bf16, 2, 2, {0x7fc1, 0xff80, 0x3f80, 0xffff});
  const QuantizedTensor reference = of_words(DType::bf16, 2, 2, {0x7f80, 0x7fc0, 0x4000, 0x0000});
  for (const ReferenceFit fit : kFits) {
    EXPECT_EQ(restored(code(tensor, "lossless", reference, fit), "lossless", reference).words, tensor.words);
  }
}

TEST(ReferenceCoding, TheBasePredictsOnTheTensorsOwnScales) {
  // Twice the weights, so twice the scale and the same words; the base's weights are half: words of half the size.
  const float base[] = {1, -1, 0.5f, 127.0f / 2}, tuned[] = {2, -2, 1, 127};
  const auto quantize = [](const float(&values)[4]) {
    const QuantizerChoice choice = parse_quantizer("int8:axis=tensor");
    const Bytes bytes(reinterpret_cast<const u8*>(values), sizeof(values));
    return choice.row->quantize({"w", DType::f32, 1, 4, bytes}, choice.spec);
  };
  const QuantizedTensor tensor = quantize(tuned), reference = quantize(base);
  ASSERT_EQ(tensor.words, reference.words);
  const Coded delta = code(tensor, "int8:axis=tensor", reference, ReferenceFit::delta);
  EXPECT_THAT(delta.residual.words, ElementsAre(1, 0xff, 1, 127 - 63)) << "63.5 is half-way: the lower word";
  EXPECT_THAT(code(tensor, "int8:axis=tensor", reference, ReferenceFit::scalar).residual.words, Each(0));
}

float f32_at(Bytes bytes, std::size_t at) {
  float value;
  std::memcpy(&value, bytes.data() + at, 4);
  return value;
}

QuantizedTensor of_floats(i64 rows, i64 cols, const std::vector<float>& values) {
  QuantizedTensor out{rows, cols, word_format(info(DType::f32)), std::vector<u8>(4 * values.size()), {}};
  if (!values.empty()) std::memcpy(out.words.data(), values.data(), out.words.size());
  return out;
}

TEST(ReferenceCoding, LeastSquaresFindWhatWasPlanted) {
  Philox random(3, 4);
  constexpr i64 kRows = 40, kCols = 50;
  std::vector<float> x(kRows * kCols), scaled(x.size()), shifted(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<float>(random.normal() + 3);
    scaled[i] = -0.75f * x[i];
    shifted[i] = static_cast<float>(0.5 * x[i] + 2 + 0.001 * random.normal());
  }
  const QuantizedTensor reference = of_floats(kRows, kCols, x);
  const Coded scalar = code(of_floats(kRows, kCols, scaled), "lossless", reference, ReferenceFit::scalar);
  EXPECT_FLOAT_EQ(f32_at(scalar.side, 3), -0.75f);
  EXPECT_THAT(scalar.residual.words, Each(0));
  const Coded affine = code(of_floats(kRows, kCols, shifted), "lossless", reference, ReferenceFit::affine);
  EXPECT_NEAR(f32_at(affine.side, 3), 0.5, 1e-3);
  EXPECT_NEAR(f32_at(affine.side, 7), 2, 1e-3);
}

TEST(ReferenceCoding, PermutedRowsAreFoundAndPaidFor) {
  constexpr i64 kRows = 60, kCols = 40;
  Philox random(8, 8);
  std::vector<float> reference(kRows * kCols), tensor(reference.size());
  for (float& value : reference) value = static_cast<float>(random.normal());
  std::vector<u32> order(kRows);
  std::iota(order.begin(), order.end(), 0u);
  for (u32 i = kRows; i > 1; --i) std::swap(order[i - 1], order[random.below64(i)]);
  for (std::size_t r = 0; r < order.size(); ++r) {
    for (std::size_t c = 0; c < kCols; ++c) tensor[r * kCols + c] = 2 * reference[order[r] * kCols + c];
  }
  EXPECT_EQ(match_rows(tensor, reference, kRows, kCols), order);
  const Coded coded =
      code(of_floats(kRows, kCols, tensor), "lossless", of_floats(kRows, kCols, reference), ReferenceFit::permuted);
  EXPECT_THAT(coded.residual.words, Each(0));
  const double bits = std::lgamma(kRows + 1.0) / std::log(2.0);
  EXPECT_GE(8.0 * static_cast<double>(coded.side.size() - 7), bits) << "log2 60! bits beside fit, format and factor";
  EXPECT_LE(8.0 * static_cast<double>(coded.side.size() - 7), bits + 16);
}

TEST(ReferenceCoding, ConstantAndEmptyMatricesAreFine) {
  const std::vector<float> zeros(12, 0.0f), ones(12, 1.0f);
  for (const ReferenceFit fit : kFits) {
    for (const auto& [a, b] : {std::pair(zeros, ones), std::pair(ones, zeros), std::pair(zeros, zeros)}) {
      const QuantizedTensor tensor = of_floats(3, 4, a), reference = of_floats(3, 4, b);
      EXPECT_EQ(restored(code(tensor, "lossless", reference, fit), "lossless", reference).words, tensor.words);
    }
    const QuantizedTensor none = of_floats(0, 4, {});
    EXPECT_EQ(restored(code(none, "lossless", none, fit), "lossless", none).weights(), 0u);
  }
}

TEST(ReferenceHostile, SideInformationCutOffOrDamagedIsAnErrorOrOtherWords) {
  const QuantizedTensor tensor = quantized("lossless", DType::bf16, 9, 35, 1),
                        other = quantized("lossless", DType::bf16, 9, 35, 2);
  const QuantizerChoice choice = parse_quantizer("lossless");
  const ReferenceTensor reference = make_reference(other, choice);
  for (const ReferenceFit fit : kFits) {
    const Coded coded = code(tensor, "lossless", other, fit);
    for (std::size_t size = 0; size < coded.side.size(); ++size) {
      ByteReader in(Bytes(coded.side).first(size));
      EXPECT_THROW(add_reference(coded.residual, choice, reference, in), Error) << to_string(fit) << " " << size;
    }
    for (std::size_t at = 0; at < coded.side.size(); ++at) {
      for (const u8 value : {u8{0}, u8{1}, u8{3}, u8{7}, u8{0x7f}, u8{0xff}}) {
        std::vector<u8> damaged = coded.side;
        damaged[at] = value;
        ByteReader in(damaged);
        try {
          const QuantizedTensor words = add_reference(coded.residual, choice, reference, in);
          EXPECT_EQ(words.words.size(), tensor.words.size());
        } catch (const Error& error) {
          EXPECT_THAT(error.kind(), ::testing::AnyOf(ErrorKind::corrupt, ErrorKind::truncated, ErrorKind::unsupported));
        }
      }
    }
  }
}

TEST(ReferenceHostile, ShapesMustAgree) {
  const QuantizedTensor tensor = quantized("int8", DType::f32, 9, 35, 1);
  const QuantizedTensor turned = quantized("int8", DType::f32, 35, 9, 1);
  const auto error = error_of([&] { code(tensor, "int8", turned, ReferenceFit::delta); }, ErrorKind::unsupported);
  EXPECT_EQ(error, "a tensor of 9x35 has a reference of 35x9");
}

const std::string kReferenced = R"(experiment: referenced
checkpoints:
  - {name: base, path: base.safetensors}
  - {name: tuned, path: tuned.safetensors, family: base}
controls: [original, shuffled]
axes:
  quantizer: ["int8:axis=row"]
  tile: [16x16]
  modes: [[none]]
  coder: ["rans:tables=tensor"]
  reference: [none, previous-layer, "checkpoint:from=base,fit=xor"]
compare: {factor: reference, against: none}
)";

std::shared_ptr<MemoryCheckpoint> model(u8 salt, i64 last_rows = 16) {
  auto checkpoint = std::make_shared<MemoryCheckpoint>();
  checkpoint->add("embed.weight", DType::bf16, 40, 16, "embedding", salt);
  checkpoint->add("layers.0.up.weight", DType::bf16, 16, 32, "mlp.up", salt);
  checkpoint->add("layers.1.up.weight", DType::bf16, last_rows, 32, "mlp.up", static_cast<u8>(salt + 1));
  return checkpoint;
}

Plan plan_of(const std::string& text, std::shared_ptr<const Checkpoint> base, std::shared_ptr<const Checkpoint> tuned) {
  const std::vector<OpenedCheckpoint> opened{{std::move(base), ""}, {std::move(tuned), ""}};
  return make_plan(testing::parse(text), opened);
}

TEST(ReferencePlan, FindsLayersAndCheckpointsAndSaysWhatHasNone) {
  const Plan plan = plan_of(kReferenced, model(1), model(5));
  std::vector<std::string> found;
  for (const Cell& cell : plan.cells) {
    if (cell.reference == "none" || cell.control != "original") continue;
    const ReferencePlace& place = cell.reference_place;
    found.push_back(fmt::format("{}.{} from {}.{} {}", cell.checkpoint, cell.tensor, place.checkpoint, place.tensor,
                                cell.reference));
    EXPECT_EQ(place.tensor_hash, plan.tensors[place.checkpoint * 3 + place.tensor].hash);
    EXPECT_EQ(place.dtype, "BF16");
  }
  EXPECT_THAT(found, ElementsAre("0.2 from 0.1 previous-layer:fit=scalar", "1.0 from 0.0 checkpoint:fit=xor,from=base",
                                 "1.1 from 0.1 checkpoint:fit=xor,from=base", "1.2 from 1.1 previous-layer:fit=scalar",
                                 "1.2 from 0.2 checkpoint:fit=xor,from=base"));
  EXPECT_THAT(plan.notes, Contains("reference 'checkpoint:fit=xor,from=base' is left out where there is none: a tensor "
                                   "is no reference of itself for 3 tensors (such as base: embed.weight)"));
  EXPECT_THAT(plan.notes, Contains(HasSubstr("no layer before it for 4 tensors (such as base: embed.weight)")));
}

TEST(ReferencePlan, ShapesAndNamesThatDifferAreSaid) {
  const Plan plan = plan_of(kReferenced, model(1, 8), model(5));
  EXPECT_THAT(plan.notes,
              Contains(HasSubstr("the reference has another shape for 1 tensor (such as tuned: layers.1.up.weight)")));
  auto nameless = std::make_shared<MemoryCheckpoint>();
  nameless->add("other.weight", DType::bf16, 16, 32);
  const std::string message = error_of([&] { plan_of(kReferenced, nameless, model(5)); });
  EXPECT_THAT(message, HasSubstr("reference 'checkpoint:fit=xor,from=base' is one of no tensor at all"));
  EXPECT_THAT(message, HasSubstr("no tensor of the name for 3 tensors (such as tuned: embed.weight)"));
}

TEST(ReferencePlan, CellsWithoutAReferenceKeepTheirNamesAndTheOthersHaveTheReferencesContentInTheirs) {
  const std::string plain =
      testing::edited(kReferenced, "none, previous-layer, \"checkpoint:from=base,fit=xor\"", "none");
  const auto hashes = [](const Plan& plan, bool referenced) {
    std::vector<std::string> out;
    for (const Cell& cell : plan.cells) {
      if ((cell.reference != "none") == referenced) out.push_back(cell.hash);
    }
    return out;
  };
  const Plan with = plan_of(kReferenced, model(1), model(5));
  EXPECT_EQ(hashes(with, false), hashes(plan_of(plain, model(1), model(5)), false));
  // A reference outside of the selection is hashed as well.
  const std::string late = testing::edited(kReferenced, "axes:", "tensors: {include: [\"layers.1.*\"]}\naxes:");
  const Plan some = plan_of(late, model(1), model(5)), changed = plan_of(late, model(2), model(5));
  std::vector<std::string> same;
  for (std::size_t i = 0; i < some.cells.size(); ++i) {
    if (some.cells[i].checkpoint == 1 && some.cells[i].hash == changed.cells[i].hash)
      same.push_back(some.cells[i].reference);
  }
  EXPECT_THAT(same, ElementsAre("none", "previous-layer:fit=scalar", "none", "previous-layer:fit=scalar"));
}

TEST(ReferenceConfig, AnExperimentWithoutReferencesAsksWhatItAskedBefore) {
  const std::string plain = testing::edited(kReferenced, ", previous-layer, \"checkpoint:from=base,fit=xor\"", "");
  const std::string before = testing::edited(testing::edited(plain, "  reference: [none]\n", ""),
                                             "compare: {factor: reference, against: none}\n", "");
  EXPECT_THAT(canonical_config(testing::parse(before)), ::testing::Not(HasSubstr("\"reference\"")));
  const std::string whole = canonical_config(testing::parse(kReferenced));
  EXPECT_EQ(canonical_config(testing::parse(whole)), whole);
}

TEST(ReferenceConfig, ErrorsPointAtTheValue) {
  const auto error = [](sv from, sv to) { return testing::parse_error(testing::edited(kReferenced, from, to)); };
  EXPECT_THAT(error("from=base", "from=bsae"),
              HasSubstr("11:37: key 'axes.reference[2]': unknown checkpoint 'bsae'; did "
                        "you mean 'base'?"));
  EXPECT_THAT(error("[none, previous-layer", "[previous-layer"), HasSubstr("need 'none' beside them"));
  EXPECT_THAT(error("previous-layer,", "next-layer,"), HasSubstr("unknown reference 'next-layer'"));
  EXPECT_THAT(error("axes:", "baselines: [gzip]\nwhere: [{if: {baseline: gzip}, drop: {reference: \"*\"}}]\naxes:"),
              HasSubstr("a baseline has no reference"));
}

TEST(ReferenceCells, AreWrittenReadBackAndAccountedFor) {
  // Weights as they are: those of this checkpoint hold NaN.
  const std::string text = testing::edited(kReferenced, "\"int8:axis=row\"", "lossless");
  const Plan plan = plan_of(text, model(1), model(1));
  const auto base = model(1), tuned = model(1);
  std::vector<Cell> cells;
  for (const Cell& cell : plan.cells) {
    if (cell.checkpoint == 1 && cell.tensor == 2) cells.push_back(cell);
  }
  ASSERT_EQ(cells.size(), 6u);
  std::map<std::string, CellResult> results;
  MeasureCallbacks callbacks;
  callbacks.begin = [](std::size_t) {};
  callbacks.failed = [](std::size_t, const std::string& reason) { ADD_FAILURE() << reason; };
  callbacks.done = [&](std::size_t index, const CellResult& result) {
    results[cells[index].control + " " + cells[index].reference] = result;
  };
  std::vector<std::size_t> opened;
  measure_cells(*tuned, 2, "lossless", cells, "", callbacks, [&](std::size_t checkpoint) -> const Checkpoint& {
    opened.push_back(checkpoint);
    return checkpoint == 0 ? *base : *tuned;
  });
  ASSERT_EQ(results.size(), 6u);
  std::sort(opened.begin(), opened.end());
  EXPECT_THAT(opened, ElementsAre(0, 1)) << "each reference is read once";
  for (const auto& [name, result] : results) {
    EXPECT_EQ(result.ledger.total(), result.coded_bytes) << name;
    EXPECT_DOUBLE_EQ(result.h0_bpw, results.at("original none").h0_bpw) << "a control keeps the histogram";
  }
  const CellResult& none = results.at("original none");
  const CellResult& itself = results.at("original checkpoint:fit=xor,from=base");
  EXPECT_EQ(itself.residual_h0_bpw, 0) << "the base is the tensor itself";
  EXPECT_LT(itself.coded_bytes, none.coded_bytes);
  EXPECT_EQ(itself.ledger[LedgerEntry::param], 1u) << "the fit";
  EXPECT_EQ(itself.ledger[LedgerEntry::crc], none.ledger[LedgerEntry::crc] + 4);
  EXPECT_EQ(results.at("original previous-layer:fit=scalar").ledger[LedgerEntry::param], 7u)
      << "fit, format and factor";
  EXPECT_GT(results.at("shuffled checkpoint:fit=xor,from=base").residual_h0_bpw, 0) << "the reference is not shuffled";
}

TEST(ReferenceResults, HaveAColumnOnlyWhereThereIsOne) {
  CellResult result;
  result.weights = 8;
  result.original_bytes = result.coded_bytes = 8;
  result.ledger[LedgerEntry::payload] = 8;
  CellLabel label;
  label.tensor = "w";
  label.rows = 2;
  label.cols = 4;
  label.modes = "none";
  const SummaryRow plain = summarize(label, result);
  label.reference = "previous-layer:fit=scalar";
  const std::vector<SummaryRow> rows{summarize(label, result), plain};
  const std::string text = summary_csv(rows);
  EXPECT_THAT(text, HasSubstr(",ratio_symbols,reference\n"));
  EXPECT_THAT(summary_csv(std::vector<SummaryRow>{plain}), ::testing::Not(HasSubstr("reference")));
  EXPECT_EQ(summary_csv(parse_summary_csv(text)), text);
  EXPECT_EQ(rows[0].modes_and_further(), "none;reference=previous-layer:fit=scalar");
}

}  // namespace
}  // namespace wcodec

#include "experiments/memory.hpp"

#include <gmock/gmock.h>

#include "core/error.hpp"

namespace wcodec {
namespace {

using ::testing::HasSubstr;

TEST(ModelShapes, LlamasHaveTheirPublishedNumbersOfWeights) {
  // Published totals less the norms: hidden · (2 · layers + 1).
  EXPECT_EQ(matrix_weights(known_shapes()[0]), 6'738'415'616u - 4096u * (2 * 32 + 1));
  EXPECT_EQ(matrix_weights(known_shapes()[1]), 68'976'648'192u - 8192u * (2 * 80 + 1));
}

constexpr const char* kConfig = R"({"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
  "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100, "tie_word_embeddings": true})";

TEST(ModelShapes, AConfigurationGivesItsMatrices) {
  const ModelShape shape = parse_model_shape("tiny", kConfig);
  // Tied: one embedding and no head. Keys and values: half the heads.
  EXPECT_EQ(matrix_weights(shape), 100u * 64 + 2 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 64 * 96));
  EXPECT_EQ(matrices_of(shape).size(), 8u);
}

TEST(ModelShapes, WhatIsMissingOrBeyondReasonIsNamed) {
  const auto said = [](std::string from, const std::string& to) {
    std::string text = kConfig;
    text.replace(text.find(from), from.size(), to);
    try {
      parse_model_shape("c.json", text);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::corrupt);
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  EXPECT_THAT(said("\"hidden_size\": 64,", ""), HasSubstr("c.json: 'hidden_size'"));
  EXPECT_THAT(said("64", "-64"), HasSubstr("'hidden_size'"));
  EXPECT_THAT(said("64", "64.5"), HasSubstr("'hidden_size'"));
  EXPECT_THAT(said("64", "1e300"), HasSubstr("'hidden_size'"));
  EXPECT_THAT(said("64", "18446744073709551615"), HasSubstr("'hidden_size'"));
  EXPECT_THAT(said("\"num_attention_heads\": 4", "\"num_attention_heads\": 0"), HasSubstr("'num_attention_heads'"));
  EXPECT_THAT(said("\"num_attention_heads\": 4", "\"num_attention_heads\": 5"), HasSubstr("divide"));
  EXPECT_THAT(said("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 16777216"), HasSubstr("beyond reason"));
  EXPECT_THROW(parse_model_shape("c.json", "["), Error);
}

// A matrix of 64 × 128, INT8 by row with FP32 scales.
SummaryRow row(const std::string& kind, int tensor, double bits) {
  SummaryRow out;
  out.checkpoint = out.family = "small";
  out.tensor = kind + std::to_string(tensor);
  out.kind = kind;
  out.dtype = "BF16";
  out.control = "original";
  out.role = "codec";
  out.quantizer = "int8:axis=row";
  out.coder = "c";
  out.modes = "none";
  out.rows = 64;
  out.cols = 128;
  out.weights = 64 * 128;
  out.original_scale_bytes = out.ledger[LedgerEntry::scale] = 64 * 4;
  out.original_bytes = out.weights + out.original_scale_bytes;
  out.ledger[LedgerEntry::payload] = static_cast<u64>(bits * 1024);
  out.coded_bytes = out.ledger[LedgerEntry::payload] + out.original_scale_bytes;
  return out;
}

std::vector<SummaryRow> small_model() {
  std::vector<SummaryRow> rows = {row("embedding", 0, 4)};
  for (int i = 0; i < 6; ++i) {
    rows.push_back(row("attention.q", i, 7));
    rows.push_back(row("mlp.up", i, 6 + 0.25 * i));
    rows.push_back(row("mlp.down", i, 5));
  }
  return rows;
}

MemoryOptions options() {
  MemoryOptions out;
  out.coder = "c";
  return out;
}

const KindBits& kind(const MemoryRow& row, const std::string& name) {
  for (const KindBits& bits : row.kinds) {
    if (bits.kind == name) return bits;
  }
  throw std::runtime_error("no kind " + name);
}

TEST(Memory, BitsOfEachKindAreWeightedByTheLargeModelsShapes) {
  const ModelShape shape = parse_model_shape("tiny", kConfig);
  const auto rows = memory_rows(small_model(), std::vector{shape}, options());
  ASSERT_EQ(rows.size(), 1u);
  const double embedding = 100 * 64, q = 2 * 64 * 64, kv = 2 * 32 * 64, mlp = 2 * 64 * 96;
  // k, v and o were not measured: as q; gate as up.
  const double bits = 4 * embedding + 7 * (2 * q + 2 * kv) + 6.625 * 2 * mlp + 5 * mlp;
  EXPECT_NEAR(rows[0].coded_bytes, bits / 8, 1e-6);
  EXPECT_DOUBLE_EQ(rows[0].plain_bytes, static_cast<double>(matrix_weights(shape)));
  // A scale of four bytes for each row of the large model.
  EXPECT_DOUBLE_EQ(rows[0].scale_bytes, 4.0 * (100 + 2 * (64 + 32 + 32 + 64 + 96 + 96 + 64)));
  EXPECT_NEAR(rows[0].saved(), 1 - (bits / 8 + rows[0].scale_bytes) / (rows[0].plain_bytes + rows[0].scale_bytes),
              1e-12);
  EXPECT_EQ(kind(rows[0], "mlp.gate").measured_as, "mlp.up");
  EXPECT_LT(rows[0].coded.lo, rows[0].coded_bytes);
  EXPECT_GT(rows[0].coded.hi, rows[0].coded_bytes);
}

TEST(Memory, AKindOfFewTensorsBorrowsAnIntervalThatHoldsItsMean) {
  const auto rows = memory_rows(small_model(), std::vector{parse_model_shape("tiny", kConfig)}, options());
  const KindBits& embedding = kind(rows[0], "embedding");
  EXPECT_TRUE(embedding.is_borrowed);
  EXPECT_EQ(embedding.tensors, 1u);
  EXPECT_DOUBLE_EQ(embedding.bits.interval.lo, 4);
  EXPECT_GT(embedding.bits.interval.hi, 5);
  EXPECT_FALSE(kind(rows[0], "mlp.up").is_borrowed);
  EXPECT_EQ(kind(rows[0], "attention.q").bits.interval.lo, 7) << "all alike";
}

TEST(Memory, ATensorCountsOnceAndControlsDoNot) {
  std::vector<SummaryRow> rows = small_model();
  const std::vector<SummaryRow> again = rows;
  rows.insert(rows.end(), again.begin(), again.end());
  rows.push_back(row("mlp.up", 9, 1));
  rows.back().control = "shuffled";
  const std::vector<ModelShape> shapes = {parse_model_shape("tiny", kConfig)};
  EXPECT_EQ(memory_rows(rows, shapes, options())[0].coded_bytes, memory_rows(again, shapes, options())[0].coded_bytes);
}

TEST(Memory, WithoutTheSeriesThoseThereAreAreNamed) {
  MemoryOptions other = options();
  other.coder = "another";
  try {
    memory_rows(small_model(), known_shapes(), other);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.what(), HasSubstr("there are: c with modes none"));
  }
}

TEST(Memory, TablesSayWhatWasMeasured) {
  const auto rows = memory_rows(small_model(), known_shapes(), options());
  const std::string text = to_markdown(memory_table(rows));
  for (const char* part : {"llama-2-7b", "llama-2-70b", "small", "no large model was measured"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(to_markdown(memory_kinds_table(rows)), HasSubstr("mlp.gate"));
}

}  // namespace
}  // namespace wcodec

// Stage names, checkpoints and small experiments for the tests of configs and plans, apart from the real stages.
#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>

#include "core/error.hpp"
#include "core/spec.hpp"
#include "core/tile.hpp"
#include "experiments/config.hpp"
#include "experiments/plan.hpp"

namespace wcodec::testing {

inline std::string canonical_of(sv what, sv text, std::span<const sv> known, std::span<const OptionInfo> options) {
  const Spec spec = parse_spec(text);
  if (std::find(known.begin(), known.end(), spec.name) == known.end()) {
    throw Error(ErrorKind::usage, unknown_name(what, spec.name, known));
  }
  OptionReader reader(spec, options);
  return canonical(spec, options);
}

inline StageNames fake_names() {
  static constexpr OptionInfo kQuantizerOptions[] = {{"axis", "row", "row|tensor", ""}, {"group", "128", "N", ""}};
  static constexpr OptionInfo kCoderOptions[] = {{"tables", "tensor", "", ""}, {"contexts", "16", "", ""}};
  static constexpr OptionInfo kLevel[] = {{"level", "6", "", ""}};
  static constexpr sv kQuantizers[] = {"int8", "int4", "fp8", "lossless"};
  static constexpr sv kCoders[] = {"rans", "raw"};
  static constexpr sv kTransforms[] = {"identity", "dct8", "probe"};
  static constexpr sv kOrders[] = {"identity", "transpose"};
  static constexpr sv kApproximations[] = {"none", "mean"};
  static constexpr sv kBaselines[] = {"memcpy", "gzip", "zstd", "bzip2"};
  static constexpr sv kPredictors[] = {"none", "left", "top", "avg", "planar"};
  StageNames names;
  names.quantizer = [](sv text) { return canonical_of("quantizer", text, kQuantizers, kQuantizerOptions); };
  names.transform = [](sv text) { return canonical_of("transform", text, kTransforms, {}); };
  names.coder = [](sv text) { return canonical_of("coder", text, kCoders, kCoderOptions); };
  names.baseline = [](sv text) { return canonical_of("baseline", text, kBaselines, kLevel); };
  names.order = [](sv text) { return canonical_of("order", text, kOrders, {}); };
  names.approx = [](sv text) { return canonical_of("approximation", text, kApproximations, {}); };
  names.tile = [](sv text) { return to_string(parse_tile(text)); };
  names.modes = [](const std::vector<std::string>& given) {
    for (const std::string& name : given) canonical_of("predictor", name, kPredictors, {});
    std::string joined;
    for (const sv known : kPredictors) {
      if (std::find(given.begin(), given.end(), known) == given.end()) continue;
      joined += (joined.empty() ? "" : "+") + std::string(known);
    }
    return joined;
  };
  return names;
}

inline LoadOptions fake_options() {
  LoadOptions options;
  options.names = fake_names();
  options.environment = [](const std::string&) { return std::optional<std::string>(); };
  return options;
}

inline ExperimentConfig parse(const std::string& text, LoadOptions options = fake_options()) {
  return parse_config(text, "exp.yaml", "/project/configs", options);
}

inline const std::string kSmall = R"(experiment: small
checkpoints:
  - {name: a, path: a.safetensors}
axes:
  quantizer: [int8, "int4:group=64"]
  tile: [8x32, 16x16]
  modes: [[none], [none, left]]
  coder: ["rans:tables=tensor"]
)";

// `text` with the first `from` replaced; a test that replaces nothing tests nothing.
inline std::string edited(std::string text, sv from, sv to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

template <class Action>
std::string error_of(const Action& action, ErrorKind kind = ErrorKind::config) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

inline std::string parse_error(const std::string& text) {
  return error_of([&] { parse(text); });
}

// Tensors in memory; counts what is read.
class MemoryCheckpoint : public Checkpoint {
 public:
  void add(const std::string& name, DType dtype, i64 rows, i64 cols, const std::string& kind = "other", u8 salt = 0) {
    TensorInfo tensor;
    tensor.name = name;
    tensor.dtype = dtype;
    tensor.shape = {rows, cols};
    tensor.rows = rows;
    tensor.cols = cols;
    tensor.kind = kind;
    tensor.source_bytes = tensor.memory_bytes();
    tensors_.push_back(tensor);
    salts_.push_back(salt);
  }
  void read_rows(std::size_t index, i64 first, i64 count, MutBytes out) const override {
    const TensorInfo& tensor = tensors_.at(index);
    ASSERT_LE(first + count, tensor.rows);
    ++reads;
    const u64 row_bytes = tensor.memory_bytes() / static_cast<u64>(tensor.rows);
    ASSERT_EQ(out.size(), static_cast<u64>(count) * row_bytes);
    for (u64 i = 0; i < out.size(); ++i) {
      out[i] = static_cast<u8>((static_cast<u64>(first) * row_bytes + i) * 7 + salts_[index]);
    }
  }
  mutable std::atomic<int> reads{0};

 private:
  std::vector<u8> salts_;
};

}  // namespace wcodec::testing

#include "experiments/model_shapes.hpp"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "core/error.hpp"

namespace wcodec {
namespace {

constexpr u64 kLargest = u64{1} << 24;  // of any size in a configuration: products of three stay below 2^63 and a bit

}  // namespace

std::span<const ModelShape> known_shapes() {
  static const std::array<ModelShape, 2> shapes = {{
      {"llama-2-7b", "config.json of meta-llama/Llama-2-7b-hf; Touvron et al., arXiv 2307.09288", 4096, 11008, 32, 32,
       32, 32000, false},
      {"llama-2-70b", "config.json of meta-llama/Llama-2-70b-hf; Touvron et al., arXiv 2307.09288", 8192, 28672, 80, 64,
       8, 32000, false},
  }};
  return shapes;
}

ModelShape parse_model_shape(const std::string& name, const std::string& json) {
  const nlohmann::json config = nlohmann::json::parse(json, nullptr, false);
  if (!config.is_object()) throw Error(ErrorKind::corrupt, fmt::format("{} is no JSON object", printable(name)));
  const auto size = [&](const char* key) -> u64 {
    const auto found = config.find(key);
    if (found == config.end() || !found->is_number_unsigned() || *found == 0u || *found > kLargest) {
      throw Error(ErrorKind::corrupt,
                  fmt::format("{}: '{}' must be a whole number from 1 to {}", printable(name), key, kLargest));
    }
    return found->get<u64>();
  };
  ModelShape shape;
  shape.name = name;
  shape.source = name;
  shape.hidden_size = size("hidden_size");
  shape.intermediate_size = size("intermediate_size");
  shape.num_hidden_layers = size("num_hidden_layers");
  shape.num_attention_heads = size("num_attention_heads");
  shape.num_key_value_heads =
      config.contains("num_key_value_heads") ? size("num_key_value_heads") : shape.num_attention_heads;
  shape.vocab_size = size("vocab_size");
  const auto tied = config.find("tie_word_embeddings");
  shape.tie_word_embeddings = tied != config.end() && tied->is_boolean() && tied->get<bool>();
  if (shape.hidden_size % shape.num_attention_heads != 0) {
    throw Error(ErrorKind::corrupt,
                fmt::format("{}: 'num_attention_heads' does not divide 'hidden_size'", printable(name)));
  }
  if (shape.num_hidden_layers > 4096 || shape.hidden_size > (1u << 20) || shape.intermediate_size > (1u << 21)) {
    throw Error(ErrorKind::corrupt, fmt::format("{}: a model of that size is beyond reason", printable(name)));
  }
  return shape;
}

std::vector<ShapeMatrix> matrices_of(const ModelShape& s) {
  const u64 key_rows = s.hidden_size / s.num_attention_heads * s.num_key_value_heads;
  const u64 layers = s.num_hidden_layers;
  std::vector<ShapeMatrix> all = {
      {"embedding", s.vocab_size, s.hidden_size, 1},          {"attention.q", s.hidden_size, s.hidden_size, layers},
      {"attention.k", key_rows, s.hidden_size, layers},       {"attention.v", key_rows, s.hidden_size, layers},
      {"attention.o", s.hidden_size, s.hidden_size, layers},  {"mlp.gate", s.intermediate_size, s.hidden_size, layers},
      {"mlp.up", s.intermediate_size, s.hidden_size, layers}, {"mlp.down", s.hidden_size, s.intermediate_size, layers},
  };
  if (!s.tie_word_embeddings) all.push_back({"lm_head", s.vocab_size, s.hidden_size, 1});
  return all;
}

u64 matrix_weights(const ModelShape& shape) {
  u64 sum = 0;
  for (const ShapeMatrix& matrix : matrices_of(shape)) sum += matrix.weights();
  return sum;
}

}  // namespace wcodec

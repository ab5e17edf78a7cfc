// The matrices of large language models of the Llama kind, by their public configurations.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/types.hpp"

namespace wcodec {

// Sizes as in a model's config.json, under the names they have there.
struct ModelShape {
  std::string name, source;
  u64 hidden_size = 0, intermediate_size = 0, num_hidden_layers = 0, num_attention_heads = 0, num_key_value_heads = 0,
      vocab_size = 0;
  bool tie_word_embeddings = false;
};

struct ShapeMatrix {
  std::string kind;  // as tensor_kind() names it
  u64 rows = 0, cols = 0, count = 0;

  u64 weights() const noexcept { return rows * cols * count; }
};

// Llama 2 7B and 70B.
std::span<const ModelShape> known_shapes();

// Reads a Hugging Face config.json of a Llama, Mistral or Qwen2 kind of model. Throws Error{corrupt} naming the key
// that is missing or beyond reason; `name` stands for the file.
ModelShape parse_model_shape(const std::string& name, const std::string& json);

// Embedding, attention, gated MLP and head of every layer; norms and biases, vectors all of them, are left out (0.004 %
// of Llama 2 7B).
std::vector<ShapeMatrix> matrices_of(const ModelShape& shape);
u64 matrix_weights(const ModelShape& shape);

}  // namespace wcodec

// What a tensor does in its network, recognised from its name. A column to group results by, never an input to a codec.
#pragma once

#include <string>

#include "core/types.hpp"

namespace wcodec {

// One of: embedding, attention.q, attention.k, attention.v, attention.qkv, attention.o, mlp.gate, mlp.up, mlp.down,
// mlp.gate_up, lm_head, norm, bias, conv, recurrent, router, other. Knows the naming of Llama/Qwen/Mistral, GPT-2/NeoX,
// BERT, T5, RWKV, GGUF, and PyTorch's own modules.
std::string tensor_kind(sv name, std::size_t dimensions);

}  // namespace wcodec

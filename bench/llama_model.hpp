// A checkpoint with the matrices of a model of seven billion weights, made up.
#pragma once

#include <string>

namespace wcodec {

// Writes a safetensors file of INT8 matrices with the names and shapes of Llama 7B, with this many of its 32 layers.
// Gaussian of standard deviation 37.1, which has the entropy of MiniLM's matrices as INT8 by row (7.26 bits); drawn
// from 2^24 values, in another order for each matrix. Throws Error{io}.
void write_llama_int8(const std::string& path, int layers, unsigned threads);

}  // namespace wcodec

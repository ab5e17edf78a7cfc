// The words that a tensor's weights can have, and which of them is nearest to a value; for reference_coding.cpp.
#pragma once

#include <vector>

#include "quantizers/registry.hpp"

namespace wcodec {

class WordGrid {
 public:
  // The grid of a tensor of this shape, format and scales; its words are not looked at. Throws Error{unsupported} for
  // formats whose words are no numbers.
  WordGrid(const QuantizedTensor& tensor, const QuantizerChoice& quantizer);

  // The word of place `index` whose weight is nearest to `weight`. A weight that is no number counts as 0, one outside
  // of the grid as its end.
  u64 nearest(u64 index, double weight) const noexcept;

 private:
  u64 nearest_in_table(double value) const noexcept;
  u64 nearest_wide(double value) const noexcept;

  WordFormat format_;
  // Weights of the words that stand for 0 and 1, by place; empty where words are weights.
  std::vector<float> zero_, one_;
  struct Entry {
    double value;
    u64 word;
  };
  std::vector<Entry> table_;  // words of at most 8 bits by rising value
};

}  // namespace wcodec

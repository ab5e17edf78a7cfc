#include "experiments/controls.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <span>

#include "core/error.hpp"
#include "core/random_stream.hpp"
#include "core/spec.hpp"
#include "experiments/matrix_scales.hpp"
#include "quantizers/planes.hpp"

namespace wcodec {
namespace {

template <class Word>
void shuffle(std::span<u8> words, Philox& random) {
  const auto at = [&](u64 i) { return words.data() + i * sizeof(Word); };
  for (u64 i = words.size() / sizeof(Word); i > 1; --i) {
    const u64 j = random.below64(i);
    Word a, b;
    std::memcpy(&a, at(i - 1), sizeof(Word));
    std::memcpy(&b, at(j), sizeof(Word));
    std::memcpy(at(i - 1), &b, sizeof(Word));
    std::memcpy(at(j), &a, sizeof(Word));
  }
}

void shuffle_words(std::span<u8> words, int bytes, Philox& random) {
  switch (bytes) {
    case 1:
      return shuffle<u8>(words, random);
    case 2:
      return shuffle<u16>(words, random);
    case 4:
      return shuffle<u32>(words, random);
    default:
      return shuffle<u64>(words, random);
  }
}

void shuffle_rows(QuantizedTensor& tensor, Philox& random) {
  const int bytes = tensor.format.memory_bytes;
  const std::size_t row = static_cast<std::size_t>(tensor.cols) * static_cast<std::size_t>(bytes);
  for (std::size_t at = 0; at < tensor.words.size(); at += row) {
    shuffle_words(std::span(tensor.words).subspan(at, row), bytes, random);
  }
}

// Sorts by the upper 32 bits, stably: three counting passes of 11 bits.
void radix_sort_high(std::vector<u64>& pairs) {
  constexpr int kBits = 11;
  std::vector<u64> other(pairs.size());
  for (int shift = 32; shift < 64; shift += kBits) {
    std::array<std::size_t, (1 << kBits) + 1> begin{};
    const auto digit = [&](u64 pair) { return static_cast<std::size_t>(pair >> shift & ((1 << kBits) - 1)); };
    for (const u64 pair : pairs) ++begin[digit(pair) + 1];
    for (std::size_t d = 1; d < begin.size(); ++d) begin[d] += begin[d - 1];
    for (const u64 pair : pairs) other[begin[digit(pair)]++] = pair;
    pairs.swap(other);
  }
}

// All words in rising order of value.
std::vector<u64> sorted_words(const QuantizedTensor& tensor) {
  const WordFormat& f = tensor.format;
  std::vector<u64> keys(tensor.weights());
  if (f.memory_bytes <= 2) {
    std::vector<u64> counts(std::size_t{1} << f.bits);
    for (u64 i = 0; i < keys.size(); ++i) ++counts[order_key(f, load_word(f, tensor.words.data(), i))];
    std::size_t next = 0;
    for (u64 key = 0; key < counts.size(); ++key) {
      std::fill_n(keys.begin() + static_cast<std::ptrdiff_t>(next), counts[key], key);
      next += counts[key];
    }
  } else {
    for (u64 i = 0; i < keys.size(); ++i) keys[i] = order_key(f, load_word(f, tensor.words.data(), i));
    std::sort(keys.begin(), keys.end());
  }
  for (u64& key : keys) key = word_of_order_key(f, key);
  return keys;
}

void place_by_gaussian_rank(QuantizedTensor& tensor, Philox& random) {
  if (tensor.weights() > 0xffffffffu) {
    throw Error(ErrorKind::limit,
                "the gaussian control ranks at most 2^32 weights of a tensor; drop it for this tensor");
  }
  const MatrixScales scales = matrix_scales(tensor);
  std::vector<u64> ranked(tensor.weights());
  u64 i = 0;
  for (const double row : scales.rows) {
    for (const double column : scales.columns) {
      const u32 bits = std::bit_cast<u32>(static_cast<float>(random.normal() * row * column));
      const u32 ordered = bits >> 31 ? ~bits : bits | 0x80000000u;
      ranked[i] = u64{ordered} << 32 | i;
      ++i;
    }
  }
  radix_sort_high(ranked);
  const std::vector<u64> words = sorted_words(tensor);
  const auto width = static_cast<std::size_t>(tensor.format.memory_bytes);
  for (u64 rank = 0; rank < words.size(); ++rank) {
    std::memcpy(tensor.words.data() + (ranked[rank] & 0xffffffffu) * width, &words[rank], width);
  }
}

}  // namespace

QuantizedTensor apply_control(const QuantizedTensor& tensor, const std::string& control, u64 seed,
                              const std::string& tensor_hash) {
  QuantizedTensor out = tensor;
  if (control == "original" || tensor.weights() == 0) return out;
  Philox random = random_stream(seed, tensor_hash + control);
  if (control == "shuffled") {
    shuffle_words(out.words, out.format.memory_bytes, random);
  } else if (control == "shuffled-rows") {
    shuffle_rows(out, random);
  } else if (control == "gaussian") {
    place_by_gaussian_rank(out, random);
  } else {
    static constexpr sv kKnown[] = {"original", "shuffled", "shuffled-rows", "gaussian"};
    throw Error(ErrorKind::usage, unknown_name("control", control, kKnown));
  }
  return out;
}

}  // namespace wcodec

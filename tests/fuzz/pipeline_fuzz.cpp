// Any tensor through any stages: the input chooses both, the record decodes to the tensor, and its accounts add up.
// Kept small, because what counts is how many combinations are tried: the work of an input (weights × planes × modes ×
// transforms) is bounded, and where there are many tables they have few slots.
#include <algorithm>
#include <cstring>

#include "codec/tensor_codec.hpp"
#include "quantizers/planes.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace wcodec::fuzz {
namespace {

constexpr const char* kCoders[] = {"raw",
                                   "rans",
                                   "rans:precision=8",
                                   "rans:precision=15",
                                   "rans:tables=tile,precision=8",
                                   "rans:tables=row-scale,contexts=2",
                                   "rans:tables=col-scale,contexts=8,precision=10",
                                   "rans:tables=row-col-scale,contexts=64,precision=9",
                                   "rans:chunk=1024,precision=10",
                                   "rans:tables=exponent,precision=9",
                                   "rans:tables=best,contexts=16,precision=9",
                                   "rans:tables=position,contexts=16,precision=9",
                                   "rans:tables=band,precision=9",
                                   "rans:tables=neighbours,precision=9",
                                   "zstd",
                                   "bitplanes",
                                   "adaptive",
                                   "prefix",
                                   "prefix:low=0,chunk=1024",
                                   "prefix:low=3"};

constexpr const char* kTransforms[] = {"identity", "identity", "dct8", "adst8", "probe"};

// A word as it may stand in memory: signed words narrower than their bytes are sign-extended, others zero-extended.
u64 valid_word(const WordFormat& format, u64 word) {
  if (format.bits == 64) return word;
  word &= (u64{1} << format.bits) - 1;
  const bool negative = format.number == NumberClass::signed_int && (word >> (format.bits - 1)) != 0;
  return negative ? word | ~u64{0} << format.bits : word;
}

// Symbols that all modes and transforms together may see: 32 lanes need 2,048 with one of each.
constexpr u64 kMostWork = 2400;

QuantizedTensor take_tensor(Choices& choices, u64 work_a_symbol) {
  QuantizedTensor tensor;
  tensor.format = word_format(info(static_cast<DType>(choices.byte() % (static_cast<int>(DType::c64) + 1))));
  // Small as a rule; now and then enough for 32 lanes, where there is little else to do.
  const u32 bound = choices.byte() == 255 ? 130 : 20;
  const u64 most = kMostWork / (work_a_symbol * plane_layout(tensor.format).size());
  tensor.cols = std::min<i64>(choices.below(bound), static_cast<i64>(most));
  tensor.rows = std::min<i64>(choices.below(bound), static_cast<i64>(most) / std::max<i64>(tensor.cols, 1));
  const auto bytes = static_cast<std::size_t>(tensor.format.memory_bytes);
  const std::size_t scales = choices.byte();
  const u8 how = choices.byte();
  const Bytes rest = choices.rest();
  const auto at = [&](u64 i) { return rest.empty() ? u8{0} : rest[i % rest.size()]; };
  u64 sum = 0;
  for (u64 i = 0; i < tensor.weights(); ++i) {
    u64 word = 0;
    for (std::size_t b = 0; b < bytes; ++b) word |= u64{at(i * bytes + b)} << (8 * b);
    if (how & 1) word = sum += word & 3;  // smooth, so that prediction pays
    if (how & 2) word &= 1;               // few symbols
    word = valid_word(tensor.format, word);
    tensor.words.resize(tensor.words.size() + bytes);
    std::memcpy(tensor.words.data() + tensor.words.size() - bytes, &word, bytes);
  }
  for (std::size_t i = 0; i < scales; ++i) tensor.scales.push_back(at(i));
  return tensor;
}

std::vector<PredictorChoice> take_modes(Choices& choices) {
  const u32 mask = choices.below(1u << 16);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < predictors().size(); ++i) {
    if (mask >> i & 1) names.emplace_back(predictors()[i].name);
  }
  if (names.empty()) names.emplace_back("none");
  return parse_mode_set(names);
}

}  // namespace
}  // namespace wcodec::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wcodec;
  fuzz::Choices choices({data, size});
  const CoderChoice coder = parse_coder(fuzz::kCoders[choices.byte() % std::size(fuzz::kCoders)]);
  const TileShape shape{1 + static_cast<int>(choices.byte() % 80), 1 + static_cast<int>(choices.byte() % 80)};
  const std::vector<PredictorChoice> modes = fuzz::take_modes(choices);
  const TransformSet transforms = parse_transform_set(fuzz::kTransforms[choices.byte() % std::size(fuzz::kTransforms)]);
  const QuantizedTensor tensor = fuzz::take_tensor(choices, modes.size() * transforms.rows.size());
  const EncodedTensor encoded = encode_tensor(tensor, shape, modes, coder, transforms);
  fuzz::check(encoded.ledger.total() == encoded.bytes.size(), "the ledger sums to the record");
  const QuantizedTensor back = decode_tensor(encoded.bytes, fuzz::kMaxWeights);
  fuzz::check(back.words == tensor.words && back.scales == tensor.scales && back.format == tensor.format &&
                  back.rows == tensor.rows && back.cols == tensor.cols,
              "a tensor comes back as it was");
  return 0;
}

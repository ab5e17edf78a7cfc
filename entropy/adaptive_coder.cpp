#include "entropy/adaptive_coder.hpp"

#include <array>

#include "core/error.hpp"
#include "entropy/magnitude.hpp"
#include "entropy/range_coder.hpp"
#include "entropy/raw_coder.hpp"

namespace wcodec {
namespace {

enum Kind : u8 { kStoredRaw = 0, kNoContext = 1, kPrevious = 2 };

constexpr int kMinRate = 3, kMaxRate = 8;
constexpr OptionInfo kOptions[] = {
    {"context", "none", "none|previous",
     "what a symbol's probabilities are keyed on; previous: magnitudes of the two before it"},
    {"rate", "5", "3...8", "a probability moves by 2^-rate of its distance, and its slow twin by an eighth of that"}};

CoderOptions prepare(const Spec& spec) {
  static constexpr sv kContexts[] = {"none", "previous"};
  const OptionReader options(spec, kOptions);
  CoderOptions out;
  out.tables = options.choice("context", kContexts) == "none" ? kNoContext : kPrevious;
  out.rate = static_cast<int>(options.integer("rate", kMinRate, kMaxRate));
  return out;
}

// A symbol as decisions of a binary tree, from the top bit: 2^bits − 1 of them for each context.
class Model {
 public:
  Model(Kind kind, int bits, int rate) : kind_(kind), bits_(bits), rate_(rate), nodes_(kContexts << bits) {}

  // Calls code(probability, bit) → bit for each decision; `symbol` is what they make, or is made of.
  template <class Code>
  u8 walk(u8 symbol, Code&& code) {
    AdaptiveBit* const tree = nodes_.data() + (context() << bits_);
    u32 node = 1;
    for (int level = bits_; level-- > 0;) {
      const bool bit = code(tree[node].probability(), (symbol >> level & 1) != 0);
      tree[node].update(bit, rate_);
      node = node << 1 | bit;
    }
    const auto coded = static_cast<u8>(node & ((1u << bits_) - 1));
    before_ = last_;
    last_ = magnitude_bits(coded, bits_);
    return coded;
  }

 private:
  static constexpr std::size_t kContexts = 17;
  std::size_t context() const noexcept { return kind_ == kPrevious ? static_cast<std::size_t>(last_ + before_) : 0; }

  Kind kind_;
  int bits_, rate_;
  std::vector<AdaptiveBit> nodes_;
  int last_ = 0, before_ = 0;
};

void encode(const EntropyCoder&, const CoderInput& input, const CoderOptions& options, LedgerWriter& out) {
  if (input.residuals.empty()) return;
  std::vector<u8> coded;
  RangeEncoder encoder(coded);
  Model model(static_cast<Kind>(options.tables), input.geometry.bits, options.rate);
  for (const u8 symbol : input.residuals) {
    model.walk(symbol, [&](u32 probability, bool bit) {
      encoder.put(bit, probability);
      return bit;
    });
  }
  encoder.finish();
  const LedgerWriter::Mark before = out.mark();
  out.write(LedgerEntry::header, options.tables);
  out.write(LedgerEntry::header, static_cast<u8>(options.rate));
  out.varint(LedgerEntry::index, coded.size());
  out.append(LedgerEntry::payload, coded);
  store_if_longer(input, before, out);
}

void decode(const EntropyCoder&, ByteReader& in, const PlaneGeometry& geometry, MutBytes residuals) {
  if (residuals.empty()) return;
  const u8 kind = in.read<u8>("adaptive header");
  if (kind == kStoredRaw) return read_raw(in, geometry, residuals);
  if (kind > kPrevious) throw Error(ErrorKind::corrupt, "adaptive header: unknown kind");
  const int rate = in.read<u8>("adaptive header");
  if (rate < kMinRate || rate > kMaxRate) throw Error(ErrorKind::corrupt, "adaptive header: rate out of range");
  RangeDecoder decoder(in.take(in.varint("range coder's bytes"), "range coder's bytes"));
  Model model(static_cast<Kind>(kind), geometry.bits, rate);
  for (u8& symbol : residuals) {
    symbol = model.walk(0, [&](u32 probability, bool) { return decoder.get(probability); });
  }
  if (!decoder.ended()) throw Error(ErrorKind::corrupt, "range coder's bytes do not end where the symbols do");
}

}  // namespace

const EntropyCoder kAdaptiveCoder = {.name = "adaptive",
                                     .id = 4,
                                     .help = "binary range coder with adaptive probabilities: slow, for research",
                                     .options = kOptions,
                                     .prepare = &prepare,
                                     .encode = &encode,
                                     .decode = &decode};

}  // namespace wcodec

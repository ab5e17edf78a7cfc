#include "entropy/prefix_coder.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "entropy/chunked_stream.hpp"
#include "entropy/histogram.hpp"
#include "entropy/pair_code.hpp"
#include "entropy/raw_coder.hpp"

namespace wcodec {
namespace {

using Kind = PrefixHeader::Kind;
using enum PrefixHeader::Kind;

constexpr OptionInfo kOptions[] = {{"low", "auto", "auto|0...7", "low bits of a symbol that stay uncoded"},
                                   kChunkOption};

CoderOptions prepare(const Spec& spec) {
  static constexpr sv kLow[] = {"auto", "0", "1", "2", "3", "4", "5", "6", "7"};
  const OptionReader options(spec, kOptions);
  CoderOptions out;
  const std::string low = options.choice("low", kLow);
  out.low_bits = low == "auto" ? -1 : low[0] - '0';
  out.log2_chunk = read_chunk_option(options);
  return out;
}

// Where to cut, and the code for what is above.
struct Split {
  int low;
  u8 offset;
  int window;  // bits that all high parts need
  PairCode code;
  double bits;  // a symbol
};

SymbolRange occurring(std::span<const u8> symbols, int bits, u8 centring) noexcept {
  const auto mask = static_cast<u8>((1u << bits) - 1);
  SymbolRange range;
  for (const u8 symbol : symbols) {
    const u8 u = static_cast<u8>(symbol + centring) & mask;
    range.least = std::min(range.least, u);
    range.most = std::max(range.most, u);
  }
  return range;
}

// Counts of the high parts.
std::array<u64, 256> high_counts(const std::array<u64, 256>& counts, int bits, int low, u8 offset) noexcept {
  std::array<u64, 256> high{};
  for (u32 s = 0; s < 1u << bits; ++s) high[((s + offset) & ((1u << bits) - 1)) >> low] += counts[s];
  return high;
}

// `range` is what occurs with `centring` for an offset. The offset is lowered as far as it goes, to a multiple of
// 2^low.
Split begin_split(SymbolRange range, int bits, u8 centring, int low) noexcept {
  const int lowered = range.least - ((range.least - centring) & ((1 << low) - 1));
  const int most = std::min(range.most - lowered, (1 << bits) - 1);
  Split split{low, 0, 0, {}, 1e9};
  split.offset = static_cast<u8>((centring - lowered) & ((1 << bits) - 1));
  split.window = std::max<int>(std::bit_width(static_cast<u32>(most) >> low), 1);
  return split;
}

Split make_split(const std::array<u64, 256>& counts, SymbolRange range, u8 centring, int bits, int low) {
  Split split = begin_split(range, bits, centring, low);
  const std::array<u64, 256> high = high_counts(counts, bits, low, split.offset);
  // A constant has no code of its own.
  if (std::count_if(high.begin(), high.end(), [](u64 c) { return c > 0; }) < 2) return split;
  const auto alphabet = std::span(high).first(std::size_t{1} << split.window);
  split.code = choose_pair_code(alphabet, split.window);
  if (split.code.size > 0) split.bits = low + implied_pair_bits(alphabet, split.code);
  return split;
}

Split choose_split(const std::array<u64, 256>& counts, SymbolRange range, u8 centring, int bits, int low_bits) {
  if (low_bits >= 0) return make_split(counts, range, centring, bits, std::min(low_bits, bits - 1));
  // Fewer coded bits are less work and fewer escapes: what a finer cut gains must be worth it.
  constexpr double kWorthwhile = 0.012;
  int best = bits - 1;
  double least = 1e9;
  for (int low = bits - 1; low >= 0; --low) {
    const Split split = begin_split(range, bits, centring, low);
    const std::array<u64, 256> high = high_counts(counts, bits, low, split.offset);
    const double cost = low + estimated_pair_bits(std::span(high).first(std::size_t{1} << split.window), split.window);
    if (cost < least - kWorthwhile) {
      least = cost;
      best = low;
    }
  }
  return make_split(counts, range, centring, bits, best);
}

std::array<u64, 256> count(std::span<const u8> symbols) {
  ByteCounts sample;
  const auto stride = static_cast<std::size_t>(prefix_stride(symbols.size()));
  for (std::size_t first = 0; first < symbols.size(); first += stride)
    sample.add(symbols.subspan(first, std::min<std::size_t>(kPrefixSampleBlock, symbols.size() - first)));
  const std::array<u32, 256> counted = sample.counts();
  std::array<u64, 256> counts{};
  std::copy(counted.begin(), counted.end(), counts.begin());
  return counts;
}

bool is_constant(std::span<const u8> symbols) noexcept {
  return std::all_of(symbols.begin(), symbols.end(), [&](u8 s) { return s == symbols[0]; });
}

void encode(const EntropyCoder&, const CoderInput& input, const CoderOptions& options, LedgerWriter& out) {
  if (input.residuals.empty()) return;
  if (is_constant(input.residuals)) return write_prefix_constant(input.residuals[0], out);
  const int bits = input.geometry.bits;
  const std::array<u64, 256> counts = count(input.residuals);
  const SymbolRange range = occurring(input.residuals, bits, prefix_centring(counts, bits));
  const std::optional<PrefixChoice> choice = choose_prefix(counts, range, input.residuals.size(), bits, options);
  if (!choice) return store(input, out);
  const LedgerWriter::Mark before = out.mark();
  write_prefix_header(*choice, out);
  const PairEncodeTable table(choice->code);
  encode_chunks(input.residuals, nullptr, choice->layout, StreamEncoder(table, choice->code.first), out);
  store_if_longer(input, before, out);
}

void decode(const EntropyCoder&, ByteReader& in, const PlaneGeometry& geometry, MutBytes residuals) {
  if (residuals.empty()) return;
  const PrefixHeader header = read_prefix_header(in, geometry.bits, residuals.size());
  if (header.kind == kStoredRaw) return read_raw(in, geometry, residuals);
  if (header.kind == kConstant) {
    std::fill(residuals.begin(), residuals.end(), header.symbol);
    return;
  }
  const PairDecodeTable table(header.code);
  const ChunkIndex index = read_chunk_index(in, header.layout);
  decode_chunks(index, header.layout, 0, header.layout.chunks(), nullptr, StreamDecoder(table), residuals.data());
}

}  // namespace

u8 prefix_centring(const std::array<u64, 256>& counts, int bits) noexcept {
  const auto* const top = std::max_element(counts.begin(), counts.end());
  return static_cast<u8>(((1 << (bits - 1)) - static_cast<int>(top - counts.begin())) & ((1 << bits) - 1));
}

std::optional<PrefixChoice> choose_prefix(std::array<u64, 256> counts, SymbolRange range, u64 count, int bits,
                                          const CoderOptions& options) {
  // A plane that is one bit wide has nothing to pair.
  if (bits == 1) return {};
  const u8 centring = prefix_centring(counts, bits);
  // What the sample has not seen may yet come: the escape is there for it.
  if (prefix_stride(count) > kPrefixSampleBlock) {
    for (u32 u = range.least; u <= range.most; ++u) {
      u64& seen = counts[(u - centring) & ((1u << bits) - 1)];
      seen = 64 * seen + 1;
    }
  }
  Split split = choose_split(counts, range, centring, bits, options.low_bits);
  // Nor has a high part that is constant.
  if (split.code.size == 0 || split.bits >= 0.999 * bits) return {};
  const int log2_chunk = choose_log2_chunk(options.log2_chunk, split.bits);
  return PrefixChoice{{count, bits, split.low, split.offset, log2_chunk, split.window}, std::move(split.code)};
}

void write_prefix_header(const PrefixChoice& choice, LedgerWriter& out) {
  out.write(LedgerEntry::header, u8{kPairs});
  out.write(LedgerEntry::header, static_cast<u8>(choice.layout.low_bits));
  out.write(LedgerEntry::header, choice.layout.offset);
  out.write(LedgerEntry::header, static_cast<u8>(choice.layout.window));
  out.write(LedgerEntry::header, static_cast<u8>(choice.layout.log2_chunk));
  write_pair_code(choice.code, out);
}

void write_prefix_constant(u8 symbol, LedgerWriter& out) {
  out.write(LedgerEntry::header, u8{kConstant});
  out.write(LedgerEntry::header, symbol);
}

PrefixHeader read_prefix_header(ByteReader& in, int bits, u64 count) {
  PrefixHeader header;
  header.kind = static_cast<Kind>(in.read<u8>("prefix header"));
  if (header.kind == kStoredRaw) return header;
  if (header.kind == kConstant) {
    header.symbol = in.read<u8>("prefix header");
    if (header.symbol >> bits != 0) throw Error(ErrorKind::corrupt, "prefix header: symbol out of range");
    return header;
  }
  if (header.kind != kPairs) throw Error(ErrorKind::corrupt, "prefix header: unknown kind");
  const int low = in.read<u8>("prefix header");
  if (low >= bits) throw Error(ErrorKind::corrupt, "prefix header: more uncoded bits than a symbol has");
  const u8 offset = in.read<u8>("prefix header");
  if (offset >> bits != 0 || offset % (1 << low) != 0)
    throw Error(ErrorKind::corrupt, "prefix header: offset out of range");
  const int window = in.read<u8>("prefix header");
  if (window < 1 || window > bits - low) throw Error(ErrorKind::corrupt, "prefix header: window out of range");
  header.layout = {count, bits, low, offset, read_log2_chunk(in), window};
  header.code = read_pair_code(in, window);
  return header;
}

const EntropyCoder kPrefixCoder = {
    .name = "prefix",
    .id = 2,
    .help = "length-limited prefix code over pairs of symbols, low bits raw, 32 interleaved lanes",
    .options = kOptions,
    .prepare = &prepare,
    .encode = &encode,
    .decode = &decode};

}  // namespace wcodec

#include "entropy/prefix_coder.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "entropy/chunked_stream.hpp"
#include "entropy/pair_code.hpp"
#include "entropy/raw_coder.hpp"

namespace wcodec {
namespace {

enum Kind : u8 { kStoredRaw = 0, kConstant = 1, kPairs = 2 };

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
  PairCode code;
  double bits;  // a symbol
};

// The likeliest symbol comes to stand in the middle of the range and of a bin, so that likely symbols are neighbours
// although residuals wrap around.
u8 centring_offset(const std::array<u64, 256>& counts, int bits, int low) noexcept {
  const auto top = std::max_element(counts.begin(), counts.end()) - counts.begin();
  const int middle = (1 << (bits - 1)) + (low > 0 ? 1 << (low - 1) : 0);
  return static_cast<u8>((middle - static_cast<int>(top)) & ((1 << bits) - 1));
}

Split make_split(const std::array<u64, 256>& counts, int bits, int low) {
  Split split{low, centring_offset(counts, bits, low), {}, 0};
  std::array<u64, 256> high{};
  for (u32 s = 0; s < 1u << bits; ++s) high[((s + split.offset) & ((1u << bits) - 1)) >> low] += counts[s];
  const int high_bits = bits - low;
  // A constant has no code of its own.
  if (std::count_if(high.begin(), high.end(), [](u64 c) { return c > 0; }) < 2) return {low, split.offset, {}, 1e9};
  split.code = choose_pair_code(std::span(high).first(std::size_t{1} << high_bits), high_bits);
  if (split.code.size == 0) return {low, split.offset, {}, 1e9};
  split.bits = low + implied_pair_bits(std::span(high).first(std::size_t{1} << high_bits), split.code);
  return split;
}

double order_0_bits(const std::array<u64, 256>& counts, double total) noexcept {
  double bits = 0;
  for (const u64 c : counts) {
    if (c > 0) bits -= static_cast<double>(c) / total * std::log2(static_cast<double>(c) / total);
  }
  return bits;
}

// Codes of about 3 bits a symbol fill a table of pairs best; what is above that is noise to be left uncoded. The
// neighbours of that cut are tried where the plane is large enough to pay for the time.
Split choose_split(const std::array<u64, 256>& counts, u64 total, int bits, int low_bits) {
  if (low_bits >= 0) return make_split(counts, bits, std::min(low_bits, bits - 1));
  const double entropy = order_0_bits(counts, static_cast<double>(total));
  const int start = std::clamp(static_cast<int>(std::lround(entropy - 3.5)), 0, bits - 1);
  Split best = make_split(counts, bits, start);
  if (total < 1 << 16) return best;
  for (const int step : {-1, 1}) {
    for (int low = start + step; low >= 0 && low < bits; low += step) {
      Split other = make_split(counts, bits, low);
      if (other.bits >= best.bits) break;
      best = std::move(other);
    }
  }
  return best;
}

void encode(const EntropyCoder&, const CoderInput& input, const CoderOptions& options, LedgerWriter& out) {
  if (input.residuals.empty()) return;
  const int bits = input.geometry.bits;
  // Four histograms at once: runs of one symbol would wait for their own counter.
  std::array<std::array<u32, 256>, 4> partial{};
  std::array<u64, 256> counts{};
  for (std::size_t i = 0; i < input.residuals.size(); i += 1 << 30) {
    const auto piece = input.residuals.subspan(i, std::min<std::size_t>(1 << 30, input.residuals.size() - i));
    for (auto& part : partial) part.fill(0);
    std::size_t k = 0;
    for (; k + 4 <= piece.size(); k += 4) {
      ++partial[0][piece[k]];
      ++partial[1][piece[k + 1]];
      ++partial[2][piece[k + 2]];
      ++partial[3][piece[k + 3]];
    }
    for (; k < piece.size(); ++k) ++partial[0][piece[k]];
    for (std::size_t s = 0; s < 256; ++s)
      counts[s] += u64{partial[0][s]} + partial[1][s] + partial[2][s] + partial[3][s];
  }
  if (counts[input.residuals[0]] == input.residuals.size()) {
    out.write(LedgerEntry::header, u8{kConstant});
    out.write(LedgerEntry::header, input.residuals[0]);
    return;
  }
  LedgerWriter coded(out.dry());
  coded.reserve(input.residuals.size());
  const Split split = bits == 1 ? Split{} : choose_split(counts, input.residuals.size(), bits, options.low_bits);
  // A high part that is constant, or one bit wide, has nothing to pair.
  if (bits > 1 && split.code.size > 0 && split.bits < 0.999 * bits) {
    coded.write(LedgerEntry::header, u8{kPairs});
    coded.write(LedgerEntry::header, static_cast<u8>(split.low));
    coded.write(LedgerEntry::header, split.offset);
    const int log2_chunk = choose_log2_chunk(options.log2_chunk, split.bits);
    coded.write(LedgerEntry::header, static_cast<u8>(log2_chunk));
    write_pair_code(split.code, coded);
    const PairEncodeTable table(split.code);
    encode_chunks(input.residuals, nullptr, {input.residuals.size(), bits, split.low, split.offset, log2_chunk},
                  StreamEncoder(table, split.code.first), coded);
    if (coded.ledger().total() <= raw_size(input.geometry)) {
      out.append_all(coded);
      return;
    }
  }
  out.write(LedgerEntry::header, u8{kStoredRaw});
  write_raw(input, out);
}

void decode(const EntropyCoder&, ByteReader& in, const PlaneGeometry& geometry, MutBytes residuals) {
  if (residuals.empty()) return;
  const u8 kind = in.read<u8>("prefix header");
  if (kind == kStoredRaw) return read_raw(in, geometry, residuals);
  if (kind == kConstant) {
    const u8 symbol = in.read<u8>("prefix header");
    if (symbol >> geometry.bits != 0) throw Error(ErrorKind::corrupt, "prefix header: symbol out of range");
    std::fill(residuals.begin(), residuals.end(), symbol);
    return;
  }
  if (kind != kPairs) throw Error(ErrorKind::corrupt, "prefix header: unknown kind");
  const int low = in.read<u8>("prefix header");
  if (low >= geometry.bits) throw Error(ErrorKind::corrupt, "prefix header: more uncoded bits than a symbol has");
  const u8 offset = in.read<u8>("prefix header");
  if (offset >> geometry.bits != 0) throw Error(ErrorKind::corrupt, "prefix header: offset out of range");
  const int log2_chunk = read_log2_chunk(in);
  const PairDecodeTable table(read_pair_code(in, geometry.bits - low));
  const StreamLayout layout{residuals.size(), geometry.bits, low, offset, log2_chunk};
  const ChunkIndex index = read_chunk_index(in, layout);
  decode_chunks(index, layout, 0, layout.chunks(), nullptr, StreamDecoder(table), residuals.data());
}

}  // namespace

const EntropyCoder kPrefixCoder = {
    .name = "prefix",
    .id = 2,
    .help = "length-limited prefix code over pairs of symbols, low bits raw, 32 interleaved lanes",
    .options = kOptions,
    .prepare = &prepare,
    .encode = &encode,
    .decode = &decode};

}  // namespace wcodec

#include "entropy/pair_code.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/portable_math.hpp"
#include "entropy/log2_cost.hpp"
#include "entropy/side_stream.hpp"

namespace wcodec {
namespace {

constexpr int kCostBits = 6, kMaxCost = 63;
constexpr int kCorrectionBits = 5, kCorrectionZero = 12;
// Pairs below this share the escape. Weights' pairs thin out as a Gaussian's do, so about 2^-14 is best; a quarter bit
// more where symbols are few.
constexpr u8 kCoverLimits[] = {14 * 4, 15 * 4};

int predicted_length(const PairCode& code, int a, int b) noexcept {
  const int sum = code.cost[static_cast<std::size_t>(a)] + code.cost[static_cast<std::size_t>(b)];
  return std::clamp((sum + 2) >> 2, 1, kPairBits);
}

// A codeword wanted: its weight above, the index it belongs to below.
constexpr int kIndexBits = 13;
using Leaf = u64;

// Huffman's lengths for leaves sorted by falling weight, cut to kPairBits with the code kept complete: as in zlib's
// trees.c, pairs of leaves that are too deep move below the deepest leaf that is not. lengths[i] is of leaf i.
std::vector<u8> limited_lengths(const std::vector<Leaf>& leaves) {
  const std::size_t n = leaves.size();
  if (n == 1) return {1};
  // Two queues: leaves by rising weight, and inner nodes, whose weights rise by themselves.
  std::vector<u64> weight(n - 1);
  std::vector<u32> parent(2 * n - 1);
  std::size_t leaf = n, inner = 0;
  for (std::size_t node = 0; node < n - 1; ++node) {
    for (int child = 0; child < 2; ++child) {
      if (leaf > 0 && (inner == node || (leaves[leaf - 1] >> kIndexBits) <= weight[inner])) {
        weight[node] += leaves[--leaf] >> kIndexBits;
        parent[leaf] = static_cast<u32>(node);
      } else {
        weight[node] += weight[inner];
        parent[n + inner++] = static_cast<u32>(node);
      }
    }
  }
  std::vector<u8> depth(n - 1);
  std::array<std::size_t, kPairBits + 1> count{};
  std::size_t too_deep = 0;
  for (std::size_t node = n - 2; node-- > 0;) depth[node] = static_cast<u8>(std::min(depth[parent[n + node]] + 1, 63));
  for (std::size_t i = 0; i < n; ++i) {
    const int length = depth[parent[i]] + 1;
    too_deep += length > kPairBits;
    ++count[static_cast<std::size_t>(std::min(length, kPairBits))];
  }
  if (too_deep > 0) {
    // Kraft's sum in units of the shortest weight, above 2^kPairBits by what was cut.
    i64 excess = -(i64{1} << kPairBits);
    for (std::size_t length = 1; length <= kPairBits; ++length)
      excess += static_cast<i64>(count[length]) << (kPairBits - length);
    while (excess > 0) {
      std::size_t length = kPairBits - 1;
      while (count[length] == 0) --length;
      --count[length];
      count[length + 1] += 2;
      --count[kPairBits];
      --excess;
    }
  }
  std::vector<u8> lengths(n);
  std::size_t i = 0;
  for (std::size_t length = 1; length <= kPairBits; ++length) {
    for (std::size_t k = 0; k < count[length]; ++k) lengths[i++] = static_cast<u8>(length);
  }
  return lengths;
}

struct Codeword {
  u32 bits;  // first bit lowest
  u8 length;
};

u32 reversed(u32 value, int length) noexcept {
  u32 out = 0;
  for (int i = 0; i < length; ++i) out |= (value >> i & 1) << (length - 1 - i);
  return out;
}

// Calls visit(index, codeword) for every codeword of the canonical code: by length, then by index; the escape, index
// size², last of its length.
template <class Visit>
void for_each_codeword(const PairCode& code, Visit&& visit) {
  const std::size_t pairs = code.lengths.size();
  std::array<u32, kPairBits + 2> next{};
  for (std::size_t i = 0; i <= pairs; ++i) {
    const u8 length = i < pairs ? code.lengths[i] : code.escape_length;
    if (length > 0) next[length + 1u] += u32{1} << (kPairBits - length);
  }
  for (std::size_t length = 1; length < next.size(); ++length) next[length] += next[length - 1];
  for (std::size_t i = 0; i <= pairs; ++i) {
    const u8 length = i < pairs ? code.lengths[i] : code.escape_length;
    if (length == 0) continue;
    visit(i, Codeword{reversed(next[length] >> (kPairBits - length), length), length});
    next[length] += u32{1} << (kPairBits - length);
  }
}

// Probabilities in units of 2^-24, at least 1 for what occurs, so that products of two fit. What is chosen by them must
// not depend on a C library's logarithm.
constexpr int kUnitBits = 24;

std::array<u32, 256> probabilities(std::span<const u64> counts) noexcept {
  const auto total = static_cast<double>(std::accumulate(counts.begin(), counts.end(), u64{0}));
  std::array<u32, 256> p{};
  for (std::size_t s = 0; s < counts.size(); ++s) {
    if (counts[s] > 0)
      p[s] = std::max<u32>(static_cast<u32>(static_cast<double>(counts[s]) / total * (u32{1} << kUnitBits)), 1);
  }
  return p;
}

double cost_bits(u32 unit) noexcept { return kUnitBits - fast_log2(unit); }

PairCode choose_covering(std::span<const u64> counts, int bits, u8 limit) {
  PairCode code;
  code.bits = bits;
  const std::array<u32, 256> p = probabilities(counts);
  std::array<int, 256> cost{};
  int cheapest = kMaxCost;
  for (std::size_t s = 0; s < counts.size(); ++s) {
    cost[s] = p[s] == 0 ? kMaxCost : std::clamp(static_cast<int>(std::lround(4 * cost_bits(p[s]))), 0, kMaxCost);
    cheapest = std::min(cheapest, cost[s]);
  }
  const auto worth = [&](std::size_t s) { return p[s] > 0 && cost[s] + cheapest <= limit; };
  if (2 * cheapest > limit) return code;
  std::size_t first = 0, last = counts.size() - 1;
  while (!worth(first)) ++first;
  while (!worth(last)) --last;
  // Too wide: keep the cheaper end.
  while (last - first >= kMaxPairSymbols) cost[first] > cost[last] ? ++first : --last;
  code.first = static_cast<u8>(first);
  code.size = static_cast<u8>(last - first + 1);
  for (std::size_t i = 0; i < code.size; ++i) code.cost[i] = static_cast<u8>(cost[first + i]);
  code.limit = limit;

  const std::size_t pairs = std::size_t{code.size} * code.size;
  std::vector<Leaf> leaves;
  u64 covered = 0;
  for (std::size_t a = 0; a < code.size; ++a) {
    for (std::size_t b = 0; b < code.size; ++b) {
      if (!code.covers(static_cast<int>(a), static_cast<int>(b))) continue;
      const u64 weight = std::max<u64>(u64{p[first + a]} * p[first + b], 1);
      covered += weight;
      leaves.push_back(weight << kIndexBits | (a * code.size + b));
    }
  }
  // Some pair of symbols that occur is left out?
  const bool complete = std::all_of(counts.begin(), counts.end(), [&, s = std::size_t{0}](u64 c) mutable {
    const std::size_t symbol = s++;
    return c == 0 || (symbol >= first && symbol <= last && cost[symbol] * 2 <= limit);
  });
  if (!complete) {
    const u64 all = u64{1} << 48;
    leaves.push_back(std::max<u64>(covered < all ? all - covered : 1, 1) << kIndexBits | pairs);
  }
  // More than there are codewords.
  if (leaves.size() > kPairSlots) {
    code.size = 0;
    return code;
  }
  std::sort(leaves.begin(), leaves.end(), std::greater<>());
  code.lengths.resize(pairs);
  const std::vector<u8> lengths = limited_lengths(leaves);
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    const std::size_t index = leaves[i] & ((u64{1} << kIndexBits) - 1);
    (index == pairs ? code.escape_length : code.lengths[index]) = lengths[i];
  }
  return code;
}

}  // namespace

PairCode choose_pair_code(std::span<const u64> counts, int bits) {
  PairCode best = choose_covering(counts, bits, kCoverLimits[0]);
  PairCode other = choose_covering(counts, bits, kCoverLimits[1]);
  const bool is_better =
      other.size > 0 && (best.size == 0 || implied_pair_bits(counts, other) < implied_pair_bits(counts, best));
  return is_better ? other : best;
}

double estimated_pair_bits(std::span<const u64> counts, int bits) noexcept {
  const std::array<u32, 256> units = probabilities(counts);
  std::array<double, 256> p{}, cost{};
  std::size_t symbols = 0;
  for (const u32 unit : units) {
    if (unit == 0) continue;
    p[symbols] = static_cast<double>(unit) / (u32{1} << kUnitBits);
    cost[symbols] = cost_bits(unit);
    ++symbols;
  }
  if (symbols < 2) return 1e9;
  const double limit = kCoverLimits[0] / 4.0;
  double covered = 0, covered_bits = 0;
  for (std::size_t a = 0; a < symbols; ++a) {
    for (std::size_t b = 0; b < symbols; ++b) {
      if (cost[a] + cost[b] > limit) continue;
      covered += p[a] * p[b];
      covered_bits += p[a] * p[b] * (cost[a] + cost[b]);
    }
  }
  const double escaped = std::max(1 - covered, 1e-9);
  // Codewords have whole lengths: about 0.02 bit a pair, more where one pair is likelier than a half.
  const double rounding = std::max(0.04, 1 - covered_bits);
  return (covered_bits + escaped * (2 * bits - portable_log2(escaped)) + rounding) / 2;
}

double implied_pair_bits(std::span<const u64> counts, const PairCode& code) noexcept {
  const double total = static_cast<double>(std::accumulate(counts.begin(), counts.end(), u64{0}));
  double covered = 0, bits = 0;
  for (std::size_t a = 0; a < code.size; ++a) {
    for (std::size_t b = 0; b < code.size; ++b) {
      const double p =
          static_cast<double>(counts[code.first + a]) / total * (static_cast<double>(counts[code.first + b]) / total);
      const u8 length = code.lengths[a * code.size + b];
      if (length == 0) continue;
      covered += p;
      bits += p * length;
    }
  }
  return (bits + (1 - covered) * (code.escape_length + 2 * code.bits)) / 2;
}

void write_pair_code(const PairCode& code, LedgerWriter& out) {
  for (const u8 field : {code.first, code.size, code.limit, code.escape_length}) out.write(LedgerEntry::table, field);
  write_side_stream(Bytes(code.cost).first(code.size), kCostBits, LedgerEntry::table, out);
  std::vector<u8> corrections;
  for (int a = 0; a < code.size; ++a) {
    for (int b = 0; b < code.size; ++b) {
      if (code.covers(a, b))
        corrections.push_back(static_cast<u8>(code.lengths[static_cast<std::size_t>(a * code.size + b)] +
                                              kCorrectionZero - predicted_length(code, a, b)));
    }
  }
  write_side_stream(corrections, kCorrectionBits, LedgerEntry::table, out);
}

PairCode read_pair_code(ByteReader& in, int bits) {
  const auto corrupt = [](const char* why) { return Error(ErrorKind::corrupt, std::string("pair code: ") + why); };
  PairCode code;
  code.bits = bits;
  code.first = in.read<u8>("pair code");
  code.size = in.read<u8>("pair code");
  code.limit = in.read<u8>("pair code");
  code.escape_length = in.read<u8>("pair code");
  if (code.size == 0 || code.size > kMaxPairSymbols || code.first + code.size > 1 << bits)
    throw corrupt("symbols out of range");
  if (code.escape_length > kPairBits) throw corrupt("escape too long");
  const std::vector<u8> cost = read_side_stream(in, code.size, kCostBits, kMaxCost + 1, "pair code");
  std::copy(cost.begin(), cost.end(), code.cost.begin());
  std::size_t covered = 0;
  for (int a = 0; a < code.size; ++a) {
    for (int b = 0; b < code.size; ++b) covered += code.covers(a, b);
  }
  const std::vector<u8> corrections = read_side_stream(in, covered, kCorrectionBits, 1 << kCorrectionBits, "pair code");
  code.lengths.resize(std::size_t{code.size} * code.size);
  std::size_t next = 0;
  u64 kraft = code.escape_length > 0 ? u64{1} << (kPairBits - code.escape_length) : 0;
  for (int a = 0; a < code.size; ++a) {
    for (int b = 0; b < code.size; ++b) {
      if (!code.covers(a, b)) continue;
      const int length = corrections[next++] + predicted_length(code, a, b) - kCorrectionZero;
      if (length < 1 || length > kPairBits) throw corrupt("a length is out of range");
      code.lengths[static_cast<std::size_t>(a * code.size + b)] = static_cast<u8>(length);
      kraft += u64{1} << (kPairBits - length);
    }
  }
  // One codeword alone leaves half of the table unused; nothing else may.
  const bool single = covered + (code.escape_length > 0 ? 1 : 0) == 1;
  if (single || kraft != kPairSlots) throw corrupt("lengths are not those of a complete code");
  return code;
}

PairDecodeTable::PairDecodeTable(const PairCode& code) : slots(kPairSlots), bits(code.bits) {
  const std::size_t pairs = code.lengths.size();
  for_each_codeword(code, [&](std::size_t index, Codeword word) {
    u32 entry = u32{word.length} << 16;
    if (index == pairs) {
      entry |= u32{1} << 31;
    } else {
      entry |= static_cast<u32>(code.first + index / code.size) | static_cast<u32>(code.first + index % code.size) << 8;
    }
    for (std::size_t slot = word.bits; slot < kPairSlots; slot += std::size_t{1} << word.length) slots[slot] = entry;
  });
}

PairEncodeTable::PairEncodeTable(const PairCode& code) : entries(kSide * kSide), first(code.first), bits(code.bits) {
  const std::size_t pairs = code.lengths.size();
  u32 escape = 0;
  for_each_codeword(code, [&](std::size_t index, Codeword word) {
    if (index == pairs) escape = word.bits | u32{word.length} << 16 | u32{1} << 31;
  });
  std::fill(entries.begin(), entries.end(), escape);
  for_each_codeword(code, [&](std::size_t index, Codeword word) {
    if (index < pairs) entries[index / code.size * kSide + index % code.size] = word.bits | u32{word.length} << 16;
  });
}

std::size_t pair_encode(const u8* symbols, std::size_t count, const PairEncodeTable& table, u8 filler, int lanes,
                        LaneStates& states, u16* words_end) noexcept {
  const std::size_t pairs = (count + 1) / 2;
  const auto width = static_cast<std::size_t>(lanes);
  const int raw_bits = 2 * table.bits;
  std::size_t words = 0;
  const std::size_t blocked = blocked_symbols(count, lanes);
  const auto push = [&](u32& x, u32 value, int length) {
    const bool full = x >> (32 - length) != 0;
    if (full && words_end != nullptr) words_end[-static_cast<std::ptrdiff_t>(words + 1)] = static_cast<u16>(x);
    words += full;
    x = (full ? x >> 16 : x) << length | value;
  };
  for (std::size_t round = (pairs + width - 1) / width; round-- > 0;) {
    const std::size_t first = round * width, in_round = std::min(width, pairs - first);
    std::array<u32, kMaxLanes> entry;
    std::array<u16, kMaxLanes> pair;
    u32 any = 0;
    for (std::size_t lane = 0; lane < in_round; ++lane) {
      const std::size_t i = 2 * (first + lane), in_block = i % kBlockSymbols;
      const std::size_t at = i < blocked ? i - in_block + place_in_block(in_block, 2) : i;
      const u8 a = symbols[at], b = at + 1 < count ? symbols[at + 1] : filler;
      pair[lane] = static_cast<u16>(a | b << table.bits);
      entry[lane] = table.entries[table.index(a, b)];
      any |= entry[lane];
    }
    if (any >> 31 != 0) {
      for (std::size_t lane = in_round; lane-- > 0;) {
        if (entry[lane] >> 31 != 0) push(states[lane], pair[lane], raw_bits);
      }
    }
    for (std::size_t lane = in_round; lane-- > 0;) push(states[lane], entry[lane] & 0xffff, entry[lane] >> 16 & 31);
  }
  return words;
}

bool pair_decode(LaneDecoder& stream, int lanes, const PairDecodeTable& table) noexcept {
  const auto width = static_cast<std::size_t>(lanes);
  const u32 raw_mask = static_cast<u32>((u64{1} << 2 * table.bits) - 1);
  const u32 symbol_mask = (u32{1} << table.bits) - 1;
  const auto refill = [&](u32& x) {
    if (x >= kLaneLow) return true;
    if (stream.end - stream.next < 2) return false;
    u16 word;
    std::memcpy(&word, stream.next, 2);
    stream.next += 2;
    x = x << 16 | word;
    return true;
  };
  const std::size_t count = stream.left, blocked = blocked_symbols(count, lanes);
  for (std::size_t first = 0; first < count; first += 2 * width) {
    const std::size_t in_round = std::min(width, (count - first + 1) / 2);
    std::array<u32, kMaxLanes> entry;
    u32 any = 0;
    for (std::size_t lane = 0; lane < in_round; ++lane) {
      u32& x = stream.x[lane];
      entry[lane] = table.slots[x & (kPairSlots - 1)];
      any |= entry[lane];
      x >>= entry[lane] >> 16 & 31;
      if (!refill(x)) return false;
    }
    if (any >> 31 != 0) {
      for (std::size_t lane = 0; lane < in_round; ++lane) {
        if (entry[lane] >> 31 == 0) continue;
        u32& x = stream.x[lane];
        const u32 raw = x & raw_mask;
        x >>= 2 * table.bits;
        entry[lane] = (raw & symbol_mask) | raw >> table.bits << 8;
        if (!refill(x)) return false;
      }
    }
    for (std::size_t lane = 0; lane < in_round; ++lane) {
      const std::size_t i = first + 2 * lane, in_block = i % kBlockSymbols;
      const std::size_t at = i < blocked ? i - in_block + place_in_block(in_block, 2) : i;
      stream.out[at] = static_cast<u8>(entry[lane]);
      if (i + 1 < count) stream.out[at + 1] = static_cast<u8>(entry[lane] >> 8);
    }
  }
  stream.out += count;
  stream.left = 0;
  return true;
}

}  // namespace wcodec

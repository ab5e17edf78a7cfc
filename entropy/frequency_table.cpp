#include "entropy/frequency_table.hpp"

#include <algorithm>
#include <bit>
#include <functional>
#include <numeric>

#include "entropy/log2_cost.hpp"

namespace wcodec {
namespace {

// A table starts with two bits that say which kind it is.
enum Kind : u32 { kSingle = 0, kWeights = 1, kUniform = 2 };
constexpr int kKindBits = 2, kMantissaFieldBits = 3, kRiceFieldBits = 2;
constexpr int kMaxMantissa = 7, kMaxRice = 3, kMaxExponent = 32;

// A count rounded to m bits below its leading one. Exponent 0 stands for zero; a weight is (2^m + mantissa) ·
// 2^(exponent−1−m).
struct Weight {
  int exponent;
  u32 mantissa;
};

Weight to_weight(u32 count, int m) noexcept {
  if (count == 0) return {0, 0};
  const int width = std::bit_width(count);
  const int drop = width - 1 - m;
  if (drop <= 0) return {width, (count << -drop) & ((u32{1} << m) - 1)};
  const u64 rounded = (u64{count} + (u64{1} << (drop - 1))) >> drop;
  if (rounded >> (m + 1)) return {width + 1, 0};
  return {width, static_cast<u32>(rounded) & ((u32{1} << m) - 1)};
}

// In units of 2^-7, so that a small weight keeps its mantissa; below 2^40.
u64 weight_value(Weight w, int m) noexcept {
  if (w.exponent == 0) return 0;
  return (u64{(u32{1} << m) + w.mantissa} << (w.exponent - 1)) << (kMaxMantissa - m);
}

// Weights as normalize() takes them: shifted down until they fit.
std::array<u32, 256> scaled_values(const std::array<Weight, 256>& weights, int m) noexcept {
  std::array<u64, 256> values{};
  u64 largest = 1;
  for (std::size_t s = 0; s < 256; ++s) {
    values[s] = weight_value(weights[s], m);
    largest = std::max(largest, values[s]);
  }
  const int shift = std::max(0, static_cast<int>(std::bit_width(largest)) - 31);
  std::array<u32, 256> out{};
  for (std::size_t s = 0; s < 256; ++s) out[s] = static_cast<u32>(values[s] ? std::max<u64>(1, values[s] >> shift) : 0);
  return out;
}

u32 zigzag(int v) noexcept { return static_cast<u32>(v >= 0 ? 2 * v : -2 * v - 1); }
int unzigzag(u32 v) noexcept { return v & 1 ? -static_cast<int>(v / 2) - 1 : static_cast<int>(v / 2); }

// Symbols in order: the exponent as a Rice-coded difference from the one before; after a zero, the number of further
// zeros. Natural order is smooth for residuals: from the peak at 0 down to the tails and up again to −1.
void put_weights(const std::array<Weight, 256>& weights, std::size_t alphabet, int m, int k, BitWriter& out) {
  out.put(kWeights, kKindBits);
  out.put(static_cast<u32>(m), kMantissaFieldBits);
  out.put(static_cast<u32>(k), kRiceFieldBits);
  int previous = 0;
  for (std::size_t s = 0; s < alphabet; ++s) {
    out.rice(zigzag(weights[s].exponent - previous), k);
    previous = weights[s].exponent;
    if (previous == 0) {
      std::size_t end = s + 1;
      while (end < alphabet && weights[end].exponent == 0) ++end;
      out.gamma(static_cast<u32>(end - s - 1));
      s = end - 1;
    } else {
      out.put(weights[s].mantissa, m);
    }
  }
}

// What put_weights would write, in bits.
u64 weights_bits(const std::array<Weight, 256>& weights, std::size_t alphabet, int m, int k) noexcept {
  u64 bits = kKindBits + kMantissaFieldBits + kRiceFieldBits;
  const auto rice = [](u32 value, int rice_k) { return u64{value >> rice_k} + 1 + static_cast<u64>(rice_k); };
  int previous = 0;
  for (std::size_t s = 0; s < alphabet; ++s) {
    bits += rice(zigzag(weights[s].exponent - previous), k);
    previous = weights[s].exponent;
    if (previous == 0) {
      std::size_t end = s + 1;
      while (end < alphabet && weights[end].exponent == 0) ++end;
      bits += 2 * static_cast<u64>(std::bit_width(end - s)) - 1;
      s = end - 1;
    } else {
      bits += static_cast<u64>(m);
    }
  }
  return bits;
}

}  // namespace

FrequencyTable normalize(std::span<const u32> weights, int precision) noexcept {
  FrequencyTable table;
  table.precision = precision;
  const u64 total = std::accumulate(weights.begin(), weights.end(), u64{0});
  const i64 target = i64{1} << precision;
  std::array<u64, 256> remainder{};
  i64 sum = 0;
  for (std::size_t s = 0; s < weights.size(); ++s) {
    if (weights[s] == 0) continue;
    const u64 scaled = u64{weights[s]} << precision;
    table.frequency[s] = static_cast<u16>(std::max<u64>(1, scaled / total));
    remainder[s] = scaled / total > 0 ? scaled % total : 0;
    sum += table.frequency[s];
  }
  // A rank of symbols as unique keys, so that a selection is the same whatever the library's algorithm: larger first,
  // then lower symbol.
  std::array<u64, 256> rank{};
  if (sum < target) {
    for (std::size_t s = 0; s < 256; ++s) rank[s] = (remainder[s] << 8) | (255 - s);
    const auto missing = static_cast<std::ptrdiff_t>(target - sum);
    std::nth_element(rank.begin(), rank.begin() + missing, rank.end(), std::greater<>());
    for (std::ptrdiff_t i = 0; i < missing; ++i) ++table.frequency[255 - (rank[static_cast<std::size_t>(i)] & 0xff)];
  } else if (sum > target) {
    const i64 deficit = sum - target;
    i64 spare = 0;
    for (const u16 f : table.frequency) spare += f > 1 ? f - 1 : 0;
    for (u16& f : table.frequency) {
      if (f <= 1) continue;
      const i64 give = (f - 1) * deficit / spare;
      f = static_cast<u16>(f - give);
      sum -= give;
    }
    for (std::size_t s = 0; s < 256; ++s) rank[s] = u64{table.frequency[s]} << 8 | (255 - s);
    std::sort(rank.begin(), rank.end(), std::greater<>());
    // Less than one unit a symbol is left to give, so one round over those above 1 is enough.
    for (std::size_t i = 0; sum > target; ++i, --sum) --table.frequency[255 - (rank[i] & 0xff)];
  }
  u32 start = 0;
  for (std::size_t s = 0; s < 256; ++s) {
    table.start[s] = static_cast<u16>(start);
    start += table.frequency[s];
  }
  return table;
}

double implied_bits(std::span<const u32> counts, const FrequencyTable& table) noexcept {
  double bits = 0;
  for (std::size_t s = 0; s < counts.size(); ++s) {
    if (counts[s] > 0) bits += counts[s] * (table.precision - fast_log2(table.frequency[s]));
  }
  return bits;
}

FrequencyTable write_table(std::span<const u32> counts, int precision, BitWriter& out) {
  const std::size_t alphabet = counts.size();
  const auto present =
      static_cast<std::size_t>(std::count_if(counts.begin(), counts.end(), [](u32 c) { return c > 0; }));
  const auto symbol_bits = static_cast<int>(std::bit_width(alphabet - 1));
  if (present == 1) {
    const auto symbol = static_cast<std::size_t>(
        std::find_if(counts.begin(), counts.end(), [](u32 c) { return c > 0; }) - counts.begin());
    std::array<u32, 256> one{};
    one[symbol] = 1;
    out.put(kSingle, kKindBits);
    out.put(static_cast<u32>(symbol), symbol_bits);
    return normalize(one, precision);
  }
  std::array<u32, 256> ones{};
  std::fill_n(ones.begin(), alphabet, 1u);
  FrequencyTable best = normalize(ones, precision);
  double best_bits = kKindBits + implied_bits(counts, best);
  int best_m = -1, best_k = 0;
  // More significant bits than half the logarithm of the sample size describe noise.
  const u64 total = std::accumulate(counts.begin(), counts.end(), u64{0});
  const int m_limit = std::clamp(static_cast<int>(std::bit_width(total)) / 2 - 1, 1, kMaxMantissa);
  for (int m = 0; m <= m_limit; ++m) {
    std::array<Weight, 256> weights{};
    for (std::size_t s = 0; s < alphabet; ++s) weights[s] = to_weight(counts[s], m);
    const FrequencyTable table = normalize(scaled_values(weights, m), precision);
    const double payload = implied_bits(counts, table);
    if (payload >= best_bits) continue;
    for (int k = 0; k <= kMaxRice; ++k) {
      const double bits = payload + static_cast<double>(weights_bits(weights, alphabet, m, k));
      if (bits < best_bits) {
        best_bits = bits;
        best = table;
        best_m = m;
        best_k = k;
      }
    }
  }
  if (best_m < 0) {
    out.put(kUniform, kKindBits);
    return best;
  }
  std::array<Weight, 256> weights{};
  for (std::size_t s = 0; s < alphabet; ++s) weights[s] = to_weight(counts[s], best_m);
  put_weights(weights, alphabet, best_m, best_k, out);
  return best;
}

FrequencyTable read_table(int bits, int precision, BitReader& in) {
  const std::size_t alphabet = std::size_t{1} << bits;
  std::array<u32, 256> plain{};
  switch (in.get(kKindBits)) {
    case kSingle:
      plain[in.get(std::max(bits, 0))] = 1;
      return normalize(plain, precision);
    case kUniform:
      std::fill_n(plain.begin(), alphabet, 1u);
      return normalize(plain, precision);
    case kWeights:
      break;
    default:
      throw Error(ErrorKind::corrupt, "frequency table: unknown kind");
  }
  const int m = static_cast<int>(in.get(kMantissaFieldBits)), k = static_cast<int>(in.get(kRiceFieldBits));
  std::array<Weight, 256> weights{};
  int previous = 0;
  bool any = false;
  for (std::size_t s = 0; s < alphabet; ++s) {
    const int exponent = previous + unzigzag(in.rice(k, 2 * kMaxExponent + 2));
    if (exponent < 0 || exponent > kMaxExponent)
      throw Error(ErrorKind::corrupt, "frequency table: weight out of range");
    previous = exponent;
    if (exponent == 0) {
      s += in.gamma();
      if (s >= alphabet) throw Error(ErrorKind::corrupt, "frequency table: run of absent symbols is too long");
    } else {
      weights[s] = {exponent, in.get(m)};
      any = true;
    }
  }
  if (!any) throw Error(ErrorKind::corrupt, "frequency table: no symbol is present");
  return normalize(scaled_values(weights, m), precision);
}

}  // namespace wcodec

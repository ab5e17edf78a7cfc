#include "codec/plane_transform.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <numeric>

#include "core/error.hpp"
#include "entropy/log2_cost.hpp"

namespace wcodec {
namespace {

using Block = std::array<i32, kBlockSize>;

i32 centred(u8 symbol, int bits) noexcept {
  const i32 half = 1 << (bits - 1);
  return (symbol ^ half) - half;
}

struct Alphabet {
  int bits;
  i32 half() const noexcept { return 1 << (bits - 1); }
  u8 escape() const noexcept { return static_cast<u8>(half()); }
  bool holds(i32 c) const noexcept { return std::abs(c) < half(); }
  u8 symbol(i32 c) const noexcept { return holds(c) ? static_cast<u8>(c & ((1 << bits) - 1)) : escape(); }
  u64 escaped(i32 c) const noexcept { return u64{2} * static_cast<u64>(std::abs(c) - half()) + (c < 0 ? 1 : 0); }
};

u8 varint_size(u64 value) noexcept { return value < 0x80 ? 1 : 2; }  // coefficients have 11 bits

// The whole plane under one transform; nothing is kept for the identity, whose symbols are the residuals.
struct Candidate {
  std::vector<u8> symbols;       // in coding order
  std::vector<u8> escape_bytes;  // of each block
};

void transform_block(const u8* residuals, std::size_t first, std::size_t stride, int bits, const Transform& row,
                     Block& block) noexcept {
  for (std::size_t i = 0; i < block.size(); ++i) block[i] = centred(residuals[block_place(first, stride, i)], bits);
  row.forward(block.data(), block.data());
}

Candidate transform_all(std::span<const u8> residuals, const TileGrid& grid, int bits, const Transform& row) {
  Candidate out{{residuals.begin(), residuals.end()}, std::vector<u8>(block_count(grid))};
  const Alphabet alphabet{bits};
  for_each_block(grid, [&](std::size_t index, std::size_t first, std::size_t stride) {
    Block block;
    transform_block(residuals.data(), first, stride, bits, row, block);
    for (std::size_t i = 0; i < block.size(); ++i) {
      out.symbols[block_place(first, stride, i)] = alphabet.symbol(block[i]);
      if (!alphabet.holds(block[i]))
        out.escape_bytes[index] = static_cast<u8>(out.escape_bytes[index] + varint_size(alphabet.escaped(block[i])));
    }
  });
  return out;
}

class Chooser {
 public:
  Chooser(std::span<const u8> residuals, const TileGrid& grid, int bits, const TransformSet& set)
      : residuals_(residuals), grid_(grid), bits_(bits), blocks_(block_count(grid)) {
    for (const Transform* row : set.rows)
      candidates_.push_back(row->id == Identity::kId ? Candidate{} : transform_all(residuals, grid, bits, *row));
  }

  std::vector<u8> choose() {
    const std::vector<u64> plain = count({});
    std::vector<u8> chosen = pick(plain, std::vector<u64>(candidates_.size()));
    chosen = pick(count(chosen), shares(chosen));
    const auto identity = std::find_if(candidates_.begin(), candidates_.end(), is_identity);
    if (identity != candidates_.end() && bits_of(chosen) >= entropy_bits(plain))
      std::fill(chosen.begin(), chosen.end(), static_cast<u8>(identity - candidates_.begin()));
    return chosen;
  }

 private:
  static bool is_identity(const Candidate& c) noexcept { return c.symbols.empty(); }
  const u8* symbols(std::size_t candidate) const noexcept {
    return is_identity(candidates_[candidate]) ? residuals_.data() : candidates_[candidate].symbols.data();
  }
  u8 escape_bytes(std::size_t candidate, std::size_t block) const noexcept {
    return is_identity(candidates_[candidate]) ? u8{0} : candidates_[candidate].escape_bytes[block];
  }

  // Counts of the plane's symbols; no choice means residuals throughout.
  std::vector<u64> count(const std::vector<u8>& chosen) const {
    std::vector<u64> counts(std::size_t{1} << bits_);
    for (const u8 residual : residuals_) ++counts[residual];
    if (chosen.empty()) return counts;
    for_each_block(grid_, [&](std::size_t block, std::size_t first, std::size_t stride) {
      const u8* const from = symbols(chosen[block]);
      for (std::size_t i = 0; i < kBlockSize; ++i) {
        --counts[residuals_[block_place(first, stride, i)]];
        ++counts[from[block_place(first, stride, i)]];
      }
    });
    return counts;
  }

  std::vector<u64> shares(const std::vector<u8>& chosen) const {
    std::vector<u64> counts(candidates_.size());
    for (const u8 c : chosen) ++counts[c];
    return counts;
  }

  std::vector<u8> pick(const std::vector<u64>& counts, const std::vector<u64>& choices) const {
    std::vector<u32> costs(counts.size()), choice_costs(choices.size());
    smoothed_costs(counts, costs);
    smoothed_costs(choices, choice_costs);
    std::vector<u8> chosen(blocks_);
    for_each_block(grid_, [&](std::size_t block, std::size_t first, std::size_t stride) {
      u64 least = ~u64{0};
      for (std::size_t c = 0; c < candidates_.size(); ++c) {
        const u8* const from = symbols(c);
        u64 cost = choice_costs[c] + (u64{8} << kCostFractionBits) * escape_bytes(c, block);
        for (std::size_t i = 0; i < kBlockSize; ++i) cost += costs[from[block_place(first, stride, i)]];
        if (cost < least) {
          least = cost;
          chosen[block] = static_cast<u8>(c);
        }
      }
    });
    return chosen;
  }

  double bits_of(const std::vector<u8>& chosen) const {
    u64 escapes = 0;
    for (std::size_t block = 0; block < chosen.size(); ++block) escapes += escape_bytes(chosen[block], block);
    return entropy_bits(count(chosen)) + entropy_bits(shares(chosen)) + 8.0 * static_cast<double>(escapes);
  }

  std::span<const u8> residuals_;
  TileGrid grid_;
  int bits_;
  u64 blocks_;
  std::vector<Candidate> candidates_;
};

}  // namespace

int transform_bits(const TransformSet& set) noexcept {
  return std::max(1, static_cast<int>(std::bit_width(set.rows.size() - 1)));
}

std::vector<u8> choose_transforms(std::span<const u8> residuals, const TileGrid& grid, int bits,
                                  const TransformSet& set) {
  if (set.rows.size() == 1) return {};
  return Chooser(residuals, grid, bits, set).choose();
}

TransformedPlane transform_plane(std::span<const u8> residuals, const TileGrid& grid, int bits,
                                 const TransformSet& set) {
  TransformedPlane out;
  out.symbols.assign(residuals.begin(), residuals.end());
  out.transform_of_block = choose_transforms(residuals, grid, bits, set);
  const Alphabet alphabet{bits};
  ByteWriter escapes;
  for_each_block(grid, [&](std::size_t index, std::size_t first, std::size_t stride) {
    const Transform& row = *set.rows[out.transform_of_block.empty() ? 0 : out.transform_of_block[index]];
    if (row.id == Identity::kId) return;
    Block block;
    transform_block(residuals.data(), first, stride, bits, row, block);
    for (std::size_t i = 0; i < block.size(); ++i) {
      out.symbols[block_place(first, stride, i)] = alphabet.symbol(block[i]);
      if (!alphabet.holds(block[i])) escapes.varint(alphabet.escaped(block[i]));
    }
  });
  out.escapes = std::move(escapes.bytes);
  out.symbol_counts.resize(std::size_t{1} << bits);
  for (const u8 symbol : out.symbols) ++out.symbol_counts[symbol];
  return out;
}

std::vector<i16> read_escapes(ByteReader& in, int bits) {
  const Alphabet alphabet{bits};
  ByteReader part(in.take(in.varint("size of escaped coefficients"), "escaped coefficients"));
  std::vector<i16> escapes;
  while (part.remaining() > 0) {
    const u64 escaped = part.varint("escaped coefficient");
    if (escaped / 2 > static_cast<u64>(kMaxCoefficient - alphabet.half()))
      throw Error(ErrorKind::corrupt, "transform: an escaped coefficient is out of range");
    const i32 magnitude = static_cast<i32>(escaped / 2) + alphabet.half();
    escapes.push_back(static_cast<i16>(escaped % 2 ? -magnitude : magnitude));
  }
  return escapes;
}

std::vector<u8> plane_bands(const TileGrid& grid, const TransformSet& set, Bytes transform_of_block) {
  if (set.is_identity()) return {};
  std::vector<u8> bands(static_cast<std::size_t>(grid.rows * grid.cols));
  for_each_block(grid, [&](std::size_t index, std::size_t first, std::size_t stride) {
    if (set.rows[transform_of_block.empty() ? 0 : transform_of_block[index]]->id == Identity::kId) return;
    for (std::size_t i = 0; i < kBlockSize; ++i) bands[block_place(first, stride, i)] = static_cast<u8>(i + 1);
  });
  return bands;
}

void restore_plane(MutBytes symbols, const TileGrid& grid, int bits, const TransformSet& set, Bytes transform_of_block,
                   std::span<const i16> escapes) {
  const Alphabet alphabet{bits};
  auto next = escapes.begin();
  for_each_block(grid, [&](std::size_t index, std::size_t first, std::size_t stride) {
    const Transform& row = *set.rows[transform_of_block.empty() ? 0 : transform_of_block[index]];
    if (row.id == Identity::kId) return;
    Block block;
    for (std::size_t i = 0; i < block.size(); ++i) {
      const u8 symbol = symbols[block_place(first, stride, i)];
      if (symbol != alphabet.escape()) {
        block[i] = centred(symbol, bits);
        continue;
      }
      if (next == escapes.end())
        throw Error(ErrorKind::corrupt, "transform: there are more escaped coefficients than escapes");
      block[i] = *next++;
    }
    row.inverse(block.data(), block.data());
    for (std::size_t i = 0; i < block.size(); ++i) {
      if (block[i] < -alphabet.half() || block[i] >= alphabet.half())
        throw Error(ErrorKind::corrupt, fmt::format("transform: block {} has a residual out of range", index));
      symbols[block_place(first, stride, i)] = static_cast<u8>(block[i] & ((1 << bits) - 1));
    }
  });
  if (next != escapes.end())
    throw Error(ErrorKind::corrupt, "transform: there are fewer escaped coefficients than escapes");
}

}  // namespace wcodec

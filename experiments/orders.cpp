#include "experiments/orders.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "core/error.hpp"
#include "experiments/matrix_scales.hpp"
#include "experiments/permutation_code.hpp"

namespace wcodec {
namespace {

constexpr i64 kMaxStride = i64{1} << 31;

constexpr sv kAxisChoices[] = {"rows", "columns", "both"};
constexpr OptionInfo kAxisOption = {"axis", "rows", "rows|columns|both", "what is rearranged"};

// Lets `order_side` find the order of each side that the option `axis` names.
template <class OrderSide>
Arrangement arrange_sides(const OptionReader& options, const OrderSide& order_side) {
  const std::string axis = options.choice("axis", kAxisChoices);
  Arrangement out;
  if (axis != "columns") out.rows = order_side(true);
  if (axis != "rows") out.cols = order_side(false);
  return out;
}

void check_nothing(const OptionReader&) {}
void check_axis(const OptionReader& options) { options.choice("axis", kAxisChoices); }

Arrangement find_identity(const QuantizedTensor&, const OptionReader&) { return {}; }

Arrangement find_transpose(const QuantizedTensor&, const OptionReader&) {
  Arrangement out;
  out.is_transposed = true;
  return out;
}

std::vector<u32> rising(const std::vector<double>& values) {
  std::vector<u32> order(values.size());
  std::iota(order.begin(), order.end(), u32{0});
  std::stable_sort(order.begin(), order.end(), [&](u32 a, u32 b) { return values[a] < values[b]; });
  return order;
}

Arrangement find_scale(const QuantizedTensor& tensor, const OptionReader& options) {
  const MatrixScales scales = matrix_scales(tensor);
  return arrange_sides(options, [&](bool rows) {
    return SideOrder{SideOrder::Kind::listed, 1, 0, rising(rows ? scales.rows : scales.columns)};
  });
}

constexpr OptionInfo kHeadsOptions[] = {
    kAxisOption,
    {"stride", "2", "2…2^31", "every so many-th are brought together"},
    {"block", "0", "0…2^31", "within each block of so many, e.g. a head; 0: of all"},
};
void check_heads(const OptionReader& options) {
  check_axis(options);
  options.integer("stride", 2, kMaxStride);
  options.integer("block", 0, kMaxStride);
}
Arrangement find_heads(const QuantizedTensor&, const OptionReader& options) {
  const auto stride = static_cast<u64>(options.integer("stride", 2, kMaxStride));
  const auto block = static_cast<u64>(options.integer("block", 0, kMaxStride));
  return arrange_sides(options, [&](bool) { return SideOrder{SideOrder::Kind::gathered, stride, block}; });
}

constexpr OptionInfo kAxisOnly[] = {kAxisOption};

// out(i, j) = in(rows[i], cols[j]), or with `back` out(rows[i], cols[j]) = in(i, j). An empty list is as it stands.
template <class Word>
void move_words(const u8* in, u8* out, u64 rows, u64 cols, const std::vector<u32>& row_sources,
                const std::vector<u32>& col_sources, bool back) {
  for (u64 i = 0; i < rows; ++i) {
    const u64 source = row_sources.empty() ? i : row_sources[i];
    const u8* const from = in + (back ? i : source) * cols * sizeof(Word);
    u8* const to = out + (back ? source : i) * cols * sizeof(Word);
    if (col_sources.empty()) {
      std::memcpy(to, from, cols * sizeof(Word));
    } else if (back) {
      for (u64 j = 0; j < cols; ++j)
        std::memcpy(to + col_sources[j] * sizeof(Word), from + j * sizeof(Word), sizeof(Word));
    } else {
      for (u64 j = 0; j < cols; ++j)
        std::memcpy(to + j * sizeof(Word), from + col_sources[j] * sizeof(Word), sizeof(Word));
    }
  }
}

// In squares, so that both sides stay in the cache.
template <class Word>
void transpose_words(const u8* in, u8* out, u64 rows, u64 cols) {
  constexpr u64 kSquare = 32;
  for (u64 r0 = 0; r0 < rows; r0 += kSquare) {
    for (u64 c0 = 0; c0 < cols; c0 += kSquare) {
      for (u64 r = r0; r < std::min(rows, r0 + kSquare); ++r) {
        for (u64 c = c0; c < std::min(cols, c0 + kSquare); ++c)
          std::memcpy(out + (c * rows + r) * sizeof(Word), in + (r * cols + c) * sizeof(Word), sizeof(Word));
      }
    }
  }
}

// `body` with a value of the type that a word takes in memory.
template <class Body>
void with_word(const WordFormat& format, const Body& body) {
  switch (format.memory_bytes) {
    case 1:
      return body(u8{});
    case 2:
      return body(u16{});
    case 4:
      return body(u32{});
    default:
      return body(u64{});
  }
}

QuantizedTensor transposed(const QuantizedTensor& tensor) {
  QuantizedTensor out{tensor.cols, tensor.rows, tensor.format, std::vector<u8>(tensor.words.size()), tensor.scales};
  if (tensor.weights() == 0) return out;
  with_word(tensor.format, [&]<class Word>(Word) {
    transpose_words<Word>(tensor.words.data(), out.words.data(), static_cast<u64>(tensor.rows),
                          static_cast<u64>(tensor.cols));
  });
  return out;
}

QuantizedTensor permuted(const QuantizedTensor& tensor, const Arrangement& arrangement, bool back) {
  QuantizedTensor out = tensor;
  if (tensor.weights() == 0) return out;
  const auto rows = static_cast<u64>(tensor.rows), cols = static_cast<u64>(tensor.cols);
  const std::vector<u32> row_sources = arrangement.rows.expand(rows), col_sources = arrangement.cols.expand(cols);
  if (row_sources.empty() && col_sources.empty()) return out;
  with_word(tensor.format, [&]<class Word>(Word) {
    move_words<Word>(tensor.words.data(), out.words.data(), rows, cols, row_sources, col_sources, back);
  });
  return out;
}

void write_side(const SideOrder& side, LedgerWriter& out) {
  if (side.kind == SideOrder::Kind::gathered) {
    out.varint(LedgerEntry::param, side.stride);
    out.varint(LedgerEntry::param, side.block);
  } else if (side.kind == SideOrder::Kind::listed) {
    write_permutation(side.sources, out);
  }
}

SideOrder read_side(ByteReader& in, unsigned kind, u64 count) {
  SideOrder side;
  side.kind = static_cast<SideOrder::Kind>(kind);
  if (side.kind == SideOrder::Kind::gathered) {
    side.stride = in.varint("stride of an order");
    side.block = in.varint("block of an order");
    if (side.stride < 2 || side.stride > static_cast<u64>(kMaxStride) || side.block > static_cast<u64>(kMaxStride))
      throw Error(ErrorKind::corrupt, fmt::format("an order of stride {} and block {}", side.stride, side.block));
  } else if (side.kind == SideOrder::Kind::listed) {
    side.sources = read_permutation(in, count);
  }
  return side;
}

}  // namespace

std::vector<u32> SideOrder::expand(u64 count) const {
  if (kind != Kind::gathered) return sources;
  if (count > ~u32{0}) throw Error(ErrorKind::limit, "an order of 2^32 rows or more cannot be gathered");
  std::vector<u32> out;
  out.reserve(count);
  const u64 length = block == 0 ? std::max<u64>(1, count) : block;
  for (u64 begin = 0; begin < count; begin += length) {
    const u64 end = std::min(count, begin + length);
    for (u64 first = begin; first < std::min(end, begin + stride); ++first) {
      for (u64 i = first; i < end; i += stride) out.push_back(static_cast<u32>(i));
    }
  }
  return out;
}

QuantizedTensor arrange(const QuantizedTensor& tensor, const Arrangement& arrangement) {
  QuantizedTensor out = permuted(tensor, arrangement, false);
  return arrangement.is_transposed ? transposed(out) : out;
}

QuantizedTensor restore(const QuantizedTensor& arranged, const Arrangement& arrangement) {
  return permuted(arrangement.is_transposed ? transposed(arranged) : arranged, arrangement, true);
}

void write_arrangement(const Arrangement& arrangement, LedgerWriter& out) {
  const unsigned flags = static_cast<unsigned>(arrangement.is_transposed) |
                         static_cast<unsigned>(arrangement.rows.kind) << 1 |
                         static_cast<unsigned>(arrangement.cols.kind) << 3;
  out.write(LedgerEntry::param, static_cast<u8>(flags));
  write_side(arrangement.rows, out);
  write_side(arrangement.cols, out);
}

Arrangement read_arrangement(ByteReader& in, u64 rows, u64 cols) {
  const unsigned flags = in.read<u8>("order");
  const unsigned row_kind = flags >> 1 & 3, col_kind = flags >> 3 & 3;
  constexpr auto kLast = static_cast<unsigned>(SideOrder::Kind::listed);
  if (flags >= 1u << 5 || row_kind > kLast || col_kind > kLast)
    throw Error(ErrorKind::corrupt, fmt::format("unknown order {:#x}", flags));
  Arrangement out;
  out.is_transposed = (flags & 1) != 0;
  if (out.is_transposed) std::swap(rows, cols);
  out.rows = read_side(in, row_kind, rows);
  out.cols = read_side(in, col_kind, cols);
  return out;
}

std::span<const Order> orders() noexcept {
  static constexpr Order kRows[] = {
      {"identity", "as the checkpoint has them", {}, check_nothing, find_identity},
      {"scale", "sorted by scale, the root mean square; listed in the record", kAxisOnly, check_axis, find_scale},
      {"transpose", "rows become columns", {}, check_nothing, find_transpose},
      {"heads", "regrouped by a stride: heads, channels, halves of a rotary embedding", kHeadsOptions, check_heads,
       find_heads},
  };
  return kRows;
}

OrderChoice parse_order(sv text) {
  Spec spec = parse_spec(text);
  std::vector<sv> names;
  for (const Order& row : orders()) {
    names.push_back(row.name);
    if (row.name != spec.name) continue;
    row.check(OptionReader(spec, row.options));
    return {&row, std::move(spec)};
  }
  throw Error(ErrorKind::usage, unknown_name("order", spec.name, names));
}

std::string canonical_order(sv text) {
  const OrderChoice choice = parse_order(text);
  return canonical(choice.spec, choice.row->options);
}

}  // namespace wcodec

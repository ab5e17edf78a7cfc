// The axis `order`: rows and columns of a matrix of words rearranged before prediction, so that what follows meets
// like beside like. An order is found by the encoder alone; what the decoder needs to undo it is written and counted.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/ledger_writer.hpp"
#include "core/spec.hpp"
#include "quantizers/quantized.hpp"

namespace wcodec {

// In which order the rows (or the columns) stand.
struct SideOrder {
  enum class Kind : u8 { as_is, gathered, listed };
  Kind kind = Kind::as_is;
  // gathered: of each block of so many (0: of all), first every `stride`-th from the first on, then from the second …
  u64 stride = 1, block = 0;
  std::vector<u32> sources = {};  // listed: which one comes at each place

  // Which one comes at each of `count` places; empty where they stand as they are.
  std::vector<u32> expand(u64 count) const;
};

struct Arrangement {
  SideOrder rows, cols;
  bool is_transposed = false;  // after rows and columns have their order

  bool is_identity() const noexcept {
    return !is_transposed && rows.kind == SideOrder::Kind::as_is && cols.kind == SideOrder::Kind::as_is;
  }
};

// The matrix rearranged, and back. Scales are untouched. restore(arrange(x)) == x.
QuantizedTensor arrange(const QuantizedTensor& tensor, const Arrangement& arrangement);
QuantizedTensor restore(const QuantizedTensor& arranged, const Arrangement& arrangement);

// Booked under `param`: a byte that says what follows, and for each side two numbers or a permutation.
void write_arrangement(const Arrangement& arrangement, LedgerWriter& out);
// `rows` and `cols` are those of the arranged matrix. Throws Error{corrupt | truncated | limit}.
Arrangement read_arrangement(ByteReader& in, u64 rows, u64 cols);

// A row of the list of orders.
struct Order {
  sv name, help;
  std::span<const OptionInfo> options;
  void (*check)(const OptionReader& options);  // throws Error{usage}
  // Words of any format. The same arrangement on every machine.
  Arrangement (*find)(const QuantizedTensor& tensor, const OptionReader& options);
};
std::span<const Order> orders() noexcept;  // `identity` first

struct OrderChoice {
  const Order* row;
  Spec spec;
  Arrangement find(const QuantizedTensor& tensor) const { return row->find(tensor, {spec, row->options}); }
};
// Throws Error{usage} with the nearest name.
OrderChoice parse_order(sv text);
std::string canonical_order(sv text);

}  // namespace wcodec

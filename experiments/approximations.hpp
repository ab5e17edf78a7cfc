// The axis `approx`: a part of the matrix that a few numbers describe is taken off before prediction, and the residual
// coded. The numbers are written and counted; both sides compute the part from what is written, in integers, so that
// the residual modulo 2^bits is exact everywhere.
//
// Words of one plane only (8 bits and less): there a difference of symbols is a difference of values.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/ledger_writer.hpp"
#include "core/spec.hpp"
#include "quantizers/planes.hpp"

namespace wcodec {

// Symbols of one plane, row-major; the value of a symbol s is s − info.zero.
struct SymbolMatrix {
  i64 rows, cols;
  PlaneInfo info;
  std::span<const u8> symbols;

  int value(std::size_t index) const noexcept { return symbols[index] - info.zero; }
};

// A row of the list of approximations.
struct Approximation {
  sv name, help;
  u8 id;  // in the record, never reused
  std::span<const OptionInfo> options;
  void (*check)(const OptionReader& options);  // throws Error{usage}
  // Writes the numbers, all booked under `param`. The same bytes on every machine.
  void (*fit)(const SymbolMatrix& matrix, const OptionReader& options, LedgerWriter& out);
  // The part that the numbers describe, value by value modulo 2^8. The matrix's symbols are not looked at. Throws
  // Error{corrupt | truncated}.
  std::vector<u8> (*read)(ByteReader& in, const SymbolMatrix& shape);
};
std::span<const Approximation* const> approximations() noexcept;  // `none` first

struct ApproxChoice {
  const Approximation* row;
  Spec spec;
  bool is_none() const noexcept { return row == approximations().front(); }
};
// Throws Error{usage} with the nearest name.
ApproxChoice parse_approx(sv text);
std::string canonical_approx(sv text);
// Whether words of this format can have a part taken off.
bool can_approximate(const WordFormat& format) noexcept;

// The tensor with the part taken off; writes the id and the numbers. Throws Error{unsupported} for words of several
// planes.
QuantizedTensor subtract_approximation(const QuantizedTensor& tensor, const ApproxChoice& choice, LedgerWriter& out);
// The inverse, from what was written.
QuantizedTensor add_approximation(const QuantizedTensor& residual, ByteReader& in);

}  // namespace wcodec

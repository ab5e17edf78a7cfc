#include "experiments/approximations.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "experiments/low_rank.hpp"
#include "experiments/means.hpp"

namespace wcodec {
namespace {

void check_nothing(const OptionReader&) {}
void fit_none(const SymbolMatrix&, const OptionReader&, LedgerWriter&) {}
std::vector<u8> read_none(ByteReader&, const SymbolMatrix& shape) {
  return std::vector<u8>(static_cast<std::size_t>(shape.rows) * static_cast<std::size_t>(shape.cols));
}
constexpr Approximation kNoApproximation{"none", "nothing is taken off", 0, {}, check_nothing, fit_none, read_none};

// `tensor` with `part` added to its symbols, `sign` times, modulo 2^bits.
QuantizedTensor shifted(const QuantizedTensor& tensor, const SymbolPlane& plane, const std::vector<u8>& part,
                        int sign) {
  const auto mask = static_cast<u8>((1u << plane.info.bits) - 1);
  std::vector<std::vector<u8>> planes(1, std::vector<u8>(plane.symbols.size()));
  for (std::size_t i = 0; i < part.size(); ++i)
    planes[0][i] = static_cast<u8>((plane.symbols[i] + sign * part[i]) & mask);
  return {tensor.rows, tensor.cols, tensor.format, join_planes(tensor.format, planes, tensor.weights()), tensor.scales};
}

SymbolMatrix matrix_of(const QuantizedTensor& tensor, const SymbolPlane& plane) {
  return {tensor.rows, tensor.cols, plane.info, plane.symbols};
}

}  // namespace

std::span<const Approximation* const> approximations() noexcept {
  static constexpr const Approximation* kRows[] = {&kNoApproximation, &kMeans, &kLowRank};
  return kRows;
}

ApproxChoice parse_approx(sv text) {
  Spec spec = parse_spec(text);
  std::vector<sv> names;
  for (const Approximation* row : approximations()) {
    names.push_back(row->name);
    if (row->name != spec.name) continue;
    row->check(OptionReader(spec, row->options));
    return {row, std::move(spec)};
  }
  throw Error(ErrorKind::usage, unknown_name("approximation", spec.name, names));
}

std::string canonical_approx(sv text) {
  const ApproxChoice choice = parse_approx(text);
  return canonical(choice.spec, choice.row->options);
}

bool can_approximate(const WordFormat& format) noexcept { return format.bits <= 8; }

QuantizedTensor subtract_approximation(const QuantizedTensor& tensor, const ApproxChoice& choice, LedgerWriter& out) {
  out.write(LedgerEntry::param, choice.row->id);
  if (choice.is_none()) return tensor;
  if (!can_approximate(tensor.format)) {
    throw Error(ErrorKind::unsupported,
                fmt::format("approx={} needs words of at most 8 bits, these have {}; quantize first, or drop these "
                            "cells by a rule of `where`",
                            choice.row->name, tensor.format.bits));
  }
  const SymbolPlane plane = split_planes(tensor).front();
  LedgerWriter numbers;
  choice.row->fit(matrix_of(tensor, plane), {choice.spec, choice.row->options}, numbers);
  ByteReader in(numbers.bytes());
  const std::vector<u8> part = choice.row->read(in, matrix_of(tensor, plane));
  out.append_all(numbers);
  return shifted(tensor, plane, part, -1);
}

QuantizedTensor add_approximation(const QuantizedTensor& residual, ByteReader& in) {
  const u8 id = in.read<u8>("approximation");
  const auto rows = approximations();
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const Approximation* row) { return row->id == id; });
  if (found == rows.end()) throw Error(ErrorKind::corrupt, fmt::format("unknown approximation {}", id));
  const Approximation* const row = *found;
  if (found == rows.begin()) return residual;
  if (!can_approximate(residual.format))
    throw Error(ErrorKind::corrupt,
                fmt::format("approximation {} of words of {} bits", row->name, residual.format.bits));
  const SymbolPlane plane = split_planes(residual).front();
  return shifted(residual, plane, row->read(in, matrix_of(residual, plane)), 1);
}

}  // namespace wcodec

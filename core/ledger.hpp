// Where every byte of an encoded tensor went. The sum of all entries is the size of the bytes, by construction: writers
// add to the ledger what they append, and `encode_tensor` asserts the total.
#pragma once

#include <array>
#include <numeric>

#include "core/types.hpp"

namespace wcodec {

enum class LedgerEntry : u8 {
  payload,
  table,
  mode,
  transform,
  param,
  context,
  state,
  index,
  scale,
  header,
  padding,
  crc
};
inline constexpr std::size_t kLedgerEntries = 12;
// Column names in summary.csv, in the order of LedgerEntry.
inline constexpr std::array<sv, kLedgerEntries> kLedgerColumns = {
    "payload_bytes", "table_bytes", "mode_bytes",  "transform_bytes", "param_bytes",   "context_bytes",
    "state_bytes",   "index_bytes", "scale_bytes", "header_bytes",    "padding_bytes", "crc_bytes"};

struct Ledger {
  std::array<u64, kLedgerEntries> bytes{};

  u64& operator[](LedgerEntry entry) noexcept { return bytes[static_cast<u8>(entry)]; }
  u64 operator[](LedgerEntry entry) const noexcept { return bytes[static_cast<u8>(entry)]; }
  u64 total() const noexcept { return std::accumulate(bytes.begin(), bytes.end(), u64{0}); }
  Ledger& operator+=(const Ledger& other) noexcept {
    for (std::size_t i = 0; i < kLedgerEntries; ++i) bytes[i] += other.bytes[i];
    return *this;
  }
  friend bool operator==(const Ledger&, const Ledger&) = default;
};

}  // namespace wcodec

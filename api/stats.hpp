// Accounts of a checkpoint as the C interface reports them.
#pragma once

#include <algorithm>

#include <wcodec.h>

#include "core/ledger.hpp"

namespace wcodec::api {

static_assert(WCODEC_LEDGER_ENTRIES == kLedgerEntries);

inline void put_ledger(const Ledger& ledger, wcodec_stats& stats) noexcept {
  std::copy(ledger.bytes.begin(), ledger.bytes.end(), stats.ledger);
}

}  // namespace wcodec::api

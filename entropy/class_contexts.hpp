// Contexts from a small number of classes of symbols that have no order of their own: places in a tile, transform
// bands, magnitudes of neighbours. Classes are put in order of mean magnitude, neighbours in that order share a
// frequency table where that is cheaper (clustering.hpp), and a map says which.
#pragma once

#include <span>
#include <vector>

#include "core/bytes.hpp"
#include "core/ledger_writer.hpp"

namespace wcodec {

inline constexpr int kMaxClasses = 128;

struct ClassContexts {
  int count = 1;
  std::vector<u8> context_of;  // of each class, if count > 1; every context below `count` occurs
};

// histograms: a row of 2^bits counts of residuals for each class. At most `limit` contexts; one where more do not pay
// for their map. O(classes² · 2^bits).
ClassContexts choose_class_contexts(std::span<const u32> histograms, int bits, int limit);

void write_class_contexts(const ClassContexts& contexts, LedgerWriter& out);
// Throws Error{corrupt} or Error{truncated}.
ClassContexts read_class_contexts(int classes, ByteReader& in);

}  // namespace wcodec

#include "experiments/tables_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "entropy/frequency_table.hpp"

namespace wcodec {
namespace {

constexpr int kPrecision = 14;  // the default of `rans`
constexpr int kDigits = 4;
constexpr u64 kLargestCount = (u64{1} << 31) - 1;

using Histogram = Diagnostics::Histogram;

// The width in bits that all values of a plane fit in: signed where one is negative.
int width_of(const std::vector<const Histogram*>& histograms) {
  int low = 0, high = 0;
  for (const Histogram* histogram : histograms) {
    for (const auto& [value, count] : histogram->counts) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  int bits = 1;
  while (bits < 8 && (low < 0 ? low < -(1 << (bits - 1)) || high >= 1 << (bits - 1) : high >= 1 << bits)) ++bits;
  return bits;
}

// Counts by symbol. Those of a whole model may exceed what a table counts with: then all are divided, and none that
// occurs becomes 0.
struct Counts {
  std::vector<u32> by_symbol;
  u64 divisor = 1;
};
Counts symbol_counts(const std::vector<const Histogram*>& histograms, int bits) {
  std::vector<u64> sums(std::size_t{1} << bits);
  for (const Histogram* histogram : histograms) {
    for (const auto& [value, count] : histogram->counts)
      sums[static_cast<std::size_t>(value) & (sums.size() - 1)] += count;
  }
  Counts out;
  out.divisor = *std::max_element(sums.begin(), sums.end()) / kLargestCount + 1;
  for (const u64 sum : sums) out.by_symbol.push_back(static_cast<u32>((sum + out.divisor - 1) / out.divisor));
  return out;
}

double payload_bits(const Counts& counts, const FrequencyTable& table) {
  return implied_bits(counts.by_symbol, table) * static_cast<double>(counts.divisor);
}

struct Cost {
  double payload = 0, tables = 0;  // bits
};

struct Sums {
  std::set<sv> tensors;
  u64 weights = 0;
  Cost each, shared;
};

void add_plane(const std::vector<const Histogram*>& histograms, Sums& sums) {
  const int bits = width_of(histograms);
  BitWriter shared_bytes;
  const FrequencyTable shared = write_table(symbol_counts(histograms, bits).by_symbol, kPrecision, shared_bytes);
  sums.shared.tables += 8.0 * static_cast<double>(shared_bytes.finish().size());
  for (const Histogram* histogram : histograms) {
    const Counts counts = symbol_counts({histogram}, bits);
    BitWriter bytes;
    const FrequencyTable own = write_table(counts.by_symbol, kPrecision, bytes);
    sums.each.tables += 8.0 * static_cast<double>(bytes.finish().size());
    sums.each.payload += payload_bits(counts, own);
    sums.shared.payload += payload_bits(counts, shared);
  }
}

}  // namespace

std::optional<Table> model_tables(std::span<const DiagnosticsRow> rows) {
  using Key = std::tuple<sv, sv, sv>;  // checkpoint, quantizer, predictor
  std::map<Key, std::map<sv, std::vector<const Histogram*>>> planes;
  std::map<Key, Sums> sums;
  for (const DiagnosticsRow& row : rows) {
    if (row.diagnostics.control != "original" || row.weights == 0) continue;
    for (const Histogram& histogram : row.diagnostics.histograms) {
      const Key key{row.checkpoint, row.diagnostics.quantizer, histogram.mode};
      Sums& sum = sums[key];
      if (histogram.counts.empty()) continue;
      if (sum.tensors.insert(row.tensor).second) sum.weights += row.weights;
      planes[key][histogram.plane].push_back(&histogram);
    }
  }
  const auto right = [](const char* heading) { return TableColumn{heading, Align::right}; };
  Table table{"model-tables",
              "One frequency table a model against one a tensor",
              {{"checkpoint"},
               {"quantizer"},
               {"predictor"},
               right("tensors"),
               right("a table a tensor: symbols"),
               right("tables"),
               right("one a model: symbols"),
               right("table"),
               right("difference")},
              {},
              {}};
  for (auto& [key, sum] : sums) {
    if (sum.tensors.size() < 2) continue;
    for (const auto& [plane, histograms] : planes[key]) add_plane(histograms, sum);
    const auto weights = static_cast<double>(sum.weights);
    const auto per_weight = [weights](double bits) { return bits / weights; };
    const auto& [checkpoint, quantizer, predictor] = key;
    const double difference = sum.shared.payload + sum.shared.tables - sum.each.payload - sum.each.tables;
    table.rows.push_back(
        {std::string(checkpoint), std::string(quantizer), std::string(predictor), std::to_string(sum.tensors.size()),
         format_real(per_weight(sum.each.payload), kDigits), format_real(per_weight(sum.each.tables), kDigits),
         format_real(per_weight(sum.shared.payload), kDigits), format_real(per_weight(sum.shared.tables), kDigits),
         format_signed(per_weight(difference), kDigits)});
  }
  if (table.rows.empty()) return std::nullopt;
  table.notes = {
      "Bits per weight over all tensors with histograms, the predictor applied to every tile. symbols: payload that "
      "the "
      "tables imply (14 bits of precision); tables: as the coders write them, one for each plane. difference: one a "
      "model minus one a tensor, negative = smaller."};
  return table;
}

}  // namespace wcodec

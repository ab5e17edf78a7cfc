#include "experiments/tables_totals.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace wcodec {
namespace {

constexpr double kCover = 0.9;

// control, role, tile, modes, coder, order, approx and reference (empty at their default), transform
using SeriesKey = std::tuple<sv, sv, sv, sv, sv, sv, sv, sv, sv>;
using ByTensor = std::map<sv, const SummaryRow*>;
using Group = std::map<SeriesKey, ByTensor>;

double weight_of(const ByTensor& tensors) {
  double sum = 0;
  for (const auto& [name, row] : tensors) sum += static_cast<double>(row->weights);
  return sum;
}

std::string listed(std::vector<std::string> names) {
  constexpr std::size_t kShown = 3;
  if (names.size() > kShown) {
    const std::size_t more = names.size() - kShown;
    names.resize(kShown);
    names.push_back(fmt::format("{} more", more));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string describe(const SeriesKey& key) {
  return std::apply(
      [](const auto&... parts) {
        std::string text;
        for (const sv part : {parts...}) {
          if (!part.empty()) text += (text.empty() ? "" : " ") + std::string(part);
        }
        return text;
      },
      key);
}

// Drops what cannot be compared and says so.
void pair_tensors(Group& group, const std::string& where, std::vector<std::string>& notes) {
  double most = 0;
  for (const auto& [key, tensors] : group) most = std::max(most, weight_of(tensors));
  std::vector<std::string> lost;
  for (auto it = group.begin(); it != group.end();) {
    if (weight_of(it->second) >= kCover * most) {
      ++it;
    } else {
      lost.push_back(describe(it->first));
      it = group.erase(it);
    }
  }
  if (!lost.empty()) {
    notes.push_back(fmt::format("{}: {} series that lack over a tenth of the weights are left out ({}).", where,
                                lost.size(), listed(lost)));
  }
  std::map<sv, std::size_t> seen;
  for (const auto& [key, tensors] : group) {
    for (const auto& [name, row] : tensors) ++seen[name];
  }
  std::vector<std::string> partial;
  for (const auto& [name, count] : seen) {
    if (count < group.size()) partial.emplace_back(name);
  }
  if (partial.empty()) return;
  // Each series has nine tenths of the weights, yet many series can lack different tenths.
  if (partial.size() == seen.size()) {
    const auto largest = std::max_element(group.begin(), group.end(), [](const auto& a, const auto& b) {
      return weight_of(a.second) < weight_of(b.second);
    });
    notes.push_back(
        fmt::format("{}: no tensor has finished in every series; only {} is shown.", where, describe(largest->first)));
    group = Group{*largest};
    return;
  }
  for (auto& [key, tensors] : group) {
    for (const std::string& name : partial) tensors.erase(name);
  }
  notes.push_back(fmt::format("{}: {} not finished in every series {} left out ({}).", where,
                              partial.size() == 1 ? "a tensor" : fmt::format("{} tensors", partial.size()),
                              partial.size() == 1 ? "is" : "are", listed(partial)));
}

Total sum(const ByTensor& tensors) {
  Total total;
  static_cast<CellLabel&>(total) = *tensors.begin()->second;
  total.cell = total.tensor = total.dtype = total.device = "";
  total.rows = total.cols = 0;
  for (const auto& [name, row] : tensors) {
    if (row->kind != total.kind) total.kind = "";
    ++total.tensors;
    total.weights += row->weights;
    total.source_bytes += row->source_bytes;
    total.original_bytes += row->original_bytes;
    total.original_scale_bytes += row->original_scale_bytes;
    total.coded_bytes += row->coded_bytes;
    total.ledger += row->ledger;
  }
  for (double SummaryRow::*entropy :
       {&SummaryRow::h0_bpw, &SummaryRow::residual_h0_bpw, &SummaryRow::best_bpw, &SummaryRow::gm_bpw}) {
    double bits = 0;  // NaN of one tensor carries over
    for (const auto& [name, row] : tensors) bits += row->*entropy * static_cast<double>(row->weights);
    total.*entropy = bits / static_cast<double>(total.weights);
  }
  return total;
}

}  // namespace

Totals total_up(std::span<const SummaryRow> rows) {
  std::map<std::pair<sv, sv>, Group> groups;
  for (const SummaryRow& row : rows) {
    if (row.weights == 0 || row.coded_bytes == 0) continue;
    const SeriesKey key{row.control,
                        row.role,
                        row.tile,
                        row.modes,
                        row.coder,
                        row.order == "identity" ? sv() : sv(row.order),
                        row.approx == "none" ? sv() : sv(row.approx),
                        row.reference == "none" ? sv() : sv(row.reference),
                        row.transform};
    const auto [at, added] = groups[{row.checkpoint, row.quantizer}][key].try_emplace(row.tensor, &row);
    if (!added && row.sort_key() < at->second->sort_key()) at->second = &row;
  }
  Totals totals;
  for (auto& [name, group] : groups) {
    pair_tensors(group, fmt::format("{}, {}", name.first, name.second), totals.notes);
    for (const auto& [key, tensors] : group) totals.series.push_back(sum(tensors));
  }
  return totals;
}

}  // namespace wcodec

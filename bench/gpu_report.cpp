#include "bench/gpu_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <tuple>

namespace wcodec {
namespace {

using nlohmann::json;

bool competes(const GpuRow& a, const GpuRow& b) {
  return std::tie(a.model, a.data, a.mebibytes, a.family) == std::tie(b.model, b.data, b.mebibytes, b.family);
}

// What cannot be captured in a graph is launched one by one there as well.
double in_graph(const GpuRow& row) { return std::isfinite(row.graph) ? row.graph : row.single; }

bool is_beaten(const GpuRow& row, const GpuRow& by) {
  const bool as_good = by.coded_bytes <= row.coded_bytes && by.single >= row.single && in_graph(by) >= in_graph(row);
  return as_good && (by.coded_bytes < row.coded_bytes || by.single > row.single || in_graph(by) > in_graph(row));
}

// The fastest nvCOMP on the same data whose ratio is at least that of `row`, within a thousandth; null: none.
const GpuRow* rival(const GpuRow& row, const std::vector<GpuRow>& rows) {
  const GpuRow* best = nullptr;
  for (const GpuRow& other : rows) {
    if (!other.family.starts_with("nvcomp") || !other.failure.empty() || other.model != row.model ||
        other.data != row.data || other.mebibytes != row.mebibytes || other.ratio() < row.ratio() - 0.001)
      continue;
    if (best == nullptr || in_graph(other) > in_graph(*best)) best = &other;
  }
  return best;
}

std::string number(double value) { return std::isfinite(value) ? fmt::format("{:.0f}", value) : "–"; }

// How many times as fast ours is, in a single launch and in a graph.
std::string against(const GpuRow& row, const std::vector<GpuRow>& rows) {
  if (row.family != "wcodec") return "";
  const GpuRow* const other = rival(row, rows);
  if (other == nullptr) return "none as small";
  return fmt::format("{:.2f} · {:.2f}", row.single / other->single, row.graph / in_graph(*other));
}

json real(double value) { return std::isfinite(value) ? json(std::round(value * 1e4) / 1e4) : json(nullptr); }

}  // namespace

double GpuRow::share() const noexcept {
  const double of_single = single / expand_single, of_graph = graph / expand_graph;
  return of_graph > of_single ? of_graph : of_single;
}

void mark_fronts(std::vector<GpuRow>& rows) {
  for (GpuRow& row : rows) {
    row.is_on_front = row.failure.empty() && std::none_of(rows.begin(), rows.end(), [&](const GpuRow& other) {
                        return other.failure.empty() && competes(row, other) && is_beaten(row, other);
                      });
  }
}

std::string gpu_markdown(const GpuMachine& machine, const std::vector<GpuRow>& rows) {
  std::string out = fmt::format(
      "{}, {} multiprocessors, driver {}; SM {:.0f} MHz before, {:.0f} after, memory {:.0f} MHz. A copy of 1 GiB moves "
      "{:.0f} GB/s, read and write together. nvCOMP: {}. Kernels {}.\n",
      machine.gpu, machine.multiprocessors, machine.driver, machine.sm_mhz_before, machine.sm_mhz_after,
      machine.memory_mhz_after, machine.copy_gbs, machine.nvcomp, machine.kernels);
  std::string of_model;
  u64 of_size = 0;
  for (const GpuRow& row : rows) {
    if (!row.is_on_front && row.failure.empty()) continue;
    if (row.model != of_model || row.mebibytes != of_size) {
      of_model = row.model;
      of_size = row.mebibytes;
      out += fmt::format(
          "\n{}, {} MiB\n\n| data | coder | ratio | single | graph | warm | encode | limit, single · graph | of it | × "
          "nvCOMP, single · graph |\n|---|---|---|---|---|---|---|---|---|---|\n",
          row.model, row.mebibytes);
    }
    if (!row.failure.empty()) {
      out += fmt::format("| {} | `{}` | {} | | | | | | | |\n", row.data, row.coder, row.failure);
      continue;
    }
    out += fmt::format("| {} | `{}` | {:.4f} | {} | {} | {} | {} | {} · {} | {:.0f} % | {} |{}\n", row.data, row.coder,
                       row.ratio(), number(row.single), number(row.graph), number(row.warm), number(row.encode),
                       number(row.expand_single), number(row.expand_graph), 100 * row.share(), against(row, rows),
                       row.is_throttled ? " throttled" : "");
  }
  return out;
}

std::string gpu_json(const GpuMachine& machine, const std::vector<GpuRow>& rows) {
  json out = {{"kernels", machine.kernels},
              {"machine",
               {{"gpu", machine.gpu},
                {"driver", machine.driver},
                {"multiprocessors", machine.multiprocessors},
                {"l2_bytes", machine.l2_bytes},
                {"copy_gbs", real(machine.copy_gbs)},
                {"sm_mhz_before", real(machine.sm_mhz_before)},
                {"sm_mhz_after", real(machine.sm_mhz_after)},
                {"memory_mhz_before", real(machine.memory_mhz_before)},
                {"memory_mhz_after", real(machine.memory_mhz_after)},
                {"nvcomp", machine.nvcomp}}},
              {"rows", json::array()}};
  for (const GpuRow& row : rows) {
    json entry = {{"model", row.model}, {"data", row.data},     {"mebibytes", row.mebibytes},
                  {"coder", row.coder}, {"family", row.family}, {"layers", row.layers}};
    if (row.failure.empty()) {
      entry.update({{"words_bytes", row.words_bytes},
                    {"symbol_bytes", row.symbol_bytes},
                    {"coded_bytes", row.coded_bytes},
                    {"ratio", real(row.ratio())},
                    {"single_gbs", real(row.single)},
                    {"graph_gbs", real(row.graph)},
                    {"warm_gbs", real(row.warm)},
                    {"encode_gbs", real(row.encode)},
                    {"expand_single_gbs", real(row.expand_single)},
                    {"expand_graph_gbs", real(row.expand_graph)},
                    {"sm_mhz", real(row.sm_mhz)},
                    {"memory_mhz", real(row.memory_mhz)},
                    {"throttled", row.is_throttled},
                    {"front", row.is_on_front}});
    } else {
      entry["failure"] = row.failure;
    }
    out["rows"].push_back(std::move(entry));
  }
  return out.dump(1) + "\n";
}

}  // namespace wcodec

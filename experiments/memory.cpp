#include "experiments/memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "core/error.hpp"
#include "core/spec.hpp"

namespace wcodec {
namespace {

// One measured model under one quantizer.
struct Measured {
  std::string dtype;
  std::map<std::string, std::vector<Weighted>> kinds;  // bits a weight of symbols, by tensor
  double symbol_bits = 0;                              // native width
  double bytes_a_scale = 0;
  double weights = 0;
};

// How many scales a matrix has under a quantizer.
double scale_count(const Spec& spec, double rows, double cols) {
  if (spec.name == "lossless") return 0;
  const auto option = [&](const char* key) {
    const auto found = spec.options.find(key);
    return found == spec.options.end() ? std::string() : found->second;
  };
  std::string axis = option("axis"), group = option("group");
  if (axis.empty() && group.empty() && spec.name == "int4") group = "128";
  if (!group.empty() && group != "0") return rows * std::ceil(cols / std::stod(group));
  if (axis == "tensor") return 1;
  if (axis == "column") return cols;
  return rows;
}

struct Scales {
  double bytes = 0, count = 0;
};

using Key = std::pair<std::string, std::string>;  // format, checkpoint

std::map<Key, Measured> measured_models(std::span<const SummaryRow> rows, const MemoryOptions& options) {
  std::map<Key, Measured> models;
  std::map<Key, Scales> scales;
  std::set<std::tuple<Key, std::string, std::string>> met;
  for (const SummaryRow& row : rows) {
    if (row.control != "original" || row.role != "codec" || row.transform != "identity") continue;
    if (row.order != "identity" || row.approx != "none") continue;  // no file can have them
    if (row.coder != options.coder || row.modes != options.modes || row.weights == 0) continue;
    if (!options.checkpoint.empty() && !glob_match(options.checkpoint, row.checkpoint)) continue;
    const bool lossless = row.quantizer == "lossless";
    if (lossless && row.dtype != "BF16" && row.dtype != "F16") continue;
    const Key key{lossless ? "lossless " + row.dtype : row.quantizer, row.checkpoint};
    // Tiles make no difference without modes; the first tile of a tensor stands for all.
    if (!met.emplace(key, row.tensor, row.control).second) continue;
    Measured& model = models[key];
    const auto weights = static_cast<double>(row.weights);
    model.dtype = row.dtype;
    model.kinds[row.kind].push_back({row.bpw_symbols(), weights});
    model.symbol_bits += 8 * static_cast<double>(row.original_bytes - row.original_scale_bytes);
    model.weights += weights;
    scales[key].bytes += static_cast<double>(row.original_scale_bytes);
    scales[key].count +=
        scale_count(parse_spec(row.quantizer), static_cast<double>(row.rows), static_cast<double>(row.cols));
  }
  for (auto& [key, model] : models) {
    model.symbol_bits /= model.weights;
    model.bytes_a_scale = scales[key].count > 0 ? scales[key].bytes / scales[key].count : 0;
  }
  std::erase_if(models, [](const auto& entry) {
    const auto& kinds = entry.second.kinds;
    return !kinds.contains("attention.q") || !kinds.contains("mlp.up") || !kinds.contains("mlp.down");
  });
  return models;
}

// The kind of the measured model that stands for one of the shape.
std::string stand_in(const Measured& model, const std::string& kind) {
  static const std::map<std::string, std::vector<std::string>> others = {
      {"mlp.gate", {"mlp.up"}}, {"lm_head", {"embedding"}}, {"embedding", {"lm_head"}}};
  if (model.kinds.contains(kind)) return kind;
  const auto found = others.find(kind);
  if (found != others.end()) {
    for (const std::string& other : found->second) {
      if (model.kinds.contains(other)) return other;
    }
  }
  return model.kinds.contains("attention.q") ? "attention.q" : model.kinds.begin()->first;
}

KindBits bits_of(const Measured& model, const std::string& kind, const Estimate& all, Bootstrap& bootstrap) {
  KindBits out;
  out.kind = kind;
  out.measured_as = stand_in(model, kind);
  const std::vector<Weighted>& units = model.kinds.at(out.measured_as);
  out.tensors = units.size();
  out.bits = bootstrap.mean(units);
  if (!out.bits.interval.known() && all.interval.known()) {
    out.is_borrowed = true;
    out.bits.interval = {std::min(all.interval.lo, out.bits.effect), std::max(all.interval.hi, out.bits.effect)};
  }
  return out;
}

MemoryRow row_of(const ModelShape& shape, const Key& key, const Measured& model, const MemoryOptions& options,
                 Bootstrap& bootstrap) {
  std::vector<Weighted> all;
  for (const auto& [kind, units] : model.kinds) all.insert(all.end(), units.begin(), units.end());
  const Estimate of_all = bootstrap.mean(all);
  MemoryRow row;
  row.model = shape.name;
  std::tie(row.format, row.measured_on) = key;
  row.coder = options.coder;
  const Spec spec = parse_spec(row.format.starts_with("lossless") ? sv("lossless") : sv(row.format));
  double lo = 0, hi = 0;
  for (const ShapeMatrix& matrix : matrices_of(shape)) {
    const KindBits bits = bits_of(model, matrix.kind, of_all, bootstrap);
    const auto weights = static_cast<double>(matrix.weights());
    row.weights += weights;
    row.plain_bytes += weights * model.symbol_bits / 8;
    row.scale_bytes += static_cast<double>(matrix.count) * model.bytes_a_scale *
                       scale_count(spec, static_cast<double>(matrix.rows), static_cast<double>(matrix.cols));
    row.coded_bytes += weights * bits.bits.effect / 8;
    lo += weights * bits.bits.interval.lo / 8;  // NaN without an interval, and so is the sum
    hi += weights * bits.bits.interval.hi / 8;
    row.kinds.push_back(bits);
  }
  row.coded = {lo, hi};
  return row;
}

std::string gigabytes(double bytes) { return format_real(bytes / 1e9, 2); }

std::string range(const Interval& interval, double add) {
  if (!interval.known()) return "none";
  return gigabytes(interval.lo + add) + " - " + gigabytes(interval.hi + add);
}

}  // namespace

std::vector<MemoryRow> memory_rows(std::span<const SummaryRow> rows, std::span<const ModelShape> shapes,
                                   const MemoryOptions& options) {
  const std::map<Key, Measured> models = measured_models(rows, options);
  if (models.empty()) {
    std::set<std::string> there;
    for (const SummaryRow& row : rows) {
      if (row.role == "codec") there.insert(row.coder + " with modes " + row.modes);
    }
    std::string known;
    for (const std::string& series : there) known += (known.empty() ? "" : "; ") + series;
    throw Error(ErrorKind::not_found,
                fmt::format("no model with attention and MLP matrices was measured with {} and modes {}; there are: {}",
                            printable(options.coder), printable(options.modes), printable(known)));
  }
  Bootstrap bootstrap(options.bootstrap);
  std::vector<MemoryRow> out;
  for (const ModelShape& shape : shapes) {
    for (const auto& [key, model] : models) out.push_back(row_of(shape, key, model, options, bootstrap));
  }
  return out;
}

Table memory_table(std::span<const MemoryRow> rows) {
  Table table;
  table.name = "memory";
  table.title = "Memory of large models' matrices, GB (10^9 bytes)";
  table.columns = {{"model"},
                   {"format"},
                   {"bits from"},
                   {"bits/weight", Align::right},
                   {"weights", Align::right},
                   {"coded", Align::right},
                   {"95 %", Align::right},
                   {"with scales", Align::right},
                   {"coded, with scales", Align::right},
                   {"95 %, with scales", Align::right},
                   {"saved", Align::right}};
  for (const MemoryRow& row : rows) {
    table.rows.push_back({row.model, row.format, row.measured_on, format_real(8 * row.coded_bytes / row.weights, 3),
                          gigabytes(row.plain_bytes), gigabytes(row.coded_bytes), range(row.coded, 0),
                          gigabytes(row.plain_bytes + row.scale_bytes), gigabytes(row.coded_bytes + row.scale_bytes),
                          range(row.coded, row.scale_bytes), format_real(100 * row.saved(), 1) + " %"});
  }
  table.notes = {
      "Bits a weight were measured on the small model named, by tensor kind, and carried over to the shapes of the "
      "large "
      "one; no large model was measured. \"weights\": symbols at their native width.",
      "Intervals resample the measured model's tensors kind by kind, and take all kinds to err in one direction."};
  if (!rows.empty()) table.notes.push_back("Coder: " + rows.front().coder + ", no prediction.");
  return table;
}

Table memory_kinds_table(std::span<const MemoryRow> rows) {
  Table table;
  table.name = "memory-kinds";
  table.title = "Bits a weight by tensor kind, scales left out";
  table.columns = {{"format"},
                   {"measured on"},
                   {"kind"},
                   {"measured as"},
                   {"tensors", Align::right},
                   {"bits/weight", Align::right},
                   {"95 %", Align::right}};
  std::set<Key> met;
  for (const MemoryRow& row : rows) {
    if (!met.emplace(row.format, row.measured_on).second) continue;
    for (const KindBits& kind : row.kinds) {
      const Interval& interval = kind.bits.interval;
      std::string text = "none";
      if (interval.known()) text = format_real(interval.lo, 3) + " - " + format_real(interval.hi, 3);
      if (kind.is_borrowed) text += " *";
      table.rows.push_back({row.format, row.measured_on, kind.kind, kind.measured_as, std::to_string(kind.tensors),
                            format_real(kind.bits.effect, 3), text});
    }
  }
  table.notes = {
      "* fewer than six tensors: the interval of all matrices of the model, widened to hold the kind's mean."};
  return table;
}

}  // namespace wcodec

#include "experiments/claim_sample.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/element_values.hpp"
#include "core/error.hpp"
#include "core/portable_math.hpp"
#include "core/spec.hpp"
#include "experiments/measure.hpp"
#include "experiments/plan.hpp"

namespace wcodec {
namespace {

constexpr i64 kMinDim = 16;  // smaller matrices, like vectors, are no place for prediction
constexpr const char* kTile = "16x16";

bool names(const Claim& claim, sv word) {
  return std::find(claim.about.begin(), claim.about.end(), word) != claim.about.end();
}

bool is_floating(const TensorInfo& tensor) { return info(tensor.dtype).number == NumberClass::floating; }

std::vector<std::string> quantizers_for(const Claim& claim, const TensorInfo& tensor) {
  if (!is_floating(tensor)) return {"lossless"};
  const bool int8 = names(claim, "int8"), int4 = names(claim, "int4"), fp8 = names(claim, "fp8");
  const bool is_float = std::any_of(claim.about.begin(), claim.about.end(), [](const std::string& word) {
    return word == "bf16" || word == "f16" || word == "f32" || word == "f64" || word == "lossless";
  });
  const bool any = !int8 && !int4 && !fp8 && !is_float;
  std::vector<std::string> specs;
  const auto add = [&](const std::string& format, const std::vector<std::string>& axes) {
    for (const std::string& axis : axes) {
      for (const char* clip : {"absmax", "mse"}) specs.push_back(fmt::format("{}:{},clip={}", format, axis, clip));
    }
  };
  if (int8 || any) add("int8", {"axis=tensor", "axis=row", "axis=column", "group=128"});
  if (int4 || any) add("int4", {"axis=tensor,group=0", "axis=row,group=0", "group=128", "group=32"});
  if (fp8) add("fp8", {"axis=tensor", "axis=row"});
  if (is_float || any) specs.emplace_back("lossless");
  return specs;
}

// Stages that are measured on every quantizer.
std::vector<Cell> cells_for(const Claim& claim, const StageNames& stages, const TensorInfo& tensor,
                            const std::string& tensor_hash, std::size_t index, const std::string& quantizer) {
  std::vector<Cell> cells;
  const auto add = [&](Cell cell) {
    cell.tensor = index;
    cell.tensor_hash = tensor_hash;
    cell.quantizer = quantizer;
    cell.hash = cell_hash(cell, info(tensor.dtype).name, tensor.rows, tensor.cols);
    cells.push_back(std::move(cell));
  };
  for (const char* control : {"original", "shuffled"}) {
    for (const std::vector<std::string>& modes :
         {std::vector<std::string>{"none"}, {"none", "left", "top", "avg", "planar"}}) {
      for (const char* coder : {"rans:tables=tensor", "rans:contexts=32,tables=row-col-scale"}) {
        Cell cell;
        cell.control = control;
        cell.seed = 1;
        cell.tile = stages.tile(kTile);
        cell.modes = stages.modes(modes);
        cell.coder = stages.coder(coder);
        add(std::move(cell));
      }
    }
  }
  for (const char* baseline : {"gzip:level=6", "zstd:level=3", "bzip2:level=9"}) {
    if (!names(claim, sv(baseline).substr(0, sv(baseline).find(':')))) continue;
    Cell cell;
    cell.coder = stages.baseline(baseline);
    cell.role = Role::baseline;
    add(std::move(cell));
  }
  return cells;
}

std::vector<std::size_t> chosen(const Checkpoint& checkpoint, const ClaimSample& sample, u64& matrices) {
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < checkpoint.tensors().size(); ++i) {
    const TensorInfo& tensor = checkpoint.tensors()[i];
    const bool wanted = std::any_of(sample.include.begin(), sample.include.end(),
                                    [&](const std::string& glob) { return glob_match(glob, tensor.name); });
    if (wanted && tensor.rows >= kMinDim && tensor.cols >= kMinDim && has_element_values(tensor.dtype)) {
      all.push_back(i);
    }
  }
  matrices = all.size();
  if (all.empty()) {
    throw Error(ErrorKind::not_found,
                fmt::format("no matrix of at least {} x {} weights matches; `wcodec stats` lists the tensors", kMinDim,
                            kMinDim));
  }
  if (sample.tensors == 0 || sample.tensors >= all.size()) return all;
  std::vector<std::size_t> some;
  for (u64 k = 0; k < sample.tensors; ++k) some.push_back(all[k * all.size() / sample.tensors]);
  return some;
}

double int8_ratio(std::span<const double> values, double largest) {
  std::array<u64, 255> counts{};
  const double step = largest / 127;
  for (const double value : values) {
    const double code = std::clamp(std::nearbyint(value / step), -127.0, 127.0);
    ++counts[static_cast<std::size_t>(code + 127)];
  }
  double entropy = 0;
  for (const u64 count : counts) {
    if (count == 0) continue;
    const double p = static_cast<double>(count) / static_cast<double>(values.size());
    entropy -= p * portable_log2(p);
  }
  return entropy > 0 ? 8 / entropy : std::numeric_limits<double>::infinity();
}

}  // namespace

OutlierRow outliers_of(std::string tensor, std::span<const double> values) {
  OutlierRow row;
  row.tensor = std::move(tensor);
  row.weights = values.size();
  std::vector<double> magnitudes(values.size());
  double squares = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    magnitudes[i] = std::abs(values[i]);
    squares += values[i] * values[i];
  }
  for (std::size_t i = 0; i < OutlierRow::kShares.size(); ++i) {
    const auto left_out =
        static_cast<std::size_t>(std::ceil(OutlierRow::kShares[i] * static_cast<double>(values.size())));
    const auto at = magnitudes.begin() + static_cast<std::ptrdiff_t>(std::min(left_out, values.size() - 1));
    std::nth_element(magnitudes.begin(), at, magnitudes.end(), std::greater<>());
    if (i == 0) row.sigmas = squares > 0 ? *at / std::sqrt(squares / static_cast<double>(values.size())) : 0;
    row.ratio[i] = *at > 0 ? int8_ratio(values, *at) : std::numeric_limits<double>::infinity();
  }
  return row;
}

ClaimMeasurement measure_for_claim(const Claim& claim, const Checkpoint& checkpoint, const ClaimSample& sample,
                                   const std::function<void(const TensorInfo&)>& progress) {
  ClaimMeasurement out;
  const StageNames stages = stage_names();
  for (const std::size_t index : chosen(checkpoint, sample, out.matrices)) {
    const TensorInfo& tensor = checkpoint.tensors()[index];
    if (progress) progress(tensor);
    const std::string hash = tensor_content_hash(checkpoint, index);
    for (const std::string& spec : quantizers_for(claim, tensor)) {
      const std::string quantizer = stages.quantizer(spec);
      const std::vector<Cell> cells = cells_for(claim, stages, tensor, hash, index, quantizer);
      MeasureCallbacks callbacks;
      callbacks.begin = [](std::size_t) {};
      callbacks.done = [&](std::size_t cell, const CellResult& result) {
        out.rows.push_back(summarize(label_cell(sample.name, sample.name, tensor, cells[cell]), result));
      };
      callbacks.failed = [&](std::size_t cell, const std::string& reason) {
        throw Error(ErrorKind::internal,
                    fmt::format("{}, {} with {}: {}", printable(tensor.name), quantizer, cells[cell].coder, reason));
      };
      measure_cells(checkpoint, index, quantizer, cells, "", callbacks);
    }
    if (is_floating(tensor)) {
      const std::vector<u8> bytes = checkpoint.read(index);
      std::vector<double> values(tensor.weights());
      element_values(tensor.dtype, bytes, values);
      const bool finite = std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
      if (finite) out.outliers.push_back(outliers_of(tensor.name, values));
    }
    ++out.tensors;
    out.weights += tensor.weights();
  }
  return out;
}

std::string describe(std::span<const OutlierRow> outliers) {
  if (outliers.empty()) return {};
  std::vector<OutlierRow> rows(outliers.begin(), outliers.end());
  std::stable_sort(rows.begin(), rows.end(),
                   [](const OutlierRow& a, const OutlierRow& b) { return a.sigmas > b.sigmas; });
  constexpr std::size_t kShown = 10;
  std::string out = fmt::format(
      "\noutliers, INT8 with one scale a tensor, order-0 entropy, no codec: ratio with the largest weights left out\n"
      "{:<40} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8}\n",
      "tensor", "largest", "none", "1 in 1M", "100 k", "10 k", "1 k");
  for (std::size_t i = 0; i < std::min(rows.size(), kShown); ++i) {
    out += fmt::format("{:<40} {:>6.1f} sd", printable(rows[i].tensor), rows[i].sigmas);
    for (const double ratio : rows[i].ratio) out += fmt::format(" {:>8.3f}", ratio);
    out += "\n";
  }
  if (rows.size() > kShown) out += fmt::format("… and {} tensors with smaller ones\n", rows.size() - kShown);
  return out;
}

}  // namespace wcodec

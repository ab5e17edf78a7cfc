#include "experiments/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <thread>
#include <unordered_set>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/spec.hpp"
#include "experiments/plan_grid.hpp"
#include "experiments/plan_references.hpp"
#include "transforms/registry.hpp"

namespace wcodec {
namespace {

constexpr u64 kWindowBytes = u64{4} << 20;

bool any_glob(const std::vector<std::string>& globs, sv text) {
  return std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) { return glob_match(glob, text); });
}

bool is_selected(const TensorFilter& filter, const TensorInfo& tensor) {
  if (tensor.weights() == 0 || tensor.rows < filter.min_dim || tensor.cols < filter.min_dim) return false;
  if (filter.max_weights != 0 && tensor.weights() > filter.max_weights) return false;
  if (!filter.kinds.empty() && !any_glob(filter.kinds, tensor.kind)) return false;
  return any_glob(filter.include, tensor.name) && !any_glob(filter.exclude, tensor.name);
}

void select_tensors(const ExperimentConfig& config, std::span<const OpenedCheckpoint> checkpoints, Plan& plan) {
  for (std::size_t c = 0; c < checkpoints.size(); ++c) {
    const std::string& name = config.checkpoints[c].name;
    if (checkpoints[c].checkpoint == nullptr) {
      plan.notes.push_back(fmt::format("checkpoint '{}' is skipped: {}", name, checkpoints[c].skipped));
      continue;
    }
    const std::vector<TensorInfo>& tensors = checkpoints[c].checkpoint->tensors();
    u64 selected = 0;
    for (std::size_t t = 0; t < tensors.size(); ++t) {
      if (!is_selected(config.tensors, tensors[t])) continue;
      if (config.tensors.limit != 0 && selected == config.tensors.limit) break;
      plan.tensors.push_back({c, t, tensors[t], {}});
      ++selected;
    }
    if (selected == 0) {
      plan.notes.push_back(fmt::format("checkpoint '{}': none of its {} tensors is selected", name, tensors.size()));
    }
  }
  if (plan.tensors.empty()) {
    throw Error(ErrorKind::config,
                "no tensor is selected: look at tensors.include, exclude, kinds, min_dim and "
                "max_weights against `wcodec inspect` of a checkpoint");
  }
}

void check_grid(const ExperimentConfig& config, u64 tensors) {
  const u64 each = grid_size(config);
  u64 total = 0;
  const bool overflows = __builtin_mul_overflow(each, tensors, &total);
  if (!overflows && total <= config.limits.max_cells) return;
  throw Error(ErrorKind::limit,
              fmt::format("{} tensors × ({}) = {}{} cells, more than limits.max_cells = {}; shorten an "
                          "axis, select fewer tensors (tensors.limit), or raise limits.max_cells",
                          tensors, describe_grid(config), overflows ? "over " : "", overflows ? ~u64{0} : total,
                          config.limits.max_cells));
}

void hash_tensors(const ExperimentConfig& config, std::span<const OpenedCheckpoint> checkpoints,
                  std::vector<PlannedTensor>& tensors) {
  std::atomic<std::size_t> next{0};
  std::vector<std::exception_ptr> errors(tensors.size());
  const auto work = [&] {
    for (std::size_t i = next++; i < tensors.size(); i = next++) {
      PlannedTensor& tensor = tensors[i];
      try {
        tensor.hash = tensor_content_hash(*checkpoints[tensor.checkpoint].checkpoint, tensor.tensor);
      } catch (...) {
        errors[i] = std::current_exception();
      }
    }
  };
  {
    std::vector<std::jthread> helpers;
    const auto threads = std::min(static_cast<std::size_t>(config.threads), tensors.size());
    for (std::size_t i = 1; i < threads; ++i) helpers.emplace_back(work);
    work();
  }
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);  // the first in plan order, whoever met it
  }
}

std::string identity_of(const std::map<std::string, std::string>& identities, const std::string& spec) {
  const auto it = identities.find(spec);
  return it == identities.end() ? std::string() : it->second;
}

// Adds the rows of one tensor after the other to a plan.
class Expansion {
 public:
  Expansion(const ExperimentConfig& config, std::span<const OpenedCheckpoint> checkpoints, Plan& plan)
      : config_(config),
        plan_(plan),
        combinations_(axis_combinations(config)),
        effect_(config.where.size()),
        references_(config, checkpoints) {}

  void add(const PlannedTensor& tensor) {
    tensor_ = &tensor;
    const auto& quantizers = config_.axis(Axis::quantizer);
    for (u32 q = 0; q < quantizers.size(); ++q) {
      const bool applicable = applies(quantizers[q], tensor.info.dtype);
      const bool approximable = applicable && can_approximate(quantizers[q], tensor.info.dtype);
      const auto [first, last] = std::equal_range(
          combinations_.begin(), combinations_.end(), std::array<u32, kAxes>{q},
          [](const auto& a, const auto& b) { return a[0] < b[0]; });  // quantizer is the outermost axis
      for (const std::string& control : config_.controls) {
        for (auto combination = first; combination != last; ++combination) {
          Cell cell = codec_cell(*combination, control);
          const bool is_possible = cell.approx == "none" ? applicable : approximable;
          if (is_possible && !place_reference(cell)) continue;
          add_row(std::move(cell), is_possible);
        }
      }
      for (const std::string& control : config_.baseline_controls) {
        for (const std::string& baseline : config_.baselines) {
          add_row(baseline_cell(quantizers[q], baseline, control), applicable);
        }
      }
    }
  }

  // Throws Error{config} where a reference is never one.
  void note_missing_references() {
    for (std::string& note : references_.notes()) plan_.notes.push_back(std::move(note));
  }

  // A rule may be about a checkpoint that is not there today: only in a whole experiment is an idle one a mistake.
  void note_idle_rules() {
    for (std::size_t i = 0; i < effect_.size(); ++i) {
      if (effect_[i] == 0) plan_.notes.push_back(fmt::format("where[{}] drops nothing", i));
    }
  }

 private:
  Cell common(const std::string& control) const {
    Cell cell;
    cell.checkpoint = tensor_->checkpoint;
    cell.tensor = tensor_->tensor;
    cell.tensor_hash = tensor_->hash;
    cell.control = control;
    cell.seed = control == "original" ? 0 : config_.seed;  // a new seed leaves the weights themselves as they are
    return cell;
  }
  Cell codec_cell(const std::array<u32, kAxes>& combination, const std::string& control) const {
    const auto value = [&](Axis axis) { return config_.axis(axis)[combination[static_cast<std::size_t>(axis)]]; };
    Cell cell = common(control);
    cell.quantizer = value(Axis::quantizer);
    cell.order = value(Axis::order);
    cell.approx = value(Axis::approx);
    cell.tile = value(Axis::tile);
    cell.modes = value(Axis::modes);
    cell.transform = value(Axis::transform);
    cell.coder = value(Axis::coder);
    cell.plugins = identity_of(config_.modes_identities, cell.modes);
    const std::string coder = identity_of(config_.coder_identities, cell.coder);
    if (!coder.empty()) cell.plugins += (cell.plugins.empty() ? "" : ";") + coder;
    cell.device = value(Axis::device);
    cell.reference = value(Axis::reference);
    return cell;
  }
  // False where the tensor has no such reference.
  bool place_reference(Cell& cell) {
    if (cell.reference == "none") return true;
    const auto found = references_.find(cell.reference, *tensor_, cell.quantizer);
    if (found) cell.reference_place = found->place;
    return found.has_value();
  }
  Cell baseline_cell(const std::string& quantizer, const std::string& baseline, const std::string& control) const {
    Cell cell = common(control);
    cell.quantizer = quantizer;
    cell.coder = baseline;
    cell.plugins = identity_of(config_.baseline_identities, baseline);
    cell.role = Role::baseline;
    if (const auto on = config_.baseline_devices.find(baseline); on != config_.baseline_devices.end())
      cell.device = on->second;
    return cell;
  }
  bool is_dropped(const Cell& cell) {
    const CellContext context{config_.checkpoints[cell.checkpoint], tensor_->info, cell};
    bool dropped = false;
    for (std::size_t i = 0; i < config_.where.size(); ++i) {
      const WhereRule& rule = config_.where[i];
      if (!meets(rule.drop, context) || !meets(rule.when, context)) continue;
      ++effect_[i];
      dropped = true;
    }
    return dropped;
  }
  void add_row(Cell cell, bool applicable) {
    if (!applicable) {
      ++plan_.not_applicable;
    } else if (is_dropped(cell)) {
      ++plan_.dropped;
    } else {
      plan_.cells.push_back(std::move(cell));
    }
  }

  const ExperimentConfig& config_;
  Plan& plan_;
  const std::vector<std::array<u32, kAxes>> combinations_;
  std::vector<u64> effect_;  // cells each rule drops
  const PlannedTensor* tensor_ = nullptr;
  ReferenceFinder references_;
};

// Hashes the references that are not hashed as tensors of the plan, and gives all cells their names.
void name_cells(const ExperimentConfig& config, std::span<const OpenedCheckpoint> checkpoints, Plan& plan) {
  std::map<std::pair<std::size_t, std::size_t>, std::string> hashes;
  for (const PlannedTensor& tensor : plan.tensors) hashes[{tensor.checkpoint, tensor.tensor}] = tensor.hash;
  std::vector<PlannedTensor> references;
  for (const Cell& cell : plan.cells) {
    if (cell.reference == "none") continue;
    const ReferencePlace& place = cell.reference_place;
    if (hashes.try_emplace({place.checkpoint, place.tensor}).second) {
      const TensorInfo& info = checkpoints[place.checkpoint].checkpoint->tensors()[place.tensor];
      references.push_back({place.checkpoint, place.tensor, info, {}});
    }
  }
  hash_tensors(config, checkpoints, references);
  for (const PlannedTensor& tensor : references) hashes[{tensor.checkpoint, tensor.tensor}] = tensor.hash;
  for (Cell& cell : plan.cells) {
    ReferencePlace& place = cell.reference_place;
    if (cell.reference != "none") place.tensor_hash = hashes.at({place.checkpoint, place.tensor});
    const TensorInfo& info = plan.tensor_of(cell).info;
    cell.hash = cell_hash(cell, wcodec::info(info.dtype).name, info.rows, info.cols);
  }
}

// Predictors, and all transforms if there are any.
std::size_t kept_residuals(const Plan& plan, const Task& task) {
  std::set<std::string> names;
  std::size_t transformed = 0;
  for (const std::size_t index : task.cells) {
    const std::string& modes = plan.cells[index].modes;
    if (plan.cells[index].transform != "identity") transformed = Transforms::kSize;
    for (std::size_t begin = 0; begin < modes.size();) {
      const auto end = std::min(modes.find('+', begin), modes.size());
      names.insert(modes.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  return names.size() + transformed;
}

std::set<std::pair<std::size_t, std::size_t>> references_of(const Plan& plan, const Task& task) {
  std::set<std::pair<std::size_t, std::size_t>> places;
  for (const std::size_t index : task.cells) {
    const Cell& cell = plan.cells[index];
    if (cell.reference != "none") places.emplace(cell.reference_place.checkpoint, cell.reference_place.tensor);
  }
  return places;
}

bool matches_rows(const Plan& plan, const Task& task) {
  return std::any_of(task.cells.begin(), task.cells.end(), [&](std::size_t index) {
    const ReferenceChoice choice = parse_reference(plan.cells[index].reference);
    return choice.source != ReferenceSource::none && choice.fit == ReferenceFit::permuted;
  });
}

void group_tasks(Plan& plan) {
  std::unordered_set<sv> seen;
  for (std::size_t i = 0; i < plan.cells.size(); ++i) {
    const Cell& cell = plan.cells[i];
    if (!seen.insert(cell.hash).second) {
      ++plan.duplicates;
      continue;
    }
    const bool continues = !plan.tasks.empty() && plan.tasks.back().checkpoint == cell.checkpoint &&
                           plan.tasks.back().tensor == cell.tensor && plan.tasks.back().quantizer == cell.quantizer;
    const u64 weights = plan.tensor_of(cell).info.weights();
    if (!continues) plan.tasks.push_back({cell.checkpoint, cell.tensor, cell.quantizer, {}, weights, 0, 0});
    plan.tasks.back().cells.push_back(i);
    plan.tasks.back().seconds += estimated_seconds(cell, weights);
    plan.weight_cells += weights;
  }
  for (Task& task : plan.tasks) {
    const TensorInfo& tensor = plan.tensor_of(plan.cells[task.cells.front()]).info;
    const std::set<std::pair<std::size_t, std::size_t>> references = references_of(plan, task);
    task.memory_bytes = estimated_memory(tensor, task.quantizer, kept_residuals(plan, task));
    if (!references.empty()) task.memory_bytes += reference_memory(tensor, references.size(), matches_rows(plan, task));
    // A reference has the tensor's shape, and nearly always its type.
    plan.read_bytes += tensor.source_bytes * (1 + references.size());
    plan.seconds += task.seconds;
    plan.memory_bytes = std::max(plan.memory_bytes, task.memory_bytes);
  }
  std::stable_sort(plan.tasks.begin(), plan.tasks.end(),
                   [](const Task& a, const Task& b) { return a.seconds > b.seconds; });
}

void select_timed(const ExperimentConfig& config, Plan& plan) {
  if (!config.timing) return;
  const std::vector<Condition> only =
      config.timing->only.empty() ? std::vector<Condition>{{"control", {"original"}}} : config.timing->only;
  std::unordered_set<sv> seen;
  for (std::size_t i = 0; i < plan.cells.size(); ++i) {
    const Cell& cell = plan.cells[i];
    if (cell.reference != "none") continue;  // what is measured there is a size, not a codec
    if (!meets(only, {config.checkpoints[cell.checkpoint], plan.tensor_of(cell).info, cell})) continue;
    if (seen.insert(cell.hash).second) plan.timed.push_back(i);
  }
  if (plan.timed.empty()) plan.notes.emplace_back("measure.timing.only selects no cell: nothing will be timed");
}

}  // namespace

std::string tensor_content_hash(const Checkpoint& checkpoint, std::size_t index) {
  const TensorInfo& tensor = checkpoint.tensors()[index];
  const u64 row_bytes = tensor.memory_bytes() / static_cast<u64>(tensor.rows);
  const i64 rows_at_once = static_cast<i64>(std::max<u64>(1, kWindowBytes / std::max<u64>(1, row_bytes)));
  std::vector<u8> window;
  ContentHasher hasher;
  for (i64 row = 0; row < tensor.rows; row += rows_at_once) {
    const i64 count = std::min(rows_at_once, tensor.rows - row);
    window.resize(static_cast<u64>(count) * row_bytes);
    checkpoint.read_rows(index, row, count, window);
    hasher.update(window);
  }
  return hasher.finish();
}

const PlannedTensor& Plan::tensor_of(const Cell& cell) const {
  const auto it = std::lower_bound(tensors.begin(), tensors.end(), cell, [](const PlannedTensor& a, const Cell& b) {
    return a.checkpoint != b.checkpoint ? a.checkpoint < b.checkpoint : a.tensor < b.tensor;
  });
  if (it == tensors.end() || it->checkpoint != cell.checkpoint || it->tensor != cell.tensor) {
    throw Error(ErrorKind::internal, "a cell of a tensor that is not in the plan");
  }
  return *it;
}

Plan make_plan(const ExperimentConfig& config, std::span<const OpenedCheckpoint> checkpoints) {
  if (checkpoints.size() != config.checkpoints.size()) {
    throw Error(ErrorKind::internal, "make_plan needs one opened or skipped checkpoint for each of the config's");
  }
  Plan plan;
  select_tensors(config, checkpoints, plan);
  check_grid(config, plan.tensors.size());
  hash_tensors(config, checkpoints, plan.tensors);
  Expansion expansion(config, checkpoints, plan);
  for (const PlannedTensor& tensor : plan.tensors) expansion.add(tensor);
  expansion.note_missing_references();
  if (plan.cells.empty()) {
    throw Error(ErrorKind::config,
                fmt::format("no cell is left: {} combinations do not apply (numeric quantizers take floating-point "
                            "tensors only; `lossless` takes any), {} are dropped by `where`",
                            plan.not_applicable, plan.dropped));
  }
  if (plan.not_applicable != 0) {
    plan.notes.push_back(
        fmt::format("{} combinations are not applicable: numeric quantizers take floating-point "
                    "tensors only",
                    plan.not_applicable));
  }
  const bool is_whole = std::all_of(checkpoints.begin(), checkpoints.end(),
                                    [](const OpenedCheckpoint& opened) { return opened.checkpoint != nullptr; });
  if (is_whole) expansion.note_idle_rules();
  name_cells(config, checkpoints, plan);
  group_tasks(plan);
  select_timed(config, plan);
  return plan;
}

}  // namespace wcodec

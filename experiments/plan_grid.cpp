#include "experiments/plan_grid.hpp"

#include <algorithm>
#include <optional>

#include "core/spec.hpp"
#include "experiments/approximations.hpp"
#include "quantizers/registry.hpp"

namespace wcodec {
namespace {

// A field of a cell; nothing where the cell has none.
std::optional<sv> field_of(const CellContext& context, sv name) {
  const Cell& cell = context.cell;
  const bool is_codec = cell.role == Role::codec;
  const auto of_codec = [&](const std::string& text) { return is_codec ? std::optional<sv>(text) : std::nullopt; };
  if (name == "checkpoint") return context.checkpoint.name;
  if (name == "family") return context.checkpoint.family;
  if (name == "tensor") return context.tensor.name;
  if (name == "kind") return context.tensor.kind;
  if (name == "dtype") return info(context.tensor.dtype).name;
  if (name == "control") return cell.control;
  if (name == "role") return is_codec ? "codec" : "baseline";
  if (name == "quantizer") return cell.quantizer;
  if (name == "order") return of_codec(cell.order);
  if (name == "approx") return of_codec(cell.approx);
  if (name == "tile") return of_codec(cell.tile);
  if (name == "modes") return of_codec(cell.modes);
  if (name == "transform") return of_codec(cell.transform);
  if (name == "coder") return of_codec(cell.coder);
  if (name == "device") return cell.device;
  if (name == "reference") return of_codec(cell.reference);
  if (name == "baseline" && !is_codec) return cell.coder;
  return std::nullopt;
}

bool matches(sv glob, sv value) {
  if (glob_match(glob, value)) return true;
  // "int4:*" is every int4, also the one whose options are all at their defaults.
  return glob.ends_with(":*") && glob_match(glob.substr(0, glob.size() - 2), value);
}

}  // namespace

bool meets(const std::vector<Condition>& conditions, const CellContext& context) {
  return std::all_of(conditions.begin(), conditions.end(), [&](const Condition& condition) {
    const auto value = field_of(context, condition.field);
    return value && std::any_of(condition.globs.begin(), condition.globs.end(),
                                [&](const std::string& glob) { return matches(glob, *value); });
  });
}

std::vector<std::array<u32, kAxes>> axis_combinations(const ExperimentConfig& config) {
  std::vector<std::array<u32, kAxes>> combinations(1);
  for (std::size_t i = 0; i < kAxes; ++i) {
    const Axis axis = static_cast<Axis>(i);
    const auto group = std::find_if(config.zip.begin(), config.zip.end(), [&](const std::vector<Axis>& g) {
      return std::find(g.begin(), g.end(), axis) != g.end();
    });
    const bool follows = group != config.zip.end() && group->front() != axis;
    std::vector<std::array<u32, kAxes>> longer;
    for (const auto& combination : combinations) {
      const u32 leader = follows ? combination[static_cast<std::size_t>(group->front())] : 0;
      const u32 begin = follows ? leader : 0;
      const u32 end = follows ? leader + 1 : static_cast<u32>(config.axes[i].size());
      for (u32 value = begin; value < end; ++value) {
        longer.push_back(combination);
        longer.back()[i] = value;
      }
    }
    combinations = std::move(longer);
  }
  return combinations;
}

bool applies(const std::string& quantizer, DType dtype) {
  return !parse_quantizer(quantizer).row->numeric || is_quantizable(dtype);
}

bool can_approximate(const std::string& quantizer, DType dtype) {
  return parse_quantizer(quantizer).row->numeric || can_approximate(word_format(info(dtype)));
}

}  // namespace wcodec

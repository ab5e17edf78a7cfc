#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "core/spec.hpp"
#include "experiments/cell_device.hpp"
#include "experiments/config_reader.hpp"
#include "experiments/reference.hpp"

namespace wcodec {
namespace {

Axis read_axis_name(const yaml::Field& field) {
  const std::string name = field.choice(kAxisNames);
  return static_cast<Axis>(std::find(kAxisNames.begin(), kAxisNames.end(), name) - kAxisNames.begin());
}

template <class Read>
std::vector<std::string> read_values(const yaml::Field& field, const Read& read) {
  std::vector<std::string> values;
  for (const yaml::Field& item : field.list_or_one()) {
    std::string value = read(item);
    if (std::find(values.begin(), values.end(), value) != values.end()) {
      item.fail(fmt::format("'{}' is in the list already, perhaps spelled otherwise", value));
    }
    values.push_back(std::move(value));
  }
  return values;
}

// The reference has to be measured: rule 3 of results, `none` is in every candidate set or beside it.
void require_none(const yaml::Field& field, const std::vector<std::string>& modes) {
  const auto has_none = [](const std::string& set) { return ("+" + set + "+").find("+none+") != std::string::npos; };
  if (std::find(modes.begin(), modes.end(), "none") == modes.end() &&
      !std::all_of(modes.begin(), modes.end(), has_none)) {
    field.fail("a mode set without 'none' needs [none] beside it for comparison: add [none] to the list");
  }
}

void require_reference(const yaml::Field& field, const std::vector<std::string>& values, const char* what,
                       const char* reference) {
  if (std::find(values.begin(), values.end(), reference) == values.end())
    field.fail(fmt::format("{} need '{}' beside them for comparison: add it to the list", what, reference));
}

// A reference in another checkpoint needs one of that name.
std::string read_reference(const yaml::Field& field, const ExperimentConfig& config) {
  const std::string spec = read_spec(field, [](sv text) { return to_string(parse_reference(text)); });
  const ReferenceChoice choice = parse_reference(spec);
  if (choice.source != ReferenceSource::checkpoint) return spec;
  std::vector<sv> names;
  for (const CheckpointConfig& checkpoint : config.checkpoints) names.push_back(checkpoint.name);
  if (std::find(names.begin(), names.end(), choice.from) == names.end()) {
    field.fail(unknown_name("checkpoint", choice.from, names) + "; a reference is one of the experiment's checkpoints");
  }
  return spec;
}

u64 saturating_product(u64 a, u64 b) noexcept {
  u64 product = 0;
  return __builtin_mul_overflow(a, b, &product) ? ~u64{0} : product;
}

struct Factor {
  std::string name;
  u64 size;
};

// Factors of the codec part of the grid: each axis or zipped group once.
std::vector<Factor> codec_factors(const ExperimentConfig& config) {
  std::vector<Factor> factors;
  for (std::size_t i = 0; i < kAxes; ++i) {
    const Axis axis = static_cast<Axis>(i);
    const auto group = std::find_if(config.zip.begin(), config.zip.end(), [&](const std::vector<Axis>& g) {
      return std::find(g.begin(), g.end(), axis) != g.end();
    });
    if (group == config.zip.end()) {
      factors.push_back({std::string(kAxisNames[i]), config.axes[i].size()});
    } else if (group->front() == axis) {
      std::string name;
      for (const Axis member : *group) {
        name += (name.empty() ? "" : "+") + std::string(kAxisNames[static_cast<std::size_t>(member)]);
      }
      factors.push_back({name, config.axes[i].size()});
    }
  }
  factors.push_back({"control", config.controls.size()});
  return factors;
}

std::vector<Factor> baseline_factors(const ExperimentConfig& config) {
  return {{"quantizer", config.axis(Axis::quantizer).size()},
          {"baseline", config.baselines.size()},
          {"control", config.baseline_controls.size()}};
}

u64 product(const std::vector<Factor>& factors) {
  u64 size = 1;
  for (const Factor& factor : factors) size = saturating_product(size, factor.size);
  return size;
}

std::string describe(const std::vector<Factor>& factors) {
  std::string text;
  for (const Factor& factor : factors) {
    if (factor.size != 1) text += fmt::format("{}{} {}", text.empty() ? "" : " × ", factor.name, factor.size);
  }
  return text.empty() ? "1" : text;
}

}  // namespace

std::string read_spec(const yaml::Field& field, const std::function<std::string(sv)>& canonical) {
  const std::string text = field.text();
  try {
    return canonical(text);
  } catch (const Error& error) {
    // Unquoted in a flow list, "rans:tables=row-scale,contexts=32" is two values.
    const bool is_cut_off = text.find('=') < text.find(':');
    field.fail(std::string(error.what()) + (is_cut_off ? "; a spec with a comma in it needs quotes" : ""));
  }
}

std::string read_modes(const yaml::Field& field, const StageNames& names) {
  if (field.node().kind != yaml::Kind::list) {
    field.fail("a mode set is a list of predictors: write [none, left], and the axis as [[none], [none, left]]");
  }
  std::vector<std::string> predictors;
  for (const yaml::Field& item : field.nonempty()) predictors.push_back(item.text());
  try {
    return names.modes(predictors);
  } catch (const Error& error) {
    field.fail(error.what());
  }
}

std::string read_device(const yaml::Field& field) {
  const std::string device = field.text();
  try {
    return device == "auto" ? automatic_device() : to_string(parse_cell_device(device));
  } catch (const Error& error) {
    field.fail(error.what());
  }
}

std::vector<std::string> read_baselines(const yaml::Field& field, const StageNames& names) {
  return read_values(field, [&](const yaml::Field& item) { return read_spec(item, names.baseline); });
}

std::vector<std::string> read_controls(const yaml::Field& field) {
  static constexpr sv kKnown[] = {"original", "shuffled", "shuffled-rows", "gaussian"};
  const std::vector<std::string> given = read_values(field, [](const yaml::Field& item) {
    if (item.node().text == "random-init") item.fail("control 'random-init' is not supported yet: use gaussian");
    return item.choice(kKnown);
  });
  std::vector<std::string> controls;
  for (const sv control : kKnown) {
    if (std::find(given.begin(), given.end(), control) != given.end()) controls.emplace_back(control);
  }
  if (controls.empty() || controls.front() != "original") {
    field.fail("must hold 'original': the other controls are compared with it");
  }
  return controls;
}

void read_axes(const yaml::Field& field, const StageNames& names, ExperimentConfig& config) {
  field.check_keys(kAxisNames);
  const auto read = [&](Axis axis, const auto& read_value) {
    const sv name = kAxisNames[static_cast<std::size_t>(axis)];
    if (const auto values = field.find(name)) {
      values->nonempty();
      config.axes[static_cast<std::size_t>(axis)] = read_values(*values, read_value);
    } else if (config.axis(axis).empty()) {
      field.require(name);
    }
  };
  read(Axis::quantizer, [&](const yaml::Field& item) { return read_spec(item, names.quantizer); });
  read(Axis::order, [&](const yaml::Field& item) { return read_spec(item, names.order); });
  read(Axis::approx, [&](const yaml::Field& item) { return read_spec(item, names.approx); });
  read(Axis::tile, [&](const yaml::Field& item) { return read_spec(item, names.tile); });
  read(Axis::modes, [&](const yaml::Field& item) { return read_modes(item, names); });
  read(Axis::transform, [&](const yaml::Field& item) { return read_spec(item, names.transform); });
  read(Axis::coder, [&](const yaml::Field& item) { return read_spec(item, names.coder); });
  read(Axis::device, read_device);
  read(Axis::reference, [&](const yaml::Field& item) { return read_reference(item, config); });
  require_none(field.require("modes"), config.axis(Axis::modes));
  if (const auto transform = field.find("transform"))
    require_reference(*transform, config.axis(Axis::transform), "transforms", "identity");
  if (const auto order = field.find("order")) require_reference(*order, config.axis(Axis::order), "orders", "identity");
  if (const auto approx = field.find("approx"))
    require_reference(*approx, config.axis(Axis::approx), "approximations", "none");
  if (const auto reference = field.find("reference"))
    require_reference(*reference, config.axis(Axis::reference), "references", "none");
}

void read_zip(const yaml::Field& field, ExperimentConfig& config) {
  std::array<bool, kAxes> used{};
  for (const yaml::Field& item : field.list()) {
    std::vector<Axis> group;
    for (const yaml::Field& name : item.list()) {
      const Axis axis = read_axis_name(name);
      if (std::exchange(used[static_cast<std::size_t>(axis)], true)) {
        name.fail(fmt::format("axis '{}' is zipped twice", kAxisNames[static_cast<std::size_t>(axis)]));
      }
      group.push_back(axis);
    }
    if (group.size() < 2) item.fail("zip takes groups of at least two axes: [[tile, coder]]");
    std::sort(group.begin(), group.end());
    for (const Axis axis : group) {
      if (config.axis(axis).size() != config.axis(group.front()).size()) {
        item.fail(fmt::format("zipped axes advance together and must be equally long: {} has {}, {} has {}",
                              kAxisNames[static_cast<std::size_t>(group.front())], config.axis(group.front()).size(),
                              kAxisNames[static_cast<std::size_t>(axis)], config.axis(axis).size()));
      }
    }
    config.zip.push_back(std::move(group));
  }
  std::sort(config.zip.begin(), config.zip.end());
}

u64 grid_size(const ExperimentConfig& config) {
  const u64 codec = product(codec_factors(config)), baselines = product(baseline_factors(config));
  return codec > ~u64{0} - baselines ? ~u64{0} : codec + baselines;
}

std::string describe_grid(const ExperimentConfig& config) {
  const std::string codec = describe(codec_factors(config));
  if (config.baselines.empty()) return codec;
  return fmt::format("{} + {}", codec, describe(baseline_factors(config)));
}

}  // namespace wcodec

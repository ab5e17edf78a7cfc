#include "experiments/stage_registries.hpp"

#include "entropy/registry.hpp"
#include "predictors/registry.hpp"

namespace wcodec {
namespace {

BaselineRegistry& baselines_of_process() {
  static BaselineRegistry registry;
  return registry;
}

}  // namespace

const BaselineRegistry& experiment_baselines() { return baselines_of_process(); }

void use_plugins(std::span<const std::string> paths) {
  const PluginSet plugins = load_plugins(paths);
  add_predictors(plugins.predictors);
  add_coders(plugins.coders);
  baselines_of_process().add(plugins);
}

}  // namespace wcodec

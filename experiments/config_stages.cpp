#include "codec/stages.hpp"
#include "entropy/registry.hpp"
#include "experiments/approximations.hpp"
#include "experiments/config.hpp"
#include "experiments/orders.hpp"
#include "experiments/stage_registries.hpp"
#include "predictors/registry.hpp"

namespace wcodec {
namespace {

std::string modes_identity(const std::string& modes) {
  std::string out;
  for (const PredictorChoice& choice : parse_mode_set(split_modes(modes))) {
    const sv identity = choice.row->identity;
    if (!identity.empty()) out += (out.empty() ? "" : ";") + std::string(identity);
  }
  return out;
}

}  // namespace

StageNames stage_names() {
  StageNames names;
  names.quantizer = canonical_quantizer;
  names.order = canonical_order;
  names.approx = canonical_approx;
  names.tile = canonical_tile;
  names.transform = canonical_transform;
  names.coder = canonical_coder;
  names.modes = canonical_modes;
  names.baseline = [](sv spec) { return experiment_baselines().prepare(spec).spec; };
  names.modes_identity = modes_identity;
  names.coder_identity = [](const std::string& spec) { return std::string(parse_coder(spec).row->identity); };
  names.baseline_identity = [](const std::string& spec) { return experiment_baselines().prepare(spec).identity; };
  names.baseline_device = [](const std::string& spec) {
    return std::string(experiment_baselines().prepare(spec).row->is_on_gpu ? "cuda:0" : "cpu");
  };
  return names;
}

}  // namespace wcodec

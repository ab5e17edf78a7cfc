#include "codec/layer_plan.hpp"

#include <fmt/format.h>

#include "codec/stages.hpp"

namespace wcodec {

StagePlan plan_layer(const TensorInfo& tensor, const EncodeOptions& options) {
  static_cast<void>(tensor);  // one plan for all of them, until measurements say otherwise
  const std::string tile = options.tile.empty() ? "16x16" : options.tile;
  const std::string coder = options.coder.empty() ? "rans:tables=row-col-scale,contexts=64" : options.coder;
  return {parse_tile(canonical_tile(tile)),
          parse_mode_set(options.modes.empty() ? std::vector<std::string>{"none"} : options.modes), parse_coder(coder)};
}

std::string to_string(const StagePlan& plan) {
  return fmt::format("{} {} {}", to_string(plan.tile), mode_set_name(plan.modes), plan.coder.spec);
}

}  // namespace wcodec

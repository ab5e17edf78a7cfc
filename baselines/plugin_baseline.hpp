// A baseline from a plug-in as a row of the registry.
#pragma once

#include <memory>

#include "baselines/baseline.hpp"
#include "core/plugin.hpp"

namespace wcodec {

// The row; it and the strings that it shows live as long as the pointer or a PreparedBaseline made from it.
std::shared_ptr<const Baseline> make_plugin_baseline(const PluginBaseline& plugin);

}  // namespace wcodec

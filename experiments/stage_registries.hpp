// The registries of this process, plug-ins included. Filled once, before any thread or worker starts.
#pragma once

#include <span>
#include <string>

#include "baselines/registry.hpp"

namespace wcodec {

const BaselineRegistry& experiment_baselines();

// Loads plug-in libraries into the registries of predictors, entropy coders and baselines. Not thread-safe; call at
// most once.
void use_plugins(std::span<const std::string> paths);

}  // namespace wcodec

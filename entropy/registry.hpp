// THE list of entropy coders.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/plugin.hpp"
#include "entropy/entropy_coder.hpp"

namespace wcodec {

// Ours, then those of plug-ins.
const std::vector<const EntropyCoder*>& entropy_coders() noexcept;
// Adds what plug-ins offer. Throws Error{usage} when a name is taken. Not thread-safe: before anything else uses the
// registry.
void add_coders(std::span<const PluginCoder> plugins);

inline constexpr u8 kFirstPluginCoder = 128;  // such ids are not stable, so files carry the name as well

// A coder with its options, checked.
struct CoderChoice {
  const EntropyCoder* row;
  CoderOptions options;
  std::string spec;  // canonical: "rans:tables=tensor"
};
CoderChoice parse_coder(sv text);  // throws Error{usage} with the nearest name
// Throws Error{corrupt}; Error{unsupported} for a plug-in's coder that is not loaded.
const EntropyCoder& coder_from_wire(u8 id, sv name = {});

}  // namespace wcodec

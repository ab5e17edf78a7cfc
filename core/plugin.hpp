// Loads plug-ins (core/plugin.h) and checks what they say of themselves. The registries of predictors, coders and
// baselines make rows of what is found here.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/plugin.h"
#include "core/types.hpp"

namespace wcodec {

// What a plug-in adds to the hash of a cell that uses it: a rebuilt library is another one.
struct PluginIdentity {
  std::string name, version;  // as declared
  std::string file_hash;      // content hash of the shared library
  std::string file;           // its name without folders, for messages and provenance

  std::string text() const { return name + " " + version + " " + file_hash; }
};

// Something a plug-in offers. `row` has been checked and lives as long as the process.
template <class Row>
struct PluginPart {
  const Row* row;
  PluginIdentity from;

  sv name() const noexcept { return row->name; }
};
using PluginPredictor = PluginPart<wcodec_plugin_predictor>;
using PluginCoder = PluginPart<wcodec_plugin_coder>;
using PluginBaseline = PluginPart<wcodec_plugin_baseline>;

struct PluginSet {
  std::vector<PluginIdentity> plugins;
  std::vector<PluginPredictor> predictors;
  std::vector<PluginCoder> coders;
  std::vector<PluginBaseline> baselines;
};

// Loads each shared library, once each even if named twice, and runs the code in it. Throws Error{not_found} (no such
// file), Error{unsupported} (another ABI, or the plug-in refuses), or Error{usage} (not a plug-in, or what it describes
// breaks a rule of core/plugin.h).
PluginSet load_plugins(std::span<const std::string> paths);

// Throws Error{usage} when a plug-in's `what` ("baseline") has one of the names that a registry knows already.
void refuse_clash(sv what, sv name, const PluginIdentity& from, std::span<const sv> taken);

}  // namespace wcodec

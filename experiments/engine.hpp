// Runs tasks on other machines through a scheduler that exists already (Ray, Slurm): an adapter, a program of its own,
// hands work units out, and this process merges what comes home. The other engine is the pool of this machine
// (worker_pool.hpp), behind the same events.
//
// The adapter's standard input has one line that says how, {"command": …, "fragments": …, "options": …}, a line for
// each unit, and {"end": true}; it stays open for as long as this process lives. On descriptor 3 it answers:
//   {"over": unit, "fragment": path}   the unit has been run; its fragment lies there, and is ours to remove
//   {"lost": unit, "reason": …}        it could not be run, however often it was tried
//   {"said": …}                        for the user
//   {"finished": true}                 every unit is over or lost
#pragma once

#include <map>
#include <string>
#include <vector>

#include "experiments/work_unit.hpp"
#include "experiments/worker_pool.hpp"

namespace wcodec {

struct EngineOptions {
  std::vector<std::string> adapter;        // program and arguments
  std::vector<std::string> command;        // how a machine starts this program, up to the subcommand
  std::vector<std::string> plugins;        // shared libraries for it
  std::string fragments;                   // folder for fragments; created
  std::map<std::string, std::string> own;  // options of the adapter's own
};

// As run_tasks. Each cell ends in exactly one of done, timed and failed, also where a fragment comes twice. An adapter
// that ends before it has finished is Error{internal} with its last words; what had come home is recorded.
bool run_units(const std::vector<WorkUnit>& units, const EngineOptions& options, const PoolEvents& events);

// Fragments that a killed run left behind: their records go to `store`, then they are removed. Returns the number of
// records that were new.
u64 merge_fragments(const std::string& folder, Store& store);

// The adapters that this program knows: "ray", "slurm".
std::vector<sv> engine_names();
// Throws Error{usage} for another name.
std::vector<std::string> engine_adapter(const std::string& name);

}  // namespace wcodec

// Where numbers come from: provenance.json. Enough to build the same program and find the same input again; no host
// name, no user name and no absolute path.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "experiments/config.hpp"
#include "experiments/plan.hpp"

namespace wcodec {

struct BuildRecord {
  std::string version;                // of the project
  std::optional<std::string> commit;  // nothing when built from sources that are not a Git checkout
  bool dirty = false;                 // tracked files differed from that commit
  std::string compiler, build_type, flags;
  std::map<std::string, std::string> libraries;  // versions of those that are linked
};
BuildRecord build_record();

struct MachineRecord {
  std::string cpu;       // model; empty where the system does not say
  unsigned cpus = 0;     // that this process may use
  u64 memory_bytes = 0;  // of the machine
  std::string os, architecture;
};
MachineRecord machine_record();

struct FileRecord {
  std::string name;  // without its folder
  u64 bytes = 0;
  std::string sha256;
};
FileRecord record_file(const std::string& path);  // reads all of it; throws Error{io}

struct CheckpointRecord {
  std::string name, family;
  std::string address;  // as written in the config; of an absolute path, only its last part
  std::vector<FileRecord> files;
  std::string skipped;  // why, if it was not there
};
std::vector<CheckpointRecord> record_checkpoints(const ExperimentConfig& config,
                                                 std::span<const OpenedCheckpoint> opened);

struct RunRecord {
  std::string experiment, question, config_hash;
  u64 seed = 0;
  std::vector<CheckpointRecord> checkpoints;
  struct Cells {
    u64 planned = 0;   // rows asked for
    u64 finished = 0;  // with a result, reused ones included
    u64 failed = 0;    // failed, timed out or crashed
    u64 reused = 0;    // results of an earlier run
  } cells;
  std::chrono::system_clock::time_point started, ended;
};

// JSON with a line end; keys in a fixed order; valid UTF-8 whatever the names hold.
std::string provenance_json(const RunRecord& run);

// "…/model.safetensors" for "/home/someone/model.safetensors"; text without absolute paths stays as it is. Paths end at
// any of `separators`. "hf://org/name" is no path.
std::string without_absolute_paths(sv text, sv separators);

}  // namespace wcodec

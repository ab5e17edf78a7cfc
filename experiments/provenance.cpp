#include "experiments/provenance.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "experiments/csv.hpp"
#include "experiments/gpu_cells.hpp"

namespace wcodec {
namespace {

using Json = nlohmann::ordered_json;

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(plain_text(text)); }

std::string utc(std::chrono::system_clock::time_point time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

Json json_of(const BuildRecord& build) {
  Json out;
  out["compiler"] = build.compiler;
  out["build_type"] = build.build_type;
  out["flags"] = plain_text(build.flags);
  out["libraries"] = build.libraries;
  return out;
}

Json json_of(const MachineRecord& machine) {
  Json out;
  out["cpu"] = text_or_null(machine.cpu);
  out["cpus"] = machine.cpus;
  out["memory_bytes"] = machine.memory_bytes;
  out["os"] = text_or_null(machine.os);
  out["architecture"] = text_or_null(machine.architecture);
  const GpuRecord gpu = gpu_record();
  out["gpu"] = gpu.name.empty() ? Json(nullptr) : Json({{"name", plain_text(gpu.name)}, {"driver", gpu.driver}});
  return out;
}

Json json_of(const CheckpointRecord& checkpoint) {
  Json out;
  out["name"] = plain_text(checkpoint.name);
  out["family"] = plain_text(checkpoint.family);
  out["address"] = plain_text(checkpoint.address);
  out["files"] = Json::array();
  for (const FileRecord& file : checkpoint.files) {
    out["files"].push_back({{"name", plain_text(file.name)}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  }
  if (!checkpoint.skipped.empty()) out["skipped"] = plain_text(checkpoint.skipped);
  return out;
}

}  // namespace

FileRecord record_file(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) throw Error(ErrorKind::io, fmt::format("{}: {}", printable(path), error.message()));
  return {std::filesystem::path(path).filename().string(), size, sha256_file(path)};
}

std::vector<CheckpointRecord> record_checkpoints(const ExperimentConfig& config,
                                                 std::span<const OpenedCheckpoint> opened) {
  std::vector<CheckpointRecord> records;
  for (std::size_t i = 0; i < config.checkpoints.size(); ++i) {
    const CheckpointConfig& asked = config.checkpoints[i];
    CheckpointRecord record{asked.name, asked.family, without_absolute_paths(asked.path, "=:,;"), {}, {}};
    if (i < opened.size() && opened[i].checkpoint) {
      for (const std::string& path : opened[i].checkpoint->files()) record.files.push_back(record_file(path));
    } else if (i < opened.size()) {
      record.skipped = without_absolute_paths(opened[i].skipped, " =:,;'\"");
    }
    records.push_back(std::move(record));
  }
  return records;
}

std::string provenance_json(const RunRecord& run) {
  const BuildRecord build = build_record();
  Json out;
  out["experiment"] = plain_text(run.experiment);
  out["question"] = plain_text(run.question);
  out["version"] = build.version;
  out["commit"] = build.commit ? Json(*build.commit) : Json();
  out["dirty"] = build.commit ? Json(build.dirty) : Json();
  out["cell_version"] = kCellVersion;
  out["config_hash"] = run.config_hash;
  out["seed"] = run.seed;
  out["cells"] = {{"planned", run.cells.planned},
                  {"finished", run.cells.finished},
                  {"failed", run.cells.failed},
                  {"reused", run.cells.reused}};
  out["started"] = utc(run.started);
  out["ended"] = utc(run.ended);
  out["checkpoints"] = Json::array();
  for (const CheckpointRecord& checkpoint : run.checkpoints) out["checkpoints"].push_back(json_of(checkpoint));
  out["build"] = json_of(build);
  if (const std::string kernels = gpu_record().kernels; !kernels.empty()) out["kernels"] = kernels;
  out["machine"] = json_of(machine_record());
  return out.dump(2) + "\n";
}

std::string without_absolute_paths(sv text, sv separators) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_of(separators, at), text.size());
    const sv part = text.substr(at, end - at);
    const auto slash = part.find('/');
    // "-I/usr/include" and "~someone/file" are absolute too; what follows a scheme is an address.
    const bool absolute = slash == 0 || (slash != sv::npos && (part.starts_with('-') || part.starts_with('~')) &&
                                         part.substr(0, 2) != "~/");
    const bool address = part.starts_with("//") && !part.starts_with("///") && at > 0 && text[at - 1] == ':';
    if (absolute && !address) {
      const std::size_t last = part.substr(0, part.find_last_not_of('/') + 1).rfind('/');
      out += part.starts_with('-') ? part.substr(0, slash) : sv();
      out += "…/";
      if (last != sv::npos) out += part.substr(last + 1);
    } else {
      out += part;
    }
    if (end < text.size()) out += text[end];
    at = end + 1;
  }
  return out;
}

}  // namespace wcodec

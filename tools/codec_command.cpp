#include "tools/codec_command.hpp"

#include <fmt/format.h>
#include <malloc.h>

#include <cstdio>

#include "core/error.hpp"
#include "tools/byte_progress.hpp"

namespace wcodec {

void WorkArguments::declare(CLI::App& command) {
  command.add_option("-j,--threads", threads, "Threads (default: as many as the machine runs at once)")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  command
      .add_option("--memory", memory_mib,
                  "Bound on the memory of what is worked on at a time (default: threads + 2 parts of layers)")
      ->type_name("MIB")
      ->check(CLI::Range(1, 1 << 24));
  command.add_flag("--json", json, "Print one JSON object");
  command.add_flag("-q,--quiet", quiet, "No progress, and nothing when all is well");
}

u64 WorkArguments::memory_bytes() const {
#if defined(__GLIBC__)
  // Otherwise every thread's heap keeps what the largest part has taken.
  if (memory_mib != 0) {
    ::mallopt(M_MMAP_THRESHOLD, 1 << 18);
    ::mallopt(M_ARENA_MAX, 1);
  }
#endif
  return memory_mib << 20;
}

void declare_device(CLI::App& command, std::string& device) {
  command
      .add_option("--device", device,
                  "What decodes: cpu (default), cuda:N (that GPU), or auto (a GPU where there is one, see `wcodec "
                  "devices`)")
      ->type_name("DEVICE");
}

void print_note(const std::string& note, const WorkArguments& work) {
  if (!note.empty() && !work.quiet) std::fputs(fmt::format("wcodec: note: {}\n", printable(note)).c_str(), stderr);
}

std::map<std::string, std::string> parse_views(const std::vector<std::string>& views) {
  std::map<std::string, std::string> out;
  for (const std::string& view : views) {
    const auto equals = view.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw Error(ErrorKind::usage,
                  fmt::format("--view {}: write GLOB=SPEC, e.g. \"*.codes=int4:bias=8\"", printable(view)));
    }
    out[view.substr(0, equals)] = view.substr(equals + 1);
  }
  return out;
}

nlohmann::json ledger_json(const Ledger& ledger) {
  nlohmann::json out = nlohmann::json::object();
  for (std::size_t i = 0; i < kLedgerEntries; ++i) out[std::string(kLedgerColumns[i])] = ledger.bytes[i];
  return out;
}

void put_device(nlohmann::json& out, const std::string& device, u64 gpu_records, u64 cpu_records,
                const std::string& note) {
  out["device"] = device;
  out["gpu_records"] = gpu_records;
  out["cpu_records"] = cpu_records;
  if (!note.empty()) out["note"] = note;
}

std::string json_text(const nlohmann::json& json) {
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

void print_stats(const CodecStats& stats, bool encoded, const std::string& destination, const WorkArguments& work) {
  print_note(stats.note, work);
  if (work.json) {
    nlohmann::json out = {{"output", destination},
                          {"source_bytes", stats.source_bytes},
                          {"container_bytes", stats.container_bytes},
                          {"tensor_bytes", stats.tensor_bytes},
                          {"ratio", stats.ratio()},
                          {"weights", stats.weights},
                          {"layers", stats.layers},
                          {"parts", stats.parts},
                          {"files", stats.files},
                          {"ledger", ledger_json(stats.ledger)},
                          {"seconds", stats.seconds}};
    if (!encoded) put_device(out, stats.device, stats.gpu_records, stats.cpu_records, stats.note);
    print_line(json_text(out));
    return;
  }
  if (work.quiet) return;
  const u64 from = encoded ? stats.source_bytes : stats.container_bytes;
  const u64 to = encoded ? stats.container_bytes : stats.source_bytes;
  print_line(fmt::format("{}: {} layers, {} to {} (ratio {:.4f}), {:.2f} s, {:.0f} MB/s", printable(destination),
                         stats.layers, bytes_text(from), bytes_text(to), stats.ratio(), stats.seconds,
                         static_cast<double>(stats.source_bytes) / 1e6 / std::max(stats.seconds, 1e-9)));
}

}  // namespace wcodec

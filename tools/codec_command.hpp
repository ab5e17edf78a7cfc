// What `encode`, `decode` and `verify` have in common on the command line.
#pragma once

#include <map>
#include <nlohmann/json.hpp>

#include "codec/checkpoint_codec.hpp"
#include "tools/command.hpp"

namespace wcodec {

struct WorkArguments {
  unsigned threads = 0;
  u64 memory_mib = 0;
  bool json = false, quiet = false;
  void declare(CLI::App& command);
  // The bound in bytes, for the options of the codec. Where there is one, freed memory goes back to the system at once.
  u64 memory_bytes() const;
};

// --device, of the commands that decode.
void declare_device(CLI::App& command, std::string& device);
// What there is to say of the device: a note to standard error, unless `quiet`.
void print_note(const std::string& note, const WorkArguments& work);
// Values of --view, "GLOB=SPEC" each. Throws Error{usage}.
std::map<std::string, std::string> parse_views(const std::vector<std::string>& views);

// "12.3 MB to 4.5 MB …", or the same as JSON.
void print_stats(const CodecStats& stats, bool encoded, const std::string& destination, const WorkArguments& work);

// Which device decoded, how many records there and on the CPU, and why.
void put_device(nlohmann::json& out, const std::string& device, u64 gpu_records, u64 cpu_records,
                const std::string& note);

nlohmann::json ledger_json(const Ledger& ledger);

// JSON with bytes that are no UTF-8 replaced.
std::string json_text(const nlohmann::json& json);

inline constexpr const char* kCodecExit =
    "Exit status: 0 all fine; 2 wrong usage or input, and nothing was written; 130 interrupted, likewise.\n\n";

}  // namespace wcodec

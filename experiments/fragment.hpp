// A fragment of a ledger: what one process found, as lines of JSON that are only ever appended, by one writer. Many
// machines write one each on a shared file system or send theirs home; the driver merges them into the one ledger.
// (Several writers of one SQLite file over a network would corrupt it.)
//
// A line is 8 hex digits, the CRC-32 of the rest, a space and one object: {"cell": …}, {"diagnostics": …, "hash": …},
// {"timing": …} or {"failed_pass": hash, "reason": …}. A line that is torn or damaged is dropped, so its cell is run
// again.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "experiments/store.hpp"

namespace wcodec {

struct Fragment {
  std::vector<CellRecord> cells;
  std::vector<std::pair<std::string, Diagnostics>> diagnostics;  // by the hash of the pass
  std::vector<TimingRecord> timings;
  std::vector<std::pair<std::string, std::string>> failed_passes;  // of diagnostics or timing: hash, reason
  u64 dropped = 0;                                                 // lines
};

// An absent file is an empty fragment. Throws Error{io}.
Fragment read_fragment(const std::string& path);

class FragmentWriter {
 public:
  // Opens or creates `path` for appending; a torn last line is closed, so that it harms nothing behind it. Throws
  // Error{io}, as do all others.
  explicit FragmentWriter(const std::string& path);
  ~FragmentWriter();
  FragmentWriter(const FragmentWriter&) = delete;
  FragmentWriter& operator=(const FragmentWriter&) = delete;

  void record(const CellRecord& record);
  void record_diagnostics(const std::string& hash, const Diagnostics& diagnostics);
  void record_timing(const TimingRecord& record);
  void record_failed_pass(const std::string& hash, const std::string& reason);
  // Everything recorded so far survives the death of the machine.
  void sync();

 private:
  void append(const nlohmann::json& object);
  std::string path_;
  int descriptor_ = -1;
};

}  // namespace wcodec

// The ledger of an experiment: `ledger.sqlite` in its output folder. Rows are only ever appended; the newest row of a
// cell counts. The file survives `kill -9` at any moment: a record is whole or absent, and a record whose bytes were
// damaged later is dropped, so that its cell is run again.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "experiments/cell.hpp"
#include "experiments/measure.hpp"

namespace wcodec {

enum class CellStatus : u8 { finished, failed, timeout, crashed, unavailable };
inline constexpr std::array<sv, 5> kCellStatusNames = {"finished", "failed", "timeout", "crashed", "unavailable"};
constexpr sv to_string(CellStatus status) noexcept { return kCellStatusNames[static_cast<u8>(status)]; }

struct CellRecord {
  std::string hash;
  CellStatus status = CellStatus::finished;
  CellResult result;   // of a finished cell
  std::string reason;  // of any other
};

// A timed cell: raw seconds, so that any statistic can be taken later.
struct TimingRecord {
  std::string hash;
  TimedCell timed;
  int threads = 1;
  double clock_mhz = 0;  // NaN where the machine does not say
  bool throttled = false;
};

// Not for use from several threads. One process at a time writes (FolderLock, lock.hpp). Every function throws
// Error{io} when the disk is full or refuses; what was committed before stays, and the store is then only good for
// destruction.
class Store {
 public:
  // Opens or creates the ledger in `folder`, which is created too. A damaged ledger is salvaged: what can still be read
  // is kept, the damaged file stays beside it as `ledger.sqlite.damaged`, and `notes` says so. Throws
  // Error{unsupported} for a ledger of a later version, Error{usage} for a file that is not a ledger.
  explicit Store(const std::string& folder);
  ~Store();
  Store(Store&&) noexcept;

  // Newest valid record of each cell, diagnostics pass (by the hash of its cell, see diagnostic_cells) and timed cell.
  const std::unordered_map<std::string, CellRecord>& cells() const noexcept;
  const std::unordered_map<std::string, Diagnostics>& diagnostics() const noexcept;
  const std::unordered_map<std::string, TimingRecord>& timings() const noexcept;
  std::optional<std::string> meta(const std::string& key) const;
  // Sentences for the user about what was repaired at opening.
  const std::vector<std::string>& notes() const noexcept;

  // Appends. A finished cell, a diagnostics pass or a timing that is there already is not written twice.
  void record(const CellRecord& record);
  void record_diagnostics(const std::string& hash, const Diagnostics& diagnostics);
  void record_timing(const TimingRecord& record);
  void set_meta(const std::string& key, const std::string& value);
  // Makes everything recorded so far survive the death of this process, and about once a second also that of the
  // machine (an fsync each time would cost more than a small cell does).
  void commit();
  // Commits, folds the log into the file and turns it to a plain journal, so that it opens from a read-only medium.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wcodec

#include "experiments/store.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "experiments/lock.hpp"

namespace wcodec {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

struct TemporaryFolder {
  std::string path;
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "wcodec-store-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  std::string ledger() const { return path + "/ledger.sqlite"; }
};

std::string name_of(std::size_t i) { return content_hash("cell " + std::to_string(i)); }

CellRecord finished(std::size_t i) {
  CellRecord record;
  record.hash = name_of(i);
  CellResult& r = record.result;
  r.hash = record.hash;
  r.weights = 1000 + i;
  r.source_bytes = ~u64{0} - i;  // beyond what a double holds
  r.coded_bytes = 7 * i;
  r.ledger[LedgerEntry::payload] = 7 * i;
  r.h0_bpw = 1.0 / (3.0 + static_cast<double>(i));
  r.gm_bpw = std::nan("");
  r.modes = {{"symbols", "none", i}, {"symbols", "left", 2 * i}};
  return record;
}

void expect_equal(const CellRecord& a, const CellRecord& b) {
  EXPECT_EQ(a.hash, b.hash);
  EXPECT_EQ(a.status, b.status);
  EXPECT_EQ(a.result.weights, b.result.weights);
  EXPECT_EQ(a.result.source_bytes, b.result.source_bytes);
  EXPECT_EQ(a.result.ledger, b.result.ledger);
  EXPECT_EQ(a.result.h0_bpw, b.result.h0_bpw);
  EXPECT_EQ(std::isnan(a.result.gm_bpw), std::isnan(b.result.gm_bpw));
  ASSERT_EQ(a.result.modes.size(), b.result.modes.size());
  for (std::size_t i = 0; i < a.result.modes.size(); ++i) EXPECT_EQ(a.result.modes[i].tiles, b.result.modes[i].tiles);
}

void fill(const std::string& folder, std::size_t count, bool finish) {
  Store store(folder);
  for (std::size_t i = 0; i < count; ++i) {
    store.record(finished(i));
    store.commit();
  }
  if (finish) store.finish();
}

std::size_t intact(const Store& store, std::size_t count) {
  std::size_t found = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (const auto it = store.cells().find(name_of(i)); it != store.cells().end()) {
      expect_equal(it->second, finished(i));
      ++found;
    }
  }
  return found;
}

// Leaves ledger, log and index as a killed process does.
void fill_and_die(const std::string& folder, std::size_t count) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Store store(folder);
    for (std::size_t i = 0; i < count; ++i) {
      store.record(finished(i));
      store.commit();
    }
    ::raise(SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
}

TEST(Store, ReadsBackWhatItWasGiven) {
  const TemporaryFolder folder;
  Diagnostics diagnostics{"original", "int8", {{"symbols", "none", {{-3, 5}, {0, 7}}}}, {{0, 1, 0.1}, {1, -4, -1e-17}}};
  {
    Store store(folder.path);
    for (std::size_t i = 0; i < 20; ++i) store.record(finished(i));
    store.record({name_of(20), CellStatus::timeout, {}, "took longer than 5 s; a \"quoted\" name, Größe, \xff"});
    store.record_diagnostics("key", diagnostics);
    store.record_timing({name_of(3), {100, 50, {0.5, 0.25}, {1e-9}}, 1, std::nan(""), true});
    store.set_meta("config", "abc");
    store.set_meta("config", "def");
    store.finish();
  }
  const Store store(folder.path);
  EXPECT_EQ(intact(store, 20), 20u);
  EXPECT_EQ(store.cells().at(name_of(20)).status, CellStatus::timeout);
  EXPECT_EQ(store.cells().at(name_of(20)).reason, "took longer than 5 s; a \"quoted\" name, Größe, \xff");
  EXPECT_EQ(store.meta("config"), "def");
  EXPECT_EQ(store.meta("other"), std::nullopt);
  const Diagnostics& back = store.diagnostics().at("key");
  EXPECT_EQ(back.histograms.at(0).counts, diagnostics.histograms[0].counts);
  EXPECT_EQ(back.correlations.at(1).rho, -1e-17);
  const TimingRecord& timing = store.timings().at(name_of(3));
  EXPECT_EQ(timing.timed.encode_seconds, (std::vector<double>{0.5, 0.25}));
  EXPECT_TRUE(timing.throttled);
  EXPECT_TRUE(std::isnan(timing.clock_mhz));
  EXPECT_TRUE(store.notes().empty());
}

TEST(Store, TheNewestRecordCountsAndAFinishedCellStays) {
  const TemporaryFolder folder;
  {
    Store store(folder.path);
    store.record({name_of(1), CellStatus::failed, {}, "first"});
    store.record(finished(1));
    store.record({name_of(1), CellStatus::crashed, {}, "late"});
    store.finish();
  }
  EXPECT_EQ(Store(folder.path).cells().at(name_of(1)).status, CellStatus::finished);
}

TEST(Store, AFinishedLedgerIsOneFileWithAPlainJournal) {
  const TemporaryFolder folder;
  fill(folder.path, 100, true);
  EXPECT_FALSE(fs::exists(folder.ledger() + "-wal"));
  EXPECT_FALSE(fs::exists(folder.ledger() + "-shm"));
  std::ifstream file(folder.ledger(), std::ios::binary);
  char header[20] = {};
  file.read(header, sizeof header);
  EXPECT_EQ(header[18], 1) << "write version: 1 is a rollback journal, 2 a log";
  EXPECT_EQ(header[19], 1) << "read version";
}

TEST(Store, SurvivesAKillAtAnyMoment) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    const TemporaryFolder folder;
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      Store store(folder.path);
      for (std::size_t i = 0;; ++i) {
        store.record(finished(i));
        store.commit();
        [[maybe_unused]] const auto told = ::write(ends[1], "x", 1);
        if (i % 64 == 63) store.finish();  // the moments of turning the journal over count too
      }
    }
    ::close(ends[1]);
    ::usleep(std::uniform_int_distribution<useconds_t>(0, 60000)(random));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    std::size_t committed = 0;
    char window[4096];
    for (ssize_t got; (got = ::read(ends[0], window, sizeof window)) > 0;) committed += static_cast<std::size_t>(got);
    ::close(ends[0]);
    const Store store(folder.path);
    EXPECT_TRUE(store.notes().empty()) << store.notes().front();
    EXPECT_EQ(intact(store, committed), committed) << "round " << round;
    EXPECT_LE(store.cells().size(), committed + 1) << "round " << round;
  }
}

TEST(Store, DropsATornLastRecord) {
  for (const std::size_t torn : {1, 100, 4000, 5000, 20000}) {
    const TemporaryFolder folder;
    fill_and_die(folder.path, 40);
    const auto size = fs::file_size(folder.ledger() + "-wal");
    ASSERT_GT(size, torn);
    fs::resize_file(folder.ledger() + "-wal", size - torn);
    Store store(folder.path);
    const std::size_t left = intact(store, 40);
    EXPECT_LT(left, 40u) << torn;
    EXPECT_EQ(left, store.cells().size());
    for (std::size_t i = 0; i < 40; ++i) store.record(finished(i));
    store.finish();
    EXPECT_EQ(intact(Store(folder.path), 40), 40u);
  }
}

// Flips bytes or cuts the end of a file, anywhere: whatever is read back is right, and the ledger works afterwards.
TEST(Store, SalvagesADamagedLedger) {
  std::mt19937 random(11);
  std::size_t salvaged = 0, kept = 0;
  for (int round = 0; round < 30; ++round) {
    const TemporaryFolder folder;
    const bool log = round % 3 == 0;
    if (log) {
      fill_and_die(folder.path, 60);
    } else {
      fill(folder.path, 60, true);
    }
    const std::string victim = folder.ledger() + (log ? "-wal" : "");
    const auto size = fs::file_size(victim);
    const auto at = std::uniform_int_distribution<std::uintmax_t>(0, size - 1)(random);
    if (round % 2 == 0) {
      fs::resize_file(victim, at);
    } else {
      std::fstream file(victim, std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(static_cast<std::streamoff>(at));
      for (int i = 0; i < 64; ++i) file.put(static_cast<char>(random()));
    }
    {
      Store store(folder.path);
      const std::size_t left = intact(store, 60);
      EXPECT_EQ(store.cells().size(), left) << "round " << round;
      salvaged += !store.notes().empty();
      kept += left;
      for (std::size_t i = 0; i < 60; ++i) store.record(finished(i));
      store.finish();
    }
    EXPECT_EQ(intact(Store(folder.path), 60), 60u) << "round " << round;
  }
  EXPECT_GT(salvaged, 5u);
  EXPECT_GT(kept, 300u);
}

TEST(Store, RefusesWhatIsNotItsOwn) {
  const TemporaryFolder folder;
  fill(folder.path, 3, true);
  {
    std::fstream file(folder.ledger(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(60);  // user_version, big-endian
    file.write("\0\0\0\x63", 4);
  }
  try {
    const Store store(folder.path);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_THAT(error.what(), HasSubstr("later version"));
  }
}

// Runs `work` in a child and returns what it said: the exception's text, or nothing.
template <class Work>
std::string in_child(Work work) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::string said;
    try {
      work();
    } catch (const Error& error) {
      said = std::string(to_string(error.kind())) + ": " + error.what();
    }
    [[maybe_unused]] const auto told = ::write(ends[1], said.data(), said.size());
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string said;
  char window[4096];
  for (ssize_t got; (got = ::read(ends[0], window, sizeof window)) > 0;) said.append(window, static_cast<size_t>(got));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  return said;
}

TEST(Store, AFullDiskIsACleanStopAndResumable) {
  const TemporaryFolder folder;
  const std::string said = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{200'000, 200'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    fill(folder.path, 10'000, true);
  });
  EXPECT_THAT(said, HasSubstr("io: "));
  EXPECT_THAT(said, HasSubstr("disk is full"));
  std::size_t before = 0;
  {
    const Store store(folder.path);
    before = store.cells().size();
    EXPECT_GT(before, 20u);
    EXPECT_EQ(intact(store, before), before);
  }
  fill(folder.path, before + 50, true);
  EXPECT_EQ(intact(Store(folder.path), before + 50), before + 50);
}

// A file system of its own, where this user may mount one.
struct SmallDisk {
  std::string path;
  bool mounted;
  SmallDisk(const std::string& at, const char* size) : path(at), mounted(fs::create_directory(at)) {
    mounted = ::mount("none", path.c_str(), "tmpfs", 0, size) == 0;
  }
  ~SmallDisk() {
    if (mounted) ::umount(path.c_str());
  }
};

TEST(Store, AFullFileSystemIsACleanStopAndResumable) {
  const TemporaryFolder folder;
  const SmallDisk disk(folder.path + "/disk", "size=256k");
  if (!disk.mounted) GTEST_SKIP() << "needs the right to mount";
  EXPECT_THAT(in_child([&] { fill(disk.path, 10'000, true); }), HasSubstr("disk is full"));
  EXPECT_THAT(in_child([&] { fill(disk.path, 10'000, true); }), HasSubstr("disk is full"));
  ASSERT_EQ(::mount("none", disk.path.c_str(), "tmpfs", MS_REMOUNT, "size=8m"), 0);
  fill(disk.path, 1000, true);
  EXPECT_EQ(intact(Store(disk.path), 1000), 1000u);
}

TEST(Store, AReadOnlyFolderIsSaidAndAFinishedLedgerStillOpensThere) {
  const TemporaryFolder folder;
  const SmallDisk disk(folder.path + "/disk", "size=8m");
  if (!disk.mounted) GTEST_SKIP() << "needs the right to mount";
  fill(disk.path, 30, true);
  ASSERT_EQ(::mount("none", disk.path.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=8m"), 0);
  {
    const Store store(disk.path);
    EXPECT_EQ(intact(store, 30), 30u);
  }
  EXPECT_THAT(in_child([&] { fill(disk.path, 31, true); }), HasSubstr("cannot be written"));
  EXPECT_THAT(in_child([&] { const FolderLock lock(disk.path); }), HasSubstr("cannot be written"));
}

TEST(Lock, NamesTheProcessThatHoldsIt) {
  const TemporaryFolder folder;
  {
    const FolderLock lock(folder.path);
    EXPECT_THAT(in_child([&] { const FolderLock second(folder.path); }),
                HasSubstr("another run (process " + std::to_string(::getpid()) + ")"));
  }
  EXPECT_EQ(in_child([&] { const FolderLock second(folder.path); }), "");
}

// As when a runner is killed while it starts a worker: the copy of the descriptor dies a moment later.
TEST(Lock, WaitsForTheLockOfADeadProcess) {
  const TemporaryFolder folder;
  const pid_t runner = ::fork();
  if (runner == 0) {
    const FolderLock lock(folder.path);
    if (::fork() == 0) {
      ::usleep(300'000);
      ::_exit(0);
    }
    ::_exit(0);
  }
  ::waitpid(runner, nullptr, 0);
  EXPECT_EQ(in_child([&] { const FolderLock second(folder.path); }), "");
}

}  // namespace
}  // namespace wcodec

#include "experiments/store.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <map>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "experiments/store_json.hpp"
#include "experiments/store_sqlite.hpp"

namespace wcodec {
namespace {

namespace fs = std::filesystem;

constexpr int kSchemaVersion = 1;
constexpr int kApplicationId = 0x57434443;  // "WCDC": tells our ledger from any other SQLite file
constexpr std::chrono::seconds kSyncInterval{1};

constexpr sv kSchema = R"(
CREATE TABLE cells(id INTEGER PRIMARY KEY, hash TEXT NOT NULL, version INTEGER NOT NULL, status TEXT NOT NULL,
                   body TEXT NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE diagnostics(id INTEGER PRIMARY KEY, hash TEXT NOT NULL, version INTEGER NOT NULL, status TEXT NOT NULL,
                         body TEXT NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE timings(id INTEGER PRIMARY KEY, hash TEXT NOT NULL, version INTEGER NOT NULL, status TEXT NOT NULL,
                     body TEXT NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE meta(id INTEGER PRIMARY KEY, hash TEXT NOT NULL, version INTEGER NOT NULL, status TEXT NOT NULL,
                  body TEXT NOT NULL, crc INTEGER NOT NULL);
)";
constexpr std::array<sv, 4> kTables = {"cells", "diagnostics", "timings", "meta"};

// One row of any table. `hash` is the name of what the row is about (a key in `meta`), `body` its JSON, the reason of a
// failure, or a value. SQLite does not checksum its pages, so each row carries its own CRC.
struct Row {
  std::string hash;
  i64 version;
  std::string status, body;

  i64 crc() const {
    const std::string all = fmt::format("{}\n{}\n{}\n{}", hash, version, status, body);
    return crc32(Bytes(reinterpret_cast<const u8*>(all.data()), all.size()));
  }
};

void insert(Database& database, sv table, const Row& row) {
  Statement statement =
      database.prepare(fmt::format("INSERT INTO {}(hash, version, status, body, crc) VALUES(?,?,?,?,?)", table));
  statement.bind(0, row.hash).bind(1, row.version).bind(2, row.status).bind(3, row.body).bind(4, row.crc());
  statement.step();
}

constexpr sv kColumns = "SELECT id, hash, version, status, body, crc FROM ";

// Calls `visit` for every row whose checksum agrees, oldest first; returns how many did not agree.
template <class Visit>
std::size_t read_rows(Database& database, sv table, Visit visit) {
  std::size_t bad = 0;
  Statement statement = database.prepare(fmt::format("{}{} ORDER BY id", kColumns, table));
  while (statement.step()) {
    const Row row{statement.text(1), statement.integer(2), statement.text(3), statement.text(4)};
    if (row.crc() == statement.integer(5)) {
      visit(row);
    } else {
      ++bad;
    }
  }
  return bad;
}

// What can still be read of a table in a damaged file: from the front until a bad page, then from the back.
std::map<i64, Row> salvage_rows(Database& damaged, sv table) {
  std::map<i64, Row> rows;
  for (const sv direction : {"ASC", "DESC"}) {
    try {
      Statement statement = damaged.prepare(fmt::format("{}{} ORDER BY id {}", kColumns, table, direction));
      while (statement.step()) {
        Row row{statement.text(1), statement.integer(2), statement.text(3), statement.text(4)};
        if (row.crc() == statement.integer(5)) rows.emplace(statement.integer(0), std::move(row));
      }
    } catch (const DamagedDatabase&) {
      continue;
    }
  }
  return rows;
}

void create_schema(Database& database) {
  database.execute("BEGIN IMMEDIATE");
  database.execute(std::string(kSchema));
  database.execute(fmt::format("PRAGMA application_id={}; PRAGMA user_version={}", kApplicationId, kSchemaVersion));
  database.execute("COMMIT");
}

// Throws DamagedDatabase if any page contradicts another.
void check(Database& database, const std::string& path) {
  const i64 application = database.number("PRAGMA application_id");
  const i64 version = database.number("PRAGMA user_version");
  if (application != kApplicationId) {
    if (application == 0 && version == 0 && database.number("SELECT count(*) FROM sqlite_master") == 0) return;
    throw Error(ErrorKind::usage,
                fmt::format("{} is not a ledger of this program; choose another output folder", printable(path)));
  }
  if (version > kSchemaVersion) {
    throw Error(ErrorKind::unsupported,
                fmt::format("{} was written by a later version of wcodec (ledger version {}, this one knows {})",
                            printable(path), version, kSchemaVersion));
  }
  if (const std::string answer = database.text("PRAGMA quick_check(1)"); answer != "ok") throw DamagedDatabase{answer};
}

// Rebuilds the ledger from what can be read. The order of steps leaves, whenever it is cut short, either the damaged
// file (to be salvaged again) or the salvaged one under the final name.
std::size_t salvage(const std::string& path) {
  const std::string fresh = path + ".salvage", aside = path + ".damaged";
  for (const char* tail : {"", "-wal", "-shm", "-journal"}) fs::remove(fresh + tail);
  std::size_t kept = 0;
  {
    Database to(fresh);
    create_schema(to);
    to.execute("BEGIN");
    try {
      Database from(path);
      for (const sv table : kTables) {
        for (const auto& [id, row] : salvage_rows(from, table)) {
          insert(to, table, row);
          kept += table == "cells";
        }
      }
    } catch (const DamagedDatabase&) {
      // Not even the header can be read: what came before stays.
    }
    to.execute("COMMIT");
  }
  fs::remove(aside);
  fs::copy_file(path, aside);
  for (const char* tail : {"-wal", "-shm", "-journal"}) fs::remove(path + tail);
  fs::rename(fresh, path);
  return kept;
}

}  // namespace

struct Store::State {
  std::string path;
  std::optional<Database> database;
  bool in_transaction = false;
  std::chrono::steady_clock::time_point last_sync{};
  std::vector<std::string> notes;
  std::unordered_map<std::string, CellRecord> cells;
  std::unordered_map<std::string, Diagnostics> diagnostics;
  std::unordered_map<std::string, TimingRecord> timings;
  std::unordered_map<std::string, std::string> meta;

  void open() {
    database.reset();
    database.emplace(path);
    check(*database, path);
    if (database->number("PRAGMA application_id") == 0) create_schema(*database);
    load();
  }

  void load() {
    std::size_t bad = 0;
    // A record of another cell version is history: its hash differs from any that is planned now.
    bad += read_rows(*database, "cells", [&](const Row& row) {
      for (std::size_t i = 0; i < kCellStatusNames.size(); ++i) {
        if (row.status != kCellStatusNames[i]) continue;
        CellRecord record{row.hash, static_cast<CellStatus>(i), {}, {}};
        if (record.status == CellStatus::finished) {
          record.result = cell_result_from_json(nlohmann::json::parse(row.body));
        } else {
          record.reason = row.body;
        }
        cells.insert_or_assign(row.hash, std::move(record));
      }
    });
    bad += read_rows(*database, "diagnostics", [&](const Row& row) {
      diagnostics.insert_or_assign(row.hash, diagnostics_from_json(nlohmann::json::parse(row.body)));
    });
    bad += read_rows(*database, "timings", [&](const Row& row) {
      timings.insert_or_assign(row.hash, timing_from_json(nlohmann::json::parse(row.body)));
    });
    bad += read_rows(*database, "meta", [&](const Row& row) { meta.insert_or_assign(row.hash, row.body); });
    if (bad != 0) {
      notes.push_back(fmt::format("{}: {} damaged record{} dropped; what {} described is run again", printable(path),
                                  bad, bad == 1 ? " was" : "s were", bad == 1 ? "it" : "they"));
    }
  }

  // Only a run that records something needs the write-ahead log.
  void begin() {
    if (in_transaction) return;
    if (database->text("PRAGMA journal_mode") != "wal") database->execute("PRAGMA journal_mode=WAL");
    const auto now = std::chrono::steady_clock::now();
    // A commit in full mode syncs the whole log, so it also secures the commits in normal mode before it.
    const bool sync = now - last_sync >= kSyncInterval;
    database->execute(sync ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    if (sync) last_sync = now;
    database->execute("BEGIN IMMEDIATE");
    in_transaction = true;
  }

  template <class Work>
  void guarded(Work work) {
    try {
      work();
    } catch (const DamagedDatabase& damage) {
      throw Error(ErrorKind::io, fmt::format("{} was damaged while in use ({}); run again to salvage it",
                                             printable(path), damage.detail));
    }
  }

  void append(sv table, const Row& row) {
    guarded([&] {
      begin();
      insert(*database, table, row);
    });
  }
};

Store::Store(const std::string& folder) : state_(std::make_unique<State>()) {
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) {
    throw Error(ErrorKind::io, fmt::format("{} cannot be created ({})", printable(folder), failure.message()));
  }
  state_->path = folder + "/ledger.sqlite";
  try {
    try {
      state_->open();
    } catch (const DamagedDatabase&) {
      state_->database.reset();
      state_->cells.clear();
      state_->diagnostics.clear();
      state_->timings.clear();
      const std::size_t kept = salvage(state_->path);
      state_->notes.push_back(
          fmt::format("{} was damaged: {} cell records could be read and are kept, the rest is run again; the damaged "
                      "file stays as ledger.sqlite.damaged",
                      printable(state_->path), kept));
      state_->open();
    }
  } catch (const DamagedDatabase& damage) {
    throw Error(ErrorKind::io, fmt::format("{} is damaged ({}) and could not be salvaged; move it away to start anew",
                                           printable(state_->path), damage.detail));
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorKind::io,
                fmt::format("{}: salvaging failed ({})", printable(state_->path), error.code().message()));
  }
}

Store::~Store() = default;
Store::Store(Store&&) noexcept = default;

const std::unordered_map<std::string, CellRecord>& Store::cells() const noexcept { return state_->cells; }
const std::unordered_map<std::string, Diagnostics>& Store::diagnostics() const noexcept { return state_->diagnostics; }
const std::unordered_map<std::string, TimingRecord>& Store::timings() const noexcept { return state_->timings; }
const std::vector<std::string>& Store::notes() const noexcept { return state_->notes; }

std::optional<std::string> Store::meta(const std::string& key) const {
  const auto it = state_->meta.find(key);
  return it == state_->meta.end() ? std::nullopt : std::optional(it->second);
}

void Store::record(const CellRecord& record) {
  const auto it = state_->cells.find(record.hash);
  if (it != state_->cells.end() && it->second.status == CellStatus::finished) return;
  const bool finished = record.status == CellStatus::finished;
  state_->append("cells", {record.hash, kCellVersion, std::string(to_string(record.status)),
                           finished ? to_json(record.result).dump() : record.reason});
  state_->cells.insert_or_assign(record.hash, record);
}

void Store::record_diagnostics(const std::string& hash, const Diagnostics& diagnostics) {
  if (state_->diagnostics.contains(hash)) return;
  state_->append("diagnostics", {hash, kCellVersion, "finished", to_json(diagnostics).dump()});
  state_->diagnostics.emplace(hash, diagnostics);
}

void Store::record_timing(const TimingRecord& record) {
  state_->append("timings", {record.hash, kCellVersion, "finished", to_json(record).dump()});
  state_->timings.insert_or_assign(record.hash, record);
}

void Store::set_meta(const std::string& key, const std::string& value) {
  if (meta(key) == value) return;
  state_->append("meta", {key, kCellVersion, "finished", value});
  state_->meta.insert_or_assign(key, value);
}

void Store::commit() {
  if (!state_->in_transaction) return;
  state_->guarded([&] { state_->database->execute("COMMIT"); });
  state_->in_transaction = false;
}

void Store::finish() {
  commit();
  state_->guarded([&] {
    // Turning the journal over checkpoints the log, syncs the file and removes the log.
    if (state_->database->text("PRAGMA journal_mode") == "wal") {
      state_->database->execute("PRAGMA synchronous=FULL; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode=DELETE");
    }
  });
}

}  // namespace wcodec

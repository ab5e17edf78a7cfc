#include "experiments/store_sqlite.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/error.hpp"

namespace wcodec {
namespace {

[[noreturn]] void fail(sqlite3* database, int code, const std::string& path) {
  const std::string detail = database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code);
  const int system = database != nullptr ? sqlite3_system_errno(database) : 0;
  const std::string name = printable(path);
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      throw DamagedDatabase{detail};
    case SQLITE_FULL:
      throw Error(ErrorKind::io, fmt::format("{}: the disk is full; what was recorded before is safe: free some "
                                             "space and run the same command again",
                                             name));
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      throw Error(ErrorKind::io, fmt::format("{} cannot be written here ({})", name,
                                             system != 0 ? std::strerror(system) : detail.c_str()));
    case SQLITE_BUSY:
      throw Error(ErrorKind::io, fmt::format("{} is in use by another program", name));
    case SQLITE_IOERR:
      // A quota or a limit on file sizes comes as a failed write.
      if (code == SQLITE_IOERR_WRITE || code == SQLITE_IOERR_SHMSIZE || code == SQLITE_IOERR_FSYNC) {
        throw Error(ErrorKind::io, fmt::format("{} cannot be written: the disk is full or refuses; what was recorded "
                                               "before is safe: free some space and run the same command again",
                                               name));
      }
      [[fallthrough]];
    default:
      throw Error(ErrorKind::io, fmt::format("{}: {}{}", name, detail,
                                             system != 0 ? fmt::format(" ({})", std::strerror(system)) : ""));
  }
}

}  // namespace

Statement::Statement(sqlite3* database, sqlite3_stmt* statement, const std::string& path)
    : database_(database), statement_(statement), path_(path) {}
Statement::Statement(Statement&& other) noexcept
    : database_(other.database_), statement_(std::exchange(other.statement_, nullptr)), path_(std::move(other.path_)) {}
Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(database_, other.database_);
  std::swap(statement_, other.statement_);
  std::swap(path_, other.path_);
  return *this;
}
Statement::~Statement() { sqlite3_finalize(statement_); }

Statement& Statement::bind(int index, sv text) {
  const int code = sqlite3_bind_text64(statement_, index + 1, text.data() != nullptr ? text.data() : "", text.size(),
                                       SQLITE_TRANSIENT, SQLITE_UTF8);
  if (code != SQLITE_OK) fail(database_, code, path_);
  return *this;
}

Statement& Statement::bind(int index, i64 number) {
  const int code = sqlite3_bind_int64(statement_, index + 1, number);
  if (code != SQLITE_OK) fail(database_, code, path_);
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  fail(database_, sqlite3_extended_errcode(database_), path_);
}

void Statement::reset() { sqlite3_reset(statement_); }

std::string Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return bytes == nullptr ? std::string()
                          : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

i64 Statement::integer(int column) const { return sqlite3_column_int64(statement_, column); }

Database::Database(const std::string& path) : path_(path) {
  const int code = sqlite3_open_v2(path.c_str(), &handle_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  if (code != SQLITE_OK) {
    const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> closing(handle_, &sqlite3_close);
    fail(handle_, code, path);
  }
  sqlite3_busy_timeout(handle_, 5000);
}

Database::~Database() { sqlite3_close(handle_); }
Database::Database(Database&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)), path_(std::move(other.path_)) {}

void Database::execute(const std::string& sql) {
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    fail(handle_, sqlite3_extended_errcode(handle_), path_);
  }
}

Statement Database::prepare(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
    fail(handle_, sqlite3_extended_errcode(handle_), path_);
  }
  return Statement(handle_, statement, path_);
}

i64 Database::number(const std::string& sql) {
  Statement statement = prepare(sql);
  return statement.step() ? statement.integer(0) : 0;
}

std::string Database::text(const std::string& sql) {
  Statement statement = prepare(sql);
  return statement.step() ? statement.text(0) : std::string();
}

}  // namespace wcodec

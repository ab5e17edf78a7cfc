// The little of SQLite that the ledger needs: owned handles, bound parameters, and errors in one sentence.
#pragma once

#include <memory>
#include <string>

#include "core/types.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace wcodec {

class Statement {
 public:
  Statement(Statement&&) noexcept;
  Statement& operator=(Statement&&) noexcept;
  ~Statement();
  // Parameters and columns count from 0.
  Statement& bind(int index, sv text);
  Statement& bind(int index, i64 number);
  bool step();  // true: a row is there. Throws as Database does.
  void reset();
  std::string text(int column) const;
  i64 integer(int column) const;

 private:
  friend class Database;
  Statement(sqlite3* database, sqlite3_stmt* statement, const std::string& path);
  sqlite3* database_;
  sqlite3_stmt* statement_;
  std::string path_;
};

// A file that contradicts itself: told apart from other failures because it can be salvaged.
struct DamagedDatabase {
  std::string detail;
};

// Throws Error{io} naming the file and what the system said, DamagedDatabase where the file is malformed.
class Database {
 public:
  explicit Database(const std::string& path);
  ~Database();
  Database(Database&&) noexcept;
  void execute(const std::string& sql);
  i64 number(const std::string& sql);  // first column of the first row, 0 without one
  std::string text(const std::string& sql);
  Statement prepare(const std::string& sql);

 private:
  sqlite3* handle_ = nullptr;
  std::string path_;
};

}  // namespace wcodec

// The one exception type. Kernels never throw; the edges (readers, codec/, experiments/, tools/) do.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include "core/types.hpp"

namespace wcodec {

// What went wrong, as a caller would branch on it.
enum class ErrorKind : u8 {
  usage,        // wrong arguments or an unknown name
  config,       // an experiment file says something that cannot be done
  not_found,    // file, tensor or package is absent
  io,           // the operating system refused or failed
  truncated,    // input ends before it should
  corrupt,      // input contradicts itself or its checksum
  unsupported,  // well-formed, but not something this build can do
  limit,        // a bound set by the caller would be exceeded
  internal,     // a promise of ours was broken
  cancelled,    // the caller's callback asked to stop
};

constexpr sv to_string(ErrorKind kind) noexcept {
  constexpr sv kNames[] = {"usage",   "config",      "not found", "io",       "truncated",
                           "corrupt", "unsupported", "limit",     "internal", "cancelled"};
  return kNames[static_cast<u8>(kind)];
}

// Where it went wrong, for programs; the message says it to people.
struct ErrorPlace {
  std::string file, layer;  // empty when none is concerned
  i64 offset = -1;          // byte in the file; −1 when unknown
};

class Error : public std::runtime_error {
 public:
  // `message` says what, where (file, offset, tensor) and how to mend it, in one sentence.
  Error(ErrorKind kind, const std::string& message, ErrorPlace place = {})
      : std::runtime_error(message), kind_(kind), place_(std::move(place)) {}
  ErrorKind kind() const noexcept { return kind_; }
  const ErrorPlace& place() const noexcept { return place_; }

 private:
  ErrorKind kind_;
  ErrorPlace place_;
};

// Names and messages may come from a hostile file: control characters become \xNN so that they never reach a terminal.
std::string printable(sv text);

}  // namespace wcodec

#include "api/status.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace wcodec::api {
namespace {

// Fixed room, so that out of memory can be reported too.
struct LastError {
  std::array<char, 2048> message{};
  std::array<char, 1024> file{};
  std::array<char, 512> layer{};
  wcodec_error error{WCODEC_OK, message.data(), file.data(), layer.data(), -1};
};

LastError& last_error() noexcept {
  thread_local LastError last;
  return last;
}

template <std::size_t N>
void keep(std::array<char, N>& room, sv text) noexcept {
  const std::size_t size = std::min(text.size(), N - 1);
  if (size != 0) std::memmove(room.data(), text.data(), size);
  room[size] = '\0';
}

constexpr wcodec_status status_of(ErrorKind kind) noexcept {
  return static_cast<wcodec_status>(static_cast<int>(kind) + 1);
}
static_assert(status_of(ErrorKind::usage) == WCODEC_USAGE && status_of(ErrorKind::not_found) == WCODEC_NOT_FOUND &&
              status_of(ErrorKind::corrupt) == WCODEC_CORRUPT && status_of(ErrorKind::cancelled) == WCODEC_CANCELLED);

}  // namespace

wcodec_status fail(wcodec_status status, sv message) noexcept {
  LastError& last = last_error();
  keep(last.message, message);
  keep(last.file, {});
  keep(last.layer, {});
  last.error.status = status;
  last.error.offset = -1;
  return status;
}

wcodec_status fail(const Error& error, const char* file, const char* other_file) noexcept {
  LastError& last = last_error();
  fail(status_of(error.kind()), error.what());
  const sv message = last.message.data();
  const ErrorPlace& place = error.place();
  if (!place.file.empty()) {
    keep(last.file, place.file);
  } else {
    for (const char* named : {file, other_file}) {
      if (named != nullptr && *named != '\0' && message.starts_with(named)) keep(last.file, named);
    }
  }
  keep(last.layer, place.layer);
  last.error.offset = place.offset;
  return last.error.status;
}

}  // namespace wcodec::api

const wcodec_error* wcodec_last_error(void) { return &wcodec::api::last_error().error; }

const char* wcodec_status_name(wcodec_status status) {
  constexpr const char* kNames[] = {"ok",        "usage",         "config",          "not found", "io",
                                    "truncated", "corrupt",       "unsupported",     "limit",     "internal",
                                    "cancelled", "out of memory", "buffer too small"};
  const auto index = static_cast<std::size_t>(status);
  return index < std::size(kNames) ? kNames[index] : "unknown status";
}

const char* wcodec_version(void) { return WCODEC_VERSION; }

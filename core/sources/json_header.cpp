#include "core/sources/json_header.hpp"

#include <fmt/format.h>

#include "core/sources/describe.hpp"

namespace wcodec {

void JsonHandler::parse(sv text) {
  // The parser would take a NUL for the end of its input and never look at what follows.
  if (const auto nul = text.find('\0'); nul != sv::npos) {
    throw Error(ErrorKind::corrupt, fmt::format("{}: a NUL byte at offset {} of the JSON text", file_, nul));
  }
  // It would also skip a byte-order mark or white space, which the format does not allow there.
  if (text.empty() || text.front() != '{') {
    throw Error(ErrorKind::corrupt, fmt::format("{}: the JSON text does not begin with '{{'", file_));
  }
  nlohmann::json::sax_parse(text.begin(), text.end(), this);
}

bool JsonHandler::parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) {
  throw Error(ErrorKind::corrupt, fmt::format("{}: malformed JSON at byte {} of the header: {}", file_, position,
                                              shown_name(error.what())));
}

void JsonHandler::fail(const std::string& what) const {
  throw Error(ErrorKind::corrupt, fmt::format("{}: {}: {}", file_, where(), what));
}

bool JsonHandler::refuse(const char* what) const { fail(fmt::format("{} is not allowed here", what)); }

bool JsonHandler::enter(bool array) {
  if (++depth_ > max_depth_) fail(fmt::format("nested deeper than {} levels", max_depth_));
  return on_open(array);
}

bool JsonHandler::leave(bool array) {
  const bool go_on = on_close(array);
  --depth_;
  return go_on;
}

}  // namespace wcodec

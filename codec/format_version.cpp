#include "codec/format_version.hpp"

#include <fmt/format.h>

namespace wcodec {

std::string other_version(sv what, int version) {
  if (version < kFormatVersion) {
    return fmt::format(
        "{}: version {}, a draft that no release wrote (this build reads version {}): encode the original again, or "
        "decode it with the build that wrote it",
        what, version, kFormatVersion);
  }
  return fmt::format("{}: version {} (this build reads version {}): use a newer wcodec", what, version, kFormatVersion);
}

}  // namespace wcodec

// `pip:PACKAGE/path/in/package`: a file that an installed Python distribution brought.
#pragma once

#include <string>

#include "core/types.hpp"

namespace wcodec {

// Path of the file or directory that `rest` ("PACKAGE/path") names. The path is looked up below the distribution's
// top-level packages and below site-packages; exactly one of them must have it. Throws Error{usage} for a malformed
// address and Error{not_found} with the command that installs the package.
std::string resolve_pip(sv rest);

// A relative path of plain components: no "..", no empty part, no backslash or control character.
bool is_plain_path(sv path) noexcept;

}  // namespace wcodec

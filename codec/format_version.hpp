// The version that everything written says of itself: tensor records, containers, progressive records and files. The
// normative text, with what each version is, is docs/format.md. Version 1 is frozen: goldens hold its bytes, and a
// change of what is written or accepted takes a new number beside it.
#pragma once

#include <string>

#include "core/types.hpp"

namespace wcodec {

inline constexpr u8 kFormatVersion = 1;

// Why `what` ("tensor record") of another version is not read, and what to do: for Error{unsupported}.
std::string other_version(sv what, int version);

}  // namespace wcodec

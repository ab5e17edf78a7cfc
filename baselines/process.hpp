// Runs a command as a filter: bytes to its standard input, its standard output back.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "core/types.hpp"

namespace wcodec {

// Runs `words` (program, found through PATH, and arguments; no shell) with `in` on its standard input and returns how
// many bytes of `out` its standard output filled. Both directions are served at once, so sizes are not limited by what
// a pipe holds; a command may stop reading early. The command runs in a process group of its own, which is killed when
// `timeout` passes.
// `environment`: NAME=VALUE each; empty: that of this process.
// Throws Error{not_found} (no such command), Error{limit} (timeout, or more output than `out` holds), or Error{io}
// (non-zero exit or a signal, with the start of what it wrote to standard error).
std::size_t run_filter(const std::vector<std::string>& words, Bytes in, MutBytes out, std::chrono::milliseconds timeout,
                       const std::vector<std::string>& environment = {});

}  // namespace wcodec

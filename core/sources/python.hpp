// Asking the environment's Python, which knows where its packages are.
#pragma once

#include <span>
#include <string>

#include "core/types.hpp"

namespace wcodec {

// ${WCODEC_PYTHON}; else .venv/bin/python in the current directory or beside the executable's folder; else python3 on
// PATH.
std::string python_executable();

struct PythonAnswer {
  int status;          // exit status, or 128 + signal
  std::string output;  // standard output; standard error goes to ours
};

// Runs `script` (with `python -c`, without a shell) and waits. Throws Error{not_found} when there is no Python, and
// Error{limit} when it prints more than 1 MiB.
PythonAnswer run_python(const std::string& script, std::span<const std::string> arguments);

}  // namespace wcodec

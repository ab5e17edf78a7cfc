#include "core/sources/pip.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/error.hpp"
#include "core/sources/python.hpp"

namespace wcodec {
namespace {

enum Status { found = 0, not_installed = 3, no_such_path = 4, ambiguous = 5 };

// Only files that the distribution's own record lists count, so that a path cannot reach anything else.
constexpr const char* kScript = R"(
import sys
sys.path[:] = [p for p in sys.path if p]
import os
from importlib import metadata
package, inner = sys.argv[1], sys.argv[2]
try:
    distribution = metadata.distribution(package)
except metadata.PackageNotFoundError:
    sys.exit(3)
files = [f.as_posix() for f in distribution.files or []]
tops = {f.split('/')[0] for f in files if '/' in f}
tops = sorted(t for t in tops if t != '..' and not t.endswith(('.dist-info', '.data', '.egg-info')))
hits = []
for candidate in [inner] + [top + '/' + inner for top in tops]:
    if any(f == candidate or f.startswith(candidate + '/') for f in files):
        hits.append(os.path.abspath(distribution.locate_file(candidate)))
if not hits:
    sys.exit(4)
if len(hits) > 1:
    sys.exit(5)
sys.stdout.buffer.write(os.fsencode(hits[0]))
)";

// PEP 508: letters, digits, and . _ - inside.
bool is_package_name(sv name) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  return !name.empty() && plain(name.front()) && plain(name.back()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return plain(c) || c == '.' || c == '_' || c == '-'; });
}

}  // namespace

bool is_plain_path(sv path) noexcept {
  while (true) {
    const auto slash = path.find('/');
    const sv part = path.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    if (std::any_of(part.begin(), part.end(), [](char c) { return c == '\\' || static_cast<u8>(c) < 0x20; }))
      return false;
    if (slash == sv::npos) return true;
    path = path.substr(slash + 1);
  }
}

std::string resolve_pip(sv rest) {
  const auto slash = rest.find('/');
  const std::string address = "pip:" + printable(rest);
  const std::string package(rest.substr(0, slash));
  if (slash == sv::npos || !is_package_name(package) || !is_plain_path(rest.substr(slash + 1))) {
    throw Error(ErrorKind::usage, fmt::format("{}: must be pip:PACKAGE/path/in/package, without '..'", address));
  }
  const std::array<std::string, 2> arguments = {package, std::string(rest.substr(slash + 1))};
  const PythonAnswer answer = run_python(kScript, arguments);
  switch (answer.status) {
    case found:
      return answer.output;
    case not_installed:
      throw Error(ErrorKind::not_found,
                  fmt::format("{}: package '{}' is not installed for {}; run `pip install {}` there", address, package,
                              printable(python_executable()), package));
    case no_such_path:
      throw Error(ErrorKind::not_found, fmt::format("{}: package '{}' is installed, but has no '{}'; `pip show -f {}` "
                                                    "lists its files",
                                                    address, package, printable(arguments[1]), package));
    case ambiguous:
      throw Error(ErrorKind::usage,
                  fmt::format("{}: several files of package '{}' fit; begin the path with the name of "
                              "the top-level folder",
                              address, package));
    default:
      throw Error(ErrorKind::io, fmt::format("{}: {} failed with status {} while looking for the package", address,
                                             printable(python_executable()), answer.status));
  }
}

}  // namespace wcodec

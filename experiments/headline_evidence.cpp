#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/error.hpp"
#include "experiments/headlines.hpp"
#include "experiments/results_file.hpp"

namespace wcodec {
namespace {

void read_file(const std::filesystem::path& file, Evidence& evidence) {
  const std::string name = file.lexically_normal().generic_string();
  const std::string folder = file.parent_path().filename().string();
  if (file.filename() == "summary.csv") {
    try {
      evidence.summaries.push_back({name, parse_summary_csv(read_text_file(name))});
    } catch (const Error& error) {
      throw Error(error.kind(), fmt::format("{}: {}", printable(name), error.what()));
    }
  } else if (file.filename() == "failures.csv") {
    evidence.failures.emplace_back(name, read_text_file(name));
  } else if (file.filename() == "timings.csv") {
    evidence.timings.emplace_back(name, read_text_file(name));
  } else if (file.extension() == ".json" && (folder == "gpu" || folder == "cpu")) {
    evidence.json.emplace_back(name, read_text_file(name));
  }
}

}  // namespace

Evidence read_evidence(const std::vector<std::string>& roots) {
  namespace fs = std::filesystem;
  Evidence evidence;
  for (const std::string& root : roots) {
    std::vector<fs::path> files;
    std::error_code error;
    for (fs::recursive_directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
      if (it->is_regular_file(error)) files.push_back(it->path());
    }
    if (error) {
      throw Error(ErrorKind::not_found,
                  fmt::format("{}: {}; name a folder of results with --root", printable(root), error.message()));
    }
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) read_file(file, evidence);
  }
  if (evidence.summaries.empty()) {
    throw Error(ErrorKind::not_found,
                fmt::format("{} holds no summary.csv; name folders that `wcodec run` has finished with --root",
                            printable(roots.empty() ? std::string("nothing") : roots.front())));
  }
  return evidence;
}

}  // namespace wcodec

#include <charconv>

#include "core/error.hpp"
#include "experiments/worker.hpp"
#include "tools/command.hpp"

namespace wcodec {

int run_worker(const std::vector<std::string>& arguments) {
  u64 memory_mib = 0;
  if (arguments.size() == 2 && arguments[0] == "--memory-mib") {
    const std::string& text = arguments[1];
    std::from_chars(text.data(), text.data() + text.size(), memory_mib);
  } else if (!arguments.empty()) {
    throw Error(ErrorKind::usage, "`wcodec worker` is for `wcodec run` to start, not for people");
  }
  return worker_main(checkpoint_functions(), memory_mib);
}

}  // namespace wcodec

#include <charconv>

#include "core/error.hpp"
#include "experiments/stage_registries.hpp"
#include "experiments/worker.hpp"
#include "tools/command.hpp"

namespace wcodec {

int run_worker(const std::vector<std::string>& arguments) {
  u64 memory_mib = 0;
  std::vector<std::string> plugins;
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    const bool has_value = i + 1 < arguments.size();
    if (has_value && arguments[i] == "--memory-mib") {
      const std::string& text = arguments[i + 1];
      std::from_chars(text.data(), text.data() + text.size(), memory_mib);
    } else if (has_value && arguments[i] == "--plugin") {
      plugins.push_back(arguments[i + 1]);
    } else {
      throw Error(ErrorKind::usage, "`wcodec worker` is for `wcodec run` to start, not for people");
    }
  }
  use_plugins(plugins);
  return worker_main(checkpoint_functions(), memory_mib);
}

}  // namespace wcodec

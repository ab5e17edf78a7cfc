// Experiment files: the YAML and everything that the schema makes of it, stages' specs included.
#include "core/error.hpp"
#include "experiments/config.hpp"
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wcodec;
  LoadOptions options;
  options.names = stage_names();
  options.environment = [](const std::string&) { return std::nullopt; };
  try {
    const std::string text(reinterpret_cast<const char*>(data), size);
    if (text.find("extends") != std::string::npos) return 0;  // would read other files of this machine
    if (text.find("nvcomp") != std::string::npos) return 0;   // would start Python, to look for that library
    const ExperimentConfig config = parse_config(text, "fuzz.yaml", "/nonexistent", options);
    grid_size(config);
    const ExperimentConfig again = parse_config(canonical_config(config), "again.yaml", "/nonexistent", options);
    fuzz::check(config_hash(again) == config_hash(config), "a canonical experiment reads back as itself");
  } catch (const Error& error) {
    fuzz::check(error.kind() != ErrorKind::internal, "no internal error");
  }
  return 0;
}

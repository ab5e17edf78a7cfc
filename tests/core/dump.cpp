// Developer's tool: writes every tensor of a checkpoint as raw bytes, so that tests in Python can compare them with
// other readers.
#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/sources/source.hpp"

int main(int argc, char** argv) {
  using namespace wcodec;
  if (argc < 3) {
    fmt::print(stderr,
               "usage: wcodec_dump ADDRESS DIRECTORY [GLOB VIEW]...\n"
               "Writes DIRECTORY/N.bin for tensor N and DIRECTORY/tensors.json.\n");
    return 2;
  }
  try {
    OpenOptions options;
    for (int i = 3; i + 1 < argc; i += 2) options.views[argv[i]] = argv[i + 1];
    const auto checkpoint = open_checkpoint(argv[1], options);
    auto list = nlohmann::json::array();
    for (std::size_t i = 0; i < checkpoint->tensors().size(); ++i) {
      const TensorInfo& tensor = checkpoint->tensors()[i];
      const std::vector<u8> bytes = checkpoint->read(i);
      std::ofstream(fmt::format("{}/{}.bin", argv[2], i), std::ios::binary)
          .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
      list.push_back({{"name", tensor.name},
                      {"dtype", info(tensor.dtype).name},
                      {"shape", tensor.shape},
                      {"rows", tensor.rows},
                      {"cols", tensor.cols},
                      {"kind", tensor.kind},
                      {"source_bytes", tensor.source_bytes},
                      {"source_type", tensor.source_type}});
    }
    std::ofstream(fmt::format("{}/tensors.json", argv[2])) << list.dump(1);
    return 0;
  } catch (const Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}

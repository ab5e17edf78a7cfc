#include "core/sources/source_layout.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/sources/gguf_header.hpp"
#include "core/sources/safetensors.hpp"
#include "core/sources/view.hpp"

namespace wcodec {
namespace {

std::vector<PlacedFile> place_safetensors(const SafetensorsCheckpoint& checkpoint) {
  std::vector<PlacedFile> files;
  if (!checkpoint.shard_index().empty()) {
    files.push_back({checkpoint.shard_index(), File(checkpoint.shard_index()).size(), false, {}});
  }
  const std::size_t first = files.size();
  for (const std::string& path : checkpoint.files()) {
    // Tensors follow the preamble without gaps; the reader has made sure of it.
    const u64 preamble = checkpoint.preamble_bytes(files.size() - first);
    files.push_back({path, preamble, false, {}});
  }
  for (std::size_t i = 0; i < checkpoint.tensors().size(); ++i) {
    const TensorInfo& tensor = checkpoint.tensors()[i];
    PlacedFile& file = files[first + checkpoint.file_of(i)];
    file.tensors.push_back(
        {tensor.name, tensor.dtype, nullptr, tensor.shape, file.bytes, tensor.source_bytes, std::nullopt});
    file.bytes += tensor.source_bytes;
  }
  return files;
}

PlacedFile place_gguf(const std::string& path) {
  const File file(path);
  PlacedFile placed{path, file.size(), true, {}};
  for (GgufEntry& entry : read_gguf_header(file)) {
    placed.tensors.push_back({std::move(entry.name), entry.type->planes[0].dtype,
                              entry.type->block == 1 ? nullptr : entry.type, std::move(entry.shape), entry.offset,
                              entry.bytes, std::nullopt});
  }
  return placed;
}

void set_view(std::vector<PlacedFile>& files, const std::string& glob, const ViewSpec& view) {
  for (PlacedFile& file : files) {
    for (PlacedTensor& tensor : file.tensors) {
      if (tensor.gguf == nullptr && glob_match(glob, tensor.name)) tensor.view = view;
    }
  }
}

}  // namespace

std::vector<PlacedFile> source_layout(const std::string& address, const OpenOptions& options) {
  const std::unique_ptr<Checkpoint> checkpoint = open_checkpoint(address, options);
  std::vector<PlacedFile> files;
  if (const SafetensorsCheckpoint* safetensors = as_safetensors(*checkpoint)) {
    files = place_safetensors(*safetensors);
  } else if (!checkpoint->files().empty()) {
    files.push_back(place_gguf(checkpoint->files().front()));
  } else {
    throw Error(ErrorKind::unsupported,
                fmt::format("{}: these weights are in no file, so that there is none to keep; give a file or a model's "
                            "directory",
                            printable(address)));
  }
  for (const auto& [glob, text] : options.views) set_view(files, glob, parse_view(text));
  return files;
}

}  // namespace wcodec

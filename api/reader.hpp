// What the handle of an open container holds.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <wcodec.h>

#include "codec/container_reader.hpp"

struct wcodec_reader {
  std::string path;
  std::unique_ptr<wcodec::ContainerReader> container;
  std::vector<std::size_t> source_of;  // layer to its tensor of the source file
  std::unordered_map<wcodec::sv, std::size_t> by_name;
};

namespace wcodec::api {

// For `guarded`: the file that a call on this handle concerns.
const char* path_of(const wcodec_reader* reader) noexcept;

}  // namespace wcodec::api

#include "experiments/cell_device.hpp"

#include <fmt/format.h>

#include <charconv>

#include "core/error.hpp"
#include "core/spec.hpp"
#include "experiments/gpu_cells.hpp"

namespace wcodec {

CellDevice parse_cell_device(sv text) {
  if (text == "cpu") return {};
  if (text == "cpu:scalar") return {CellDevice::Kind::scalar_core, 0};
  if (text == "cpu:all") return {CellDevice::Kind::all_cores, 0};
  if (text == "cuda") return {CellDevice::Kind::gpu, 0};
  if (text.starts_with("cuda:")) {
    int gpu = -1;
    const sv number = text.substr(5);
    const auto [end, failure] = std::from_chars(number.data(), number.data() + number.size(), gpu);
    if (failure == std::errc() && end == number.data() + number.size() && gpu >= 0) return {CellDevice::Kind::gpu, gpu};
  }
  static constexpr sv kKnown[] = {"cpu", "cpu:scalar", "cpu:all", "cuda:0", "auto"};
  throw Error(ErrorKind::usage, unknown_name("device", text, kKnown));
}

std::string to_string(const CellDevice& device) {
  switch (device.kind) {
    case CellDevice::Kind::scalar_core:
      return "cpu:scalar";
    case CellDevice::Kind::all_cores:
      return "cpu:all";
    case CellDevice::Kind::gpu:
      return fmt::format("cuda:{}", device.gpu);
    case CellDevice::Kind::core:
      break;
  }
  return "cpu";
}

std::string automatic_device() { return why_no_gpu_cells().empty() ? "cuda:0" : "cpu"; }

}  // namespace wcodec

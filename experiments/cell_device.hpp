// Where a cell runs, as `axes.device` says it.
#pragma once

#include <string>

#include "core/types.hpp"

namespace wcodec {

struct CellDevice {
  enum class Kind : u8 {
    core,         // "cpu": one core with its SIMD units
    scalar_core,  // "cpu:scalar": one core without them
    all_cores,    // "cpu:all": every core decodes a copy of its own; the time is that of one
    gpu           // "cuda:N": kernels alone, with the L2 flushed before each
  };
  Kind kind = Kind::core;
  int gpu = 0;

  bool is_gpu() const noexcept { return kind == Kind::gpu; }
};

// Throws Error{usage} with what there is. "cuda" is "cuda:0".
CellDevice parse_cell_device(sv text);
std::string to_string(const CellDevice& device);

// What `auto` stands for on this machine: "cuda:0" where kernels run, otherwise "cpu".
std::string automatic_device();

}  // namespace wcodec

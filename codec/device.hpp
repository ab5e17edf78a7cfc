// Where a user wants records to be decoded: "cpu", "auto", "cuda:N".
#pragma once

#include <string>
#include <vector>

#include "codec/gpu_runtime.hpp"

namespace wcodec {

struct Device {
  int gpu = -1;      // its number; −1 for the CPU
  std::string note;  // of "auto": why it is the CPU after all; empty otherwise

  bool is_gpu() const noexcept { return gpu >= 0; }
  std::string name() const;  // "cpu", "cuda:0"
};

inline constexpr sv kDeviceHelp =
    "cpu, cuda:N (a GPU by its number, cuda for the first), or auto (a GPU where there is one)";

// "auto" takes the first GPU that the kernels run on, and the CPU with a note where there is none. Throws Error{usage}
// for other text, Error{unsupported} for a GPU that is not there or that the kernels do not run on.
Device choose_device(sv text, const GpuRuntime& runtime = gpu_runtime());

// The part of it that does not ask the machine. Throws Error{usage}.
void check_device(sv text);

// GPUs as the process numbers them; where there are none `why` says so in a sentence.
std::vector<GpuInfo> list_gpus(std::string& why, const GpuRuntime& runtime = gpu_runtime());

}  // namespace wcodec

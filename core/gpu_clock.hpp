// Clocks of a GPU as its driver tells them, through NVML, which is loaded at run time.
#pragma once

#include <string>

#include "core/types.hpp"

namespace wcodec {

struct GpuClock {
  double sm_mhz = 0, memory_mhz = 0;  // NaN where the driver does not say
  bool is_throttled = false;          // held back by power, heat or a brake at this moment
};

// `pci` as cudaDeviceGetPCIBusId writes it ("0000:17:00.0").
GpuClock read_gpu_clock(const std::string& pci);

}  // namespace wcodec

#include "core/gpu_clock.hpp"

#include <dlfcn.h>

#include <limits>

namespace wcodec {
namespace {

// Of nvml.h: NVML API reference, "Device Queries" (https://docs.nvidia.com/deploy/nvml-api/).
using Device = void*;
constexpr int kSmClock = 1, kMemoryClock = 2;
constexpr unsigned long long kPowerCap = 0x4, kHardwareSlowdown = 0x8, kThermal = 0x20, kHardwareThermal = 0x40,
                             kPowerBrake = 0x80;

struct Nvml {
  int (*by_pci)(const char*, Device*) = nullptr;
  int (*clock)(Device, int, unsigned*) = nullptr;
  int (*reasons)(Device, unsigned long long*) = nullptr;
  bool is_ready = false;

  Nvml() {
    void* const library = ::dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return;
    const auto init = reinterpret_cast<int (*)()>(::dlsym(library, "nvmlInit_v2"));
    by_pci = reinterpret_cast<decltype(by_pci)>(::dlsym(library, "nvmlDeviceGetHandleByPciBusId_v2"));
    clock = reinterpret_cast<decltype(clock)>(::dlsym(library, "nvmlDeviceGetClockInfo"));
    reasons = reinterpret_cast<decltype(reasons)>(::dlsym(library, "nvmlDeviceGetCurrentClocksThrottleReasons"));
    is_ready = init != nullptr && by_pci != nullptr && clock != nullptr && reasons != nullptr && init() == 0;
  }
};

}  // namespace

GpuClock read_gpu_clock(const std::string& pci) {
  static const Nvml nvml;
  constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  GpuClock out{kUnknown, kUnknown, false};
  Device device = nullptr;
  if (!nvml.is_ready || nvml.by_pci(pci.c_str(), &device) != 0) return out;
  unsigned mhz = 0;
  if (nvml.clock(device, kSmClock, &mhz) == 0) out.sm_mhz = mhz;
  if (nvml.clock(device, kMemoryClock, &mhz) == 0) out.memory_mhz = mhz;
  unsigned long long why = 0;
  if (nvml.reasons(device, &why) == 0)
    out.is_throttled = (why & (kPowerCap | kHardwareSlowdown | kThermal | kHardwareThermal | kPowerBrake)) != 0;
  return out;
}

}  // namespace wcodec

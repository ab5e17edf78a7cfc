#include "codec/device.hpp"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "core/error.hpp"

namespace wcodec {
namespace {

constexpr int kCpu = -1, kAuto = -2;

// The number of a GPU, or one of the above.
int parse(sv text) {
  if (text == "cpu") return kCpu;
  if (text == "auto") return kAuto;
  if (text == "cuda") return 0;
  constexpr sv kPrefix = "cuda:";
  int number = 0;
  if (text.starts_with(kPrefix)) {
    const auto [end, error] = std::from_chars(text.data() + kPrefix.size(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size() && number >= 0) return number;
  }
  throw Error(ErrorKind::usage, fmt::format("device '{}' is none of {}", printable(text), kDeviceHelp));
}

}  // namespace

std::string Device::name() const { return is_gpu() ? fmt::format("cuda:{}", gpu) : "cpu"; }

void check_device(sv text) { static_cast<void>(parse(text)); }

std::vector<GpuInfo> list_gpus(std::string& why, const GpuRuntime& runtime) {
  std::vector<GpuInfo> gpus(static_cast<std::size_t>(runtime.count(why)));
  for (std::size_t i = 0; i < gpus.size(); ++i) gpus[i] = runtime.describe(static_cast<int>(i));
  return gpus;
}

Device choose_device(sv text, const GpuRuntime& runtime) {
  const int wanted = parse(text);
  Device out;
  if (wanted == kCpu) return out;
  std::string why;
  const int count = runtime.count(why);
  if (wanted == kAuto) {
    for (int gpu = 0; gpu < count; ++gpu) {
      const GpuInfo info = runtime.describe(gpu);
      if (info.why_not.empty()) {
        out.gpu = gpu;
        return out;
      }
      why = fmt::format("{}: {}", info.name, info.why_not);
    }
    out.note = fmt::format("the CPU decodes: {}", why);
    return out;
  }
  if (wanted >= count) {
    if (count != 0) why = fmt::format("there {} {} GPU{}", count == 1 ? "is" : "are", count, count == 1 ? "" : "s");
  } else {
    const GpuInfo info = runtime.describe(wanted);
    if (info.why_not.empty()) {
      out.gpu = wanted;
      return out;
    }
    why = fmt::format("{}: {}", info.name, info.why_not);
  }
  throw Error(ErrorKind::unsupported,
              fmt::format("device cuda:{} cannot decode: {}; device 'auto' takes the CPU then", wanted, why));
}

}  // namespace wcodec

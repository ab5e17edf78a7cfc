#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "codec/device.hpp"
#include "core/error.hpp"
#include "tools/byte_progress.hpp"
#include "tools/command.hpp"

namespace wcodec {
namespace {

int devices(bool json) {
  std::string why;
  const std::vector<GpuInfo> gpus = list_gpus(why);
  if (json) {
    nlohmann::json rows = nlohmann::json::array();
    for (std::size_t i = 0; i < gpus.size(); ++i) {
      const GpuInfo& gpu = gpus[i];
      nlohmann::json row = {{"device", fmt::format("cuda:{}", i)},
                            {"name", gpu.name},
                            {"memory_bytes", gpu.memory_bytes},
                            {"compute_capability", fmt::format("{}.{}", gpu.compute_major, gpu.compute_minor)},
                            {"multiprocessors", gpu.multiprocessors},
                            {"usable", gpu.why_not.empty()}};
      if (!gpu.why_not.empty()) row["reason"] = gpu.why_not;
      rows.push_back(std::move(row));
    }
    nlohmann::json out = {{"gpus", std::move(rows)}};
    if (gpus.empty()) out["reason"] = why;
    print_line(out.dump(2));
    return kAllFine;
  }
  std::string text = "cpu     always\n";
  for (std::size_t i = 0; i < gpus.size(); ++i) {
    const GpuInfo& gpu = gpus[i];
    text += fmt::format("{:<7} {}, {}, compute capability {}.{}, {} multiprocessors{}\n", fmt::format("cuda:{}", i),
                        printable(gpu.name), bytes_text(gpu.memory_bytes), gpu.compute_major, gpu.compute_minor,
                        gpu.multiprocessors,
                        gpu.why_not.empty() ? std::string() : fmt::format("; not usable: {}", gpu.why_not));
  }
  if (gpus.empty()) text += fmt::format("no GPU: {}\n", why);
  print_line(text);
  return kAllFine;
}

}  // namespace

void add_devices(CLI::App& app, Action& action) {
  const auto json = std::make_shared<bool>(false);
  CLI::App* command =
      app.add_subcommand("devices", "Show what can decode: the CPU and the GPUs, or why there is no GPU");
  command->add_flag("--json", *json, "Print one JSON object");
  command->footer(
      "The names are those of --device. A process sees the GPUs that CUDA_VISIBLE_DEVICES leaves it.\n\n"
      "Exit status: 0, with or without a GPU.\n\n"
      "Examples:\n"
      "  wcodec devices\n"
      "  wcodec decode model.wcodec model.safetensors --device cuda:0\n");
  command->callback([json, &action] { action = [json] { return devices(*json); }; });
}

}  // namespace wcodec

// GPUs: the C interface of codec/device.hpp, codec/gpu_plan.hpp and codec/gpu_load.hpp.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "api/options.hpp"
#include "api/progress.hpp"
#include "api/reader.hpp"
#include "api/status.hpp"
#include "codec/gpu_memory.hpp"
#include "codec/record_info.hpp"

using namespace wcodec;

struct wcodec_gpu_plan {
  GpuPlan plan;
  wcodec_gpu_plan_info info;
};

namespace {

template <std::size_t N>
void put_text(char (&room)[N], sv text) noexcept {
  const std::size_t size = std::min(text.size(), N - 1);
  std::copy_n(text.data(), size, room);
  room[size] = '\0';
}

void require_gpu() {
  std::string why;
  if (gpu_runtime().count(why) == 0) throw Error(ErrorKind::unsupported, fmt::format("there is no GPU: {}", why));
}

// On the GPU, where there has to be something.
void require_place(const void* memory, u64 size, const char* name) {
  if (size == 0) return;
  api::require(memory, name);
  if (reinterpret_cast<std::uintptr_t>(memory) % kGpuAlignment != 0)
    throw Error(ErrorKind::usage, fmt::format("{} does not begin at a multiple of {}", name, kGpuAlignment));
}

static_assert(WCODEC_GPU_ALIGNMENT == kGpuAlignment);

CUstream_st* to_queue(void* stream) noexcept { return static_cast<CUstream_st*>(stream); }

}  // namespace

int wcodec_gpu_count(void) {
  int count = 0;
  static_cast<void>(api::guarded([&] {
    std::string why;
    count = gpu_runtime().count(why);
  }));
  return count;
}

const char* wcodec_gpu_reason(void) {
  thread_local std::string why;
  const wcodec_status status = api::guarded([&] {
    std::string text;
    why = gpu_runtime().count(text) == 0 ? text : std::string();
  });
  return status == WCODEC_OK ? why.c_str() : wcodec_last_error()->message;
}

wcodec_status wcodec_gpu_describe(int gpu, wcodec_gpu_info* info) {
  return api::guarded([&] {
    api::require(info, "info");
    api::check_struct(info, "info");
    std::string why;
    const std::vector<GpuInfo> gpus = list_gpus(why);
    if (gpu < 0 || static_cast<std::size_t>(gpu) >= gpus.size()) {
      throw Error(ErrorKind::usage, gpus.empty()
                                        ? fmt::format("there is no GPU {}: {}", gpu, why)
                                        : fmt::format("there is no GPU {}: they are 0 to {}", gpu, gpus.size() - 1));
    }
    const GpuInfo& found = gpus[static_cast<std::size_t>(gpu)];
    wcodec_gpu_info out{};
    put_text(out.name, found.name);
    out.memory_bytes = found.memory_bytes;
    out.compute_major = found.compute_major;
    out.compute_minor = found.compute_minor;
    out.multiprocessors = found.multiprocessors;
    out.usable = found.why_not.empty() ? 1 : 0;
    put_text(out.reason, found.why_not);
    api::fill_struct(info, out);
  });
}

wcodec_status wcodec_gpu_plan_create(const void* record, size_t record_size, const wcodec_options* options,
                                     wcodec_gpu_plan** plan) {
  return api::guarded([&] {
    api::require(plan, "plan");
    if (record_size != 0) api::require(record, "record");
    const Bytes bytes(static_cast<const u8*>(record), record_size);
    auto made = std::make_unique<wcodec_gpu_plan>();
    made->plan = plan_gpu_decode(bytes, api::or_defaults(options).max_weights.value_or(kDefaultWeightLimit));
    const GpuPlan& planned = made->plan;
    made->info = {0,
                  static_cast<wcodec_dtype>(dtype_of(planned.format).value_or(DType::uint8)),
                  static_cast<u64>(planned.rows),
                  static_cast<u64>(planned.cols),
                  planned.words_size(),
                  planned.image.size(),
                  planned.scratch_size()};
    *plan = made.release();
  });
}

void wcodec_gpu_plan_destroy(wcodec_gpu_plan* plan) { delete plan; }

wcodec_status wcodec_gpu_plan_describe(const wcodec_gpu_plan* plan, wcodec_gpu_plan_info* info) {
  return api::guarded([&] {
    api::require(plan, "plan");
    api::require(info, "info");
    api::check_struct(info, "info");
    api::fill_struct(info, plan->info);
  });
}

const void* wcodec_gpu_plan_image(const wcodec_gpu_plan* plan) {
  return plan == nullptr || plan->plan.image.empty() ? nullptr : plan->plan.image.data();
}

void wcodec_gpu_plan_drop_image(wcodec_gpu_plan* plan) {
  if (plan != nullptr) plan->plan.image = {};
}

wcodec_status wcodec_gpu_upload(const wcodec_gpu_plan* plan, void* image, void* stream) {
  return api::guarded([&] {
    api::require(plan, "plan");
    if (plan->plan.image.empty()) throw Error(ErrorKind::usage, "the plan's image has been dropped");
    require_place(image, plan->info.image_bytes, "image");
    require_gpu();
    gpu_check(gpu_runtime().to_gpu(image, plan->plan.image.data(), plan->plan.image.size(), to_queue(stream)),
              "copying to it");
  });
}

wcodec_status wcodec_gpu_decode(const wcodec_gpu_plan* plan, const void* image, void* elements, void* scratch,
                                uint64_t* status, void* stream) {
  return api::guarded([&] {
    api::require(plan, "plan");
    api::require(status, "status");
    require_place(image, plan->info.image_bytes, "image");
    require_place(elements, plan->info.decoded_bytes, "elements");
    require_place(scratch, plan->info.scratch_bytes, "scratch");
    if (gpu_runtime().decode == nullptr) require_gpu();
    try {
      gpu_runtime().decode(plan->plan, static_cast<const u8*>(image), static_cast<u8*>(elements),
                           static_cast<u8*>(scratch), status, to_queue(stream));
    } catch (const Error&) {
      require_gpu();  // looking for one before would take longer than the call
      throw;
    }
  });
}

wcodec_status wcodec_gpu_check(uint64_t status) {
  return api::guarded([&] { check_gpu_status(status); });
}

wcodec_status wcodec_reader_load(const wcodec_reader* reader, const wcodec_gpu_target* targets, size_t count,
                                 const wcodec_options* options, wcodec_progress progress, void* user,
                                 wcodec_gpu_stats* stats) {
  return api::guarded(
      [&] {
        api::require(reader, "reader");
        api::check_struct(stats, "stats");
        if (count != 0) api::require(targets, "targets");
        std::string why;
        const int gpus = gpu_runtime().count(why);
        std::vector<GpuTarget> places;
        for (const wcodec_gpu_target& target : std::span(targets, count)) {
          if (target.gpu < 0 || target.gpu >= gpus) {
            throw Error(gpus == 0 ? ErrorKind::unsupported : ErrorKind::usage,
                        gpus == 0 ? fmt::format("there is no GPU: {}", why)
                                  : fmt::format("there is no GPU {}: they are 0 to {}", target.gpu, gpus - 1));
          }
          if (target.layer >= reader->container->tensors().size()) {
            throw Error(ErrorKind::usage, fmt::format("{}: there is no layer {} of {}", printable(reader->path),
                                                      target.layer, reader->container->tensors().size()));
          }
          places.push_back({target.layer, target.gpu, target.elements, target.size});
        }
        const wcodec_options& chosen = api::or_defaults(options);
        GpuLoadOptions load;
        load.threads = chosen.threads;
        load.staging_bytes = chosen.gpu_staging;
        load.progress = api::to_callback(progress, user);
        const GpuLoadStats done = load_to_gpu(*reader->container, places, load);
        wcodec_gpu_stats out{};
        out.layers = done.tensors;
        out.record_bytes = done.record_bytes;
        out.decoded_bytes = done.decoded_bytes;
        out.gpu_records = done.gpu_records;
        out.cpu_records = done.cpu_records;
        out.seconds = done.seconds;
        put_text(out.note, done.note);
        api::fill_struct(stats, out);
      },
      api::path_of(reader));
}

wcodec_status wcodec_reader_split(const wcodec_reader* reader, int gpus, int* gpu_of_layer) {
  return api::guarded(
      [&] {
        api::require(reader, "reader");
        const std::vector<int> split = split_among_gpus(reader->container->tensors(), gpus);
        if (!split.empty()) api::require(gpu_of_layer, "gpu_of_layer");
        std::copy(split.begin(), split.end(), gpu_of_layer);
      },
      api::path_of(reader));
}

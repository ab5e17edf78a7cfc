#include "codec/gpu_load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>

#include "codec/container_file.hpp"
#include "codec/container_part.hpp"
#include "codec/gpu_slots.hpp"
#include "core/ordered_parallel.hpp"
#include "core/sources/describe.hpp"

namespace wcodec {
namespace {

using container::LayerEntry;

// One record, or where files pack values otherwise than memory does one part.
struct Item {
  const GpuTarget* target;
  const LayerEntry* layer;
  u64 part;
  std::size_t plane;
  u64 record_bytes;
  u64 at, bytes;  // in the target's memory
};

// What is known of an image before it is planned: streams as they stand, places of chunks, tables.
constexpr u64 image_estimate(u64 record_bytes) { return record_bytes + record_bytes / 8 + (u64{1} << 17); }

// What the records of one GPU share.
struct OneGpu {
  OneGpu(const GpuRuntime& with, int number, unsigned most_slots, std::size_t items)
      : runtime(with), gpu(number), status(with), slots(with, most_slots) {
    gpu_check(with.select(number), fmt::format("choosing cuda:{}", number));
    const GpuQueue queue(with);
    status.reserve(items * sizeof(u64));
    gpu_check(with.clear(status.data(), items * sizeof(u64), queue.get()), "clearing its memory");
    queue.wait();
  }
  ~OneGpu() { runtime.select(gpu); }
  OneGpu(const OneGpu&) = delete;
  OneGpu& operator=(const OneGpu&) = delete;

  const GpuRuntime& runtime;
  int gpu;
  GpuBuffer<GpuPlace::gpu> status;  // a word an item of all
  GpuSlots slots;
};

// A record and its image in main memory, used for one after another: fresh pages for each would cost more than what
// is done with them.
struct Workspace {
  std::vector<u8> record, image;
};

class Workspaces {
 public:
  // Lent for as long as the plan made with it lives.
  class Lease {
   public:
    explicit Lease(Workspaces& from) : from_(&from), space_(from.take()) {}
    ~Lease() { from_->give_back(std::move(space_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Workspace& operator*() const noexcept { return *space_; }

   private:
    Workspaces* from_;
    std::unique_ptr<Workspace> space_;
  };

 private:
  std::unique_ptr<Workspace> take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) {
      idle_.reserve(++made_);  // so that giving back never fails
      return std::make_unique<Workspace>();
    }
    std::unique_ptr<Workspace> space = std::move(idle_.back());
    idle_.pop_back();
    return space;
  }
  void give_back(std::unique_ptr<Workspace> space) noexcept {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(space));
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<Workspace>> idle_;
  std::size_t made_ = 0;
};

class Loader {
 public:
  Loader(const ContainerReader& container, std::span<const GpuTarget> targets, const GpuLoadOptions& options)
      : container_(container), options_(options), runtime_(options.gpu != nullptr ? *options.gpu : gpu_runtime()) {
    for (const GpuTarget& target : targets) add(target);
    open_gpus();
  }

  GpuLoadStats run() {
    const auto begun = std::chrono::steady_clock::now();
    ordered_parallel(
        items_.size(), {options_.threads, 0}, [](u64) -> u64 { return 0; }, [&](u64 i) { return work(i); },
        [&](u64 i, int) { progress(items_[i]); });
    for (auto& [number, gpu] : gpus_) finish(*gpu);
    stats_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    return std::move(stats_);
  }

 private:
  void add(const GpuTarget& target) {
    const TensorInfo& tensor = container_.tensors().at(target.tensor);
    if (target.bytes != tensor.memory_bytes()) {
      throw Error(ErrorKind::usage, fmt::format("layer '{}' takes {} bytes, not {}", shown_name(tensor.name),
                                                tensor.memory_bytes(), target.bytes));
    }
    ++stats_.tensors;
    if (target.bytes == 0) return;
    if (target.memory == nullptr || reinterpret_cast<std::uintptr_t>(target.memory) % kGpuAlignment != 0) {
      throw Error(ErrorKind::usage, fmt::format("the memory for layer '{}' does not begin at a multiple of {}",
                                                shown_name(tensor.name), kGpuAlignment));
    }
    const auto [number, plane] = container_.plane_of(target.tensor);
    const LayerEntry& layer = container_.opened().index.layers[number];
    const bool is_blocks = layer.packing.kind() == PackingKind::gguf;
    const auto width = static_cast<u64>(info(tensor.dtype).memory_bytes);
    const u64 a_unit = is_blocks ? layer.packing.planes()[plane].per_unit : layer.packing.unit_elements();
    for (u64 part = 0; part < layer.part_count(); ++part) {
      const u64 units = layer.packing.unit_elements();
      const auto values = [&](u64 elements) { return elements / units * a_unit * width; };
      const u64 records = layer.packing.planes().size();
      items_.push_back({&target, &layer, part, plane, layer.records[part * records + plane].bytes,
                        values(part * layer.part_elements), values(layer.elements_of(part))});
      total_bytes_ += items_.back().bytes;
    }
  }

  // Slots as the staging memory allows, of the largest record that comes to that GPU.
  void open_gpus() {
    std::map<int, u64> largest;
    for (const Item& item : items_) {
      u64& most = largest[item.target->gpu];
      most = std::max({most, image_estimate(item.record_bytes)});
    }
    const u64 wanted = u64{thread_count(options_.threads)} * 2;
    for (const auto& [number, bytes] : largest) {
      const u64 slots = std::clamp<u64>(options_.staging_bytes / bytes, 2, wanted);
      gpus_.emplace(number, std::make_unique<OneGpu>(runtime_, number, static_cast<unsigned>(slots), items_.size()));
    }
  }

  // Until the record's decoding is queued; another use of its slot waits for that.
  int work(u64 number) {
    const Item& item = items_[number];
    OneGpu& gpu = *gpus_.at(item.target->gpu);
    try {
      gpu_check(runtime_.select(gpu.gpu), "choosing it");
      if (decode_on_gpu(gpu, number, item)) {
        count(item, true);
      } else {
        decode_on_cpu(gpu, number, item);
        count(item, false);
      }
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::io || !error.place().layer.empty()) throw;
      throw named(item, error);
    }
    return 0;
  }

  // False where the CPU has to.
  bool decode_on_gpu(OneGpu& gpu, u64 number, const Item& item) {
    if (item.layer->packing.kind() == PackingKind::view) return remember("values that the file packs otherwise");
    const Workspaces::Lease space(workspaces_);
    try {
      GpuPlan plan = planned(item, *space);
      if (plan.words_size() != item.bytes) throw Error(ErrorKind::internal, "a part is not as long as the index says");
      const GpuSlots::Lease slot = lease(gpu);
      slot->host.reserve(std::max<u64>(plan.image.size(), image_estimate(item.record_bytes)));
      slot->image.reserve(std::max<u64>(plan.image.size(), image_estimate(item.record_bytes)));
      if (plan.scratch_size() > 0) slot->scratch.reserve(plan.scratch_size());
      // A part may begin anywhere: decoders write to multiples of 16.
      u8* const to = static_cast<u8*>(item.target->memory) + item.at;
      const bool is_aligned = item.at % kGpuAlignment == 0;
      if (!is_aligned) slot->words.reserve(item.bytes);
      const u64 image_bytes = plan.image.size();
      std::memcpy(slot->host.data(), plan.image.data(), image_bytes);
      (*space).image = std::move(plan.image);
      slot->item = number;
      slot->is_busy = true;
      CUstream_st* const queue = slot->queue.get();
      gpu_check(runtime_.to_gpu(slot->image.data(), slot->host.data(), image_bytes, queue), "copying to it");
      runtime_.decode(plan, slot->image.data(), is_aligned ? to : slot->words.data(), slot->scratch.data(),
                      reinterpret_cast<u64*>(gpu.status.data()) + number, queue);
      if (!is_aligned) gpu_check(runtime_.within_gpu(to, slot->words.data(), item.bytes, queue), "copying within it");
      return true;
    } catch (const GpuMemoryError& error) {
      return remember(error.what());
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::unsupported) throw;
      return remember(error.what());
    }
  }

  GpuPlan planned(const Item& item, Workspace& space) const {
    std::vector<u8>& record = space.record;
    record.resize(item.record_bytes);
    container_.opened().file.read_at(record_offset(*item.layer, item.part, item.plane), record);
    check_record_place(*item.layer, item.part, item.plane, record);
    const auto [rows, cols] = item.layer->plane_shape(item.plane, item.part);
    GpuPlan plan = plan_gpu_decode(record, static_cast<u64>(rows) * static_cast<u64>(cols), std::move(space.image));
    check_record_shape(*item.layer, item.part, item.plane, plan.rows, plan.cols, plan.format, !plan.scales.empty());
    return plan;
  }

  void decode_on_cpu(OneGpu& gpu, u64 number, const Item& item) {
    const std::vector<u8> values = item.layer->packing.kind() == PackingKind::gguf
                                       ? read_part_plane(container_.opened().file, *item.layer, item.part, item.plane)
                                       : read_part(container_.opened().file, *item.layer, item.part);
    if (values.size() != item.bytes) throw Error(ErrorKind::internal, "a part is not as long as the index says");
    u8* const to = static_cast<u8*>(item.target->memory) + item.at;
    try {
      const GpuSlots::Lease slot = lease(gpu);
      slot->host.reserve(values.size());
      std::memcpy(slot->host.data(), values.data(), values.size());
      slot->item = number;
      slot->is_busy = true;
      gpu_check(runtime_.to_gpu(to, slot->host.data(), values.size(), slot->queue.get()), "copying to it");
    } catch (const GpuMemoryError&) {
      // Not even a buffer: straight from where the values are, which have to stay until they are copied.
      const GpuQueue queue(runtime_);
      gpu_check(runtime_.to_gpu(to, values.data(), values.size(), queue.get()), "copying to it");
      queue.wait();
    }
  }

  // A slot whose last record has been decoded.
  GpuSlots::Lease lease(OneGpu& gpu) {
    GpuSlots::Lease slot = gpu.slots.borrow();
    settle(*slot);
    return slot;
  }

  void settle(GpuSlot& slot) {
    if (!slot.is_busy) return;
    slot.is_busy = false;
    const GpuResult result = runtime_.wait(slot.queue.get());
    if (result.failure == GpuFailure::none) return;
    const Item& item = items_[slot.item];
    throw named(item, Error(ErrorKind::internal,
                            fmt::format("cuda:{} failed while it was decoded: {}", item.target->gpu, result.text)));
  }

  void finish(OneGpu& gpu) {
    gpu_check(runtime_.select(gpu.gpu), "choosing it");
    for (const auto& slot : gpu.slots.idle()) settle(*slot);
    std::vector<u64> status(items_.size());
    const GpuQueue queue(runtime_);
    gpu_check(runtime_.to_host(status.data(), gpu.status.data(), status.size() * sizeof(u64), queue.get()),
              "copying from it");
    queue.wait();
    for (std::size_t i = 0; i < items_.size(); ++i) {
      if (items_[i].target->gpu != gpu.gpu || status[i] == 0) continue;
      try {
        check_gpu_status(status[i]);
      } catch (const Error& error) {
        throw named(items_[i], error);
      }
    }
  }

  Error named(const Item& item, const Error& error) const {
    return at_part(container_.opened().file, *item.layer, item.part, error);
  }

  void count(const Item& item, bool on_gpu) {
    const std::lock_guard lock(mutex_);
    ++(on_gpu ? stats_.gpu_records : stats_.cpu_records);
    stats_.record_bytes += item.record_bytes;
  }

  bool remember(const std::string& why) {
    const std::lock_guard lock(mutex_);
    if (stats_.note.empty()) stats_.note = fmt::format("the CPU decoded some records: {}", why);
    return false;
  }

  void progress(const Item& item) {
    stats_.decoded_bytes += item.bytes;
    if (options_.progress && !options_.progress({stats_.decoded_bytes, total_bytes_, item.layer->name})) {
      throw Error(ErrorKind::cancelled, "stopped as asked");
    }
  }

  const ContainerReader& container_;
  const GpuLoadOptions& options_;
  const GpuRuntime& runtime_;
  std::vector<Item> items_;
  u64 total_bytes_ = 0;
  Workspaces workspaces_;
  std::mutex mutex_;
  GpuLoadStats stats_;
  std::map<int, std::unique_ptr<OneGpu>> gpus_;
};

}  // namespace

GpuLoadStats load_to_gpu(const ContainerReader& container, std::span<const GpuTarget> targets,
                         const GpuLoadOptions& options) {
  return Loader(container, targets, options).run();
}

std::vector<int> split_among_gpus(std::span<const TensorInfo> tensors, int gpus) {
  if (gpus < 1) throw Error(ErrorKind::usage, "there has to be a GPU to load to");
  u64 total = 0;
  for (const TensorInfo& tensor : tensors) total += tensor.memory_bytes();
  std::vector<int> out;
  u64 before = 0;
  for (const TensorInfo& tensor : tensors) {
    // By the tensor's middle, so that one that lies across a border goes where most of it lies.
    const double middle = static_cast<double>(before) + static_cast<double>(tensor.memory_bytes()) / 2;
    const double share = total == 0 ? 0 : middle / static_cast<double>(total);
    out.push_back(std::min(static_cast<int>(share * gpus), gpus - 1));
    before += tensor.memory_bytes();
  }
  return out;
}

}  // namespace wcodec

#include "baselines/nvcomp_batch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/cuda_owners.hpp"
#include "core/error.hpp"

namespace wcodec {
namespace {

void check_nvcomp(int status, const char* doing) {
  if (status != 0) {
    cudaGetLastError();  // of what nvCOMP tried: the next check is about something else
    throw Error(ErrorKind::unsupported, fmt::format("nvCOMP refuses {}: {}", doing, NvcompLibrary::get().why(status)));
  }
}

std::vector<std::size_t> chunk_sizes(u64 size, u64 chunk) {
  std::vector<std::size_t> sizes((size + chunk - 1) / chunk, chunk);
  if (!sizes.empty()) sizes.back() = size - (sizes.size() - 1) * chunk;
  return sizes;
}

template <class T>
DeviceBytes upload(const std::vector<T>& values) {
  return DeviceBytes(Bytes(reinterpret_cast<const u8*>(values.data()), values.size() * sizeof(T)));
}

DeviceBytes pointers(const u8* base, const std::vector<u64>& places) {
  std::vector<const u8*> at;
  for (const u64 place : places) at.push_back(base + place);
  return upload(at);
}

std::vector<u64> multiples(std::size_t count, u64 step) {
  std::vector<u64> places(count);
  for (std::size_t i = 0; i < count; ++i) places[i] = i * step;
  return places;
}

u64 rounded_up(u64 size, u64 unit) { return (size + unit - 1) / unit * unit; }

u64 set_places(NvcompStream& stream, u64 alignment) {
  u64 at = 0;
  stream.chunk_places.clear();
  for (const u64 size : stream.chunk_bytes) {
    stream.chunk_places.push_back(at);
    at += rounded_up(size, alignment);
  }
  return at;
}

// What both directions have in common: arrays a chunk, temporary memory, and the verdict on each chunk.
struct Arrays {
  std::size_t chunks, largest;
  DeviceBytes from, from_sizes, to, to_sizes, statuses, temp;

  Arrays(std::size_t count, std::size_t largest_chunk)
      : chunks(count), largest(largest_chunk), to_sizes(count * sizeof(std::size_t)), statuses(count * sizeof(int)) {
    statuses.fill(0);
  }
  void check() const {
    check_cuda(cudaDeviceSynchronize(), "waiting for nvCOMP");
    std::vector<int> read(chunks);
    statuses.read(read.data(), chunks * sizeof(int));
    for (std::size_t i = 0; i < chunks; ++i) {
      if (read[i] == 0) continue;
      throw Error(ErrorKind::corrupt,
                  fmt::format("nvCOMP: chunk {} of {}: {}", i, chunks, NvcompLibrary::get().why(read[i])));
    }
  }
};

class CompressJob final : public NvcompCoder::Job {
 public:
  CompressJob(const NvcompSpec& spec, const NvcompAlgorithm& call, const NvcompAlignments& aligned, const u8* from,
              u64 size)
      : options_(spec.compress),
        call_(call),
        arrays_(chunk_sizes(size, spec.chunk).size(), std::min(size, spec.chunk)) {
    std::size_t bound = 0, temp = 0;
    check_nvcomp(call.compress_bound(arrays_.largest, options_, &bound), "to say how large a chunk may get");
    stride_ = rounded_up(bound, std::max<u64>(aligned.output, 16));
    check_nvcomp(call.compress_temp(arrays_.chunks, arrays_.largest, options_, &temp, size, nullptr),
                 "to say how much memory it needs");
    arrays_.temp = DeviceBytes(temp);
    out_ = DeviceBytes(stride_ * arrays_.chunks);
    arrays_.from = pointers(from, multiples(arrays_.chunks, spec.chunk));
    arrays_.from_sizes = upload(chunk_sizes(size, spec.chunk));
    arrays_.to = pointers(out_.data(), multiples(arrays_.chunks, stride_));
  }
  void launch(CUstream_st* stream) const override {
    check_nvcomp(call_.compress(arrays_.from.as<const void*>(), arrays_.from_sizes.as<std::size_t>(), arrays_.largest,
                                arrays_.chunks, arrays_.temp.data(), arrays_.temp.size(), arrays_.to.as<void*>(),
                                arrays_.to_sizes.as<std::size_t>(), options_, arrays_.statuses.as<int>(), stream),
                 "to compress");
  }
  void check() const override { arrays_.check(); }

  std::vector<u64> sizes() const {
    std::vector<u64> read(arrays_.chunks);
    arrays_.to_sizes.read(read.data(), read.size() * sizeof(u64));
    return read;
  }
  const u8* slot(std::size_t chunk) const { return out_.data() + chunk * stride_; }

 private:
  NvcompOptions options_;
  NvcompAlgorithm call_;
  Arrays arrays_;
  u64 stride_ = 0;
  DeviceBytes out_;
};

class DecompressJob final : public NvcompCoder::Job {
 public:
  DecompressJob(const NvcompSpec& spec, const NvcompAlgorithm& call, const NvcompStream& stream, const u8* bytes,
                u8* to)
      : options_(spec.decompress), call_(call), arrays_(stream.chunk_bytes.size(), std::min(stream.size, spec.chunk)) {
    std::size_t temp = 0;
    check_nvcomp(call.decompress_temp(arrays_.chunks, arrays_.largest, options_, &temp, stream.size, nullptr),
                 "to say how much memory it needs");
    arrays_.temp = DeviceBytes(temp);
    arrays_.from = pointers(bytes, stream.chunk_places);
    arrays_.from_sizes = upload(stream.chunk_bytes);
    arrays_.to = pointers(to, multiples(arrays_.chunks, spec.chunk));
    room_ = upload(chunk_sizes(stream.size, spec.chunk));
  }
  void launch(CUstream_st* stream) const override {
    check_nvcomp(
        call_.decompress(arrays_.from.as<const void*>(), arrays_.from_sizes.as<std::size_t>(), room_.as<std::size_t>(),
                         arrays_.to_sizes.as<std::size_t>(), arrays_.chunks, arrays_.temp.data(), arrays_.temp.size(),
                         arrays_.to.as<void*>(), options_, arrays_.statuses.as<int>(), stream),
        "to decompress");
  }
  void check() const override { arrays_.check(); }

 private:
  NvcompOptions options_;
  NvcompAlgorithm call_;
  Arrays arrays_;
  DeviceBytes room_;
};

std::shared_ptr<u8> share(DeviceBytes bytes) {
  auto owner = std::make_shared<DeviceBytes>(std::move(bytes));
  return {owner, owner->data()};
}

}  // namespace

u64 NvcompStream::coded_bytes() const noexcept {
  return std::accumulate(chunk_bytes.begin(), chunk_bytes.end(), u64{4} * chunk_bytes.size());
}

NvcompCoder::NvcompCoder(const NvcompSpec& spec)
    : spec_(spec), call_(NvcompLibrary::get().algorithm(spec.algorithm)), from_{}, to_{} {
  check_nvcomp(call_.decompress_alignments(spec.decompress, &from_), "these options");
  check_nvcomp(call_.compress_alignments(spec.compress, &to_), "these options");
}

u64 NvcompCoder::largest_chunk() const {
  std::size_t bound = 0;
  check_nvcomp(call_.compress_bound(spec_.chunk, spec_.compress, &bound), "to say how large a chunk may get");
  return bound;
}

NvcompStream NvcompCoder::compress(const u8* from, u64 size) const {
  NvcompStream out;
  out.size = size;
  if (size == 0) return out;
  const CompressJob job(spec_, call_, to_, from, size);
  job.launch(nullptr);
  job.check();
  out.chunk_bytes = job.sizes();
  out.bytes_size = set_places(out, std::max<u64>(from_.input, 16));
  DeviceBytes packed(out.bytes_size);
  for (std::size_t i = 0; i < out.chunk_bytes.size(); ++i) {
    check_cuda(cudaMemcpyAsync(packed.data() + out.chunk_places[i], job.slot(i), out.chunk_bytes[i],
                               cudaMemcpyDeviceToDevice, nullptr),
               "packing chunks");
  }
  check_cuda(cudaDeviceSynchronize(), "packing chunks");
  out.bytes = share(std::move(packed));
  return out;
}

NvcompStream NvcompCoder::load(u64 size, const std::vector<u64>& chunk_bytes, Bytes chunks) const {
  NvcompStream out;
  out.size = size;
  out.chunk_bytes = chunk_bytes;
  const u64 total = std::accumulate(chunk_bytes.begin(), chunk_bytes.end(), u64{0});
  if (total != chunks.size() || chunk_bytes.size() != (size + spec_.chunk - 1) / spec_.chunk)
    throw Error(ErrorKind::corrupt, "the sizes of nvCOMP's chunks are not those of the stream");
  out.bytes_size = set_places(out, std::max<u64>(from_.input, 16));
  std::vector<u8> placed(out.bytes_size);
  u64 at = 0;
  for (std::size_t i = 0; i < chunk_bytes.size(); at += chunk_bytes[i++]) {
    std::copy_n(chunks.begin() + static_cast<std::ptrdiff_t>(at), chunk_bytes[i],
                placed.begin() + static_cast<std::ptrdiff_t>(out.chunk_places[i]));
  }
  out.bytes = share(DeviceBytes(Bytes(placed)));
  return out;
}

std::unique_ptr<NvcompCoder::Job> NvcompCoder::prepare_compress(const u8* from, u64 size) const {
  return std::make_unique<CompressJob>(spec_, call_, to_, from, size);
}

std::unique_ptr<NvcompCoder::Job> NvcompCoder::prepare_decompress(const NvcompStream& stream, const u8* bytes,
                                                                  u8* to) const {
  return std::make_unique<DecompressJob>(spec_, call_, stream, bytes, to);
}

}  // namespace wcodec

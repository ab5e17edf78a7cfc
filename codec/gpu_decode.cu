#include "codec/gpu_decode.hpp"

#include <cuda_runtime.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include "codec/gpu_reconstruct.hpp"
#include "core/error.hpp"
#include "entropy/bit_plane_decode.cuh"
#include "entropy/lane_decode.cuh"

namespace wcodec {
namespace {

using namespace gpu;

constexpr int kMaxPlanes = 8;

void check(cudaError_t error) {
  if (error != cudaSuccess) throw Error(ErrorKind::internal, std::string("GPU: ") + cudaGetErrorString(error));
}

int attribute(cudaDeviceAttr which) {
  int device = 0, value = 0;
  check(cudaGetDevice(&device));
  check(cudaDeviceGetAttribute(&value, which, device));
  return value;
}
int multiprocessors() { return attribute(cudaDevAttrMultiProcessorCount); }

// How often the table of a rANS stream stands in a block's shared memory: every doubling thins out bank conflicts, as
// long as multiprocessors hold as many blocks.
template <class Code, class Sink>
u32 table_copies(u32 table_bytes, u32 rest_bytes) {
  if (!std::is_same_v<Code, RansSteps>) return 1;
  const auto room = static_cast<u32>(attribute(cudaDevAttrMaxSharedMemoryPerMultiprocessor)) / Sink::kBlocks;
  u32 copies = 1;
  while (copies < kMaxLanes && 2 * copies * table_bytes + rest_bytes + 1024 <= room) copies *= 2;
  return copies;
}

template <class Code, class Sink>
void launch(const GpuStream& stream, const u8* image, u8* out, u64* status, cudaStream_t queue) {
  const auto kernel = &decode_stream<Code, Sink>;
  const u64 chunks = stream.chunks(), processors = static_cast<u64>(multiprocessors());
  // Few chunks are spread over all multiprocessors, many share the tables of a block.
  const u64 warps = std::clamp<u64>((chunks + processors - 1) / processors, 1, Sink::kThreads / kMaxLanes);
  const u32 table_bytes = Code::table_bytes(stream);
  const u32 copies = table_copies<Code, Sink>(table_bytes, 256 + Sink::kThreads / kMaxLanes * kStaged);
  const std::size_t shared = table_bytes * copies + 256 + warps * kStaged;
  const int threads = static_cast<int>(warps) * kMaxLanes;
  if (shared > 48 * 1024)
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared)));
  int resident = 0;
  check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, kernel, threads, shared));
  if (resident == 0) throw Error(ErrorKind::unsupported, "GPU: too little shared memory for the tables of this stream");
  const u64 blocks = std::min((chunks + warps - 1) / warps, processors * static_cast<u64>(resident));
  cudaLaunchAttribute overlap{};
  overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  overlap.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = static_cast<u32>(blocks);
  config.blockDim = static_cast<u32>(threads);
  config.dynamicSmemBytes = shared;
  config.stream = queue;
  config.attrs = &overlap;
  config.numAttrs = attribute(cudaDevAttrComputeCapabilityMajor) >= 9 ? 1 : 0;
  check(cudaLaunchKernelEx(&config, kernel, stream, copies, image, out, status));
}

// A kernel for each number of uncoded bits.
template <class Code, std::size_t... kLow>
void launch_bytes(const GpuStream& stream, const u8* image, u8* out, u64* status, cudaStream_t queue,
                  std::index_sequence<kLow...>) {
  using Launch = void (*)(const GpuStream&, const u8*, u8*, u64*, cudaStream_t);
  static constexpr Launch kLaunch[] = {&launch<Code, ByteSink<Code::kSymbols, kLow>>...};
  kLaunch[stream.low_bits](stream, image, out, status, queue);
}

template <class Code>
void decode_lanes(const GpuStream& stream, const u8* image, u8* out, u64* status, cudaStream_t queue) {
  if (stream.output == GpuOutput::joined)
    return launch<Code, JoinSink<Code::kSymbols>>(stream, image, out, status, queue);
  launch_bytes<Code>(stream, image, out, status, queue, std::make_index_sequence<8>());
}

__global__ void unpack_stored(const __grid_constant__ GpuStream stream, const u8* image, u8* out) {
  const u8 *const packed = image + stream.bytes, *const map = image + stream.map;
  const u64 stride = u64{gridDim.x} * blockDim.x;
  for (u64 i = u64{blockIdx.x} * blockDim.x + threadIdx.x; i < stream.count; i += stride) {
    const u64 bit = i * stream.bits;
    const u32 two = packed[bit / 8] | packed[bit / 8 + 1] << 8;
    out[i] = map[two >> bit % 8 & ((1u << stream.bits) - 1)];
  }
}

struct Joined {
  WordFormat format;
  u64 count;
  int planes;
  const u8* plane[kMaxPlanes];
  int shift[kMaxPlanes];
};

__global__ void join(const __grid_constant__ Joined from, u8* words) {
  const u64 stride = u64{gridDim.x} * blockDim.x;
  for (u64 i = u64{blockIdx.x} * blockDim.x + threadIdx.x; i < from.count; i += stride) {
    u64 arranged = 0;
    for (int p = 0; p < from.planes; ++p) arranged |= u64{from.plane[p][i]} << from.shift[p];
    const u64 word = restore_word(from.format, arranged);
    if (from.format.memory_bytes == 2) {
      reinterpret_cast<u16*>(words)[i] = static_cast<u16>(word);
    } else if (from.format.memory_bytes == 4) {
      reinterpret_cast<u32*>(words)[i] = static_cast<u32>(word);
    } else {
      reinterpret_cast<u64*>(words)[i] = word;
    }
  }
}

constexpr int kSimpleThreads = 256;
u32 simple_blocks(u64 count) {
  return static_cast<u32>(
      std::min<u64>((count + kSimpleThreads - 1) / kSimpleThreads, static_cast<u64>(multiprocessors()) * 8));
}

// The passes of a plane of bit planes; each reads what the one before has written.
void decode_bit_planes(const GpuPlan& plan, std::size_t p, const u8* image, u8* out, u64* status, cudaStream_t queue) {
  const GpuStream& stream = plan.streams[p];
  std::size_t first = 0;
  for (std::size_t before = 0; before < p; ++before) first += plan.streams[before].passes;
  for (u16 k = 0; k < stream.passes; ++k) {
    const BitPass pass{plan.bit_planes[first + k],         stream.count,          stream.size, stream.map, stream.bits,
                       static_cast<u16>(stream.order + k), k + 1 == stream.passes};
    if (pass.plane.kind == GpuBitPlane::Kind::coded) {
      const u64 chunks = (stream.count + (u64{1} << pass.plane.log2_chunk) - 1) >> pass.plane.log2_chunk;
      const u64 blocks = std::min<u64>((chunks + kBitWarps - 1) / kBitWarps, static_cast<u64>(multiprocessors()) * 8);
      decode_bit_plane<<<static_cast<u32>(blocks), kBitThreads, 0, queue>>>(pass, image, out, status);
    } else {
      add_known_bits<<<simple_blocks(stream.count), kBitThreads, 0, queue>>>(pass, image, out);
    }
    check(cudaGetLastError());
  }
}

// One plane's symbols, a byte each in coding order.
void decode(const GpuPlan& plan, std::size_t p, const u8* image, u8* out, u64* status, cudaStream_t queue) {
  const GpuStream& stream = plan.streams[p];
  if (stream.count == 0) return;
  switch (stream.code) {
    case GpuCode::stored:
      unpack_stored<<<simple_blocks(stream.count), kSimpleThreads, 0, queue>>>(stream, image, out);
      return check(cudaGetLastError());
    case GpuCode::constant:
      return check(cudaMemsetAsync(out, stream.constant, stream.count, queue));
    case GpuCode::pairs:
      return decode_lanes<PairSteps>(stream, image, out, status, queue);
    case GpuCode::rans:
      return decode_lanes<RansSteps>(stream, image, out, status, queue);
    case GpuCode::bit_planes:
      return decode_bit_planes(plan, p, image, out, status, queue);
    case GpuCode::wide_rans:
      return decode_lanes<WideRansSteps>(stream, image, out, status, queue);
  }
}

}  // namespace

std::string why_no_gpu() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) return std::string("no usable GPU: ") + cudaGetErrorString(error);
  return count == 0 ? "no GPU" : "";
}

void gpu_decode_symbols(const GpuPlan& plan, const u8* image, u8* out, u64* status, CUstream_st* stream) {
  decode(plan, 0, image, out, status, stream);
}

void gpu_decode(const GpuPlan& plan, const u8* image, u8* words, u8* scratch, u64* status, CUstream_st* stream) {
  const bool is_one_plane = plan.streams.size() == 1 || plan.is_joined, is_tiled = !plan.tiles.empty();
  u8* const planes = is_tiled ? scratch + plan.plane_bytes() : scratch;
  u32* const places = reinterpret_cast<u32*>(scratch + plan.plane_bytes() * plan.scratch_planes());
  const auto decode_plane = [&](std::size_t p, u8* out) {
    decode(plan, p, image, is_tiled ? scratch : out, status, stream);
    if (is_tiled) gpu_reconstruct(plan.tiles[p], image, scratch, out, places, status, stream);
  };
  if (is_one_plane) return decode_plane(0, words);
  Joined from{plan.format, plan.weights(), static_cast<int>(plan.streams.size()), {}, {}};
  int shift = plan.format.bits;
  for (std::size_t p = 0; p < plan.streams.size(); ++p) {
    u8* const plane = planes + p * plan.plane_bytes();
    decode_plane(p, plane);
    from.plane[p] = plane;
    from.shift[p] = shift -= plan.streams[p].bits;
  }
  if (from.count == 0) return;
  join<<<simple_blocks(from.count), kSimpleThreads, 0, stream>>>(from, words);
  check(cudaGetLastError());
}

}  // namespace wcodec

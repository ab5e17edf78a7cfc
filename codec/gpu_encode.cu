#include "codec/gpu_encode.hpp"

#include <cuda_runtime.h>

#include <algorithm>

#include "codec/tensor_record.hpp"
#include "core/crc_algebra.hpp"
#include "core/cuda_owners.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "entropy/encode_counts.cuh"
#include "entropy/gpu_stream.hpp"
#include "entropy/lane_encode.cuh"
#include "entropy/prefix_coder.hpp"

namespace wcodec {
namespace {

using namespace gpu;

void check(cudaError_t error) { check_cuda(error, "encoding on the GPU"); }

u32 multiprocessors() {
  int device = 0, count = 0;
  check(cudaGetDevice(&device));
  check(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device));
  return static_cast<u32>(count);
}

constexpr u32 kEncodeWarps = kEncodeThreads / kMaxLanes;

// As many blocks as there are pieces of work for their warps, but no more than fit on the GPU a few times over.
u32 blocks_for(u64 pieces, u32 a_block, u32 a_processor) {
  return static_cast<u32>(std::clamp<u64>((pieces + a_block - 1) / a_block, 1, u64{multiprocessors()} * a_processor));
}

// One plane on the GPU.
struct PlaneWork {
  const GpuEncodePlan& plan;
  const GpuEncodeMemory& memory;
  const GpuEncodePlane& plane;
  cudaStream_t queue;

  const u8* symbols() const { return plane.is_split ? memory.work + plane.symbols : memory.words; }
  GpuEncodeReport* report() const { return reinterpret_cast<GpuEncodeReport*>(memory.work + plane.report); }
  u8* output() const { return memory.output + plane.output; }
  u8* low_bits(const GpuPlaneCode& code) const {
    return output() + plane.room - (code.low_size + kGpuAlignment - 1) / kGpuAlignment * kGpuAlignment;
  }
  GpuEncodeStream plain() const { return plain_stream(plane.info.bits, plan.weights()); }
};

// Calls visit(type) with the source's type in its hands.
template <class T>
struct Type {
  using type = T;
};
template <class Visit>
void with_source(GpuSource source, Visit&& visit) {
  switch (source) {
    case GpuSource::bytes:
      return visit(Type<ByteSource>());
    case GpuSource::signed_bytes:
      return visit(Type<SignedByteSource>());
    case GpuSource::bf16_exponents:
      return visit(Type<Bf16Source<true>>());
    case GpuSource::bf16_rests:
      return visit(Type<Bf16Source<false>>());
  }
}

void count_plane(const PlaneWork& work, GpuCounts* counts) {
  const bool is_prefix = work.plan.coder.row->name == "prefix";
  const u64 count = work.plan.weights(), stride = is_prefix ? prefix_stride(count) : kPrefixSampleBlock;
  with_source(work.plane.source, [&](auto source) {
    using Source = typename decltype(source)::type;
    count_symbols<Source>
        <<<blocks_for(count, static_cast<u32>(std::min<u64>(stride, 1u << 31)), 8), kCountThreads, 0, work.queue>>>(
            work.plain(), work.symbols(), kPrefixSampleBlock, stride, counts->of_symbol);
    check(cudaGetLastError());
  });
}

// Of symbols that have been counted.
void find_ranges(const GpuEncodePlan& plan, const GpuEncodeMemory& memory, GpuCounts* counts, cudaStream_t queue) {
  const u32 blocks = blocks_for(plan.weights(), 8 * kCountThreads, 8);
  if (plan.planes[0].source == GpuSource::bf16_exponents) {
    find_bf16_ranges<<<blocks, kCountThreads, 0, queue>>>(plan.weights(), reinterpret_cast<const u16*>(memory.words),
                                                          counts);
    return check(cudaGetLastError());
  }
  for (std::size_t p = 0; p < plan.planes.size(); ++p) {
    const PlaneWork work{plan, memory, plan.planes[p], queue};
    with_source(work.plane.source, [&](auto source) {
      using Source = typename decltype(source)::type;
      find_range<Source><<<blocks, kCountThreads, 0, queue>>>(work.plain(), work.symbols(), counts + p);
      check(cudaGetLastError());
    });
  }
}

constexpr int kMaxSplitPlanes = 8;
struct SplitPlanes {
  WordFormat format;
  u64 count;
  int planes;
  u8* plane[kMaxSplitPlanes];
  u8 shift[kMaxSplitPlanes], bits[kMaxSplitPlanes], zero[kMaxSplitPlanes];
};

// Residuals of each plane, a byte each.
__global__ void __launch_bounds__(kCountThreads) split_words(const __grid_constant__ SplitPlanes to, const u8* words) {
  const u64 stride = u64{gridDim.x} * kCountThreads;
  for (u64 i = u64{blockIdx.x} * kCountThreads + threadIdx.x; i < to.count; i += stride) {
    const u64 word = to.format.memory_bytes == 2   ? reinterpret_cast<const u16*>(words)[i]
                     : to.format.memory_bytes == 4 ? reinterpret_cast<const u32*>(words)[i]
                                                   : reinterpret_cast<const u64*>(words)[i];
    const u64 arranged = arrange_word(to.format, word);
    for (int p = 0; p < to.planes; ++p)
      to.plane[p][i] = static_cast<u8>((arranged >> to.shift[p]) - to.zero[p] & ((1u << to.bits[p]) - 1));
  }
}

void split(const GpuEncodePlan& plan, const GpuEncodeMemory& memory, cudaStream_t queue) {
  SplitPlanes to{plan.format, plan.weights(), static_cast<int>(plan.planes.size()), {}, {}, {}, {}};
  int shift = plan.format.bits;
  for (std::size_t p = 0; p < plan.planes.size(); ++p) {
    const PlaneInfo& info = plan.planes[p].info;
    to.plane[p] = memory.work + plan.planes[p].symbols;
    to.shift[p] = static_cast<u8>(shift -= info.bits);
    to.bits[p] = static_cast<u8>(info.bits);
    to.zero[p] = info.zero;
  }
  split_words<<<blocks_for(to.count, kCountThreads, 8), kCountThreads, 0, queue>>>(to, memory.words);
  check(cudaGetLastError());
}

void store_plane(const PlaneWork& work, u64 crc_tables) {
  GpuEncodeStream stream = work.plain();
  stream.crc_tables = crc_tables;
  with_source(work.plane.source, [&](auto source) {
    using Source = typename decltype(source)::type;
    store_symbols<Source><<<blocks_for(stream.count, kStoreSymbols * kCountWarps, 4), kCountThreads, 0, work.queue>>>(
        stream, work.memory.image, work.symbols(), work.output(), &work.report()->crc);
    check(cudaGetLastError());
  });
}

template <class Code, class Source, bool kBeside>
void launch(const PlaneWork& work, const GpuEncodeStream& stream, u8* beside) {
  const auto kernel = &encode_stream<Code, Source, kBeside>;
  // Few chunks are spread over all multiprocessors, many share the tables of a block.
  const u32 processors = multiprocessors();
  const u64 warps_used = std::min<u64>(stream.chunks(), work.plan.warps);
  const u32 warps = static_cast<u32>(std::clamp<u64>((warps_used + processors - 1) / processors, 1, kEncodeWarps));
  const std::size_t shared =
      (Code::table_bytes(stream) + 15) / 16 * 16 + CrcSteps::kShared + kEncodeWarpShared * std::size_t{warps};
  if (shared > 48 * 1024)
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared)));
  const u32 blocks = static_cast<u32>(warps_used / warps + (warps_used < warps ? 1 : 0));
  kernel<<<blocks, warps * kMaxLanes, shared, work.queue>>>(stream, work.memory.image, work.symbols(),
                                                            work.memory.work + work.plan.slots, work.report(),
                                                            work.output(), beside);
  check(cudaGetLastError());
}

// `beside`: where the first plane's kernel is to store the second, null for not at all.
void encode_plane(const PlaneWork& work, const GpuPlaneCode& code, u8* beside) {
  if (code.kind == GpuPlaneCode::nothing) return;
  if (code.kind == GpuPlaneCode::stored) return store_plane(work, code.stream.crc_tables);
  const GpuEncodeStream& stream = code.stream;
  const bool is_direct = code.kind == GpuPlaneCode::pairs && is_direct_pair(stream.window);
  if (beside != nullptr) {
    if (is_direct) return launch<PairCoding<true>, Bf16Source<true>, true>(work, stream, beside);
    return launch<PairCoding<false>, Bf16Source<true>, true>(work, stream, beside);
  }
  u8* const low = work.low_bits(code);
  with_source(work.plane.source, [&](auto source) {
    using Source = typename decltype(source)::type;
    if (code.kind == GpuPlaneCode::rans) return launch<RansCoding, Source, false>(work, stream, low);
    if (is_direct) return launch<PairCoding<true>, Source, false>(work, stream, low);
    launch<PairCoding<false>, Source, false>(work, stream, low);
  });
}

void copy(void* to, const void* from, u64 size, cudaMemcpyKind kind, cudaStream_t queue) {
  if (size > 0) check(cudaMemcpyAsync(to, from, size, kind, queue));
}

template <class T>
std::vector<T> read(const void* from, u64 count, cudaStream_t queue) {
  std::vector<T> out(count);
  copy(out.data(), from, count * sizeof(T), cudaMemcpyDeviceToHost, queue);
  check(cudaStreamSynchronize(queue));
  return out;
}

// The record while it is put together from bytes of the host and of the device.
class RecordWriter {
 public:
  explicit RecordWriter(cudaStream_t queue) : queue_(queue) {}
  void append(const LedgerWriter& part) {
    ledger_ += part.ledger();
    append(part.bytes());
  }
  // `crc` as GpuEncodeReport has it.
  void append(const Ledger& entries, const u8* device, u64 size, u32 crc) {
    ledger_ += entries;
    crc_ = crc_append(crc_, crc_of_raw(crc_times(crc, crc_power(8 * size)), size), size);
    parts_.push_back({device, bytes_.size(), size});
    bytes_.resize(bytes_.size() + size);
  }
  EncodedTensor finish() {
    for (const Part& part : parts_)
      copy(bytes_.data() + part.at, part.device, part.size, cudaMemcpyDeviceToHost, queue_);
    check(cudaStreamSynchronize(queue_));
    LedgerWriter last;
    last.write(LedgerEntry::crc, crc_);
    append(last);
    return {std::move(bytes_), ledger_};
  }

 private:
  void append(Bytes part) {
    crc_ = crc32(part, crc_);
    bytes_.insert(bytes_.end(), part.begin(), part.end());
  }
  struct Part {
    const u8* device;
    u64 at, size;
  };
  cudaStream_t queue_;
  std::vector<u8> bytes_;
  std::vector<Part> parts_;
  Ledger ledger_;
  u32 crc_ = 0;
};

// What came out of a coded plane.
struct CodedPlane {
  LedgerWriter front;  // header and index
  u64 size = 0;        // of the chunks
  GpuEncodeReport report;
};
CodedPlane read_coded(const PlaneWork& work, const GpuPlaneCode& code) {
  CodedPlane out;
  out.report = read<GpuEncodeReport>(work.report(), 1, work.queue)[0];
  out.front.append_all(code.header);
  if (code.kind != GpuPlaneCode::pairs && code.kind != GpuPlaneCode::rans) return out;
  std::vector<u64> sizes = read<u64>(work.report() + 1, code.stream.chunks(), work.queue);
  for (u64& size : sizes) {
    const u64 end = size - kPlaceWhole;
    size = end - out.size;
    out.size = end;
  }
  write_chunk_index(sizes, out.front);
  return out;
}

}  // namespace

u32 gpu_encode_warps() { return multiprocessors() * kEncodeBlocks * kEncodeWarps; }

void gpu_count(const GpuEncodePlan& plan, const GpuEncodeMemory& memory, CUstream_st* stream) {
  if (plan.weights() == 0) return;
  if (plan.planes[0].is_split) split(plan, memory, stream);
  if (!plan.is_counted()) return;
  auto* const counts = reinterpret_cast<GpuCounts*>(memory.work);
  check(cudaMemsetAsync(counts, 0, plan.counts_size(), stream));
  for (std::size_t p = 0; p < plan.planes.size(); ++p) count_plane({plan, memory, plan.planes[p], stream}, counts + p);
  if (plan.coder.row->name == "prefix") find_ranges(plan, memory, counts, stream);
}

GpuEncodeCodes choose_gpu_codes(const GpuEncodePlan& plan, const GpuEncodeMemory& memory, CUstream_st* stream) {
  const std::vector<GpuCounts> counts = read<GpuCounts>(memory.work, plan.planes.size(), stream);
  GpuEncodeCodes codes = choose_gpu_codes(plan, counts);
  copy(memory.image, codes.image.data(), codes.image.size(), cudaMemcpyHostToDevice, stream);
  return codes;
}

void gpu_encode(const GpuEncodePlan& plan, const GpuEncodeCodes& codes, const GpuEncodeMemory& memory,
                CUstream_st* stream) {
  if (plan.weights() == 0) return;
  for (std::size_t p = 0; p < plan.planes.size(); ++p) {
    const PlaneWork work{plan, memory, plan.planes[p], stream};
    const GpuPlaneCode& code = codes.planes[p];
    const bool has_chunks = code.kind == GpuPlaneCode::pairs || code.kind == GpuPlaneCode::rans;
    const u64 places = has_chunks ? code.stream.chunks() : 0;
    check(cudaMemsetAsync(work.report(), 0, sizeof(GpuEncodeReport) + places * sizeof(u64), stream));
    if (p == 1 && codes.is_joined) continue;
    encode_plane(work, code, codes.is_joined ? memory.output + plan.planes[1].output : nullptr);
  }
}

EncodedTensor finish_gpu_encode(const GpuEncodePlan& plan, const GpuEncodeCodes& codes, const GpuEncodeMemory& memory,
                                Bytes scales, CUstream_st* stream) {
  RecordWriter record(stream);
  LedgerWriter header;
  write_record_header({plan.format,
                       {plan.rows, plan.cols, kUntiled},
                       identity_transform(),
                       plan.coder.row,
                       parse_mode_set({"none"}),
                       scales.size()},
                      header);
  record.append(header);
  u32 beside_crc = 0;
  for (std::size_t p = 0; plan.weights() > 0 && p < plan.planes.size(); ++p) {
    const PlaneWork work{plan, memory, plan.planes[p], stream};
    const GpuPlaneCode& code = codes.planes[p];
    CodedPlane coded = read_coded(work, code);
    if (p == 0) beside_crc = coded.report.beside_crc;
    bool is_stored = code.kind == GpuPlaneCode::stored;
    u32 crc = p == 1 && codes.is_joined ? beside_crc : coded.report.crc;
    if (!is_stored && code.may_store && coded.front.ledger().total() + coded.size + code.low_size > work.plane.size) {
      check(cudaMemsetAsync(&work.report()->crc, 0, sizeof(u32), stream));
      store_plane(work, code.stream.crc_tables);
      crc = read<GpuEncodeReport>(work.report(), 1, stream)[0].crc;
      coded.front = stored_plane_header(plan);
      is_stored = true;
    }
    record.append(coded.front);
    Ledger entries;
    const u64 size = is_stored ? work.plane.size : coded.size;
    if (!is_stored) entries[LedgerEntry::state] = coded.report.state_bytes;
    entries[LedgerEntry::payload] = size - entries[LedgerEntry::state];
    record.append(entries, work.output(), size, crc);
    if (is_stored || code.low_size == 0) continue;
    Ledger low;
    low[LedgerEntry::payload] = code.low_size;
    record.append(low, work.low_bits(code), code.low_size, coded.report.beside_crc);
  }
  LedgerWriter behind;
  behind.append(LedgerEntry::scale, scales);
  record.append(behind);
  return record.finish();
}

EncodedTensor encode_tensor_on_gpu(const QuantizedTensor& tensor, const CoderChoice& coder) {
  if (tensor.words.size() != tensor.weights() * static_cast<u64>(tensor.format.memory_bytes))
    throw Error(ErrorKind::internal, "words do not match the shape of their tensor");
  const GpuEncodePlan plan = plan_gpu_encode(tensor.rows, tensor.cols, tensor.format, coder, gpu_encode_warps());
  const DeviceBytes words{Bytes(tensor.words)}, image(plan.image_size), work(plan.work_size), output(plan.output_size);
  const GpuEncodeMemory memory{words.data(), image.data(), work.data(), output.data()};
  gpu_count(plan, memory, nullptr);
  const GpuEncodeCodes codes = choose_gpu_codes(plan, memory, nullptr);
  gpu_encode(plan, codes, memory, nullptr);
  return finish_gpu_encode(plan, codes, memory, tensor.scales, nullptr);
}

}  // namespace wcodec

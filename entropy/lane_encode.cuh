// A warp encodes a chunk, from its last round to its first: lane l of the stream is lane l of the warp, and words go
// downwards in the warp's scratch, as in pair_code.cpp and rans.cpp, so the bytes are the same. Template parameters:
//   Code (encode_codings.cuh): high parts to what a state takes in
//   Source (encode_sources.cuh): words in memory to residuals
//   kBeside: the other plane of bf16 is stored: its bytes are written by the way
// The input is the caller's memory, of the size the stream says: any bits are valid words.
#pragma once

#include "entropy/encode_codings.cuh"
#include "entropy/encode_delivery.cuh"
#include "entropy/low_bits.hpp"

namespace wcodec::gpu {

// What a warp knows while it encodes a chunk.
template <class Code, class Source>
struct ChunkEncoder {
  const GpuEncodeStream& stream;
  const Code& code;
  const Source& source;
  u64 first;  // symbol of the chunk
  u32 count;  // symbols of it
  u32 lane;
  u8* end;      // of its words
  u8* beside;   // uncoded bits of the stream, or the stored plane; null where there is neither
  u32* shared;  // kStateWords of shared memory

  __device__ u32 symbol(u64 i) const { return source.one(first + i) + stream.offset & ((1u << stream.bits) - 1); }
  __device__ u32 high(u64 i) const { return symbol(i) >> stream.low_bits; }

  // A round of `lanes` lanes from symbol `at`, not all of which need be there below `last`.
  __device__ void round(u32& x, u32 at, u32 last, u32 lanes, WordsDown& words) const {
    at += Code::kSymbols * lane;
    const bool is_active = lane < lanes && at < last;
    const u32 a = is_active ? high(at) : 0;
    const u32 b = Code::kSymbols == 2 && is_active && at + 1 < last ? high(at + 1) : code.filler();
    code.encode_one(x, a, b, is_active, words);
  }

  // Uncoded bits of a block, of which this lane has eight symbols, a byte each.
  __device__ void put_low_bits(u32 at, uint2 symbols) const {
    const LowParts parts(stream.count, stream.low_bits);
    const u64 i = first + at;
    for (int p = 0; p < parts.count; ++p) {
      const u32 width = static_cast<u32>(parts.part[p].width), shift = static_cast<u32>(parts.part[p].shift);
      const u32 mask = in_bytes((1u << width) - 1);
      // A word has the symbols of 4 / width lanes.
      const u32 share = 4 / width, place = lane % share;
      u32 word = ((symbols.x >> shift & mask) | (symbols.y >> shift & mask) << width) << 2 * width * place;
      for (u32 distance = 1; distance < share; distance *= 2) word |= __shfl_xor_sync(kAll, word, distance);
      if (place == 0) reinterpret_cast<u32*>(beside + parts.offset[p])[i / 32 * width + lane / share] = word;
    }
  }
  // Those of the symbols from `from` on, which whole blocks have left.
  __device__ void put_low_rest(u32 from) const {
    const LowParts parts(stream.count, stream.low_bits);
    for (int p = 0; p < parts.count; ++p) {
      const u32 width = static_cast<u32>(parts.part[p].width), shift = static_cast<u32>(parts.part[p].shift);
      const u32 a_word = 32 / width, mask = (1u << width) - 1;
      u32* const words = reinterpret_cast<u32*>(beside + parts.offset[p]) + first / a_word;
      for (u32 w = from / a_word + lane; w * a_word < count; w += kMaxLanes) {
        u32 word = 0;
        for (u32 k = 0; k < a_word && w * a_word + k < count; ++k)
          word |= (symbol(w * a_word + k) >> shift & mask) << (8 * (k % 4) + width * (k / 4));
        words[w] = word;
      }
    }
  }

  // The states' bytes end at `last`; returns how many they are.
  __device__ u32 put_states(u32 x, u32 lanes, u8* last) const {
    if (lanes != kMaxLanes) {
      if (lane < lanes) {
        u8* const at = last - 4 * (lanes - lane);
        for (u32 byte = 0; byte < 4; ++byte) at[byte] = static_cast<u8>(x >> 8 * byte);
      }
      return 4 * lanes;
    }
    const u32 extra = 15 - static_cast<u32>(__clz(static_cast<int>(x)));
    u32 until = extra;
    for (u32 distance = 1; distance < kMaxLanes; distance *= 2) {
      const u32 before = __shfl_up_sync(kAll, until, distance);
      if (lane >= distance) until += before;
    }
    const u32 total = (__shfl_sync(kAll, until, kMaxLanes - 1) + 7) / 8;
    if (lane < kStateWords) shared[lane] = 0;
    __syncwarp();
    const u32 bit = until - extra;
    const u64 placed = u64{x >> 16 & ((1u << extra) - 1)} << bit % 32;
    atomicOr(&shared[bit / 32], static_cast<u32>(placed));
    atomicOr(&shared[bit / 32 + 1], static_cast<u32>(placed >> 32));
    __syncwarp();
    u8* const at = last - 80 - total;
    const u32 next_extra = __shfl_down_sync(kAll, extra, 1);
    if (lane % 2 == 0) at[lane / 2] = static_cast<u8>(extra | next_extra << 4);
    at[16 + 2 * lane] = static_cast<u8>(x);
    at[17 + 2 * lane] = static_cast<u8>(x >> 8);
    for (u32 i = lane; i < total; i += kMaxLanes) at[80 + i] = static_cast<u8>(shared[i / 4] >> 8 * (i % 4));
    __syncwarp();
    return 80 + total;
  }
  static constexpr u32 kStateWords = 17;
};

struct ChunkBytes {
  u32 all, states;  // of these, the states'
};

// Encodes a chunk so that it ends at chunk.end.
template <class Code, class Source, bool kBeside>
__device__ ChunkBytes encode_chunk(const ChunkEncoder<Code, Source>& chunk) {
  const GpuEncodeStream& stream = chunk.stream;
  const u32 lane = chunk.lane, lanes = static_cast<u32>(lanes_of(chunk.count)), bits = stream.window;
  const u32 coded = chunk.count - static_cast<u32>(seeded_symbols(chunk.count, static_cast<int>(bits)));
  const u32 blocked = static_cast<u32>(blocked_symbols(coded, static_cast<int>(lanes)));
  WordsDown words(chunk.end, lane);
  u32 x = kLaneLow;
  if (lanes == kMaxLanes) {
    for (u32 k = 0; k < static_cast<u32>(symbols_per_seed(static_cast<int>(bits))); ++k)
      x |= chunk.high(coded + kMaxLanes * k + lane) << k * bits;
  }
  const u32 round_symbols = Code::kSymbols * lanes;
  for (u32 r = (coded - blocked + round_symbols - 1) / round_symbols; r-- > 0;)
    chunk.round(x, blocked + r * round_symbols, coded, lanes, words);
  if constexpr (kBeside) {
    for (u32 i = blocked + lane; i < chunk.count; i += kMaxLanes)
      chunk.beside[chunk.first + i] = chunk.source.rest(chunk.first + i);
  } else if (stream.low_bits > 0) {
    chunk.put_low_rest(blocked);
  }

  const u64 mine = chunk.first + kLaneSymbols * lane;
  const u32 add = in_bytes(stream.offset), mask = in_bytes((1u << stream.bits) - 1),
            high_mask = in_bytes((1u << bits) - 1);
  typename Source::Raw raw{};
  if (blocked > 0) raw = chunk.source.load(mine + blocked - kBlockSymbols);
  for (u32 at = blocked; at > 0;) {
    at -= kBlockSymbols;
    const uint2 residuals = chunk.source.eight(raw);
    const uint2 symbols{add_bytes(residuals.x, add) & mask, add_bytes(residuals.y, add) & mask};
    if constexpr (kBeside) *reinterpret_cast<uint2*>(chunk.beside + mine + at) = Source::eight_rests(raw);
    if (at > 0) raw = chunk.source.load(mine + at - kBlockSymbols);
    if constexpr (!kBeside) {
      if (stream.low_bits > 0) chunk.put_low_bits(at, symbols);
    }
    typename Code::Block block;
    chunk.code.prepare({symbols.x >> stream.low_bits & high_mask, symbols.y >> stream.low_bits & high_mask}, block);
    words.rebase();
#pragma unroll
    for (int r = Code::kRounds; r-- > 0;) chunk.code.encode(x, block, r, words);
  }
  u8* const begin = words.end();
  const u32 states = chunk.put_states(x, lanes, begin);
  return {static_cast<u32>(chunk.end - begin) + states, states};
}

// Shared memory: tables, those of the checksum, kEncodeWarpShared a warp.
inline constexpr u32 kEncodeWarpShared = 17 * 4;
inline constexpr int kEncodeThreads = 256, kEncodeBlocks = 4;

// `slots`: stream.slot_size a warp. Places lie behind `report`. `beside`: uncoded bits, or the stored plane.
template <class Code, class Source, bool kBeside>
__global__ void __launch_bounds__(kEncodeThreads, kEncodeBlocks)
    encode_stream(const __grid_constant__ GpuEncodeStream stream, const u8* image, const u8* words, u8* slots,
                  GpuEncodeReport* report, u8* out, u8* beside) {
  extern __shared__ uint4 shared[];
  u8* const tables = reinterpret_cast<u8*>(shared);
  const u32 table_bytes = Code::table_bytes(stream), lane = threadIdx.x % kMaxLanes,
            warp = __shfl_sync(kAll, threadIdx.x / kMaxLanes, 0);  // known to be the same in all lanes
  const u32* const table = reinterpret_cast<const u32*>(image + stream.table);
  for (u32 i = threadIdx.x; i < table_bytes / 4; i += blockDim.x) reinterpret_cast<u32*>(tables)[i] = __ldg(table + i);
  const auto* const crc_tables = reinterpret_cast<const GpuCrcTables*>(image + stream.crc_tables);
  u32* const crc_shared = reinterpret_cast<u32*>(tables + (table_bytes + 15) / 16 * 16);
  CrcSteps::fill(crc_tables, crc_shared);
  __syncthreads();
  const Code code(stream, tables);
  const Source source(stream, words);
  const CrcSteps crc(crc_tables, crc_shared, lane);
  u32* const warp_shared = crc_shared + CrcSteps::kShared / 4 + kEncodeWarpShared / 4 * warp;
  const u64 chunk_size = u64{1} << stream.log2_chunk;
  u8* const end = slots + (u64{blockIdx.x} * (blockDim.x / kMaxLanes) + warp + 1) * stream.slot_size - kSlotPadding;
  u64* const places = reinterpret_cast<u64*>(report + 1);
  for (;;) {
    u32 index = 0;
    if (lane == 0) index = atomicAdd(&report->next_chunk, 1);
    index = __reduce_or_sync(kAll, index);  // known to be the same in all lanes
    if (index >= stream.chunks()) return;
    const u64 first = u64{index} << stream.log2_chunk;
    const u32 count = static_cast<u32>(min(stream.count - first, chunk_size));
    const ChunkBytes size = encode_chunk<Code, Source, kBeside>(
        ChunkEncoder<Code, Source>{stream, code, source, first, count, lane, end, beside, warp_shared});
    __syncwarp();
    const u64 place = find_place(places, index, size.all, lane);
    u32 sum = 0, beside_sum = 0;
    if (place + size.all <= stream.capacity) sum = deliver<true>(end - size.all, size.all, out, place, crc, lane);
    if constexpr (kBeside) {
      beside_sum = deliver<false>(nullptr, count, beside, first, crc, lane);
    } else {
      const LowParts parts(stream.count, stream.low_bits);
      for (int p = 0; p < parts.count; ++p) {
        const u64 a_word = static_cast<u64>(32 / parts.part[p].width);
        beside_sum ^= deliver<false>(nullptr, (count + a_word - 1) / a_word * 4, beside,
                                     parts.offset[p] + first / a_word * 4, crc, lane);
      }
    }
    if (lane == 0) {
      atomicXor(&report->crc, sum);
      if (beside_sum != 0) atomicXor(&report->beside_crc, beside_sum);
      atomicAdd(reinterpret_cast<unsigned long long*>(&report->state_bytes), size.states);
    }
    __syncwarp();
  }
}

}  // namespace wcodec::gpu

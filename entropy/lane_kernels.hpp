// SIMD kernels of streams with 32 lanes, chosen for the machine at run time (Highway). Each does what the scalar step
// does, to the bit, for as many whole blocks as it safely can, and leaves the rest to it.
#pragma once

#include "entropy/pair_code.hpp"
#include "entropy/rans.hpp"

namespace wcodec {

// Null where the machine has no faster way than the scalar step.
struct LaneKernels {
  sv name;  // "scalar", "avx2", "avx512"
  // Advance `count` (1 or 2) streams as far as whole blocks go, and rans_decode then as far as whole rounds go: two at
  // once hide each other's latency.
  void (*rans_decode)(LaneDecoder* const* streams, int count, const RansDecodeTables& tables) = nullptr;
  void (*pair_decode)(LaneDecoder* const* streams, int count, const PairDecodeTable& table) = nullptr;
  // Encode symbols[0, count) backwards: `blocked` in blocks and whole rounds behind them (rANS), or blocks alone
  // (pairs); contracts as the scalar functions, but kEncodeSlack words below those written may be overwritten.
  std::size_t (*rans_encode)(const u8* symbols, const u8* contexts, std::size_t count, std::size_t blocked,
                             const RansEncodeTables& tables, LaneStates& states, u16* words_end) = nullptr;
  std::size_t (*pair_encode)(const u8* symbols, std::size_t count, const PairEncodeTable& table, LaneStates& states,
                             u16* words_end) = nullptr;
};

inline constexpr std::size_t kEncodeSlack = 16;

const LaneKernels& lane_kernels() noexcept;   // the fastest that this machine runs
std::vector<LaneKernels> all_lane_kernels();  // all that it runs, scalar first: for tests that compare them
// Makes lane_kernels() return these (by name) until called with {}: for tests and benchmarks. Not thread-safe.
void force_lane_kernels(sv name);

}  // namespace wcodec

#include "entropy/lanes.hpp"

#include <algorithm>
#include <bit>

#include "entropy/bits.hpp"

namespace wcodec {
namespace {

int extra_bits(u32 state) noexcept { return static_cast<int>(std::bit_width(state)) - 17; }

}  // namespace

void seed_lanes(const u8* symbols, int bits, LaneStates& states) noexcept {
  for (std::size_t lane = 0; lane < kMaxLanes; ++lane) {
    u32 seed = 0;
    for (int k = symbols_per_seed(bits); k-- > 0;)
      seed = seed << bits | symbols[static_cast<std::size_t>(k) * kMaxLanes + lane];
    states[lane] = kLaneLow | seed;
  }
}

bool unseed_lanes(const LaneStates& states, int bits, u8* symbols) noexcept {
  const int slots = symbols_per_seed(bits);
  const u32 mask = (u32{1} << bits) - 1;
  for (std::size_t lane = 0; lane < kMaxLanes; ++lane) {
    if (states[lane] >> (slots * bits) != kLaneLow >> (slots * bits)) return false;
    for (int k = 0; k < slots; ++k)
      symbols[static_cast<std::size_t>(k) * kMaxLanes + lane] = static_cast<u8>(states[lane] >> (k * bits) & mask);
  }
  return true;
}

bool lanes_are_empty(const LaneStates& states, int lanes) noexcept {
  return std::all_of(states.begin(), states.begin() + lanes, [](u32 x) { return x == kLaneLow; });
}

void write_states(const LaneStates& states, int lanes, std::vector<u8>& out) {
  if (lanes != kMaxLanes) {
    for (int lane = 0; lane < lanes; ++lane) {
      for (int byte = 0; byte < 4; ++byte)
        out.push_back(static_cast<u8>(states[static_cast<std::size_t>(lane)] >> 8 * byte));
    }
    return;
  }
  BitWriter packed;
  for (const u32 x : states) packed.put(static_cast<u32>(extra_bits(x)), 4);
  for (const u32 x : states) packed.put(x & 0xffff, 16);
  for (const u32 x : states) {
    const int extra = extra_bits(x);
    packed.put(x >> 16 & ((u32{1} << extra) - 1), extra);
  }
  const std::vector<u8> bytes = packed.finish();
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void read_states(ByteReader& in, int lanes, LaneStates& states) {
  if (lanes != kMaxLanes) {
    for (int lane = 0; lane < lanes; ++lane) {
      states[static_cast<std::size_t>(lane)] = in.read<u32>("lane states");
      if (states[static_cast<std::size_t>(lane)] < kLaneLow)
        throw Error(ErrorKind::corrupt, "lane states: a state is below 2^16");
    }
    return;
  }
  const u8* widths = in.take(16, "lane states").data();
  const u8* lows = in.take(64, "lane states").data();
  BitReader rest(in, "lane states");
  for (std::size_t lane = 0; lane < kMaxLanes; ++lane) {
    const int extra = widths[lane / 2] >> (4 * (lane % 2)) & 15;
    u16 low;
    std::memcpy(&low, lows + 2 * lane, 2);
    states[lane] = ((u32{1} << extra) | rest.get(extra)) << 16 | low;
  }
  rest.finish();
}

}  // namespace wcodec

#include "entropy/neighbour_contexts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "entropy/magnitude.hpp"

namespace wcodec {
namespace {

constexpr u8 kFirstRound = kNeighbourClasses - 1;
constexpr int kBlockRows = 8;
static_assert(kNeighbourRound == kMaxLanes);
static_assert((static_cast<int>(kNeighbourRound) + 4 * kNeighbourRows) * kMaxNeighbourLevel / 8 < kFirstRound);

}  // namespace

std::array<u8, 256> NeighbourRule::levels(int bits) const noexcept {
  std::array<u8, 256> out{};
  for (int s = 0; s < 1 << bits; ++s) {
    const int level = floor == 0 ? magnitude_bits(static_cast<u8>(s), bits) : s - floor;
    out[static_cast<std::size_t>(s)] = static_cast<u8>(std::clamp(level, 0, kMaxNeighbourLevel));
  }
  return out;
}

void NeighbourClasses::begin_chunk(std::size_t symbols) {
  if (known_.size() < symbols + kNeighbourRound) known_.resize(symbols + kNeighbourRound);
  at_ = 0;
  last_round_ = 0;
}

void NeighbourClasses::next(u8* classes) const noexcept {
  if (at_ == 0) {
    std::fill_n(classes, kNeighbourRound, kFirstRound);
    return;
  }
  std::array<u16, kNeighbourRound> above{};
  for (u64 k = 1; k <= kNeighbourRows; ++k) {
    const u64 back = k * distance_;
    // Lanes before this one have no such neighbour in the chunk.
    const auto first = static_cast<std::size_t>(back <= at_ ? 0 : std::min<u64>(back - at_, kNeighbourRound));
    const auto missing = static_cast<u16>(last_round_ / kNeighbourRound);
    if (first == 0) {
      const u8* const row = known_.data() + (at_ - back);
      for (std::size_t lane = 0; lane < kNeighbourRound; ++lane)
        above[lane] = static_cast<u16>(above[lane] + row[lane]);
      continue;
    }
    for (std::size_t lane = 0; lane < kNeighbourRound; ++lane)
      above[lane] = static_cast<u16>(above[lane] + (lane < first ? missing : known_[at_ + lane - back]));
  }
  for (std::size_t lane = 0; lane < kNeighbourRound; ++lane)
    classes[lane] = static_cast<u8>((last_round_ + 4u * above[lane]) / 8);
}

void NeighbourClasses::take(const u8* symbols, std::size_t count) noexcept {
  u32 sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += known_[at_ + i] = levels_[symbols[i]];
  at_ += count;
  last_round_ = sum;
}

NeighbourRule choose_neighbour_rule(const TileGrid& grid, bool bands, bool log_scale, std::span<const u8> residuals) {
  NeighbourRule rule;
  const auto width = static_cast<u64>(std::min<i64>(grid.shape.cols, grid.cols));
  const u64 row = bands ? width * kBlockRows : width;
  rule.distance = (kNeighbourRound + row - 1) / row * row;
  if (log_scale && !residuals.empty())
    rule.floor =
        static_cast<u8>(std::max(1, *std::max_element(residuals.begin(), residuals.end()) - kMaxNeighbourLevel));
  return rule;
}

std::vector<u8> neighbour_classes(const NeighbourRule& rule, std::span<const u8> residuals, int bits, int log2_chunk) {
  NeighbourClasses known(rule, bits);
  // Whole rounds are written.
  std::vector<u8> classes(residuals.size() + kNeighbourRound);
  const std::size_t chunk = std::size_t{1} << log2_chunk;
  for (std::size_t begin = 0; begin < residuals.size(); begin += chunk) {
    const std::size_t end = std::min(begin + chunk, residuals.size());
    known.begin_chunk(end - begin);
    for (std::size_t i = begin; i < end; i += kNeighbourRound) {
      known.next(classes.data() + i);
      known.take(residuals.data() + i, std::min(kNeighbourRound, end - i));
    }
  }
  classes.resize(residuals.size());
  return classes;
}

void write_neighbour_contexts(const NeighbourContexts& contexts, LedgerWriter& out) {
  write_class_contexts(contexts.classes, out);
  if (contexts.classes.count == 1) return;
  out.varint(LedgerEntry::context, contexts.rule.distance);
  out.write(LedgerEntry::context, contexts.rule.floor);
}

NeighbourContexts read_neighbour_contexts(ByteReader& in) {
  NeighbourContexts out;
  out.classes = read_class_contexts(kNeighbourClasses, in);
  if (out.classes.count == 1) return out;
  out.rule.distance = in.varint("distance of neighbours");
  if (out.rule.distance < kNeighbourRound || out.rule.distance > kMaxNeighbourDistance)
    throw Error(ErrorKind::corrupt, "neighbour contexts: their distance is out of range");
  out.rule.floor = in.read<u8>("neighbour contexts");
  return out;
}

void fill_neighbour_chunks(const StreamLayout& layout, const NeighbourContexts& contexts, std::span<const u8> only,
                           u8* out) {
  NeighbourClasses known(contexts.rule, layout.bits);
  std::array<u8, kNeighbourRound> round;
  for (u64 chunk = 0; chunk < layout.chunks(); ++chunk) {
    known.begin_chunk(static_cast<std::size_t>(layout.size(chunk)));
    for (u64 i = 0; i < layout.size(chunk); i += kNeighbourRound) {
      u8* const symbols = out + layout.first(chunk) + i;
      const auto count = static_cast<std::size_t>(std::min<u64>(layout.size(chunk) - i, kNeighbourRound));
      known.next(round.data());
      for (std::size_t k = 0; k < count; ++k) symbols[k] = only[contexts.classes.context_of[round[k]]];
      known.take(symbols, count);
    }
  }
}

void decode_neighbour_chunks(const ChunkIndex& index, const StreamLayout& layout, const NeighbourContexts& contexts,
                             const StreamDecoder& code, u8* out) {
  NeighbourClasses known(contexts.rule, layout.bits);
  std::array<u8, kNeighbourRound> round;
  for (u64 chunk = 0; chunk < layout.chunks(); ++chunk) {
    OpenChunk open = open_chunk(index, layout, chunk, nullptr, out + layout.first(chunk));
    known.begin_chunk(open.count);
    u64 left = open.stream.left;
    while (left > 0) {
      const u64 here = std::min<u64>(left, kNeighbourRound);
      known.next(round.data());
      for (u8& context : round) context = contexts.classes.context_of[context];
      const u8* const symbols = open.stream.out;
      open.stream.contexts = round.data();
      open.stream.left = here;
      LaneDecoder* const stream = &open.stream;
      if (open.lanes == kMaxLanes) code.rounds(&stream, 1);
      // Short streams have 1 or 8 lanes: 32 symbols go round them a whole number of times.
      if (!code.finish(open.stream, open.lanes))
        throw Error(ErrorKind::corrupt, fmt::format("chunk {} does not end as it must", chunk));
      known.take(symbols, here);
      left -= here;
    }
    close_chunk(open, layout, chunk, code);
  }
}

}  // namespace wcodec

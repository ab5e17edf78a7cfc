// Contexts from the magnitudes of symbols that are decoded already: where weights are small, those that follow are
// small too, and no map of scales has to be sent.
//
// A symbol's neighbours are those of its column in eight rows above, and all of the round of 32 symbols before its own.
// Both are counted in coding order and inside the symbol's chunk, so that all of them are there before its round is
// decoded, whether lanes go one by one, in a vector or in a warp (where W below is one sum for all lanes). With d =
// `distance`, m the level of a symbol, i its place in the chunk and r = ⌊i / 32⌋ its round:
//   W = Σ of m over the 32 symbols of round r − 1
//   S = W + 4 · Σ_{k=1…8} m(i − k·d), where a term before the chunk's beginning is ⌊W / 32⌋
// The class is ⌊S / 8⌋, 0…56; symbols of round 0 have class 57.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "core/tile.hpp"
#include "entropy/chunked_stream.hpp"
#include "entropy/class_contexts.hpp"

namespace wcodec {

inline constexpr std::size_t kNeighbourRound = 32;
inline constexpr int kNeighbourRows = 8, kMaxNeighbourLevel = 7, kNeighbourClasses = 58;
inline constexpr u64 kMaxNeighbourDistance = u64{1} << 24;

// How far away neighbours are, and what counts as large.
struct NeighbourRule {
  u64 distance = kNeighbourRound;  // 32 … kMaxNeighbourDistance
  u8 floor =
      0;  // 0: a level is the bits of a symbol's magnitude; else symbol − floor, as exponents are; 0…7 either way

  std::array<u8, 256> levels(int bits) const noexcept;
};

struct NeighbourContexts {
  NeighbourRule rule;
  ClassContexts classes;
};

// Classes of symbols in a chunk as they become known.
class NeighbourClasses {
 public:
  NeighbourClasses(const NeighbourRule& rule, int bits) : levels_(rule.levels(bits)), distance_(rule.distance) {}
  void begin_chunk(std::size_t symbols);
  // Classes of the next round: 32 of them, whatever the symbols that are left.
  void next(u8* classes) const noexcept;
  // The round's symbols, at most 32; fewer in the last one only.
  void take(const u8* symbols, std::size_t count) noexcept;

 private:
  std::array<u8, 256> levels_;
  u64 distance_;
  std::vector<u8> known_;  // levels of this chunk
  std::size_t at_ = 0;
  u32 last_round_ = 0;  // W
};

// A row is one of the tiles'; `bands`: symbols are transform coefficients, whose like are a row of blocks above.
// `log_scale`: symbols are exponents.
NeighbourRule choose_neighbour_rule(const TileGrid& grid, bool bands, bool log_scale, std::span<const u8> residuals);
// Classes of all symbols, by chunks of 2^log2_chunk.
std::vector<u8> neighbour_classes(const NeighbourRule& rule, std::span<const u8> residuals, int bits, int log2_chunk);

void write_neighbour_contexts(const NeighbourContexts& contexts, LedgerWriter& out);
// Throws Error{corrupt} or Error{truncated}.
NeighbourContexts read_neighbour_contexts(ByteReader& in);

// Where every context knows one symbol only, only[context]: nothing is coded.
void fill_neighbour_chunks(const StreamLayout& layout, const NeighbourContexts& contexts, std::span<const u8> only,
                           u8* out);
// As decode_chunks for all chunks of a stream, contexts being found on the way.
void decode_neighbour_chunks(const ChunkIndex& index, const StreamLayout& layout, const NeighbourContexts& contexts,
                             const StreamDecoder& code, u8* out);

}  // namespace wcodec

// A plane's symbols as independent chunks: what threads, a GPU and random access share out.
//
// A chunk is its lanes' states and their words. An index of chunk sizes stands before all chunks; where a code leaves
// low bits uncoded, those of the whole stream stand behind them (low_bits.hpp). Encoding and decoding go through a code
// (RansCode, PairCodec), which brings the step and its SIMD kernels.
#pragma once

#include <span>

#include "core/ledger_writer.hpp"
#include "core/spec.hpp"
#include "entropy/lane_kernels.hpp"

namespace wcodec {

inline constexpr int kMinLog2Chunk = 10, kMaxLog2Chunk = 26;
inline constexpr int kAutomaticChunk = 0;

// The option `chunk` of coders, in symbols, and the byte that stands for it in files.
inline constexpr OptionInfo kChunkOption = {"chunk", "auto", "auto|1024...67108864",
                                            "symbols that are decoded together, a power of two"};
int read_chunk_option(const OptionReader& options);  // log2 or kAutomaticChunk; throws Error{usage}
int read_log2_chunk(ByteReader& in);                 // throws Error{corrupt | truncated}
// What a chunk costs on top (its seeds are symbols uncoded, 64 bytes of them) should stay below 0.3 %: from 2^16
// symbols, when they take 4 bits and more, to 2^20, when they take a quarter bit and less.
int choose_log2_chunk(int option, double bits_a_symbol) noexcept;

struct StreamLayout {
  u64 count;               // symbols
  int bits;                // of a symbol
  int low_bits;            // uncoded ones of these; the code sees the `bits − low_bits` above
  u8 offset;               // added (modulo 2^bits) before the low bits are cut off: a multiple of 2^low_bits
  int log2_chunk;          // symbols a chunk, the last may have fewer
  int window = 0;          // bits of the high parts, where their upper ones are all zero; 0: all of them
  bool in_rounds = false;  // no blocks (lanes.hpp), so that a round's symbols are known before the next one's contexts

  u64 chunk_size() const noexcept { return u64{1} << log2_chunk; }
  u64 chunks() const noexcept { return (count + chunk_size() - 1) >> log2_chunk; }
  u64 first(u64 chunk) const noexcept { return chunk << log2_chunk; }
  u64 size(u64 chunk) const noexcept { return std::min(chunk_size(), count - first(chunk)); }
  int high_bits() const noexcept { return window > 0 ? window : bits - low_bits; }
};

// Encoding side of a code: `encode` as rans_encode and pair_encode with the choice of kernel made.
class StreamEncoder {
 public:
  explicit StreamEncoder(const RansEncodeTables& tables) noexcept : rans_(&tables) {}
  StreamEncoder(const PairEncodeTable& table, u8 filler) noexcept : pairs_(&table), filler_(filler) {}
  std::size_t encode(const u8* symbols, const u8* contexts, std::size_t count, int lanes, bool in_rounds,
                     LaneStates& states, u16* words_end) const noexcept;

 private:
  const RansEncodeTables* rans_ = nullptr;
  const PairEncodeTable* pairs_ = nullptr;
  u8 filler_ = 0;
};

class StreamDecoder {
 public:
  explicit StreamDecoder(const RansDecodeTables& tables) noexcept : rans_(&tables) {}
  explicit StreamDecoder(const PairDecodeTable& table) noexcept : pairs_(&table) {}
  // Whole blocks of 32 lanes, and whole rounds behind these, as far as kernels go.
  void rounds(LaneDecoder* const* streams, int count) const noexcept;
  bool finish(LaneDecoder& stream, int lanes) const noexcept;

 private:
  const RansDecodeTables* rans_ = nullptr;
  const PairDecodeTable* pairs_ = nullptr;
};

// Writes the index (entry `index`), the chunks (`state`, `payload`) and the uncoded bits (`payload`). `contexts` is
// null or has one entry a symbol. A dry writer costs the same work.
void encode_chunks(std::span<const u8> symbols, const u8* contexts, const StreamLayout& layout,
                   const StreamEncoder& code, LedgerWriter& out);

// The index alone: sizes of all chunks in order, at least one.
void write_chunk_index(std::span<const u64> sizes, LedgerWriter& out);

// Where the chunks of a stream lie.
struct ChunkIndex {
  std::vector<u64> offset;  // chunks + 1 of them, from the beginning of `bytes`
  Bytes bytes;              // all chunks
  Bytes low = {};           // uncoded bits
};

// Takes index, chunks and uncoded bits from `in`. Throws Error{corrupt | truncated}.
ChunkIndex read_chunk_index(ByteReader& in, const StreamLayout& layout);

// A chunk that is being decoded, for callers that decode it in pieces: `stream` may be advanced by StreamDecoder up to
// where its `left` is 0, and its `contexts` may be set anew before each piece.
struct OpenChunk {
  LaneDecoder stream;
  u8* out;            // its first symbol
  std::size_t count;  // symbols, the seeded ones at its end included
  const u8* low;      // uncoded bits of the whole stream
  int lanes;
};
// `contexts`: of its first symbol, or null. Throws Error{corrupt | truncated}.
OpenChunk open_chunk(const ChunkIndex& index, const StreamLayout& layout, u64 chunk, const u8* contexts, u8* out);
// Decodes what is left, and checks that the chunk ends as it must. Throws Error{corrupt} naming it.
void close_chunk(OpenChunk& open, const StreamLayout& layout, u64 chunk, const StreamDecoder& code);

// Decodes chunks [first, last) into `out`, which is the place of the first one's first symbol; `contexts` likewise.
// Throws Error{corrupt} naming the chunk; never reads outside index.bytes.
void decode_chunks(const ChunkIndex& index, const StreamLayout& layout, u64 first, u64 last, const u8* contexts,
                   const StreamDecoder& code, u8* out);

}  // namespace wcodec

#include "entropy/chunked_stream.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "entropy/bits.hpp"
#include "entropy/low_bits.hpp"

namespace wcodec {
namespace {

// Reused between chunks of one thread, so that fresh pages are not paid for again and again.
struct Scratch {
  std::vector<u8> high, chunks, low;
  std::vector<u16> words;
};

Scratch& scratch(const StreamLayout& layout) {
  thread_local Scratch reused;
  const auto size = static_cast<std::size_t>(std::min(layout.chunk_size(), layout.count));
  if (reused.words.size() < 2 * size + kEncodeSlack) reused.words.resize(2 * size + kEncodeSlack);
  if (reused.high.size() < size) reused.high.resize(size);
  reused.low.resize(low_bytes(layout.count, layout.low_bits));
  return reused;
}

// Appends chunk k to space.chunks and books its parts.
void encode_chunk(const u8* symbols, const u8* contexts, u64 k, const StreamLayout& layout, const StreamEncoder& code,
                  Scratch& space, Ledger& entries) {
  const auto count = static_cast<std::size_t>(layout.size(k));
  const u8* high = symbols;
  if (layout.low_bits > 0 || layout.offset != 0) {
    split_low_bits(symbols, {layout.first(k), count, layout.count}, layout.bits, layout.low_bits, layout.offset,
                   space.high.data(), space.low.data());
    high = space.high.data();
  }
  const int lanes = lanes_of(count);
  const auto seeded = static_cast<std::size_t>(seeded_symbols(count, layout.high_bits()));
  LaneStates states;
  states.fill(kLaneLow);
  if (seeded > 0) seed_lanes(high + (count - seeded), layout.high_bits(), states);
  u16* const end = space.words.data() + space.words.size();
  const std::size_t words = code.encode(high, contexts, count - seeded, lanes, layout.in_rounds, states, end);
  const std::size_t begin = space.chunks.size();
  write_states(states, lanes, space.chunks);
  entries[LedgerEntry::state] += space.chunks.size() - begin;
  const auto* first = reinterpret_cast<const u8*>(end - words);
  space.chunks.insert(space.chunks.end(), first, first + 2 * words);
  entries[LedgerEntry::payload] += 2 * words;
}

}  // namespace

int read_chunk_option(const OptionReader& options) {
  if (options.text("chunk") == "auto") return kAutomaticChunk;
  const i64 chunk = options.integer("chunk", i64{1} << kMinLog2Chunk, i64{1} << kMaxLog2Chunk);
  if (!std::has_single_bit(static_cast<u64>(chunk)))
    throw Error(ErrorKind::usage, fmt::format("chunk={} is not a power of two", chunk));
  return std::countr_zero(static_cast<u64>(chunk));
}

int choose_log2_chunk(int option, double bits_a_symbol) noexcept {
  if (option != kAutomaticChunk) return option;
  int log2_chunk = 16;
  for (double bits = bits_a_symbol; bits < 4 && log2_chunk < 20; bits *= 2) ++log2_chunk;
  return log2_chunk;
}

int read_log2_chunk(ByteReader& in) {
  const int log2_chunk = in.read<u8>("chunk size");
  if (log2_chunk < kMinLog2Chunk || log2_chunk > kMaxLog2Chunk)
    throw Error(ErrorKind::corrupt, "chunk size out of range");
  return log2_chunk;
}

std::size_t StreamEncoder::encode(const u8* symbols, const u8* contexts, std::size_t count, int lanes, bool in_rounds,
                                  LaneStates& states, u16* words_end) const noexcept {
  const LaneKernels& kernels = lane_kernels();
  const std::size_t blocked = in_rounds ? 0 : blocked_symbols(count, lanes);
  if (pairs_ != nullptr) {
    const std::size_t whole = kernels.pair_encode != nullptr ? blocked : 0;
    std::size_t words = pair_encode(symbols + whole, count - whole, *pairs_, filler_, lanes, states, words_end);
    if (whole > 0) words += kernels.pair_encode(symbols, whole, *pairs_, states, words_end - words);
    return words;
  }
  const bool fast = lanes == kMaxLanes && kernels.rans_encode != nullptr;
  const std::size_t whole = fast ? count / kMaxLanes * kMaxLanes : 0;
  std::size_t words = rans_encode(symbols + whole, contexts ? contexts + whole : nullptr, count - whole,
                                  fast ? 0 : blocked, *rans_, lanes, states, words_end);
  if (whole > 0) words += kernels.rans_encode(symbols, contexts, whole, blocked, *rans_, states, words_end - words);
  return words;
}

void StreamDecoder::rounds(LaneDecoder* const* streams, int count) const noexcept {
  const LaneKernels& kernels = lane_kernels();
  if (kernels.rans_decode == nullptr) return;
  if (pairs_ != nullptr) {
    kernels.pair_decode(streams, count, *pairs_);
  } else {
    kernels.rans_decode(streams, count, *rans_);
  }
}

bool StreamDecoder::finish(LaneDecoder& stream, int lanes) const noexcept {
  return pairs_ != nullptr ? pair_decode(stream, lanes, *pairs_) : rans_decode(stream, lanes, *rans_);
}

void encode_chunks(std::span<const u8> symbols, const u8* contexts, const StreamLayout& layout,
                   const StreamEncoder& code, LedgerWriter& out) {
  Scratch& space = scratch(layout);
  std::vector<u8>& chunks = space.chunks;
  chunks.clear();
  std::vector<u64> sizes;
  Ledger entries;
  for (u64 k = 0; k < layout.chunks(); ++k) {
    const u64 first = layout.first(k);
    const std::size_t begin = chunks.size();
    encode_chunk(symbols.data() + first, contexts ? contexts + first : nullptr, k, layout, code, space, entries);
    sizes.push_back(chunks.size() - begin);
  }
  write_chunk_index(sizes, out);
  out.append(entries, chunks);
  out.append(LedgerEntry::payload, space.low);
}

void write_chunk_index(std::span<const u64> sizes, LedgerWriter& out) {
  const u64 least = *std::min_element(sizes.begin(), sizes.end()), most = *std::max_element(sizes.begin(), sizes.end());
  out.varint(LedgerEntry::index, least);
  if (sizes.size() == 1) return;
  const int width = static_cast<int>(std::bit_width(most - least));
  out.write(LedgerEntry::index, static_cast<u8>(width));
  BitWriter packed;
  for (const u64 size : sizes) packed.put(static_cast<u32>(size - least), width);
  out.append(LedgerEntry::index, packed.finish());
}

ChunkIndex read_chunk_index(ByteReader& in, const StreamLayout& layout) {
  const u64 chunks = layout.chunks();
  const u64 least = in.varint("chunk index");
  int width = 0;
  if (chunks > 1) {
    width = in.read<u8>("chunk index");
    if (width > 32) throw Error(ErrorKind::corrupt, "chunk index: sizes are wider than 32 bits");
  }
  // The index lies before the chunks: its own size bounds what is allocated.
  if (chunks > 1 && (width == 0 ? chunks : chunks / 8 * static_cast<u64>(width)) > in.remaining())
    throw Error(ErrorKind::truncated, "chunk index: fewer bytes than chunks");
  ChunkIndex index;
  index.offset.reserve(static_cast<std::size_t>(chunks + 1));
  index.offset.push_back(0);
  BitReader packed(in, "chunk index");
  for (u64 k = 0; k < chunks; ++k) {
    const u64 size = least + (chunks > 1 ? packed.get(width) : 0);
    if (size < least || size > in.remaining() || index.offset.back() + size > in.remaining())
      throw Error(ErrorKind::truncated, fmt::format("chunk {} reaches beyond the end", k));
    index.offset.push_back(index.offset.back() + size);
  }
  packed.finish();
  index.bytes = in.take(static_cast<std::size_t>(index.offset.back()), "chunks");
  index.low = in.take(low_bytes(layout.count, layout.low_bits), "uncoded bits");
  return index;
}

namespace {

[[noreturn]] void fail(u64 chunk, const char* why) {
  throw Error(ErrorKind::corrupt, fmt::format("chunk {} {}", chunk, why));
}

}  // namespace

OpenChunk open_chunk(const ChunkIndex& index, const StreamLayout& layout, u64 chunk, const u8* contexts, u8* out) {
  OpenChunk w;
  w.count = static_cast<std::size_t>(layout.size(chunk));
  w.out = out;
  w.lanes = lanes_of(w.count);
  ByteReader in(index.bytes.subspan(static_cast<std::size_t>(index.offset[chunk]),
                                    static_cast<std::size_t>(index.offset[chunk + 1] - index.offset[chunk])));
  read_states(in, w.lanes, w.stream.x);
  const Bytes words = in.peek();
  w.low = index.low.data();
  w.stream.next = words.data();
  w.stream.end = words.data() + words.size();
  w.stream.readable = index.bytes.data() + index.bytes.size();
  w.stream.out = out;
  w.stream.contexts = contexts;
  w.stream.left = w.count - seeded_symbols(w.count, layout.high_bits());
  return w;
}

void close_chunk(OpenChunk& w, const StreamLayout& layout, u64 chunk, const StreamDecoder& code) {
  const bool ended = code.finish(w.stream, w.lanes) && w.stream.next == w.stream.end;
  const auto seeded = static_cast<std::size_t>(seeded_symbols(w.count, layout.high_bits()));
  const bool returned =
      ended && (w.lanes == kMaxLanes ? unseed_lanes(w.stream.x, layout.high_bits(), w.out + (w.count - seeded))
                                     : lanes_are_empty(w.stream.x, w.lanes));
  if (!returned) fail(chunk, "does not end as it must");
  if ((layout.low_bits > 0 || layout.offset != 0) && !join_low_bits(w.out, {layout.first(chunk), w.count, layout.count},
                                                                    layout.bits, layout.low_bits, layout.offset, w.low))
    fail(chunk, "has padding bits that are not zero");
}

void decode_chunks(const ChunkIndex& index, const StreamLayout& layout, u64 first, u64 last, const u8* contexts,
                   const StreamDecoder& code, u8* out) {
  const u64 origin = layout.first(first);
  for (u64 k = first; k < last; k += 2) {
    const u64 end = std::min(last, k + 2);
    std::array<OpenChunk, 2> open;
    std::array<LaneDecoder*, 2> fast{};
    int fast_count = 0;
    for (u64 chunk = k; chunk < end; ++chunk) {
      const u64 at = layout.first(chunk) - origin;
      OpenChunk& w = open[chunk - k] = open_chunk(index, layout, chunk, contexts ? contexts + at : nullptr, out + at);
      if (w.lanes == kMaxLanes) fast[static_cast<std::size_t>(fast_count++)] = &w.stream;
    }
    if (fast_count > 0) code.rounds(fast.data(), fast_count);
    for (u64 chunk = k; chunk < end; ++chunk) close_chunk(open[chunk - k], layout, chunk, code);
  }
}

}  // namespace wcodec

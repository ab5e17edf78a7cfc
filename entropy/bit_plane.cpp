#include "entropy/bit_plane.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace wcodec {
namespace {

constexpr u8 kStoredRaw = 0xff;  // on the wire, in the place of the level
constexpr int kMaxLevel = kMaxBitPlaneLevel, kPrecision = kBitPlanePrecision;

using BitCounts = std::array<u32, 2>;

u32 merged(const BitPlaneContext& context, u32 prefix, int level) noexcept {
  if (context.merge == BitPlaneContext::Merge::top_bits) return prefix >> (context.known - level);
  return std::min(prefix, (u32{1} << level) - 1);
}

int max_level(int known) noexcept { return std::min(known, kMaxLevel); }

bool is_constant(const FrequencyTable& table) noexcept {
  return table.frequency[0] == 1 << kPrecision || table.frequency[1] == 1 << kPrecision;
}

struct Model {
  int level = 0;
  std::vector<FrequencyTable> tables;  // of each context
  std::vector<u8> packed;
  double bits = 0;  // of all symbols, as the tables imply
};

Model make_model(const BitPlaneContext& context, const std::vector<BitCounts>& of_prefix, int level) {
  std::vector<BitCounts> counts(std::size_t{1} << level);
  for (u32 prefix = 0; prefix < of_prefix.size(); ++prefix) {
    for (std::size_t bit = 0; bit < 2; ++bit) counts[merged(context, prefix, level)][bit] += of_prefix[prefix][bit];
  }
  Model model;
  model.level = level;
  BitWriter packed;
  for (const BitCounts& count : counts) {
    // A context that does not occur has the shortest table, so that tables can be read before the planes above.
    const bool occurs = count[0] + count[1] > 0;
    model.tables.push_back(write_table(occurs ? count : BitCounts{1, 0}, kPrecision, packed));
    if (occurs) model.bits += implied_bits(count, model.tables.back());
  }
  model.packed = packed.finish();
  return model;
}

std::vector<u8> contexts_of(const BitPlaneContext& context, int level) {
  std::vector<u8> contexts(context.prefixes.size());
  for (std::size_t i = 0; i < contexts.size(); ++i)
    contexts[i] = static_cast<u8>(merged(context, context.prefixes[i], level));
  return contexts;
}

StreamLayout layout_of(u64 count, int log2_chunk) noexcept { return {count, 1, 0, 0, log2_chunk}; }

void write_raw_bits(Bytes bits, LedgerWriter& out) {
  BitWriter packed;
  for (const u8 bit : bits) packed.put(bit, 1);
  out.append(LedgerEntry::payload, packed.finish());
}

// Not inlined: GCC 12 would warn of an overflow in the first growth of an empty writer, where there is none.
[[gnu::noinline]] void write_coded(Bytes bits, const BitPlaneContext& context, const Model& model, LedgerWriter& out) {
  out.write(LedgerEntry::header, static_cast<u8>(model.level));
  out.append(LedgerEntry::table, model.packed);
  if (std::all_of(model.tables.begin(), model.tables.end(), is_constant)) return;
  const int log2_chunk = choose_log2_chunk(kAutomaticChunk, model.bits / static_cast<double>(bits.size()));
  out.write(LedgerEntry::header, static_cast<u8>(log2_chunk));
  const std::vector<u8> contexts = contexts_of(context, model.level);
  const RansEncodeTables encoder(model.tables);
  encode_chunks(bits, contexts.data(), layout_of(bits.size(), log2_chunk), StreamEncoder(encoder), out);
}

}  // namespace

void write_bit_plane(Bytes bits, const BitPlaneContext& context, LedgerWriter& out) {
  if (bits.empty()) return;
  std::vector<BitCounts> of_prefix(std::size_t{1} << context.known);
  for (std::size_t i = 0; i < bits.size(); ++i) ++of_prefix[context.prefixes[i]][bits[i]];
  Model best = make_model(context, of_prefix, 0);
  for (int level = 1; level <= max_level(context.known); ++level) {
    Model model = make_model(context, of_prefix, level);
    const auto cost = [](const Model& m) { return m.bits + 8.0 * static_cast<double>(m.packed.size()); };
    if (cost(model) < cost(best)) best = std::move(model);
  }
  LedgerWriter coded(out.dry());
  write_coded(bits, context, best, coded);
  if (coded.ledger().total() <= (bits.size() + 7) / 8) {
    out.append_all(coded);
  } else {
    out.write(LedgerEntry::header, kStoredRaw);
    write_raw_bits(bits, out);
  }
}

BitPlaneHeader read_bit_plane_header(ByteReader& in, int known, u64 count) {
  const u8 level = in.read<u8>("bit plane");
  BitPlaneHeader header;
  if (level == kStoredRaw) {
    header.packed = in.take(static_cast<std::size_t>((count + 7) / 8), "bits of a plane");
    if (count % 8 != 0 && header.packed.back() >> count % 8 != 0)
      throw Error(ErrorKind::corrupt, "bit plane: padding bits are not zero");
    return header;
  }
  if (level > max_level(known)) throw Error(ErrorKind::corrupt, "bit plane: unknown kind of contexts");
  header.level = level;
  BitReader packed(in);
  for (std::size_t c = 0; c < std::size_t{1} << level; ++c) header.tables.push_back(read_table(1, kPrecision, packed));
  packed.finish();
  header.kind = BitPlaneHeader::Kind::constant;
  if (std::all_of(header.tables.begin(), header.tables.end(), is_constant)) return header;
  header.kind = BitPlaneHeader::Kind::coded;
  header.layout = layout_of(count, read_log2_chunk(in));
  return header;
}

void read_bit_plane(ByteReader& in, const BitPlaneContext& context, MutBytes bits) {
  if (bits.empty()) return;
  const BitPlaneHeader header = read_bit_plane_header(in, context.known, bits.size());
  if (header.kind == BitPlaneHeader::Kind::stored) {
    for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = header.packed[i / 8] >> i % 8 & 1;
    return;
  }
  const std::vector<u8> contexts = contexts_of(context, header.level);
  if (header.kind == BitPlaneHeader::Kind::constant) {
    for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = header.tables[contexts[i]].frequency[0] == 0 ? 1 : 0;
    return;
  }
  const ChunkIndex index = read_chunk_index(in, header.layout);
  const RansDecodeTables decoder(header.tables);
  decode_chunks(index, header.layout, 0, header.layout.chunks(), contexts.data(), StreamDecoder(decoder), bits.data());
}

}  // namespace wcodec

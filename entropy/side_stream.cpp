#include "entropy/side_stream.hpp"

#include <algorithm>
#include <array>

#include "entropy/chunked_stream.hpp"

namespace wcodec {
namespace {

enum Kind : u8 { kConstant = 0, kPacked = 1, kRans = 2 };
constexpr int kPrecision = 12;

std::vector<u8> pack(Bytes values, int bits) {
  BitWriter out;
  for (const u8 value : values) out.put(value, bits);
  return out.finish();
}

StreamLayout layout_of(u64 count, int bits) noexcept { return {count, bits, 0, 0, kMaxLog2Chunk}; }

std::vector<u8> encode_rans(Bytes values, int bits) {
  std::array<u32, 256> counts{};
  for (const u8 value : values) ++counts[value];
  BitWriter table_bits;
  const FrequencyTable table = write_table(std::span(counts).first(std::size_t{1} << bits), kPrecision, table_bits);
  LedgerWriter out;
  out.append(LedgerEntry::table, table_bits.finish());
  const RansEncodeTables encoder({&table, 1});
  encode_chunks(values, nullptr, layout_of(values.size(), bits), StreamEncoder(encoder), out);
  return out.take();
}

}  // namespace

void write_side_stream(Bytes values, int bits, LedgerEntry entry, LedgerWriter& out) {
  if (values.empty()) return;
  if (std::all_of(values.begin(), values.end(), [&](u8 v) { return v == values[0]; })) {
    out.write(entry, u8{kConstant});
    out.write(entry, values[0]);
    return;
  }
  const std::vector<u8> packed = pack(values, bits), coded = encode_rans(values, bits);
  out.write(entry, coded.size() < packed.size() ? u8{kRans} : u8{kPacked});
  out.append(entry, coded.size() < packed.size() ? coded : packed);
}

std::vector<u8> read_side_stream(ByteReader& in, u64 count, int bits, int limit, const char* what) {
  if (count == 0) return {};
  const auto corrupt = [&](const char* why) { return Error(ErrorKind::corrupt, std::string(what) + ": " + why); };
  const u8 kind = in.read<u8>(what);
  std::vector<u8> values;
  if (kind == kConstant) {
    values.assign(count, in.read<u8>(what));
  } else if (kind == kPacked) {
    // Bounded by what is there before anything is allocated.
    if (count > u64{in.remaining()} * 8 / static_cast<u64>(bits))
      throw Error(ErrorKind::truncated, std::string(what) + ": packed values are cut short");
    ByteReader packed(in.take((count * static_cast<u64>(bits) + 7) / 8, what));
    BitReader reader(packed);
    values.resize(count);
    for (u8& value : values) value = static_cast<u8>(reader.get(bits));
    reader.finish();
  } else if (kind == kRans) {
    BitReader table_bits(in);
    const FrequencyTable frequencies = read_table(bits, kPrecision, table_bits);
    table_bits.finish();
    const StreamLayout layout = layout_of(count, bits);
    const ChunkIndex index = read_chunk_index(in, layout);
    const RansDecodeTables table({&frequencies, 1});
    values.resize(count);
    decode_chunks(index, layout, 0, layout.chunks(), nullptr, StreamDecoder(table), values.data());
  } else {
    throw corrupt("unknown kind");
  }
  if (std::any_of(values.begin(), values.end(), [&](u8 v) { return v >= limit; }))
    throw corrupt("a value is out of range");
  return values;
}

}  // namespace wcodec

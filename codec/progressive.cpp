#include "codec/progressive.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "codec/format_version.hpp"
#include "codec/ordered_words.hpp"
#include "codec/plane_values.hpp"
#include "codec/record_info.hpp"
#include "codec/tensor_record.hpp"
#include "core/hash.hpp"
#include "entropy/bit_plane.hpp"
#include "entropy/side_stream.hpp"

namespace wcodec {
namespace {

constexpr u32 kMagic = 0x30504357;  // "WCP0"
// Blocks are cut from tiles of this shape; only those at the matrix's edges have words without a block.
constexpr TileShape kTile{64, 64};

[[noreturn]] void corrupt(const std::string& what) { throw Error(ErrorKind::corrupt, "progressive record: " + what); }

void check_format(const WordFormat& format) {
  if (format.bits > kMaxOrderedBits || !dtype_of(format)) {
    throw Error(ErrorKind::unsupported,
                "a progressive record takes words of at most 32 bits; keep wider ones in exact records");
  }
}

bool takes_transforms(const WordFormat& format) noexcept {
  return format.bits <= 8 && format.number != NumberClass::floating;
}

void check_options(const WordFormat& format, BitOrder order, const TransformSet& transforms) {
  if (!takes_transforms(format) && (order != BitOrder::offset || !transforms.is_identity())) {
    throw Error(ErrorKind::unsupported,
                "transforms and the order sign-magnitude are for integers of at most 8 bits: take the identity and the "
                "order offset");
  }
}

// Planes there can be.
int most_planes(const WordFormat& format) noexcept {
  return takes_transforms(format) ? kMaxCoefficientPlanes : format.bits;
}

u32 largest_step(const WordFormat& format) noexcept { return ~u32{0} >> (32 - format.bits); }

std::vector<u8> choose_transforms(const std::vector<i32>& words, const TileGrid& grid, int bits,
                                  const TransformSet& set) {
  if (set.rows.size() == 1) return {};
  std::vector<u8> residuals(words.size());
  for (std::size_t i = 0; i < words.size(); ++i) residuals[i] = static_cast<u8>(words[i] & ((1 << bits) - 1));
  return wcodec::choose_transforms(residuals, grid, bits, set);
}

std::vector<i32> transformed_values(const std::vector<i32>& words, const BlockLayout& layout) {
  std::vector<i32> values = words;
  if (layout.transforms.is_identity()) return values;
  for_each_block(layout.grid, [&](std::size_t index, std::size_t first, std::size_t stride) {
    const Transform& row =
        *layout.transforms.rows[layout.transform_of_block.empty() ? 0 : layout.transform_of_block[index]];
    std::array<i32, kBlockSize> block{};
    for (std::size_t i = 0; i < block.size(); ++i) block[i] = words[block_place(first, stride, i)];
    row.forward(block.data(), block.data());
    for (std::size_t i = 0; i < block.size(); ++i) values[block_place(first, stride, i)] = block[i];
  });
  return values;
}

BitPlaneContext context_of(const PlaneValues& values) noexcept {
  using Merge = BitPlaneContext::Merge;
  return {values.contexts, std::min(values.known, PlaneValues::kContextBits),
          values.order == BitOrder::sign_magnitude ? Merge::cap : Merge::top_bits};
}

// Values whose first 1 came with the last plane: their signs follow it.
std::vector<std::size_t> newly_significant(const PlaneValues& values) {
  std::vector<std::size_t> places;
  if (values.order != BitOrder::sign_magnitude) return places;
  for (std::size_t i = 0; i < values.prefixes.size(); ++i) {
    if (values.prefixes[i] == 1) places.push_back(i);
  }
  return places;
}

void write_plane(PlaneValues& known, const std::vector<i32>& values, LedgerWriter& out) {
  std::vector<u8> bits(values.size());
  const int hidden = known.planes - known.known - 1;
  for (std::size_t i = 0; i < bits.size(); ++i)
    bits[i] = static_cast<u8>(plane_bits(known.order, known.planes, values[i]) >> hidden & 1);
  write_bit_plane(bits, context_of(known), out);
  known.append(bits);
  const std::vector<std::size_t> places = newly_significant(known);
  std::vector<u8> signs;
  for (const std::size_t i : places) signs.push_back(known.negative[i] = values[i] < 0 ? 1 : 0);
  const std::vector<u16> nothing(signs.size());
  write_bit_plane(signs, {nothing, 0, BitPlaneContext::Merge::cap}, out);
}

void read_plane(ByteReader& in, PlaneValues& known) {
  std::vector<u8> bits(known.prefixes.size());
  read_bit_plane(in, context_of(known), bits);
  known.append(bits);
  const std::vector<std::size_t> places = newly_significant(known);
  std::vector<u8> signs(places.size());
  const std::vector<u16> nothing(signs.size());
  read_bit_plane(in, {nothing, 0, BitPlaneContext::Merge::cap}, signs);
  for (std::size_t i = 0; i < places.size(); ++i) known.negative[places[i]] = signs[i];
}

u32 largest_difference(const std::vector<i32>& a, const std::vector<i32>& b) noexcept {
  u32 largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, static_cast<u32>(std::abs(i64{a[i]} - i64{b[i]})));
  return largest;
}

struct Header {
  WordFormat format;
  TileGrid grid{0, 0, kTile};
  TransformSet transforms;
  BitOrder order = BitOrder::offset;
  std::vector<u64> plane_bytes;
  std::vector<u32> largest_error;
  Bytes scales;
  std::vector<u8> transform_of_block;
};

u8 format_byte(ByteReader& in) { return in.read<u8>("progressive record header"); }

WordFormat read_format(ByteReader& in) {
  WordFormat format;
  format.bits = format_byte(in);
  format.memory_bytes = format_byte(in);
  const u8 number = format_byte(in);
  if (number > static_cast<u8>(NumberClass::floating)) corrupt("unknown word format");
  format.number = static_cast<NumberClass>(number);
  format.exponent_bits = format_byte(in);
  format.mantissa_bits = format_byte(in);
  check_format(format);
  return format;
}

// Leaves `in` at the first plane. Nothing is allocated by what has not been checked.
Header read_header(ByteReader& in, Bytes record, u64 max_weights) {
  Header header;
  if (in.read<u32>("progressive record header") != kMagic) corrupt("this is not one (wrong magic)");
  if (const int version = format_byte(in); version != kFormatVersion) {
    throw Error(ErrorKind::unsupported, other_version("progressive record", version));
  }
  header.format = read_format(in);
  const u64 rows = in.varint("rows"), cols = in.varint("columns");
  if (rows > max_weights || cols > max_weights || (cols != 0 && rows > max_weights / cols)) {
    throw Error(ErrorKind::limit,
                fmt::format("progressive record: {} x {} weights are above the limit of {}", rows, cols, max_weights));
  }
  header.grid = {static_cast<i64>(rows), static_cast<i64>(cols), kTile};
  const u8 count = format_byte(in);
  if (count == 0 || count > record::kMaxTransforms) corrupt("number of transforms out of range");
  header.transforms = transform_set_from_wire(in.take(count, "transforms"));
  const u8 order = format_byte(in), planes = format_byte(in);
  if (order > static_cast<u8>(BitOrder::sign_magnitude)) corrupt("unknown order of bits");
  if (planes > most_planes(header.format)) corrupt("too many bit planes");
  header.order = static_cast<BitOrder>(order);
  check_options(header.format, header.order, header.transforms);
  for (int p = 0; p < planes; ++p) {
    header.plane_bytes.push_back(in.varint("size of a plane"));
    const u64 error = in.varint("largest error");
    if (error > largest_step(header.format)) corrupt("an error beyond what words can be");
    header.largest_error.push_back(static_cast<u32>(error));
  }
  header.scales = in.take(in.varint("scale bytes"), "scales");
  const Bytes choice = in.take(in.varint("size of the transforms of blocks"), "transforms of blocks");
  const u32 sum = crc32(record.first(in.position()));
  if (in.read<u32>("checksum of the header") != sum) corrupt("checksum mismatch in the header");
  ByteReader choices(choice);
  const int transforms = static_cast<int>(header.transforms.rows.size());
  if (transforms > 1)
    header.transform_of_block = read_side_stream(choices, block_count(header.grid), transform_bits(header.transforms),
                                                 transforms, "transforms of blocks");
  if (choices.remaining() != 0) corrupt("bytes are left over behind the transforms of blocks");
  return header;
}

}  // namespace

BitOrder parse_bit_order(sv name) {
  static constexpr sv kOrders[] = {"offset", "sign-magnitude"};
  if (name == kOrders[0]) return BitOrder::offset;
  if (name == kOrders[1]) return BitOrder::sign_magnitude;
  throw Error(ErrorKind::usage, unknown_name("order of bits", name, kOrders));
}

ProgressiveRecord encode_progressive(const QuantizedTensor& tensor, const ProgressiveOptions& options) {
  check_format(tensor.format);
  check_options(tensor.format, options.order, options.transforms);
  const TileGrid grid{tensor.rows, tensor.cols, kTile};
  const std::vector<i32> words = centred_words(tensor, grid);
  const std::vector<u8> choice = choose_transforms(words, grid, tensor.format.bits, options.transforms);
  const BlockLayout layout{grid, tensor.format, options.transforms, choice};
  const std::vector<i32> values = transformed_values(words, layout);
  i32 low = 0, high = 0;
  for (const i32 value : values) {
    low = std::min(low, value);
    high = std::max(high, value);
  }

  ProgressiveRecord record;
  PlaneValues known(options.order, plane_count(options.order, low, high), values.size());
  std::vector<LedgerWriter> planes(static_cast<std::size_t>(known.planes));
  for (LedgerWriter& plane : planes) {
    record.largest_error.push_back(largest_difference(reconstruct(known, layout).words, words));
    write_plane(known, values, plane);
  }
  record.largest_error.push_back(largest_difference(reconstruct(known, layout).words, words));
  if (record.largest_error.back() != 0) throw Error(ErrorKind::internal, "all bit planes together are not exact");

  LedgerWriter out;
  const auto header = [&](auto value) { out.write(LedgerEntry::header, value); };
  header(kMagic);
  header(kFormatVersion);
  header(static_cast<u8>(tensor.format.bits));
  header(static_cast<u8>(tensor.format.memory_bytes));
  header(static_cast<u8>(tensor.format.number));
  header(static_cast<u8>(tensor.format.exponent_bits));
  header(static_cast<u8>(tensor.format.mantissa_bits));
  out.varint(LedgerEntry::header, static_cast<u64>(tensor.rows));
  out.varint(LedgerEntry::header, static_cast<u64>(tensor.cols));
  header(static_cast<u8>(options.transforms.rows.size()));
  for (const Transform* row : options.transforms.rows) header(row->id);
  header(static_cast<u8>(options.order));
  header(static_cast<u8>(known.planes));
  for (std::size_t p = 0; p < planes.size(); ++p) {
    out.varint(LedgerEntry::index, planes[p].bytes().size());
    out.varint(LedgerEntry::header, record.largest_error[p]);
  }
  out.varint(LedgerEntry::header, tensor.scales.size());
  out.append(LedgerEntry::scale, tensor.scales);
  LedgerWriter chosen;
  write_side_stream(choice, transform_bits(options.transforms), LedgerEntry::transform, chosen);
  out.varint(LedgerEntry::header, chosen.bytes().size());
  out.append_all(chosen);
  out.write(LedgerEntry::crc, crc32(out.bytes()));
  record.prefix_bytes.push_back(out.bytes().size());
  for (const LedgerWriter& plane : planes) {
    out.append_all(plane);
    out.write(LedgerEntry::crc, crc32(plane.bytes()));
    record.prefix_bytes.push_back(out.bytes().size());
  }
  record.ledger = out.ledger();
  record.bytes = out.take();
  if (record.ledger.total() != record.bytes.size())
    throw Error(ErrorKind::internal, "the ledger of a progressive record does not balance");
  return record;
}

ProgressiveTensor decode_progressive(Bytes prefix, int planes, u64 max_weights) {
  ByteReader in(prefix);
  const Header header = read_header(in, prefix, max_weights);
  const auto all = static_cast<int>(header.plane_bytes.size());
  if (planes > all || planes < kAllPlanes)
    throw Error(ErrorKind::usage, fmt::format("a progressive record of {} planes has no {}", all, planes));
  const bool as_many_as_whole = planes == kAllPlanes;
  PlaneValues known(header.order, all, static_cast<std::size_t>(header.grid.rows * header.grid.cols));
  while (known.known < (as_many_as_whole ? all : planes)) {
    const u64 size = header.plane_bytes[static_cast<std::size_t>(known.known)];
    if (as_many_as_whole && (in.remaining() < sizeof(u32) || in.remaining() - sizeof(u32) < size)) break;
    const Bytes bytes = in.take(size, "bit plane");
    if (in.read<u32>("checksum of a bit plane") != crc32(bytes))
      corrupt(fmt::format("checksum mismatch in bit plane {}", known.known));
    ByteReader plane(bytes);
    read_plane(plane, known);
    if (plane.remaining() != 0) corrupt(fmt::format("bytes are left over behind bit plane {}", known.known - 1));
  }
  if (known.known == all && in.remaining() != 0) corrupt("bytes are left over behind the last plane");

  const Reconstruction best =
      reconstruct(known, {header.grid, header.format, header.transforms, header.transform_of_block});
  ProgressiveTensor out;
  out.planes = known.known;
  out.all_planes = all;
  out.bound = known.known == all ? best.bound
                                 : std::min(best.bound, header.largest_error[static_cast<std::size_t>(known.known)]);
  out.value_bound = header.format.number == NumberClass::floating ? best.value_bound : out.bound;
  out.tensor = {
      header.grid.rows, header.grid.cols, header.format, words_of(best.words, header.format, header.grid), {}};
  out.tensor.scales.assign(header.scales.begin(), header.scales.end());
  return out;
}

}  // namespace wcodec

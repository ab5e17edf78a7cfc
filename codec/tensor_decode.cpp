#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "codec/format_version.hpp"
#include "codec/plane_side.hpp"
#include "codec/tensor_codec.hpp"
#include "codec/tensor_record.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "entropy/prefix_coder.hpp"
#include "entropy/raw_coder.hpp"

namespace wcodec {
namespace {

[[noreturn]] void corrupt(const std::string& what) { throw Error(ErrorKind::corrupt, "tensor record: " + what); }

using Header = RecordHeader;

// A format is accepted only if some dtype has it: no other was ever written.
bool is_known(const WordFormat& format) {
  for (int d = 0; parse_dtype(info(static_cast<DType>(d)).name).has_value(); ++d) {
    if (word_format(info(static_cast<DType>(d))) == format) return true;
    if (static_cast<DType>(d) == DType::c64) break;
  }
  return false;
}

// Stages from plug-ins are named in full: at most 255 bytes behind their length.
std::string read_name(ByteReader& in) {
  const Bytes name = in.take(in.read<u8>("name of a plug-in's stage"), "name of a plug-in's stage");
  return {name.begin(), name.end()};
}

TransformSet read_transforms(ByteReader& in) {
  const u8 count = in.read<u8>("transforms");
  if (count == record::kTransformIdentity) return identity_transform();
  if (count > record::kMaxTransforms) corrupt("number of transforms out of range");
  TransformSet set = transform_set_from_wire(in.take(count, "transforms"));
  if (set.is_identity()) corrupt("the identity alone has another spelling");
  return set;
}

}  // namespace

RecordHeader read_record_header(ByteReader& in, u64 max_weights) {
  Header header;
  const auto byte = [&] { return in.read<u8>("tensor record header"); };
  if (in.read<u32>("tensor record header") != record::kMagic) corrupt("this is not one (wrong magic)");
  if (const int version = byte(); version != kFormatVersion) {
    throw Error(ErrorKind::unsupported, other_version("tensor record", version));
  }
  header.format.bits = byte();
  header.format.memory_bytes = byte();
  header.format.number = static_cast<NumberClass>(byte());
  header.format.exponent_bits = byte();
  header.format.mantissa_bits = byte();
  if (!is_known(header.format)) corrupt("unknown word format");
  const u64 rows = in.varint("rows"), cols = in.varint("columns"), tile_rows = in.varint("tile rows"),
            tile_cols = in.varint("tile columns");
  if (rows > max_weights || cols > max_weights || (cols != 0 && rows > max_weights / cols)) {
    throw Error(ErrorKind::limit,
                fmt::format("tensor record: {} x {} weights are above the limit of {}", rows, cols, max_weights));
  }
  if (tile_rows == 0 || tile_cols == 0 || tile_rows > kMaxTileSide || tile_cols > kMaxTileSide ||
      tile_rows * tile_cols > kMaxTileArea) {
    corrupt("tile shape out of range");
  }
  header.grid = {
      static_cast<i64>(rows), static_cast<i64>(cols), {static_cast<int>(tile_rows), static_cast<int>(tile_cols)}};
  header.transforms = read_transforms(in);
  const u8 coder = byte();
  header.coder = &coder_from_wire(coder, coder >= kFirstPluginCoder ? read_name(in) : std::string());
  const int modes = byte();
  if (modes == 0 || modes > record::kMaxModes) corrupt("number of modes out of range");
  for (int m = 0; m < modes; ++m) {
    const u8 id = byte(), option = byte();
    const std::string name = id >= kFirstPluginPredictor ? read_name(in) : std::string();
    header.modes.push_back(predictor_from_wire(id, option, name));
  }
  header.scale_bytes = in.varint("scale bytes");
  return header;
}

Bytes checked_record_body(Bytes record) {
  if (record.size() < sizeof(u32)) throw Error(ErrorKind::truncated, "tensor record: shorter than its checksum");
  ByteReader tail(record.last(sizeof(u32)));
  const Bytes body = record.first(record.size() - sizeof(u32));
  if (tail.read<u32>("checksum") != crc32(body)) corrupt("checksum mismatch");
  return body;
}

bool RecordHeader::is_plain() const noexcept {
  return modes.size() == 1 && modes[0].row == &predictors().front() && grid.shape.rows == 1 && transforms.is_identity();
}

namespace {

// Memory that a thread keeps: fresh pages cost as much as decoding into them.
std::vector<u8>& scratch(std::size_t which, std::size_t size) {
  thread_local std::vector<std::vector<u8>> kept;
  if (kept.size() <= which) kept.resize(which + 1);
  if (kept[which].size() < size) kept[which].resize(size);
  return kept[which];
}

void decode_plane(ByteReader& in, const Header& header, const PlaneInfo& plane, const u8* first_plane, u8* symbols) {
  const TileGrid& grid = header.grid;
  const auto weights = static_cast<std::size_t>(grid.rows * grid.cols);
  if (header.is_plain()) {
    header.coder->decode(*header.coder, in, {grid, plane.bits, first_plane}, {symbols, weights});
    if (plane.zero == 0) return;
    const auto mask = static_cast<u8>((1 << plane.bits) - 1);
    for (std::size_t i = 0; i < weights; ++i) symbols[i] = static_cast<u8>(symbols[i] + plane.zero) & mask;
    return;
  }
  const PlaneSide side = read_plane_side(in, header, plane);
  const bool is_transformed = !header.transforms.is_identity();
  const std::vector<u8> bands = plane_bands(grid, header.transforms, side.transform_of_block);
  u8* const residuals = scratch(0, weights).data();
  header.coder->decode(*header.coder, in, {grid, plane.bits, first_plane, is_transformed ? bands.data() : nullptr},
                       {residuals, weights});
  if (is_transformed)
    restore_plane({residuals, weights}, grid, plane.bits, header.transforms, side.transform_of_block,
                  read_escapes(in, plane.bits));
  const u8* next_params = side.tile_params.data();
  for (std::size_t t = 0; t < side.mode_of_tile.size(); ++t) {
    const std::size_t m = side.mode_of_tile[t];
    const PredictorChoice& mode = header.modes[m];
    PredictorContext context = predictor_context(mode, plane.zero, plane.bits);
    context.params = side.plane_params[m].data();
    const Tile<u8> tile = grid.tile(symbols, static_cast<i64>(t));
    if (mode.row->scope == ParamScope::tile) {
      context.params = next_params;
      next_params += mode.row->param_bytes(tile.rows, tile.cols, mode.option);
    }
    mode.row->reconstruct(tile, context, residuals + grid.offset(static_cast<i64>(t)));
  }
}

// A plane of a plain record that can be decoded chunk by chunk, when it is needed.
struct ChunkedPlane {
  std::size_t plane;
  StreamLayout layout;
  ChunkIndex index;
  PairDecodeTable table;
};

// Nothing, and `in` stays, where the plane ahead is not such a one.
std::optional<ChunkedPlane> open_chunked(ByteReader& in, const Header& header, std::size_t plane, int bits,
                                         u64 weights) {
  if (header.coder != &kPrefixCoder || weights == 0 || in.remaining() == 0 || in.peek()[0] != PrefixHeader::kPairs)
    return {};
  const PrefixHeader prefix = read_prefix_header(in, bits, weights);
  return ChunkedPlane{plane, prefix.layout, read_chunk_index(in, prefix.layout), PairDecodeTable(prefix.code)};
}

// Decodes the chunked planes and joins all of them block by block, so that what has been decoded is still in the cache
// when it is joined. `planes` holds the others, whole, and null for these.
void join_blocks(const Header& header, std::span<const u8* const> planes, std::span<const ChunkedPlane> chunked,
                 u64 weights, u8* words) {
  std::vector<const u8*> here(planes.size());
  u64 block = 0;
  for (const ChunkedPlane& plane : chunked) block = std::max(block, 2 * plane.layout.chunk_size());
  for (u64 first = 0; first < weights; first += block) {
    const u64 count = std::min(block, weights - first);
    for (std::size_t p = 0; p < planes.size(); ++p) here[p] = planes[p] == nullptr ? nullptr : planes[p] + first;
    for (const ChunkedPlane& plane : chunked) {
      u8* const symbols = scratch(plane.plane + 1, static_cast<std::size_t>(std::min(block, weights))).data();
      const u64 begin = first >> plane.layout.log2_chunk;
      const u64 end = (first + count + plane.layout.chunk_size() - 1) >> plane.layout.log2_chunk;
      decode_chunks(plane.index, plane.layout, begin, end, nullptr, StreamDecoder(plane.table), symbols);
      here[plane.plane] = symbols;
    }
    join_planes_into(header.format, here, count, words + first * static_cast<u64>(header.format.memory_bytes));
  }
}

// Fills `words` and the scales of the tensor returned.
QuantizedTensor decode_body(ByteReader& in, const Header& header, u8* words) {
  QuantizedTensor tensor{header.grid.rows, header.grid.cols, header.format, {}, {}};
  const std::vector<PlaneInfo> layout = plane_layout(header.format);
  const u64 weights = tensor.weights();
  std::vector<const u8*> planes;
  std::vector<ChunkedPlane> chunked;
  // A plane as wide as the words is decoded in their place.
  const bool in_place = layout.size() == 1;
  const bool is_word =
      in_place && header.is_plain() && header.format.bits == 8 && header.format.number != NumberClass::floating;
  for (std::size_t p = 0; p < layout.size(); ++p) {
    if (!in_place && layout[p].zero == 0 && header.is_plain()) {
      if (const auto stored = take_stored(*header.coder, in, {header.grid, layout[p].bits})) {
        planes.push_back(stored->data());
        continue;
      }
      if (auto opened = open_chunked(in, header, p, layout[p].bits, weights)) {
        planes.push_back(nullptr);
        chunked.push_back(std::move(*opened));
        continue;
      }
    }
    u8* const symbols = in_place ? words : scratch(p + 1, weights).data();
    // What `none` leaves of a byte is the byte itself.
    PlaneInfo plane = layout[p];
    if (is_word) plane.zero = 0;
    decode_plane(in, header, plane, p > 0 ? planes[0] : nullptr, symbols);
    planes.push_back(symbols);
  }
  if (!chunked.empty()) {
    join_blocks(header, planes, chunked, weights, words);
  } else if (!is_word) {
    join_planes_into(header.format, planes, weights, words);
  }
  const Bytes scales = in.take(header.scale_bytes, "scales");
  tensor.scales.assign(scales.begin(), scales.end());
  if (in.remaining() != 0) corrupt(fmt::format("{} bytes are left over", in.remaining()));
  return tensor;
}

}  // namespace

QuantizedTensor decode_tensor(Bytes record, u64 max_weights) {
  ByteReader in(checked_record_body(record));
  const Header header = read_record_header(in, max_weights);
  const auto weights = static_cast<u64>(header.grid.rows * header.grid.cols);
  std::vector<u8> words(weights * static_cast<u64>(header.format.memory_bytes));
  QuantizedTensor tensor = decode_body(in, header, words.data());
  tensor.words = std::move(words);
  return tensor;
}

QuantizedTensor decode_tensor_into(Bytes record, MutBytes words) {
  ByteReader in(checked_record_body(record));
  // The size must agree, which bounds what is allocated; a matrix without rows may have columns all the same.
  const Header header = read_record_header(in, std::max<u64>(words.size(), kDefaultWeightLimit));
  const auto weights = static_cast<u64>(header.grid.rows * header.grid.cols);
  if (weights * static_cast<u64>(header.format.memory_bytes) != words.size()) {
    throw Error(ErrorKind::usage,
                fmt::format("tensor record: holds {} x {} words of {} bytes, the buffer has {} bytes", header.grid.rows,
                            header.grid.cols, header.format.memory_bytes, words.size()));
  }
  return decode_body(in, header, words.data());
}

}  // namespace wcodec

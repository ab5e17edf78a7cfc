#include <fmt/format.h>

#include <bit>

#include "codec/format_version.hpp"
#include "codec/tensor_codec.hpp"
#include "codec/tensor_record.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "entropy/side_stream.hpp"

namespace wcodec {

void write_record_header(const RecordHeader& record, LedgerWriter& out) {
  const auto header = [&](auto value) { out.write(LedgerEntry::header, value); };
  header(record::kMagic);
  header(kFormatVersion);
  header(static_cast<u8>(record.format.bits));
  header(static_cast<u8>(record.format.memory_bytes));
  header(static_cast<u8>(record.format.number));
  header(static_cast<u8>(record.format.exponent_bits));
  header(static_cast<u8>(record.format.mantissa_bits));
  out.varint(LedgerEntry::header, static_cast<u64>(record.grid.rows));
  out.varint(LedgerEntry::header, static_cast<u64>(record.grid.cols));
  out.varint(LedgerEntry::header, static_cast<u64>(record.grid.shape.rows));
  out.varint(LedgerEntry::header, static_cast<u64>(record.grid.shape.cols));
  if (record.transforms.is_identity()) {
    header(record::kTransformIdentity);
  } else {
    header(static_cast<u8>(record.transforms.rows.size()));
    for (const Transform* row : record.transforms.rows) header(row->id);
  }
  const auto name = [&](sv text) {
    header(static_cast<u8>(text.size()));
    out.append(LedgerEntry::header, Bytes(reinterpret_cast<const u8*>(text.data()), text.size()));
  };
  header(record.coder->id);
  if (record.coder->plugin != nullptr) name(record.coder->name);
  header(static_cast<u8>(record.modes.size()));
  for (const PredictorChoice& mode : record.modes) {
    header(mode.row->id);
    header(mode.option);
    if (mode.row->plugin != nullptr) name(mode.row->name);
  }
  out.varint(LedgerEntry::header, record.scale_bytes);
}

namespace {

LedgerWriter begin_record(const QuantizedTensor& tensor, const TileGrid& grid, std::span<const PredictorChoice> modes,
                          const CoderChoice& coder, const TransformSet& transforms) {
  LedgerWriter out;
  out.reserve(tensor.words.size() + tensor.scales.size() + 4096);
  write_record_header({tensor.format, grid, transforms, coder.row, {modes.begin(), modes.end()}, tensor.scales.size()},
                      out);
  return out;
}

EncodedTensor finish_record(const QuantizedTensor& tensor, LedgerWriter& out) {
  out.append(LedgerEntry::scale, tensor.scales);
  out.write(LedgerEntry::crc, crc32(out.bytes()));

  EncodedTensor encoded;
  encoded.ledger = out.ledger();
  encoded.bytes = out.take();
  if (encoded.ledger.total() != encoded.bytes.size()) {
    throw Error(ErrorKind::internal,
                fmt::format("the ledger has {} bytes, the record {}", encoded.ledger.total(), encoded.bytes.size()));
  }
  return encoded;
}

}  // namespace

EncodedTensor encode_record(const QuantizedTensor& tensor, std::span<const SymbolPlane> planes, TileShape shape,
                            std::span<const PredictorChoice> modes, std::span<const ModeChoice> choices,
                            const CoderChoice& coder, const TransformSet& transforms,
                            std::span<const TransformedPlane> transformed) {
  if (planes.size() != choices.size() || modes.empty() || modes.size() > record::kMaxModes) {
    throw Error(ErrorKind::internal, "encode_record needs one mode choice a plane and 1 to 64 modes");
  }
  if (transformed.size() != (transforms.is_identity() ? 0 : planes.size()))
    throw Error(ErrorKind::internal, "encode_record needs each plane transformed, or none");
  const TileGrid grid{tensor.rows, tensor.cols, shape};
  LedgerWriter out = begin_record(tensor, grid, modes, coder, transforms);
  const int mode_bits = std::max(1, static_cast<int>(std::bit_width(modes.size() - 1)));
  for (std::size_t p = 0; p < planes.size(); ++p) {
    const ModeChoice& choice = choices[p];
    if (modes.size() > 1) write_side_stream(choice.mode_of_tile, mode_bits, LedgerEntry::mode, out);
    out.append(LedgerEntry::param, choice.plane_params);
    write_side_stream(choice.tile_params, planes[p].info.bits, LedgerEntry::param, out);
    const TransformedPlane* const blocks = transformed.empty() ? nullptr : &transformed[p];
    if (blocks != nullptr)
      write_side_stream(blocks->transform_of_block, transform_bits(transforms), LedgerEntry::transform, out);
    const std::vector<u8> bands =
        blocks != nullptr ? plane_bands(grid, transforms, blocks->transform_of_block) : std::vector<u8>();
    coder.row->encode(*coder.row,
                      {{grid, planes[p].info.bits, p > 0 ? planes[0].symbols.data() : nullptr,
                        blocks != nullptr ? bands.data() : nullptr},
                       blocks != nullptr ? blocks->symbols : choice.residuals,
                       planes[p].symbols.data(),
                       planes[p].info.zero,
                       planes[p].info.log_scale},
                      coder.options, out);
    if (blocks != nullptr) {
      out.varint(LedgerEntry::index, blocks->escapes.size());
      out.append(LedgerEntry::payload, blocks->escapes);
    }
  }
  return finish_record(tensor, out);
}

std::vector<TransformedPlane> transform_planes(std::span<const SymbolPlane> planes, std::span<const ModeChoice> choices,
                                               const TileGrid& grid, const TransformSet& transforms) {
  std::vector<TransformedPlane> transformed;
  if (transforms.is_identity()) return transformed;
  for (std::size_t p = 0; p < planes.size(); ++p)
    transformed.push_back(transform_plane(choices[p].residuals, grid, planes[p].info.bits, transforms));
  return transformed;
}

namespace {

// Memory that a thread keeps: fresh pages cost as much as a pass over them.
u8* kept_bytes(std::size_t size) {
  thread_local std::vector<u8> kept;
  if (kept.size() < size) kept.resize(size);
  return kept.data();
}

void subtract_zero(const u8* symbols, std::size_t count, const PlaneInfo& plane, u8* residuals) noexcept {
  const auto mask = static_cast<u8>((1 << plane.bits) - 1);
  const u8 zero = plane.zero;
  for (std::size_t i = 0; i < count; ++i) residuals[i] = static_cast<u8>(symbols[i] - zero) & mask;
}

// Without prediction and tiles, residuals in coding order are the symbols in row-major order, but for what they are
// counted from; of bytes they are the words themselves. So nothing is chosen, and little is copied.
EncodedTensor encode_plain(const QuantizedTensor& tensor, TileShape shape, std::span<const PredictorChoice> modes,
                           const CoderChoice& coder) {
  const TileGrid grid{tensor.rows, tensor.cols, shape};
  const std::size_t weights = tensor.weights();
  LedgerWriter out = begin_record(tensor, grid, modes, coder, identity_transform());
  const auto encode = [&](const PlaneInfo& plane, const u8* first_plane, const u8* symbols, const u8* residuals) {
    coder.row->encode(*coder.row,
                      {{grid, plane.bits, first_plane}, {residuals, weights}, symbols, plane.zero, plane.log_scale},
                      coder.options, out);
  };
  if (tensor.format.bits == 8 && tensor.format.number != NumberClass::floating) {
    const PlaneInfo plane = plane_layout(tensor.format)[0];
    u8* const symbols = kept_bytes(weights);
    // Counting from zero and from −zero are the same modulo 256.
    subtract_zero(tensor.words.data(), weights, plane, symbols);
    encode(plane, nullptr, symbols, tensor.words.data());
    return finish_record(tensor, out);
  }
  const std::vector<SymbolPlane> planes = split_planes(tensor);
  for (std::size_t p = 0; p < planes.size(); ++p) {
    const SymbolPlane& plane = planes[p];
    const u8* residuals = plane.symbols.data();
    if (plane.info.zero != 0) {
      u8* const counted = kept_bytes(weights);
      subtract_zero(residuals, weights, plane.info, counted);
      residuals = counted;
    }
    encode(plane.info, p > 0 ? planes[0].symbols.data() : nullptr, plane.symbols.data(), residuals);
  }
  return finish_record(tensor, out);
}

}  // namespace

EncodedTensor encode_tensor(const QuantizedTensor& tensor, TileShape shape, std::span<const PredictorChoice> modes,
                            const CoderChoice& coder, const TransformSet& transforms) {
  if (shape.rows == 1 && modes.size() == 1 && modes[0].row == &predictors().front() && transforms.is_identity())
    return encode_plain(tensor, shape, modes, coder);
  const std::vector<SymbolPlane> planes = split_planes(tensor);
  const TileGrid grid{tensor.rows, tensor.cols, shape};
  std::vector<ModeChoice> choices;
  for (const SymbolPlane& plane : planes) choices.push_back(PlanePredictions(plane, grid).choose(modes));
  return encode_record(tensor, planes, shape, modes, choices, coder, transforms,
                       transform_planes(planes, choices, grid, transforms));
}

}  // namespace wcodec

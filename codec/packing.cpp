#include "codec/packing.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"

namespace wcodec {

Packing Packing::plain(DType dtype) {
  Packing packing;
  packing.unit_bytes_ = static_cast<u64>(info(dtype).memory_bytes);
  packing.planes_ = {{"", dtype, 1}};
  return packing;
}

Packing Packing::gguf(const GgufType& type) {
  Packing packing;
  packing.kind_ = PackingKind::gguf;
  packing.gguf_ = &type;
  packing.unit_elements_ = static_cast<u64>(type.block);
  packing.unit_bytes_ = static_cast<u64>(type.block_bytes);
  for (const GgufPlane& plane : type.planes) {
    packing.planes_.push_back({plane.suffix, plane.dtype, static_cast<u64>(plane.per_block)});
  }
  return packing;
}

Packing Packing::view(const ViewSpec& view, DType dtype) {
  if (info(dtype).bits != (view.packed ? 8 : info(view.dtype).bits)) {
    throw Error(ErrorKind::usage,
                fmt::format("view '{}' does not fit elements of type {}", view.canonical_spec, info(dtype).name));
  }
  Packing packing = plain(view.dtype);
  packing.kind_ = PackingKind::view;
  packing.view_ = view;
  if (view.packed) packing.planes_[0].per_unit = 2;
  return packing;
}

u64 Packing::most_per_unit() const noexcept {
  u64 most = 0;
  for (const PackedPlane& plane : planes_) most = std::max(most, plane.per_unit);
  return most;
}

u64 Packing::plane_bytes(std::size_t plane) const noexcept {
  return planes_[plane].per_unit * static_cast<u64>(info(planes_[plane].dtype).memory_bytes);
}

std::vector<u8> Packing::unpack(std::size_t plane, Bytes units) const {
  if (kind_ == PackingKind::plain) return {units.begin(), units.end()};
  const std::size_t count = units.size() / unit_bytes_;
  std::vector<u8> values(count * plane_bytes(plane));
  if (kind_ == PackingKind::gguf) {
    gguf_->planes[plane].unpack(units.data(), count, values.data());
  } else {
    unpack_codes(view_, units, values);
  }
  return values;
}

std::vector<u8> Packing::pack(std::vector<std::vector<u8>> planes) const {
  if (kind_ == PackingKind::plain) return std::move(planes[0]);
  const std::size_t count = planes[0].size() / plane_bytes(0);
  std::vector<u8> units(count * unit_bytes_);
  if (kind_ == PackingKind::view) {
    pack_codes(view_, planes[0], units);
    return units;
  }
  for (std::size_t p = 0; p < planes.size(); ++p) gguf_->planes[p].pack(planes[p].data(), count, units.data());
  return units;
}

}  // namespace wcodec

// How the bytes of a tensor in its file become the planes that are coded, and come back.
#pragma once

#include <vector>

#include "core/sources/source_layout.hpp"
#include "core/types.hpp"

namespace wcodec {

enum class PackingKind : u8 {
  plain = 0,  // elements as they stand
  gguf = 1,   // blocks of a quantized type, taken apart into codes and scales
  view = 2,   // codes under another type, packed two a byte or shifted by a bias
};

struct PackedPlane {
  sv suffix;  // of the tensor's name
  DType dtype;
  u64 per_unit;  // values a unit
};

// Every sequence of units turns into planes and back without loss, whatever its bytes.
class Packing {
 public:
  static Packing plain(DType dtype);
  static Packing gguf(const GgufType& type);
  // `dtype` is that of the file. Throws Error{usage} where the widths do not agree.
  static Packing view(const ViewSpec& view, DType dtype);

  PackingKind kind() const noexcept { return kind_; }
  const GgufType* gguf_type() const noexcept { return gguf_; }
  const ViewSpec& view_spec() const noexcept { return view_; }
  // A unit is what can be cut out alone: a block, otherwise one element of the file.
  u64 unit_elements() const noexcept { return unit_elements_; }
  u64 unit_bytes() const noexcept { return unit_bytes_; }
  const std::vector<PackedPlane>& planes() const noexcept { return planes_; }
  // Values of all planes that a unit has at most in one of them.
  u64 most_per_unit() const noexcept;
  u64 plane_bytes(std::size_t plane) const noexcept;  // of a unit, in memory

  // `units` of `units.size() / unit_bytes()` units to the values of a plane, one after another.
  std::vector<u8> unpack(std::size_t plane, Bytes units) const;
  // All planes of some units to their bytes.
  std::vector<u8> pack(std::vector<std::vector<u8>> planes) const;

 private:
  PackingKind kind_ = PackingKind::plain;
  const GgufType* gguf_ = nullptr;
  ViewSpec view_;
  u64 unit_elements_ = 1, unit_bytes_ = 1;
  std::vector<PackedPlane> planes_;
};

}  // namespace wcodec

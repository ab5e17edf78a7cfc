// What a view of packed codes says, and the codes it turns bytes into and back.
#pragma once

#include <string>

#include "core/dtype.hpp"
#include "core/spec.hpp"
#include "core/types.hpp"

namespace wcodec {

struct ViewSpec {
  DType dtype = DType::uint8;
  bool packed = false;      // two codes a byte
  bool high_first = false;  // packed: the high nibble is the even column
  u8 bias = 0;              // subtracted, modulo the range of the code
  i64 cols = 0;             // packed: codes in a row where the last byte is half used, 0 where all are used
  std::string canonical_spec;
};

std::span<const OptionInfo> view_options() noexcept;

// "int4:nibbles=low-first,bias=8"; see view.hpp. Throws Error{usage}.
ViewSpec parse_view(const std::string& text);

// One row: codes.size() codes of one byte each (sign-extended where they are signed) from packed.size() bytes. A packed
// view may leave the last half byte out; others have a code a byte, and wider elements come through as they are.
void unpack_codes(const ViewSpec& view, Bytes packed, MutBytes codes) noexcept;
// The inverse, with all half bytes given: codes.size() == 2 · packed.size() where the view is packed.
void pack_codes(const ViewSpec& view, Bytes codes, MutBytes packed) noexcept;

}  // namespace wcodec

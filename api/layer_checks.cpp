#include "api/layer_checks.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "api/status.hpp"
#include "core/error.hpp"

namespace wcodec::api {
namespace {

void check_narrow(const DTypeInfo& d, Bytes elements) {
  if (d.bits >= 8) return;
  const int half = 1 << (d.bits - 1);
  const auto wrong = [&](u8 byte) {
    const int value = d.number == NumberClass::signed_int ? static_cast<i8>(byte) + half : byte;
    return value < 0 || value >= 2 * half;
  };
  const auto at = std::find_if(elements.begin(), elements.end(), wrong);
  if (at != elements.end()) {
    throw Error(ErrorKind::usage,
                fmt::format("element {} is 0x{:02x}, which is no {}", at - elements.begin(), *at, d.name));
  }
}

}  // namespace

const DTypeInfo& checked(wcodec_dtype dtype) {
  if (!is_dtype(dtype)) throw Error(ErrorKind::usage, fmt::format("{} is no wcodec_dtype", static_cast<int>(dtype)));
  return info(static_cast<DType>(dtype));
}

u64 checked_weights(u64 rows, u64 cols, u64 max_weights) {
  if (rows > max_weights || cols > max_weights || (cols != 0 && rows > max_weights / cols)) {
    throw Error(ErrorKind::limit, fmt::format("{} x {} elements are above the limit of {} (option max_weights)", rows,
                                              cols, max_weights));
  }
  return rows * cols;
}

QuantizedTensor checked_layer(wcodec_dtype dtype, u64 rows, u64 cols, const void* elements, std::size_t size,
                              u64 max_weights) {
  const DTypeInfo& d = checked(dtype);
  const u64 expected = checked_weights(rows, cols, max_weights) * static_cast<u64>(d.memory_bytes);
  if (size != expected) {
    throw Error(ErrorKind::usage,
                fmt::format("{} x {} elements of {} take {} bytes, not {}", rows, cols, d.name, expected, size));
  }
  if (size != 0) require(elements, "elements");
  const Bytes bytes(static_cast<const u8*>(elements), size);
  check_narrow(d, bytes);
  return {static_cast<i64>(rows), static_cast<i64>(cols), word_format(d), {bytes.begin(), bytes.end()}, {}};
}

}  // namespace wcodec::api

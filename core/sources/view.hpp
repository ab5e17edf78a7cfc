// Views: packed or mislabelled codes read as what they mean.
#pragma once

#include <memory>

#include "core/sources/source.hpp"

namespace wcodec {

// `views` maps tensor-name globs to specs:
//   int4 | uint4     an 8-bit tensor of two codes a byte becomes one of nibbles: nibbles=low-first|high-first says
//   which
//                    half is the even column, bias=B is subtracted (modulo 16; int4 with bias=0 is two's complement),
//                    cols=N gives the true row length where it is odd
//   int8 | uint8     an 8-bit tensor; bias=B is subtracted modulo 256
//   any other dtype  (bf16, f16, f8_e4m3, int16, …) the same bits under another name; the widths must agree
// Throws Error{usage} when a glob matches no tensor, two match one, or a view does not fit its tensor.
std::unique_ptr<Checkpoint> apply_views(std::unique_ptr<Checkpoint> base,
                                        const std::map<std::string, std::string>& views, u64 max_tensor_bytes);

// The checkpoint below a view, or the checkpoint itself.
const Checkpoint& without_views(const Checkpoint& checkpoint) noexcept;

}  // namespace wcodec

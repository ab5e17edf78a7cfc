// THE list of transforms. Names in YAML, ids in files, `wcodec list` and the tests all expand it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "transforms/adst8.hpp"
#include "transforms/dct8.hpp"
#include "transforms/identity.hpp"

namespace wcodec {

using Transforms = TransformList<Identity, Dct8, Adst8>;

std::span<const Transform> transforms() noexcept;

// What the blocks of a tensor are transformed with. One row: every whole block is. Several, in order of ids: each block
// takes the cheapest.
struct TransformSet {
  std::vector<const Transform*> rows;

  bool is_identity() const noexcept { return rows.size() == 1 && rows.front()->id == Identity::kId; }
};

inline constexpr sv kProbe = "probe";
inline constexpr sv kProbeHelp =
    "each 8x8 block takes the cheapest of all transforms, identity included, by a rate probe";

TransformSet identity_transform();
// "identity", "dct8", …, or "probe" for all of them. Throws Error{usage} with the nearest name.
TransformSet parse_transform_set(sv spec);
std::string transform_set_name(const TransformSet& set);
// From a file: ids in rising order. Throws Error{corrupt}.
TransformSet transform_set_from_wire(std::span<const u8> ids);

}  // namespace wcodec

#include "transforms/registry.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/spec.hpp"

namespace wcodec {

std::span<const Transform> transforms() noexcept {
  static constexpr auto kRows = Transforms::rows();
  return kRows;
}

TransformSet identity_transform() { return {{&transforms().front()}}; }

TransformSet parse_transform_set(sv text) {
  const Spec spec = parse_spec(text);
  OptionReader(spec, {});
  std::vector<sv> names;
  TransformSet all;
  for (const Transform& row : transforms()) {
    if (row.name == spec.name) return {{&row}};
    names.push_back(row.name);
    all.rows.push_back(&row);
  }
  if (spec.name == kProbe) return all;
  names.push_back(kProbe);
  throw Error(ErrorKind::usage, unknown_name("transform", spec.name, names));
}

std::string transform_set_name(const TransformSet& set) {
  if (set.rows.size() == transforms().size()) return std::string(kProbe);
  std::string name;  // a set that only a file of an older version has is spelled out
  for (const Transform* row : set.rows) name += (name.empty() ? "" : "+") + std::string(row->name);
  return name;
}

TransformSet transform_set_from_wire(std::span<const u8> ids) {
  TransformSet set;
  for (const u8 id : ids) {
    const auto rows = transforms();
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const Transform& t) { return t.id == id; });
    if (row == rows.end()) throw Error(ErrorKind::corrupt, fmt::format("unknown transform id {}", id));
    if (!set.rows.empty() && set.rows.back()->id >= id)
      throw Error(ErrorKind::corrupt, "transforms are not in the order of their ids");
    set.rows.push_back(&*row);
  }
  if (set.rows.empty()) throw Error(ErrorKind::corrupt, "an empty set of transforms");
  return set;
}

}  // namespace wcodec

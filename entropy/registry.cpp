#include "entropy/registry.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "entropy/rans_coder.hpp"
#include "entropy/raw_coder.hpp"

namespace wcodec {

std::span<const EntropyCoder* const> entropy_coders() noexcept {
  static constexpr const EntropyCoder* kRows[] = {&kRawCoder, &kRansCoder};
  return kRows;
}

CoderChoice parse_coder(sv text) {
  Spec spec = parse_spec(text);
  std::vector<sv> names;
  for (const EntropyCoder* row : entropy_coders()) {
    names.push_back(row->name);
    if (row->name != spec.name) continue;
    const CoderOptions options = row->prepare(spec);
    std::string name = canonical(spec, row->options);
    // What shares a table is always said, and a number of contexts only where it means something.
    if (row == &kRansCoder) {
      spec = parse_spec(name);
      const auto tables = spec.options.try_emplace("tables", "tensor").first->second;
      if (tables == "tensor" || tables == "tile") {
        spec.options.erase("contexts");
      } else {
        spec.options["contexts"] = std::to_string(options.contexts);
      }
      name = to_string(spec);
    }
    return {row, options, name};
  }
  throw Error(ErrorKind::usage, unknown_name("coder", spec.name, names));
}

const EntropyCoder& coder_from_wire(u8 id) {
  for (const EntropyCoder* row : entropy_coders()) {
    if (row->id == id) return *row;
  }
  throw Error(ErrorKind::corrupt, fmt::format("unknown coder id {}", id));
}

}  // namespace wcodec

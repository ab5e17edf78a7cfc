#include "quantizers/registry.hpp"

#include "core/error.hpp"
#include "quantizers/ecsq.hpp"
#include "quantizers/fp8.hpp"
#include "quantizers/int4.hpp"
#include "quantizers/int8.hpp"
#include "quantizers/lossless.hpp"

namespace wcodec {

std::span<const Quantizer* const> quantizers() noexcept {
  static constexpr const Quantizer* kRows[] = {&kInt8, &kInt4, &kFp8, &kEcsq, &kLossless};
  return kRows;
}

QuantizerChoice parse_quantizer(sv text) {
  Spec spec = parse_spec(text);
  std::vector<sv> names;
  for (const Quantizer* row : quantizers()) {
    names.push_back(row->name);
    if (row->name != spec.name) continue;
    row->check(spec);
    return {row, std::move(spec)};
  }
  throw Error(ErrorKind::usage, unknown_name("quantizer", spec.name, names));
}

std::string to_string(const QuantizerChoice& choice) {
  if (!choice.row->numeric) return canonical(choice.spec, choice.row->options);
  // What shares a scale is always spelt out, in one way: `group=N` says the axis, another axis says that there is no
  // group.
  const auto option = [&](sv key) {
    if (const auto it = choice.spec.options.find(std::string(key)); it != choice.spec.options.end()) return it->second;
    for (const OptionInfo& known : choice.row->options) {
      if (known.key == key) return std::string(known.default_value);
    }
    return std::string();
  };
  Spec spec = parse_spec(canonical(choice.spec, choice.row->options));
  const std::string axis = option("axis"), group = option("group");
  const bool grouped = axis == "group" || (choice.spec.options.contains("group") && group != "0");
  spec.options.erase("axis");
  spec.options.erase("group");
  if (grouped) {
    spec.options["group"] = group;
  } else {
    spec.options["axis"] = axis;
  }
  return to_string(spec);
}

}  // namespace wcodec

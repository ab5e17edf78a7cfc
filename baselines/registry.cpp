#include "baselines/registry.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "baselines/plugin_baseline.hpp"
#include "core/error.hpp"

namespace wcodec {
namespace {

constexpr OptionInfo kPack = {"pack", "bytes", "bytes|nibbles", "one symbol a byte, or two where the alphabet allows"};
constexpr sv kPackings[] = {"bytes", "nibbles"};

}  // namespace

BaselineRegistry::BaselineRegistry() {
#define WCODEC_ROW(row) rows_.push_back(&baselines::row);
  WCODEC_BASELINES(WCODEC_ROW)
#undef WCODEC_ROW
}

void BaselineRegistry::add(const PluginSet& plugins) {
  for (const PluginBaseline& plugin : plugins.baselines) {
    refuse_clash("baseline", plugin.name(), plugin.from, names());
    from_plugins_.push_back(make_plugin_baseline(plugin));
    rows_.push_back(from_plugins_.back().get());
  }
}

std::vector<sv> BaselineRegistry::names() const {
  std::vector<sv> names;
  for (const Baseline* row : rows_) names.push_back(row->name);
  return names;
}

std::vector<OptionInfo> BaselineRegistry::options(const Baseline& row) {
  std::vector<OptionInfo> all(row.options.begin(), row.options.end());
  all.push_back(kPack);
  return all;
}

PreparedBaseline BaselineRegistry::prepare(sv text) const {
  Spec spec = parse_spec(text);
  const auto it = std::find_if(rows_.begin(), rows_.end(), [&](const Baseline* row) { return row->name == spec.name; });
  if (it == rows_.end()) throw Error(ErrorKind::usage, unknown_name("baseline", spec.name, names()));
  const Baseline& row = **it;
  const std::vector<OptionInfo> known = options(row);
  const OptionReader reader(spec, known);

  PreparedBaseline prepared;
  prepared.row = &row;
  prepared.packing = reader.choice("pack", kPackings) == "nibbles" ? Packing::nibbles : Packing::bytes;
  prepared.options = row.prepare(row, reader);
  // A level is always said, in one spelling: "zstd" alone in a table would leave its reader to guess.
  Spec reduced = parse_spec(canonical(spec, known));
  if (std::any_of(known.begin(), known.end(), [](const OptionInfo& option) { return option.key == "level"; })) {
    reduced.options["level"] = std::to_string(prepared.options.level);
  }
  prepared.spec = to_string(reduced);
  prepared.identity = fmt::format("{} ({})", prepared.spec, row.version(row));
  return prepared;
}

}  // namespace wcodec

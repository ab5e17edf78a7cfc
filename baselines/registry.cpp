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
  // "level=03" and "level=3" are one baseline and must have one name.
  if (const auto level = spec.options.find("level"); level != spec.options.end()) {
    level->second = std::to_string(prepared.options.level);
  }
  prepared.spec = canonical(spec, known);
  prepared.identity = fmt::format("{} ({})", prepared.spec, row.version(row));
  return prepared;
}

}  // namespace wcodec

#include "baselines/plugin_baseline.hpp"

#include <fmt/format.h>

namespace wcodec {
namespace {

struct Owner : std::enable_shared_from_this<Owner> {
  PluginBaseline plugin;
  std::string default_level, levels;
  OptionInfo level;
  Baseline row;
};

const Owner& owner(const BaselineOptions& options) noexcept { return *static_cast<const Owner*>(options.state.get()); }

BaselineOptions prepare(const Baseline& row, const OptionReader& reader) {
  const Owner& self = *static_cast<const Owner*>(row.context);
  const auto& table = *self.plugin.row;
  const i64 level = row.options.empty() ? 0 : reader.integer("level", table.min_level, table.max_level);
  return {static_cast<int>(level), self.shared_from_this(), {}};
}

std::size_t bound(std::size_t size, const BaselineOptions& options) noexcept {
  return owner(options).plugin.row->bound(size, options.level);
}

std::optional<std::size_t> compress(Bytes in, MutBytes out, const BaselineOptions& options, Failure& why) noexcept {
  const std::size_t size =
      owner(options).plugin.row->compress(in.data(), in.size(), options.level, out.data(), out.size());
  if (size > out.size()) {
    why.set(size == WCODEC_PLUGIN_FAILED ? "the plug-in could not compress"
                                         : "the plug-in reports more than it was given");
    return std::nullopt;
  }
  return size;
}

bool decompress(Bytes in, MutBytes out, const BaselineOptions& options, Failure& why) noexcept {
  if (owner(options).plugin.row->decompress(in.data(), in.size(), out.data(), out.size()) != 0) {
    why.set("the plug-in calls its input damaged");
    return false;
  }
  return true;
}

std::string version(const Baseline& row) {
  return "plug-in " + static_cast<const Owner*>(row.context)->plugin.from.text();
}

}  // namespace

std::shared_ptr<const Baseline> make_plugin_baseline(const PluginBaseline& plugin) {
  const auto made = std::make_shared<Owner>();
  const auto& table = *plugin.row;
  made->plugin = plugin;
  made->default_level = std::to_string(table.default_level);
  made->levels = fmt::format("{}…{}", table.min_level, table.max_level);
  made->level = {"level", made->default_level, made->levels, "effort"};
  const bool has_level = table.min_level != table.max_level;
  made->row = {.name = table.name,
               .help = table.help,
               .options = has_level ? std::span<const OptionInfo>(&made->level, 1) : std::span<const OptionInfo>(),
               .prepare = prepare,
               .bound = bound,
               .compress = compress,
               .decompress = decompress,
               .version = version,
               .context = made.get()};
  return {made, &made->row};
}

}  // namespace wcodec

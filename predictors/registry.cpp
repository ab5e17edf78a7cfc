#include "predictors/registry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <tuple>

#include "core/error.hpp"

namespace wcodec {

namespace {

std::deque<Predictor>& rows() noexcept {
  static std::deque<Predictor> all = [] {
    constexpr auto kRows = Predictors::rows();
    return std::deque<Predictor>(kRows.begin(), kRows.end());
  }();
  return all;
}

const wcodec_plugin_predictor& plugin_of(const PredictorContext& context) noexcept {
  return *static_cast<const wcodec_plugin_predictor*>(context.plugin);
}

int bits_of(const PredictorContext& context) noexcept { return static_cast<int>(std::bit_width(context.mask)); }

}  // namespace

const std::deque<Predictor>& predictors() noexcept { return rows(); }

void add_predictors(std::span<const PluginPredictor> plugins) {
  for (const PluginPredictor& plugin : plugins) {
    std::vector<sv> taken;
    for (const Predictor& row : rows()) taken.push_back(row.name);
    refuse_clash("predictor", plugin.name(), plugin.from, taken);
    const std::size_t ours = Predictors::kSize;
    if (rows().size() - ours >= 256 - kFirstPluginPredictor)
      throw Error(ErrorKind::limit, "too many predictors from plug-ins");
    static std::deque<std::string> identities;
    identities.push_back(plugin.from.text());
    rows().push_back({.name = plugin.name(),
                      .id = static_cast<u8>(kFirstPluginPredictor + rows().size() - ours),
                      .help = plugin.row->help,
                      .options = {},
                      .param_bytes = [](int, int, u8) noexcept { return std::size_t{0}; },
                      .fit_tile = nullptr,
                      .fit_plane = nullptr,
                      .residual =
                          [](Tile<const u8> x, const PredictorContext& c, u8* out) noexcept {
                            plugin_of(c).residual(x.at, x.rows, x.cols, x.stride, c.zero, bits_of(c), out);
                          },
                      .reconstruct =
                          [](Tile<u8> t, const PredictorContext& c, const u8* residual) noexcept {
                            plugin_of(c).reconstruct(t.at, t.rows, t.cols, t.stride, c.zero, bits_of(c), residual);
                          },
                      .plugin = plugin.row,
                      .identity = identities.back()});
  }
}

PredictorContext predictor_context(const PredictorChoice& choice, u8 zero, int bits) noexcept {
  return {.zero = zero,
          .mask = static_cast<u8>((1 << bits) - 1),
          .option = choice.option,
          .params = nullptr,
          .plugin = choice.row->plugin};
}

PredictorChoice parse_predictor(sv text) {
  const Spec spec = parse_spec(text);
  std::vector<sv> names;
  for (const Predictor& row : predictors()) {
    if (row.name != spec.name) {
      names.push_back(row.name);
      continue;
    }
    const OptionReader reader(spec, row.options);
    const u8 option = row.options.empty()
                          ? row.default_option
                          : static_cast<u8>(reader.integer(row.options[0].key, row.option_low, row.option_high));
    return {&row, option};
  }
  throw Error(ErrorKind::usage, unknown_name("predictor", spec.name, names));
}

std::string to_string(const PredictorChoice& choice) {
  if (choice.option == choice.row->default_option) return std::string(choice.row->name);
  return fmt::format("{}:{}={}", choice.row->name, choice.row->options[0].key, choice.option);
}

PredictorChoice predictor_from_wire(u8 id, u8 option, sv name) {
  for (const Predictor& row : predictors()) {
    if (id >= kFirstPluginPredictor ? row.plugin == nullptr || row.name != name : row.id != id) continue;
    const bool in_range = row.options.empty() ? option == 0 : option >= row.option_low && option <= row.option_high;
    if (!in_range) throw Error(ErrorKind::corrupt, fmt::format("predictor '{}' with option {}", row.name, option));
    return {&row, option};
  }
  if (id >= kFirstPluginPredictor) {
    throw Error(ErrorKind::unsupported,
                fmt::format("predictor '{}' comes from a plug-in that is not loaded", printable(name)));
  }
  throw Error(ErrorKind::corrupt, fmt::format("unknown predictor id {}", id));
}

std::vector<PredictorChoice> parse_mode_set(const std::vector<std::string>& names) {
  if (names.empty()) throw Error(ErrorKind::usage, "a mode set needs at least one predictor, e.g. [none]");
  std::vector<PredictorChoice> modes;
  for (const std::string& name : names) modes.push_back(parse_predictor(name));
  const auto key = [](const PredictorChoice& m) {
    return std::tuple(m.row->id, m.option);
  };  // ids rise in registry order
  std::sort(modes.begin(), modes.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  modes.erase(std::unique(modes.begin(), modes.end(), [&](const auto& a, const auto& b) { return key(a) == key(b); }),
              modes.end());
  return modes;
}

std::string mode_set_name(std::span<const PredictorChoice> modes) {
  std::string name;
  for (const PredictorChoice& mode : modes) name += (name.empty() ? "" : "+") + to_string(mode);
  return name;
}

}  // namespace wcodec

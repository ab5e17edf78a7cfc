#include "api/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "api/status.hpp"
#include "codec/presets.hpp"
#include "codec/stages.hpp"

namespace wcodec::api {
namespace {

u64 number(sv key, sv text, u64 low, u64 high) {
  u64 value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
    throw Error(ErrorKind::usage,
                fmt::format("option {}: '{}' is no number from {} to {}", key, printable(text), low, high));
  }
  return value;
}

struct Option {
  const char* key;
  const char* help;
  void (*set)(wcodec_options& options, sv value);
};

constexpr std::array kOptions = {
    Option{"tile", "rows x columns of a tile, 16x16, or square, wide, tall",
           [](wcodec_options& o, sv value) { o.tile = canonical_tile(value); }},
    Option{"modes", "predictors that each tile chooses from, none+left",
           [](wcodec_options& o, sv value) {
             auto names = split_modes(value);
             static_cast<void>(canonical_modes(names));
             o.modes = std::move(names);
           }},
    Option{"coder", "entropy coder with its options, rans:tables=row-col-scale,contexts=64",
           [](wcodec_options& o, sv value) { o.coder = canonical_coder(value); }},
    Option{"preset", "ratio, balanced or speed: sets coder",
           [](wcodec_options& o, sv value) { o.coder = canonical_coder(preset_coder(parse_preset(value))); }},
    Option{"threads", "0 (one a processor) to 1024; no result depends on it",
           [](wcodec_options& o, sv value) { o.threads = static_cast<unsigned>(number("threads", value, 0, 1024)); }},
    Option{"max_weights", "a layer's record that claims more elements is refused",
           [](wcodec_options& o, sv value) { o.max_weights = number("max_weights", value, 0, u64{1} << 48); }},
};

}  // namespace

const wcodec_options& or_defaults(const wcodec_options* options) noexcept {
  static const wcodec_options defaults;
  return options == nullptr ? defaults : *options;
}

}  // namespace wcodec::api

using namespace wcodec;

wcodec_status wcodec_options_create(wcodec_options** options) {
  return api::guarded([&] {
    api::require(options, "options");
    *options = new wcodec_options;
  });
}

void wcodec_options_destroy(wcodec_options* options) { delete options; }

wcodec_status wcodec_options_set(wcodec_options* options, const char* key, const char* value) {
  return api::guarded([&] {
    api::require(options, "options");
    api::require(key, "key");
    api::require(value, "value");
    std::vector<sv> known;
    for (const api::Option& option : api::kOptions) {
      if (sv(option.key) == key) return option.set(*options, value);
      known.emplace_back(option.key);
    }
    throw Error(ErrorKind::usage, unknown_name("option", key, known));
  });
}

const char* wcodec_option_key(size_t index) {
  return index < api::kOptions.size() ? api::kOptions[index].key : nullptr;
}

const char* wcodec_option_help(size_t index) {
  return index < api::kOptions.size() ? api::kOptions[index].help : nullptr;
}

#include "api/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "api/status.hpp"
#include "codec/device.hpp"
#include "codec/presets.hpp"
#include "codec/progressive.hpp"
#include "codec/stages.hpp"
#include "core/ordered_parallel.hpp"
#include "core/sources/view_spec.hpp"

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

bool flag(sv key, sv text) {
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  throw Error(ErrorKind::usage, fmt::format("option {}: '{}' is neither true nor false", key, printable(text)));
}

double tolerance(sv text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0)) {
    throw Error(ErrorKind::usage, fmt::format("option atol: '{}' is no number from 0 on", printable(text)));
  }
  return value;
}

void add_view(wcodec_options& options, sv text) {
  const auto equals = text.find('=');
  if (equals == 0 || equals == sv::npos) {
    throw Error(ErrorKind::usage, fmt::format("option view: '{}' is not of the form GLOB=TYPE", printable(text)));
  }
  const std::string glob(text.substr(0, equals)), type(text.substr(equals + 1));
  static_cast<void>(parse_view(type));
  options.views[glob] = type;
}

constexpr u64 kMost = u64{1} << 48;

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
    Option{"transform", "of 8x8 blocks: identity, dct8, adst8, or probe for each block's best",
           [](wcodec_options& o, sv value) { o.transform = canonical_transform(value); }},
    Option{"order", "of the bits of a progressive record: offset or sign-magnitude",
           [](wcodec_options& o, sv value) {
             static_cast<void>(parse_bit_order(value));
             o.order = value;
           }},
    Option{"coder", "entropy coder with its options, rans:tables=row-col-scale,contexts=64",
           [](wcodec_options& o, sv value) { o.coder = canonical_coder(value); }},
    Option{"preset", "ratio, balanced or speed, where tile, modes, transform and coder do not say it in detail",
           [](wcodec_options& o, sv value) {
             static_cast<void>(parse_preset(value));
             o.preset = value;
           }},
    Option{"view", "GLOB=TYPE, how packed codes of tensors are to be read, *.codes=int4:nibbles=low-first,bias=8",
           [](wcodec_options& o, sv value) { add_view(o, value); }},
    Option{"model_name", "kept in the container", [](wcodec_options& o, sv value) { o.model_name = value; }},
    Option{"part_weights", "layers of a checkpoint are cut into parts of at most this many elements",
           [](wcodec_options& o, sv value) { o.part_weights = number("part_weights", value, 1, kMost); }},
    Option{"threads", "0 (one a processor) to 1024; no result depends on it",
           [](wcodec_options& o, sv value) { o.threads = static_cast<unsigned>(number("threads", value, 0, 1024)); }},
    Option{"device", "what decodes: cpu, cuda:N, or auto (a GPU where there is one)",
           [](wcodec_options& o, sv value) {
             check_device(value);
             o.device = value;
           }},
    Option{"gpu_staging", "bytes of each GPU's memory, and as many page-locked, for records on their way there",
           [](wcodec_options& o, sv value) { o.gpu_staging = number("gpu_staging", value, 0, kMost); }},
    Option{"memory", "bytes that parts in flight may take, 0 for what the threads need",
           [](wcodec_options& o, sv value) { o.memory_bytes = number("memory", value, 0, kMost); }},
    Option{"verify", "true or false: decode each part of a checkpoint again before it is written",
           [](wcodec_options& o, sv value) { o.verify = flag("verify", value); }},
    Option{"overwrite", "true or false: replace a destination that exists",
           [](wcodec_options& o, sv value) { o.overwrite = flag("overwrite", value); }},
    Option{"atol", "largest absolute difference that counts as equal; 0 compares bits",
           [](wcodec_options& o, sv value) { o.atol = tolerance(value); }},
    Option{
        "max_weights",
        "a layer's record that claims more elements is refused; default: 2^26, and above it 4096 a byte of the record",
        [](wcodec_options& o, sv value) { o.max_weights = number("max_weights", value, 0, kMost); }},
    Option{"max_output_bytes", "a container that claims to hold more is refused",
           [](wcodec_options& o, sv value) { o.max_output_bytes = number("max_output_bytes", value, 0, kMost); }},
    Option{"max_part_weights", "a container with parts of more elements is refused",
           [](wcodec_options& o, sv value) { o.max_part_weights = number("max_part_weights", value, 0, kMost); }},
    Option{"max_tensor_bytes", "a container with a layer of more bytes is refused",
           [](wcodec_options& o, sv value) { o.max_tensor_bytes = number("max_tensor_bytes", value, 0, kMost); }},
};

}  // namespace

const wcodec_options& or_defaults(const wcodec_options* options) noexcept {
  static const wcodec_options defaults;
  return options == nullptr ? defaults : *options;
}

EncodeOptions encode_options(const wcodec_options& options) {
  EncodeOptions out;
  out.preset = options.preset;
  out.tile = options.tile;
  out.modes = options.modes;
  out.transform = options.transform;
  out.coder = options.coder;
  out.views = options.views;
  out.model_name = options.model_name;
  out.part_weights = options.part_weights;
  out.threads = options.threads;
  out.memory_bytes = options.memory_bytes;
  out.verify = options.verify;
  out.overwrite = options.overwrite;
  return out;
}

std::unique_ptr<RecordDecoder> record_decoder(const wcodec_options& options) {
  return make_record_decoder(choose_device(options.device), thread_count(options.threads) + 2);
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

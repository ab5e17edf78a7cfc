#include "experiments/reference.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/error.hpp"
#include "core/spec.hpp"

namespace wcodec {
namespace {

constexpr std::array<sv, 3> kSources = {"none", "previous-layer", "checkpoint"};
constexpr std::array<sv, 5> kFits = {"delta", "xor", "scalar", "affine", "permuted"};

constexpr sv kFitHelp =
    "delta: the reference itself, difference of order-preserving words; xor: the same, exclusive or; scalar, affine: "
    "a*reference (+ c) by least squares; permuted: a*reference with rows matched by correlation";
constexpr sv kFitNames = "delta|xor|scalar|affine|permuted";
constexpr OptionInfo kLayerOptions[] = {{"fit", "scalar", kFitNames, kFitHelp}};
constexpr OptionInfo kCheckpointOptions[] = {{"fit", "delta", kFitNames, kFitHelp},
                                             {"from", "", "NAME", "a checkpoint of this experiment"}};

bool is_digits(sv text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

sv to_string(ReferenceFit fit) noexcept { return kFits[static_cast<std::size_t>(fit)]; }

ReferenceChoice parse_reference(sv text) {
  const Spec spec = parse_spec(text);
  const auto known = std::find(kSources.begin(), kSources.end(), spec.name);
  if (known == kSources.end()) throw Error(ErrorKind::usage, unknown_name("reference", spec.name, kSources));
  ReferenceChoice choice;
  choice.source = static_cast<ReferenceSource>(known - kSources.begin());
  if (choice.source == ReferenceSource::none) {
    OptionReader(spec, {});
    return choice;
  }
  const bool is_layer = choice.source == ReferenceSource::previous_layer;
  const OptionReader options(spec, is_layer ? std::span<const OptionInfo>(kLayerOptions) : kCheckpointOptions);
  const std::string fit = options.choice("fit", kFits);
  choice.fit = static_cast<ReferenceFit>(std::find(kFits.begin(), kFits.end(), fit) - kFits.begin());
  if (!is_layer) {
    choice.from = options.text("from");
    if (choice.from.empty()) {
      throw Error(ErrorKind::usage,
                  "reference 'checkpoint' needs the checkpoint to predict from: checkpoint:from=NAME, NAME being that "
                  "of another entry of checkpoints");
    }
  }
  return choice;
}

std::string to_string(const ReferenceChoice& choice) {
  Spec spec{std::string(kSources[static_cast<std::size_t>(choice.source)]), {}};
  if (choice.source != ReferenceSource::none) spec.options["fit"] = to_string(choice.fit);
  if (choice.source == ReferenceSource::checkpoint) spec.options["from"] = choice.from;
  return to_string(spec);
}

std::optional<std::string> previous_layer_name(sv tensor) {
  for (std::size_t begin = 0; begin < tensor.size();) {
    const std::size_t end = std::min(tensor.find('.', begin), tensor.size());
    const sv part = tensor.substr(begin, end - begin);
    if (is_digits(part)) {
      u32 layer = 0;
      const auto [stop, failure] = std::from_chars(part.data(), part.data() + part.size(), layer);
      if (failure != std::errc() || layer == 0) return std::nullopt;
      return std::string(tensor.substr(0, begin)) + std::to_string(layer - 1) + std::string(tensor.substr(end));
    }
    begin = end + 1;
  }
  return std::nullopt;
}

std::vector<StageInfo> list_references() {
  return {{"reference", "none", "the tensor by itself", {}},
          {"reference",
           "previous-layer",
           "predicted from the tensor of the same name in the layer before",
           {std::begin(kLayerOptions), std::end(kLayerOptions)}},
          {"reference",
           "checkpoint",
           "predicted from the tensor of the same name in another checkpoint: a base model, an earlier snapshot",
           {std::begin(kCheckpointOptions), std::end(kCheckpointOptions)}}};
}

}  // namespace wcodec

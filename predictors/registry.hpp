// THE list of predictors. Names in YAML, ids in files, `wcodec list` and the tests all expand it.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <vector>

#include "core/plugin.hpp"
#include "predictors/avg.hpp"
#include "predictors/least_squares.hpp"
#include "predictors/left.hpp"
#include "predictors/mean.hpp"
#include "predictors/med.hpp"
#include "predictors/none.hpp"
#include "predictors/paeth.hpp"
#include "predictors/planar.hpp"
#include "predictors/top.hpp"

namespace wcodec {

using Predictors = TypeList<None, Left, Top, Avg, Planar, Med, Paeth, RowMean, ColMean, LeastSquares>;

// A predictor with its option, as a tile's mode names it.
struct PredictorChoice {
  const Predictor* row;
  u8 option;
};

// Registry order: ours, then those of plug-ins. References stay valid for the life of the process.
const std::deque<Predictor>& predictors() noexcept;
// Adds what plug-ins offer. Throws Error{usage} when a name is taken. Not thread-safe: before anything else uses the
// registry.
void add_predictors(std::span<const PluginPredictor> plugins);

// Ids from here on belong to plug-ins: they are not stable, so files carry the name as well.
inline constexpr u8 kFirstPluginPredictor = 128;

// What a predictor needs to know of the plane; parameters are for the caller to fill in.
PredictorContext predictor_context(const PredictorChoice& choice, u8 zero, int bits) noexcept;
// "left", "ls:neighbours=4". Throws Error{usage} on an unknown name or option, with the nearest one.
PredictorChoice parse_predictor(sv text);
std::string to_string(const PredictorChoice& choice);
// From a file: throws Error{corrupt} on an unknown id or an option out of range. `name` is looked at for plug-ins only:
// an absent one is Error{unsupported}.
PredictorChoice predictor_from_wire(u8 id, u8 option, sv name = {});
// Names to registry order without duplicates, joined by '+', and back.
std::vector<PredictorChoice> parse_mode_set(const std::vector<std::string>& names);
std::string mode_set_name(std::span<const PredictorChoice> modes);

}  // namespace wcodec

// THE list of predictors. Names in YAML, ids in files, `wcodec list` and the tests all expand it.
#pragma once

#include <span>
#include <string>
#include <vector>

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

std::span<const Predictor> predictors() noexcept;  // registry order
// "left", "ls:neighbours=4". Throws Error{usage} on an unknown name or option, with the nearest one.
PredictorChoice parse_predictor(sv text);
std::string to_string(const PredictorChoice& choice);
// From a file: throws Error{corrupt} on an unknown id or an option out of range.
PredictorChoice predictor_from_wire(u8 id, u8 option);
// Names to registry order without duplicates, joined by '+', and back.
std::vector<PredictorChoice> parse_mode_set(const std::vector<std::string>& names);
std::string mode_set_name(std::span<const PredictorChoice> modes);

}  // namespace wcodec

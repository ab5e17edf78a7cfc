// What one frequency table for all tensors of a checkpoint would save and cost, against one a tensor.
//
// A coder with such a table cannot be a cell: its bytes depend on every other tensor of the checkpoint, and a cell is
// named by its own tensor's content. So this is a bound, made of the histograms that the diagnostics keep: tables are
// written as the coders write them, payloads are what those tables imply.
#pragma once

#include <optional>
#include <span>

#include "experiments/results.hpp"
#include "experiments/tables.hpp"

namespace wcodec {

// model-tables: checkpoint × quantizer × predictor (applied to every tile) over the original weights, in bits a weight.
// Nothing where no checkpoint has histograms of two tensors.
std::optional<Table> model_tables(std::span<const DiagnosticsRow> rows);

}  // namespace wcodec

// The tables of an experiment, from its rows. Everything is weight-weighted: sums of bytes over sums of weights.
#pragma once

#include <span>
#include <vector>

#include "experiments/results.hpp"
#include "experiments/tables.hpp"
#include "experiments/verdict.hpp"

namespace wcodec {

// headline        checkpoint × quantizer in bits per weight: bounds, none, the smallest codec, null control, baselines
// headline-ratio  the same as ratios, with what they are ratios of
// modes           mode set by mode set, and each against `none`, on the weights and on the shuffled control
// kinds           by what the tensor does in its network
// ledger          where the bytes went
// baselines       general-purpose compressors beside the codec; speeds where they were timed
// speeds          every timed choice of stages (absent without timings)
// verdicts, verdict-kinds   those of tables_verdicts.hpp (absent without comparisons)
std::vector<Table> result_tables(std::span<const SummaryRow> rows, std::span<const TimingRow> timings,
                                 std::span<const VerdictRow> verdicts);

}  // namespace wcodec

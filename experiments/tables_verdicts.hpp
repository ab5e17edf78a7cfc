// What the comparisons say, as tables.
#pragma once

#include <span>
#include <vector>

#include "experiments/tables.hpp"
#include "experiments/verdict.hpp"

namespace wcodec {

// verdicts        every comparison over all kinds of tensors
// verdict-kinds   model × kind of tensor × dtype of symbols × factor: how many choices help, do nothing, hurt or stay
//                 open, and the choice with the smallest effect. Every comparison is a row of verdicts.csv.
// None without comparisons.
std::vector<Table> verdict_tables(std::span<const VerdictRow> verdicts);

}  // namespace wcodec

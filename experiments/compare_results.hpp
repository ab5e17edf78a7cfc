// Does a run repeat another one? Row by row and number by number over summary.csv and verdicts.csv of two result
// folders.
#pragma once

#include <string>
#include <vector>

#include "core/types.hpp"

namespace wcodec {

struct CompareOptions {
  // Real numbers may differ by this share of the expected one (and this much around zero): entropies and effects are
  // equal to the bit on machines of ours, and a last digit is nobody's finding. Bytes, counts and words must be equal.
  double tolerance = 1e-9;
};

struct ResultsDifference {
  std::string file, row;        // "summary.csv" and what names the row: "minilm, layer.0.query.weight, original, …"
  std::string column;           // empty where a whole row is on one side only
  std::string expected, found;  // as written
};

struct ResultsComparison {
  std::vector<ResultsDifference> differences;  // in the order of the files
  u64 rows = 0, values = 0;                    // that were compared
  std::vector<std::string> notes;              // what could not be compared, and why
  bool same() const noexcept { return differences.empty(); }
};

// `folder` against `expected`. Rows are found by what they are about (checkpoint, tensor, control, stages, …), columns
// by their names; a column that only `folder` has is one that a later version added, and is no difference. Checkpoints
// that are in one folder only are left out and named in `notes`, and with them what they have a part in: pooled
// verdicts and everything that is corrected for the number of comparisons. Names of cells are not compared.
//
// Throws Error{not_found} for a folder without summary.csv or verdicts.csv, Error{corrupt} for files that are not
// tables of results, Error{usage} where the folders have no checkpoint in common.
ResultsComparison compare_results(const std::string& folder, const std::string& expected,
                                  const CompareOptions& options = {});

}  // namespace wcodec

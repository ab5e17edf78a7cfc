// The hopes that this project began with, each held against committed results: confirmed, refuted or "depends", with
// the row that shows it. Nothing here is typed in but the hopes; marks and figures come from the files.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "experiments/claim.hpp"
#include "experiments/tables.hpp"

namespace wcodec {

// What results folders and the folders below them hold.
struct Evidence {
  struct Summary {
    std::string file;
    std::vector<SummaryRow> rows;
  };
  std::vector<Summary> summaries;                             // **/summary.csv
  std::vector<std::pair<std::string, std::string>> failures;  // **/failures.csv: file and text
  std::vector<std::pair<std::string, std::string>> timings;   // **/timings.csv
  std::vector<std::pair<std::string, std::string>>
      json;  // gpu/*.json of gpu_table and gpu_model, cpu/*.json of cpu_table
};

// Reads all of it, folder by folder, in order of the names. Throws Error{not_found} where a folder cannot be read or no
// summary.csv is found, and what the readers throw.
Evidence read_evidence(const std::vector<std::string>& roots);

struct Headline {
  std::string hope;  // as it was stated
  Answer mark = Answer::unmeasured;
  std::string measured;  // the figures that decide
  std::string shown_by;  // the row that shows it; what would have to be run where there is none
  std::string file;      // that has the row; empty where there is none
};

// Hopes count as minima: more than hoped for confirms. A hope about a ratio is `confirmed` where the best series of
// every checkpoint and granularity has it, both with the scales on both sides and on neither, `refuted` where none has
// it either way, `depends` between; made-up data count only for the hopes about them. A hope about speed: `confirmed`
// where the best coder of every data set reaches it, `refuted` where none does.
std::vector<Headline> check_headlines(const Evidence& evidence);

Table headline_table(const std::vector<Headline>& headlines);

}  // namespace wcodec

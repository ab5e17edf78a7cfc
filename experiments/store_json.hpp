// JSON spellings of what workers report, shared by the ledger and the worker protocol. Includes a heavy header: for
// .cpp files only. A real number that does not apply (NaN) is null; all others read back to the same double.
#pragma once

#include <nlohmann/json.hpp>

#include "experiments/cell.hpp"
#include "experiments/store.hpp"

namespace wcodec {

nlohmann::json to_json(const CellResult& result);
nlohmann::json to_json(const Diagnostics& diagnostics);
nlohmann::json to_json(const TimingRecord& record);
nlohmann::json to_json(const Cell& cell);

// Each throws nlohmann::json::exception where `json` is not of the form that to_json writes.
CellResult cell_result_from_json(const nlohmann::json& json);
Diagnostics diagnostics_from_json(const nlohmann::json& json);
TimingRecord timing_from_json(const nlohmann::json& json);
Cell cell_from_json(const nlohmann::json& json);

}  // namespace wcodec

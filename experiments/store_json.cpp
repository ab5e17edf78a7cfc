#include "experiments/store_json.hpp"

#include <limits>

namespace wcodec {
namespace {

using nlohmann::json;

double real(const json& value) {
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

std::vector<double> reals(const json& values) {
  std::vector<double> out;
  for (const json& value : values) out.push_back(real(value));
  return out;
}

}  // namespace

json to_json(const CellResult& result) {
  json modes = json::array();
  for (const auto& mode : result.modes) modes.push_back({mode.plane, mode.mode, mode.tiles});
  return {{"hash", result.hash},
          {"weights", result.weights},
          {"source_bytes", result.source_bytes},
          {"original_bytes", result.original_bytes},
          {"coded_bytes", result.coded_bytes},
          {"original_scale_bytes", result.original_scale_bytes},
          {"ledger", result.ledger.bytes},
          {"h0_bpw", result.h0_bpw},
          {"residual_h0_bpw", result.residual_h0_bpw},
          {"best_bpw", result.best_bpw},
          {"gm_bpw", result.gm_bpw},
          {"modes", std::move(modes)}};
}

CellResult cell_result_from_json(const json& from) {
  CellResult result;
  from.at("hash").get_to(result.hash);
  from.at("weights").get_to(result.weights);
  from.at("source_bytes").get_to(result.source_bytes);
  from.at("original_bytes").get_to(result.original_bytes);
  from.at("coded_bytes").get_to(result.coded_bytes);
  from.at("original_scale_bytes").get_to(result.original_scale_bytes);
  from.at("ledger").get_to(result.ledger.bytes);
  result.h0_bpw = real(from.at("h0_bpw"));
  result.residual_h0_bpw = real(from.at("residual_h0_bpw"));
  result.best_bpw = real(from.at("best_bpw"));
  result.gm_bpw = real(from.at("gm_bpw"));
  for (const json& mode : from.at("modes")) {
    result.modes.push_back({mode.at(0).get<std::string>(), mode.at(1).get<std::string>(), mode.at(2).get<u64>()});
  }
  return result;
}

json to_json(const Diagnostics& diagnostics) {
  json histograms = json::array(), correlations = json::array();
  for (const auto& histogram : diagnostics.histograms) {
    histograms.push_back({{"plane", histogram.plane}, {"mode", histogram.mode}, {"counts", histogram.counts}});
  }
  for (const auto& c : diagnostics.correlations) correlations.push_back({c.drow, c.dcol, c.rho});
  return {{"control", diagnostics.control},
          {"quantizer", diagnostics.quantizer},
          {"histograms", std::move(histograms)},
          {"correlations", std::move(correlations)}};
}

Diagnostics diagnostics_from_json(const json& from) {
  Diagnostics diagnostics;
  from.at("control").get_to(diagnostics.control);
  from.at("quantizer").get_to(diagnostics.quantizer);
  for (const json& histogram : from.at("histograms")) {
    diagnostics.histograms.push_back({histogram.at("plane").get<std::string>(), histogram.at("mode").get<std::string>(),
                                      histogram.at("counts").get<std::vector<std::pair<int, u64>>>()});
  }
  for (const json& c : from.at("correlations")) {
    diagnostics.correlations.push_back({c.at(0).get<int>(), c.at(1).get<int>(), real(c.at(2))});
  }
  return diagnostics;
}

json to_json(const TimingRecord& record) {
  return {{"hash", record.hash},
          {"symbol_bytes", record.timed.symbol_bytes},
          {"coded_bytes", record.timed.coded_bytes},
          {"encode_seconds", record.timed.encode_seconds},
          {"decode_seconds", record.timed.decode_seconds},
          {"wall_seconds", record.timed.wall_seconds},
          {"threads", record.threads},
          {"clock_mhz", record.clock_mhz},
          {"throttled", record.throttled}};
}

TimingRecord timing_from_json(const json& from) {
  TimingRecord record;
  from.at("hash").get_to(record.hash);
  from.at("symbol_bytes").get_to(record.timed.symbol_bytes);
  from.at("coded_bytes").get_to(record.timed.coded_bytes);
  record.timed.encode_seconds = reals(from.at("encode_seconds"));
  record.timed.decode_seconds = reals(from.at("decode_seconds"));
  if (const auto wall = from.find("wall_seconds"); wall != from.end()) record.timed.wall_seconds = reals(*wall);
  from.at("threads").get_to(record.threads);
  record.timed.threads = record.threads;
  record.clock_mhz = real(from.at("clock_mhz"));
  from.at("throttled").get_to(record.throttled);
  return record;
}

json to_json(const Cell& cell) {
  json out = {{"hash", cell.hash},           {"checkpoint", cell.checkpoint},
              {"tensor", cell.tensor},       {"tensor_hash", cell.tensor_hash},
              {"control", cell.control},     {"seed", cell.seed},
              {"quantizer", cell.quantizer}, {"tile", cell.tile},
              {"modes", cell.modes},         {"transform", cell.transform},
              {"coder", cell.coder},         {"baseline", cell.role == Role::baseline},
              {"device", cell.device},       {"plugins", cell.plugins},
              {"order", cell.order},         {"approx", cell.approx}};
  if (cell.reference != "none") {
    const ReferencePlace& place = cell.reference_place;
    out["reference"] = {{"spec", cell.reference},
                        {"checkpoint", place.checkpoint},
                        {"tensor", place.tensor},
                        {"tensor_hash", place.tensor_hash},
                        {"dtype", place.dtype}};
  }
  return out;
}

Cell cell_from_json(const json& from) {
  Cell cell;
  from.at("hash").get_to(cell.hash);
  from.at("checkpoint").get_to(cell.checkpoint);
  from.at("tensor").get_to(cell.tensor);
  from.at("tensor_hash").get_to(cell.tensor_hash);
  from.at("control").get_to(cell.control);
  from.at("seed").get_to(cell.seed);
  from.at("quantizer").get_to(cell.quantizer);
  from.at("order").get_to(cell.order);
  from.at("approx").get_to(cell.approx);
  from.at("tile").get_to(cell.tile);
  from.at("modes").get_to(cell.modes);
  from.at("transform").get_to(cell.transform);
  from.at("coder").get_to(cell.coder);
  cell.role = from.at("baseline").get<bool>() ? Role::baseline : Role::codec;
  from.at("device").get_to(cell.device);
  from.at("plugins").get_to(cell.plugins);
  if (const auto reference = from.find("reference"); reference != from.end()) {
    reference->at("spec").get_to(cell.reference);
    reference->at("checkpoint").get_to(cell.reference_place.checkpoint);
    reference->at("tensor").get_to(cell.reference_place.tensor);
    reference->at("tensor_hash").get_to(cell.reference_place.tensor_hash);
    reference->at("dtype").get_to(cell.reference_place.dtype);
  }
  return cell;
}

}  // namespace wcodec

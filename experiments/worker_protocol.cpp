#include "experiments/worker_protocol.hpp"

#include "experiments/store_json.hpp"

namespace wcodec {

using nlohmann::json;

json to_json(const WorkerTask& task) {
  json cells = json::array();
  for (const Cell& cell : task.cells) cells.push_back(to_json(cell));
  json out = {{"address", task.address},
              {"views", task.views},
              {"tensor", task.tensor},
              {"quantizer", task.quantizer},
              {"diagnostic_tile", task.diagnostic_tile},
              {"cells", std::move(cells)}};
  for (const auto& [checkpoint, source] : task.references) {
    out["references"].push_back({{"checkpoint", checkpoint}, {"address", source.address}, {"views", source.views}});
  }
  if (task.timing) {
    out["timing"] = {{"repeats", task.timing->repeats},
                     {"warmup", task.timing->warmup},
                     {"seed", task.timing->seed},
                     {"slow_seconds", task.timing->slow_seconds}};
  }
  return out;
}

WorkerTask task_from_json(const json& from) {
  WorkerTask task;
  from.at("address").get_to(task.address);
  from.at("views").get_to(task.views);
  from.at("tensor").get_to(task.tensor);
  from.at("quantizer").get_to(task.quantizer);
  from.at("diagnostic_tile").get_to(task.diagnostic_tile);
  for (const json& cell : from.at("cells")) task.cells.push_back(cell_from_json(cell));
  if (const auto it = from.find("references"); it != from.end()) {
    for (const json& reference : *it) {
      task.references[reference.at("checkpoint").get<std::size_t>()] = {
          reference.at("address").get<std::string>(), reference.at("views").get<std::map<std::string, std::string>>()};
    }
  }
  if (const auto it = from.find("timing"); it != from.end()) {
    task.timing = TimingOptions{it->at("repeats").get<int>(), it->at("warmup").get<int>(), it->at("seed").get<u64>(),
                                it->at("slow_seconds").get<double>()};
  }
  return task;
}

std::string to_line(const json& message) {
  return message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace wcodec

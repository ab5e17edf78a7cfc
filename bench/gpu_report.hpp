// Results of the GPU benchmark as a table for people and as JSON.
#pragma once

#include <string>
#include <vector>

#include "core/types.hpp"

namespace wcodec {

struct GpuMachine {
  std::string gpu, driver, nvcomp, kernels;  // nvcomp: its version, or why it is not there; kernels: hash of sources
  int multiprocessors = 0;
  u64 l2_bytes = 0;
  double copy_gbs = 0;  // of 1 GiB, read + write
  double sm_mhz_before = 0, sm_mhz_after = 0, memory_mhz_before = 0, memory_mhz_after = 0;
};

// One coder on one data set. Speeds in GB/s, 10^9 bytes of words written, one byte a symbol for int4; NaN: not
// measured.
struct GpuRow {
  std::string model, data, coder,
      family;  // family: those that compete for a place on the front: "wcodec", "nvcomp:ans"
  u64 mebibytes = 0;
  u64 layers = 0, words_bytes = 0, symbol_bytes = 0, coded_bytes = 0;
  double single = 0, graph = 0;                // cold: on copies that the L2 does not hold
  double warm = 0;                             // graph over one copy; NaN where the L2 holds no copy
  double encode = 0;                           // single, cold
  double expand_single = 0, expand_graph = 0;  // the limit: as many bytes read and written, nothing done
  double sm_mhz = 0, memory_mhz = 0;
  bool is_throttled = false;
  std::string failure;       // why there are no figures
  bool is_on_front = false;  // nothing of its family is both smaller and faster

  double ratio() const noexcept { return static_cast<double>(symbol_bytes) / static_cast<double>(coded_bytes); }
  // The larger share of the limit, of a single launch and of a graph.
  double share() const noexcept;
};

// Sets is_on_front within each (model, data, size, family), single and graph both counting.
void mark_fronts(std::vector<GpuRow>& rows);

// Markdown: one table a model and size; rows on the front, with the best nvCOMP of that ratio or better beside ours.
std::string gpu_markdown(const GpuMachine& machine, const std::vector<GpuRow>& rows);
// One object: "machine", "kernels" and all "rows".
std::string gpu_json(const GpuMachine& machine, const std::vector<GpuRow>& rows);

}  // namespace wcodec

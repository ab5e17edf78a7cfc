// A cell: one tensor under one control through one choice of stages; the unit that is planned, hashed, run and recorded
// once.
#pragma once

#include <string>
#include <vector>

#include "core/ledger.hpp"
#include "core/types.hpp"

namespace wcodec {

// Bump when a change of ours alters any number a cell reports: old cells are then run again.
inline constexpr int kCellVersion = 1;

enum class Role : u8 { codec, baseline };

// The tensor that a cell's reference is.
struct ReferencePlace {
  std::size_t checkpoint = 0, tensor = 0;  // as in Cell
  std::string tensor_hash, dtype;          // content hash of its bytes, and what they are
};

struct Cell {
  std::string hash;  // 32 hex digits; see cell_hash
  // What is measured.
  std::size_t checkpoint = 0;  // index into the config's checkpoints
  std::size_t tensor = 0;      // index into the checkpoint's tensors
  std::string tensor_hash;     // content hash of the tensor's bytes
  // How. Canonical specs; `tile` and `modes` empty for baselines.
  std::string control = "original";
  u64 seed = 0;
  std::string quantizer, order = "identity", approx = "none", tile, modes, transform = "identity", coder;
  std::string reference = "none";
  ReferencePlace reference_place = {};  // unless `reference` is "none"
  Role role = Role::codec;
  std::string device = "cpu";
  std::string plugins;  // identities of the plug-ins the specs use, empty otherwise
};

// Name of a cell: content hash over tensor content, shape, dtype, canonical specs, control and seed, kCellVersion and
// plug-in identities; of a reference, content, dtype and fit. `order`, `approx` and `reference` count where they are
// not the default, so that cells older than they are keep their names. Never source text, file times, paths or names.
std::string cell_hash(const Cell& cell, sv dtype, i64 rows, i64 cols);

// What a byte cell reports. Names and units: results/README.md.
struct CellResult {
  std::string hash;
  u64 weights = 0, source_bytes = 0, original_bytes = 0, coded_bytes = 0;
  u64 original_scale_bytes = 0;  // the part of original_bytes that is scales
  Ledger ledger;
  double h0_bpw = 0, residual_h0_bpw = 0, best_bpw = 0, gm_bpw = 0;  // NaN = not applicable
  struct ModeCount {
    std::string plane, mode;
    u64 tiles;
  };
  std::vector<ModeCount> modes;

  double bpw() const noexcept { return 8.0 * static_cast<double>(coded_bytes) / static_cast<double>(weights); }
};

// What a diagnostics pass over one (tensor, quantizer, control) reports, for histograms.csv and correlations.csv.
struct Diagnostics {
  std::string control, quantizer;
  struct Histogram {
    std::string plane, mode;
    std::vector<std::pair<int, u64>> counts;  // value (signed where the plane is) and how often; zeros left out
  };
  std::vector<Histogram> histograms;
  struct Correlation {
    int drow, dcol;
    double rho;
  };
  std::vector<Correlation> correlations;
};

}  // namespace wcodec

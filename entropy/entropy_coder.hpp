// What an entropy coder is: the residuals of one plane, in coding order, become bytes and come back.
#pragma once

#include <span>

#include "core/bytes.hpp"
#include "core/ledger_writer.hpp"
#include "core/spec.hpp"
#include "core/tile.hpp"

namespace wcodec {

// Known to encoder and decoder alike.
struct PlaneGeometry {
  TileGrid grid;
  int bits;  // residuals are 0 … 2^bits − 1
  // Symbols of the tensor's first plane (a float's exponents), row-major; null for that plane itself.
  const u8* first_plane = nullptr;
  // In coding order: of a transform coefficient 1 + its place in its 8 × 8 block, row-major; 0 of what is none. Null in
  // a plane without transforms.
  const u8* bands = nullptr;
};

struct CoderInput {
  PlaneGeometry geometry;
  std::span<const u8> residuals;  // in coding order, grid.rows · grid.cols of them
  const u8* symbols;              // the plane before prediction, row-major: for choosing contexts only
  u8 zero;
  bool log_scale;
};

// Options as plain data, checked once.
struct CoderOptions {
  u8 tables = 0;  // rans: see rans_coder.cpp
  int contexts = 1;
  int precision = 14;
  int log2_chunk = 0;  // 0: chosen for each plane
  int low_bits = -1;   // prefix: uncoded bits of a symbol; −1: chosen for each plane
  int level = 3;       // zstd
  int rate = 5;        // adaptive
};

// A row of the registry. `encode` in dry mode is its cost: `out.ledger()` grows by exactly what it would write.
struct EntropyCoder {
  sv name;
  u8 id;  // in files; never reused
  sv help;
  std::span<const OptionInfo> options;
  CoderOptions (*prepare)(const Spec& spec);  // throws Error{usage}
  void (*encode)(const EntropyCoder& row, const CoderInput& input, const CoderOptions& options, LedgerWriter& out);
  // Fills `residuals`. Needs no options: what the decoder has to know is in the bytes. Throws Error{corrupt} or
  // Error{truncated}.
  void (*decode)(const EntropyCoder& row, ByteReader& in, const PlaneGeometry& geometry, MutBytes residuals);
  const void* plugin = nullptr;  // of rows from plug-ins: their function table
  sv identity = {};              // of a plug-in, for cell hashes
};

}  // namespace wcodec

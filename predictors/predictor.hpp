// What a predictor is. A tile of symbols is replaced by differences from guesses that the decoder can repeat, because a
// guess looks only at symbols of the same tile that are already known, or at parameters that are sent.
//
// Symbols are order-preserving unsigned words of `bits` bits: a signed value x is held as x + 2^(bits−1), `zero` is the
// word that stands for 0. Differences wrap modulo 2^bits, so every residual fits the alphabet and nothing is ever lost.
//
// Edges (one rule for all predictors): with L the symbol to the left, T the one above and TL the one above left, on the
// first row T and TL are L, on the first column L and TL are T, and the guess of the corner is `zero`.
#pragma once

#include <array>
#include <concepts>
#include <span>

#include "core/spec.hpp"
#include "core/tile.hpp"
#include "core/types.hpp"

namespace wcodec {

struct PredictorContext {
  u8 zero = 0;
  u8 mask = 0xff;                // 2^bits − 1
  u8 option = 0;                 // the predictor's one numeric option, e.g. neighbours of `ls`
  const u8* params = nullptr;    // as written by `fit`: of this tile, or of the plane
  const void* plugin = nullptr;  // out-of-tree predictors: their own row
};

enum class ParamScope : u8 { none, tile, plane };

// A row of the registry. Function pointers are followed once a tile, never once a symbol.
struct Predictor {
  sv name;  // in YAML, tables and on the command line
  u8 id;    // in files; never reused
  sv help;
  std::span<const OptionInfo> options;  // at most one, an integer
  u8 default_option = 0;
  int option_low = 0, option_high = 0;
  ParamScope scope = ParamScope::none;
  // Bytes of parameters for a tile (scope tile) or for a plane (scope plane; the arguments are then ignored).
  std::size_t (*param_bytes)(int rows, int cols, u8 option) noexcept;
  // Fits the parameters of one tile, or of a whole plane cut into `grid`'s tiles. Null where scope is none.
  void (*fit_tile)(Tile<const u8> x, const PredictorContext& context, u8* params) noexcept;
  void (*fit_plane)(const u8* plane, const TileGrid& grid, const PredictorContext& context, u8* params);
  // out: rows · cols residuals, contiguous, row-major.
  void (*residual)(Tile<const u8> x, const PredictorContext& context, u8* out) noexcept;
  // Inverse: fills `t` from its residuals.
  void (*reconstruct)(Tile<u8> t, const PredictorContext& context, const u8* residual) noexcept;
  const void* plugin = nullptr;    // handed on in the context; null for rows of ours
  std::string_view identity = {};  // of a plug-in, for cell hashes
};

// A rule without parameters: what a header in this folder has to provide.
template <class P>
concept Rule = requires(u8 w) {
  { P::kName } -> std::convertible_to<sv>;
  { P::kId } -> std::convertible_to<u8>;
  { P::kHelp } -> std::convertible_to<sv>;
  { P::predict(w, w, w) }
  noexcept->std::same_as<u8>;  // (L, T, TL) → guess; WC_HD, as host and device share it
};

// Turns a rule into both directions. One raster pass each, no branch on position inside a row.
template <Rule R>
struct Causal {
  static void residual(Tile<const u8> x, const PredictorContext& context, u8* out) noexcept {
    const u8 mask = context.mask;
    out[0] = static_cast<u8>((x(0, 0) - context.zero) & mask);
    for (int c = 1; c < x.cols; ++c) {
      const u8 left = x.at[c - 1];
      out[c] = static_cast<u8>((x.at[c] - R::predict(left, left, left)) & mask);
    }
    for (int r = 1; r < x.rows; ++r) {
      const u8* const row = x.at + r * x.stride;
      const u8* const above = row - x.stride;
      out += x.cols;
      out[0] = static_cast<u8>((row[0] - R::predict(above[0], above[0], above[0])) & mask);
      for (int c = 1; c < x.cols; ++c) {
        out[c] = static_cast<u8>((row[c] - R::predict(row[c - 1], above[c], above[c - 1])) & mask);
      }
    }
  }

  static void reconstruct(Tile<u8> t, const PredictorContext& context, const u8* residual) noexcept {
    const u8 mask = context.mask;
    t(0, 0) = static_cast<u8>((residual[0] + context.zero) & mask);
    for (int c = 1; c < t.cols; ++c) {
      const u8 left = t.at[c - 1];
      t.at[c] = static_cast<u8>((residual[c] + R::predict(left, left, left)) & mask);
    }
    for (int r = 1; r < t.rows; ++r) {
      u8* const row = t.at + r * t.stride;
      const u8* const above = row - t.stride;
      residual += t.cols;
      row[0] = static_cast<u8>((residual[0] + R::predict(above[0], above[0], above[0])) & mask);
      for (int c = 1; c < t.cols; ++c) {
        row[c] = static_cast<u8>((residual[c] + R::predict(row[c - 1], above[c], above[c - 1])) & mask);
      }
    }
  }
};

template <Rule R>
constexpr Predictor rule_row() noexcept {
  return {.name = R::kName,
          .id = R::kId,
          .help = R::kHelp,
          .options = {},
          .param_bytes = [](int, int, u8) noexcept { return std::size_t{0}; },
          .fit_tile = nullptr,
          .fit_plane = nullptr,
          .residual = &Causal<R>::residual,
          .reconstruct = &Causal<R>::reconstruct};
}

// Rows that are not plain rules (none, means, ls) provide `row()` themselves.
template <class P>
constexpr Predictor row_of() noexcept {
  if constexpr (Rule<P>) {
    return rule_row<P>();
  } else {
    return P::row();
  }
}

template <class... P>
struct TypeList {
  static constexpr std::size_t kSize = sizeof...(P);
  static constexpr std::array<Predictor, kSize> rows() noexcept { return {row_of<P>()...}; }
};

}  // namespace wcodec

// How small a dependence would the test of independence find? Known ones, planted into Gaussian data.
//
// The test sees ranks within classes only, so planting into a Gaussian and planting into a tensor's own shuffled values
// by rank are the same experiment.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "experiments/independence.hpp"

namespace wcodec {

enum class Planted : u8 {
  correlation,  // x = ρ · left + √(1 − ρ²) · noise; strength ρ
  copied_rows,  // a share of the rows repeats the row above; strength: the share
  scale_field,  // noise times exp(strength · g), g a field of variance 1 with correlation 0.9 along rows
  signs         // the sign is the left neighbour's with probability ½ + strength
};
inline constexpr std::size_t kPlantedKinds = 4;
inline constexpr std::array<sv, kPlantedKinds> kPlantedNames = {"correlation", "copied rows", "scale field", "signs"};

// Strength 0 is independent Gaussian noise under every kind. Philox by `seed` and `replicate`.
std::vector<double> planted_matrix(Planted kind, double strength, i64 rows, i64 cols, u64 seed, u64 replicate);

struct PowerOptions {
  u64 seed = 1;
  i64 rows = 181, cols = 362;  // of the block that test_tensor takes from a large tensor
  u32 permutations = 999;      // of the null, drawn once: ranks make it the same for all replicates
  u32 replicates = 100;
  double level = 0.05 / 48;  // what Holm asks of the first of twelve tensors with four neighbourhoods
  double power = 0.95;
};

struct PowerRow {
  Planted kind = Planted::correlation;
  double strength = 0;                       // smallest that is found, NaN where the grid's largest is not
  double found = 0;                          // share of the replicates
  double bits = 0;                           // mean over replicates of what the test says there is, best neighbourhood
  double true_bits = 0;                      // information about the left neighbour in closed form; NaN without one
  Neighbourhood best = Neighbourhood::left;  // that finds it most often
  double false_alarms = 0;                   // share of replicates with strength 0 that are "found"
};

// Strengths are searched by bisection on a grid with a ratio of 2^(1/4), 2^-7 to 2^0.5 (signs: to ½), as power grows
// with strength.
std::vector<PowerRow> smallest_found(const PowerOptions& options);

std::string power_csv(std::span<const PowerRow> rows, const PowerOptions& options);

}  // namespace wcodec

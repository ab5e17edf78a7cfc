// Does a weight depend on its neighbours, beyond the scale of its row and column? Mutual information in bits a weight,
// with its bias taken off, against a null that keeps everything but who stands beside whom.
//
// A weight's level (rank_field.hpp) in 8 bins against what is known of its causal neighbours; the plug-in estimate
// counts a joint histogram, and comes out high by chance by about (cells − 1) / (2 n ln 2) bits. The null has the
// levels shuffled within each class of row and column scale: its mean is that bias, its spread says what chance can do
// (a permutation test: Good, "Permutation, Parametric and Bootstrap Tests of Hypotheses", 2005). Levels are pooled over
// classes: what depends differently in different classes is found only as far as it survives the mean.
#pragma once

#include <array>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.hpp"
#include "experiments/rank_field.hpp"

namespace wcodec {

enum class Neighbourhood : u8 {
  left,  // 8 bins of the left neighbour
  top,   // 8 bins of the one above
  both,  // 5 × 5 bins of the two
  further  // of the four at (0, −2), (−2, 0), (−1, −1) and (−1, +1): 5 bins of the sum × 5 of the sum of magnitudes
};
inline constexpr std::size_t kNeighbourhoods = 4;
inline constexpr std::array<sv, kNeighbourhoods> kNeighbourhoodNames = {"left", "top", "both", "further"};

struct Dependence {
  std::array<double, kNeighbourhoods> bits{};  // plug-in
  std::array<u64, kNeighbourhoods> pairs{};    // weights that have the neighbours
};
Dependence dependence_of(const RankField& field);

struct TestedField {
  Dependence observed;
  std::vector<std::array<double, kNeighbourhoods>> null;  // plug-in bits of each permutation
};
// Philox by `seed` and `stream`. The field needs 3 rows and 4 columns: throws Error{usage}.
TestedField test_field(const RankField& field, u32 permutations, u64 seed, const std::string& stream);

struct IndependenceOptions {
  u64 seed = 1;
  u32 permutations = 999;
  u64 weights = 65'536;  // most of a tensor: a block from the middle of it
};

struct TestedTensor {
  std::string name, kind;
  i64 rows = 0, cols = 0;  // of the block
  TestedField with_means, without_means;
};
// Reads the block, dithers it and tests it with the means of rows and columns and without them. Throws
// Error{unsupported} on values that are not finite or have no spacing.
TestedTensor test_tensor(const Checkpoint& checkpoint, std::size_t tensor, const std::string& tensor_hash,
                         const IndependenceOptions& options);

struct DependenceRow {
  std::string checkpoint, tensor, kind;  // tensor "all": all of them, a weight counting alike
  i64 rows = 0, cols = 0;                // 0 for all
  bool without_means = false;
  Neighbourhood neighbourhood = Neighbourhood::left;
  u64 pairs = 0;
  double plug_in = 0, null_mean = 0, null_sd = 0;  // bits a weight
  double bits = 0;                                 // plug_in − null_mean: what there is
  double p = 1;                                    // (1 + permutations that reach plug_in) / (1 + permutations)
  double p_holm = 1;  // corrected for the rows of the same checkpoint and means; those of "all" among themselves
};
// Tensors in their order, then "all".
std::vector<DependenceRow> dependence_rows(const std::string& checkpoint, std::span<const TestedTensor> tensors);

std::string dependence_csv(std::span<const DependenceRow> rows);

}  // namespace wcodec

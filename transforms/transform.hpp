// What a transform is: an 8 × 8 block of residuals, centred on 0, becomes as many coefficients and comes back exactly.
//
// A header in this folder gives the rotations of its 8-point transform (lifting.hpp); a block is transformed along its
// columns, then along its rows. Coefficient (u, v) lies at row u, column v: its band.
#pragma once

#include <array>
#include <concepts>

#include "transforms/lifting.hpp"

namespace wcodec {

// What a header in this folder has to provide.
template <class T>
concept BlockTransform = requires {
  { T::kName } -> std::convertible_to<sv>;
  { T::kId } -> std::convertible_to<u8>;
  { T::kHelp } -> std::convertible_to<sv>;
  T::kRotations.size();
  { T::kOutputs } -> std::convertible_to<std::array<Output, kBlockSide>>;
};

// A rounding errs by ½ at most, and the constants by 2^-16 of a value, which is below 1.5·10^3 on the way forward.
inline constexpr double kForwardStepError = 0.5 + 1.5e3 / 65536;

// Largest absolute difference of one pass to exact arithmetic.
template <BlockTransform T>
inline constexpr double kForwardError = worst_error(T::kRotations, false, kForwardStepError);

// Largest absolute difference that rounding makes to the inverse of a block: that of the first pass goes through the
// second, then comes that of the second.
template <BlockTransform T>
constexpr double inverse_rounding() noexcept {
  const auto gains = inverse_gains(T::kRotations, T::kOutputs);
  double widest = 0;
  for (std::size_t n = 0; n < kBlockSide; ++n) {
    double sum = 0;
    for (std::size_t k = 0; k < kBlockSide; ++k) sum += gains[kBlockSide * n + k];
    widest = sum > widest ? sum : widest;
  }
  return worst_error(T::kRotations, true, 0.5) * (widest + 1);
}

// block: 64 values, row-major, in −128…127. out: 64 coefficients within ±kMaxCoefficient. They may be the same memory.
template <BlockTransform T>
WC_HD constexpr void forward_block(const i32* block, i32* out) noexcept {
  static_assert(1024 + kForwardError<T> * (2.8284272 + 1) <= kMaxCoefficient);
  i32 down[kBlockSize] = {}, turned[kBlockSize] = {};
  lift_columns(T::kRotations, T::kOutputs, block, down);
  transpose(down, turned);
  lift_columns(T::kRotations, T::kOutputs, turned, down);
  transpose(down, out);
}

// Inverse. Any coefficients within ±kMaxCoefficient are safe; what they give may lie outside −128…127.
template <BlockTransform T>
WC_HD constexpr void inverse_block(const i32* coefficients, i32* out) noexcept {
  i32 down[kBlockSize] = {}, turned[kBlockSize] = {};
  transpose(coefficients, turned);
  unlift_columns(T::kRotations, T::kOutputs, turned, down);
  transpose(down, turned);
  unlift_columns(T::kRotations, T::kOutputs, turned, out);
}

// A row of the registry. Function pointers are followed once a block.
struct Transform {
  sv name;  // in YAML, tables and on the command line
  u8 id;    // in files; never reused
  sv help;
  void (*forward)(const i32* block, i32* out) noexcept;
  void (*inverse)(const i32* coefficients, i32* out) noexcept;
  // Proven from the steps; 0 for the identity. forward_error: largest absolute difference of one pass to exact
  // arithmetic. inverse_rounding: of the inverse of a block to the linear map that its steps are without rounding.
  double forward_error, inverse_rounding;
  std::array<double, kBlockSize> inverse_gain;  // inverse_gains() of one pass
};

template <BlockTransform... T>
struct TransformList {
  static constexpr std::size_t kSize = sizeof...(T);
  static constexpr std::array<Transform, kSize> rows() noexcept {
    return {Transform{T::kName, T::kId, T::kHelp, &forward_block<T>, &inverse_block<T>, kForwardError<T>,
                      wcodec::inverse_rounding<T>(), inverse_gains(T::kRotations, T::kOutputs)}...};
  }
};

}  // namespace wcodec

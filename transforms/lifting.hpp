// Orthonormal 8-point transforms on integers, without loss: plane rotations, each as three lifting steps that add a
// rounded multiple of one value to another. A step is undone by subtracting the same rounded multiple, so the inverse
// is exact by construction, whatever the rounding.
//
// Sources: I. Daubechies, W. Sweldens: "Factoring wavelet transforms into lifting steps", 1998 (a rotation is three
// steps); Y.-J. Chen, S. Oraintara, T. Nguyen: "Integer discrete cosine transform (IntDCT)", 2000 (fast cosine
// transforms made of such rotations).
//
// Range. A sample of b ≤ 8 bits is in −128…127, so a block of 64 has Euclidean norm at most 1024, which rotations keep.
// One pass moves each of its outputs by at most `kForwardError` from the exact one; the second pass spreads the errors
// of eight outputs of the first over one of its own, at most √8 times as much, and adds its own. kMaxCoefficient is
// checked against that at compile time (transform.hpp). The inverse of any coefficients up to it stays below 2^16 in
// magnitude, so that 32-bit products with the 15-bit constants never overflow.
//
// Against the transform in floating point, coefficients differ by at most 6, and by less than 1 in the mean square, on
// noise and on the extremes of range (tests/transforms); what is proven is kForwardError · (√8 + 1).
#pragma once

#include <array>
#include <span>

#include "core/types.hpp"

namespace wcodec {

inline constexpr int kBlockSide = 8, kBlockSize = 64;
inline constexpr i32 kMaxCoefficient = 1088;

// (x_a, x_b) ← (x_a cos θ − x_b sin θ, x_a sin θ + x_b cos θ), θ = turn · π/32, |turn| ≤ 16.
struct Rotation {
  u8 a, b;
  i8 turn;
};

// Where a coefficient is found after the rotations.
struct Output {
  u8 slot;
  i8 sign;
};

inline constexpr int kLiftingBits = 15;
// round(2^15 · tan(k·π/64)) and round(2^15 · sin(k·π/32))
inline constexpr std::array<i32, 17> kTangents = {0,     1610,  3227,  4861,  6518,  8208,  9940,  11725, 13573,
                                                  15498, 17515, 19640, 21895, 24302, 26892, 29699, 32768};
inline constexpr std::array<i32, 17> kSines = {0,     3212,  6393,  9512,  12540, 15447, 18205, 20788, 23170,
                                               25330, 27246, 28899, 30274, 31357, 32138, 32610, 32768};

// x_target += factor/2^15 · x_source, rounded (halves up).
struct LiftingStep {
  u8 target, source;
  i32 factor;
};

constexpr std::array<LiftingStep, 3> lifting_steps(Rotation r) noexcept {
  const auto k = static_cast<std::size_t>(r.turn < 0 ? -r.turn : r.turn);
  const i32 tangent = r.turn < 0 ? kTangents[k] : -kTangents[k];
  const i32 sine = r.turn < 0 ? -kSines[k] : kSines[k];
  return {{{r.a, r.b, tangent}, {r.b, r.a, sine}, {r.a, r.b, tangent}}};
}

WC_HD constexpr i32 lifted(i32 factor, i32 source) noexcept {
  return (factor * source + (1 << (kLiftingBits - 1))) >> kLiftingBits;
}

// Largest error of one output (values of the inverse: of one input) of a pass over exact arithmetic, when no single
// step errs by more than `step_error`: errors of a step go through the steps behind it, and all may add up.
template <std::size_t N>
constexpr double worst_error(const std::array<Rotation, N>& rotations, bool inverse, double step_error) noexcept {
  std::array<LiftingStep, 3 * N> steps{};
  for (std::size_t r = 0; r < N; ++r) {
    const auto of_rotation = lifting_steps(rotations[r]);
    for (std::size_t k = 0; k < 3; ++k) {
      const std::size_t at = 3 * r + k;
      steps[inverse ? 3 * N - 1 - at : at] = of_rotation[k];
    }
  }
  std::array<double, kBlockSide> total{};
  for (std::size_t first = 0; first < steps.size(); ++first) {
    std::array<double, kBlockSide> error{};
    error[steps[first].target] = step_error;
    for (std::size_t s = first + 1; s < steps.size(); ++s) {
      const double gain = static_cast<double>(steps[s].factor) / (1 << kLiftingBits);
      error[steps[s].target] += (inverse ? -gain : gain) * error[steps[s].source];
    }
    for (std::size_t i = 0; i < kBlockSide; ++i) total[i] += error[i] < 0 ? -error[i] : error[i];
  }
  double worst = 0;
  for (const double sum : total) worst = sum > worst ? sum : worst;
  return worst;
}

// |A| of the inverse pass without its rounding, which is linear: entry 8·n + k is how far value n moves when
// coefficient k moves by 1.
template <std::size_t N>
constexpr std::array<double, kBlockSize> inverse_gains(const std::array<Rotation, N>& rotations,
                                                       const std::array<Output, kBlockSide>& outputs) noexcept {
  std::array<double, kBlockSize> gains{};
  for (std::size_t k = 0; k < kBlockSide; ++k) {
    std::array<double, kBlockSide> x{};
    x[outputs[k].slot] = 1;
    for (std::size_t r = N; r-- > 0;) {
      const auto steps = lifting_steps(rotations[r]);
      for (std::size_t s = steps.size(); s-- > 0;)
        x[steps[s].target] -= static_cast<double>(steps[s].factor) / (1 << kLiftingBits) * x[steps[s].source];
    }
    for (std::size_t n = 0; n < kBlockSide; ++n) gains[kBlockSide * n + k] = x[n] < 0 ? -x[n] : x[n];
  }
  return gains;
}

// One pass over the columns of an 8 × 8 block, all eight at once: rows of the block are the values that are rotated.
template <std::size_t N>
WC_HD constexpr void lift_columns(const std::array<Rotation, N>& rotations,
                                  const std::array<Output, kBlockSide>& outputs, const i32* in, i32* out) noexcept {
  i32 x[kBlockSize] = {};
  for (int i = 0; i < kBlockSize; ++i) x[i] = in[i];
  for (const Rotation rotation : rotations) {
    for (const LiftingStep step : lifting_steps(rotation)) {
      i32* const target = x + step.target * kBlockSide;
      const i32* const source = x + step.source * kBlockSide;
      for (int lane = 0; lane < kBlockSide; ++lane) target[lane] += lifted(step.factor, source[lane]);
    }
  }
  for (std::size_t k = 0; k < kBlockSide; ++k) {
    for (std::size_t lane = 0; lane < kBlockSide; ++lane)
      out[k * kBlockSide + lane] = outputs[k].sign * x[outputs[k].slot * kBlockSide + lane];
  }
}

template <std::size_t N>
WC_HD constexpr void unlift_columns(const std::array<Rotation, N>& rotations,
                                    const std::array<Output, kBlockSide>& outputs, const i32* in, i32* out) noexcept {
  i32 x[kBlockSize] = {};
  for (std::size_t k = 0; k < kBlockSide; ++k) {
    for (std::size_t lane = 0; lane < kBlockSide; ++lane)
      x[outputs[k].slot * kBlockSide + lane] = outputs[k].sign * in[k * kBlockSide + lane];
  }
  for (std::size_t r = N; r-- > 0;) {
    const auto steps = lifting_steps(rotations[r]);
    for (std::size_t s = steps.size(); s-- > 0;) {
      i32* const target = x + steps[s].target * kBlockSide;
      const i32* const source = x + steps[s].source * kBlockSide;
      for (int lane = 0; lane < kBlockSide; ++lane) target[lane] -= lifted(steps[s].factor, source[lane]);
    }
  }
  for (int i = 0; i < kBlockSize; ++i) out[i] = x[i];
}

WC_HD constexpr void transpose(const i32* in, i32* out) noexcept {
  for (int r = 0; r < kBlockSide; ++r) {
    for (int c = 0; c < kBlockSide; ++c) out[c * kBlockSide + r] = in[r * kBlockSide + c];
  }
}

}  // namespace wcodec

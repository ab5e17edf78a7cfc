// Student's t distribution with the same bits on every machine.
#pragma once

namespace wcodec {

// P(T > t) for T with `freedom` ≥ 1 degrees of freedom, any real number of them; accurate to about 1e-12 relative down
// to 1e-290, below which it is 0, as it is for t > 1e150. NaN for NaN. The regularised incomplete beta function as a
// continued fraction (Abramowitz and Stegun 1964, 26.5.8 and 26.7.1), evaluated by the modified Lentz method.
double student_upper_tail(double t, double freedom) noexcept;

}  // namespace wcodec

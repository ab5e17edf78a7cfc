#include "core/sources/synthetic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "core/portable_math.hpp"
#include "core/sources/describe.hpp"

namespace wcodec {
namespace {

constexpr OptionInfo kOptions[] = {
    {"rows", "1024", "1…2^31-1", "rows of each tensor"},
    {"cols", "1024", "1…2^31-1", "columns of each tensor"},
    {"tensors", "1", "1…65536", "how many tensors"},
    {"seed", "0", "0…2^63-1", "seed of all values"},
    {"dtype", "f32", "f32|bf16|f64", "stored type; rounded to nearest, ties to even"},
    {"scale", "1", "number", "factor on every value"},
    {"df", "5", "1…1000", "student-t: degrees of freedom"},
    {"period", "64", "2…1e9", "smooth: typical wavelength in weights"},
};

// Random numbers of one element or one tensor: independent of every other, whatever is read in whichever order.
struct Draws {
  std::array<u32, 2> key;
  u32 tensor;

  // Two uniform numbers in (0, 1) for counter (a, b, c).
  std::array<double, 2> uniforms(u32 a, u32 b, u32 c) const noexcept {
    const auto block = philox4x32({a, b, tensor, c}, key);
    return {unit(block[0], block[1]), unit(block[2], block[3])};
  }
  static double unit(u32 low, u32 high) noexcept {
    return (static_cast<double>((u64{low} | u64{high} << 32) >> 12) + 0.5) * 0x1p-52;
  }
};

struct Parameters {
  double df, period;
};

// A sum of plane waves: neighbours agree wherever the wavelength is long, which is what a predictor can use.
class Waves {
 public:
  Waves(const Draws& draws, double period) {
    for (u32 k = 0; k < kCount; ++k) {
      const auto [direction, length] = draws.uniforms(k, 0, kWaveDraws);
      const auto [phase, unused] = draws.uniforms(k, 1, kWaveDraws);
      static_cast<void>(unused);
      const double frequency = (0.5 + length) / period;
      waves_[k] = {frequency * portable_sin2pi(direction), frequency * portable_sin2pi(direction + 0.25), phase};
    }
  }
  double at(i64 row, i64 col) const noexcept {
    double sum = 0;
    for (const Wave& w : waves_) {
      sum += portable_sin2pi(w.down * static_cast<double>(row) + w.across * static_cast<double>(col) + w.phase);
    }
    return sum * 0.5;  // variance ½ each, eight of them, so that the field has variance 1
  }

 private:
  static constexpr u32 kCount = 8, kWaveDraws = 0xffffffffu;
  struct Wave {
    double down, across, phase;
  };
  std::array<Wave, kCount> waves_{};
};

double laplace(double u) noexcept {  // of variance 1
  constexpr double kScale = 0.70710678118654752440;
  return u < 0.5 ? kScale * portable_log(2.0 * u) : -kScale * portable_log(2.0 * (1.0 - u));
}

// Normal ÷ sqrt(χ²/df), with χ² of an even number from logarithms of uniforms and one squared normal where it is odd.
double student_t(const Draws& draws, u32 row, u32 col, double df) noexcept {
  const auto n = static_cast<u32>(df);
  const auto [a, b] = draws.uniforms(col, row, 0);
  double chi2 = 0;
  if (n % 2 == 1) {
    const double z = portable_normal_quantile(b);
    chi2 = z * z;
  }
  for (u32 k = 0; k < n / 2; k += 2) {
    const auto [u, v] = draws.uniforms(col, row, 1 + k / 2);
    chi2 -= 2.0 * portable_log(u);
    if (k + 1 < n / 2) chi2 -= 2.0 * portable_log(v);
  }
  return portable_normal_quantile(a) / std::sqrt(chi2 / df);
}

using FillRow = void (*)(const Draws&, const Parameters&, i64 row, std::span<double> out);

// Kinds that turn one uniform number into a value share a counter between two columns.
template <double (*Quantile)(double)>
void fill_quantile(const Draws& draws, const Parameters&, i64 row, std::span<double> out) {
  for (std::size_t col = 0; col < out.size(); col += 2) {
    const auto [u, v] = draws.uniforms(static_cast<u32>(col / 2), static_cast<u32>(row), 0);
    out[col] = Quantile(u);
    if (col + 1 < out.size()) out[col + 1] = Quantile(v);
  }
}

double normal_quantile(double u) { return portable_normal_quantile(u); }
double laplace_quantile(double u) { return laplace(u); }
double symmetric(double u) { return 2.0 * u - 1.0; }

void fill_student_t(const Draws& draws, const Parameters& p, i64 row, std::span<double> out) {
  for (std::size_t col = 0; col < out.size(); ++col) {
    out[col] = student_t(draws, static_cast<u32>(row), static_cast<u32>(col), p.df);
  }
}

void fill_smooth(const Draws& draws, const Parameters& p, i64 row, std::span<double> out) {
  const Waves waves(draws, p.period);
  for (std::size_t col = 0; col < out.size(); ++col) out[col] = waves.at(row, static_cast<i64>(col));
}

void fill_constant(const Draws&, const Parameters&, i64, std::span<double> out) {
  std::fill(out.begin(), out.end(), 1.0);
}

struct KindRow {
  SyntheticKind info;
  FillRow fill;
};

constexpr KindRow kKinds[] = {
    {{"gaussian", "normal, variance 1"}, fill_quantile<normal_quantile>},
    {{"laplace", "double exponential, variance 1"}, fill_quantile<laplace_quantile>},
    {{"student-t", "Student's t with df degrees of freedom (heavy tails)"}, fill_student_t},
    {{"uniform", "uniform in (-1, 1)"}, fill_quantile<symmetric>},
    {{"smooth", "a sum of eight plane waves of wavelengths around period, variance 1"}, fill_smooth},
    {{"constant", "every value is `scale`"}, fill_constant},
};

void store(DType dtype, double value, u8* out) noexcept {
  if (dtype == DType::f64) {
    std::memcpy(out, &value, 8);
    return;
  }
  const float single = static_cast<float>(value);
  if (dtype == DType::f32) {
    std::memcpy(out, &single, 4);
    return;
  }
  const u32 bits = std::bit_cast<u32>(single);
  const auto half = static_cast<u16>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);  // finite, so no NaN to keep
  std::memcpy(out, &half, 2);
}

class Synthetic : public Checkpoint {
 public:
  Synthetic(const Spec& spec, const OpenOptions& options) {
    const OptionReader reader(spec, kOptions);
    const auto kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                   [&](const KindRow& row) { return row.info.name == spec.name; });
    if (kind == std::end(kKinds)) {
      std::vector<sv> names;
      for (const KindRow& row : kKinds) names.push_back(row.info.name);
      throw Error(ErrorKind::usage, "synthetic: " + unknown_name("kind", spec.name, names));
    }
    fill_ = kind->fill;
    constexpr i64 kMostSide = (i64{1} << 31) - 1;
    const i64 rows = reader.integer("rows", 1, kMostSide), cols = reader.integer("cols", 1, kMostSide);
    const i64 count = reader.integer("tensors", 1, 65536);
    seed_ = static_cast<u64>(reader.integer("seed", 0, INT64_MAX));
    static constexpr sv kDtypes[] = {"f32", "bf16", "f64"};
    const std::string dtype_name = reader.choice("dtype", kDtypes);
    const DType dtype = dtype_name == "f32" ? DType::f32 : dtype_name == "bf16" ? DType::bf16 : DType::f64;
    scale_ = reader.real("scale", -1e30, 1e30);
    parameters_ = {static_cast<double>(reader.integer("df", 1, 1000)), reader.real("period", 2, 1e9)};
    const std::string source_type = "synthetic:" + canonical(spec, kOptions);
    for (i64 i = 0; i < count; ++i) {
      tensors_.push_back(
          describe_tensor(fmt::format("{}.{}.weight", spec.name, i), dtype, {rows, cols}, 0, source_type));
      tensors_.back().source_bytes = tensors_.back().memory_bytes();
      check_tensor_size("synthetic", tensors_.back(), options.max_tensor_bytes);
    }
  }

  void read_rows(std::size_t index, i64 first, i64 count, MutBytes out) const override {
    const TensorInfo& tensor = tensors_.at(index);
    check_rows(tensor, first, count, out.size());
    const Draws draws{{static_cast<u32>(seed_), static_cast<u32>(seed_ >> 32)}, static_cast<u32>(index)};
    const auto width = static_cast<std::size_t>(info(tensor.dtype).memory_bytes);
    std::vector<double> row(static_cast<std::size_t>(tensor.cols));
    u8* at = out.data();
    for (i64 r = first; r < first + count; ++r) {
      fill_(draws, parameters_, r, row);
      for (const double value : row) {
        store(tensor.dtype, value * scale_, at);
        at += width;
      }
    }
  }

 private:
  FillRow fill_ = nullptr;
  u64 seed_ = 0;
  double scale_ = 1;
  Parameters parameters_{};
};

}  // namespace

std::span<const SyntheticKind> synthetic_kinds() noexcept {
  static constexpr auto kInfos = [] {
    std::array<SyntheticKind, std::size(kKinds)> infos{};
    for (std::size_t i = 0; i < infos.size(); ++i) infos[i] = kKinds[i].info;
    return infos;
  }();
  return kInfos;
}

std::span<const OptionInfo> synthetic_options() noexcept { return kOptions; }

std::unique_ptr<Checkpoint> open_synthetic(sv spec, const OpenOptions& options) {
  return std::make_unique<Synthetic>(parse_spec(spec), options);
}

}  // namespace wcodec

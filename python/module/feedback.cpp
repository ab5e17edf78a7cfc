#include "python/module/feedback.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "quantizers/feedback.hpp"

namespace nb = nanobind;

namespace {

template <class T, int kRank>
using Array = nb::ndarray<const T, nb::ndim<kRank>, nb::c_contig, nb::device::cpu>;

template <class A>
auto values(const A& array) {
  return std::span(array.data(), array.size());
}
template <class A>
auto values(const std::optional<A>& array) {
  return array ? values(*array) : decltype(values(*array))();
}

// As wcodec.WcodecError(message, kind).
[[noreturn]] void raise(const wcodec::Error& error) {
  const nb::object type = nb::module_::import_("wcodec._errors").attr("WcodecError");
  const nb::object raised = type(error.what(), std::string(wcodec::to_string(error.kind())));
  PyErr_SetObject(type.ptr(), raised.ptr());
  throw nb::python_error();
}

nb::tuple quantize(const Array<float, 2>& weights, const Array<float, 1>& row_step, const Array<float, 1>& col_step,
                   const std::optional<Array<float, 2>>& row_factor, const std::optional<Array<float, 2>>& col_factor,
                   const std::optional<Array<float, 2>>& costs, const std::optional<Array<std::uint8_t, 1>>& row_class,
                   const std::optional<Array<std::uint8_t, 1>>& col_class) {
  wcodec::FeedbackProblem problem;
  problem.rows = static_cast<wcodec::i64>(weights.shape(0));
  problem.cols = static_cast<wcodec::i64>(weights.shape(1));
  problem.weights = values(weights);
  problem.row_step = values(row_step);
  problem.col_step = values(col_step);
  problem.row_factor = values(row_factor);
  problem.col_factor = values(col_factor);
  problem.costs = values(costs);
  problem.row_class = values(row_class);
  problem.col_class = values(col_class);
  auto result = std::make_unique<wcodec::FeedbackResult>();
  try {
    const nb::gil_scoped_release unlocked;
    *result = wcodec::quantize_with_feedback(problem);
  } catch (const wcodec::Error& error) {
    raise(error);
  }
  auto* const words = new std::vector<wcodec::i8>(std::move(result->words));
  const nb::capsule owner(words, [](void* memory) noexcept { delete static_cast<std::vector<wcodec::i8>*>(memory); });
  const nb::ndarray<nb::numpy, wcodec::i8, nb::ndim<2>> array(words->data(), {weights.shape(0), weights.shape(1)},
                                                              owner);
  return nb::make_tuple(array, result->loss, result->clipped);
}

}  // namespace

void bind_feedback(nb::module_& module) {
  module.def(
      "quantize_with_feedback", &quantize, nb::arg("weights"), nb::arg("row_step"), nb::arg("col_step"),
      nb::arg("row_factor").none() = nb::none(), nb::arg("col_factor").none() = nb::none(),
      nb::arg("costs").none() = nb::none(), nb::arg("row_class").none() = nb::none(),
      nb::arg("col_class").none() = nb::none(),
      "Words of a matrix on a grid by error feedback, their mean squared loss in steps, and how many were clipped: "
      "see quantizers/feedback.hpp.");
}

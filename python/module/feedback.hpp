// Rounding with error feedback (quantizers/feedback.hpp) for Python.
#pragma once

#include <nanobind/nanobind.h>

void bind_feedback(nanobind::module_& module);

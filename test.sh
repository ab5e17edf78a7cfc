#!/usr/bin/env bash
# Every test of wcodec. See --help.
set -uo pipefail
{  # read as a whole before it runs: the checkout may be updated meanwhile
source "$(dirname "${BASH_SOURCE[0]}")/tools/setup/lib.sh"

asan=1 lint=0 quick=0 setup_only=0 pattern=""
while [[ $# -gt 0 ]]; do
  case $1 in
    -h | --help)
      cat <<'HELP'
usage: ./test.sh [--quick] [--no-asan] [--lint] [-k PATTERN]

Installs what is missing, as quickstart.sh does, builds, and runs every test: formatting, layering, C++ (ctest), Python
(pytest), these scripts, C++ but for tests marked slow once more under AddressSanitizer and UndefinedBehaviorSanitizer, and
every fuzz target for a minute. A failed test does not stop the rest. Needs no GPU.

  --quick        for every save: no sanitizers, no fuzzing, no tests marked slow
  --no-asan      without the sanitizer build and the fuzzing
  --lint         with clang-tidy (files that have not changed since they last passed are not checked again)
  -k PATTERN     only tests whose name matches: a regular expression for ctest, a word for pytest; no lint
  --setup-only   stop before the build

Environment: PYTHON (a Python 3.11 or newer), CXX (g++ 12 or newer), CUDACXX (nvcc 13 or newer), CCACHE_DIR; where CI is
set, a machine without nvcc fails, because then no kernel is compiled.
Logs are in build/logs. The last line says PASS or FAIL, and so does the exit status.
HELP
      exit 0
      ;;
    --quick) quick=1 asan=0 ;;
    --no-asan) asan=0 ;;
    --lint) lint=1 ;;
    --setup-only) setup_only=1 ;;
    -k)
      [[ $# -ge 2 ]] || { echo "test.sh: -k needs a pattern" >&2; exit 2; }
      pattern=$2
      shift
      ;;
    *)
      echo "test.sh: unknown argument '$1'; see ./test.sh --help" >&2
      exit 2
      ;;
  esac
  shift
done

if [[ $setup_only == 1 ]]; then
  begin test 2
  set_up test
  succeed "everything that the tests need is there"
fi

[[ $quick == 1 ]] && export WCODEC_QUICK=1
[[ -n $pattern ]] && lint=0
all=$((${#pattern} > 0 ? 0 : 1))
begin test $((8 + all + lint + (3 + all) * asan))
rm -rf "$WC_LOGS/junit"
set_up test
[[ -n $pattern ]] || step "Formatting (clang-format, ruff, shellcheck)" format format
must "Configure (release)" configure configure_to_test release
step "Layering" layering pytest_run layering "$pattern" tests/layering_test.py
must "Build (release)" build build release
tools/setup/steps.sh has_nvcc || echo "  No nvcc: the GPU decoders are neither compiled nor tested."
step "C++ tests" ctest ctest_run release "$pattern"
step "Python tests" python python_tests "$pattern"
step "Script tests" scripts pytest_run scripts "$pattern" tests/scripts
[[ $lint == 1 ]] && step "clang-tidy" tidy tidy
if [[ $asan == 1 ]]; then
  must "Configure (sanitizers)" configure-asan configure_to_test asan OFF
  must "Build (sanitizers)" build-asan build asan
  step "C++ tests under sanitizers" ctest-asan ctest_run asan "$pattern"
  [[ $all == 1 ]] && step "Fuzzing, 60 s a target" fuzz fuzz 60
fi

counts=$(.venv/bin/python tools/setup/tally.py build/logs/junit/*.xml)
if [[ $counts == "0 passed, 0 failed"* ]]; then
  WC_FAILED+=("no test ran")
  WC_REASON="no test ran${pattern:+: nothing matches $pattern}"
fi
[[ ${#WC_FAILED[@]} -gt 0 ]] && echo && echo "Tests: $counts."
succeed "$counts"
}

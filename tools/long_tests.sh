#!/usr/bin/env bash
# The long forms of what docs/reliability.md names: tools/long_tests.sh [MINUTES A FUZZ TARGET], 10 unless given. Hours in all.
set -euo pipefail
unset CDPATH
cd "$(dirname "${BASH_SOURCE[0]}")/.."
minutes=${1:-10}

./test.sh --no-asan --setup-only
python=$PWD/.venv/bin/python

echo "== Every bit and every truncation of a container; memory; kills"
tools/setup/steps.sh configure_to_test release
cmake --build --preset release
ctest --preset release -L slow

echo "== Every call to the disk of an experiment; 1,000 random moments"
WCODEC_FAULTS=1000000 WCODEC_KILLS=1000 "$python" -m pytest -q tests/python/test_faults.py tests/python/test_resume.py

echo "== Eight threads under ThreadSanitizer"
cmake --preset tsan
cmake --build --preset tsan --target codec_tests
TSAN_OPTIONS=halt_on_error=1 build-tsan/codec_tests --gtest_filter='EightThreads.*'

echo "== Fuzzing, $minutes minutes a target"
tools/fuzz.sh --record $((60 * minutes))

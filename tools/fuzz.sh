#!/usr/bin/env bash
# Builds the fuzz targets of tests/fuzz with clang, AddressSanitizer and UndefinedBehaviorSanitizer, and runs them. See --help.
set -euo pipefail
unset CDPATH
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'HELP'
usage: tools/fuzz.sh [--record] [--junit FILE] [SECONDS] [TARGET...]

Runs every target (or those named) for SECONDS each (60), as many at once as there are cores. Inputs that mutations found are
kept in build-fuzz/corpus and are where the next run starts; what fails is in build-fuzz/failures, and the exit status is 1.

  --record      afterwards minimise the corpus, and add the executions to tests/fuzz/executions.csv and docs/reliability.md
  --junit FILE  write the outcome of each target there
HELP
}

record=0 junit="" seconds=60 targets=()
while [[ $# -gt 0 ]]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --record) record=1 ;;
    --junit) junit=${2:?--junit needs a file}; shift ;;
    *[!0-9]*) targets+=("$1") ;;
    *) seconds=$1 ;;
  esac
  shift
done
if [[ ${#targets[@]} -eq 0 ]]; then
  for source in tests/fuzz/*_fuzz.cpp; do
    source=${source##*/}
    targets+=("${source%_fuzz.cpp}")
  done
fi
for target in "${targets[@]}"; do
  [[ -f tests/fuzz/${target}_fuzz.cpp ]] || { echo "fuzz.sh: no target '$target' in tests/fuzz" >&2; exit 2; }
done

command -v clang++ >/dev/null || { echo "fuzz.sh: clang++ is needed: install clang and libclang-rt-dev" >&2; exit 1; }
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target fuzz_seeds "${targets[@]/#/fuzz_}"
build="build-fuzz"
mkdir -p "$build/failures" "$build/logs"
rm -rf "$build/seeds"
"$build/fuzz_seeds" "$build/seeds"

# A small quarantine, so that the limit on memory is one on what the target holds.
export ASAN_OPTIONS=quarantine_size_mb=16 UBSAN_OPTIONS=print_stacktrace=1
limits=(-timeout=25 -rss_limit_mb=1024 -malloc_limit_mb=64)

largest() { if [[ $1 == container ]]; then echo 16384; else echo 4096; fi; }

# Sets `folders` to those that hold inputs of a target; what is found goes into the first.
inputs_of() {
  folders=("$build/corpus/$1")
  mkdir -p "${folders[0]}"
  for folder in "$build/seeds/$1" "tests/fuzz/corpus/$1"; do
    if [[ -d $folder ]]; then folders+=("$folder"); fi
  done
}

run() {
  local target=$1 folders
  inputs_of "$target"
  "$build/fuzz_$target" "-max_total_time=$seconds" "${limits[@]}" "-max_len=$(largest "$target")" -print_final_stats=1 \
    "-artifact_prefix=$build/failures/$target-" "${folders[@]}" >"$build/logs/$target.log" 2>&1
}

executions() { sed -n 's/^stat::number_of_executed_units: *//p' "$build/logs/$1.log"; }

minimise() {
  local target=$1 folders
  inputs_of "$target"
  rm -rf "$build/corpus/$target.smaller"
  mkdir -p "$build/corpus/$target.smaller"
  "$build/fuzz_$target" -merge=1 "${limits[@]}" "-max_len=$(largest "$target")" "$build/corpus/$target.smaller" \
    "${folders[@]}" >"$build/logs/$target-merge.log" 2>&1
  rm -rf "$build/corpus/$target"
  mv "$build/corpus/$target.smaller" "$build/corpus/$target"
}

declare -A status
waiting=("${targets[@]}")
while [[ ${#waiting[@]} -gt 0 ]]; do
  batch=("${waiting[@]:0:$(nproc)}")
  waiting=("${waiting[@]:$(nproc)}")
  declare -A process=()
  for target in "${batch[@]}"; do
    run "$target" &
    process[$target]=$!
  done
  for target in "${batch[@]}"; do
    status[$target]=0
    wait "${process[$target]}" || status[$target]=$?
    count=$(executions "$target")
    if [[ ${status[$target]} -eq 0 ]]; then
      echo "$target: ${count:-0} executions, none failed"
    else
      echo "$target: FAILED with status ${status[$target]} after ${count:-some} executions; log in $build/logs/$target.log"
      grep -m 4 -E 'SUMMARY|broken promise|what\(\)|Test unit written|^Base64' "$build/logs/$target.log" | sed 's/^/  /' || true
    fi
  done
done

failed=0
for target in "${targets[@]}"; do
  [[ ${status[$target]} -eq 0 ]] || failed=1
done

if [[ -n $junit ]]; then
  mkdir -p "$(dirname "$junit")"
  {
    echo '<testsuite name="fuzz">'
    for target in "${targets[@]}"; do
      if [[ ${status[$target]} -eq 0 ]]; then
        echo "<testcase name=\"$target\"/>"
      else
        echo "<testcase name=\"$target\"><failure/></testcase>"
      fi
    done
    echo '</testsuite>'
  } >"$junit"
fi

if [[ $record == 1 ]]; then
  for target in "${targets[@]}"; do
    if [[ ${status[$target]} -eq 0 ]]; then minimise "$target"; fi
    echo "$(date -u +%F),$(git rev-parse --short HEAD),$target,$seconds,$(executions "$target"),$((status[$target] != 0))" \
      >>tests/fuzz/executions.csv
  done
  python3 tests/fuzz/table.py --write
fi
exit $failed

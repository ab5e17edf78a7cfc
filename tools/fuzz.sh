#!/usr/bin/env bash
# Builds the fuzz targets of tests/fuzz with clang, AddressSanitizer and UndefinedBehaviorSanitizer, and runs them. See --help.
set -euo pipefail
unset CDPATH
here=$PWD self=$(realpath "${BASH_SOURCE[0]}")
cd "$(dirname "$self")"
if [[ -d ../tests/fuzz ]]; then cd ..; fi

usage() {
  cat <<'HELP'
usage: tools/fuzz.sh [--record] [--junit FILE] [--processes N] [--prebuilt DIR] [SECONDS] [TARGET...]
       tools/fuzz.sh --bundle DIR

Runs every target (or those named) for SECONDS each (60), as many at once as there are cores; where there are more cores than
targets, several processes of a target. Inputs that mutations found are kept in build-fuzz/corpus and are where the next run
starts; what fails is in build-fuzz/failures, and the exit status is 1.

  --record        afterwards minimise the corpus, and add the executions to tests/fuzz/executions.csv and docs/reliability.md
  --junit FILE    write the outcome of each target there
  --processes N   run so many processes at once (default: one a core)
  --prebuilt DIR  take programs and inputs from a bundle and leave everything in DIR: nothing is built, and --record writes
                  DIR/executions.csv alone
  --bundle DIR    build, and copy what another machine needs to run the targets to DIR: programs, the libraries they load,
                  seeds and corpus; there: DIR/fuzz.sh --prebuilt DIR --record 300
HELP
}

record=0 junit="" seconds=60 targets=() processes=$(nproc) prebuilt="" bundle=""
while [[ $# -gt 0 ]]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --record) record=1 ;;
    --junit) junit=${2:?--junit needs a file}; shift ;;
    --processes) processes=${2:?--processes needs a number}; shift ;;
    --prebuilt) prebuilt=${2:?--prebuilt needs a folder}; shift ;;
    --bundle) bundle=${2:?--bundle needs a folder}; shift ;;
    *[!0-9]*) targets+=("$1") ;;
    *) seconds=$1 ;;
  esac
  shift
done
build="build-fuzz" committed="tests/fuzz/corpus" table="tests/fuzz/executions.csv" commit=""
if [[ -n $prebuilt ]]; then
  build=$(realpath "$here/$prebuilt" 2>/dev/null || realpath "$prebuilt")
  committed="$build/committed" table="$build/executions.csv"
  [[ -f $build/commit ]] || { echo "fuzz.sh: $build is no bundle: make one with --bundle" >&2; exit 2; }
  commit=$(<"$build/commit")
  export LD_LIBRARY_PATH="$build/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi
if [[ ${#targets[@]} -eq 0 && -n $prebuilt ]]; then
  for program in "$build"/fuzz_*; do
    program=${program##*/fuzz_}
    if [[ $program != seeds ]]; then targets+=("$program"); fi
  done
elif [[ ${#targets[@]} -eq 0 ]]; then
  for source in tests/fuzz/*_fuzz.cpp; do
    source=${source##*/}
    targets+=("${source%_fuzz.cpp}")
  done
fi
for target in "${targets[@]}"; do
  [[ -x $build/fuzz_$target || -f tests/fuzz/${target}_fuzz.cpp ]] ||
    { echo "fuzz.sh: no target '$target' in tests/fuzz" >&2; exit 2; }
done

if [[ -z $prebuilt ]]; then
  command -v clang++ >/dev/null || { echo "fuzz.sh: clang++ is needed: install clang and libclang-rt-dev" >&2; exit 1; }
  cmake --preset fuzz >/dev/null
  cmake --build --preset fuzz --target fuzz_seeds "${targets[@]/#/fuzz_}"
  commit=$(git rev-parse --short HEAD)
  rm -rf "$build/seeds"
  "$build/fuzz_seeds" "$build/seeds"
fi

if [[ -n $bundle ]]; then
  mkdir -p "$bundle/lib"
  cp "$self" "$bundle/fuzz.sh"
  for target in "${targets[@]}"; do
    strip --strip-debug -o "$bundle/fuzz_$target" "$build/fuzz_$target"
    # All but the C library's own, which must be the other machine's.
    ldd "$build/fuzz_$target" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' |
      grep -vE '/(libc|libm|libdl|librt|libpthread|ld-linux[^/]*)\.so' | xargs -r cp -Lu -t "$bundle/lib"
  done
  for folder in seeds corpus; do
    if [[ -d $build/$folder ]]; then cp -r "$build/$folder" "$bundle/"; fi
  done
  cp -r "$committed" "$bundle/committed"
  echo "$commit" >"$bundle/commit"
  echo "$bundle: $(du -sh "$bundle" | cut -f1)"
  exit 0
fi
mkdir -p "$build/failures" "$build/logs"

# A small quarantine, so that the limit on memory is one on what the target holds.
export ASAN_OPTIONS=quarantine_size_mb=16 UBSAN_OPTIONS=print_stacktrace=1
limits=(-timeout=25 -rss_limit_mb=1024 -malloc_limit_mb=64)

# Work grows with the input: a tensor takes its choices and then few words, and yaml-cpp scans by regular expressions.
largest() {
  case $1 in
    container) echo 16384 ;;
    pipeline) echo 256 ;;
    yaml) echo 1024 ;;
    *) echo 4096 ;;
  esac
}

# Sets `folders` to those that hold inputs of a target; what is found goes into the first.
inputs_of() {
  folders=("$build/corpus/$1")
  mkdir -p "${folders[0]}"
  for folder in "$build/seeds/$1" "$committed/$1"; do
    if [[ -d $folder ]]; then folders+=("$folder"); fi
  done
}

# The process of a target that is number $2 from 0; all but the first keep what they find apart until it is merged.
run() {
  local target=$1 number=$2 folders
  inputs_of "$target"
  if [[ $number -gt 0 ]]; then
    mkdir -p "$build/corpus/$target.$number"
    folders=("$build/corpus/$target.$number" "${folders[@]}")
  fi
  "$build/fuzz_$target" "-max_total_time=$seconds" "${limits[@]}" "-max_len=$(largest "$target")" -print_final_stats=1 \
    "-artifact_prefix=$build/failures/$target-" "${folders[@]}" >"$build/logs/$target.$number.log" 2>&1
}

executions() { cat "$build/logs/$1".[0-9]*.log | sed -n 's/^stat::number_of_executed_units: *//p' | awk '{n += $1} END {print n + 0}'; }

minimise() {
  local target=$1 folders
  inputs_of "$target"
  rm -rf "$build/corpus/$target.smaller"
  mkdir -p "$build/corpus/$target.smaller"
  for folder in "$build/corpus/$target".[0-9]*; do
    if [[ -d $folder ]]; then folders+=("$folder"); fi
  done
  "$build/fuzz_$target" -merge=1 "${limits[@]}" "-max_len=$(largest "$target")" "$build/corpus/$target.smaller" \
    "${folders[@]}" >"$build/logs/$target-merge.log" 2>&1
  rm -rf "$build/corpus/$target" "$build/corpus/$target".[0-9]*
  mv "$build/corpus/$target.smaller" "$build/corpus/$target"
}

# Where there are more processes than targets, the first ones get one more until all are at work.
tasks=()
declare -A status instances
for ((round = 0; round == 0 || ${#tasks[@]} < processes; ++round)); do
  for target in "${targets[@]}"; do
    if [[ $round -gt 0 && ${#tasks[@]} -ge $processes ]]; then break; fi
    tasks+=("$target $round")
    instances[$target]=$((round + 1)) status[$target]=0
  done
done
for target in "${targets[@]}"; do rm -f "$build/logs/$target".*; done
while [[ ${#tasks[@]} -gt 0 ]]; do
  batch=("${tasks[@]:0:$processes}")
  tasks=("${tasks[@]:$processes}")
  declare -A process=()
  for task in "${batch[@]}"; do
    # shellcheck disable=SC2086  # a target and a number
    run $task &
    process[$task]=$!
  done
  for task in "${batch[@]}"; do
    target=${task% *} code=0
    wait "${process[$task]}" || code=$?
    if [[ $code -ne 0 ]]; then status[$target]=$code; fi
  done
done
for target in "${targets[@]}"; do
  if [[ ${status[$target]} -eq 0 ]]; then
    echo "$target: $(executions "$target") executions, none failed"
  else
    echo "$target: FAILED with status ${status[$target]} after $(executions "$target"); logs in $build/logs/$target.*"
    grep -h -m 4 -E 'SUMMARY|broken promise|what\(\)|Test unit written|^Base64' "$build/logs/$target".[0-9]*.log | sed 's/^/  /' || true
  fi
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
  if [[ ! -f $table ]]; then echo "date,commit,target,seconds,executions,failures" >"$table"; fi
  for target in "${targets[@]}"; do
    if [[ ${status[$target]} -eq 0 ]]; then minimise "$target" & fi
  done
  wait
  for target in "${targets[@]}"; do
    # Seconds of all processes of the target together.
    echo "$(date -u +%F),$commit,$target,$((seconds * instances[$target])),$(executions "$target"),$((status[$target] != 0))" \
      >>"$table"
  done
  if [[ -z $prebuilt ]]; then python3 tests/fuzz/table.py --write; fi
fi
exit $failed

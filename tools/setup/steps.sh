#!/usr/bin/env bash
# The steps of quickstart.sh and test.sh, one function each; any of them can be run by hand:
#   tools/setup/steps.sh STEP [ARGUMENT...]
# A step says why it failed in one sentence (give_up) and what it did in a few words (note).
set -euo pipefail
unset CDPATH
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
export LC_ALL=C.UTF-8
logs=$root/build/logs
junit=$logs/junit
python=$root/.venv/bin/python
export WCODEC_PYTHON=$python  # what wcodec runs for checkpoints and reports

give_up() {
  echo "$1" >&2
  [[ -n ${WC_REASON_FILE:-} ]] && echo "$1" >"$WC_REASON_FILE"
  exit 1
}

note() {
  echo "$1"
  [[ -n ${WC_NOTE_FILE:-} ]] && echo "$1" >"$WC_NOTE_FILE"
  return 0
}

# section FILE NAME: the entries below "# [NAME]", without comments.
section() {
  awk -v name="$2" '/^# \[/ { on = index($0, "# [" name "]") == 1 } on { sub(/[ \t]*#.*/, ""); if ($0 != "") print }' "$1"
}

# A compile of the heavier files takes more than 1 GB.
jobs_at_once() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/^MemAvailable/ { print int($2 / 1500000) }' /proc/meminfo 2>/dev/null || echo "$cores")
  [[ -z $memory || $memory -lt 1 ]] && memory=1
  echo $((cores < memory ? cores : memory))
}

is_ubuntu() { grep -qE '^ID(_LIKE)?=.*ubuntu' /etc/os-release 2>/dev/null; }

# --- system packages -------------------------------------------------------------------------------------------------

packages_wanted() {
  section packages.txt run
  [[ $1 == test ]] || return 0
  section packages.txt test
  is_ubuntu || section packages.txt browser
}

packages_missing() {
  local name
  while read -r name; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || echo "$name"
  done < <(packages_wanted "$1")
}

packages_present() { [[ -z $(packages_missing "$1") ]]; }

packages() {
  local level=$1 missing total as_root=() apt
  total=$(packages_wanted "$level" | wc -l)
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    note "no apt-get here, nothing installed: packages.txt lists what your package manager has to bring"
    return
  fi
  mapfile -t missing < <(packages_missing "$level")
  if [[ ${#missing[@]} -gt 0 ]]; then
    echo "missing: ${missing[*]}"
    if [[ $(id -u) -ne 0 ]]; then
      command -v sudo >/dev/null ||
        give_up "packages are missing and there is no sudo: as root, run apt-get install --no-install-recommends ${missing[*]}"
      sudo -n true 2>/dev/null ||
        give_up "packages are missing and sudo wants a password: run sudo apt-get install --no-install-recommends ${missing[*]}"
      as_root=(sudo -n)
    fi
    apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -y)
    # An unreachable third-party archive is no reason to stop; the install below says what is really missing.
    "${apt[@]}" update || echo "apt-get update failed; going on with the lists that are there"
    "${apt[@]}" install --no-install-recommends "${missing[@]}" ||
      give_up "apt-get could not install ${missing[*]}: check that this machine reaches its package archive"
    packages_present "$level" || give_up "apt-get succeeded, but still missing: $(packages_missing "$level" | tr '\n' ' ')"
  fi
  local browser=""
  [[ $level == test ]] && is_ubuntu && browser="; browser tests need a chromium that is no snap, so they are skipped"
  note "$total packages, ${#missing[@]} installed now$browser"
}

# --- Python ----------------------------------------------------------------------------------------------------------

# The distribution's Python comes first: python3-dev has the headers for that one.
find_python() {
  local candidate path
  for candidate in "${PYTHON:-}" /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11; do
    path=$(command -v "${candidate:-none}") || continue
    if "$path" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$path"
      return
    fi
  done
  return 1
}

requirements() {
  section requirements.txt run
  [[ $1 == run ]] || section requirements.txt test
}

venv_ready() { [[ -x $python ]] && requirements "$1" | "$python" -I tools/setup/check_environment.py; }

venv() {
  local level=$1 base
  if venv_ready "$level"; then
    note "Python $("$python" -c 'import platform; print(platform.python_version())'), $(requirements "$level" | wc -l) packages, nothing to do"
    return
  fi
  if ! "$python" -I -m pip --version 2>/dev/null || ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    base=$(find_python) ||
      give_up "Python 3.11 or newer with venv is needed: install python3.11-venv (or newer) or set PYTHON to one"
    echo "new .venv from $base"
    rm -rf .venv
    "$base" -I -m venv .venv || give_up "$base cannot make a virtual environment: install python3-venv"
  fi
  local list=$root/.venv/requirements-$level.txt
  requirements "$level" >"$list"
  env -u PYTHONPATH -u PYTHONHOME -u PIP_TARGET -u PIP_PREFIX -u PIP_REQUIRE_VIRTUALENV PIP_USER=0 \
    "$python" -m pip install --no-deps --only-binary :all: --no-input --disable-pip-version-check --retries 3 \
    --progress-bar off -r "$list" ||
    give_up "pip could not install requirements.txt: check that this machine reaches its Python package index, then run this again"
  venv_ready "$level" || give_up "the packages in .venv do not match requirements.txt: remove .venv and run this again"
  note "$(wc -l <"$list") packages installed"
}

# --- build -----------------------------------------------------------------------------------------------------------

build_directory() { if [[ $1 == release ]]; then echo build; else echo "build-$1"; fi; }

cache_entry() { sed -n "s/^$2:[A-Z]*=//p" "$1/CMakeCache.txt" 2>/dev/null || true; }

compiler_version() { "$1" -dumpfullversion -dumpversion 2>/dev/null | cut -d. -f1; }

# Exports CXX and CC when the default g++ is too old for C++20 and a newer one is there.
find_compiler() {
  [[ -n ${CXX:-} ]] && return
  local version candidate
  version=$(compiler_version g++ || true)
  [[ ${version:-0} -ge 12 ]] && return
  for candidate in 15 14 13 12; do
    if command -v "g++-$candidate" >/dev/null; then
      export CXX=g++-$candidate CC=gcc-$candidate
      return
    fi
  done
  give_up "g++ 12 or newer is needed, found ${version:-none}: install g++-12 (or newer), or set CXX"
}

# configure PRESET [CMAKE ARGUMENT...]
configure() {
  local preset=$1 dir home generator
  shift
  local tool
  for tool in cmake ninja; do
    command -v "$tool" >/dev/null || give_up "$tool is needed: install the packages that packages.txt names"
  done
  dir=$(build_directory "$preset")
  if [[ -f $dir/CMakeCache.txt ]]; then
    home=$(cache_entry "$dir" CMAKE_HOME_DIRECTORY)
    generator=$(cache_entry "$dir" CMAKE_GENERATOR)
    if [[ $home != "$root" || $generator != Ninja ]]; then
      echo "$dir was configured for $home with $generator: starting it afresh"
      rm -rf "$dir/CMakeCache.txt" "$dir/CMakeFiles"
    fi
  fi
  [[ -f $dir/CMakeCache.txt ]] || find_compiler
  cmake --preset "$preset" "$@"
  note "preset $preset in $dir"
}

# Quickstart needs no test libraries; a build that has its tests keeps them.
configure_to_run() {
  if [[ -f build/CMakeCache.txt ]]; then configure release; else configure release -DWCODEC_TESTS=OFF -DWCODEC_BENCH=OFF; fi
}

has_nvcc() { command -v "${CUDACXX:-nvcc}" >/dev/null || [[ -z ${CUDACXX:-} && -x /usr/local/cuda/bin/nvcc ]]; }

# Continuous integration compiles every kernel for every architecture; a developer may lack nvcc, or build for one alone.
configure_to_test() {
  local cuda=()
  if [[ -n ${CI:-} ]]; then
    has_nvcc || give_up "continuous integration compiles every GPU kernel, and nvcc was not found: install the CUDA toolkit (13 or newer), or name nvcc in CUDACXX"
    cuda=(-DWCODEC_CUDA=ON -UWCODEC_CUDA_ARCHITECTURES)
  fi
  configure "$1" -DWCODEC_TESTS=ON -DWCODEC_BENCH="${2:-ON}" "${cuda[@]}"
}

# build PRESET [TARGET]
build() {
  cmake --build --preset "$1" -j "$(jobs_at_once)" ${2:+--target "$2"}
}

build_wcodec() {
  ninja -C build -t query wcodec >/dev/null 2>&1 ||
    give_up "this checkout has no wcodec command yet (tools/CMakeLists.txt does not build it): update to a later commit"
  build release wcodec
  [[ -x build/wcodec ]] || give_up "the build did not leave build/wcodec"
}

# --- checks and tests ------------------------------------------------------------------------------------------------

tally() { "$python" tools/setup/tally.py "$@"; }

cpp_files() {
  find . -mindepth 1 \( -path './build*' -o -path './.*' \) -prune -o -type f -regex '.*\.\(cpp\|hpp\|h\|cu\|cuh\)' -print0
}

format() {
  local bad=0
  cpp_files | xargs -0 -r -n 20 -P "$(nproc)" clang-format --dry-run -Werror ||
    { bad=1; echo "clang-format: fix with tools/setup/steps.sh format_fix"; }
  "$python" -m ruff format --check . || { bad=1; echo "ruff format: fix with tools/setup/steps.sh format_fix"; }
  "$python" -m ruff check . || bad=1
  shellcheck -x quickstart.sh test.sh .ci/run tools/*.sh tools/setup/*.sh || bad=1
  return $bad
}

format_fix() {
  cpp_files | xargs -0 -r -n 50 clang-format -i
  "$python" -m ruff check --fix .
  "$python" -m ruff format .
}

tidy() {
  "$python" tools/setup/tidy.py --build build --jobs "$(nproc)" "$@"
}

# ctest_run PRESET [NAME PATTERN]
ctest_run() {
  local preset=$1 pattern=${2:-} report=$junit/ctest-$1.xml status=0
  mkdir -p "$junit"
  local args=(--output-junit "$report" -j "$(nproc)")
  if [[ -n $pattern ]]; then args+=(--no-tests=ignore -R "$pattern"); else args+=(--no-tests=error); fi
  # What takes minutes would take an hour under sanitizers.
  [[ ${WCODEC_QUICK:-} == 1 || $preset == asan ]] && args+=(-LE slow)
  export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
  ctest --preset "$preset" "${args[@]}" || status=$?
  note "$(tally "$report")"
  return $status
}

# fuzz SECONDS
fuzz() {
  local status=0
  mkdir -p "$junit"
  tools/fuzz.sh --junit "$junit/fuzz.xml" "$1" || status=$?
  note "$(tally "$junit/fuzz.xml")"
  return $status
}

# pytest_run NAME PATTERN PATH...: junit in NAME.xml. No test at all is a failure, unless a pattern chose none.
pytest_run() {
  local report=$junit/$1.xml pattern=$2 status=0
  shift 2
  mkdir -p "$junit"
  local args=(-q -ra "--junitxml=$report")
  [[ -n $pattern ]] && args+=(-k "$pattern")
  [[ ${WCODEC_QUICK:-} == 1 ]] && args+=(-m "not slow")
  timeout --foreground 2400 "$python" -m pytest "${args[@]}" "$@" || status=$?
  note "$(tally "$report")"
  [[ $status -eq 5 && -n $pattern ]] && status=0
  [[ $status -eq 5 ]] && echo "no tests in $*"
  return $status
}

python_tests() {
  if [[ -z $(find tests/python -name '*_test.py' -o -name 'test_*.py') ]]; then
    note "tests/python has none yet"
    return
  fi
  pytest_run python "$1" tests/python
}

# --- quickstart's own ------------------------------------------------------------------------------------------------

# report_of CONFIG: the path of its report.
report_of() { sed -n 's/^experiment:[ "]*\([A-Za-z0-9_.-]*\).*/results\/\1\/report.html/p' "$1" | head -n 1; }

# run_config CONFIG
run_config() {
  [[ -f $1 ]] || give_up "$1 is not in this checkout: update to a later commit"
  build/wcodec run "$1" || give_up "wcodec run $1 failed with status $?: the lines above say why"
  [[ -f $(report_of "$1") ]] || give_up "wcodec run $1 left no $(report_of "$1"): the lines above say why"
}

declare -F "${1:?usage: steps.sh STEP [ARGUMENT...]}" >/dev/null || give_up "steps.sh has no step '$1'"
"$@"

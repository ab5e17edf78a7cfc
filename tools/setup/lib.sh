# shellcheck shell=bash
# What quickstart.sh and test.sh share: numbered steps with times and logs, and a last line that says PASS or FAIL whatever
# happens, signals included. Source it, then: begin, step ..., succeed.

WC_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
WC_LOGS=$WC_ROOT/build/logs
WC_HEARTBEAT=${WC_HEARTBEAT:-30}  # seconds between signs of life
unset CDPATH

WC_CHILD=""          # process group of the running step
WC_BEAT=""           # process group of its heartbeat
WC_DONE=""           # set by succeed
WC_REASON=""         # the sentence of the FAIL line
WC_FAILED=()         # titles of failed steps
WC_COUNT=0

now() { local t=$EPOCHREALTIME; t=${t/[.,]/}; echo $((t / 1000)); }
seconds() { printf '%d.%d s' $(($1 / 1000)) $(($1 % 1000 / 100)); }

# begin NAME STEPS: from here on the script ends in PASS or FAIL.
begin() {
  WC_NAME=$1 WC_TOTAL=$2
  WC_START=$(now)
  trap finish EXIT
  trap 'interrupted 1 HUP' HUP
  trap 'interrupted 2 INT' INT
  trap 'interrupted 15 TERM' TERM
  cd "$WC_ROOT" || exit 1
  mkdir -p "$WC_LOGS" || { WC_REASON="cannot write to $WC_LOGS"; exit 1; }
  one_at_a_time
}

# Two runs in one checkout would overwrite each other's build; a script started by a test of these scripts is part of the run.
one_at_a_time() {
  [[ ${WCODEC_INSIDE:-} == "$WC_ROOT" ]] && return
  export WCODEC_INSIDE=$WC_ROOT
  command -v flock >/dev/null || return 0
  exec 9>>"$WC_LOGS/lock"
  flock -n 9 && return
  echo "Another quickstart.sh or test.sh runs in this checkout; waiting for it."
  flock 9
}

end_group() {
  [[ -n $1 ]] && kill -TERM -- "-$1" 2>/dev/null
  return 0
}

interrupted() {
  WC_REASON="interrupted by SIG$2"
  exit $((128 + $1))
}

finish() {
  local status=$?
  trap '' HUP INT TERM
  trap - EXIT
  end_group "$WC_BEAT"
  if [[ -n $WC_CHILD ]]; then
    end_group "$WC_CHILD"
    for _ in 1 2 3 4 5 6 7 8 9 10; do
      kill -0 -- "-$WC_CHILD" 2>/dev/null || break
      sleep 0.2
    done
    kill -KILL -- "-$WC_CHILD" 2>/dev/null
  fi
  [[ $status -eq 0 && -z $WC_DONE ]] && status=1
  local took
  took=$(seconds $(($(now) - WC_START)))
  echo
  if [[ $status -eq 0 ]]; then
    echo "PASS  $WC_NAME: $WC_DONE ($took)"
  else
    echo "FAIL  $WC_NAME: ${WC_REASON:-stopped before the end} ($took; logs in build/logs)"
  fi
  exit "$status"
}

# succeed SENTENCE: the script did what it is for. Fails when a step failed that did not stop the run.
succeed() {
  if [[ ${#WC_FAILED[@]} -gt 0 ]]; then
    local list
    list=$(printf '%s, ' "${WC_FAILED[@]}")
    WC_REASON=${WC_REASON:-"failed: ${list%, }"}
    exit 1
  fi
  WC_DONE=$1
  exit 0
}

# Between its signs of life a long step is silent: its output is in the log.
heartbeat() {
  local log=$1 begun=$2 line
  while sleep "$WC_HEARTBEAT"; do
    line=$(tail -c 400 "$log" 2>/dev/null | tr '\r' '\n' | grep -v '^ *$' | tail -n 1 | cut -c 1-100)
    echo "      $(seconds $(($(now) - begun))): $line"
  done
}

# step TITLE LOG STEP [ARGUMENT...]: runs a step of steps.sh; its output goes to build/logs/LOG.log, the end of it to the
# screen if it fails. With WC_SHOW=1 all of it goes to both. Returns the step's status.
step() {
  local title=$1 log=$WC_LOGS/$2.log status=0 begun took note
  shift 2
  WC_COUNT=$((WC_COUNT + 1))
  begun=$(now)
  echo "[$WC_COUNT/$WC_TOTAL] $title ..."
  local reason_file=$log.reason note_file=$log.note
  rm -f "$reason_file" "$note_file" "$log"
  export WC_REASON_FILE=$reason_file WC_NOTE_FILE=$note_file
  set -m  # a process group each, so that an interrupt ends all of a step's processes
  if [[ ${WC_SHOW:-} == 1 ]]; then
    { "$BASH" "$WC_ROOT/tools/setup/steps.sh" "$@" 2>&1 | tee "$log"; exit "${PIPESTATUS[0]}"; } </dev/null 9>&- &
    WC_CHILD=$!
  else
    "$BASH" "$WC_ROOT/tools/setup/steps.sh" "$@" </dev/null >"$log" 2>&1 9>&- &
    WC_CHILD=$!
    heartbeat "$log" "$begun" 9>&- &
    WC_BEAT=$!
  fi
  set +m
  wait "$WC_CHILD" || status=$?
  WC_CHILD=""
  if [[ -n $WC_BEAT ]]; then
    end_group "$WC_BEAT"
    wait "$WC_BEAT" 2>/dev/null
    WC_BEAT=""
  fi
  took=$(seconds $(($(now) - begun)))
  note=$(cat "$note_file" 2>/dev/null)
  if [[ $status -eq 0 ]]; then
    echo "      ok, $took${note:+: $note}"
  else
    WC_FAILED+=("$title")
    if [[ ${WC_SHOW:-} != 1 ]]; then
      echo "      the end of ${log#"$WC_ROOT"/}:"
      tail -n "${WC_TAIL:-30}" "$log" | sed 's/^/      | /'
    fi
    echo "      FAILED with status $status after $took${note:+: $note}"
    [[ -s $reason_file ]] && WC_REASON=$(cat "$reason_file")
  fi
  rm -f "$reason_file" "$note_file"
  return "$status"
}

# must TITLE LOG STEP...: a step without which the rest is pointless.
must() {
  step "$@" && return
  WC_REASON=${WC_REASON:-"step $WC_COUNT failed: $1"}
  exit 1
}

# A password can only be asked for while there is a terminal, so before the step that needs it.
ask_for_password() {
  [[ $(id -u) -ne 0 && -t 0 ]] && command -v sudo >/dev/null || return 0
  "$BASH" "$WC_ROOT/tools/setup/steps.sh" packages_present "$1" >/dev/null 2>&1 && return 0
  echo "Packages are missing; sudo may ask for your password to install them."
  sudo -v || true
}

# set_up LEVEL: the steps that both commands begin with. LEVEL is run or test.
set_up() {
  ask_for_password "$1"
  must "System packages" packages packages "$1"
  must "Python environment (.venv)" venv venv "$1"
}

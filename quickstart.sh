#!/usr/bin/env bash
# From a fresh Debian or Ubuntu to a first result. See --help.
set -uo pipefail
{  # read as a whole before it runs: the checkout may be updated meanwhile
source "$(dirname "${BASH_SOURCE[0]}")/tools/setup/lib.sh"

config=configs/quickstart.yaml
while [[ $# -gt 0 ]]; do
  case $1 in
    -h | --help)
      cat <<'HELP'
usage: ./quickstart.sh [--setup-only]

Installs what is missing (packages.txt by apt, as root or through sudo; requirements.txt into .venv), builds wcodec and runs
configs/quickstart.yaml: does prediction help on a small real checkpoint? Needs bash, a package manager, the network on the
first run, and about 3 GB of disk; no GPU. A second run only checks what is there.

  --setup-only   stop before the build

Environment: PYTHON (a Python 3.11 or newer), CXX (g++ 12 or newer).
Logs are in build/logs. The last line says PASS or FAIL, and so does the exit status.
HELP
      exit 0
      ;;
    --setup-only) config="" ;;
    *)
      echo "quickstart.sh: unknown argument '$1'; see ./quickstart.sh --help" >&2
      exit 2
      ;;
  esac
  shift
done

if [[ -z $config ]]; then
  begin quickstart 2
  set_up run
  succeed "everything that a build needs is there"
fi

begin quickstart 5
set_up run
must "Configure" configure configure_to_run
must "Build wcodec" build build_wcodec
WC_SHOW=1 must "Run $config" quickstart run_config "$config"
succeed "the verdict is above, the report in $(tools/setup/steps.sh report_of "$config")"
}

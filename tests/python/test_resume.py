"""A run that is killed or interrupted ends, run again, in the files of an undisturbed one."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

CONFIG = """\
experiment: resumed
checkpoints:
  - {name: made, path: "synthetic:gaussian:rows=256,cols=512,tensors=4,seed=5"}
controls: [original, shuffled, gaussian]
axes:
  quantizer: [int8, "int4:group=64"]
  tile: [8x32, 16x16]
  modes: [[none], [none, left], [none, left, top, avg, planar]]
  coder: ["rans:tables=tensor"]
baselines: ["zstd:level=3", "gzip:level=6"]
"""
DETERMINISTIC = (
    "summary.csv",
    "modes.csv",
    "histograms.csv",
    "correlations.csv",
    "verdicts.csv",
    "failures.csv",
    "experiment.yaml",
)


def files(folder: Path) -> dict[str, bytes]:
    tables = {str(path.relative_to(folder)): path.read_bytes() for path in sorted((folder / "tables").iterdir())}
    return {name: (folder / name).read_bytes() for name in DETERMINISTIC} | tables


@pytest.fixture
def start(wcodec: Path, tmp_path: Path):
    config = tmp_path / "resumed.yaml"
    config.write_text(CONFIG)

    def begin(out: str) -> subprocess.Popen[str]:
        command = [wcodec, "run", config, "--out", tmp_path / out, "--no-report", "-j", "2"]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)

    return begin


def children_of(process: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_kill_9_at_random_moments(start, tmp_path):
    undisturbed = start("undisturbed")
    begun = time.monotonic()
    undisturbed.communicate(timeout=300)
    whole = time.monotonic() - begun
    assert undisturbed.returncode == 0

    dice = random.Random(1)
    kills = 0
    for _ in range(20):
        run = start("killed")
        time.sleep(dice.uniform(0, whole / 2))
        run.send_signal(signal.SIGKILL)
        run.communicate(timeout=60)
        if run.returncode == 0:
            break
        kills += 1
    last = start("killed")
    said = last.communicate(timeout=300)[1]
    assert last.returncode == 0, said
    assert kills > 0
    assert files(tmp_path / "killed") == files(tmp_path / "undisturbed")
    assert not (tmp_path / "killed" / "ledger.sqlite-wal").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_says_how_to_go_on(start, tmp_path, number):
    run = start("interrupted")
    while not (tmp_path / "interrupted" / "ledger.sqlite").exists() or not children_of(run.pid):
        assert run.poll() is None
        time.sleep(0.002)
    workers = children_of(run.pid)
    run.send_signal(number)
    out, said = run.communicate(timeout=60)
    if run.returncode == 0:
        pytest.skip("the run was faster than the signal")
    assert run.returncode == 130
    assert out == ""
    assert "run the same command again to go on" in said
    assert not any(map(alive, workers))
    again = start("interrupted")
    again.communicate(timeout=300)
    assert again.returncode == 0


def test_workers_die_with_a_killed_driver(start, tmp_path):
    run = start("orphans")
    workers: list[int] = []
    while not workers and run.poll() is None:
        workers = children_of(run.pid)
    run.send_signal(signal.SIGKILL)
    run.communicate(timeout=60)
    deadline = time.monotonic() + 10
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(alive, workers))


def test_a_second_runner_is_refused(start, wcodec, tmp_path):
    first = start("shared")
    while not (tmp_path / "shared" / "ledger.sqlite").exists():
        assert first.poll() is None
        time.sleep(0.002)
    os.kill(first.pid, signal.SIGSTOP)
    second = start("shared")
    said = second.communicate(timeout=60)[1]
    os.kill(first.pid, signal.SIGCONT)
    first.communicate(timeout=300)
    assert second.returncode == 2
    assert f"process {first.pid}" in said
    assert first.returncode == 0

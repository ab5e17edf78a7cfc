"""The command with one system call after another failing (tests/faults/io_faults.c), or killed at it: an error and
nothing half-written, or the same result as undisturbed.

WCODEC_KILLS says how many random moments the last test takes (25; tools/long_tests.sh takes 1,000)."""

import os
import random
import re
import subprocess
import time
from pathlib import Path

import pytest

CONFIG = """\
experiment: faulty
checkpoints:
  - {name: made, path: "synthetic:gaussian:rows=32,cols=64,tensors=2,seed=5"}
axes:
  quantizer: [int8]
  tile: [8x32, 16x16]
  modes: [[none], [none, left]]
  coder: ["rans:tables=tensor"]
"""
KILLED = -9


class Faulty:
    """Starts the command with a fault in it."""

    def __init__(self, wcodec: Path, library: Path, folder: Path) -> None:
        self.wcodec, self.library, self.folder = wcodec, library, folder

    def __call__(self, *arguments: object, calls: str = "", at: int = 0, how: str = "EIO") -> tuple[int, str]:
        fault = {
            "LD_PRELOAD": str(self.library),
            "WCODEC_FAULT_CALLS": calls,
            "WCODEC_FAULT_AT": str(at),
            "WCODEC_FAULT_HOW": how,
            "WCODEC_FAULT_COUNT": str(self.folder / "count"),
        }
        run = subprocess.run(
            [self.wcodec, *map(str, arguments)],
            env=os.environ | (fault if calls else {}),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
        )
        return run.returncode, run.stderr

    def count(self, *arguments: object, calls: str) -> int:
        """How many such calls an undisturbed run makes."""
        (self.folder / "count").write_text("0")
        status, said = self(*arguments, calls=calls)
        assert status == 0, said
        return int((self.folder / "count").read_text())


@pytest.fixture
def faulty(wcodec: Path, build_dir: Path, tmp_path: Path) -> Faulty:
    library = build_dir / "tests" / "faults" / "io_faults.so"
    assert library.exists(), f"{library} is not built: cmake --build --preset release"
    return Faulty(wcodec, library, tmp_path)


def checkpoint(path: Path) -> bytes:
    """Two tensors of BF16, written by hand so that nothing but the command is tested."""
    dice = random.Random(3)
    data = b"".join(bytes([dice.randrange(256), 0x3C + dice.randrange(4)]) for _ in range(2 * 600))
    entry = '"{}":{{"dtype":"BF16","shape":[20,30],"data_offsets":[{},{}]}}'
    header = "{" + entry.format("a", 0, 1200) + "," + entry.format("b", 1200, 2400) + "}"
    whole = len(header).to_bytes(8, "little") + header.encode() + data
    path.write_bytes(whole)
    return whole


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.endswith(".tmp")]


@pytest.fixture
def coded(faulty: Faulty, tmp_path: Path) -> bytes:
    checkpoint(tmp_path / "in.safetensors")
    status, said = faulty("encode", "in.safetensors", "good.wcodec", "--threads", 1)
    assert status == 0, said
    return (tmp_path / "good.wcodec").read_bytes()


ENCODE = ("encode", "in.safetensors", "out", "--threads", 1, "--force", "--part-weights", 256)
DECODE = ("decode", "good.wcodec", "out", "--threads", 1, "--force")


def expected_output(faulty: Faulty, command: tuple[object, ...]) -> bytes:
    status, said = faulty(*command)
    assert status == 0, said
    return (faulty.folder / "out").read_bytes()


@pytest.mark.parametrize("command", [ENCODE, DECODE], ids=["encode", "decode"])
@pytest.mark.parametrize("existed", [False, True], ids=["new", "existing"])
@pytest.mark.parametrize(
    ("call", "how"),
    [("write", "EIO"), ("write", "ENOSPC"), ("fsync", "EIO"), ("rename", "EIO"), ("pread", "EIO")],
)
@pytest.mark.usefixtures("coded")
def test_every_failing_call_is_an_error_and_leaves_nothing_behind(faulty, tmp_path, command, existed, call, how):
    complete = expected_output(faulty, command)
    calls = faulty.count(*command, calls=call)
    assert calls > 0
    out = tmp_path / "out"
    for at in range(1, calls + 1):
        out.unlink(missing_ok=True)
        if existed:
            out.write_bytes(b"old")
        status, said = faulty(*command, calls=call, at=at, how=how)
        assert status == 2, (at, said)
        assert re.search(r"error: [^:]+: [^:]+", said), said
        assert leftovers(tmp_path) == []
        # Only a directory that cannot be flushed fails after the file has its name: it is complete then.
        if call == "fsync" and out.exists() and out.read_bytes() != b"old":
            assert out.read_bytes() == complete
        else:
            assert out.read_bytes() == b"old" if existed else not out.exists()


@pytest.mark.parametrize("command", [ENCODE, DECODE], ids=["encode", "decode"])
@pytest.mark.parametrize(
    ("call", "how"), [("write", "EINTR"), ("write", "short"), ("pread", "EINTR"), ("pread", "short")]
)
@pytest.mark.usefixtures("coded")
def test_interrupted_and_short_transfers_go_on(faulty, tmp_path, command, call, how):
    complete = expected_output(faulty, command)
    for at in range(1, faulty.count(*command, calls=call) + 1):
        status, said = faulty(*command, calls=call, at=at, how=how)
        assert status == 0, (at, said)
        assert (tmp_path / "out").read_bytes() == complete


@pytest.mark.parametrize("command", [ENCODE, DECODE], ids=["encode", "decode"])
@pytest.mark.parametrize("existed", [False, True], ids=["new", "existing"])
@pytest.mark.usefixtures("coded")
def test_killed_at_every_write_fsync_and_rename(faulty, tmp_path, command, existed):
    complete = expected_output(faulty, command)
    out = tmp_path / "out"
    calls = "write fsync rename"
    for at in range(1, faulty.count(*command, calls=calls) + 1):
        out.unlink(missing_ok=True)
        if existed:
            out.write_bytes(b"old")
        status, said = faulty(*command, calls=calls, at=at, how="kill")
        assert status == KILLED, (at, said)
        if out.exists():
            assert out.read_bytes() in ((b"old", complete) if existed else (complete,))
        else:
            assert not existed
        assert expected_output(faulty, command) == complete  # run again, whatever was left behind


# --- experiments ------------------------------------------------------------------------------------------------------


def run_arguments(folder: Path, out: str) -> tuple[object, ...]:
    (folder / "faulty.yaml").write_text(CONFIG)
    return ("run", "faulty.yaml", "--out", out, "--no-report", "-j", 1)


def results(folder: Path) -> dict[str, bytes]:
    names = ("summary.csv", "modes.csv", "verdicts.csv", "failures.csv", "experiment.yaml")
    return {name: (folder / name).read_bytes() for name in names if (folder / name).exists()}


def some_of(calls: int, most: int) -> list[int]:
    """All of 1 … calls, or `most` of them with the first and the last."""
    if calls <= most:
        return list(range(1, calls + 1))
    return sorted({1 + (calls - 1) * k // (most - 1) for k in range(most)})


MOST_CALLS = int(os.environ.get("WCODEC_FAULTS", "8"))


@pytest.mark.parametrize(
    ("call", "how"),
    [("write", "EIO"), ("write", "ENOSPC"), ("fsync", "EIO"), ("rename", "EIO"), ("write fsync rename", "kill")],
)
def test_an_experiment_stops_cleanly_and_resumes(faulty, tmp_path, call, how):
    undisturbed = run_arguments(tmp_path, "undisturbed")
    calls = faulty.count(*undisturbed, calls=call)
    assert calls > 0
    stopped = 0
    for at in some_of(calls, MOST_CALLS):
        arguments = run_arguments(tmp_path, f"{how}{at}")
        status, said = faulty(*arguments, calls=call, at=at, how=how)
        if how == "kill":
            assert status == KILLED, (at, said)
        else:
            # Some of SQLite's own housekeeping may fail without harm.
            assert status in (0, 1, 2), (at, said)
            assert status == 0 or "error: " in said, (at, said)
        stopped += status != 0
        status, said = faulty(*arguments)
        assert status == 0, (at, said)
        assert results(tmp_path / f"{how}{at}") == results(tmp_path / "undisturbed"), at
    assert stopped > 0


@pytest.mark.usefixtures("coded")
def test_killed_at_random_moments(faulty, tmp_path):
    kills = int(os.environ.get("WCODEC_KILLS", "25"))
    dice = random.Random(4)
    complete = expected_output(faulty, ENCODE)
    begun = time.monotonic()
    expected_output(faulty, ENCODE)
    whole = time.monotonic() - begun
    killed = 0
    for _ in range(kills):
        (tmp_path / "out").write_bytes(b"old")
        with subprocess.Popen(
            [faulty.wcodec, *map(str, ENCODE)], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as run:
            time.sleep(dice.uniform(0, whole))
            run.kill()
            killed += run.wait() == KILLED
        assert (tmp_path / "out").read_bytes() in (b"old", complete)
    assert killed > 0
    assert expected_output(faulty, ENCODE) == complete

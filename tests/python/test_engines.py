"""Engines: whatever a cluster does to a run, its files are those of one process on one machine."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from wcodec_engines import slurm_engine
from wcodec_engines.protocol import OptionError, Unit, read_options
from wcodec_engines.shards import Shards

DETERMINISTIC = ("summary.csv", "modes.csv", "histograms.csv", "correlations.csv", "verdicts.csv", "failures.csv")
CONFIG = """\
experiment: scheduled
checkpoints:
  - {name: first, path: "synthetic:gaussian:rows=384,cols=512,tensors=3,seed=5"}
  - {name: second, path: "synthetic:gaussian:rows=256,cols=384,tensors=3,seed=6"}
controls: [original, shuffled, gaussian]
axes:
  quantizer: [int8, "int4:group=64"]
  tile: [8x32, 16x16]
  modes: [[none], [none, left, top, avg, planar]]
  coder: ["rans:tables=tensor"]
baselines: ["zstd:level=3", "bzip2:level=9"]
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("engines") / "scheduled.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def expected(wcodec: Path, config: Path) -> dict[str, bytes]:
    """The files of one process."""
    out = config.parent / "local"
    subprocess.run([wcodec, "run", config, "--out", out, "--no-report", "-q", "-j", "1"], check=True, timeout=120)
    return files(out)


def files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in DETERMINISTIC}


Start = Callable[..., subprocess.Popen]


@pytest.fixture
def start(wcodec: Path, config: Path, tmp_path: Path) -> Iterator[Start]:
    running = []

    def begin(engine: str, *options: str, out: str = "out", config: Path = config) -> subprocess.Popen:
        words = [word for option in options for word in ("--engine-option", option)]
        command = [wcodec, "run", config, "--out", tmp_path / out, "--no-report", "--engine", engine, *words]
        environment = os.environ | {"WCODEC_PYTHON": sys.executable, "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def finish(process: subprocess.Popen, status: int = 0) -> str:
    _, messages = process.communicate(timeout=180)
    assert process.returncode == status, messages
    return messages


class Cluster:
    def __init__(self) -> None:
        script = Path(__file__).with_name("ray_cluster.py")
        self._process = subprocess.Popen(
            [sys.executable, script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.address = self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(("127.", "10.", "172.", "192.", "done")) or ":" in line.split(" ")[0]:
                return line.strip()
        raise AssertionError("the cluster did not start")

    def tell(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        self._answer()

    def close(self) -> None:
        try:
            self._process.communicate(timeout=30)  # closes its input, which ends it
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    opened = Cluster()
    yield opened
    opened.close()


def recorded(folder: Path) -> int:
    """Cells in the ledger of a run that goes on."""
    ledger = folder / "ledger.sqlite"
    if not ledger.exists():
        return 0
    try:
        with contextlib.closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True, timeout=5)) as database:
            return database.execute("select count(*) from cells").fetchone()[0]
    except sqlite3.OperationalError:  # has no tables yet
        return 0


def wait_until(what: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "nothing happened in time"
        time.sleep(0.05)


def cell_processes(wcodec: Path) -> list[int]:
    """`wcodec cell` processes of this build, wherever they run."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, NotADirectoryError, ProcessLookupError, PermissionError):
            continue
        if len(words) > 1 and words[0] == str(wcodec.resolve()).encode() and words[1] == b"cell":
            found.append(int(process.name))
    return found


@pytest.mark.slow
def test_ray_gives_the_files_of_one_process(cluster: Cluster, start: Start, tmp_path: Path, expected) -> None:
    said = finish(start("ray", f"address={cluster.address}"))
    assert said.count("takes part") == 2
    assert files(tmp_path / "out") == expected
    assert not list((tmp_path / "out" / "fragments").glob("*"))


@pytest.mark.slow
def test_ray_survives_killed_workers_and_nodes_that_go_and_come(
    cluster: Cluster, start: Start, tmp_path: Path, expected, wcodec: Path
) -> None:
    run = start("ray", f"address={cluster.address}", "retries=20")
    wait_until(lambda: recorded(tmp_path / "out") > 3)
    wait_until(lambda: bool(cell_processes(wcodec)))
    for process in cell_processes(wcodec):  # the command, and the worker of Ray that started it
        parent = int(Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[1])
        for victim in (parent, process):
            os.kill(victim, signal.SIGKILL)
        break
    cluster.tell("add")
    cluster.tell("remove")
    said = finish(run)
    assert "is tried again" in said
    assert files(tmp_path / "out") == expected


@pytest.mark.slow
def test_ray_driver_killed_and_resumed(cluster: Cluster, start: Start, tmp_path: Path, expected) -> None:
    run = start("ray", f"address={cluster.address}")
    wait_until(lambda: recorded(tmp_path / "out") > 3)
    run.kill()
    run.communicate()
    had = recorded(tmp_path / "out")
    said = finish(start("ray", f"address={cluster.address}"))
    assert f"{len(expected['summary.csv'].splitlines()) - 1} cells are in the ledger already" in said
    reused = int(said.split(" cells are in the ledger already")[0].rsplit("\n", 1)[-1].split(" of ")[0])
    assert had <= reused < len(expected["summary.csv"].splitlines()) - 1
    assert files(tmp_path / "out") == expected


@pytest.mark.slow
def test_ray_times_cells_alone(cluster: Cluster, start: Start, tmp_path: Path) -> None:
    config = tmp_path / "timed.yaml"
    config.write_text(
        CONFIG.replace("tensors=3", "tensors=1").replace(
            "controls: [original, shuffled, gaussian]", "controls: [original]"
        )
        + "measure: {timing: {repeats: 2, warmup: 1}}\n"
    )
    finish(start("ray", f"address={cluster.address}", config=config))
    lines = (tmp_path / "out" / "timings.csv").read_text().splitlines()
    assert len(lines) == 1 + 2 * 2 * (2 * 2 + 2)


@pytest.mark.slow
def test_slurm_jobs_of_this_machine_give_the_files_of_one_process(start: Start, tmp_path: Path, expected) -> None:
    finish(start("slurm", "cluster=local", "poll=1", "job_seconds=1"))
    assert files(tmp_path / "out") == expected


@pytest.mark.slow
def test_slurm_submits_again_what_a_killed_job_left(start: Start, tmp_path: Path, expected, wcodec: Path) -> None:
    run = start("slurm", "cluster=local", "poll=1", "job_seconds=1000")
    wait_until(lambda: bool(cell_processes(wcodec)))
    command = cell_processes(wcodec)[0]
    parent = int(Path(f"/proc/{command}/stat").read_text().rsplit(")", 1)[1].split()[1])
    os.kill(parent, signal.SIGKILL)
    said = finish(run)
    assert "submitted again" in said
    assert files(tmp_path / "out") == expected


def test_a_cell_runs_once_into_its_fragment(wcodec: Path, config: Path, tmp_path: Path) -> None:
    plan = subprocess.run([wcodec, "plan", config, "--units"], capture_output=True, text=True, check=True).stdout
    units = tmp_path / "units.jsonl"
    units.write_text(plan)
    unit = json.loads(plan.splitlines()[0])
    cell = unit["cells"][0]["hash"]

    def run(*words: str) -> tuple[int, dict, str]:
        command = [wcodec, "cell", *words, "--units", units, "--out", tmp_path / "f", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        return done.returncode, json.loads(done.stdout or "{}"), done.stderr

    status, outcome, _ = run(cell)
    assert status == 0
    assert (outcome["finished"], outcome["reused"]) == (1, 0)
    before = (tmp_path / "f").read_bytes()
    assert run(cell)[1]["reused"] == 1
    assert (tmp_path / "f").read_bytes() == before
    status, outcome, _ = run(unit["unit"])
    assert (outcome["finished"], outcome["reused"]) == (len(unit["cells"]) - 1, 1)
    status, _, said = run("0" * 32)
    assert status == 2
    assert "no cell and no unit" in said


def test_a_cell_refuses_another_tensor_than_was_planned(wcodec: Path, config: Path, tmp_path: Path) -> None:
    plan = subprocess.run([wcodec, "plan", config, "--units"], capture_output=True, text=True, check=True).stdout
    line = plan.splitlines()[0].replace("seed=5", "seed=7").replace("seed=6", "seed=7")
    command = [wcodec, "cell", "--units", "-", "--out", tmp_path / "f"]
    done = subprocess.run(command, input=line, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "is not the one that was planned" in done.stderr
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--engine", "rai"], "did you mean 'ray'"),
        (["--engine-option", "a=b"], "needs --engine"),
        (["--engine", "ray", "--engine-option", "adress=x"], "unknown option 'adress'"),
        (["--engine", "ray", "--engine-option", "retries=many"], "a whole number"),
        (["--engine", "slurm", "--engine-option", "cluster=moon"], "slurm or local"),
        (["--engine", "slurm", "--engine-option", "partition"], "KEY=VALUE"),
    ],
)
def test_wrong_options_are_said(wcodec: Path, config: Path, tmp_path: Path, words: list[str], reason: str) -> None:
    command = [wcodec, "run", config, "--out", tmp_path / "out", "--no-report", *words]
    environment = os.environ | {"WCODEC_PYTHON": sys.executable}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert done.returncode == 2
    assert reason in done.stderr


def unit(name: str, shard: str, seconds: float = 1, timed: bool = False) -> Unit:
    return Unit(name, "", shard, seconds, 0, timed)


def test_each_file_is_read_by_one_node_while_there_are_files_for_all() -> None:
    shards = Shards([unit(f"{shard}{i}", shard) for shard in "abcd" for i in range(3)])
    readers: dict[str, set[str]] = {}
    for _ in range(6):
        for node in ("one", "two"):
            taken = shards.take(node)
            assert taken is not None
            readers.setdefault(taken.shard, set()).add(node)
    assert shards.take("one") is None
    assert len(shards) == 0
    assert all(len(nodes) == 1 for nodes in readers.values())


def test_an_idle_node_helps_with_the_heaviest_file() -> None:
    shards = Shards([unit("a0", "a", 1), *(unit(f"b{i}", "b", 5) for i in range(4))])
    assert shards.take("one").shard == "b"
    assert shards.take("two").shard == "a"
    assert shards.take("two").shard == "b"


def test_units_of_a_lost_node_are_run_by_others_exactly_once() -> None:
    shards = Shards([unit(f"a{i}", "a") for i in range(3)])
    lost = shards.take("one")
    assert lost is not None
    shards.forget("one")
    shards.give_back(lost)
    taken = []
    while (next_one := shards.take("two")) is not None:
        taken.append(next_one.name)
    assert taken == ["a0", "a1", "a2"]


def test_jobs_hold_units_of_one_file_and_timings_stand_alone() -> None:
    units = [unit(f"a{i}", "a", 4) for i in range(3)] + [unit("b0", "b", 1), unit("t0", "a", 1, True)]
    jobs = slurm_engine.batches(units, 8)
    assert [[one.name for one in job] for job in jobs] == [["a0", "a1"], ["a2"], ["b0"], ["t0"]]


def test_options_have_defaults_and_unknown_ones_are_refused() -> None:
    known = {"retries": ("3", "")}
    assert read_options({}, known) == {"retries": "3"}
    with pytest.raises(OptionError, match="unknown option 'x'"):
        read_options({"x": "1"}, known)

"""Peers as baselines: a sweep over packages that are made up here and misbehave, and the worker's half of the protocol.
What the real packages do is in tests/baselines/peers_test.cpp."""

import csv
import io
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from wcodec_peers import PACKAGES, table, worker
from wcodec_peers.protocol import ANSWER, REQUEST, Array, read_request, write_answer

CONFIG = """\
experiment: peers
checkpoints:
  - {name: made, path: "synthetic:gaussian:rows=64,cols=64,tensors=1,seed=5"}
axes:
  quantizer: ["int8:axis=row"]
  tile: [16x16]
  modes: [[none]]
  coder: ["rans:tables=tensor"]
baselines: ["pcodec:timeout=TIMEOUT", "zstd:level=3"]
compare: []
"""
HONEST = """
    class ChunkConfig:
        def __init__(self, compression_level, enable_8_bit):
            pass
    class standalone:
        simple_compress = staticmethod(lambda values, config: bytes(values))
        simple_decompress = staticmethod(lambda data: data)
"""


@pytest.fixture
def sweep(call, tmp_path: Path):
    """Runs CONFIG with a package `pcodec` of this text: rows of summary, failures and timings by the coder's name."""

    def run(source: str, timing: bool = False, timeout: int = 100) -> tuple[dict, dict, dict]:
        folder = tmp_path / "packages"
        (folder / "pcodec-9.9.dist-info").mkdir(parents=True)
        (folder / "pcodec-9.9.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: pcodec\nVersion: 9.9\n")
        (folder / "pcodec.py").write_text(textwrap.dedent(source))
        config = tmp_path / "peers.yaml"
        config.write_text(
            CONFIG.replace("TIMEOUT", str(timeout)) + ("measure: {timing: {repeats: 2, warmup: 1}}\n" if timing else "")
        )
        environment = {"WCODEC_PEERS_PYTHON": sys.executable, "PYTHONPATH": str(folder)}
        answer = call("run", config, "--out", tmp_path / "out", "--no-report", "-j", "1", **environment)
        assert (tmp_path / "out" / "summary.csv").exists(), answer.stderr
        return tuple(rows(tmp_path / "out" / name) for name in ("summary.csv", "failures.csv", "timings.csv"))

    return run


def rows(path: Path) -> dict[str, dict[str, str]]:
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {row["coder"].split(":")[0]: row for row in csv.DictReader(file)}


def test_an_honest_peer_is_a_row_beside_the_others(sweep) -> None:
    summary, failures, timings = sweep(HONEST, timing=True)
    assert summary["pcodec"]["payload_bytes"] == "4096"
    assert not failures
    assert float(timings["pcodec"]["encode_MBps"]) > 0


def test_a_peer_that_lies_about_the_bytes_is_caught(sweep) -> None:
    lying = HONEST.replace("lambda data: data", "lambda data: data[:-1] + bytes([data[-1] ^ 1])")
    summary, failures, timings = sweep(lying, timing=True)
    assert "pcodec" not in summary
    assert "pcodec" not in timings
    assert "zstd" in summary
    assert failures["pcodec"]["status"] == "failed"
    assert "did not give the bytes back" in failures["pcodec"]["reason"]


@pytest.mark.parametrize(
    ("instead", "says"),
    [
        ("lambda data: data[:-1]", "fewer bytes than it was given"),
        ("lambda data: data * 2", "8192 bytes where at most 4096 were expected"),
        ("lambda data: __import__('os').kill(__import__('os').getpid(), 11)", "died of signal 11"),
        ("lambda data: __import__('os')._exit(3)", "exited with 3"),
        ("lambda data: 1 // 0", "ZeroDivisionError: "),
        ("lambda data: None", "TypeError: "),
        ("lambda data: print('noise on standard output') or data[:1]", "fewer bytes"),
    ],
)
def test_what_goes_wrong_in_a_peer_is_a_failure_of_its_cell_alone(sweep, instead: str, says: str) -> None:
    summary, failures, _ = sweep(HONEST.replace("lambda data: data", instead))
    assert failures["pcodec"]["status"] == "failed"
    assert says in failures["pcodec"]["reason"]
    assert list(failures) == ["pcodec"]
    assert "zstd" in summary


def test_a_peer_that_hangs_is_ended(sweep) -> None:
    summary, failures, _ = sweep(
        HONEST.replace("lambda data: data", "lambda data: __import__('time').sleep(600)"), timeout=2
    )
    assert "no answer in time" in failures["pcodec"]["reason"]
    assert "zstd" in summary


def test_a_package_that_cannot_be_imported_says_so(sweep) -> None:
    _, failures, _ = sweep("raise ImportError('libmissing.so.3 is not here')")
    assert "pcodec cannot be imported: libmissing.so.3 is not here" in failures["pcodec"]["reason"]


@pytest.fixture
def bare_python(tmp_path: Path) -> Path:
    """A Python without site packages, as after a first checkout."""
    script = tmp_path / "bare-python"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    script.chmod(0o755)
    return script


def test_an_absent_package_is_recorded_and_named(call, tmp_path: Path, bare_python: Path) -> None:
    config = tmp_path / "peers.yaml"
    config.write_text(CONFIG.replace("TIMEOUT", "100"))
    answer = call("run", config, "--out", tmp_path / "out", "--no-report", WCODEC_PEERS_PYTHON=str(bare_python))
    failures = rows(tmp_path / "out" / "failures.csv")
    assert failures["pcodec"]["status"] == "unavailable", answer.stderr
    assert "pip install pcodec" in failures["pcodec"]["reason"]
    assert "pip install pcodec" in answer.stderr
    listed = json.loads(call("list", "baselines", "--json", WCODEC_PEERS_PYTHON=str(bare_python)).stdout)
    by_name = {row["name"]: row for row in listed["baselines"]}
    for name, package in PACKAGES.items():
        assert not by_name[name]["available"]
        assert f"pip install {package}" in by_name[name]["why_unavailable"]
    assert by_name["zstd"]["available"]
    assert (
        "not on this machine: the Python package zfpy is not installed"
        in call("list", "baselines", WCODEC_PEERS_PYTHON=str(bare_python)).stdout
    )


def test_no_python_is_recorded_and_says_what_to_set(call, tmp_path: Path) -> None:
    config = tmp_path / "peers.yaml"
    config.write_text(CONFIG.replace("TIMEOUT", "100"))
    call("run", config, "--out", tmp_path / "out", "--no-report", WCODEC_PEERS_PYTHON="/no/such/python")
    failures = rows(tmp_path / "out" / "failures.csv")
    assert failures["pcodec"]["status"] == "unavailable"
    assert "set WCODEC_PEERS_PYTHON" in failures["pcodec"]["reason"]


def test_packages_are_those_of_the_extra(source_dir: Path) -> None:
    text = (source_dir / "pyproject.toml").read_text(encoding="utf-8")
    extra = text.split("\npeers = [", 1)[1].split("]", 1)[0]
    named = {word.strip().strip('"').split(">=")[0] for word in extra.split(",")}
    assert named == set(PACKAGES.values()) - {"nncodec"}  # which asks for another NumPy than wcodec
    adapters = (source_dir / "python" / "wcodec_peers" / "adapters").glob("[a-z]*.py")
    assert {path.stem for path in adapters} == set(PACKAGES) | {"elements"}


def frame(head: str, body: bytes) -> bytes:
    return REQUEST.pack(len(head), len(body)) + head.encode() + body


def test_a_request_is_read_from_pieces() -> None:
    class Dripping(io.RawIOBase):
        def __init__(self, data: bytes) -> None:
            self._data = data

        def readable(self) -> bool:
            return True

        def readinto(self, into) -> int:
            into[: min(1, len(self._data))] = self._data[:1]
            self._data = self._data[1:]
            return min(1, len(self._data) + 1) if into else 0

    request = read_request(Dripping(frame("compress BF16 2 3 level=8,kind=a", b"twelve bytes")))
    assert request.verb == "compress"
    assert request.array == Array("BF16", 2, 3, (("level", "8"), ("kind", "a")))
    assert request.body == b"twelve bytes"


def test_a_request_without_options_or_body() -> None:
    request = read_request(io.BytesIO(frame("decompress I8 0 0 -", b"")))
    assert request.array.options == ()
    assert request.body == b""


@pytest.mark.parametrize("size", [0, 5, 12, 30])
def test_an_ending_stream_is_an_end_and_no_request(size: int) -> None:
    with pytest.raises(EOFError):
        read_request(io.BytesIO(frame("compress I8 3 4 -", b"twelve bytes")[:size]))


def test_an_answer_has_its_seconds_and_its_size() -> None:
    sink = io.BytesIO()
    write_answer(sink, 0, 0.5, b"body")
    assert sink.getvalue() == ANSWER.pack(0, 0.5, 4) + b"body"


def test_only_the_call_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([10.0, 12.5])
    monkeypatch.setattr(worker.time, "perf_counter", lambda: next(ticks))

    class Reversing:
        def __init__(self, array: Array) -> None:
            assert array.rows == 1

        def compress(self, data: bytearray) -> bytes:
            return bytes(reversed(data))

    request = read_request(io.BytesIO(frame("compress U8 1 3 -", b"abc")))
    seconds, body = worker.do(Reversing, request)
    assert (seconds, bytes(body)) == (2.5, b"cba")


def test_an_unknown_peer_is_a_usage_error(source_dir: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "wcodec_peers", "nothing"],
        env=os.environ | {"PYTHONPATH": str(source_dir / "python")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert answer.returncode == 2
    assert "one line a peer" in answer.stderr


def test_the_tables_of_the_docs_are_those_of_the_committed_results(source_dir: Path) -> None:
    made = table.tables(source_dir / "results" / "study" / "peers")
    assert made.strip() in (source_dir / "docs" / "peers.md").read_text(encoding="utf-8")


def test_a_table_sums_tensors_and_keeps_types_apart(tmp_path: Path) -> None:
    head = "cell,checkpoint,control,quantizer,coder,role,dtype,original_bytes,coded_bytes\n"
    lines = [
        "1,a,original,lossless,zstd:level=3,baseline,F32,100,80",
        "2,a,original,lossless,zstd:level=3,baseline,F32,300,120",
        "3,b,original,lossless,zstd:level=3,baseline,BF16,300,300",
        "4,a,original,lossless,raw,codec,F32,100,100",
        "5,a,original,lossless,raw,codec,F32,100,100",
        "6,a,shuffled,lossless,raw,codec,F32,100,1",
        "7,b,original,int8,raw,codec,BF16,150,100",
    ]
    (tmp_path / "summary.csv").write_text(head + "\n".join(lines) + "\n")
    timings = ["cell,symbol_bytes,encode_MBps,decode_MBps", "4,1000000,10,1000", "5,3000000,10,3000", "6,3000000,1,1"]
    (tmp_path / "timings.csv").write_text("\n".join(timings) + "\n")
    assert table.tables(tmp_path).splitlines() == [
        "**int8**",
        "",
        "| compressor | b | encode MB/s | decode MB/s |",
        "|---|---:|---:|---:|",
        "| wcodec `raw` | **1.5000** |  |  |",
        "",
        "**lossless BF16**",
        "",
        "| compressor | b | encode MB/s | decode MB/s |",
        "|---|---:|---:|---:|",
        "| `zstd:level=3` | **1.0000** |  |  |",
        "",
        "**lossless F32**",
        "",
        "| compressor | a | encode MB/s | decode MB/s |",
        "|---|---:|---:|---:|",
        "| `zstd:level=3` | **2.0000** |  |  |",
        "| wcodec `raw` | 1.0000 | 10 | 2,000 |",
    ]

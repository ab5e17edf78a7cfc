"""`wcodec compare`, `expect:` and `wcodec verdicts`: a run that repeats another says so, a changed number is caught."""

import csv
import json
import shutil
from pathlib import Path

import pytest

CONFIG = """\
experiment: repeat
checkpoints:
  - {name: one, path: "synthetic:gaussian:rows=64,cols=64,tensors=7,seed=3"}
  - {name: two, path: "synthetic:laplace:rows=64,cols=64,tensors=7,seed=4"}
controls: [original, shuffled]
axes:
  quantizer: [int8]
  tile: [16x16]
  modes: [[none], [left]]
  coder: ["rans:tables=tensor"]
compare: {factor: modes, against: [none], margin: 0.01}
diagnostics: false
"""


@pytest.fixture
def measured(tmp_path: Path, call) -> Path:
    (tmp_path / "repeat.yaml").write_text(CONFIG)
    assert call("run", "repeat.yaml", "--out", "first", "--no-report", "-q").returncode == 0
    return tmp_path / "first"


def change(path: Path, column: str, alter, row: int = 3) -> None:
    with path.open(newline="", encoding="utf-8") as stream:
        table = list(csv.reader(stream))
    at = table[0].index(column)
    table[row][at] = alter(table[row][at])
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows(table)


def test_the_same_run_repeats_itself(measured: Path, call) -> None:
    assert call("run", "repeat.yaml", "--out", "second", "--no-report", "-q", "-j", "1").returncode == 0
    answer = call("compare", "second", "first")
    assert answer.returncode == 0, answer.stdout
    assert "no difference" in answer.stdout
    told = json.loads(call("compare", "second", "first", "--json").stdout)
    assert told["same"] is True
    assert told["rows"] > 56
    assert told["differences"] == []


@pytest.mark.parametrize(
    ("file", "column", "alter"),
    [
        ("summary.csv", "coded_bytes", lambda text: str(int(text) + 1)),
        ("summary.csv", "h0_bpw", lambda text: str(float(text) + 1e-6)),
        ("verdicts.csv", "effect", lambda text: str(float(text) * 1.001)),
        ("verdicts.csv", "bytes_verdict", lambda text: "helps" if text != "helps" else "hurts"),
    ],
)
def test_a_changed_number_is_caught(measured: Path, call, file: str, column: str, alter) -> None:
    shutil.copytree(measured, measured.parent / "changed")
    change(measured.parent / "changed" / file, column, alter)
    answer = call("compare", "changed", "first")
    assert answer.returncode == 1
    assert "differs from first in 1 places" in answer.stdout
    assert file in answer.stdout
    assert column in answer.stdout
    (difference,) = json.loads(call("compare", "changed", "first", "--json").stdout)["differences"]
    assert (difference["file"], difference["column"]) == (file, column)
    assert difference["expected"] != difference["found"]


def test_a_last_digit_is_no_difference_but_a_missing_row_is(measured: Path, call) -> None:
    shutil.copytree(measured, measured.parent / "changed")
    summary = measured.parent / "changed" / "summary.csv"
    change(summary, "h0_bpw", lambda text: str(float(text) * (1 + 1e-12)))
    assert call("compare", "changed", "first").returncode == 0
    lines = summary.read_text().splitlines(keepends=True)
    summary.write_text("".join(lines[:-1]))
    answer = call("compare", "changed", "first")
    assert answer.returncode == 1
    assert "a row" in answer.stdout
    assert call("compare", "first", "changed").returncode == 1


def test_checkpoints_of_one_side_are_left_out_and_named(measured: Path, call) -> None:
    fewer = CONFIG.replace('  - {name: two, path: "synthetic:laplace:rows=64,cols=64,tensors=7,seed=4"}\n', "")
    (measured.parent / "fewer.yaml").write_text(fewer)
    assert call("run", "fewer.yaml", "--out", "fewer", "--no-report", "-q").returncode == 0
    answer = call("compare", "fewer", "first")
    assert answer.returncode == 0, answer.stdout
    assert "not measured in fewer, so not compared: two" in answer.stdout
    assert "corrected for the number of comparisons" in answer.stdout


def test_what_is_no_result_is_refused(measured: Path, call) -> None:
    (measured.parent / "empty").mkdir()
    answer = call("compare", "empty", "first")
    assert answer.returncode == 2
    assert "empty/summary.csv: there is no such file" in answer.stderr
    other = CONFIG.replace("name: one", "name: uno").replace("name: two", "name: due")
    (measured.parent / "other.yaml").write_text(other)
    assert call("run", "other.yaml", "--out", "other", "--no-report", "-q").returncode == 0
    answer = call("compare", "other", "first")
    assert answer.returncode == 2
    assert "no checkpoint in common" in answer.stderr


def test_run_compares_itself_with_what_it_expects(measured: Path, call) -> None:
    (measured.parent / "expecting.yaml").write_text(CONFIG + "expect: first\n")
    answer = call("run", "expecting.yaml", "--out", "again", "--no-report", "-q")
    assert answer.returncode == 0, answer.stdout
    assert "no difference" in answer.stdout
    change(measured / "summary.csv", "payload_bytes", lambda text: str(int(text) + 1))
    answer = call("run", "expecting.yaml", "--out", "again", "--no-report", "-q")
    assert answer.returncode == 1
    assert "payload_bytes" in answer.stdout
    told = json.loads(call("run", "expecting.yaml", "--out", "again", "--no-report", "-q", "--json").stdout)
    assert told["comparison"]["same"] is False
    assert call("run", "expecting.yaml", "--out", "again", "--no-report", "-q", "--no-expect").returncode == 0


def test_verdicts_are_judged_anew_without_measuring(measured: Path, call) -> None:
    before = (measured / "verdicts.csv").read_bytes()
    (measured / "verdicts.csv").unlink()
    assert call("verdicts", "repeat.yaml", "--out", "first").returncode == 0
    assert (measured / "verdicts.csv").read_bytes() == before
    wide = call("verdicts", "repeat.yaml", "--out", "first", "--set", "compare.margin=8", "--json")
    assert json.loads(wide.stdout)["folder"] == "first"
    with (measured / "verdicts.csv").open(newline="", encoding="utf-8") as stream:
        assert {row["bytes_verdict"] for row in csv.DictReader(stream) if row["scope"] == "checkpoint"} == {"no effect"}
    other = CONFIG.replace("name: one", "name: uno").replace("name: two", "name: due")
    (measured.parent / "other.yaml").write_text(other)
    answer = call("verdicts", "other.yaml", "--out", "first")
    assert answer.returncode == 2
    assert "it is another one's" in answer.stderr

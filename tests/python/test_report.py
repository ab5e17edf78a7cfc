"""What the report reads and writes, apart from figures and the page."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from report_fixture import HOSTILE, Shape, build, read, write
from wcodec_report import parquet, schema
from wcodec_report.embed import script_json
from wcodec_report.errors import ReportError
from wcodec_report.results import load
from wcodec_report.text import interval, listed, shorten, signed, visible
from wcodec_report.words import answers, by_mode_set, scope

ROOT = Path(__file__).resolve().parents[2]
SMALL = Shape(checkpoints=("minilm",), tensors=6, quantizers=("int8:axis=row",), tiles=("16x16",))


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "python")}
    command = [sys.executable, "-m", "wcodec_report", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize("name", ["summary", "verdicts"])
def test_schema_is_that_of_the_results_page(name: str) -> None:
    text = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    section = text.split(f"## {name}.csv", 1)[1].split("\n## ", 1)[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert [n for row in rows for n in row.replace("`", "").replace(" ", "").split(",")] == [
        c.name for c in schema.FILES[name]
    ]


@pytest.mark.parametrize("name", ["timings", "modes", "histograms", "correlations", "failures"])
def test_schema_of_plain_files(name: str) -> None:
    text = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    section = text.split(f"## {name}.csv", 1)[1].split("\n## ", 1)[0]
    listed_columns = section.split("`")[1].replace("\n", " ").replace(" ", "").split(",")
    assert listed_columns == [c.name for c in schema.FILES[name]]


def test_parquet_has_the_rows_typed(tmp_path: Path) -> None:
    results = load(build(tmp_path, SMALL))
    assert {p.name for p in parquet.write_all(results)} == {"summary.parquet", "timings.parquet", "verdicts.parquet"}
    types = {"text": pa.string(), "count": pa.int64(), "real": pa.float64()}
    for name in parquet.TABLES:
        table = pq.read_table(tmp_path / f"{name}.parquet")
        assert [(f.name, f.type) for f in table.schema] == [(c.name, types[c.kind]) for c in schema.FILES[name]]
        written = read(tmp_path, name)
        assert table.num_rows == len(written)
        for column in schema.FILES[name]:
            convert = {"text": str, "count": int, "real": float}[column.kind]
            expected = [convert(row[column.name]) if row[column.name] else None for row in written]
            assert table[column.name].to_pylist() == expected
    baseline = pq.read_table(tmp_path / "summary.parquet", filters=[("role", "=", "baseline")])
    assert baseline["tile"].null_count == baseline.num_rows > 0


def test_parquet_is_deterministic(tmp_path: Path) -> None:
    first, second = (build(tmp_path / name, SMALL) for name in "ab")
    for folder in (first, second):
        parquet.write_all(load(folder))
    for name in parquet.TABLES:
        assert (first / f"{name}.parquet").read_bytes() == (second / f"{name}.parquet").read_bytes()


def test_parquet_of_a_vanished_table_goes_too(tmp_path: Path) -> None:
    parquet.write_all(load(build(tmp_path, SMALL)))
    (tmp_path / "timings.csv").unlink()
    parquet.write_all(load(tmp_path))
    assert not (tmp_path / "timings.parquet").exists()


def test_totals_sum_bytes_and_never_average_ratios(tmp_path: Path) -> None:
    results = load(build(tmp_path, Shape()))
    rows = [
        r
        for r in read(tmp_path, "summary")
        if r["checkpoint"] == "minilm"
        and r["quantizer"] == "int8:axis=row"
        and r["control"] == "original"
        and r["coder"] == "zstd:level=19"
    ]
    (total,) = [t for t in results.totals.of("minilm", "int8:axis=row") if t.coder == "zstd:level=19"]
    original, coded, weights = (sum(int(r[c]) for r in rows) for c in ("original_bytes", "coded_bytes", "weights"))
    assert (total.tensors, total.weights) == (len(rows), weights) == (12, weights)
    assert total.ratio == original / coded
    assert total.bpw == 8 * coded / weights
    assert total.ratio != pytest.approx(sum(float(r["ratio"]) for r in rows) / len(rows), rel=1e-9)
    assert total.entropy["h0_bpw"] == pytest.approx(sum(float(r["h0_bpw"]) * int(r["weights"]) for r in rows) / weights)
    assert "residual_h0_bpw" not in total.entropy
    assert sum(total.bytes[name] for name in schema.LEDGER) == coded
    assert total.bpw_symbols == pytest.approx(total.bpw - 8 * sum(int(r["scale_bytes"]) for r in rows) / weights)


def test_totals_compare_the_same_tensors(tmp_path: Path) -> None:
    rows = read(
        build(tmp_path, Shape(checkpoints=("minilm",), tensors=30, tiles=("16x16",), controls=("original",))), "summary"
    )
    smallest = min(rows, key=lambda r: int(r["weights"]))
    lost = [r for r in rows if not (r["tensor"] == smallest["tensor"] and r["coder"] == "gzip:level=6")]
    write(tmp_path, "summary", [r for r in lost if r["coder"] != "bzip2:level=9" or "layer.3." in r["tensor"]])
    totals = load(tmp_path).totals
    assert {t.tensors for t in totals.series} == {29}
    assert not any(t.coder == "bzip2:level=9" for t in totals.series)
    assert any("leave out 1 series" in n and "bzip2" in n for n in totals.notes)
    assert any("leave out 1 tensor" in n and smallest["tensor"] in n for n in totals.notes)


def test_a_cell_on_two_devices_counts_once(tmp_path: Path) -> None:
    rows = read(build(tmp_path, SMALL), "summary")
    before = load(tmp_path).totals
    write(tmp_path, "summary", rows + [r | {"device": "cuda:0"} for r in rows])
    assert load(tmp_path).totals == before


def test_answers_tell_bytes_from_structure(tmp_path: Path) -> None:
    rows = read(build(tmp_path, SMALL), "verdicts")
    helped = [
        r
        | {
            "bytes_verdict": "helps",
            "verdict": "no effect",
            "effect": "-0.2",
            "effect_lo": "-0.25",
            "effect_hi": "-0.15",
        }
        for r in rows
    ]
    write(tmp_path, "verdicts", helped)
    smaller, structure = answers(load(tmp_path))
    assert (smaller.short, structure.short) == ("Yes", "No")
    assert (
        "\N{MINUS SIGN}0.2000 bit/weight (95 % interval \N{MINUS SIGN}0.2500 … \N{MINUS SIGN}0.1500)"
        in smaller.sentences[1]
    )
    write(
        tmp_path,
        "verdicts",
        [helped[0]] + [r | {"bytes_verdict": "hurts", "verdict": "inconclusive"} for r in rows[1:]],
    )
    smaller, structure = answers(load(tmp_path))
    assert smaller.short == f"In 1 of {len(rows)} comparisons"
    assert structure.short == "Not shown"


def test_answers_without_an_interval_or_a_control(tmp_path: Path) -> None:
    row = read(build(tmp_path, SMALL), "verdicts")[0]
    gone = dict.fromkeys(("effect_lo", "effect_hi", "net", "net_lo", "net_hi", "shuffled_effect", "verdict"), "")
    write(
        tmp_path, "verdicts", [row | gone | {"scope": "pooled", "checkpoint": "all", "bytes_verdict": "inconclusive"}]
    )
    smaller, structure = answers(load(tmp_path))
    assert "all checkpoints pooled" in smaller.sentences[1]
    assert "no interval" in smaller.sentences[1]
    assert structure.short == "Not judged"
    assert by_mode_set(load(tmp_path))[0].net == "\N{EN DASH}"


def test_scope_names_the_models_and_calls_small_small(tmp_path: Path) -> None:
    text = scope(load(build(tmp_path, Shape())))
    assert "minilm (" in text
    assert "pylm-llama-44m (" in text
    assert "12 tensors" in text
    assert "All are small" in text


def test_text_helpers() -> None:
    assert visible("a\x1b[31m\x00\u202e\n") == "a\\x1b[31m\\x00\\u202e\\x0a"
    assert visible("ünïcode 층 —") == "ünïcode 층 —"
    assert shorten("abcdefghij", 5) == "ab…ij"
    assert signed(-0.5, 1) == "\N{MINUS SIGN}0.5"
    assert signed(None) == "\N{EN DASH}" == signed(float("nan"))
    assert interval(None, 1.0) == "no interval"
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b", "c", "d"]) == "a, b, c and 1 more"


@pytest.mark.parametrize("name", HOSTILE)
def test_json_in_a_script_cannot_leave_it(name: str) -> None:
    text = script_json({"name": name})
    assert not set("<>&") & set(text)
    assert text.isascii()
    assert text.isprintable()
    assert json.loads(text) == {"name": name}


def test_hostile_names_survive_the_reader(tmp_path: Path) -> None:
    results = load(build(tmp_path, Shape(names=HOSTILE, tensors=len(HOSTILE))))
    assert set(results.tables["summary"]["tensor"].to_pylist()) == set(HOSTILE)


def broken(tmp_path: Path, name: str, content: bytes) -> str:
    folder = build(tmp_path / "results", SMALL)
    (folder / name).write_bytes(content)
    with pytest.raises(ReportError) as caught:
        load(folder)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("summary.csv", b"", "ends in mid-line"),
        ("summary.csv", b"cell,checkpoint\n", "lacks the column family"),
        ("summary.csv", b"\xff\xfe\x00 not a table\n", "summary.csv"),
        ("summary.csv", b'"cell\n' * 5, "summary.csv"),
        ("verdicts.csv", b"a,b\n1\n", "verdicts.csv"),
        ("timings.csv", b"a,a\n1,2\n", "timings.csv"),
        ("provenance.json", b"{", "is not valid JSON"),
        ("provenance.json", b"[" * 100_000, "is not valid JSON"),
        ("provenance.json", b"[]", "does not hold a JSON object"),
    ],
)
def test_corrupt_files_are_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    message = broken(tmp_path, name, content)
    assert said in message
    assert name in message
    assert "\n" not in message
    assert message.endswith(".")


def test_truncated_and_unbalanced_summaries_are_refused(tmp_path: Path) -> None:
    folder = build(tmp_path / "results", SMALL)
    whole = (folder / "summary.csv").read_bytes()
    for length in (1, len(whole) // 2, len(whole) - 1):
        (folder / "summary.csv").write_bytes(whole[:length])
        with pytest.raises(ReportError):
            load(folder)
    (folder / "summary.csv").write_bytes(whole)
    rows = read(folder, "summary")
    write(folder, "summary", [rows[0], rows[1] | {"table_bytes": "1"}])
    with pytest.raises(ReportError, match=r"data row 2 coded_bytes is \d+ but its accounts sum to"):
        load(folder)
    write(folder, "summary", [rows[0] | {"bpw": "many"}])
    with pytest.raises(ReportError, match="not a valid table"):
        load(folder)


def test_an_unreadable_config_costs_only_the_title(tmp_path: Path) -> None:
    for content in (b"\xff", b"[" * 20_000, b"a: [", b"- no\n- mapping\n"):
        (build(tmp_path, SMALL) / "experiment.yaml").write_bytes(content)
        assert load(tmp_path).name == tmp_path.name


def test_failures_alone_are_worth_a_report_and_nothing_is_not(tmp_path: Path) -> None:
    build(tmp_path, SMALL)
    write(tmp_path, "summary", [])
    assert load(tmp_path).tables["failures"].num_rows
    (tmp_path / "failures.csv").unlink()
    with pytest.raises(ReportError, match="has no rows"):
        load(tmp_path)


def test_command_says_where_the_report_lies(tmp_path: Path) -> None:
    build(
        tmp_path,
        Shape(
            checkpoints=("minilm",),
            tensors=2,
            quantizers=("int8:axis=row",),
            tiles=("16x16",),
            modes=("none",),
            baselines=(),
            failures=0,
            timings=False,
        ),
    )
    for name in ("histograms", "correlations", "modes"):
        (tmp_path / f"{name}.csv").unlink()
    said = run(tmp_path)
    assert said.returncode == 0
    assert str(tmp_path / "report.html") in said.stdout
    assert said.stderr == ""
    assert run(tmp_path, "--quiet").stdout == ""
    written = json.loads(run(tmp_path, "--json").stdout)
    assert Path(written["report"]).is_file()
    assert written["rows"] == 12
    assert written["failures"] == 0
    assert all(Path(path).is_file() for path in written["plots"] + written["parquet"])
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("folder", ["missing", "empty"])
def test_command_fails_in_one_sentence(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    said = run(tmp_path / folder)
    assert said.returncode == 1
    assert said.stdout == ""
    assert said.stderr.startswith("wcodec report: ")
    assert said.stderr.count("\n") == 1
    assert folder in said.stderr

"""`wcodec claim` as a person or a script meets it."""

import csv
import json
from pathlib import Path

import pytest

SUMMARY = "results/quickstart"


def failure(answer) -> str:
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr.startswith("wcodec: error: ")
    return answer.stderr


def test_a_claim_against_results_in_text(call, source_dir: Path):
    answer = call("claim", "1.54x int8 axis=tensor", "--results", source_dir / SUMMARY)
    assert answer.returncode == 0, answer.stderr
    for part in ("answer: ", "int8:axis=tensor", "symbols and scales / all coded bytes", "shuffled"):
        assert part in answer.stdout


def test_ratios_are_those_of_the_summary(call, source_dir: Path):
    """Every ratio of one series, from the CSV by another program."""
    answer = call("claim", "1.54x int8", "--results", source_dir / SUMMARY, "--json")
    (report,) = json.loads(answer.stdout)
    series = {"checkpoint": "minilm", "quantizer": "int8:axis=tensor", "coder": "rans:tables=tensor", "modes": "none"}
    found = {row["denominator"]: row["ratio"] for row in report["rows"] if all(row[k] == v for k, v in series.items())}
    assert len(found) == 8
    with (source_dir / SUMMARY / "summary.csv").open(newline="") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if row["control"] == "original" and all(row[k] == v for k, v in series.items())
        ]

    def total(column: str) -> int:
        return sum(int(row[column]) for row in rows)

    symbols = [int(row["weights"]) for row in rows]  # one byte each
    coded = [int(row["coded_bytes"]) - int(row["scale_bytes"]) for row in rows]
    expected = {
        "symbols / their coded bytes, no scales": sum(symbols) / sum(coded),
        "symbols and scales / all coded bytes": total("original_bytes") / total("coded_bytes"),
        "symbols / payload alone (tables, headers free)": sum(symbols) / total("payload_bytes"),
        "symbols, the best tensor only": max(s / c for s, c in zip(symbols, coded, strict=True)),
        "symbols, mean of the tensors' ratios": sum(s / c for s, c in zip(symbols, coded, strict=True)) / len(rows),
        "checkpoint's bytes / all coded bytes": total("source_bytes") / total("coded_bytes"),
        "16 bits a weight / all coded bytes": 2 * total("weights") / total("coded_bytes"),
        "32 bits a weight / all coded bytes": 4 * total("weights") / total("coded_bytes"),
    }
    assert found == pytest.approx(expected)


def test_a_claim_against_a_checkpoint(call):
    answer = call("claim", "1.1x int8", "--checkpoint", "synthetic:gaussian:rows=64,cols=96,tensors=3", "--limit", 2)
    assert answer.returncode == 0, answer.stderr
    assert "2 of 3 matrices" in answer.stdout
    assert "outliers" in answer.stdout
    assert answer.stderr.count("measuring ") == 2
    as_json = call(
        "claim", "1.1x int8", "--checkpoint", "synthetic:gaussian:rows=64,cols=96,tensors=3", "--limit", 2, "--json"
    )
    (report,) = json.loads(as_json.stdout)
    assert report["measured"] == {"matrices": 3, "tensors": 2, "weights": 2 * 64 * 96}
    assert len(report["outliers"]) == 2
    assert report["answer"] in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "no claim given"),
        (["int8"], "write it like 1.54x"),
        (["1.5x 2x int8"], "two ratios"),
        (["1.5x int8", "--results", "nowhere"], "nowhere/summary.csv cannot be read"),
        (["1.5x int8", "--checkpoint", "nowhere.safetensors"], "nowhere.safetensors"),
        (["1.5x int8", "--checkpoint", "synthetic:gaussian", "--tensor", "none*"], "no matrix"),
        (["1.5x int8", "--headlines"], "leave yours out"),
        (["--headlines", "--root", "nowhere"], "nowhere"),
        (["--root", "nowhere"], "--headlines"),
        (["1.5x int8", "--tensor", "x"], "--checkpoint"),
    ],
)
def test_wrong_usage_is_one_sentence(call, arguments, part):
    assert part in failure(call("claim", *arguments))


def table_of(text: str) -> dict[str, list[str]]:
    """Rows of the table that begins with "| hope", by hope."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line[:2] == "| "]
    first = next(i for i, row in enumerate(rows) if row[0] == "hope")
    return {row[0]: row for row in rows[first + 1 :] if not row[0].startswith("---")}


def test_the_headlines_of_the_docs_are_what_the_committed_results_say(call, source_dir: Path):
    """The command in docs/claims.md gives the table in docs/claims.md.

    GPU and CPU speeds may be measured again, so only their marks are compared.
    """
    text = (source_dir / "docs" / "claims.md").read_text()
    command = next(line for line in text.splitlines() if line.startswith("wcodec claim --headlines --root"))
    arguments = command.split("#")[0].split()[1:]
    arguments = [str(source_dir / a) if a.startswith("results/") else a for a in arguments]
    answer = call(*arguments)
    assert answer.returncode == 0, answer.stderr
    said, written = table_of(answer.stdout.replace(f"{source_dir}/", "")), table_of(text)
    assert list(said) == list(written)
    for hope, row in said.items():
        speeds = "results/gpu/" in row[-1] or "results/cpu/" in row[-1]
        assert row[:2] == written[hope][:2] if speeds else row == written[hope]

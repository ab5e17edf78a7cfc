"""`wcodec memory` as a person or a script meets it."""

import csv
import json
from pathlib import Path

import pytest

CONFIG = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 100,
}


def arguments(source_dir: Path) -> list[object]:
    return ["memory", "--results", source_dir / "results/shared", "--results", source_dir / "results/quickstart"]


def test_the_table_of_the_docs_is_what_the_command_prints(call, source_dir: Path):
    answer = call(*arguments(source_dir))
    assert answer.returncode == 0, answer.stderr
    said = {" ".join(line.split()) for line in answer.stdout.splitlines()}
    written = [line for line in (source_dir / "docs" / "memory.md").read_text().splitlines() if line[:8] == "| llama-"]
    assert len(written) > 10
    for line in written:
        assert line in said


def test_bits_are_those_of_the_summary(call, source_dir: Path):
    """One kind's mean from the CSV by another program, and the sum over the shapes."""
    answer = call(*arguments(source_dir), "--measured-on", "pylm*", "--model", "llama-2-7b", "--json")
    row = next(r for r in json.loads(answer.stdout)["rows"] if r["format"] == "int8:axis=row")
    with (source_dir / "results/shared/summary.csv").open(newline="") as file:
        rows = [
            r
            for r in csv.DictReader(file)
            if (r["checkpoint"], r["control"], r["quantizer"], r["coder"], r["modes"], r["kind"])
            == ("pylm-llama-44m", "original", "int8:axis=row", row["coder"], "none", "mlp.down")
        ]
    bits = 8 * sum(int(r["coded_bytes"]) - int(r["scale_bytes"]) for r in rows) / sum(int(r["weights"]) for r in rows)
    down = next(k for k in row["kinds"] if k["kind"] == "mlp.down")
    assert down["bits"] == pytest.approx(bits)
    assert down["tensors"] == len(rows) == 8
    weights = {
        "embedding": 32000 * 4096,
        "lm_head": 32000 * 4096,
        **{f"attention.{k}": 32 * 4096 * 4096 for k in "qkvo"},
        **{f"mlp.{k}": 32 * 11008 * 4096 for k in ("gate", "up", "down")},
    }
    assert row["coded_bytes"] == pytest.approx(sum(weights[k["kind"]] * k["bits"] for k in row["kinds"]) / 8)
    assert row["scale_bytes"] == 4 * (2 * 32000 + 32 * (5 * 4096 + 2 * 11008)), "four bytes a row"


def test_any_config_json_will_do(call, source_dir: Path, tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    answer = call(*arguments(source_dir), "--config", "config.json", "--format", "csv")
    assert answer.returncode == 0, answer.stderr
    rows = list(csv.DictReader(answer.stdout.splitlines()))
    assert {r["model"] for r in rows} == {"config.json"}


def test_what_is_wrong_is_one_sentence(call, source_dir: Path, tmp_path: Path):
    (tmp_path / "bad.json").write_text(json.dumps(CONFIG | {"vocab_size": -1}))
    for extra, part in [
        (["--config", "bad.json"], "'vocab_size'"),
        (["--config", "nowhere.json"], "nowhere.json"),
        (["--model", "llama-3"], "unknown model 'llama-3'"),
        (["--coder", "nothing"], "there are:"),
        (["--results", "nowhere"], "nowhere/summary.csv"),
    ]:
        answer = call(*arguments(source_dir), *extra)
        assert answer.returncode == 2, extra
        assert answer.stderr.startswith("wcodec: error: ")
        assert part in answer.stderr

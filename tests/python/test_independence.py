"""`wcodec independence`: against NumPy, and as a person or a script meets it."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from oracle import independence as oracle


def write_safetensors(path: Path, name: str, values: np.ndarray) -> None:
    data = values.astype("<f4").tobytes()
    header = json.dumps({name: {"dtype": "F32", "shape": list(values.shape), "data_offsets": [0, len(data)]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)


def planted(seed: int) -> np.ndarray:
    """Rows and columns of unequal scale, means of columns, and a neighbour that matters a little."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((60, 80))
    for c in range(1, 80):
        x[:, c] = 0.2 * x[:, c - 1] + np.sqrt(1 - 0.04) * x[:, c]
    x += 0.3 * random.standard_normal(80)
    return x * np.exp(random.standard_normal(60))[:, None] * np.exp(0.5 * random.standard_normal(80))


@pytest.mark.parametrize("means", ["kept", "removed"])
def test_the_estimate_is_numpys(call, tmp_path, means):
    values = planted(4)
    write_safetensors(tmp_path / "m.safetensors", "layer.weight", values)
    answer = call("independence", "m.safetensors", "--permutations", 199, "--json")
    assert answer.returncode == 0, answer.stderr
    rows = [r for r in json.loads(answer.stdout)["rows"] if r["tensor"] == "layer.weight" and r["means"] == means]
    levels, classes = oracle.levels(values.astype(np.float32), without_means=means == "removed")
    expected = oracle.dependence(levels)
    chance = oracle.null(levels, classes, 199, seed=9)
    assert {r["neighbours"] for r in rows} == set(expected)
    for row in rows:
        name = row["neighbours"]
        assert row["plug_in"] == pytest.approx(expected[name], rel=1e-9), name
        spread = chance[name].std(ddof=1)
        assert row["null_mean"] == pytest.approx(chance[name].mean(), abs=5 * spread / np.sqrt(100)), name
        assert row["null_sd"] == pytest.approx(spread, rel=0.35), name
        assert row["bits"] == pytest.approx(row["plug_in"] - row["null_mean"])


def test_a_planted_dependence_is_found_and_noise_is_not(call, tmp_path):
    write_safetensors(tmp_path / "m.safetensors", "layer.weight", planted(5))
    found = call("independence", "m.safetensors", "--permutations", 199, "--json")
    left = next(
        r
        for r in json.loads(found.stdout)["rows"]
        if r["tensor"] == "layer.weight" and r["neighbours"] == "left" and r["means"] == "removed"
    )
    assert left["p_holm"] <= 0.05
    assert left["bits"] > 0.005
    noise = call("independence", "synthetic:gaussian:rows=64,cols=64,tensors=3,seed=3", "--permutations", 999, "--json")
    assert min(r["p_holm"] for r in json.loads(noise.stdout)["rows"]) > 0.01


def test_files_hold_what_is_printed_and_repeat_to_the_byte(call, tmp_path):
    arguments = ["independence", "made=synthetic:laplace:rows=64,cols=64,tensors=2", "--permutations", 19, "--out"]
    first, second = call(*arguments, "a"), call(*arguments, "b")
    assert first.returncode == second.returncode == 0, first.stderr
    assert first.stdout.strip() == (tmp_path / "a" / "independence.md").read_text().strip()
    text = (tmp_path / "a" / "independence.csv").read_bytes()
    assert text == (tmp_path / "b" / "independence.csv").read_bytes()
    rows = list(csv.DictReader(text.decode().splitlines()))
    assert len(rows) == (2 + 1) * 2 * 4, "tensors and all, means kept and removed, neighbourhoods"
    assert {r["checkpoint"] for r in rows} == {"made"}


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "name a checkpoint"),
        (["nowhere.safetensors"], "nowhere.safetensors"),
        (["synthetic:gaussian", "--tensor", "none*"], "no matrix"),
        (["synthetic:gaussian", "--permutations", "3"], "--permutations"),
    ],
)
def test_wrong_usage_is_one_sentence(call, arguments, part):
    answer = call("independence", *arguments)
    assert answer.returncode == 2
    assert answer.stderr.startswith("wcodec: error: ")
    assert part in answer.stderr

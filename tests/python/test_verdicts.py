"""verdicts.csv of a real run, against corrections and words computed apart."""

import csv
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from oracle.verdicts import benjamini_hochberg, holm, words

MARGIN = 0.01
# Eight matrices of two kinds in two checkpoints: kinds with enough tensors for an interval, and kinds without.
CONFIG = """\
experiment: many
checkpoints:
{checkpoints}
tensors: {{min_dim: 2}}
controls: [original, shuffled]
axes:
  quantizer: ["int8:axis=row", "int8:axis=tensor"]
  tile: [8x8]
  modes: [[none], [left], [none, left], [none, avg]]
  coder: ["rans:tables=tensor"]
compare: {{factor: modes, against: [none], margin: {margin}}}
diagnostics: false
"""
REALS = ("effect", "effect_lo", "effect_hi", "net", "net_lo", "net_hi", "p", "p_holm", "q")
BYTES = ("bytes_p", "bytes_p_holm", "bytes_q")


@pytest.fixture(scope="module")
def rows(tmp_path_factory, wcodec: Path) -> list[dict]:
    folder = tmp_path_factory.mktemp("many")
    random = np.random.default_rng(5)
    named = []
    for name, count in (("few", 3), ("many", 9)):
        tensors = {}
        for layer in range(count):
            for part in ("mlp.up_proj", "self_attn.q_proj"):
                steps = random.standard_normal((48, 64)).astype(np.float32)
                # Rows of the first kind wander, so that `left` has something to find there.
                tensors[f"model.layers.{layer}.{part}.weight"] = steps.cumsum(1) if "mlp" in part else steps
        save_file(tensors, folder / f"{name}.safetensors")
        named.append(f'  - {{name: {name}, path: "{folder / name}.safetensors"}}')
    config = folder / "many.yaml"
    config.write_text(CONFIG.format(checkpoints="\n".join(named), margin=MARGIN))
    command = [wcodec, "run", config, "--out", folder / "out", "--no-report", "-q"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert answer.returncode == 0, answer.stderr
    with (folder / "out/verdicts.csv").open(newline="", encoding="utf-8") as stream:
        read = list(csv.DictReader(stream))
    return [r | {k: float(r[k]) if r[k] else math.nan for k in REALS + BYTES} for r in read]


@pytest.mark.parametrize("level", ["all", "kinds"])
@pytest.mark.parametrize("prefix", ["", "bytes_"])
def test_corrections_are_those_of_the_oracle(rows, level, prefix):
    family = [r for r in rows if (r["kind"] == "all") == (level == "all")]
    p = np.array([r[f"{prefix}p"] for r in family])
    assert np.isfinite(p).sum() >= 6
    np.testing.assert_allclose([r[f"{prefix}p_holm"] for r in family], holm(p), rtol=1e-12)
    np.testing.assert_allclose([r[f"{prefix}q"] for r in family], benjamini_hochberg(p), rtol=1e-12)


def test_words_follow_from_intervals_and_corrected_p(rows):
    said = [(r["verdict"], r["bytes_verdict"]) for r in rows]
    assert said == [words(r, MARGIN) for r in rows]
    assert {"helps", "hurts", "inconclusive"} <= {word for pair in said for word in pair}


def test_without_an_interval_there_is_no_p(rows):
    few = [r for r in rows if r["checkpoint"] == "few" and r["kind"] != "all"]
    assert few
    assert all(math.isnan(r["p"]) and r["verdict"] == "inconclusive" for r in few)


def test_p_is_at_most_five_per_cent_where_the_interval_concludes(rows):
    for r in rows:
        if not math.isnan(r["net_lo"]):
            concludes = r["net_hi"] < -MARGIN or r["net_lo"] > MARGIN or -MARGIN <= r["net_lo"] <= r["net_hi"] <= MARGIN
            if abs(r["p"] - 0.05) > 0.01:
                assert concludes == (r["p"] <= 0.05), r

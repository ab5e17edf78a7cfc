"""wcodec.run and wcodec.trial: sweeps from Python, with predictors and coders that are Python functions."""

import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import wcodec
from wcodec import _trial

CONFIG = {
    "experiment": "tiny",
    "question": "Does anything help on made-up weights?",
    "checkpoints": [{"name": "made", "path": "synthetic:gaussian:rows=64,cols=96,seed=3"}],
    "controls": ["original"],
    "axes": {
        "quantizer": ["int8"],
        "tile": ["16x16"],
        "modes": [["none"], ["left"]],
        "coder": ["rans:tables=tensor"],
    },
    "compare": {"factor": "modes", "against": ["none"]},
}


def with_axes(**axes: list) -> dict:
    return CONFIG | {"axes": CONFIG["axes"] | axes}


@pytest.fixture(autouse=True)
def built_command(wcodec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WCODEC_COMMAND", str(wcodec))


def left(tile: np.ndarray, zero: int) -> np.ndarray:
    """The built-in `left`, once more: above where nothing is to the left, zero in the corner."""
    guess = np.empty_like(tile)
    guess[:, 1:] = tile[:, :-1]
    guess[1:, 0] = tile[:-1, 0]
    guess[0, 0] = zero
    return guess


def test_run_gives_frames(tmp_path):
    found = wcodec.run(CONFIG, tmp_path / "out", threads=1)
    assert found.cells == len(found.summary) == 2
    assert (found.failed, found.notes) == (0, [])
    assert set(found.summary["modes"]) == {"none", "left"}
    assert found.folder == tmp_path / "out"
    assert len(found.verdicts) >= 1
    assert wcodec.run(CONFIG, tmp_path / "out").summary.equals(found.summary)
    with pytest.raises(wcodec.WcodecError, match="nothing"):
        found.frame("nothing")


def test_frames_without_pandas_are_arrow_tables(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    summary = wcodec.run(CONFIG, tmp_path / "out").summary
    assert sorted(summary.column("modes").to_pylist()) == ["left", "none"]


def test_run_takes_a_file_and_says_what_is_wrong_with_it(tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text("experiment: bad\ntiles: 3\n")
    with pytest.raises(wcodec.WcodecError, match="tiles") as caught:
        wcodec.run(file, tmp_path / "out")
    assert (caught.value.kind, caught.value.file) == ("config", str(file))
    with pytest.raises(wcodec.WcodecError, match=r"absent\.yaml"):
        wcodec.run(tmp_path / "absent.yaml")


def test_the_command_is_found(monkeypatch, wcodec):
    import wcodec as package

    assert package.command() == str(wcodec)
    monkeypatch.setenv("WCODEC_COMMAND", "/nonexistent")
    assert Path(package.command()).name == "wcodec"


def test_a_python_predictor_is_measured_like_a_built_in_one(tmp_path):
    config = with_axes(modes=[["none"], ["left"], ["mine"], ["none", "left", "mine"]])
    found = wcodec.trial(config, predictors={"mine": left}, out=tmp_path / "out", threads=2)
    assert (found.failed, found.notes) == (0, [])
    rows = found.summary.set_index("modes")
    ledger = [name for name in rows.columns if name.endswith("_bytes") and name != "header_bytes"]
    sizes = [name for name in ledger if name not in ("coded_bytes", "index_bytes")]
    assert rows.loc["mine", sizes].equals(rows.loc["left", sizes])
    assert rows.loc["mine", "coded_bytes"] >= rows.loc["left", "coded_bytes"]  # its name is in the record
    assert rows.loc["mine", "residual_h0_bpw"] == rows.loc["left", "residual_h0_bpw"]
    assert rows.loc["none", "coded_bytes"] < rows.loc["left", "coded_bytes"]


def test_a_python_coder_is_measured_too(tmp_path):
    calls = []

    def encode(symbols: np.ndarray, bits: int) -> bytes:
        calls.append((symbols.size, bits))
        return zlib.compress(symbols.tobytes(), 9)

    def decode(data: bytes, count: int, bits: int) -> np.ndarray:
        return np.frombuffer(zlib.decompress(data), np.uint8)

    config = with_axes(coder=["raw", "deflate"], modes=[["none"]]) | {
        "compare": {"factor": "coder", "against": ["raw"]}
    }
    found = wcodec.trial(config, coders={"deflate": (encode, decode)}, out=tmp_path / "out")
    assert (found.failed, found.notes) == (0, [])
    sizes = found.summary.set_index("coder")["coded_bytes"]
    assert 1000 < sizes["deflate"] < sizes["raw"] * 1.02
    assert (64 * 96, 8) in calls


def test_functions_that_fail_fail_their_cells(tmp_path):
    def looks_ahead(tile: np.ndarray, zero: int) -> np.ndarray:
        return tile  # residuals of nothing, from which no tile comes back

    def raises(tile: np.ndarray, zero: int) -> np.ndarray:
        raise ZeroDivisionError("on purpose")

    config = with_axes(modes=[["none"], ["ahead"], ["broken"]])
    found = wcodec.trial(config, predictors={"ahead": looks_ahead, "broken": raises}, out=tmp_path / "out")
    assert found.cells == 3
    assert found.failed == 2
    assert any(note.startswith("broken: ZeroDivisionError: on purpose") for note in found.notes)
    assert list(found.summary["modes"]) == ["none"]
    assert len(found.frame("failures")) == 2


def test_a_name_that_the_config_lacks_is_said(tmp_path):
    with pytest.raises(wcodec.WcodecError, match="'mine' nowhere"):
        wcodec.trial(CONFIG, predictors={"mine": left}, out=tmp_path / "out")


@pytest.mark.parametrize("bits", [4, 8])
def test_reconstruction_inverts_residuals(bits):
    rules = {
        "left": left,
        "zero": lambda tile, zero: np.full_like(tile, zero),
        "rows": lambda tile, zero: np.vstack([np.full_like(tile[:1], zero), tile[:-1]]),
        "running mean": lambda tile, zero: np.concatenate(
            [[zero], np.cumsum(tile.ravel())[:-1] // np.arange(1, tile.size)]
        ).reshape(tile.shape),
    }
    for shape in ((1, 1), (1, 9), (9, 1), (8, 8)):
        tile = np.random.default_rng(bits).integers(0, 1 << bits, shape)
        for name, rule in rules.items():
            coded = _trial.residual(rule, tile, 1 << (bits - 1), bits)
            assert coded.min() >= 0
            assert coded.max() < 1 << bits
            assert np.array_equal(_trial.reconstruct(rule, coded, 1 << (bits - 1), bits), tile), name

"""Axis `reference` against NumPy: what is left of a tensor has the entropy that it should, and what it costs is paid.

Nothing of wcodec is used here but its command: predictions, residuals and entropies are computed a second time.
"""

import csv
import json
import math
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

ROWS, COLS = 48, 64
LAYERS = ("model.layers.0.up.weight", "model.layers.1.up.weight")


def write_bf16(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """A safetensors file of BF16 matrices, given as 16-bit words."""
    entries, data = {}, b""
    for name, words in tensors.items():
        content = words.astype("<u2").tobytes()
        entries[name] = {"dtype": "BF16", "shape": words.shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    header = json.dumps(entries).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)


def to_bf16(values: np.ndarray) -> np.ndarray:
    """Round to nearest even."""
    bits = values.astype("<f4").view("<u4").astype(np.uint64)
    return ((bits + 0x7FFF + (bits >> np.uint64(16) & np.uint64(1))) >> np.uint64(16)).astype(np.uint16)


def to_float(words: np.ndarray) -> np.ndarray:
    """As float32."""
    return (words.astype(np.uint32) << 16).view(np.float32)


def order_keys(words: np.ndarray) -> np.ndarray:
    """Integers in the order of the floats."""
    words = words.astype(np.int64)
    return np.where(words & 0x8000, 0xFFFF - words, words + 0x8000)


def entropy(symbols: np.ndarray) -> float:
    """Order-0, in bits a symbol."""
    _, counts = np.unique(symbols, return_counts=True)
    p = counts / counts.sum()
    return float(-(p * np.log2(p)).sum())


def folded_entropy(word: np.ndarray, guess: np.ndarray) -> float:
    """Of the two bytes of the folded difference of order keys."""
    difference = (order_keys(word) - order_keys(guess)) % 65536
    difference = np.where(difference >= 32768, difference - 65536, difference)
    folded = np.where(difference >= 0, 2 * difference, -2 * difference - 1)
    return entropy(folded >> 8) + entropy(folded & 255)


def fields_entropy(words: np.ndarray) -> float:
    """Of exponent, and of sign and mantissa."""
    words = words.astype(np.int64)
    return entropy(words >> 7 & 255) + entropy((words >> 8 & 0x80) | (words & 0x7F))


def int8_entropy(word: np.ndarray, guess: np.ndarray) -> float:
    """Of the difference modulo 256."""
    return entropy((word.astype(np.int64) - guess.astype(np.int64)) % 256)


def quantize(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """INT8 with a scale a row: words and scales."""
    scales = (np.abs(values).max(axis=1) / np.float32(127)).astype(np.float32)
    return np.rint(values / scales[:, None]).astype(np.int64), scales


@pytest.fixture(scope="module")
def models() -> dict[str, dict[str, np.ndarray]]:
    """A base model of two layers, the second the first's rows in another order and noise; and a fine-tune of it."""
    rng = np.random.default_rng(5)
    first = rng.normal(size=(ROWS, COLS)) * np.exp(rng.normal(size=(ROWS, 1)) / 2)
    second = 0.5 * first[rng.permutation(ROWS)] + 0.02 * rng.normal(size=first.shape)
    base = dict(zip(LAYERS, (to_bf16(first), to_bf16(second)), strict=True))
    tuned = {name: to_bf16(to_float(w) + 0.002 * rng.normal(size=w.shape)) for name, w in base.items()}
    return {"base": base, "tuned": tuned}


@pytest.fixture(scope="module")
def rows(command: Path, models: dict, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], dict]:
    """Rows of summary.csv by checkpoint, tensor, quantizer and reference."""
    folder = tmp_path_factory.mktemp("references")
    for name, tensors in models.items():
        write_bf16(folder / f"{name}.safetensors", tensors)
    experiment = {
        "experiment": "references",
        "checkpoints": [{"name": name, "path": str(folder / f"{name}.safetensors")} for name in models],
        "controls": ["original"],
        "axes": {
            "quantizer": ["lossless", "int8:axis=row"],
            "tile": ["16x16"],
            "modes": [["none"]],
            "coder": ["rans:tables=tensor"],
            "reference": [
                "none",
                *(f"checkpoint:from=base,fit={fit}" for fit in ("delta", "xor", "scalar", "affine")),
                *(f"previous-layer:fit={fit}" for fit in ("scalar", "permuted")),
            ],
        },
    }
    config = folder / "references.yaml"
    config.write_text(json.dumps(experiment))
    arguments = [command, "run", config, "--no-report", "--quiet", "--out", folder / "out"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    with (folder / "out" / "summary.csv").open(encoding="utf-8", newline="") as file:
        return {(r["checkpoint"], r["tensor"], r["quantizer"], r["reference"]): r for r in csv.DictReader(file)}


def left_of(rows: dict, *key: str) -> float:
    """Entropy of what is left, as the command has it."""
    return float(rows[key]["residual_h0_bpw"])


@pytest.mark.parametrize("tensor", LAYERS)
def test_words_of_a_fine_tune(rows: dict, models: dict, tensor: str) -> None:
    word, guess = models["tuned"][tensor], models["base"][tensor]
    name = "checkpoint:fit={},from=base"
    delta = left_of(rows, "tuned", tensor, "lossless", name.format("delta"))
    assert delta == pytest.approx(folded_entropy(word, guess), abs=1e-9)
    different = left_of(rows, "tuned", tensor, "lossless", name.format("xor"))
    assert different == pytest.approx(fields_entropy(word ^ guess), abs=1e-9)
    alone = float(rows["tuned", tensor, "lossless", "none"]["bpw"])
    assert float(rows["tuned", tensor, "lossless", name.format("delta")]["bpw"]) < alone


@pytest.mark.parametrize("tensor", LAYERS)
def test_codes_of_a_fine_tune(rows: dict, models: dict, tensor: str) -> None:
    """The base as quantized and dequantized, put on the fine-tune's own grid."""
    words, scales = quantize(to_float(models["tuned"][tensor]))
    base_words, base_scales = quantize(to_float(models["base"][tensor]))
    guess = np.rint(base_words * base_scales[:, None].astype(np.float64) / scales[:, None].astype(np.float64))
    expected = int8_entropy(words, np.clip(guess, -128, 127))
    found = left_of(rows, "tuned", tensor, "int8:axis=row", "checkpoint:fit=delta,from=base")
    # Float32 products may put a guess that lies half-way on the other side.
    assert found == pytest.approx(expected, abs=0.02)
    assert found < 0.7 * float(rows["tuned", tensor, "int8:axis=row", "none"]["h0_bpw"])


def test_least_squares_pay_four_bytes_a_coefficient(rows: dict) -> None:
    for quantizer, plain in (("lossless", 3), ("int8:axis=row", 1)):
        for fit, coefficients in (("delta", 0), ("scalar", 1), ("affine", 2)):
            row = rows["tuned", LAYERS[0], quantizer, f"checkpoint:fit={fit},from=base"]
            assert int(row["param_bytes"]) == plain + 4 * coefficients


def test_rows_in_another_order_are_found_and_their_order_paid(rows: dict) -> None:
    alone = float(rows["base", LAYERS[1], "int8:axis=row", "none"]["bpw"])
    scalar = float(rows["base", LAYERS[1], "int8:axis=row", "previous-layer:fit=scalar"]["bpw"])
    permuted = rows["base", LAYERS[1], "int8:axis=row", "previous-layer:fit=permuted"]
    assert float(permuted["bpw"]) < alone - 1
    assert abs(scalar - alone) < 0.1, "in their own order the rows have nothing in common"
    order_bits = math.log2(math.factorial(ROWS))
    assert order_bits <= 8 * (int(permuted["param_bytes"]) - 5) <= order_bits + 16


def test_the_first_layer_and_the_base_itself_have_none(rows: dict) -> None:
    for checkpoint in ("base", "tuned"):
        assert (checkpoint, LAYERS[0], "lossless", "previous-layer:fit=scalar") not in rows
    assert ("base", LAYERS[0], "lossless", "checkpoint:fit=delta,from=base") not in rows


def test_books_balance(rows: dict) -> None:
    accounts = [name for name in next(iter(rows.values())) if name.endswith("_bytes")]
    accounts = accounts[accounts.index("coded_bytes") + 1 :]
    for row in rows.values():
        assert sum(int(row[name]) for name in accounts) == int(row["coded_bytes"])
        assert float(row["h0_bpw"]) == float(rows[row["checkpoint"], row["tensor"], row["quantizer"], "none"]["h0_bpw"])

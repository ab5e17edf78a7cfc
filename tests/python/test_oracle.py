"""`wcodec run` against an oracle in NumPy that shares no code with it: every byte count, entropy and mode count.

The oracle (tests/oracle) starts from the checkpoint's bytes and follows docs/format.md. What it says of the shipped
reference model must be what the command writes to summary.csv and modes.csv.
"""

import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from oracle import coder, frequency, front, rans, side_stream
from oracle import record as records
from oracle.bits import varint
from oracle.checkpoint import Tensor, header_of, read_matrices
from oracle.compare import ABSOLUTE_TOLERANCE, differences, read_rows
from oracle.decode import Reader, decode, read_stream, read_table
from oracle.entropy import order_0
from oracle.measure import Figures, Key, measure, predict_planes
from oracle.predict import choose_modes, coding_order, residuals, symbol_costs
from oracle.quantize import QUANTIZERS, Plane, Quantized, WordFormat
from oracle.record import assemble
from oracle.transform import SETS, Transformed, forward, inverse

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "checkpoints" / "wcodec-ref-2m" / "model.safetensors"
MODE_SETS = [("none",), ("left",), ("none", "left", "top", "avg", "planar")]
RANS, RAW = "rans:tables=tensor", "raw"
ONE_TENSOR = "model.layers.1.self_attn.k_proj.weight"


def run_wcodec(
    command: Path,
    model: Path,
    out: Path,
    *,
    tile: str,
    coders: list[str],
    min_dim: int,
    include: str = "*",
    transforms: tuple[str, ...] = ("identity",),
) -> Path:
    """The results folder of an experiment over all quantizers and mode sets of this file. JSON is YAML."""
    experiment = {
        "experiment": "oracle",
        "checkpoints": [{"name": "model", "path": str(model)}],
        "tensors": {"include": [include], "min_dim": min_dim},
        "controls": ["original"],
        "axes": {
            "quantizer": list(QUANTIZERS),
            "tile": [tile],
            "modes": [list(modes) for modes in MODE_SETS],
            "transform": list(transforms),
            "coder": coders,
        },
        "baselines": [],
        "measure": {"bytes": "encoded"},
    }
    config = out.with_suffix(".yaml")
    config.write_text(json.dumps(experiment, indent=1))
    arguments = [command, "run", config, "--no-report", "--quiet", "--out", out]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def measure_file(
    model: Path,
    *,
    tile: tuple[int, int],
    coders: list[str],
    min_dim: int,
    only: str | None = None,
    transforms: tuple[str, ...] = ("identity",),
) -> dict[Key, Figures]:
    """The oracle's figures for the same cells."""
    expected: dict[Key, Figures] = {}
    for tensor in read_matrices(model, min_dim):
        if only in (None, tensor.name):
            for transform in transforms:
                expected |= measure(tensor, list(QUANTIZERS), tile, MODE_SETS, coders, transform)
    return expected


def write_f32(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """A safetensors file of F32 matrices."""
    entries, data = {}, b""
    for name, values in tensors.items():
        content = values.astype("<f4").tobytes()
        entries[name] = {
            "dtype": "F32",
            "shape": values.shape,
            "data_offsets": [len(data), len(data) + len(content)],
        }
        data += content
    header = json.dumps(entries).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)


def edge_cases() -> dict[str, np.ndarray]:
    """Matrices at the corners of the format: cut tiles, 1, 8 and 32 lanes, short groups, zeros, one value, outliers."""
    rng = np.random.default_rng(20)
    tall = rng.normal(size=(70, 131))
    tall[:40] = tall[:40].cumsum(axis=1)
    zeros = rng.normal(size=(20, 61))
    zeros[3:7] = 0
    outliers = rng.standard_t(3, size=(130, 300))
    outliers[0, 0] = 400
    return {
        "tall": tall,
        "few": rng.normal(size=(5, 7)),
        "single": np.array([[0.5]]),
        "zeros": zeros,
        "constant": np.full((33, 40), -0.25),
        "outliers": outliers,
        "ramp": np.add.outer(np.arange(48), np.arange(200)) / 64,
    }


# wcodec against the oracle


@pytest.mark.slow
def test_reference_model(command: Path, tmp_path: Path) -> None:
    results = run_wcodec(command, MODEL, tmp_path / "out", tile="16x16", coders=[RANS], min_dim=64)
    expected = measure_file(MODEL, tile=(16, 16), coders=[RANS], min_dim=64)
    assert len(expected) == 22 * len(QUANTIZERS) * len(MODE_SETS)
    assert differences(expected, results) == []


def test_other_tile_and_raw_coder(command: Path, tmp_path: Path) -> None:
    results = run_wcodec(
        command, MODEL, tmp_path / "out", tile="8x32", coders=[RANS, RAW], min_dim=64, include=ONE_TENSOR
    )
    expected = measure_file(MODEL, tile=(8, 32), coders=[RANS, RAW], min_dim=64, only=ONE_TENSOR)
    assert differences(expected, results) == []


def test_edge_cases(command: Path, tmp_path: Path) -> None:
    write_f32(tmp_path / "edges.safetensors", edge_cases())
    for tile, name in (((16, 16), "16x16"), ((3, 50), "3x50")):
        results = run_wcodec(
            command, tmp_path / "edges.safetensors", tmp_path / name, tile=name, coders=[RANS, RAW], min_dim=1
        )
        expected = measure_file(tmp_path / "edges.safetensors", tile=tile, coders=[RANS, RAW], min_dim=1)
        assert differences(expected, results) == []


def test_transforms(command: Path, tmp_path: Path) -> None:
    write_f32(tmp_path / "edges.safetensors", edge_cases())
    options = {"coders": [RANS, RAW], "min_dim": 1, "transforms": tuple(SETS)}
    for tile, name in (((16, 16), "16x16"), ((12, 50), "12x50")):
        results = run_wcodec(command, tmp_path / "edges.safetensors", tmp_path / name, tile=name, **options)
        assert differences(measure_file(tmp_path / "edges.safetensors", tile=tile, **options), results) == []


def test_transforms_of_the_reference_model(command: Path, tmp_path: Path) -> None:
    options = {"coders": [RANS], "min_dim": 64, "transforms": tuple(SETS)}
    results = run_wcodec(command, MODEL, tmp_path / "out", tile="16x16", include=ONE_TENSOR, **options)
    assert differences(measure_file(MODEL, tile=(16, 16), only=ONE_TENSOR, **options), results) == []


def fronted(tensor: Tensor, spec: str, order: str, approx: str) -> dict[str, int | float]:
    """Columns of summary.csv of one cell without prediction in tiles of 16x16, for what stands before the codec."""
    quantized = QUANTIZERS[spec](tensor)
    values = tensor.values() if spec == "lossless" else quantized.planes[0].symbols - quantized.planes[0].zero
    changed, order_bytes = front.arranged(quantized, values, order)
    changed, approx_bytes = front.without_means(changed, approx)
    planes = predict_planes(changed, (16, 16), [("none",)], "identity")["none",]
    coded = coder.ENCODERS[RANS]([plane.residuals for plane in planes])
    chosen, blocks = [plane.chosen for plane in planes], [plane.blocks for plane in planes]
    pieces = records.assemble(changed, (16, 16), ("none",), RANS, "identity", chosen, blocks, coded)
    size, ledger = sum(len(content) for _, content in pieces), records.ledger(pieces)
    side = len(order_bytes) + len(approx_bytes)
    if (order, approx) != ("identity", "none"):
        ledger["index"] += len(varint(size))
        ledger["param"] += side
        ledger["crc"] += 4
    return {f"{entry}_bytes": n for entry, n in ledger.items()} | {
        "coded_bytes": sum(ledger.values()),
        "h0_bpw": sum(order_0(plane.symbols) for plane in quantized.planes),
        "residual_h0_bpw": sum(order_0(plane.residuals.symbols) for plane in planes),
    }


def test_orders_and_means(command: Path, tmp_path: Path) -> None:
    names = ("tall", "few", "zeros", "outliers")
    write_f32(tmp_path / "edges.safetensors", {name: edge_cases()[name] for name in names})
    experiment = {
        "experiment": "oracle",
        "checkpoints": [{"name": "model", "path": str(tmp_path / "edges.safetensors")}],
        "controls": ["original"],
        "axes": {
            "quantizer": list(QUANTIZERS),
            "order": list(front.ORDERS),
            "approx": list(front.APPROXIMATIONS),
            "tile": ["16x16"],
            "modes": [["none"]],
            "coder": [RANS],
        },
    }
    config = tmp_path / "fronts.yaml"
    config.write_text(json.dumps(experiment))
    arguments = [command, "run", config, "--no-report", "--quiet", "--out", tmp_path / "out"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = read_rows(tmp_path / "out" / "summary.csv")
    tensors = {tensor.name: tensor for tensor in read_matrices(tmp_path / "edges.safetensors", 1)}
    # Means are for words of one plane: the plan leaves out lossless floats.
    of_floats, of_codes = len(front.ORDERS), len(front.ORDERS) * len(front.APPROXIMATIONS)
    assert len(rows) == len(names) * (of_floats + (len(QUANTIZERS) - 1) * of_codes)
    found = []
    for row in rows:
        cell = (row["quantizer"], row["order"], row["approx"])
        for column, value in fronted(tensors[row["tensor"]], *cell).items():
            if abs(float(row[column]) - value) > ABSOLUTE_TOLERANCE:
                found.append(f"{row['tensor']} {cell}: {column} is {row[column]}, the oracle has {value}")
    assert found == []


def test_one_altered_weight_is_noticed(command: Path, tmp_path: Path) -> None:
    """The sign of one weight is flipped: the oracle's figures of the file as it was must no longer agree."""
    altered = tmp_path / "altered.safetensors"
    shutil.copyfile(MODEL, altered)
    entries, data = header_of(MODEL.read_bytes())
    with altered.open("r+b") as file:
        at = data + entries[ONE_TENSOR]["data_offsets"][0]
        file.seek(at + 1)  # little-endian BF16: the second byte holds the sign
        high = file.read(1)[0]
        file.seek(at + 1)
        file.write(bytes([high ^ 0x80]))

    options = {"coders": [RANS], "min_dim": 64}
    results = run_wcodec(command, altered, tmp_path / "out", tile="16x16", include=ONE_TENSOR, **options)
    assert differences(measure_file(altered, tile=(16, 16), only=ONE_TENSOR, **options), results) == []
    found = differences(measure_file(MODEL, tile=(16, 16), only=ONE_TENSOR, **options), results)
    for quantizer in QUANTIZERS:
        assert any(f"'{quantizer}'" in line and "residual_h0_bpw" in line for line in found), quantizer


# The oracle against figures worked out by hand


def test_the_record_that_the_document_prints() -> None:
    plane = Plane("symbols", 8, 128, np.array([[129, 130], [131, 132]]))
    quantized = Quantized(WordFormat(8, 1, number=1), [plane], b"")
    coded = [[("payload", bytes([1, 2, 3, 4]))]]
    nothing = Transformed(np.zeros(0, np.int64), np.zeros(0, np.int64), b"")
    pieces = assemble(quantized, (16, 16), ("none",), RAW, "identity", [np.zeros(1, np.int64)], [nothing], coded)
    text = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")
    example = text[text.index("## A record byte by byte") :].split("```")[1].removeprefix("\n")
    digits = "".join(line.split("   ")[0] for line in example.splitlines())
    assert b"".join(content for _, content in pieces) == bytes.fromhex(digits)


def test_residuals_of_a_cut_tile() -> None:
    plane = Plane("symbols", 4, 8, np.array([[9, 11, 8], [14, 3, 8]]))
    by_name = {name: values.tolist() for name, values in residuals(plane, (2, 2)).items()}
    assert by_name == {
        "none": [[1, 3, 0], [6, 11, 0]],
        "left": [[1, 2, 0], [5, 5, 0]],
        "top": [[1, 2, 0], [5, 8, 0]],
        "avg": [[1, 2, 0], [5, 7, 0]],
        "planar": [[1, 2, 0], [5, 3, 0]],  # 14 + 11 - 9 = 16, which is 0 modulo 16
    }
    order, tile_of = coding_order((2, 3), (2, 2))
    assert order.tolist() == [0, 1, 3, 4, 2, 5]
    assert tile_of.tolist() == [[0, 0, 1], [0, 0, 1]]


def test_mode_costs_and_ties() -> None:
    # N = 4, A = 2: (4 + 1) / (3 + ½) and (4 + 1) / (1 + ½).
    assert symbol_costs(np.array([3, 1])).tolist() == [33723, 113834]
    plane = Plane("symbols", 4, 8, np.array([[8, 8, 8, 9, 12, 12]]))
    by_name = residuals(plane, (1, 2))
    _, tile_of = coding_order((1, 6), (1, 2))
    modes = [by_name["none"], by_name["left"]]
    assert modes[0].tolist() == [[0, 0, 0, 1, 4, 4]]
    assert modes[1].tolist() == [[0, 0, 0, 1, 4, 0]]
    assert choose_modes(plane, tile_of, modes, by_name["none"]).tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("count", "m", "expected"),
    [(0, 3, (0, 0)), (1, 0, (1, 0)), (1, 7, (1, 0)), (5, 2, (3, 1)), (9, 2, (4, 1)), (11, 2, (4, 2)), (15, 2, (5, 0))],
)
def test_counts_rounded_halves_up(count: int, m: int, expected: tuple[int, int]) -> None:
    assert frequency.rounded(count, m) == expected


@pytest.mark.parametrize(
    ("weights", "precision", "expected"),
    [
        ([1, 1, 1], 3, [3, 3, 2]),  # 2 each, remainders equal: the lower symbols get what is missing
        ([5, 0, 3], 3, [5, 0, 3]),
        ([1, 2, 2], 3, [2, 3, 3]),  # 1⅗, 3⅕, 3⅕: the largest remainder
        # 0, 0, 0, 7.97 become 1, 1, 1, 7: two too many, all spare units are the last symbol's
        ([1, 1, 1, 1000], 3, [1, 1, 1, 5]),
        # 1, 1, 1, 3, 3: one too many of spare 4, shares ⌊2·1/4⌋ = 0: taken from the lower of the two largest
        ([1, 1, 1, 500, 500], 3, [1, 1, 1, 2, 3]),
    ],
)
def test_frequencies(weights: list[int], precision: int, expected: list[int]) -> None:
    assert frequency.normalise(weights, precision).tolist() == expected


def test_table_of_one_symbol() -> None:
    table = frequency.choose_table(np.array([0, 0, 9, 0]), 14)
    assert (len(table.bits), table.bits.to_bytes()) == (4, bytes([0b1000]))
    assert table.frequencies.tolist() == [0, 0, 1 << 14, 0]


def test_table_written_bit_by_bit() -> None:
    # Zigzag differences 4, 3, 2 take 12 bits with k = 0, 10 with k = 1 and k = 2, 12 with k = 3. Lowest bit first:
    # kind 10, m 000, k 10; e = 2: 0010; e = 0: 011 and one further absent, 010; e = 1: 010.
    bits = frequency.given_table([2, 0, 0, 1], [0, 0, 0, 0], 0)
    assert len(bits) == 20
    assert bits.to_bytes() == bytes([0b00100001, 0b10110010, 0b00000100])
    assert read_table(Reader(bits.to_bytes()), 2, 8) == frequency.normalise([256, 0, 0, 128], 8).tolist()


def test_side_streams() -> None:
    assert side_stream.write(np.array([], np.int64), 3) == b""
    assert side_stream.write(np.full(9, 5), 3) == bytes([0, 5])
    assert side_stream.write(np.array([1, 0, 1, 1]), 1) == bytes([1, 0b1101])
    mostly_zero = np.arange(900) % 100 // 99
    assert side_stream.write(mostly_zero, 3)[0] == 2


@pytest.mark.parametrize("count", [1, 511, 512, 2047, 2048, 2500, 6000])
def test_streams_decode(count: int) -> None:
    rng = np.random.default_rng(count)
    symbols = [rng.choice(4, count, p=share) for share in ([0.9, 0.05, 0.04, 0.01], [0.25] * 4)]
    tables = [np.array([230, 14, 10, 2]), np.full(4, 64)]
    jobs = [rans.Job(values, 2, table, 12) for values, table in zip(symbols, tables, strict=True)]
    for values, table, pieces in zip(symbols, tables, rans.encode(jobs, 8), strict=True):
        reader = Reader(b"".join(content for _, content in pieces))
        assert read_stream(reader, count, 2, table.tolist(), 8, 12) == values.tolist()
        assert reader.at == len(reader.content)


@pytest.mark.parametrize("name", ["dct8", "adst8"])
def test_transforms_are_what_they_are_called(name: str) -> None:
    """Integers stay within 6 of the transform by definition, and come back exactly."""
    k, n = np.mgrid[:8, :8]
    if name == "dct8":
        matrix = 0.5 * np.cos((2 * n + 1) * k * np.pi / 16) * np.where(k == 0, np.sqrt(0.5), 1)
    else:
        matrix = 0.5 * np.sin((2 * n + 1) * (2 * k + 1) * np.pi / 32)
    blocks = np.random.default_rng(4).integers(-128, 128, (200, 8, 8))
    blocks[0], blocks[1] = -128, 127
    coefficients = forward(name, blocks)
    assert np.abs(coefficients - matrix @ blocks @ matrix.T).max() < 6
    assert (inverse(name, coefficients) == blocks).all()


def test_records_decode(tmp_path: Path) -> None:
    """What the oracle measures is a record that holds the tensor: a decoder that reads the document gets it back."""
    cases = {name: values for name, values in edge_cases().items() if values.size < 2000}
    write_f32(tmp_path / "edges.safetensors", cases)
    for tensor in read_matrices(tmp_path / "edges.safetensors", 1):
        quantized = {spec: quantize(tensor) for spec, quantize in QUANTIZERS.items()}
        cells = [
            cell
            for transform in SETS
            for cell in measure(tensor, list(QUANTIZERS), (16, 16), MODE_SETS, [RANS, RAW], transform).items()
        ]
        for key, figures in cells:
            record, original = decode(figures.record), quantized[key[1]]
            assert record.scales == original.scales, key
            for plane, expected in zip(record.planes, original.planes, strict=True):
                assert (plane == expected.symbols).all(), key

"""GGUF planes against the reference implementation: dequantized from our codes and scales, every block type gives the
same bits as gguf.dequantize."""

import sys
from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type

sys.path.insert(0, str(Path(__file__).resolve().parent))

from checkpoint_dump import Tensor, dump

QUANTIZED = [Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0]
K_QUANTIZED = [Type.Q4_K, Type.Q5_K, Type.Q6_K]
# Where a block keeps its half-precision scales: random bytes there would be NaN or infinite.
SCALE_OFFSETS = {Type.Q4_K: (0, 2), Type.Q5_K: (0, 2), Type.Q6_K: (208,)}
ROWS, COLS = 12, 1024


def quantized_bytes(kind: Type, rng: np.random.Generator) -> np.ndarray:
    if kind in QUANTIZED:
        return gguf.quantize(rng.standard_normal((ROWS, COLS), np.float32), kind)
    block, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (ROWS * COLS // block, size), np.uint8)
    for offset in SCALE_OFFSETS[kind]:
        scales = rng.standard_normal(len(blocks)).astype(np.float16)
        blocks[:, offset : offset + 2] = scales.view(np.uint8).reshape(-1, 2)
    return blocks.reshape(ROWS, -1)


@pytest.fixture(scope="module")
def blocks() -> dict[Type, np.ndarray]:
    rng = np.random.default_rng(7)
    return {kind: quantized_bytes(kind, rng) for kind in QUANTIZED + K_QUANTIZED}


@pytest.fixture(scope="module")
def plain() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(8)
    return {
        "f32": rng.standard_normal((3, 5, 7), np.float32),
        "f16": rng.standard_normal((4, 6)).astype(np.float16),
        "f64": rng.standard_normal(9),
        "i8": rng.integers(-128, 128, (2, 3, 4, 5), np.int8),
        "i16": rng.integers(-999, 999, (5, 1), np.int16),
        "i32": rng.integers(-999, 999, (1, 5), np.int32),
        "i64": rng.integers(-999, 999, (2, 2), np.int64),
    }


@pytest.fixture(scope="module")
def tensors(tmp_path_factory: pytest.TempPathFactory, build_dir: Path, blocks: dict, plain: dict) -> dict[str, Tensor]:
    folder = tmp_path_factory.mktemp("gguf")
    writer = gguf.GGUFWriter(folder / "model.gguf", "llama")
    writer.add_string("some.text", "Grüße")
    writer.add_array("some.tokens", ["a", "", "bc"])
    writer.add_array("some.scores", [1.0, 2.5])
    writer.add_bool("some.flag", True)
    for name, array in plain.items():
        writer.add_tensor(f"plain.{name}", array)
    for kind, data in blocks.items():
        writer.add_tensor(kind.name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return dump(build_dir, folder / "model.gguf", folder)


def test_plain_types(tensors: dict[str, Tensor], plain: dict[str, np.ndarray]) -> None:
    for name, array in plain.items():
        ours = tensors[f"plain.{name}"]
        assert ours.dtype == name.upper()
        assert ours.array.dtype == array.dtype
        np.testing.assert_array_equal(ours.array, array)
        assert ours.source_bytes == array.nbytes


def spread(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Each scale in float32 over the codes of its block."""
    return np.repeat(values.astype(np.float32), codes.shape[1] // values.shape[1], axis=1)


def dequantize(planes: dict[str, np.ndarray]) -> np.ndarray:
    """The arithmetic of ggml in float32, in its order: d · subscale first, then · code."""
    codes = planes["codes"]
    if "scales" in planes:
        values = spread(planes["scales"], codes) * codes
        return values + spread(planes["mins"], codes) if "mins" in planes else values
    per_block = planes["subscales"].shape[1] // planes["d"].shape[1]
    scales = np.repeat(planes["d"].astype(np.float32), per_block, axis=1) * planes["subscales"]
    values = spread(scales, codes) * codes
    if "submins" in planes:
        mins = np.repeat(planes["dmin"].astype(np.float32), per_block, axis=1) * planes["submins"]
        values = values - spread(mins, codes)
    return values


@pytest.mark.parametrize("kind", QUANTIZED + K_QUANTIZED, ids=lambda kind: kind.name)
def test_block_types(kind: Type, tensors: dict[str, Tensor], blocks: dict[Type, np.ndarray]) -> None:
    parts = {name: tensor for name, tensor in tensors.items() if name.startswith(kind.name + ".")}
    planes = {name.split(".")[1]: tensor.array for name, tensor in parts.items()}
    assert planes["codes"].shape == (ROWS, COLS)
    assert {tensor.source_type for tensor in parts.values()} == {kind.name}
    assert sum(tensor.source_bytes for tensor in parts.values()) == blocks[kind].nbytes
    expected = gguf.dequantize(blocks[kind], kind)
    np.testing.assert_array_equal(dequantize(planes).view(np.uint32), expected.view(np.uint32))


def test_codes_stay_in_their_range(tensors: dict[str, Tensor]) -> None:
    seen = 0
    for tensor in tensors.values():
        if tensor.dtype in ("U4", "I4", "U5", "I5", "U6", "I6"):
            bits, signed = int(tensor.dtype[1]), tensor.dtype[0] == "I"
            low, high = (-(1 << bits >> 1), (1 << bits >> 1) - 1) if signed else (0, (1 << bits) - 1)
            assert low <= tensor.array.min()
            assert tensor.array.max() <= high
            seen += 1
    assert seen == 11


OTHERS = [kind for kind in gguf.GGML_QUANT_SIZES if kind.name.startswith(("Q2", "Q3", "Q8_K", "IQ", "TQ", "MXFP4"))]


@pytest.mark.parametrize("kind", OTHERS, ids=lambda kind: kind.name)
def test_other_types_are_delivered_as_their_bytes(kind: Type, tmp_path: Path, build_dir: Path) -> None:
    block, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = np.random.default_rng(int(kind)).integers(0, 256, (3, 2 * size), dtype=np.uint8)
    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "llama")
    writer.add_tensor("w", blocks, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    tensors = dump(build_dir, tmp_path / "model.gguf", tmp_path)
    assert sum(tensor.source_bytes for tensor in tensors.values()) == blocks.nbytes
    if list(tensors) == ["w.blocks"]:
        np.testing.assert_array_equal(tensors["w.blocks"].array, blocks)
        return
    assert sorted(tensors) == ["w.codes", "w.scales"], "tables of sixteen values"
    halves = blocks.reshape(3, 2, size)[:, :, -16:]
    codes = np.concatenate([halves & 15, halves >> 4], axis=2).reshape(3, 2 * block)
    np.testing.assert_array_equal(tensors["w.codes"].array, codes)

"""Safetensors files against the reference reader and writer."""

import os
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

sys.path.insert(0, str(Path(__file__).resolve().parent))

from checkpoint_dump import DTYPES, dump


@pytest.fixture(scope="module")
def checkpoints(source_dir: Path) -> Path:
    folder = Path(os.environ.get("WCODEC_CHECKPOINTS", source_dir / "../shared/checkpoints"))
    if not folder.is_dir():
        pytest.skip(f"{folder}: no checkpoints there; set WCODEC_CHECKPOINTS")
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "pylm-llama-44m/model.safetensors",
        "tessdata-fast-lstm-int8.safetensors",
        "ple-tinylm-l8-int4.safetensors",
        "stories260k-f32.safetensors",
        "rwkv6-1m-bf16.safetensors",
        "rwkv6-1m-f32.safetensors",
    ],
)
def test_real_files(name: str, checkpoints: Path, build_dir: Path, tmp_path: Path) -> None:
    ours = dump(build_dir, checkpoints / name, tmp_path)
    with safe_open(checkpoints / name, "np") as reference:
        assert set(reference.keys()) == set(ours)
        for key, tensor in ours.items():
            assert tensor.array.tobytes() == reference.get_tensor(key).tobytes()
            assert list(tensor.array.shape) == reference.get_slice(key).get_shape()
            assert tensor.dtype == reference.get_slice(key).get_dtype()


def test_every_dtype_that_the_reference_writes(build_dir: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    names = [name for name in DTYPES if name[1:] not in ("4", "5", "6")]
    arrays = {name: rng.integers(0, 2, (3, 5)).astype(DTYPES[name]) for name in names}
    arrays |= {"empty": np.zeros((0, 4), np.float32), "scalar": np.array(1.5, np.float32)}
    save_file(arrays, tmp_path / "all.safetensors", {"format": "pt"})
    ours = dump(build_dir, tmp_path / "all.safetensors", tmp_path / "dump")
    assert set(ours) == set(arrays)
    for name, array in arrays.items():
        assert ours[name].dtype == (name if name in names else "F32")
        assert ours[name].array.shape == array.shape
        assert ours[name].array.tobytes() == array.tobytes()


def test_int4_view(checkpoints: Path, build_dir: Path, tmp_path: Path) -> None:
    path = checkpoints / "ple-tinylm-c3m-int4.safetensors"
    plain = dump(build_dir, path, tmp_path / "plain")
    viewed = dump(build_dir, path, tmp_path / "view", "*.codes", "int4:nibbles=low-first,bias=8")
    codes = [name for name in plain if name.endswith(".codes")]
    assert codes
    for name in codes:
        packed = plain[name].array
        values = np.stack([packed & 15, packed >> 4], -1).reshape(packed.shape[0], -1).astype(np.int8) - 8
        assert viewed[name].dtype == "I4"
        assert viewed[name].source_type == "int4:bias=8"
        np.testing.assert_array_equal(viewed[name].array, values)
        assert viewed[name].array.min() >= -8
        assert viewed[name].array.max() <= 7


def test_bits_view(build_dir: Path, tmp_path: Path) -> None:
    values = np.random.default_rng(2).standard_normal((4, 6)).astype(ml_dtypes.bfloat16)
    save_file({"w": values.view(np.uint16)}, tmp_path / "w.safetensors")
    ours = dump(build_dir, tmp_path / "w.safetensors", tmp_path / "dump", "w", "bf16")["w"]
    assert ours.dtype == "BF16"
    assert ours.array.tobytes() == values.tobytes()

"""wcodec.torch with the real PyTorch: every type it has, and a language model."""

import os
from pathlib import Path

import numpy as np
import pytest
import wcodec

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")
helper = pytest.importorskip("wcodec.torch")

TYPES = [
    name
    for name in (
        "bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64", "float16", "bfloat16",
        "float32", "float64", "complex64", "float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu",
    )
    if hasattr(torch, name)
]  # fmt: skip


def raw(tensor) -> bytes:
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def random_tensor(name: str, shape: tuple[int, ...]):
    dtype = getattr(torch, name)
    size = int(np.prod(shape)) * torch.empty(0, dtype=dtype).element_size()
    bits = np.random.default_rng(size).integers(0, 2 if name == "bool" else 256, size, np.uint8)
    return torch.from_numpy(bits).view(dtype).reshape(shape)


@pytest.mark.parametrize("preset", ["ratio", "balanced", "speed"])
def test_every_type_comes_back(preset, tmp_path):
    state = {
        f"{name}.{i}": random_tensor(name, shape) for name in TYPES for i, shape in enumerate([(40, 33), (7,), ()])
    }
    helper.save_file(state, tmp_path / "all.wcodec", {"format": "pt"}, preset=preset)
    back = helper.load_state_dict(tmp_path / "all.wcodec")
    assert sorted(back) == sorted(state)
    for name, tensor in state.items():
        assert (back[name].dtype, back[name].shape) == (tensor.dtype, tensor.shape), name
        assert raw(back[name]) == raw(tensor), name


def test_a_module_computes_the_same(tmp_path):
    torch.manual_seed(1)
    module = torch.nn.Sequential(torch.nn.Linear(24, 32), torch.nn.ReLU(), torch.nn.LayerNorm(32)).to(torch.bfloat16)
    helper.save_file(module.state_dict(), tmp_path / "m.wcodec")
    other = torch.nn.Sequential(torch.nn.Linear(24, 32), torch.nn.ReLU(), torch.nn.LayerNorm(32)).to(torch.bfloat16)
    other.load_state_dict(helper.load_state_dict(tmp_path / "m.wcodec"))
    x = torch.randn(5, 24, dtype=torch.bfloat16)
    assert torch.equal(module(x), other(x))


def test_a_language_model_in_every_type(source_dir, tmp_path):
    folder = Path(os.environ.get("WCODEC_CHECKPOINTS", source_dir.parent / "shared" / "checkpoints")) / "pylm-llama-44m"
    if not folder.is_dir():
        folder = source_dir / "checkpoints" / "wcodec-ref-2m"
    wcodec.encode_checkpoint(folder, tmp_path / "model.wcodec", preset="speed", verify=False)
    state = helper.load_state_dict(tmp_path / "model.wcodec")
    assert wcodec.verify_checkpoint(folder, tmp_path / "model.wcodec")
    weights = {name: tensor for name, tensor in state.items() if tensor.is_floating_point()}
    name, tensor = max(weights.items(), key=lambda item: item[1].numel())
    for dtype in ("float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"):
        if not hasattr(torch, dtype):
            continue
        cast = {name: tensor[:512].to(torch.float32).to(getattr(torch, dtype))}
        helper.save_file(cast, tmp_path / f"{dtype}.wcodec", preset="balanced")
        back = helper.load_state_dict(tmp_path / f"{dtype}.wcodec")[name]
        assert back.dtype == cast[name].dtype
        assert raw(back) == raw(cast[name]), dtype

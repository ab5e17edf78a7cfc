"""Containers for PyTorch: state dicts in and out. Needs the package torch (pip install wcodec[torch])."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from wcodec._checkpoints import Path
from wcodec._errors import WcodecError
from wcodec._reader import open as open_container
from wcodec._save import save_file as save_arrays
from wcodec._stats import Stats

try:
    import torch
except ImportError as error:
    raise ImportError("wcodec.torch needs PyTorch: pip install torch") from error

# How NumPy's types, and those of ml_dtypes, are called by torch.
_TYPES = {
    "bool": "bool",
    "uint8": "uint8",
    "int8": "int8",
    "uint16": "uint16",
    "int16": "int16",
    "uint32": "uint32",
    "int32": "int32",
    "uint64": "uint64",
    "int64": "int64",
    "float16": "float16",
    "float32": "float32",
    "float64": "float64",
    "complex64": "complex64",
    "bfloat16": "bfloat16",
    "float8_e4m3fn": "float8_e4m3fn",
    "float8_e5m2": "float8_e5m2",
    "float8_e8m0fnu": "float8_e8m0fnu",
}


def to_torch(array: np.ndarray) -> Any:
    """A tensor over the same memory where the array is contiguous."""
    name = _TYPES.get(array.dtype.name)
    dtype = getattr(torch, name, None) if name is not None else None
    if dtype is None:
        raise WcodecError(f"this torch has no type for {array.dtype}", "unsupported")
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return torch.from_numpy(flat).view(dtype).reshape(array.shape)


def load_state_dict(path: Path, device: Any = "cpu") -> dict[str, Any]:
    """Every layer of a container as a tensor, by name, moved to `device`. For Module.load_state_dict."""
    with open_container(path, framework="pt") as container:
        tensors = {name: container.get_tensor(name) for name in container.keys()}  # noqa: SIM118 (a method, no dict)
    return tensors if str(device) == "cpu" else {name: tensor.to(device) for name, tensor in tensors.items()}


def save_file(
    tensors: Mapping[str, Any], path: Path, metadata: Mapping[str, str] | None = None, **options: Any
) -> Stats:
    """Writes a state dict to a container; `options` are those of wcodec.encode_checkpoint."""
    in_memory = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return save_arrays(in_memory, path, metadata, **options)

"""Containers for PyTorch: state dicts in and out. Needs the package torch (pip install wcodec[torch])."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from wcodec._arrays import from_bytes
from wcodec._checkpoints import Path
from wcodec._devices import choose_device
from wcodec._errors import WcodecError
from wcodec._layers import option_map
from wcodec._reader import open as open_container
from wcodec._save import save_file as save_arrays
from wcodec._stats import Stats

try:
    import torch
except ImportError as error:
    raise ImportError("wcodec.torch needs PyTorch: pip install torch") from error

# Element types of containers, as torch calls them. Where NumPy has the type too the tensor is made from its array;
# otherwise from its bytes.
_SHARED = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "U32": "uint32",
    "I32": "int32",
    "U64": "uint64",
    "I64": "int64",
    "F16": "float16",
    "F32": "float32",
    "F64": "float64",
    "C64": "complex64",
}
_OWN = {
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu",
}
_NARROW = {"U4": np.uint8, "I4": np.int8, "U5": np.uint8, "I5": np.int8, "U6": np.uint8, "I6": np.int8}
_NAMES = {theirs: ours for ours, theirs in (_SHARED | _OWN).items()}


def torch_type(dtype: str) -> Any:
    name = (_SHARED | _OWN)[dtype]
    found = getattr(torch, name, None)
    if found is None:
        raise WcodecError(f"this torch has no type {name}", "unsupported")
    return found


def to_torch(array: np.ndarray, dtype: str) -> Any:
    """A tensor of this element type over the same memory, where the array is contiguous and writable. Elements of 4 to
    6 bits become bytes."""
    if dtype in _NARROW:
        array, dtype = array.astype(_NARROW[dtype]), {"U": "U8", "I": "I8"}[dtype[0]]
    wanted = torch_type(dtype)
    shape = array.shape
    flat = np.require(array, requirements=["C", "W"]).reshape(-1)
    if dtype in _SHARED:
        return torch.from_numpy(flat).reshape(shape)
    return torch.from_numpy(flat.view(np.uint8)).view(wanted).reshape(shape)


def to_array(tensor: Any) -> np.ndarray:
    """The array over a tensor's memory, or over a copy of it where that is on a device or not contiguous."""
    tensor = tensor.detach().cpu().contiguous()
    dtype = _NAMES.get(str(tensor.dtype).rpartition(".")[2])
    if dtype is None:
        raise WcodecError(f"tensors of {tensor.dtype} cannot be encoded", "unsupported")
    if dtype in _SHARED:
        return tensor.numpy()
    return from_bytes(tensor.reshape(-1).view(torch.uint8).numpy(), dtype, tuple(tensor.shape))


def load_layers(
    core: Any, layers: Mapping[str, Any], devices: Mapping[str, str], options: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Layers of an open container as tensors in the memory of the GPUs that `devices` names for each. Decoded data
    does not pass through main memory, but for what the GPU has no decoder for."""
    tensors, targets = {}, []
    for name, layer in layers.items():
        dtype = torch_type({"U": "U8", "I": "I8"}[layer.dtype[0]] if layer.dtype in _NARROW else layer.dtype)
        try:
            tensor = torch.empty(tuple(layer.shape), dtype=dtype, device=devices[name])
        except torch.cuda.OutOfMemoryError as error:
            raise WcodecError(
                f"{devices[name]} has no memory for layer '{name}'; name several GPUs, or leave layers on the CPU",
                "limit",
                layer=name,
            ) from error
        except (AssertionError, RuntimeError) as error:  # what a torch without CUDA says
            raise WcodecError(f"torch cannot use {devices[name]}: {error}", "unsupported", layer=name) from error
        tensors[name] = tensor
        targets.append((layer.index, tensor.device.index, tensor.data_ptr(), tensor.numel() * tensor.element_size()))
    # Memory that torch hands out again may still be read by what it has queued.
    for device in set(devices.values()):
        torch.cuda.current_stream(device).synchronize()
    core.load(targets, dict(options or {}), None)
    return tensors


def load_state_dict(
    path: Path, device: Any = "cpu", *, threads: int | None = None, gpu_staging: int | None = None
) -> dict[str, Any]:
    """Every layer of a container as a tensor, by name. For Module.load_state_dict.

    device       "cpu", "cuda:N", "auto", a torch.device, or several GPUs: ["cuda:0", "cuda:1"] get consecutive layers,
                 about as many bytes each. On GPUs layers are decoded where they stay; to other kinds of device they
                 are moved once the CPU has decoded them
    threads      that read and plan, 0 or None: one a processor
    gpu_staging  bytes of each GPU's memory for records on their way, and as many page-locked (2^28)
    """
    names = [str(one) for one in device] if isinstance(device, list | tuple) else [str(device)]
    if len(names) == 1 and names[0].partition(":")[0] not in ("cpu", "cuda", "auto"):
        return {name: tensor.to(names[0]) for name, tensor in load_state_dict(path).items()}
    chosen = [choose_device(name) for name in names]
    if len(chosen) > 1 and "cpu" in chosen:
        raise WcodecError("several devices have to be GPUs", "usage")
    with open_container(path, framework="pt", device=chosen[0]) as container:
        if chosen == ["cpu"]:
            return container.get_tensors()
        return container.spread(chosen, option_map(threads=threads, gpu_staging=gpu_staging))


def save_file(
    tensors: Mapping[str, Any], path: Path, metadata: Mapping[str, str] | None = None, **options: Any
) -> Stats:
    """Writes a state dict to a container; `options` are those of wcodec.encode_checkpoint."""
    arrays = {name: to_array(tensor) for name, tensor in tensors.items()}
    return save_arrays(arrays, path, metadata, dtypes=dtypes_of(tensors), **options)


def dtypes_of(tensors: Mapping[str, Any]) -> dict[str, str]:
    """Element types by name: without the package ml_dtypes an array of BF16 does not know that it is one."""
    return {name: _NAMES[str(tensor.dtype).rpartition(".")[2]] for name, tensor in tensors.items()}

"""Lossy models as `.wcodec` files, and back to safetensors."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wcodec._errors import WcodecError
from wcodec._reader import open as open_container
from wcodec._save import save_file, write_safetensors
from wcodec.lossy._grid import QuantizedModel
from wcodec.lossy._restore import COLUMNS, METADATA, ROWS, VERSION, dequantize, from_bf16, read_description, to_bf16

if TYPE_CHECKING:
    from wcodec._stats import Stats
    from wcodec.lossy._model import Model


def stored_tensors(
    model: Model, quantized: QuantizedModel
) -> tuple[dict[str, np.ndarray], dict[str, str], dict[str, str]]:
    """Arrays, metadata and element types of the file: words and exponents for matrices, all else as it was, in bf16
    where that changes nothing or where it was tuned, otherwise in float32."""
    arrays: dict[str, np.ndarray] = {}
    dtypes: dict[str, str] = {}
    for name, tensor in quantized.tensors.items():
        arrays[name] = tensor.words
        arrays[name + ROWS], arrays[name + COLUMNS] = tensor.row_exponents, tensor.col_exponents
    for name, value in model.original.items():
        if name in quantized.tensors:
            continue
        plain = quantized.others.get(name, value.cpu().numpy())
        half = to_bf16(plain)
        if name in quantized.others or np.array_equal((half.astype(np.uint32) << 16).view(np.float32), plain):
            arrays[name], dtypes[name] = half, "BF16"
        else:
            arrays[name] = plain
    bases = {name: tensor.base for name, tensor in quantized.tensors.items()}
    metadata = {
        "format": "pt",
        METADATA: json.dumps({"version": VERSION, "bases": bases}, sort_keys=True, separators=(",", ":")),
        METADATA + ".settings": json.dumps(quantized.settings, sort_keys=True, separators=(",", ":")),
    }
    return arrays, metadata, dtypes


def save(model: Model, quantized: QuantizedModel, path: str | os.PathLike[str], **options: Any) -> Stats:
    """Writes the container, decoding every part again while it does. `options` are those of encode_checkpoint; the
    preset is "ratio" unless they say otherwise. stats.encoded_bytes is the size of the file."""
    arrays, metadata, dtypes = stored_tensors(model, quantized)
    if not options.keys() & {"preset", "modes", "coder"}:
        options["preset"] = "ratio"
    return save_file(arrays, path, metadata, dtypes=dtypes, **options)


def load(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, str], dict[str, str]]:
    """Arrays, metadata and element types of a container, as stored."""
    with open_container(path) as container:
        arrays = {name: container.get_tensor(name) for name in container.keys()}  # noqa: SIM118 (a method, no dict)
        dtypes = {name: container.get_slice(name).get_dtype() for name in arrays}
        metadata = dict(container.metadata() or {})
    return arrays, metadata, dtypes


def restored_values(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """float32 of every tensor of a lossy container, exactly what its restored file holds."""
    arrays, metadata, dtypes = load(path)
    bases = read_description(metadata)
    values = {}
    for name, array in dequantize(arrays, metadata).items():
        if name in bases or dtypes[name] == "BF16":
            values[name] = from_bf16(array.view(np.uint16))
        else:
            values[name] = np.asarray(array, dtype=np.float32)
    return values


def restore(path: str | os.PathLike[str], destination: str | os.PathLike[str], *, overwrite: bool = False) -> int:
    """Writes the weights of a lossy container as a safetensors file, bf16 under the original names, as `wcodec decode`
    does. Returns its bytes."""
    target = Path(destination)
    if target.exists() and not overwrite:
        raise WcodecError(f"{target}: exists; overwrite=True replaces it", "usage", str(target))
    arrays, metadata, dtypes = load(path)
    bases = read_description(metadata)
    if not bases:
        raise WcodecError(
            f"{path}: holds no lossy model; wcodec.decode_checkpoint decodes it", "unsupported", str(path)
        )
    tensors = dequantize(arrays, metadata)
    kept = {key: value for key, value in metadata.items() if key != METADATA}
    types = {name: "BF16" if name in bases else dtypes[name] for name in tensors}
    scratch = target.with_name(f".wcodec-{target.name}.tmp")
    try:
        size = write_safetensors(tensors, scratch, kept, types)
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)
    return size

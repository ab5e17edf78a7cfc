"""Tensors in memory to a container."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

from wcodec._arrays import to_bytes
from wcodec._checkpoints import Path, encode_checkpoint
from wcodec._stats import Stats


def save_file(
    tensors: Mapping[str, Any],
    path: Path,
    metadata: Mapping[str, str] | None = None,
    *,
    dtypes: Mapping[str, str] | None = None,
    **options: Any,
) -> Stats:
    """Writes arrays (NumPy, or anything with DLPack in main memory) to a container at `path`, as safetensors.save_file
    does to a file of its own. Decoded, it is a safetensors file.

    dtypes   what elements mean where NumPy's type does not: {"a.weight": "BF16"} for an array of uint16
    options  those of encode_checkpoint
    """
    folder = FilePath(os.fspath(path)).absolute().parent
    with tempfile.TemporaryDirectory(prefix=".wcodec-", dir=folder) as scratch:
        source = FilePath(scratch) / "model.safetensors"
        write_safetensors(tensors, source, metadata, dtypes)
        return encode_checkpoint(source, path, **options)


def write_safetensors(
    tensors: Mapping[str, Any],
    path: FilePath,
    metadata: Mapping[str, str] | None = None,
    dtypes: Mapping[str, str] | None = None,
) -> int:
    """Writes a safetensors file, tensors by name; returns its bytes. Arguments as above."""
    prepared = {name: to_bytes(tensors[name], (dtypes or {}).get(name)) for name in sorted(tensors)}
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": dict(metadata)}
    offset = 0
    for name, (flat, dtype, shape) in prepared.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + flat.nbytes]}
        offset += flat.nbytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for flat, _, _ in prepared.values():
            file.write(flat)
    return 8 + len(text) + offset

"""Safetensors files, read from their bytes: u64 header length, JSON header, data."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

WORD_TYPES = {"BF16": "<u2", "F32": "<u4"}


@dataclass(frozen=True)
class Tensor:
    """A matrix of a checkpoint: ``words`` are its stored bit patterns, shape (rows, cols), uint16 or uint32."""

    name: str
    dtype: str
    words: np.ndarray

    def values(self) -> np.ndarray:
        """The weights as float32, exact for both dtypes; shape (rows, cols)."""
        wide = self.words.astype(np.uint32)
        return (wide << 16 if self.dtype == "BF16" else wide).view(np.float32)


def header_of(content: bytes) -> tuple[dict[str, dict], int]:
    """The entries of a safetensors file by tensor name, and the offset in bytes at which the data begins."""
    (length,) = struct.unpack_from("<Q", content)
    entries = json.loads(content[8 : 8 + length])
    entries.pop("__metadata__", None)
    return entries, 8 + length


def read_matrices(path: Path, min_dim: int) -> list[Tensor]:
    """The BF16 and F32 tensors of two dimensions of which neither is below ``min_dim``, by name."""
    content = path.read_bytes()
    entries, data = header_of(content)
    matrices = []
    for name, entry in sorted(entries.items()):
        shape = entry["shape"]
        if entry["dtype"] in WORD_TYPES and len(shape) == 2 and min(shape) >= min_dim:
            begin, end = entry["data_offsets"]
            words = np.frombuffer(content[data + begin : data + end], WORD_TYPES[entry["dtype"]])
            matrices.append(Tensor(name, entry["dtype"], words.reshape(shape)))
    return matrices

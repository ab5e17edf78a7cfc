"""Tensors of a lossy container back to weights, with NumPy alone. The layout is in docs/format.md."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from wcodec._errors import WcodecError
from wcodec.lossy._grid import QuantizedTensor

METADATA = "wcodec.lossy"
VERSION = 1
ROWS, COLUMNS = ".row_exponents", ".col_exponents"
# Bounds on what a file may say: 2^±126 is as far as float32 goes.
LOWEST, HIGHEST = -126 * 8, 126 * 8


def to_bf16(values: np.ndarray) -> np.ndarray:
    """float32 to the bits of bf16, round to nearest even; the values are finite."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def from_bf16(bits: np.ndarray) -> np.ndarray:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def read_description(metadata: Mapping[str, str]) -> dict[str, int]:
    """Base exponent of every matrix on a grid, from a file's metadata; empty if the file is not a lossy one."""
    text = metadata.get(METADATA)
    if text is None:
        return {}
    try:
        description = json.loads(text)
        version, bases = description["version"], description["bases"]
        if version != VERSION:
            raise WcodecError(f"lossy layout {version} is not known; this build reads {VERSION}", "unsupported")
        for name, base in bases.items():
            if type(base) is not int or not LOWEST <= base <= HIGHEST:
                raise WcodecError(f"{METADATA}: the base of '{name}' is not a whole number in reach", "corrupt")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise WcodecError(f"{METADATA}: not the description of a lossy model", "corrupt") from None
    return dict(bases)


def dequantize(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Weights by their original names: matrices that were on grids as bits of bf16 (uint16), others untouched."""
    bases = read_description(metadata)
    out = {}
    for name, base in bases.items():
        try:
            words, rows, cols = tensors[name], tensors[name + ROWS], tensors[name + COLUMNS]
        except KeyError as missing:
            raise WcodecError(f"tensor {missing} is missing", "corrupt", layer=name) from None
        if words.ndim != 2 or words.dtype != np.int8 or rows.dtype != np.uint8 or cols.dtype != np.uint8:
            raise WcodecError(f"tensor '{name}' is not a matrix of words with its exponents", "corrupt", layer=name)
        if (len(rows), len(cols)) != words.shape:
            raise WcodecError(f"tensor '{name}': its exponents do not fit its shape", "corrupt", layer=name)
        top = base + (int(rows.max()) if rows.size else 0) + (int(cols.max()) if cols.size else 0)
        if top > HIGHEST - 8 * 7:
            raise WcodecError(f"tensor '{name}': a step is out of range", "corrupt", layer=name)
        out[name] = to_bf16(QuantizedTensor(words, base, rows, cols).values())
    exponents = {name + suffix for name in bases for suffix in (ROWS, COLUMNS)}
    return {name: out.get(name, value) for name, value in tensors.items() if name not in exponents}

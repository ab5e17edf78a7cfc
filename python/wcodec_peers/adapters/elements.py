"""Arrays as NumPy knows them."""

from __future__ import annotations

import numpy as np

from wcodec_peers.protocol import Array, Refusal

# BF16 has no type in NumPy: its bits do.
TYPES = {
    "U8": np.uint8,
    "I8": np.int8,
    "U16": np.uint16,
    "I16": np.int16,
    "U32": np.uint32,
    "I32": np.int32,
    "U64": np.uint64,
    "I64": np.int64,
    "BF16": np.uint16,
    "F16": np.float16,
    "F32": np.float32,
    "F64": np.float64,
}


def numpy_type(array: Array) -> np.dtype:
    return np.dtype(TYPES[array.dtype])


def refuse(peer: str, array: Array, takes: str) -> Refusal:
    return Refusal(f"{peer} takes {takes}, not arrays of type {array.dtype}")


def widen(data: bytes | bytearray, array: Array) -> np.ndarray:
    """16-bit floating-point numbers as a matrix of the same numbers in 32 bits; others as they are."""
    if array.dtype == "BF16":
        flat = (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32)
    else:
        flat = np.frombuffer(data, numpy_type(array))
        if array.dtype == "F16":
            flat = flat.astype(np.float32)
    return flat.reshape(array.rows, array.cols)


def narrow(values: np.ndarray, array: Array) -> np.ndarray:
    """The inverse of widen, as a contiguous array."""
    if array.dtype == "BF16":
        return (np.ascontiguousarray(values).view(np.uint32) >> 16).astype(np.uint16)
    return np.ascontiguousarray(values, numpy_type(array))

"""Arrays to bytes and back, without copies where memory allows.

Element types have the names of safetensors ("BF16"). NumPy lacks some of them: with the package ml_dtypes installed
BF16, F8_* and the 4-bit integers are its types; without it BF16 is uint16 and F8_* are uint8, bits as they are.
U5, U6, I5, I6 (planes of GGUF files) are always uint8 and int8.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from wcodec import _core
from wcodec._errors import WcodecError

try:
    import ml_dtypes
except ImportError:
    ml_dtypes = None

# Name, NumPy type, and how ml_dtypes calls its own.
_TYPES = (
    ("BOOL", np.bool_, None),
    ("U8", np.uint8, None),
    ("I8", np.int8, None),
    ("U16", np.uint16, None),
    ("I16", np.int16, None),
    ("U32", np.uint32, None),
    ("I32", np.int32, None),
    ("U64", np.uint64, None),
    ("I64", np.int64, None),
    ("F16", np.float16, None),
    ("F32", np.float32, None),
    ("F64", np.float64, None),
    ("C64", np.complex64, None),
    ("BF16", np.uint16, "bfloat16"),
    ("F8_E4M3", np.uint8, "float8_e4m3fn"),
    ("F8_E5M2", np.uint8, "float8_e5m2"),
    ("F8_E8M0", np.uint8, "float8_e8m0fnu"),
    ("U4", np.uint8, "uint4"),
    ("I4", np.int8, "int4"),
    ("U5", np.uint8, None),
    ("I5", np.int8, None),
    ("U6", np.uint8, None),
    ("I6", np.int8, None),
)
_PLAIN = {name: np.dtype(plain) for name, plain, _ in _TYPES}
_NUMPY = {
    name: np.dtype(getattr(ml_dtypes, own)) if ml_dtypes is not None and own is not None else np.dtype(plain)
    for name, plain, own in _TYPES
}
# Of the names that share a NumPy type the first is meant, unless the caller says otherwise.
_NAMES = {own or np.dtype(plain).name: name for name, plain, own in reversed(_TYPES)}
_DLPACK = {  # (type code, bits) to name
    (4, 16): "BF16",
    (10, 8): "F8_E4M3",
    (12, 8): "F8_E5M2",
    (14, 8): "F8_E8M0",
}


def numpy_dtype(name: str) -> np.dtype:
    """The type that arrays of this element type have here."""
    if name not in _NUMPY:
        raise WcodecError(f"unknown dtype '{name}'; known: {', '.join(_NUMPY)}", "usage")
    return _NUMPY[name]


def to_numpy(array: Any) -> tuple[np.ndarray, str]:
    """A NumPy array over the same memory where possible, and the name of its element type."""
    if not isinstance(array, np.ndarray) and hasattr(array, "__dlpack__"):
        try:
            array = np.from_dlpack(array)
        except (BufferError, TypeError, RuntimeError, ValueError):
            return _unknown_to_numpy(array)
    array = np.asarray(array)
    name = _NAMES.get(array.dtype.name)
    if name is None:
        raise WcodecError(f"arrays of {array.dtype} cannot be encoded; known: {', '.join(_NUMPY)}", "unsupported")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array, name


def _unknown_to_numpy(array: Any) -> tuple[np.ndarray, str]:
    flat, shape, code, bits = _core.from_dlpack(array)
    name = _DLPACK.get((code, bits))
    if name is None:
        raise WcodecError(f"arrays of DLPack type {code} with {bits} bits cannot be encoded", "unsupported")
    return flat.view(_PLAIN[name]).reshape(shape), name


def to_bytes(array: Any, dtype: str | None = None) -> tuple[np.ndarray, str, tuple[int, ...]]:
    """(row-major bytes, dtype, shape). Copies only what is not contiguous. `dtype` says what the elements mean where
    NumPy's type does not: "BF16" for uint16, "I4" for int8."""
    found, name = to_numpy(array)
    if dtype is not None and dtype != name:
        if numpy_dtype(dtype).itemsize != found.dtype.itemsize:
            raise WcodecError(f"elements of {found.dtype} cannot be {dtype}: they differ in size", "usage")
        name = dtype
    shape = found.shape
    if found.dtype.name in ("int4", "uint4"):  # what lies in their upper bits is not defined
        found = found.astype(np.int8 if found.dtype.name == "int4" else np.uint8)
    flat = np.ascontiguousarray(found).reshape(-1)
    return flat.view(np.uint8), name, shape


def as_matrix(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns as the codec sees a tensor: rows are all dimensions but the last."""
    if not shape:
        return 1, 1
    rows = 1
    for side in shape[:-1]:
        rows *= side
    return rows, shape[-1]


def from_bytes(flat: np.ndarray, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """The array that these bytes are. No copy, except for the 4-bit types of ml_dtypes."""
    plain = flat.view(_PLAIN[dtype]).reshape(shape)
    wanted = numpy_dtype(dtype)
    if wanted == plain.dtype:
        return plain
    return plain.astype(wanted) if dtype in ("U4", "I4") else plain.view(wanted)


assert sys.byteorder == "little", "the formats are little-endian and copied as they stand"

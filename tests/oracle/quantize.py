"""Quantizers and planes: weights to symbols of at most 8 bits (docs/format.md, section Planes)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .checkpoint import Tensor


@dataclass(frozen=True)
class Plane:
    """Symbols of ``bits`` bits, shape (rows, cols), int64; ``zero`` is the symbol that stands for 0."""

    name: str
    bits: int
    zero: int
    symbols: np.ndarray


@dataclass(frozen=True)
class WordFormat:
    """How the record's header describes a word: bits, bytes in memory, kind of number, fields of a float."""

    bits: int
    memory_bytes: int
    number: int
    exponent_bits: int = 0
    mantissa_bits: int = 0


@dataclass(frozen=True)
class Quantized:
    """A matrix as words in planes, and the bytes of its scales."""

    format: WordFormat
    planes: list[Plane]
    scales: bytes


def integer_codes(values: np.ndarray, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Symmetric codes of groups of weights, one group a row; in float32 throughout.

    ``values``: float32, shape (groups, weights of a group). Returns the codes, shape as ``values``, in -levels…levels,
    and the scales, float32, shape (groups,): absmax / levels, or 1 for a group of zeros.
    """
    scale = np.abs(values).max(axis=1) / np.float32(levels)
    scale[scale == 0] = 1
    codes = np.clip(np.rint(values / scale[:, None]), -levels, levels)
    return codes.astype(np.int64), scale


def _signed(codes: np.ndarray, bits: int, scales: bytes) -> Quantized:
    zero = 1 << (bits - 1)
    return Quantized(WordFormat(bits, 1, number=1), [Plane("symbols", bits, zero, codes + zero)], scales)


def int8_by_row(tensor: Tensor) -> Quantized:
    """``int8:axis=row``: a scale a row, stored as F32."""
    codes, scale = integer_codes(tensor.values(), 127)
    return _signed(codes, 8, scale.astype("<f4").tobytes())


def int8_by_tensor(tensor: Tensor) -> Quantized:
    """``int8:axis=tensor``: one scale, stored as F32."""
    values = tensor.values()
    codes, scale = integer_codes(values.reshape(1, -1), 127)
    return _signed(codes.reshape(values.shape), 8, scale.astype("<f4").tobytes())


def int4_by_128(tensor: Tensor) -> Quantized:
    """``int4:group=128``: a scale for each 128 weights of a row, the last group of a row may be shorter.

    Scales are stored as F16, row by row; codes are chosen with the unrounded scale.
    """
    values = tensor.values()
    groups = [integer_codes(values[:, first : first + 128], 7) for first in range(0, values.shape[1], 128)]
    codes = np.hstack([codes for codes, _ in groups])
    scales = np.stack([scale for _, scale in groups], axis=1)
    return _signed(codes, 4, scales.astype("<f2").tobytes())


def lossless(tensor: Tensor) -> Quantized:
    """``lossless``: the bits exponent, sign, mantissa of bf16 or F32, cut from the top into planes of 8 bits."""
    mantissa_bits = {"BF16": 7, "F32": 23}[tensor.dtype]
    bits = 9 + mantissa_bits
    words = tensor.words.astype(np.int64)
    sign, exponent = words >> bits - 1, words >> mantissa_bits & 0xFF
    regrouped = exponent << bits - 8 | sign << mantissa_bits | words & (1 << mantissa_bits) - 1
    names = ("exponent", "sign_mantissa", "mantissa1", "mantissa2")[: bits // 8]
    planes = [Plane(name, 8, 0, regrouped >> bits - 8 * (k + 1) & 0xFF) for k, name in enumerate(names)]
    return Quantized(WordFormat(bits, bits // 8, number=2, exponent_bits=8, mantissa_bits=mantissa_bits), planes, b"")


QUANTIZERS = {
    "int8:axis=row": int8_by_row,
    "int8:axis=tensor": int8_by_tensor,
    "int4:group=128": int4_by_128,
    "lossless": lossless,
}

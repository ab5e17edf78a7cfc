"""What may stand before the tensor codec (experiments/arranged_record.hpp): orders and means, by whole numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from . import side_stream
from .bits import varint
from .quantize import Plane, Quantized

ORDERS = ("identity", "transpose", "scale", "scale:axis=both", "heads:axis=both,block=10,stride=4")
APPROXIMATIONS = ("none", "mean", "mean:axis=row", "mean:axis=column")
BLOCK_BITS = 4096


def permutation(order: np.ndarray) -> bytes:
    """The number of a permutation, digit by digit from the largest radix, in blocks of at most 4096 bits."""
    left = order.tolist()
    out, radix = b"", len(left)
    while radix > 1:
        states, number = 1, 0
        while radix > 1 and states.bit_length() + radix.bit_length() <= BLOCK_BITS:
            digit = left[radix - 1]
            at = left.index(radix - 1)
            left[radix - 1], left[at] = left[at], left[radix - 1]
            states, number, radix = states * radix, number * radix + digit, radix - 1
        out += number.to_bytes((states.bit_length() + 7) // 8, "little")
    return out


def scales(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Root mean square of rows, and of columns once rows are divided by theirs; sums from the first to the last."""
    x = values.astype(np.float64)
    rows = np.sqrt((x * x).cumsum(axis=1)[:, -1] / x.shape[1])
    inverse = np.divide(1, rows, out=np.zeros_like(rows), where=rows > 0)
    divided = x * inverse[:, None]
    return rows, np.sqrt((divided * divided).cumsum(axis=0)[-1] / x.shape[0])


def gathered(count: int, stride: int, block: int) -> np.ndarray:
    """Of each block every stride-th, from the first on, then from the second."""
    blocks = [np.arange(first, min(first + block, count)) for first in range(0, count, block)]
    return np.concatenate([b[offset::stride] for b in blocks for offset in range(stride)])


def arranged(quantized: Quantized, values: np.ndarray, order: str) -> tuple[Quantized, bytes]:
    """The planes in an order, and what the record says of it. ``values``: of the words, for their scales."""
    shape = quantized.planes[0].symbols.shape
    rows, cols = (np.arange(n) for n in shape)
    side = {"identity": b"\0", "transpose": b"\1"}.get(order, b"")
    if order.startswith("scale"):
        by_rows, by_cols = (np.argsort(s, kind="stable") for s in scales(values))
        rows, side = by_rows, b"\4" + permutation(by_rows)
        if order.endswith("both"):
            cols, side = by_cols, bytes([4 | 2 << 3]) + side[1:] + permutation(by_cols)
    if order.startswith("heads"):
        rows, cols = (gathered(n, 4, 10) for n in shape)
        side = bytes([2 | 1 << 3]) + 2 * (varint(4) + varint(10))

    def moved(plane: Plane) -> Plane:
        symbols = plane.symbols[rows][:, cols]
        return replace(plane, symbols=symbols.T.copy() if order == "transpose" else symbols)

    return replace(quantized, planes=[moved(plane) for plane in quantized.planes]), side


def without_means(quantized: Quantized, approx: str) -> tuple[Quantized, bytes]:
    """A single plane less its means modulo 2^bits, and what the record says of them."""
    if approx == "none":
        return quantized, b"\0"
    (plane,) = quantized.planes
    last, axes = (1 << plane.bits) - 1, {"row": 1, "column": 2}.get(approx.partition("=")[2], 3)
    values, side = plane.symbols - plane.zero, bytes([1, axes])
    for axis in (0, 1):
        if axes & 1 << axis:
            sums, count = values.sum(axis=1 - axis), values.shape[1 - axis]
            means = np.clip((2 * sums + count) // (2 * count), -plane.zero, last - plane.zero)
            side += side_stream.write(means + plane.zero, plane.bits)
            values = values - np.expand_dims(means, 1 - axis)
    return replace(quantized, planes=[replace(plane, symbols=(values + plane.zero) & last)]), side

"""Bit strings as docs/format.md writes them: the first bit is the lowest of the first byte; and varints."""

from __future__ import annotations

import numpy as np


class BitString:
    """Bits in the order in which they are written."""

    def __init__(self) -> None:
        self._bits: list[int] = []

    def __len__(self) -> int:
        return len(self._bits)

    def put(self, value: int, width: int) -> None:
        """The low ``width`` bits of a value, lowest first."""
        self._bits += [value >> k & 1 for k in range(width)]

    def put_unary(self, zeros: int) -> None:
        """That many zeros and a one."""
        self._bits += [0] * zeros + [1]

    def to_bytes(self) -> bytes:
        """Padded with zero bits to whole bytes."""
        return np.packbits(np.array(self._bits, np.uint8), bitorder="little").tobytes()


def pack(values: np.ndarray, width: int) -> bytes:
    """Values of ``width`` bits one after another, lowest bit first, zero-padded to a byte (section Coders, raw)."""
    bits = values.ravel()[:, None] >> np.arange(width) & 1
    return np.packbits(bits.astype(np.uint8).ravel(), bitorder="little").tobytes()


def varint(value: int) -> bytes:
    """LEB128 in its shortest form."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])

"""Side streams of small values (docs/format.md, section Side stream)."""

from __future__ import annotations

import numpy as np

from . import frequency, rans
from .bits import pack

CONSTANT, PACKED, CODED = 0, 1, 2
PRECISION = 12


def write(values: np.ndarray, width: int) -> bytes:
    """Values below 2^width, shape (n,), as the reference encoder writes them."""
    if values.size == 0:
        return b""
    if (values == values[0]).all():
        return bytes([CONSTANT, values[0]])
    table = frequency.choose_table(np.bincount(values, minlength=1 << width), PRECISION)
    (stream,) = rans.encode([rans.Job(values, width, table.frequencies)], PRECISION)
    coded = table.bits.to_bytes() + b"".join(content for _, content in stream)
    packed = pack(values, width)
    return bytes([CODED]) + coded if len(coded) < len(packed) else bytes([PACKED]) + packed

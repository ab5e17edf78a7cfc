"""The rANS stream of docs/format.md, section Coders, with all lanes of all streams in one NumPy row.

Lanes do not share state, so a step of the encoder advances them together; only the order of the words ties them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LOW = np.uint64(1 << 16)


@dataclass(frozen=True)
class Stream:
    """``states``: 4 bytes a lane. ``words``: the 16-bit words, in the order in which a decoder takes them."""

    states: bytes
    words: bytes


def lane_count(symbols: int) -> int:
    """Interleaved lanes of a stream."""
    return 32 if symbols >= 8192 else 8 if symbols >= 1024 else 1


def encode(symbols: list[np.ndarray], frequencies: list[np.ndarray], precision: int) -> list[Stream]:
    """Encodes streams of equal length side by side, each with its own table.

    ``symbols``: one array of shape (n,) a stream, n ≥ 1; ``frequencies``: one of shape (alphabet,) a stream.
    """
    n = symbols[0].size
    lanes = lane_count(n)
    steps = -(-n // lanes)
    # A symbol of frequency 2^precision that starts at 0 changes nothing: it fills the last, incomplete step.
    f = np.full((len(symbols), steps * lanes), 1 << precision, np.uint64)
    start = np.zeros_like(f)
    for row, (of_stream, table) in enumerate(zip(symbols, frequencies, strict=True)):
        f[row, :n] = table[of_stream]
        start[row, :n] = (np.cumsum(table) - table)[of_stream]
    f, start = (np.ascontiguousarray(a.reshape(-1, steps, lanes).transpose(1, 0, 2)) for a in (f, start))

    p, flush = np.uint64(precision), np.uint64(32 - precision)
    x = np.full((len(symbols), lanes), LOW)
    words = np.zeros(f.shape, "<u2")
    written = np.zeros(f.shape, bool)
    for step in reversed(range(steps)):
        full = x >= f[step] << flush
        written[step] = full
        words[step] = x & (LOW - np.uint64(1))
        x = np.where(full, x >> np.uint64(16), x)
        quotient = x // f[step]
        x = (quotient << p) + start[step] + (x - quotient * f[step])
    return [
        Stream(x[row].astype("<u4").tobytes(), words[:, row][written[:, row]].tobytes()) for row in range(len(symbols))
    ]

"""constriction (https://bamler-lab.github.io/constriction): an entropy coder for whoever brings a model.

The model here is the plainest there is, the histogram of each byte plane. A stream is, plane by plane: the smallest and
the largest symbol (a byte each), a 16-bit frequency for each symbol between them, the number of 32-bit words, the
words."""

from __future__ import annotations

import struct

import constriction
import numpy as np

from wcodec_peers.adapters.elements import numpy_type
from wcodec_peers.protocol import Array

# Attributes of a compiled module, not modules.
model, queue, stack = constriction.stream.model, constriction.stream.queue, constriction.stream.stack

SPAN = struct.Struct("<BB")
WORDS = struct.Struct("<I")
LARGEST = 65535


def frequencies(symbols: np.ndarray) -> tuple[int, int, np.ndarray]:
    counts = np.bincount(symbols, minlength=256)
    present = counts.nonzero()[0]
    low, high = int(present[0]), int(present[-1])
    counts = counts[low : high + 1]
    scaled = np.maximum(np.rint(counts * (LARGEST / counts.max())), counts > 0)
    return low, high, scaled.astype("<u2")


def categorical(table: np.ndarray) -> model.Categorical:
    if len(table) == 1:
        table = np.append(table, np.uint16(0))  # it wants two symbols
    return model.Categorical(table / table.sum(dtype=np.float64), perfect=False)


class Codec:
    def __init__(self, array: Array) -> None:
        self._width = numpy_type(array).itemsize
        self._count = array.rows * array.cols
        self._is_ans = dict(array.options)["coder"] == "ans"

    def _encode(self, symbols: np.ndarray, table: np.ndarray) -> np.ndarray:
        if self._is_ans:
            coder = stack.AnsCoder()
            coder.encode_reverse(symbols, categorical(table))
        else:
            coder = queue.RangeEncoder()
            coder.encode(symbols, categorical(table))
        return coder.get_compressed()

    def compress(self, data: bytearray) -> bytes:
        if not self._count:
            return b""
        planes = np.frombuffer(data, np.uint8).reshape(-1, self._width)
        pieces = []
        for plane in range(self._width):
            low, high, table = frequencies(planes[:, plane])
            words = self._encode(planes[:, plane].astype(np.int32) - low, table)
            pieces += [SPAN.pack(low, high), table.tobytes(), WORDS.pack(len(words)), words.tobytes()]
        return b"".join(pieces)

    def decompress(self, data: bytes) -> np.ndarray:
        planes = np.empty((self._count, self._width), np.uint8)
        at = 0
        for plane in range(self._width if self._count else 0):
            low, high = SPAN.unpack_from(data, at)
            table = np.frombuffer(data, "<u2", high - low + 1, at + SPAN.size)
            at += SPAN.size + table.nbytes
            (count,) = WORDS.unpack_from(data, at)
            words = np.frombuffer(data, "<u4", count, at + WORDS.size)
            at += WORDS.size + words.nbytes
            coder = stack.AnsCoder(words) if self._is_ans else queue.RangeDecoder(words)
            planes[:, plane] = coder.decode(categorical(table), self._count) + low
        if at != len(data):
            raise ValueError("bytes are left over")
        return planes


codec = Codec

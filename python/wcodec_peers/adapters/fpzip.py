"""fpzip (https://github.com/LLNL/fpzip) at full precision, on matrices of 32- and 64-bit floating-point numbers. 16-bit
ones go in as the same numbers in 32 bits."""

from __future__ import annotations

import fpzip
import numpy as np

from wcodec_peers.adapters.elements import narrow, refuse, widen
from wcodec_peers.protocol import Array


class Codec:
    def __init__(self, array: Array) -> None:
        if array.dtype not in ("BF16", "F16", "F32", "F64"):
            raise refuse("fpzip", array, "floating-point numbers")
        self._array = array

    def compress(self, data: bytearray) -> bytes:
        return fpzip.compress(widen(data, self._array), precision=0, order="C")

    def decompress(self, data: bytes) -> np.ndarray:
        return narrow(fpzip.decompress(data, order="C"), self._array)


codec = Codec

"""zfp (https://zfp.io) in its reversible mode, on matrices of 32- and 64-bit numbers with its full header. 16-bit
floating-point numbers go in as the same numbers in 32 bits, 8-bit integers likewise."""

from __future__ import annotations

import numpy as np
import zfpy

from wcodec_peers.adapters.elements import narrow, numpy_type, refuse, widen
from wcodec_peers.protocol import Array

TAKES = ("I8", "U8", "BF16", "F16", "F32", "F64", "I32", "I64")


class Codec:
    def __init__(self, array: Array) -> None:
        if array.dtype not in TAKES:
            raise refuse("zfp", array, "32- and 64-bit signed integers and floating-point numbers, and what fits them")
        self._array = array
        self._is_byte = array.dtype in ("I8", "U8")

    def compress(self, data: bytearray) -> bytes:
        values = widen(data, self._array)
        return zfpy.compress_numpy(values.astype(np.int32) if self._is_byte else values)

    def decompress(self, data: bytes) -> np.ndarray:
        values = zfpy.decompress_numpy(data)
        return values.astype(numpy_type(self._array)) if self._is_byte else narrow(values, self._array)


codec = Codec

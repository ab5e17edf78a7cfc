"""ZipNN (https://github.com/zipnn/zipnn): one buffer of floating-point weights, one thread."""

from __future__ import annotations

from zipnn import ZipNN

from wcodec_peers.adapters.elements import refuse
from wcodec_peers.protocol import Array

NAMES = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}


class Codec:
    def __init__(self, array: Array) -> None:
        if array.dtype not in NAMES:
            raise refuse("ZipNN", array, "BF16, F16 and F32")
        self._zipnn = ZipNN(
            method=dict(array.options)["method"].upper(),
            input_format="byte",
            bytearray_dtype=NAMES[array.dtype],
            threads=1,
        )

    def compress(self, data: bytearray) -> bytes:
        return self._zipnn.compress(data)

    def decompress(self, data: bytes) -> bytes:
        return self._zipnn.decompress(data)


codec = Codec

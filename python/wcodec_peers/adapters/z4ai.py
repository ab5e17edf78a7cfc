"""z4ai (PyPI z4ai): one frame a buffer, single-threaded as far as it can be told to be. search=false is its primary
layout for the type alone, search=true its default: further layouts tried and the smallest kept."""

from __future__ import annotations

import z4ai

from wcodec_peers.protocol import Array

NAMES = {"BF16": "bf16", "F16": "fp16", "F32": "fp32", "F64": "fp64", "I8": "int8", "U8": "uint8"}


class Codec:
    def __init__(self, array: Array) -> None:
        self._dtype = NAMES.get(array.dtype)  # None: opaque bytes
        self._auto = dict(array.options)["search"] == "true"

    def compress(self, data: bytearray) -> bytes:
        return z4ai.compress(data, dtype=self._dtype, threads=1, auto=self._auto)

    def decompress(self, data: bytes) -> bytes:
        return z4ai.decompress(data)


codec = Codec

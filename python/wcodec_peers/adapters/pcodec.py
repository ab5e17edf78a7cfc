"""pcodec (https://github.com/pcodec/pcodec): one standalone file an array. BF16, which it does not know, goes in as the
16-bit integers of its bits, and 8-bit integers by its option for them."""

from __future__ import annotations

import numpy as np
from pcodec import ChunkConfig, standalone

from wcodec_peers.adapters.elements import numpy_type
from wcodec_peers.protocol import Array


class Codec:
    def __init__(self, array: Array) -> None:
        self._type = np.dtype(np.int16) if array.dtype == "BF16" else numpy_type(array)
        self._config = ChunkConfig(compression_level=int(dict(array.options)["level"]), enable_8_bit=True)

    def compress(self, data: bytearray) -> bytes:
        return standalone.simple_compress(np.frombuffer(data, self._type), self._config)

    def decompress(self, data: bytes) -> np.ndarray:
        return standalone.simple_decompress(data)


codec = Codec

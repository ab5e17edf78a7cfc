"""DeepCABAC, the entropy coder of ISO/IEC 15938-17, as NNCodec has it (https://github.com/fraunhoferhhi/nncodec): a
matrix of integers, context-adaptive, with its parameters chosen by the encoder. The package's file format around it and
its quantizer, which is lossy, are left out: a stream is what the arithmetic coder writes.

The package asks for NumPy before 2 and for PyTorch, neither of which this coder uses (docs/peers.md)."""

from __future__ import annotations

import numpy as np
from nncodec.extensions import deepCABAC

from wcodec_peers.adapters.elements import numpy_type, refuse
from wcodec_peers.protocol import Array

UNARY_LENGTH = 11  # of NNCodec's own compress(): cabac_unary_length_minus1 = 10
NO_HISTORY = (deepCABAC.HdspMode.AlwaysOff, np.zeros(2, np.int8))
CODEBOOK = (0, 0)


class Codec:
    def __init__(self, array: Array) -> None:
        if array.dtype not in ("I8", "U8"):
            raise refuse("DeepCABAC", array, "quantized symbols")
        self._type = numpy_type(array)
        self._shape = (array.rows, array.cols)

    def compress(self, data: bytearray) -> np.ndarray:
        values = np.frombuffer(data, self._type).astype(np.int32).reshape(self._shape)
        encoder = deepCABAC.Encoder()
        encoder.initCtxModels(UNARY_LENGTH, 1)
        encoder.encodeLayer(values, 0, 0, 0, 0, 0, np.zeros(self._shape[0], np.int32), *NO_HISTORY, *CODEBOOK)
        return encoder.finish()

    def decompress(self, data: bytes) -> np.ndarray:
        values = np.zeros(self._shape, np.int32)
        decoder = deepCABAC.Decoder()
        decoder.setStream(np.frombuffer(data, np.uint8))
        decoder.initCtxModels(UNARY_LENGTH)
        decoder.decodeLayer(values, 0, 0, 0, 0, *NO_HISTORY, *CODEBOOK)
        decoder.finish()
        return values.astype(self._type)


codec = Codec

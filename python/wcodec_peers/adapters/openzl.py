"""OpenZL (https://openzl.org): one frame of one numeric input, format version the newest.

graph=typed takes floating-point numbers apart with OpenZL's own nodes: exponents by FSE; sign and fraction, in which
there is nothing to gain, stored, save those of F16, whose two bytes are split because sign and high fraction bits share
one. Everything else, and graph=generic, is its generic graph."""

from __future__ import annotations

import numpy as np
import openzl.ext as zl

from wcodec_peers.adapters.elements import numpy_type
from wcodec_peers.protocol import Array


def typed(compressor: zl.Compressor, dtype: str) -> zl.GraphID | None:
    exponents = zl.graphs.Fse()(compressor)
    stored = zl.graphs.Store()(compressor)
    if dtype == "BF16":
        return zl.nodes.BFloat16Deconstruct()(compressor, stored, exponents)
    if dtype == "F32":
        return zl.nodes.Float32Deconstruct()(compressor, stored, exponents)
    if dtype == "F16":
        planes = zl.nodes.TransposeSplit()(compressor, zl.graphs.Entropy()(compressor))
        return zl.nodes.Float16Deconstruct()(compressor, planes, exponents)
    return None


class Codec:
    def __init__(self, array: Array) -> None:
        options = dict(array.options)
        self._type = np.dtype(f"u{numpy_type(array).itemsize}")  # OpenZL's numbers are words
        self._compressor = zl.Compressor()
        self._compressor.set_parameter(zl.CParam.FormatVersion, zl.MAX_FORMAT_VERSION)
        self._compressor.set_parameter(zl.CParam.CompressionLevel, int(options["level"]))
        graph = typed(self._compressor, array.dtype) if options["graph"] == "typed" else None
        self._compressor.select_starting_graph(graph or zl.graphs.Compress()(self._compressor))

    def compress(self, data: bytearray) -> bytes:
        context = zl.CCtx()
        context.ref_compressor(self._compressor)
        return context.compress([zl.Input(zl.Type.Numeric, np.frombuffer(data, self._type))])

    def decompress(self, data: bytes) -> np.ndarray:
        return zl.DCtx().decompress(data)[0].content.as_nparray()


codec = Codec

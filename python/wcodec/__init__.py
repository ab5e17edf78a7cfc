"""Lossless compression of neural-network weights, and experiments with it.

    record, stats = wcodec.Encoder(tile_size=16).encode_layer(array)
    array, stats = wcodec.Decoder(tile_size=16).decode_layer(record, *array.shape)

Every failure is a WcodecError with kind, file, layer and offset.
"""

from wcodec._core import __version__
from wcodec._errors import WcodecError
from wcodec._layers import Decoder, Encoder
from wcodec._stats import Stats

__all__ = ["Decoder", "Encoder", "Stats", "WcodecError", "__version__"]

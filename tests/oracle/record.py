"""The tensor record, byte for byte, and its ledger (docs/format.md, sections Layout and A plane)."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from . import coder as coders
from . import predict, side_stream
from . import transform as transforms
from .bits import varint
from .coder import Piece
from .quantize import Quantized

LEDGER = (
    *("payload", "table", "mode", "transform", "param", "context"),
    *("state", "index", "scale", "header", "padding", "crc"),
)


def assemble(
    quantized: Quantized,
    tile: tuple[int, int],
    modes: tuple[str, ...],
    coder: str,
    transform: str,
    chosen: list[np.ndarray],
    transformed: list[transforms.Transformed],
    coded: list[list[Piece]],
) -> list[Piece]:
    """The pieces of a record in the order of the file.

    ``chosen``: for each plane the mode of each tile, an index into ``modes``, shape (tiles,); ``transformed``: its
    symbols through ``transform``; ``coded``: for each plane
    what the coder made of its residuals.
    """
    form = quantized.format
    header = b"WCT0" + bytes([1, form.bits, form.memory_bytes, form.number, form.exponent_bits, form.mantissa_bits])
    header += b"".join(varint(n) for n in (*quantized.planes[0].symbols.shape, *tile))
    names = transforms.SETS[transform]
    header += bytes([0] if names == ("identity",) else [len(names), *(transforms.IDS[name] for name in names)])
    header += bytes([coders.IDS[coder], len(modes)])
    header += b"".join(bytes([predict.IDS[mode], 0]) for mode in modes)
    pieces: list[Piece] = [("header", header + varint(len(quantized.scales)))]
    for of_tile, blocks, of_plane in zip(chosen, transformed, coded, strict=True):
        if len(modes) > 1:
            pieces.append(("mode", side_stream.write(of_tile, max(1, (len(modes) - 1).bit_length()))))
        if len(names) > 1:
            pieces.append(("transform", side_stream.write(blocks.of_block, max(1, (len(names) - 1).bit_length()))))
        pieces += of_plane
        if names != ("identity",):
            pieces += [("index", varint(len(blocks.escapes))), ("payload", blocks.escapes)]
    pieces.append(("scale", quantized.scales))
    before = b"".join(content for _, content in pieces)
    return [*pieces, ("crc", struct.pack("<I", zlib.crc32(before)))]


def ledger(pieces: list[Piece]) -> dict[str, int]:
    """Bytes booked under each entry."""
    return {entry: sum(len(content) for name, content in pieces if name == entry) for entry in LEDGER}

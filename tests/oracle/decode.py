"""A decoder of tensor records, one symbol after another, as docs/format.md tells a reader to do it.

It shares with the oracle's encoder only the normalisation of weights, which the document gives once for both. It reads
what the encoder writes: predictors none, left, top, avg and planar, coders `raw` and `rans:tables=tensor`.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np

from .frequency import normalise, weight
from .transform import IDS, block_places, inverse


class Reader:
    """Bytes, and within them bit strings that begin and end on a byte."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at, self._bit = content, 0, 0

    def take(self, count: int) -> bytes:
        """The next bytes."""
        assert self.at + count <= len(self.content)
        self.at += count
        return self.content[self.at - count : self.at]

    def u8(self) -> int:
        return self.take(1)[0]

    def varint(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def bits(self, width: int) -> int:
        """The next bits of a bit string, lowest first."""
        value = 0
        for k in range(width):
            if self._bit == 0:
                self.at += 1
            value |= (self.content[self.at - 1] >> self._bit & 1) << k
            self._bit = (self._bit + 1) % 8
        return value

    def zeros(self) -> int:
        """The number of zeros before the next one."""
        count = 0
        while self.bits(1) == 0:
            count += 1
        return count

    def end_of_bits(self) -> None:
        """Skips the padding, which is zero."""
        assert self.bits(-self._bit % 8) == 0


@dataclass(frozen=True)
class Record:
    """What a record holds: planes of symbols, each of shape (rows, cols), and the bytes of the scales."""

    planes: list[np.ndarray]
    scales: bytes


def read_table(reader: Reader, bits: int, precision: int) -> list[int]:
    """Frequencies of a table, padded to a byte."""
    kind, weights = reader.bits(2), [0] * (1 << bits)
    if kind == 0:
        weights[reader.bits(bits)] = 1
    elif kind == 2:
        weights = [1] * (1 << bits)
    else:
        m, k, e, s = reader.bits(3), reader.bits(2), 0, 0
        while s < 1 << bits:
            zigzag = reader.zeros() << k | reader.bits(k)
            e += -(zigzag + 1) // 2 if zigzag % 2 else zigzag // 2
            if e:
                weights[s] = weight(e, reader.bits(m), m)
            else:
                width = reader.zeros()
                s += (1 << width | reader.bits(width)) - 1
            s += 1
    reader.end_of_bits()
    return normalise(weights, precision).tolist()


def read_states(reader: Reader, lanes: int) -> list[int]:
    """First states of a chunk's lanes."""
    if lanes < 32:
        return list(struct.unpack(f"<{lanes}I", reader.take(4 * lanes)))
    widths = read_packed(reader, 32, 4)
    low = struct.unpack("<32H", reader.take(64))
    states = [(1 << width | reader.bits(width)) << 16 | word for width, word in zip(widths, low, strict=True)]
    reader.end_of_bits()
    return states


def read_chunk(reader: Reader, count: int, bits: int, frequencies: list[int], precision: int) -> list[int]:
    """Symbols of one chunk."""
    lanes = 32 if count >= 2048 else 8 if count >= 512 else 1
    states = read_states(reader, lanes)
    slots = 16 // bits if lanes == 32 else 0
    of_slot = [s for s, f in enumerate(frequencies) for _ in range(f)]
    starts = [sum(frequencies[:s]) for s in range(len(frequencies))]
    coded = count - 32 * slots
    blocked = coded // 256 * 256 if lanes == 32 else 0
    symbols = [0] * coded
    for i in range(coded):
        x = states[i % lanes]
        slot = x % (1 << precision)
        s = of_slot[slot]
        x = frequencies[s] * (x >> precision) + slot - starts[s]
        if x < 1 << 16:
            x = x << 16 | struct.unpack("<H", reader.take(2))[0]
        states[i % lanes] = x
        # In a block lane l has the symbols from 8l on.
        symbols[i // 256 * 256 + i % 32 * 8 + i % 256 // 32 if i < blocked else i] = s
    assert all(x >> slots * bits == (1 << 16) >> slots * bits for x in states)
    return symbols + [x >> slot * bits & (1 << bits) - 1 for slot in range(slots) for x in states]


def read_stream(
    reader: Reader, count: int, bits: int, frequencies: list[int], precision: int, log2_chunk: int = 26
) -> list[int]:
    """Symbols of a stream of chunks with one table."""
    if max(frequencies) == 1 << precision:
        return [frequencies.index(max(frequencies))] * count
    lengths = [min(1 << log2_chunk, count - first) for first in range(0, count, 1 << log2_chunk)]
    sizes = [reader.varint()] * len(lengths)
    if len(lengths) > 1:
        width = reader.u8()
        sizes = [sizes[0] + more for more in read_packed(reader, len(lengths), width)]
    symbols = []
    for length, size in zip(lengths, sizes, strict=True):
        end = reader.at + size
        symbols += read_chunk(reader, length, bits, frequencies, precision)
        assert reader.at == end
    return symbols


def read_packed(reader: Reader, count: int, bits: int) -> list[int]:
    """Values packed at their width."""
    values = [reader.bits(bits) for _ in range(count)]
    reader.end_of_bits()
    return values


def read_side_stream(reader: Reader, count: int, bits: int) -> list[int]:
    """Values of a side stream."""
    kind = reader.u8()
    if kind == 0:
        return [reader.u8()] * count
    if kind == 1:
        return read_packed(reader, count, bits)
    return read_stream(reader, count, bits, read_table(reader, bits, 12), 12)


def read_residuals(reader: Reader, coder: int, count: int, bits: int) -> list[int]:
    """Residuals of a plane in coding order."""
    if coder == 1:
        tables = reader.u8()
        if tables == 1:
            precision = reader.u8()
            assert precision < 16, "the oracle leaves no bits uncoded"
            table = read_table(reader, bits, precision)
            return read_stream(reader, count, bits, table, precision, reader.u8())
        assert tables == 0
    return read_packed(reader, count, bits)


def read_coefficients(reader: Reader, symbols: np.ndarray, bits: int) -> np.ndarray:
    """Coefficients of a block of symbols (8, 8): those that escape follow in the record."""
    half = 1 << bits - 1
    out = (symbols ^ half) - half
    for r, c in np.argwhere(symbols == half):
        escaped = reader.varint()
        out[r, c] = (half + escaped // 2) * (-1 if escaped % 2 else 1)
    return out


def guess(x: np.ndarray, r: int, c: int, mode: int, zero: int) -> int:
    """What a predictor expects at (r, c) of a tile whose symbols before it are known."""
    if mode == 0 or (r == 0 and c == 0):
        return zero
    left = x[r, c - 1] if c else x[r - 1, c]
    top = x[r - 1, c] if r else left
    corner = x[r - 1, c - 1] if r and c else top if r else left
    return int((left, top, left + top >> 1, left + top - corner)[mode - 1])


def decode(content: bytes) -> Record:
    """Reads a whole record; every byte of it is used."""
    assert struct.unpack("<I", content[-4:])[0] == zlib.crc32(content[:-4])
    reader = Reader(content[:-4])
    assert reader.take(5) == b"WCT0\1"
    bits, _, number, exponent_bits, _ = reader.take(5)
    rows, cols, tile_rows, tile_cols = (reader.varint() for _ in range(4))
    count = reader.u8()
    names = [{id_: name for name, id_ in IDS.items()}[id_] for id_ in reader.take(count)] or ["identity"]
    places = block_places((rows, cols), (tile_rows, tile_cols))
    coder = reader.u8()
    modes = [reader.take(2)[0] for _ in range(reader.u8())]
    scale_size = reader.varint()

    origins = [(r, c) for r in range(0, rows, tile_rows) for c in range(0, cols, tile_cols)]
    widths = [8] * (bits // 8) if number == 2 and exponent_bits == 8 else [bits]
    planes = []
    for width in widths:
        zero = 1 << width - 1 if number == 1 else 0
        chosen = [0] * len(origins)
        if len(modes) > 1:
            chosen = read_side_stream(reader, len(origins), max(1, (len(modes) - 1).bit_length()))
        of_block = [0] * len(places)
        if len(names) > 1 and of_block:
            of_block = read_side_stream(reader, len(places), max(1, (len(names) - 1).bit_length()))
        coded = np.array(read_residuals(reader, coder, rows * cols, width), np.int64)
        end_of_escapes = 0
        if names != ["identity"]:
            size = reader.varint()
            end_of_escapes = reader.at + size
        for at, name in zip(places, (names[index] for index in of_block), strict=True):
            if name != "identity":
                coded[at] = inverse(name, read_coefficients(reader, coded[at], width)) % (1 << width)
        assert names == ["identity"] or reader.at == end_of_escapes
        residuals = iter(coded.tolist())
        symbols = np.zeros((rows, cols), np.int64)
        for (row, col), mode in zip(origins, chosen, strict=True):
            tile = symbols[row : row + tile_rows, col : col + tile_cols]
            for r, c in np.ndindex(tile.shape):
                tile[r, c] = (next(residuals) + guess(tile, r, c, modes[mode], zero)) % (1 << width)
        planes.append(symbols)
    scales = reader.take(scale_size)
    assert reader.at == len(reader.content)
    return Record(planes, scales)

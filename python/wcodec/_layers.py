"""One layer to bytes and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from wcodec import _core
from wcodec._arrays import as_matrix, from_bytes, to_bytes
from wcodec._errors import WcodecError
from wcodec._stats import Stats, to_stats

TileSize = int | tuple[int, int] | str


def tile_text(tile_size: TileSize) -> str:
    """16 and (8, 32) as the library spells them: "16x16", "8x32"."""
    if isinstance(tile_size, str):
        return tile_size
    if isinstance(tile_size, Iterable):
        sides = tuple(tile_size)
        if len(sides) != 2:
            raise WcodecError(f"tile_size is a side or (rows, columns), not {sides}", "usage")
    else:
        sides = (tile_size, tile_size)
    return "x".join(str(int(side)) for side in sides)


def option_map(
    tile_size: TileSize = 16, modes: str | Iterable[str] | None = None, coder: str | None = None, **others: Any
) -> dict[str, str]:
    """Options as text, those that are None left out. Presets cut into tiles as they see fit, so a tile size is passed
    on where it is not the default, or where stages are named."""
    options = {}
    tile = tile_text(tile_size)
    if tile != tile_text(16) or modes is not None or coder is not None or others.get("transform") is not None:
        options["tile"] = tile
    if modes is not None:
        options["modes"] = modes if isinstance(modes, str) else "+".join(modes)
    if coder is not None:
        options["coder"] = coder
    for key, value in others.items():
        if value is not None:
            options[key] = str(int(value)) if isinstance(value, bool) else str(value)
    return options


class Encoder:
    """Turns layers into records, each of which decodes by itself.

    preset       "ratio", "balanced" (the default) or "speed": chooses the stages, tiles among them
    tile_size    side of a tile, (rows, columns), or text such as "8x32"; 16 leaves it to the preset
    modes        predictors that each tile chooses from, "none+left" or ["none", "left"], instead of the preset's
    coder        entropy coder with its options, "rans:tables=row-col-scale,contexts=64", likewise
    transform    of 8x8 blocks, "dct8", "adst8" or "probe" (each block its own), likewise
    max_weights  refuse layers of more elements

    May be used by many threads at once; the interpreter lock is released during the work.
    """

    def __init__(
        self,
        tile_size: TileSize = 16,
        *,
        modes: str | Iterable[str] | None = None,
        coder: str | None = None,
        transform: str | None = None,
        preset: str | None = None,
        max_weights: int | None = None,
    ) -> None:
        self._core = _core.Encoder(
            option_map(tile_size, modes, coder, transform=transform, preset=preset, max_weights=max_weights)
        )

    def encode_layer(self, array: Any, *, dtype: str | None = None) -> tuple[bytes, Stats]:
        """The record of an array (NumPy, or anything with DLPack in main memory), and its accounts.

        Arrays of other rank are seen as matrices: rows are all dimensions but the last. `dtype` says what elements
        mean where NumPy's type does not: dtype="BF16" for uint16, "I4" for int8.
        """
        flat, name, shape = to_bytes(array, dtype)
        rows, cols = as_matrix(shape)
        record, figures = self._core.encode(name, rows, cols, flat)
        return record, to_stats(figures, rows=rows, cols=cols, dtype=name)


class Decoder:
    """Turns records back into layers.

    tile_size    taken for symmetry with Encoder; a record names its own tiles, and those count
    device       what decodes: "cpu", "cuda:N", or "auto" (a GPU where there is one); arrays come back to main memory
    max_weights  refuse records that claim more elements (default: 2^26, and above it 4096 a byte of the record)

    May be used by many threads at once; the interpreter lock is released during the work.
    """

    def __init__(self, tile_size: TileSize = 16, *, device: str = "cpu", max_weights: int | None = None) -> None:
        tile_text(tile_size)
        self._core = _core.Decoder(option_map(device=device, max_weights=max_weights))

    def decode_layer(
        self, record: Any, rows: int | None = None, cols: int | None = None, *, dtype: str | None = None
    ) -> tuple[np.ndarray, Stats]:
        """The array of a bytes-like record, bit for bit, and figures.

        Where `rows` and `cols` are given they are checked against the record. Its element type comes from the record,
        which does not tell BOOL and F8_E8M0 from U8, nor C64 from U64: `dtype` does.
        """
        name, has_rows, has_cols, tile_rows, tile_cols, _ = _core.describe(record)
        if (rows is not None and rows != has_rows) or (cols is not None and cols != has_cols):
            raise WcodecError(f"the record holds {has_rows} x {has_cols} elements, not {rows} x {cols}", "usage")
        shape = (has_rows, has_cols)
        flat, figures = self._core.decode(record)
        if dtype is not None and dtype != name:
            flat, _, shape = to_bytes(from_bytes(flat, name, shape), dtype)
            name = dtype
        return from_bytes(flat, name, shape), to_stats(
            figures, rows=has_rows, cols=has_cols, dtype=name, tile_size=(tile_rows, tile_cols)
        )

"""By bit planes: any beginning of the bytes decodes, the more of it the better. One layer, or a whole checkpoint."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from wcodec import _core
from wcodec._arrays import as_matrix, from_bytes, to_bytes
from wcodec._checkpoints import Path, Progress
from wcodec._layers import option_map
from wcodec._stats import Stats, to_stats


@dataclass(frozen=True)
class Planes:
    """How good a decoded layer is."""

    planes: int  # that were used
    all_planes: int  # that the whole record has
    bound: int  # no element is off by more: units of an integer, steps from float to float; 0 with all planes
    value_bound: float  # the same in value, of elements that are finite numbers


def encode_progressive(
    array: Any,
    *,
    dtype: str | None = None,
    order: str | None = None,
    transform: str | None = None,
    max_weights: int | None = None,
) -> tuple[bytes, tuple[int, ...], Stats]:
    """The record of an array of elements of at most 32 bits; how many bytes its first 0, 1, … planes take; accounts.

    The first planes of a float are its sign and exponent, each one behind them halves its relative error. `order` and
    `transform` are for integers of at most 8 bits.

    dtype      what elements mean where NumPy's type does not: "I4" for int8, "BF16" for uint16
    order      "offset" (the default), or "sign-magnitude": better below 1.6 bits an element, coarser above
    transform  of 8x8 blocks, "dct8", "adst8" or "probe"; "identity" by default
    """
    flat, name, shape = to_bytes(array, dtype)
    rows, cols = as_matrix(shape)
    options = option_map(order=order, transform=transform, max_weights=max_weights)
    # Without tiles to choose, a transform says nothing about their size.
    options.pop("tile", None)
    record, prefixes, figures = _core.encode_progressive(name, rows, cols, flat, options)
    return record, tuple(prefixes), to_stats(figures, rows=rows, cols=cols, dtype=name)


def decode_progressive(
    prefix: Any, planes: int | None = None, *, max_weights: int | None = None
) -> tuple[np.ndarray, Planes]:
    """The array of a record or of its beginning, from the first `planes` planes or from all that are whole in it."""
    flat, name, rows, cols, used, all_planes, bound, value_bound = _core.decode_progressive(
        prefix, -1 if planes is None else planes, option_map(max_weights=max_weights)
    )
    return from_bytes(flat, name, (rows, cols)), Planes(used, all_planes, bound, value_bound)


def encode_progressive_checkpoint(
    src: Path,
    dst: Path,
    *,
    order: str | None = None,
    transform: str | None = None,
    preset: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Stats:
    """Writes the checkpoint `src` to the progressive file `dst`, of which any beginning decodes that holds the heads.

    Layers of two or more dimensions with elements of at most 32 bits have planes, interleaved by significance; all
    others are exact, in `preset`. `order` and `transform` are those of encode_progressive, of integers of at most 8
    bits. `src` and `progress` are those of encode_checkpoint.
    """
    options = option_map(order=order, transform=transform, preset=preset, overwrite=overwrite)
    options.pop("tile", None)
    return to_stats(_core.encode_progressive_checkpoint(os.fspath(src), os.fspath(dst), options, progress))


def decode_progressive_checkpoint(
    src: Path,
    dst: Path,
    planes: int | None = None,
    *,
    overwrite: bool = False,
    max_output_bytes: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Planes]:
    """Writes the layers of a progressive file, or of the beginning of one, to the safetensors file `dst`: from at most
    `planes` planes each, or from all that are there. How good each layer is; exact ones have 0 planes and bounds of 0.
    """
    options = option_map(overwrite=overwrite, max_output_bytes=max_output_bytes)
    options.pop("tile", None)
    layers = _core.decode_progressive_checkpoint(
        os.fspath(src), os.fspath(dst), -1 if planes is None else planes, options, progress
    )
    return {name: Planes(*figures) for name, *figures in layers}

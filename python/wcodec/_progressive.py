"""One layer of small integers by bit planes: any beginning of the bytes decodes, the more of it the better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from wcodec import _core
from wcodec._arrays import as_matrix, from_bytes, to_bytes
from wcodec._layers import option_map
from wcodec._stats import Stats, to_stats


@dataclass(frozen=True)
class Planes:
    """How good a decoded layer is."""

    planes: int  # that were used
    all_planes: int  # that the whole record has
    bound: int  # no element is off by more; 0 with all planes


def encode_progressive(
    array: Any,
    *,
    dtype: str | None = None,
    order: str | None = None,
    transform: str | None = None,
    max_weights: int | None = None,
) -> tuple[bytes, tuple[int, ...], Stats]:
    """The record of an array of integers of at most 8 bits; how many bytes its first 0, 1, … planes take; accounts.

    dtype      what elements mean where NumPy's type does not: "I4" for int8
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
    flat, name, rows, cols, used, all_planes, bound = _core.decode_progressive(
        prefix, -1 if planes is None else planes, option_map(max_weights=max_weights)
    )
    return from_bytes(flat, name, (rows, cols)), Planes(used, all_planes, bound)

"""Grids: words, and steps that are powers of 2^(1/8).

The step of weight (r, c) is 2^((base + row[r] + column[c]) / 8). Steps this coarse cost nothing that could be measured
(a grid has no best step, only a rate that goes with it), take a byte a row and column before entropy coding, and mean
the same to every reader.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

GRID = 8  # steps to an octave
LIMIT = 127  # largest word
# 2^(k/8), k = 0 … 7, as float32; octaves are exact.
EIGHTHS = np.array([2.0 ** (k / GRID) for k in range(GRID)], dtype=np.float32)


def grid_step(exponents: np.ndarray) -> np.ndarray:
    """2^(exponents / 8) as float32, the same bits everywhere."""
    octaves, eighths = np.divmod(exponents.astype(np.int32), GRID)
    return np.ldexp(EIGHTHS[eighths], octaves)


@dataclass
class QuantizedTensor:
    """A matrix on a grid."""

    words: np.ndarray  # int8, rows x columns
    base: int
    row_exponents: np.ndarray  # uint8
    col_exponents: np.ndarray  # uint8
    loss: float = 1 / 12  # mean square of what feedback left, in steps
    clipped: int = 0  # weights that wanted a word beyond the limit

    def steps(self) -> np.ndarray:
        rows = self.row_exponents.astype(np.int32)[:, None]
        return grid_step(rows + self.col_exponents.astype(np.int32)[None, :] + self.base)

    def values(self) -> np.ndarray:
        """float32, before the checkpoint's own type rounds them."""
        return self.words.astype(np.float32) * self.steps()


@dataclass
class QuantizedModel:
    """Matrices on grids, and whatever else was changed; tensors that are in neither stay as they are."""

    tensors: dict[str, QuantizedTensor]
    others: dict[str, np.ndarray] = field(default_factory=dict)  # float32: norms that were tuned
    settings: dict[str, object] = field(default_factory=dict)  # how it was made, for people

    def values(self) -> dict[str, np.ndarray]:
        """float32 of all that was changed."""
        return {name: tensor.values() for name, tensor in self.tensors.items()} | self.others


def split_exponents(row_steps: np.ndarray, col_steps: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    """Base and bytes of row and column exponents whose steps are nearest to row_steps[r] * col_steps[c], positive."""
    rows = np.rint(np.log2(row_steps) * GRID).astype(np.int64)
    cols = np.rint(np.log2(col_steps) * GRID).astype(np.int64)
    # A byte spans 32 octaves; what is finer than that is not worth a word of its own.
    rows = np.maximum(rows, rows.max() - 255)
    cols = np.maximum(cols, cols.max() - 255)
    base = int(rows.min() + cols.min())
    return base, (rows - rows.min()).astype(np.uint8), (cols - cols.min()).astype(np.uint8)


def raise_to_fit(weights: np.ndarray, base: int, rows: np.ndarray, cols: np.ndarray, limit: int = 120) -> np.ndarray:
    """Row exponents, raised where a row's largest weight would need a word above `limit`."""
    need = np.abs(weights) / grid_step(cols.astype(np.int32) + base)[None, :]
    need = np.maximum(need.max(axis=1) / limit, np.finfo(np.float32).tiny)
    raised = np.maximum(rows.astype(np.int64), np.ceil(np.log2(need) * GRID).astype(np.int64))
    if raised.max() > 255:  # only rows that are quiet beyond reason can differ from the loudest by that much
        raised = np.minimum(raised, 255)
    return raised.astype(np.uint8)

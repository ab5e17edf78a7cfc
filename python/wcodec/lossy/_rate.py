"""Bits a weight: an estimate that is quick, and the scale that meets a target."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from wcodec.lossy._calibrate import Calibration
from wcodec.lossy._grid import LIMIT, QuantizedModel
from wcodec.lossy._model import Model
from wcodec.lossy._quantize import quantize, scale_levels


def estimated_bits(model: Model, quantized: QuantizedModel) -> float:
    """Entropy of the words given classes of row and column scale, plus half a byte for each exponent and 16 bits for
    what is not on a grid; over all weights of the model. What encoding writes is within 1 % on models that fill their
    tables; the figures that are reported are those of files."""
    bits, on_grid = 0.0, 0
    for tensor in quantized.tensors.values():
        rows, cols = scale_levels(tensor.words)
        classes = rows[:, None].astype(np.int64) + cols[None, :]
        size = 2 * LIMIT + 2
        symbols = (classes * size + tensor.words + LIMIT).reshape(-1)
        counts = np.bincount(symbols, minlength=size * (classes.max() + 1)).astype(np.float64).reshape(-1, size)
        with np.errstate(divide="ignore", invalid="ignore"):
            bits += np.where(counts > 0, -counts * np.log2(counts / counts.sum(1, keepdims=True)), 0.0).sum()
        bits += 4 * (len(tensor.row_exponents) + len(tensor.col_exponents))
        on_grid += tensor.words.size
    total = model.weight_count()
    return (bits + 16 * (total - on_grid)) / total


def scale_for_bits(
    model: Model,
    calibration: Calibration,
    bits: float,
    *,
    start: float = 1e-4,
    within: float = 0.01,
    progress: Callable[[float, float], None] | None = None,
    **options: object,
) -> tuple[float, QuantizedModel]:
    """The scale at which the model takes about `bits` a weight, and the model quantized with it. A bit less is twice
    the scale at high rate, and nearly so below."""
    scale = start
    for _ in range(6):
        quantized = quantize(model, calibration, scale, **options)
        found = estimated_bits(model, quantized)
        if progress:
            progress(scale, found)
        if abs(found - bits) <= within:
            break
        scale *= 2.0 ** (found - bits)
    return scale, quantized

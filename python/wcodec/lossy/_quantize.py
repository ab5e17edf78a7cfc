"""Steps from what weights are worth, and words by error feedback.

With curvatures H = L D Lᵀ and G = M B Mᵀ and steps s_rc = scale / √(B_r D_c), feedback leaves every weight the same
loss, scale² / 24 nats: reverse water-filling, over all weights of all layers at once. At high rate no other steps need
fewer bits for the same loss; where steps outgrow their weights, words become 0 and feedback passes the rest on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch

import numpy as np
import torch

from wcodec._core import quantize_with_feedback
from wcodec.lossy._calibrate import Calibration, Worth
from wcodec.lossy._grid import LIMIT, QuantizedModel, QuantizedTensor, grid_step, raise_to_fit, split_exponents
from wcodec.lossy._model import Model

FEEDBACK = ("both", "columns", "none")


def factor(curvature: torch.Tensor, damping: float) -> tuple[np.ndarray, np.ndarray]:
    """L (unit lower triangular, float32) and D of L D Lᵀ, after `damping` times the mean was added to the diagonal."""
    matrix = (curvature + curvature.T) / 2
    size = len(matrix)
    mean = matrix.diagonal().mean().clamp(min=1e-30)
    matrix = matrix + torch.eye(size, dtype=matrix.dtype, device=matrix.device) * (damping * mean)
    lower = torch.linalg.cholesky(matrix)
    diagonal = lower.diagonal()
    return (lower / diagonal).float().cpu().numpy(), diagonal.square().cpu().numpy()


def _halves(worth: Worth, feedback: str, damping: float) -> tuple:
    """Factor and curvature of columns, then of rows; a factor is None where there is no feedback."""
    if feedback == "none":
        diagonal = worth.columns.diagonal()
        lower, across = None, (diagonal + damping * diagonal.mean()).cpu().numpy()
    else:
        lower, across = factor(worth.columns, damping)
    if worth.rows.ndim == 2 and feedback == "both":
        return lower, across, *factor(worth.rows, damping)
    down = worth.rows.diagonal() if worth.rows.ndim == 2 else worth.rows
    if worth.rows.ndim == 2:
        down = down + damping * down.mean()
    return lower, across, None, down.cpu().numpy()


def class_costs(words: np.ndarray, rows: np.ndarray, cols: np.ndarray, rate: float) -> np.ndarray:
    """`rate` times the bits of each word in each class, as an adaptive code of these words would have them."""
    classes = int(rows.max()) + int(cols.max()) + 1
    of = (rows[:, None].astype(np.int64) + cols[None, :]) * (2 * LIMIT + 1)
    counts = np.bincount((of + words + LIMIT).reshape(-1), minlength=classes * (2 * LIMIT + 1)).reshape(classes, -1)
    overall = counts.sum(0) + 0.5
    smooth = counts + 8.0 * overall / overall.sum()
    return (-rate * np.log2(smooth / smooth.sum(1, keepdims=True))).astype(np.float32)


def scale_levels(words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Classes of rows and columns by half octaves of their mean magnitude; their sum is the class of a weight."""
    size = np.abs(words.astype(np.float32))
    levels = []
    for mean in (size.mean(1), size.mean(0)):
        level = np.rint(2 * np.log2(mean + 1e-3)).astype(np.int64)
        levels.append((level - level.min()).clip(0, 100).astype(np.uint8))
    return levels[0], levels[1]


def quantize_matrix(
    weights: np.ndarray, worth: Worth, scale: float, *, feedback: str = "both", rate: float = 0.0, damping: float = 0.01
) -> QuantizedTensor:
    weights = np.ascontiguousarray(weights, dtype=np.float32)
    lower, across, upper, down = _halves(worth, feedback, damping)
    base, rows, cols = split_exponents(scale / np.sqrt(down), 1 / np.sqrt(across))
    rows = raise_to_fit(weights, base, rows, cols)
    # Steps are products of a row's and a column's; the split of the base between them is free.
    row_step, col_step = grid_step(rows.astype(np.int32) + base), grid_step(cols.astype(np.int32))

    def run(costs: np.ndarray | None = None, levels: tuple | None = None) -> tuple[np.ndarray, float, int]:
        if upper is not None or len(weights) < 4096:
            return quantize_with_feedback(weights, row_step, col_step, upper, lower, costs, *(levels or (None, None)))
        # Rows are independent, and there are many.
        parts = np.array_split(np.arange(len(weights)), os.cpu_count() or 1)

        def part(index: np.ndarray) -> tuple[np.ndarray, float, int]:
            chosen = (None, None) if levels is None else (levels[0][index], levels[1])
            return quantize_with_feedback(weights[index], row_step[index], col_step, None, lower, costs, *chosen)

        with ThreadPoolExecutor(len(parts)) as pool:
            done = list(pool.map(part, parts))
        loss = sum(d[1] * len(index) for d, index in zip(done, parts, strict=True)) / len(weights)
        return np.concatenate([d[0] for d in done]), loss, sum(d[2] for d in done)

    words, loss, clipped = run()
    if rate > 0:
        levels = scale_levels(words)
        words, loss, clipped = run(class_costs(words, *levels, rate), levels)
    return QuantizedTensor(words, base, rows, cols, loss, clipped)


def quantize(
    model: Model,
    calibration: Calibration,
    scale: float,
    *,
    feedback: str = "both",
    rate: float = 0.0,
    damping: float = 0.01,
    only: Iterable[str] = ("*",),
    progress: Callable[[int, int], None] | None = None,
) -> QuantizedModel:
    """Every matrix of the model on its grid.

    scale     square root of 24 times the loss that a weight may cost, in nats: 5e-5 … 2e-4 for 4.5 … 2.5 bits
    feedback  "both", "columns" (GPTQ), "none" (rounding to nearest)
    rate      squared steps of error that a bit saved is worth
    only      names of the matrices to quantize, as globs
    """
    matrices = {n: w for n, w in model.matrices().items() if any(fnmatch(n, pattern) for pattern in only)}

    def one(name: str) -> QuantizedTensor:
        adjusted = scale / calibration.factors.get(name, 1.0) ** 0.5
        return quantize_matrix(
            matrices[name], calibration.worth[name], adjusted, feedback=feedback, rate=rate, damping=damping
        )

    tensors = {}
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for name, tensor in zip(matrices, pool.map(one, matrices), strict=True):
            tensors[name] = tensor
            if progress:
                progress(len(tensors), len(matrices))
    settings = {"scale": scale, "feedback": feedback, "rate": rate, "damping": damping}
    return QuantizedModel(tensors, settings=settings)

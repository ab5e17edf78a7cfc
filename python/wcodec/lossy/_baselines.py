"""Points to compare with: the usual formats, each as its words and scales would be stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from wcodec._errors import WcodecError

# Quantiles of a normal distribution, scaled to [-1, 1]: the levels of NF4 (Dettmers et al. 2023, arXiv:2305.14314,
# appendix E).
NF4 = np.array(
    [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
     -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
     0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0],
    dtype=np.float32,
)  # fmt: skip


@dataclass
class Point:
    """One matrix in a usual format."""

    words: np.ndarray  # as encoded; int4 and NF4 a byte each
    scales: np.ndarray
    values: np.ndarray  # float32
    stored_bits: float  # a word as the format stores it, without entropy coding


def _int8_row(weights: np.ndarray) -> Point:
    scales = np.abs(weights).max(1, keepdims=True) / np.float32(127)
    scales[scales == 0] = 1
    words = np.rint(weights / scales).astype(np.int8)
    return Point(words, scales, words * scales, 8)


def _groups(weights: np.ndarray, size: int) -> np.ndarray:
    if weights.shape[1] % size:
        raise WcodecError(f"rows of {weights.shape[1]} weights cannot be cut into groups of {size}", "unsupported")
    return weights.reshape(-1, size)


def _int4(size: int, clip: str) -> Callable[[np.ndarray], Point]:
    def quantize(weights: np.ndarray) -> Point:
        groups = _groups(weights, size)
        largest = np.abs(groups).max(1, keepdims=True) / np.float32(7)
        largest[largest == 0] = 1
        best, error = largest, np.full(len(groups), np.inf)
        for shrink in np.arange(1.0, 0.39, -0.02) if clip == "mse" else [1.0]:
            scales = (largest * np.float32(shrink)).astype(np.float32)
            words = np.clip(np.rint(groups / scales), -7, 7)
            found = np.square(groups - words * scales).sum(1)
            better = found < error
            best, error = np.where(better[:, None], scales, best), np.where(better, found, error)
        words = np.clip(np.rint(groups / best), -7, 7).astype(np.int8)
        scales = best.astype(np.float16)
        values = words * scales.astype(np.float32)
        return Point(words.reshape(weights.shape), scales, values.reshape(weights.shape), 4)

    return quantize


def _nf4(weights: np.ndarray) -> Point:
    groups = _groups(weights, 64)
    scales = np.abs(groups).max(1, keepdims=True)
    scales[scales == 0] = 1
    middles = (NF4[1:] + NF4[:-1]) / 2
    words = np.searchsorted(middles, groups / scales).astype(np.uint8)
    halves = scales.astype(np.float16)
    return Point(
        words.reshape(weights.shape), halves, (NF4[words] * halves.astype(np.float32)).reshape(weights.shape), 4
    )


def _fp8_row(weights: np.ndarray) -> Point:
    import torch  # has the type, and rounds to nearest even

    scales = np.abs(weights).max(1, keepdims=True) / np.float32(448)
    scales[scales == 0] = 1
    words = torch.from_numpy(weights / scales).to(torch.float8_e4m3fn)
    return Point(words.view(torch.uint8).numpy(), scales, words.float().numpy() * scales, 8)


def _uniform(step: float) -> Callable[[np.ndarray], Point]:
    """Plain uniform quantization by a part of the matrix's standard deviation, for an entropy coder to shorten."""

    def quantize(weights: np.ndarray) -> Point:
        scale = np.full((1, 1), max(float(weights.std()) * step, float(np.abs(weights).max()) / 127, 1e-30), np.float32)
        words = np.rint(weights / scale).astype(np.int8)
        return Point(words, scale, words * scale, 8)

    return quantize


BASELINES: Mapping[str, Callable[[np.ndarray], Point]] = {
    "int8-row": _int8_row,
    "fp8-row": _fp8_row,
    "int4-g32": _int4(32, "absmax"),
    "int4-g32-mse": _int4(32, "mse"),
    "int4-g128": _int4(128, "absmax"),
    "int4-g128-mse": _int4(128, "mse"),
    "nf4-g64": _nf4,
    "uniform-s8": _uniform(1 / 8),
    "uniform-s4": _uniform(1 / 4),
    "uniform-s2": _uniform(1 / 2),
}

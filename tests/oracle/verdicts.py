"""Corrections for many comparisons and the words that follow, in NumPy from their textbook definitions."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
SIGNIFICANCE = 0.05


def holm(p: Array) -> Array:
    """Of n p-values the i-th smallest times n - i + 1, never below a smaller one's; NaN is not counted."""
    out = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    out[order] = np.maximum.accumulate(np.minimum(1, factors * p[order]))
    return out


def benjamini_hochberg(p: Array) -> Array:
    """Of n p-values the i-th smallest times n / i, never above a larger one's; NaN is not counted."""
    out = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    raised = p[order] * len(order) / np.arange(1, len(order) + 1)
    out[order] = np.minimum(1, np.minimum.accumulate(raised[::-1])[::-1])
    return out


def judge(low: float, high: float, margin: float) -> str:
    """The word that an interval alone gives."""
    if np.isnan(low):
        return "inconclusive"
    if high < -margin:
        return "helps"
    if low > margin:
        return "hurts"
    return "no effect" if low >= -margin and high <= margin else "inconclusive"


def words(row: dict[str, float], margin: float) -> tuple[str, str]:
    """(verdict, bytes_verdict) of a row of verdicts.csv, from its intervals and corrected p-values."""
    smaller = judge(row["effect_lo"], row["effect_hi"], margin)
    if not row["bytes_p_holm"] <= SIGNIFICANCE:
        smaller = "inconclusive"
    verdict = judge(row["net_lo"], row["net_hi"], margin)
    if not row["p_holm"] <= SIGNIFICANCE:
        verdict = "inconclusive"
    return (smaller if verdict == "helps" else verdict), smaller

"""Mutual information with causal neighbours of ranks within scale classes, in NumPy, slowly and by the definition."""

from statistics import NormalDist

import numpy as np

CLASSES = 4


def _classes(scales: np.ndarray) -> np.ndarray:
    out = np.empty(len(scales), int)
    out[np.argsort(scales, kind="stable")] = np.arange(len(scales)) * CLASSES // len(scales)
    return out


def levels(values: np.ndarray, *, without_means: bool) -> tuple[np.ndarray, np.ndarray]:
    """Level 0 to 255 of each value within its class, and the classes."""
    m = values.astype(np.float64)
    if without_means:
        m = m - m.mean(axis=1, keepdims=True)
        m = m - m.mean(axis=0, keepdims=True)
    rows = np.sqrt((m**2).mean(axis=1))
    m = m / rows[:, None]
    cols = np.sqrt((m**2).mean(axis=0))
    m = m / cols
    classes = _classes(rows)[:, None] * CLASSES + _classes(cols)[None, :]
    out = np.empty(m.shape, int)
    for c in range(CLASSES * CLASSES):
        here = classes == c
        count = int(here.sum())
        ranked = np.empty(count, int)
        ranked[np.argsort(m[here], kind="stable")] = np.arange(count)
        out[here] = ranked * 256 // max(count, 1)
    return out, classes


def information(x: np.ndarray, y: np.ndarray) -> float:
    """Plug-in mutual information of two arrays of small integers, in bits."""
    joint = np.zeros((x.max() + 1, y.max() + 1))
    np.add.at(joint, (x.ravel(), y.ravel()), 1)
    joint /= joint.sum()
    product = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    there = joint > 0
    return float((joint[there] * np.log2(joint[there] / product[there])).sum())


def dependence(lv: np.ndarray) -> dict[str, float]:
    own, coarse = lv * 8 // 256, lv * 5 // 256
    normal = NormalDist()
    score = np.array([np.floor(normal.inv_cdf((k + 0.5) / 256) * 1024 + 0.5) for k in range(256)])[lv]
    around = np.stack([score[2:, :-3], score[:-2, 2:-1], score[1:-1, 1:-2], score[1:-1, 3:]])
    sums = np.searchsorted([-1724, -519, 519, 1724], around.sum(axis=0), side="right")
    magnitudes = np.searchsorted([2229, 2955, 3581, 4307], np.abs(around).sum(axis=0), side="right")
    return {
        "left": information(own[:, 1:], own[:, :-1]),
        "top": information(own[1:], own[:-1]),
        "both": information(own[1:, 1:], coarse[1:, :-1] * 5 + coarse[:-1, 1:]),
        "further": information(own[2:, 2:-1], sums * 5 + magnitudes),
    }


def null(lv: np.ndarray, classes: np.ndarray, draws: int, seed: int) -> dict[str, np.ndarray]:
    """Dependence when levels are shuffled within classes."""
    random = np.random.default_rng(seed)
    found: dict[str, list[float]] = {}
    for _ in range(draws):
        shuffled = lv.copy()
        for c in range(CLASSES * CLASSES):
            here = classes == c
            shuffled[here] = random.permutation(shuffled[here])
        for name, bits in dependence(shuffled).items():
            found.setdefault(name, []).append(bits)
    return {name: np.array(bits) for name, bits in found.items()}

"""Kinds of matrices put to the test: what is lost when only one kind is quantized, over what its curvature predicts.

Second order and independence are assumptions; an embedding of few bits breaks both, because normalisation follows it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from wcodec.lossy._calibrate import Calibration
from wcodec.lossy._evaluate import divergence
from wcodec.lossy._model import Model
from wcodec.lossy._quantize import quantize

# Bounds on what one measurement may say.
SMALLEST, LARGEST = 1 / 4, 64.0


def kind_of(name: str) -> str:
    """The name without the number of the layer."""
    return re.sub(r"\.\d+\.", ".*.", name)


def refine(
    model: Model,
    calibration: Calibration,
    tokens: np.ndarray,
    scale: float,
    *,
    windows: int = 32,
    rounds: int = 2,
    progress: Callable[[str, float], None] | None = None,
    **options: object,
) -> dict[str, float]:
    """Sets calibration.factors so that every kind costs what the scale says; returns them by kind."""
    kinds = sorted({kind_of(name) for name in calibration.worth})
    found = {}
    for kind in kinds:
        members = [name for name in calibration.worth if kind_of(name) == kind]
        for _ in range(rounds):
            part = quantize(model, calibration, scale, only=[kind.replace("[", "[[]")], **options)
            # Loss of a weight in nats: its share of steps, squared, before the factor was taken out of the scale.
            wanted = sum(t.words.size * t.loss * scale**2 / 2 for t in part.tensors.values())
            lost = divergence(model, part.values(), tokens, windows=windows)
            before = calibration.factors.get(members[0], 1.0)
            after = float(np.clip(before * lost / wanted, SMALLEST, LARGEST))
            for name in members:
                calibration.factors[name] = after
            if abs(np.log(after / before)) < 0.15:
                break
        found[kind] = after
        if progress:
            progress(kind, after)
    return found

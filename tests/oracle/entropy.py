"""Order-0 entropy."""

from __future__ import annotations

import numpy as np


def order_0(values: np.ndarray) -> float:
    """Entropy of non-negative integers under their own histogram, bits a value."""
    counts = np.bincount(values.ravel())
    share = counts[counts > 0] / values.size
    return float(-(share @ np.log2(share)))

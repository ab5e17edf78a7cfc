"""A predictor of one's own in a sweep, without a compiler: trial.py [MODEL.safetensors]"""

import sys
import tempfile

import numpy as np
import wcodec


def four_up(tile: np.ndarray, zero: int) -> np.ndarray:
    """What stands four rows above, and zero where nothing does."""
    guess = np.full_like(tile, zero)
    guess[4:] = tile[:-4]
    return guess


def main() -> int:
    config = {
        "experiment": "four-up",
        "question": "Does the weight four rows above say anything?",
        "checkpoints": [
            {"name": "model", "path": sys.argv[1] if len(sys.argv) > 1 else "synthetic:gaussian:rows=64,cols=96,seed=3"}
        ],
        "tensors": {"min_dim": 16},
        "controls": ["original", "shuffled"],
        "axes": {
            "quantizer": ["int8"],
            "tile": ["16x16"],
            "modes": [["none"], ["none", "top"], ["none", "four-up"]],
            "coder": ["rans:tables=tensor"],
        },
        "compare": {"factor": "modes", "against": ["none"]},
    }
    with tempfile.TemporaryDirectory() as out:
        found = wcodec.trial(config, predictors={"four-up": four_up}, out=out)
        print(*found.headline, *found.notes, sep="\n")
        print(found.summary[["control", "modes", "coded_bytes", "bpw"]].to_string(index=False))
    return 0 if found.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())

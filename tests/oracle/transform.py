"""Transforms of 8 x 8 blocks of residuals, and the choice among them (docs/format.md, section Transforms)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .bits import varint
from .predict import symbol_costs

SIDE = 8
LARGEST = 1088
IDS = {"identity": 0, "dct8": 1, "adst8": 2}
SETS = {name: (name,) for name in IDS} | {"probe": tuple(IDS)}
_QUARTER = 8  # an eighth turn, in units of pi / 32
ROTATIONS = {
    "identity": [],
    "dct8": [
        *((n, 7 - n, _QUARTER) for n in range(4)),
        *((7, 4, _QUARTER), (6, 5, _QUARTER), (4, 5, _QUARTER), (7, 6, -4)),
        *((0, 3, -2), (2, 1, -10), (0, 2, _QUARTER), (3, 1, _QUARTER), (0, 3, -8)),
    ],
    "adst8": [
        *((7, 0, -1), (5, 2, -5), (3, 4, -9), (1, 6, -13)),
        *((7, 3, _QUARTER), (0, 4, _QUARTER), (5, 1, _QUARTER), (2, 6, _QUARTER)),
        *((3, 1, _QUARTER), (4, 6, _QUARTER), (7, 2, _QUARTER), (0, 5, _QUARTER)),
        *((2, 0, -4), (3, 4, -8), (7, 5, -12)),
    ],
}
OUTPUTS = {
    "identity": [(n, 1) for n in range(8)],
    "dct8": [(5, 1), (2, 1), (7, 1), (3, -1), (4, 1), (0, 1), (6, -1), (1, -1)],
    "adst8": [(slot, 1) for slot in (1, 5, 2, 4, 3, 0, 7, 6)],
}


@dataclass(frozen=True)
class Transformed:
    """A plane's symbols in coding order (weights,), the transform of each block, and the bytes of the escapes."""

    symbols: np.ndarray
    of_block: np.ndarray
    escapes: bytes


def steps(name: str) -> list[tuple[int, int, int]]:
    """Lifting steps (target, source, factor) of one pass."""
    out = []
    for a, b, turn in ROTATIONS[name]:
        tangent = -round(2**15 * math.tan(turn * math.pi / 64))
        sine = round(2**15 * math.sin(turn * math.pi / 32))
        out += [(a, b, tangent), (b, a, sine), (a, b, tangent)]
    return out


def one_pass(name: str, x: np.ndarray) -> np.ndarray:
    """Coefficients along the second to last axis of x (..., 8, n)."""
    x = x.copy()
    for target, source, factor in steps(name):
        x[..., target, :] += (factor * x[..., source, :] + 2**14) >> 15
    return np.stack([sign * x[..., slot, :] for slot, sign in OUTPUTS[name]], axis=-2)


def one_pass_back(name: str, coefficients: np.ndarray) -> np.ndarray:
    """Inverse of `one_pass`."""
    x = np.empty_like(coefficients)
    for k, (slot, sign) in enumerate(OUTPUTS[name]):
        x[..., slot, :] = sign * coefficients[..., k, :]
    for target, source, factor in reversed(steps(name)):
        x[..., target, :] -= (factor * x[..., source, :] + 2**14) >> 15
    return x


def forward(name: str, blocks: np.ndarray) -> np.ndarray:
    """Coefficients of blocks (n, 8, 8): columns first."""
    return one_pass(name, one_pass(name, blocks).swapaxes(-1, -2)).swapaxes(-1, -2)


def inverse(name: str, coefficients: np.ndarray) -> np.ndarray:
    """Blocks of coefficients (n, 8, 8): rows first."""
    return one_pass_back(name, one_pass_back(name, coefficients.swapaxes(-1, -2)).swapaxes(-1, -2))


def block_places(shape: tuple[int, int], tile: tuple[int, int]) -> np.ndarray:
    """Where the values of each whole block stand in coding order; shape (blocks, 8, 8)."""
    places, first = [], 0
    for row in range(0, shape[0], tile[0]):
        for col in range(0, shape[1], tile[1]):
            height, width = min(tile[0], shape[0] - row), min(tile[1], shape[1] - col)
            at = first + np.arange(height * width).reshape(height, width)
            places += [
                at[r : r + SIDE, c : c + SIDE]
                for r in range(0, height - SIDE + 1, SIDE)
                for c in range(0, width - SIDE + 1, SIDE)
            ]
            first += height * width
    return np.array(places, np.int64).reshape(-1, SIDE, SIDE)


def escape(coefficient: int, half: int) -> bytes:
    """What stands for a coefficient that is no symbol."""
    return varint(2 * (abs(coefficient) - half) + (coefficient < 0))


def entropy_bits(counts: np.ndarray) -> float:
    """Bits of all that was counted."""
    used = counts[counts > 0]
    return float((used * np.log2(used.sum() / used)).sum()) if used.size else 0.0


def apply(names: tuple[str, ...], residuals: np.ndarray, bits: int, places: np.ndarray) -> Transformed:
    """Transforms the blocks of residuals (weights,) in coding order."""
    half, alphabet = 1 << bits - 1, 1 << bits
    blocks = (residuals[places] ^ half) - half
    coefficients = [forward(name, blocks) for name in names]
    symbols = []  # by candidate; those of the identity are the residuals, escapes do not exist there
    escape_bytes = np.zeros((len(names), len(places)), np.int64)
    for index, (name, c) in enumerate(zip(names, coefficients, strict=True)):
        fits = np.abs(c) < half
        symbols.append(residuals[places] if name == "identity" else np.where(fits, c & alphabet - 1, half))
        if name != "identity":
            sizes = np.where(2 * (np.abs(c) - half) + (c < 0) < 128, 1, 2) * ~fits
            escape_bytes[index] = sizes.sum(axis=(1, 2))

    def counted(chosen: np.ndarray) -> np.ndarray:
        every = residuals.copy()
        every[places] = np.stack(symbols)[chosen, np.arange(len(places))] if len(places) else every[places]
        return np.bincount(every, minlength=alphabet)

    chosen = np.zeros(len(places), np.int64)
    if len(names) > 1 and len(places):
        plain = np.bincount(residuals, minlength=alphabet)
        counts, shares = plain, np.zeros(len(names), np.int64)
        for _ in range(2):
            cost, choice_cost = symbol_costs(counts), symbol_costs(shares)
            of_block = [
                cost[s].sum(axis=(1, 2)) + (8 << 16) * e + c
                for s, e, c in zip(symbols, escape_bytes, choice_cost, strict=True)
            ]
            chosen = np.argmin(of_block, axis=0)
            counts, shares = counted(chosen), np.bincount(chosen, minlength=len(names))
        escaped = 8 * escape_bytes[chosen, np.arange(len(places))].sum()
        if entropy_bits(counts) + entropy_bits(shares) + escaped >= entropy_bits(plain):
            chosen[:] = names.index("identity")

    out, escapes = residuals.copy(), b""
    for block, index in enumerate(chosen):
        out[places[block]] = symbols[index][block]
        if names[index] != "identity":
            escapes += b"".join(escape(int(c), half) for c in coefficients[index][block].flat if abs(c) >= half)
    return Transformed(out, chosen, escapes)

"""Predictors inside tiles, and the choice among them (docs/format.md, sections Predictors and Mode decision)."""

from __future__ import annotations

import numpy as np

from .quantize import Plane

IDS = {"none": 0, "left": 1, "top": 2, "avg": 3, "planar": 4}
COST_UNITS_A_BIT = 65536


def guesses(plane: Plane, tile: tuple[int, int]) -> dict[str, np.ndarray]:
    """What each predictor expects at each weight; int64, shape (rows, cols), not yet reduced modulo 2^bits."""
    x = plane.symbols
    left, top, corner = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    left[:, 1:], top[1:], corner[1:, 1:] = x[:, :-1], x[:-1], x[:-1, :-1]
    first_row = (np.arange(x.shape[0]) % tile[0] == 0)[:, None]
    first_col = (np.arange(x.shape[1]) % tile[1] == 0)[None, :]
    l_or_t = np.where(first_col, top, left)
    t_or_l = np.where(first_row, left, top)
    either_edge = {
        "left": l_or_t,
        "top": t_or_l,
        "avg": l_or_t + t_or_l >> 1,
        "planar": np.where(first_row, left, np.where(first_col, top, left + top - corner)),
    }
    at_corner = first_row & first_col
    none = np.full_like(x, plane.zero)
    return {"none": none} | {name: np.where(at_corner, plane.zero, guess) for name, guess in either_edge.items()}


def residuals(plane: Plane, tile: tuple[int, int]) -> dict[str, np.ndarray]:
    """(symbol - guess) modulo 2^bits by predictor; int64, shape (rows, cols)."""
    return {name: plane.symbols - guess & (1 << plane.bits) - 1 for name, guess in guesses(plane, tile).items()}


def coding_order(shape: tuple[int, int], tile: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Flat indices of a matrix in coding order, shape (weights,), and the tile of each weight, shape (rows, cols).

    Tiles go row-major and are cut at the matrix's edges; weights go row-major inside a tile.
    """
    row, col = np.indices(shape)
    tiles_across = -(-shape[1] // tile[1])
    tile_of = row // tile[0] * tiles_across + col // tile[1]
    return np.argsort(tile_of, axis=None, kind="stable"), tile_of


def symbol_costs(counts: np.ndarray) -> np.ndarray:
    """Integer cost of each symbol in 1/65536 bit: round(65536 · log2((N + A/2) / (c + ½))) for counts (A,)."""
    return np.rint(COST_UNITS_A_BIT * np.log2((2 * counts.sum() + counts.size) / (2 * counts + 1))).astype(np.int64)


def choose_modes(plane: Plane, tile_of: np.ndarray, by_mode: list[np.ndarray], unpredicted: np.ndarray) -> np.ndarray:
    """The mode of each tile, an index into ``by_mode``; shape (tiles,).

    ``by_mode``: residuals of each candidate in registry order, ``unpredicted``: those of `none`; shape (rows, cols).
    """
    counts = np.bincount(unpredicted.ravel(), minlength=1 << plane.bits)
    tiles = tile_of.ravel()
    for _ in range(2):
        cost = symbol_costs(counts)
        of_tile = np.zeros((len(by_mode), tiles.max() + 1), np.int64)
        for totals, residual in zip(of_tile, by_mode, strict=True):
            np.add.at(totals, tiles, cost[residual.ravel()])
        chosen = of_tile.argmin(axis=0)
        counts = np.bincount(np.choose(chosen[tile_of], by_mode).ravel(), minlength=1 << plane.bits)
    return chosen

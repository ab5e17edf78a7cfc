"""Holds the oracle's figures against the CSV files that `wcodec run` wrote."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

from .measure import Figures, Key

ABSOLUTE_TOLERANCE = 1e-9  # bits a weight, or a ratio; counts and bytes must be equal
KEY_COLUMNS = ("tensor", "quantizer", "tile", "modes", "coder", "transform")


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file by column."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def key_of(row: dict[str, str]) -> Key:
    """The cell that a row speaks of."""
    # Files without a column for the transform have it behind the modes.
    modes, _, behind = row["modes"].partition(";transform=")
    row = {"transform": behind or "identity"} | row | {"modes": modes}
    tensor, quantizer, tile, modes, coder, transform = (row[column] for column in KEY_COLUMNS)
    return tensor, quantizer, tile, modes, coder, transform


def differences(expected: dict[Key, Figures], results: Path) -> list[str]:
    """One line for each figure in which a results folder and the oracle differ; empty when they agree throughout."""
    summary = {key_of(row): row for row in read_rows(results / "summary.csv")}
    tiles: dict[Key, dict[tuple[str, str], int]] = defaultdict(dict)
    for row in read_rows(results / "modes.csv"):
        tiles[key_of(row)][row["plane"], row["mode"]] = int(row["tiles"])

    found = [f"{key}: only wcodec has it" for key in summary.keys() - expected.keys()]
    for key, figures in expected.items():
        if key not in summary:
            found.append(f"{key}: only the oracle has it")
            continue
        for column, value in figures.columns.items():
            cell = summary[key][column]
            equal = abs(float(cell) - value) <= ABSOLUTE_TOLERANCE if isinstance(value, float) else cell == str(value)
            if not equal:
                found.append(f"{key}: {column} is {cell}, the oracle has {value}")
        if tiles[key] != figures.tiles:
            found.append(f"{key}: tiles by mode are {tiles[key]}, the oracle has {figures.tiles}")
    return sorted(found)

"""All figures of a tensor's cells: the columns of summary.csv and modes.csv as results/README.md defines them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from . import coder, predict, record
from . import transform as transforms
from .checkpoint import Tensor
from .entropy import order_0
from .quantize import QUANTIZERS, Quantized

Tile = tuple[int, int]
Modes = tuple[str, ...]
Key = tuple[
    str, str, str, str, str, str
]  # tensor, quantizer, tile, modes, coder, transform: as the CSV files spell them


@dataclass(frozen=True)
class Figures:
    """``columns`` of summary.csv by name, tiles by (plane, mode) for modes.csv, and the record's bytes."""

    columns: dict[str, int | float]
    tiles: dict[tuple[str, str], int]
    record: bytes


@dataclass(frozen=True)
class Prediction:
    """One plane under one mode set and transform: what is coded, the mode of each tile (tiles,), the blocks."""

    residuals: coder.Residuals
    chosen: np.ndarray
    blocks: transforms.Transformed


def predict_planes(
    quantized: Quantized, tile: Tile, mode_sets: list[Modes], transform: str
) -> dict[Modes, list[Prediction]]:
    """What is coded of every plane under every mode set; what the sets share is done once."""
    shape = quantized.planes[0].symbols.shape
    order, tile_of = predict.coding_order(shape, tile)
    places = transforms.block_places(shape, tile)
    predictions: dict[Modes, list[Prediction]] = {modes: [] for modes in mode_sets}
    for plane in quantized.planes:
        by_name = predict.residuals(plane, tile)
        for modes in mode_sets:
            by_mode = [by_name[mode] for mode in modes]
            chosen = predict.choose_modes(plane, tile_of, by_mode, by_name["none"])
            symbols = np.choose(chosen[tile_of], by_mode).ravel()[order]
            blocks = transforms.apply(transforms.SETS[transform], symbols, plane.bits, places)
            predictions[modes].append(Prediction(coder.Residuals(blocks.symbols, plane.bits), chosen, blocks))
    return predictions


def figures(
    tensor: Tensor,
    quantized: Quantized,
    tile: Tile,
    modes: Modes,
    coder_spec: str,
    transform: str,
    planes: list[Prediction],
    coded: list[list[coder.Piece]],
) -> Figures:
    """One row of summary.csv, its rows of modes.csv, and the record behind them."""
    blocks = [p.blocks for p in planes]
    pieces = record.assemble(quantized, tile, modes, coder_spec, transform, [p.chosen for p in planes], blocks, coded)
    content = b"".join(piece for _, piece in pieces)
    weights, scales = tensor.words.size, len(quantized.scales)
    original = -(-weights * quantized.format.bits // 8) + scales
    residual_h0 = sum(order_0(p.residuals.symbols) + 8 * len(p.blocks.escapes) / weights for p in planes)
    choices = [choice for p in planes for choice in (p.chosen, p.blocks.of_block) if choice.size]
    mode_bits = sum(order_0(choice) * choice.size for choice in choices)
    columns = {
        "rows": tensor.words.shape[0],
        "cols": tensor.words.shape[1],
        "weights": weights,
        "source_bytes": tensor.words.nbytes,
        "original_bytes": original,
        "coded_bytes": len(content),
        **{f"{entry}_bytes": n for entry, n in record.ledger(pieces).items()},
        "bpw": 8 * len(content) / weights,
        "bpw_symbols": 8 * (len(content) - scales) / weights,
        "h0_bpw": sum(order_0(plane.symbols) for plane in quantized.planes),
        "residual_h0_bpw": residual_h0,
        "best_bpw": residual_h0 + mode_bits / weights,
        "ratio": original / len(content),
        "ratio_symbols": (original - scales) / (len(content) - scales),
    }
    tiles = {
        (plane.name, mode): int((p.chosen == index).sum())
        for plane, p in zip(quantized.planes, planes, strict=True)
        for index, mode in enumerate(modes)
    }
    return Figures(columns, tiles, content)


def measure(
    tensor: Tensor,
    quantizers: list[str],
    tile: Tile,
    mode_sets: list[Modes],
    coders: list[str],
    transform: str = "identity",
) -> dict[Key, Figures]:
    """Every cell of a tensor for one tile; all its planes go through the coder together."""
    quantized = {spec: QUANTIZERS[spec](tensor) for spec in quantizers}
    predicted = {spec: predict_planes(quantized[spec], tile, mode_sets, transform) for spec in quantizers}
    cells = [(spec, modes, plane) for spec in quantizers for modes in mode_sets for plane in predicted[spec][modes]]
    measured = {}
    for coder_spec in coders:
        coded: dict[tuple[str, Modes], list[list[coder.Piece]]] = {key: [] for key in product(quantizers, mode_sets)}
        pieces = coder.ENCODERS[coder_spec]([plane.residuals for _, _, plane in cells])
        for (spec, modes, _), of_plane in zip(cells, pieces, strict=True):
            coded[spec, modes].append(of_plane)
        for (spec, modes), of_cell in coded.items():
            key = (tensor.name, spec, f"{tile[0]}x{tile[1]}", "+".join(modes), coder_spec, transform)
            planes = predicted[spec][modes]
            measured[key] = figures(tensor, quantized[spec], tile, modes, coder_spec, transform, planes, of_cell)
    return measured

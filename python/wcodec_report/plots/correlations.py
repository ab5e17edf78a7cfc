"""Correlation of a symbol with its neighbours."""

from collections import defaultdict

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from ..results import Results
from ..text import shorten, signed
from .facets import capped, footnote
from .style import BLUE, INK, MUTED, SHADE, VERMILION

TITLE = "Correlation with neighbouring weights"
CAPTION = (
    "Each small map holds the Pearson correlation of a symbol (black dot) with its neighbours to the left and "
    "above, weight-weighted over tensors of a kind; on the right of each pair the same for the shuffled control. "
    "All maps share one colour scale. What a predictor can use must stand out on the left and be absent on the "
    "right."
)
NEEDS = "correlations.csv"
_MAPS = 24
_UP, _SIDE = 4, 4
_RIGHT, _ROWS_UP = np.arange(-_SIDE - 0.5, _SIDE + 1), np.arange(-0.5, _UP + 1)
_MAP, _CELL, _BAR = (1.26, 0.7), (3.25, 1.75), 0.75
"""Inches: width and height of a map and of the cell with its pair, height of the colour scale."""
_DIVERGING = LinearSegmentedColormap.from_list("wcodec", [BLUE, "#fdfdfc", VERMILION])

Place = tuple[str, str, str]
"""checkpoint, quantizer, kind"""


def draw(results: Results) -> Figure | None:
    maps, weights = _maps(results)
    places = sorted((p for p, control in maps if control == "original"), key=lambda p: (p[:2], -weights[p], p[2]))
    if not places:
        return None
    left_out: list[str] = []
    shown = _fair(places, left_out)
    limit = max(0.01, max(np.nanmax(np.abs(maps[p, "original"])) for p in shown))
    across = min(4, len(shown))
    figure = plt.figure(figsize=(_CELL[0] * max(2, across), _CELL[1] * -(-len(shown) // across) + _BAR))
    for number, place in enumerate(shown):
        left, top = _CELL[0] * (number % across), figure.get_figheight() - _CELL[1] * (number // across)
        _write(figure, left + 0.45, top - 0.3, shorten(place[2], 24), fontsize=9, fontweight="bold")
        where = f"{shorten(place[0], 22)}, {shorten(place[1], 20)}"
        _write(figure, left + 0.45, top - 0.46, where, fontsize=7.5, color=MUTED)
        for side, control in enumerate(("original", "shuffled")):
            ax = _axes(figure, left + 0.45 + side * (_MAP[0] + 0.1), top - 0.7 - _MAP[1], *_MAP)
            values = maps.get((place, control))
            _prepare(ax, side)
            if values is None:
                ax.text(0, 2, "not run", ha="center", va="center", fontsize=8, color=MUTED)
            else:
                mesh = ax.pcolormesh(_RIGHT, _ROWS_UP, values, cmap=_DIVERGING, vmin=-limit, vmax=limit)
            name = control if values is None else f"{control} {_extreme(values)}"
            ax.set_title(name, fontsize=7.5, fontweight="normal", color=MUTED, pad=3)
    bar = figure.colorbar(mesh, cax=_axes(figure, 0.45, 0.5, 4.2, 0.12), orientation="horizontal")
    bar.set_label("ρ, one scale for all maps; the number above a map is its extreme", fontsize=8)
    bar.outline.set_visible(False)
    footnote(figure, left_out)
    return figure


def _axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> plt.Axes:
    """Axes at a place in inches: maps of one size are better set by hand than by a layout engine."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def _write(figure: Figure, left: float, bottom: float, text: str, **look: object) -> None:
    across, up = figure.get_size_inches()
    figure.text(left / across, bottom / up, text, va="bottom", **look)


def _prepare(ax: plt.Axes, side: int) -> None:
    ax.grid(False)
    ax.set_facecolor(SHADE)
    ax.set_xlim(-_SIDE - 0.5, _SIDE + 0.5)
    ax.set_ylim(-0.5, _UP + 0.5)
    ax.plot(0, 0, "o", ms=4, color=INK)
    ax.set_xticks([-4, 0, 4], ["" if side else "4 left", "", "4 right" if side else ""], fontsize=6.5)
    ax.set_yticks([0, 4], ["", ""] if side else ["0", "4 up"], fontsize=6.5)
    ax.tick_params(length=2)


def _extreme(values: np.ndarray) -> str:
    return signed(float(values.flat[np.nanargmax(np.abs(values))]), 3)


def _fair(places: list[Place], left_out: list[str]) -> list[Place]:
    """As many maps as fit, the same number of kinds for every checkpoint and quantizer, the heaviest kinds first."""
    groups: dict[tuple[str, str], list[Place]] = defaultdict(list)
    for place in places:
        groups[place[:2]].append(place)
    kept = capped(list(groups), _MAPS, "checkpoints and quantizers", left_out)
    each = max(1, _MAPS // len(kept))
    shown = [place for group in kept for place in groups[group][:each]]
    rest = sum(len(groups[g]) for g in kept) - len(shown)
    if rest:
        left_out.append(f"{rest} maps of kinds with fewer weights")
    return shown


def _maps(results: Results) -> tuple[dict[tuple[Place, str], np.ndarray], dict[Place, int]]:
    """Mean ρ by place and control as [rows up, columns from left to right], NaN where there is none; and weights."""
    total: dict[tuple[Place, str], np.ndarray] = {}
    mass: dict[tuple[Place, str], np.ndarray] = {}
    for row in results.rows("correlations"):
        up, right = row["drow"], -row["dcol"]
        if row["rho"] is None or np.isnan(row["rho"]) or not (0 <= up <= _UP and -_SIDE <= right <= _SIDE):
            continue
        key = ((row["checkpoint"], row["quantizer"], row["kind"]), row["control"])
        total.setdefault(key, np.zeros((_UP + 1, 2 * _SIDE + 1)))[up, right + _SIDE] += row["rho"] * row["weights"]
        mass.setdefault(key, np.zeros((_UP + 1, 2 * _SIDE + 1)))[up, right + _SIDE] += row["weights"]
    maps = {
        key: np.divide(total[key], mass[key], out=np.full_like(mass[key], np.nan), where=mass[key] > 0)
        for key in total
        if mass[key].any()
    }
    return maps, {place: int(mass[place, control].max()) for place, control in maps if control == "original"}

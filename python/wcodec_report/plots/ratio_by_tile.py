"""Compression ratio by tile size."""

from matplotlib.figure import Figure

from ..results import Results
from ..text import shorten
from ..totals import Total
from .facets import MAX_PANELS, by_size, capped, describe, footnote, panels, showcase, shown_groups, title, wrapped
from .style import MUTED, colours

TITLE = "Ratio by tile size"
CAPTION = (
    "Original over coded bytes, scales on both sides, for each mode set; tiles from small to large. Small tiles "
    "adapt more and pay more for modes and tables. The dashed line is the best baseline of the panel."
)
NEEDS = "coded cells of two tile sizes or more in summary.csv"
_MODES = 8
_MARKERS = "osD^vP*X"


def draw(results: Results) -> Figure | None:
    left_out: list[str] = []
    chosen = {g: rows for g in results.totals.groups() if (rows := _rows(results, g))}
    if not chosen:
        return None
    groups = shown_groups(list(chosen), MAX_PANELS, left_out)
    every = by_size({t.modes for g in groups for t in chosen[g]})
    free = [m for m in every if "none" in m.split("+")]
    if len(free) > 1 and len(free) < len(every):
        left_out.append("mode sets without none, whose ratios lie far below")
        every = free
    mode_sets = capped(every, _MODES, "mode sets", left_out)
    looks = colours(mode_sets)
    figure, axes = panels(len(groups), 2.8, width=4.0)
    labels: dict[str, object] = {}
    for ax, group in zip(axes, groups, strict=True):
        tiles = sorted({t.tile for t in chosen[group]}, key=area)
        for marker, modes in zip(_MARKERS, mode_sets, strict=False):
            points = {t.tile: t.ratio for t in chosen[group] if t.modes == modes}
            at = [i for i, tile in enumerate(tiles) if tile in points]
            (line,) = ax.plot(
                at, [points[tiles[i]] for i in at], marker=marker, color=looks[modes][0], lw=1.1, mfc="none", mew=1.3
            )
            labels.setdefault(wrapped(modes), line)
        below = "tile, rows × columns"
        baselines = results.totals.of(*group, role="baseline")
        if baselines:
            best = max(baselines, key=lambda t: (t.ratio, t.coder))
            ax.axhline(best.ratio, color=MUTED, ls="--", lw=1)
            below += f"\ndashed: {shorten(best.coder, 40)}"
        ax.set_xticks(range(len(tiles)), [shorten(t, 10) for t in tiles], rotation=45 if len(tiles) > 6 else 0)
        ax.set_xlim(-0.4, len(tiles) - 0.6)
        ax.margins(y=0.12)
        ax.set_xlabel(below)
        ax.set_ylabel("ratio")
        title(ax, group, describe("", *_fixed(results, group)))
    figure.legend(labels.values(), labels.keys(), loc="outside upper left", ncols=min(4, len(labels)))
    footnote(figure, left_out)
    return figure


def area(tile: str) -> tuple[int, int, str]:
    """Orders tiles by their number of weights, then by their rows; what is no tile comes last."""
    rows, _, cols = tile.partition("x")
    if rows.isascii() and cols.isascii() and rows.isdigit() and cols.isdigit():
        return int(rows) * int(cols), int(rows), tile
    return 1 << 62, 0, tile


def _fixed(results: Results, group: tuple[str, str]) -> tuple[str, str]:
    stages = showcase(results, group)
    return stages[1:] if stages else ("", "")


def _rows(results: Results, group: tuple[str, str]) -> list[Total]:
    fixed = _fixed(results, group)
    rows = [t for t in results.totals.of(*group, role="codec") if (t.transform, t.coder) == fixed]
    return rows if len({t.tile for t in rows}) > 1 else []

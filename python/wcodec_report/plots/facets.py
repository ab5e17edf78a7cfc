"""Panels, one a checkpoint and quantizer, and the choice of what a panel shows when an experiment holds more."""

import math
from collections.abc import Sequence
from typing import TypeVar

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..results import Results
from ..text import MINUS, listed, shorten
from ..totals import Total
from .style import MUTED

MAX_PANELS = 18
MAX_ROWS = 24
Group = tuple[str, str]
T = TypeVar("T")


def capped(items: Sequence[T], limit: int, noun: str, left_out: list[str]) -> list[T]:
    """The first ``limit`` items; says in ``left_out`` how many there are besides."""
    if len(items) > limit:
        left_out.append(f"{len(items) - limit} of {len(items)} {noun}")
    return list(items[:limit])


def shown_groups(groups: Sequence[Group], limit: int, left_out: list[str]) -> list[Group]:
    """The first ``limit`` panels; names in ``left_out`` those besides."""
    rest = [f"{shorten(group[0], 20)} {shorten(group[1], 20)}" for group in groups[limit:]]
    if rest:
        left_out.append(f"{len(rest)} of {len(groups)} panels ({listed(rest)})")
    return list(groups[:limit])


def panels(
    count: int, height: float, share_y: bool = False, width: float = 3.9, across: int = 3
) -> tuple[Figure, list[Axes]]:
    """A figure of ``count`` axes, at most ``across`` a row, each ``height`` inches high; unused places are empty."""
    across = min(count, across if count != 4 else 2)
    down = math.ceil(count / across)
    label_room = 1.5 if share_y else 0.0
    figure, grid = plt.subplots(
        down,
        across,
        squeeze=False,
        sharey=share_y,
        layout="constrained",
        figsize=(max(7.0, width * across + label_room), height * down + 0.8),
    )
    figure.get_layout_engine().set(h_pad=0.08, w_pad=0.08, hspace=0.04, wspace=0.03)
    axes = list(grid.flat)
    for unused in axes[count:]:
        unused.set_visible(False)
    return figure, axes[:count]


def title(axes: Axes, group: Group, detail: str = "") -> None:
    """Checkpoint and quantizer in bold, what else is fixed beneath."""
    head = f"{shorten(group[0], 24)}, {shorten(group[1], 20)}"
    axes.set_title(head, pad=18 if detail else 6)
    if detail:
        axes.annotate(
            shorten(detail, 52), (0, 1), (0, 5), "axes fraction", "offset points", fontsize=8, color=MUTED, va="bottom"
        )


def footnote(figure: Figure, left_out: list[str]) -> None:
    """What the figure does not show, beneath it."""
    if left_out:
        figure.text(0.01, -0.01, f"Not shown: {'; '.join(left_out)}.", va="top", fontsize=8, color=MUTED)


def candidates(modes: str) -> int:
    """How many predictors a mode set holds."""
    return modes.count("+") + 1


def predictors(results: Results) -> list[str]:
    """All predictors of the results, in registry order as far as the mode sets tell it, ``none`` first."""
    names = ["none"]
    for modes in sorted({t.modes for t in results.totals.series if t.modes}, key=lambda m: (-candidates(m), m)):
        names += [part for part in modes.split("+") if part not in names]
    seen = {row["mode"] for table in ("modes", "histograms") for row in results.rows(table)}
    return names + sorted(seen - set(names))


def symlog(ax: Axes, low: float, high: float, linear: float) -> None:
    """An x axis from low to high, linear within ±``linear``, logarithmic beyond, ticks at powers of ten."""
    ax.set_xscale("symlog", linthresh=linear, linscale=1.2)
    powers = (0.001, 0.01, 0.1, 1, 10)
    ticks = [p for p in powers if p >= linear / 2]
    ax.set_xticks([t for t in (*(-t for t in reversed(ticks)), 0, *ticks) if low <= t <= high])
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:g}".replace("-", MINUS))
    ax.xaxis.set_minor_formatter(lambda x, _: "")
    ax.set_xlim(low, high)


def by_size(mode_sets: set[str]) -> list[str]:
    """Mode sets, ``none`` first, then fewer predictors before more."""
    return sorted(mode_sets, key=lambda m: (m != "none", candidates(m), m))


def wrapped(modes: str, width: int = 30) -> str:
    """A mode set over as many lines as it needs."""
    lines = [""]
    for part in shorten(modes, 90).split("+"):
        piece = f"+{part}" if lines != [""] else part
        if len(lines[-1]) + len(piece) > width and lines[-1]:
            lines.append(piece)
        else:
            lines[-1] += piece
    return "\n".join(lines)


def stages(total: Total) -> tuple[str, str, str]:
    """What a comparison of mode sets holds fixed."""
    return total.tile, total.transform, total.coder


def describe(tile: str, transform: str, coder: str) -> str:
    """Those stages as text; the identity transform goes without saying."""
    return " · ".join(part for part in (tile, transform if transform != "identity" else "", coder) if part)


def showcase(results: Results, group: Group) -> tuple[str, str, str] | None:
    """Tile, transform and coder at which a panel compares mode sets.

    Of those that were run with the most mode sets, the one that reaches the smallest size with any of them.
    """
    codec = results.totals.of(*group, role="codec")
    if not codec:
        return None
    by_stages: dict[tuple[str, str, str], list[Total]] = {}
    for total in codec:
        by_stages.setdefault(stages(total), []).append(total)
    return min(by_stages, key=lambda s: (-len(by_stages[s]), min(t.bpw for t in by_stages[s]), s))

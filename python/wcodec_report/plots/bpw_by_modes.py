"""Bits per weight by mode set, the controls beside the original."""

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ..results import Results
from ..totals import Total
from .facets import (
    MAX_PANELS,
    MAX_ROWS,
    by_size,
    capped,
    describe,
    footnote,
    panels,
    showcase,
    shown_groups,
    stages,
    title,
    wrapped,
)
from .style import CONTROLS, INK, MUTED, PAPER

TITLE = "Bits per weight by mode set"
CAPTION = (
    "Each row is a set of predictors a tile may choose from; further left is smaller. The dashed line is the "
    "order-0 entropy of the symbols plus their scales: what a perfect coder without prediction would reach with "
    "free tables. Bars are the 95 % interval of the paired difference from the reference set. Where a control "
    "lies on the original, the order of the weights is worth nothing. Values far to the right stand as numbers "
    "(original / controls). Each panel shows the tile and coder that reach its smallest size."
)
NEEDS = "coded cells in summary.csv"


def draw(results: Results) -> Figure | None:
    left_out: list[str] = []
    groups = [g for g in results.totals.groups() if showcase(results, g)]
    if not groups:
        return None
    groups = shown_groups(groups, MAX_PANELS, left_out)
    fixed = {g: showcase(results, g) for g in groups}
    shown = [t for t in results.totals.series if (g := (t.checkpoint, t.quantizer)) in fixed and stages(t) == fixed[g]]
    mode_sets = capped(by_size({t.modes for t in shown}), MAX_ROWS, "mode sets", left_out)
    place = {modes: i for i, modes in enumerate(mode_sets)}
    controls = [c for c in CONTROLS if any(t.control == c for t in shown)]
    lines = sum(wrapped(m).count("\n") + 1 for m in mode_sets)
    figure, axes = panels(len(groups), 1.3 + 0.19 * (lines + len(mode_sets)), share_y=True)
    for ax, group in zip(axes, groups, strict=True):
        intervals = _intervals(results, group, fixed[group])
        totals = [t for t in shown if (t.checkpoint, t.quantizer) == group and t.modes in place]
        low, high = _range(totals)
        for total in totals:
            if total.control not in controls or total.bpw > high:
                continue
            colour, marker = CONTROLS[total.control]
            y = place[total.modes] + 0.17 * (controls.index(total.control) - (len(controls) - 1) / 2)
            hollow = total.control != "original"
            ax.plot(total.bpw, y, marker, ms=5, color=colour, mfc="none" if hollow else colour, zorder=3)
            if not hollow and total.modes in intervals:
                ends = [total.bpw + end for end in intervals[total.modes]]
                ax.plot(ends, [y, y], color=colour, lw=1.6, marker="|", ms=7, zorder=2)
        reference = next((t for t in totals if t.control == "original" and "h0_bpw" in t.entropy), None)
        if reference:
            ax.axvline(reference.entropy["h0_bpw"] + reference.bits("scale_bytes"), color=INK, ls="--", lw=1)
        title(ax, group, describe(*fixed[group]))
        ax.set_yticks(range(len(mode_sets)), [wrapped(m) for m in mode_sets])
        ax.set_ylim(len(mode_sets) - 0.4, -0.6)
        for modes, y in place.items():
            beyond = {t.control: t.bpw for t in totals if t.modes == modes and t.bpw > high}
            if beyond:
                text = " / ".join(f"{beyond[c]:.3f}" for c in controls if c in beyond)
                ax.text(high, y, f"{text} →", ha="right", va="center", fontsize=7.5, color=MUTED, backgroundcolor=PAPER)
        ax.set_xlim(low, high)
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.set_xlabel("bit/weight, scales included")
    handles = [
        Line2D(
            [], [], color=CONTROLS[c][0], marker=CONTROLS[c][1], ls="", label=c, mfc=None if c == "original" else "none"
        )
        for c in controls
    ]
    handles.append(Line2D([], [], color=INK, ls="--", lw=1, label="H0 + scales"))
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles))
    footnote(figure, left_out)
    return figure


def _range(totals: list[Total]) -> tuple[float, float]:
    """Limits of the axis: those of the mode sets that hold none where the others would dwarf them, else of all."""
    every = [t.bpw for t in totals]
    every += [t.entropy["h0_bpw"] + t.bits("scale_bytes") for t in totals if "h0_bpw" in t.entropy]
    free = list(every[len(totals) :]) + [t.bpw for t in totals if "none" in t.modes.split("+")]
    spread = max(0.02, max(free) - min(free))
    if max(every) - min(every) < 4 * spread:
        free, spread = every, max(0.02, max(every) - min(every))
    return min(free) - 0.12 * spread, max(free) + 0.2 * spread


def _intervals(results: Results, group: tuple[str, str], fixed: tuple[str, str, str]) -> dict[str, tuple[float, float]]:
    """Interval of each mode set's effect about the effect itself, bit/weight."""
    rows = results.rows("verdicts", scope="checkpoint", checkpoint=group[0], quantizer=group[1], kind="all")
    return {
        row["modes"]: (row["effect_lo"] - row["effect"], row["effect_hi"] - row["effect"])
        for row in rows
        if (row["tile"], row["coder"]) == (fixed[0], fixed[2])
        and None not in (row["effect"], row["effect_lo"], row["effect_hi"])
    }

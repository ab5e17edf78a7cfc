"""Effects with their intervals."""

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..results import Results
from .facets import (
    MAX_PANELS,
    MAX_ROWS,
    Group,
    by_size,
    capped,
    footnote,
    panels,
    showcase,
    shown_groups,
    symlog,
    title,
    wrapped,
)
from .style import BLUE, INK, PAPER, SHADE, VERMILION

TITLE = "What prediction changes"
CAPTION = (
    "Candidate minus reference mode set, in bits per weight with 95 % intervals; left of zero is smaller. Filled: "
    "what the file gains or loses (effect). Hollow: what is left of it after the shuffled control's effect is "
    "taken off (net): the worth of structure. Inside the shaded margin of ±0.01 bit/weight is called no effect. "
    "The axis is linear within ±0.02 and logarithmic beyond. Each panel shows one tile and coder; the table has "
    "all of them."
)
NEEDS = "verdicts.csv"
MARGIN = 0.01
_LINEAR = 0.02
_LOOKS = {"effect": (BLUE, "o", True), "net": (VERMILION, "D", False)}


def draw(results: Results) -> Figure | None:
    left_out: list[str] = []
    chosen = _rows(results)
    if not chosen:
        return None
    groups = shown_groups(sorted(chosen, key=lambda g: (g[0] != "", g)), MAX_PANELS, left_out)
    mode_sets = capped(by_size({r["modes"] for g in groups for r in chosen[g][1]}), MAX_ROWS, "mode sets", left_out)
    place = {modes: i for i, modes in enumerate(mode_sets)}
    lines = sum(wrapped(m).count("\n") + 1 for m in mode_sets)
    figure, axes = panels(len(groups), 1.4 + 0.17 * (lines + len(mode_sets)), share_y=True)
    limit = 1.4 * max(_LINEAR, *(abs(v) for g in groups for r in chosen[g][1] for v in _values(r)))
    for ax, group in zip(axes, groups, strict=True):
        detail, rows = chosen[group]
        ax.axvspan(-MARGIN, MARGIN, color=SHADE, zorder=0)
        ax.axvline(0, color=INK, lw=0.8)
        for row in (r for r in rows if r["modes"] in place):
            for name, shift in (("effect", -0.14), ("net", 0.14)):
                if row[name] is None:
                    continue
                colour, marker, filled = _LOOKS[name]
                y = place[row["modes"]] + shift
                if row[f"{name}_lo"] is not None and row[f"{name}_hi"] is not None:
                    ax.plot([row[f"{name}_lo"], row[f"{name}_hi"]], [y, y], color=colour, lw=1.6)
                ax.plot(row[name], y, marker, color=colour, mfc=colour if filled else PAPER, ms=4.5, zorder=3)
        symlog(ax, -limit, limit, _LINEAR)
        ax.set_yticks(range(len(mode_sets)), [wrapped(m) for m in mode_sets])
        ax.set_ylim(len(mode_sets) - 0.4, -0.6)
        ax.set_xlabel("candidate − reference, bit/weight")
        title(ax, (group[0] or "all checkpoints pooled", group[1]), detail)
    handles = [Line2D([], [], color=c, marker=m, mfc=c if f else PAPER, label=n) for n, (c, m, f) in _LOOKS.items()]
    handles.append(Patch(fc=SHADE, label=f"margin ±{MARGIN} bit/weight"))
    figure.legend(handles=handles, loc="outside upper left", ncols=3)
    footnote(figure, left_out)
    return figure


def _values(row: dict) -> list[float]:
    names = ("effect", "effect_lo", "effect_hi", "net", "net_lo", "net_hi")
    return [row[name] for name in names if row[name] is not None]


def _rows(results: Results) -> dict[Group, tuple[str, list[dict]]]:
    """Whole-model comparisons of each panel at one tile and coder; the checkpoint of pooled ones is empty."""
    groups: dict[Group, list[dict]] = {}
    for row in results.rows("verdicts", kind="all"):
        if _values(row):
            groups.setdefault(("" if row["scope"] == "pooled" else row["checkpoint"], row["quantizer"]), []).append(row)
    chosen = {}
    for group, rows in groups.items():
        fixed = showcase(results, group) if group[0] else None
        at = (fixed[0], fixed[2]) if fixed else None
        present = sorted({(r["tile"], r["coder"]) for r in rows})
        tile, coder = at if at in present else present[0]
        here = [r for r in rows if (r["tile"], r["coder"]) == (tile, coder)]
        chosen[group] = (f"{tile} · {coder} · against {here[0]['against']}", here)
    return chosen

"""How far coded sizes are from three bounds."""

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..results import Results
from ..text import shorten
from ..totals import Total
from .facets import MAX_PANELS, describe, footnote, panels, showcase, shown_groups, stages, symlog, title, wrapped
from .style import BLUE, GREEN, INK, VERMILION

TITLE = "Gap to the entropy bounds"
CAPTION = (
    "Coded bits per weight (scales excluded) minus a bound; the smallest rows of each panel. Left of zero, a "
    "coder beats that bound. Against H0 it does so only by knowing more than a symbol's frequency; the distance "
    "from the residual's H0 is what tables, modes, indices and rounding cost; the Gaussian-mixture bound is what "
    "row and column scales alone would give. The axis is linear within ±0.01 and logarithmic beyond."
)
NEEDS = "original cells with entropies in summary.csv"
BOUNDS = {
    "residual_h0_bpw": ("H0 of the residual", BLUE, "o"),
    "h0_bpw": ("H0 of the symbols", VERMILION, "D"),
    "gm_bpw": ("Gaussian-mixture bound", GREEN, "^"),
}
_ROWS = 12
_LINEAR = 0.01


def draw(results: Results) -> Figure | None:
    left_out: list[str] = []
    chosen = {g: rows for g in results.totals.groups() if (rows := _rows(results, g))}
    if not chosen:
        return None
    groups = shown_groups(list(chosen), MAX_PANELS, left_out)
    rows = {g: chosen[g][:_ROWS] for g in groups}
    if any(len(chosen[g]) > _ROWS for g in groups):
        left_out.append(f"all but the {_ROWS} smallest rows of a panel")
    lines = max(sum(_label(t).count("\n") + 1 for t in rows[g]) for g in groups)
    figure, axes = panels(len(groups), 1.2 + 0.2 * lines, width=5.6, across=2)
    gaps = [t.bpw_symbols - t.entropy[b] for g in groups for t in rows[g] for b in BOUNDS if b in t.entropy]
    for ax, group in zip(axes, groups, strict=True):
        for y, total in enumerate(rows[group]):
            for bound, (_, colour, marker) in BOUNDS.items():
                if bound in total.entropy:
                    ax.plot(total.bpw_symbols - total.entropy[bound], y, marker, color=colour, mfc="none", mew=1.3)
        ax.axvline(0, color=INK, lw=1)
        ax.set_yticks(range(len(rows[group])), [_label(t) for t in rows[group]])
        ax.set_ylim(len(rows[group]) - 0.4, -0.6)
        symlog(ax, 1.5 * min(-_LINEAR, *gaps), 1.5 * max(_LINEAR, *gaps), _LINEAR)
        ax.set_xlabel("coded − bound, bit/weight")
        fixed = showcase(results, group)
        title(ax, group, describe(*fixed) if fixed else "")
    used = [b for b in BOUNDS if any(b in t.entropy for g in groups for t in rows[g])]
    handles = [
        Line2D([], [], color=BOUNDS[b][1], marker=BOUNDS[b][2], ls="", mfc="none", mew=1.3, label=BOUNDS[b][0])
        for b in used
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles))
    footnote(figure, left_out)
    return figure


def _rows(results: Results, group: tuple[str, str]) -> list[Total]:
    fixed = showcase(results, group)
    totals = [t for t in results.totals.of(*group) if t.role == "baseline" or stages(t) == fixed]
    return sorted((t for t in totals if any(b in t.entropy for b in BOUNDS)), key=lambda t: (t.bpw, t.modes, t.coder))


def _label(total: Total) -> str:
    return shorten(total.coder, 34) if total.role == "baseline" else wrapped(total.modes)

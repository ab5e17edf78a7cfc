"""Where the bytes go."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..results import Results
from ..schema import LEDGER
from ..text import shorten
from ..totals import Total
from .facets import Group, candidates, describe, footnote, shown_groups, title, wrapped
from .style import PAPER, colours

TITLE = "Where the bytes go"
CAPTION = (
    "Every byte written, by account, in bit per weight (8 bit = 1 byte). Left: everything. Right: all but the "
    "payload, on its own scale. Prediction pays only where the payload shrinks by more than the side information "
    "grows. Smallest configurations first, none and the largest mode set of each panel."
)
NEEDS = "coded cells in summary.csv"
_PANELS, _ROWS = 8, 8


def draw(results: Results) -> Figure | None:
    left_out: list[str] = []
    chosen = {g: rows for g in results.totals.groups() if (rows := _rows(results, g))}
    if not chosen:
        return None
    groups = shown_groups(list(chosen), _PANELS, left_out)
    rows = {g: _few(chosen[g]) for g in groups}
    if any(len(chosen[g]) > _ROWS for g in groups):
        left_out.append(f"all but {_ROWS} configurations of a panel, the best of each mode set and coder first")
    accounts = [a for a in LEDGER if any(t.bytes[a] for g in groups for t in rows[g])]
    looks = colours(accounts, grey="payload_bytes")
    heights = [0.95 + 0.36 * len(rows[g]) for g in groups]
    figure, grid = plt.subplots(
        len(groups),
        2,
        squeeze=False,
        sharey="row",
        layout="constrained",
        figsize=(11.5, sum(heights) + 0.6),
        height_ratios=heights,
    )
    figure.get_layout_engine().set(h_pad=0.08, w_pad=0.08)
    for pair, group in zip(grid, groups, strict=True):
        for ax, shown in zip(pair, (accounts, [a for a in accounts if a != "payload_bytes"]), strict=True):
            start = [0.0] * len(rows[group])
            for account in shown:
                bits = [t.bits(account) for t in rows[group]]
                colour, hatch = looks[account]
                ax.barh(range(len(bits)), bits, 0.68, start, color=colour, hatch=hatch, ec=PAPER, lw=0.3)
                start = [a + b for a, b in zip(start, bits, strict=True)]
            for y, end in enumerate(start):
                ax.annotate(f"{end:.4g}", (end, y), (3, 0), "data", "offset points", va="center", fontsize=7.5)
            ax.set_xlim(0, 1.12 * max(start) or 1)
            ax.grid(axis="y", visible=False)
            ax.set_ylim(len(start) - 0.4, -0.6)
        pair[0].set_yticks(range(len(rows[group])), [_label(t) for t in rows[group]], fontsize=8)
        title(pair[0], group)
        pair[0].set_xlabel("bit/weight")
        pair[1].set_xlabel("bit/weight without the payload")
    handles = [Patch(fc=looks[a][0], hatch=looks[a][1], ec=PAPER, label=a.removesuffix("_bytes")) for a in accounts]
    figure.legend(handles=handles, loc="outside upper left", ncols=min(8, len(handles)))
    footnote(figure, left_out)
    return figure


def _rows(results: Results, group: Group) -> list[Total]:
    """The reference and the largest mode set, at every tile and coder."""
    codec = results.totals.of(*group, role="codec")
    if not codec:
        return []
    largest = max((t.modes for t in codec), key=lambda m: (candidates(m), m))
    rows = [t for t in codec if t.modes in ("none", largest)]
    return sorted(rows, key=lambda t: (t.bpw, t.tile, t.coder, t.modes))


def _few(rows: list[Total]) -> list[Total]:
    """The best tile of each mode set and coder, then whatever is smallest, in order of size."""
    best: dict[tuple[str, str], Total] = {}
    for total in rows:
        best.setdefault((total.modes, total.coder), total)
    kept = [*best.values(), *(t for t in rows if t not in best.values())][:_ROWS]
    return [t for t in rows if t in kept]


def _label(total: Total) -> str:
    return f"{wrapped(total.modes, 44)}\n{shorten(describe(total.tile, total.transform, total.coder), 52)}"

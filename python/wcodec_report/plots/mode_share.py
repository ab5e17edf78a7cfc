"""Which predictors tiles choose."""

from collections import defaultdict

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..results import Results
from ..text import shorten
from .facets import MAX_PANELS, candidates, capped, footnote, panels, predictors, shown_groups, title
from .style import MUTED, PAPER, colours

TITLE = "Predictors chosen, by kind of tensor"
CAPTION = (
    "Share of tiles that chose each predictor, for the largest mode set of each panel. The thin bar beneath is "
    "the shuffled control: choices it makes too are chance, not structure. Grey is none."
)
NEEDS = "modes.csv with a mode set of two or more predictors"
_KINDS = 14

Shares = dict[str, dict[str, dict[str, int]]]
"""control → kind → mode → tiles"""


def draw(results: Results) -> Figure | None:
    left_out: list[str] = []
    chosen = _chosen(results)
    if not chosen:
        return None
    groups = shown_groups(sorted(chosen), MAX_PANELS, left_out)
    kinds = {g: capped(_by_tiles(chosen[g][1]["original"]), _KINDS, "kinds", left_out) for g in groups}
    used = {m for g in groups for ks in chosen[g][1].values() for k in ks.values() for m in k}
    order = predictors(results)
    modes = [m for m in order if m in used]
    looks = colours(order)
    figure, axes = panels(len(groups), 1.2 + 0.34 * max(map(len, kinds.values())), width=4.4)
    for ax, group in zip(axes, groups, strict=True):
        detail, shares = chosen[group]
        for control, offset, height in (("original", -0.12, 0.46), ("shuffled", 0.26, 0.2)):
            for y, kind in enumerate(kinds[group]):
                tiles = shares[control].get(kind, {})
                start = 0.0
                for mode in modes:
                    share = 100 * tiles.get(mode, 0) / max(1, sum(tiles.values()))
                    colour, hatch = looks[mode]
                    ax.barh(
                        y + offset,
                        share,
                        height,
                        start,
                        color=colour,
                        hatch=hatch,
                        ec=PAPER,
                        lw=0.4,
                        alpha=1 if control == "original" else 0.65,
                    )
                    start += share
        ax.set_yticks(range(len(kinds[group])), [shorten(k, 18) for k in kinds[group]])
        ax.set_ylim(len(kinds[group]) - 0.4, -0.6)
        ax.set_xlim(0, 100)
        ax.grid(axis="y", visible=False)
        ax.set_xlabel("tiles, %")
        title(ax, group, detail)
    handles = [Patch(fc=looks[m][0], hatch=looks[m][1], ec=PAPER, label=shorten(m, 24)) for m in modes]
    figure.legend(handles=handles, loc="outside upper left", ncols=min(8, len(handles)))
    if any(chosen[g][1]["shuffled"] for g in groups):
        figure.supxlabel("wide bar: original · thin bar: shuffled", fontsize=8, color=MUTED)
    footnote(figure, sorted(set(left_out)))
    return figure


def _chosen(results: Results) -> dict[tuple[str, str], tuple[str, Shares]]:
    """For each checkpoint and quantizer: the largest mode set at its most used tile and coder, and tiles by choice."""
    by_config: dict[tuple[str, str], dict[tuple[str, str, str], Shares]] = defaultdict(dict)
    for row in results.rows("modes"):
        if candidates(row["modes"]) < 2 or row["control"] not in ("original", "shuffled"):
            continue
        config = (row["modes"], row["tile"], row["coder"])
        shares = by_config[row["checkpoint"], row["quantizer"]].setdefault(config, {"original": {}, "shuffled": {}})
        tiles = shares[row["control"]].setdefault(row["kind"], defaultdict(int))
        tiles[row["mode"]] += row["tiles"]
    chosen = {}
    for group, configs in by_config.items():
        modes, tile, coder = min(configs, key=lambda c: (-candidates(c[0]), not configs[c]["original"], c))
        if configs[modes, tile, coder]["original"]:
            chosen[group] = (f"{tile} · {coder}", configs[modes, tile, coder])
    return chosen


def _by_tiles(kinds: dict[str, dict[str, int]]) -> list[str]:
    return sorted(kinds, key=lambda k: (-sum(kinds[k].values()), k))

"""Symbols and the residuals of each predictor, on a log axis."""

from collections import defaultdict

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..results import Results
from ..text import shorten
from .facets import MAX_PANELS, capped, footnote, panels, predictors, shown_groups, title
from .style import colours

TITLE = "Symbols and residuals"
CAPTION = (
    "How often each value occurs, before prediction (none) and after each predictor is applied to every tile. A "
    "useful predictor's curve is narrower and higher than that of none; subtracting an uncorrelated neighbour "
    "widens it. The number beside each predictor is the entropy of its curve over all tensors together, in bits."
)
NEEDS = "histograms.csv"
_MODES = 8


def draw(results: Results) -> Figure | None:
    left_out: list[str] = []
    counts: dict[tuple[str, str], dict[int, dict[str, dict[int, int]]]] = defaultdict(lambda: defaultdict(dict))
    for row in results.rows("histograms", control="original"):
        by_value = counts[row["checkpoint"], row["quantizer"]][row["plane"]].setdefault(row["mode"], defaultdict(int))
        by_value[row["value"]] += row["count"]
    if not counts:
        return None
    groups = shown_groups(sorted(counts), MAX_PANELS, left_out)
    modes = {m for g in groups for m in counts[g][min(counts[g])]}
    known = predictors(results)
    order = capped([m for m in known if m in modes], _MODES, "predictors", left_out)
    looks = colours(known)
    figure, axes = panels(len(groups), 2.7, width=4.2)
    for ax, group in zip(axes, groups, strict=True):
        plane = min(counts[group])
        if len(counts[group]) > 1:
            left_out.append(f"planes other than {plane} of {shorten(group[0], 20)}, {shorten(group[1], 20)}")
        for mode in (m for m in order if m in counts[group][plane]):
            by_value = counts[group][plane][mode]
            values = np.arange(min(by_value), max(by_value) + 1)
            shares = np.array([by_value.get(int(v), 0) for v in values], float)
            shares /= max(1.0, shares.sum())
            seen = shares > 0
            bits = -float(np.sum(shares[seen] * np.log2(shares[seen])))
            ax.step(
                values,
                np.where(seen, shares, np.nan),
                where="mid",
                color=looks[mode][0],
                lw=2.0 if mode == "none" else 1.2,
                label=f"{shorten(mode, 14)} {bits:.3f}",
            )
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(_power_of_ten)
        ax.yaxis.set_minor_formatter(lambda y, _: "")
        ax.xaxis.set_major_locator(MaxNLocator(7, integer=True))
        ax.set_xlabel("value of symbol or residual")
        ax.set_ylabel("share")
        title(ax, group, f"plane {plane}" if len(counts[group]) > 1 else "")
        ax.legend(fontsize=7.5, handlelength=1.2, loc="best", title="entropy, bit", title_fontsize=7.5)
    footnote(figure, left_out if len(left_out) < 4 else ["further planes, panels or predictors"])
    return figure


def _power_of_ten(value: float, _: int) -> str:
    exponent = f"{np.log10(value):.0f}" if value > 0 else ""
    return f"10{exponent.translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"

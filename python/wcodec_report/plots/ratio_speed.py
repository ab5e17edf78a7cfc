"""Ratio against decode speed."""

import math
import string
from collections import defaultdict
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..results import Results
from ..text import shorten
from .facets import Group, footnote, panels, shown_groups, title
from .style import BLUE, INK, MUTED, ORANGE

TITLE = "Ratio against decode speed"
CAPTION = (
    "Up and to the right is better; both axes are sums over tensors (bytes over bytes, bytes over seconds). The "
    "line joins the Pareto front: whatever lies below it is beaten in both. Capital letters name points on the "
    "front, small ones the other baselines. Ratios come from the same cells of summary.csv, scales on both sides."
)
NEEDS = "timings.csv"
_PANELS, _LETTERS = 12, 10


@dataclass(frozen=True)
class Point:
    """A series' ratio, decode speed in MB/s and name; ``steady`` unless a row warns of noise or throttling."""

    ratio: float
    speed: float
    role: str
    device: str
    name: str
    steady: bool


def draw(results: Results) -> Figure | None:
    left_out: list[str] = []
    chosen = _points(results, left_out)
    if not chosen:
        return None
    groups = shown_groups(sorted(chosen), _PANELS, left_out)
    figure, axes = panels(len(groups), 4.1, width=4.8)
    for ax, group in zip(axes, groups, strict=True):
        points = chosen[group]
        best = front(points)
        for point in points:
            colour = ORANGE if point.role == "baseline" else BLUE
            marker = "s" if point.role == "baseline" else "o" if point.device == "cpu" else "P"
            fill = colour if point.steady else "none"
            ax.plot(point.speed, point.ratio, marker, color=colour, mfc=fill, ms=5, alpha=0.85)
        ax.plot([p.speed for p in best], [p.ratio for p in best], color=INK, lw=1, drawstyle="steps-pre", zorder=1)
        named = dict(zip(string.ascii_uppercase, best[:_LETTERS], strict=False))
        others = [p for p in points if p.role == "baseline" and p not in best]
        named |= zip(string.ascii_lowercase, sorted(others, key=lambda p: p.speed)[:_LETTERS], strict=False)
        for letters, point in _clusters(named, points):
            ax.annotate(
                letters,
                (point.speed, point.ratio),
                (4, 4 if letters[0].isupper() else -11),
                "data",
                "offset points",
                fontsize=8,
                fontweight="bold",
            )
        key = [f"{letter}  {shorten(point.name, 74)}" for letter, point in named.items()]
        if len(best) > _LETTERS:
            key.insert(_LETTERS, f"and {len(best) - _LETTERS} more on the front")
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(lambda x, _: f"{x:,.4g}")
        ax.xaxis.set_minor_formatter(lambda x, _: "")
        ax.margins(0.12, 0.12)
        ax.set_ylabel("ratio")
        ax.set_xlabel("decode, MB/s of symbols (log)\n\n" + "\n".join(key), loc="left", fontsize=8)
        title(ax, group)
    figure.legend(handles=_legend([p for g in groups for p in chosen[g]]), loc="outside upper left", ncols=6)
    footnote(figure, left_out)
    return figure


def front(points: list[Point]) -> list[Point]:
    """Points that no other beats in both ratio and speed, slowest first."""
    best: list[Point] = []
    for point in sorted(points, key=lambda p: (-p.speed, -p.ratio, p.name)):
        if not best or point.ratio > best[-1].ratio:
            best.append(point)
    return best[::-1]


def _clusters(named: dict[str, Point], points: list[Point]) -> list[tuple[str, Point]]:
    """Letters to write and where: points too close for a letter each share one place."""
    across = math.log(max(p.speed for p in points) / min(p.speed for p in points)) or 1.0
    high = max(p.ratio for p in points) - min(p.ratio for p in points) or 1.0
    clusters: list[tuple[str, Point]] = []
    for letter, point in named.items():
        for at, (letters, first) in enumerate(clusters):
            beside = abs(math.log(point.speed / first.speed)) < 0.08 * across
            near = beside and abs(point.ratio - first.ratio) < 0.06 * high
            if near and letters[0].isupper() == letter.isupper():
                clusters[at] = (f"{letters[0]}–{letter}" if len(letters) > 1 else f"{letters},{letter}", first)
                break
        else:
            clusters.append((letter, point))
    return clusters


def _points(results: Results, left_out: list[str]) -> dict[Group, list[Point]]:
    sizes = {}
    for row in results.rows("summary", control="original"):
        sizes.setdefault(_key(row), (row["original_bytes"], row["coded_bytes"]))
    series: dict[Group, dict[tuple, list[tuple[dict, tuple[int, int]]]]] = defaultdict(lambda: defaultdict(list))
    lost = 0
    for row in results.rows("timings"):
        size = sizes.get(_key(row))
        if size is None or not row["decode_MBps"] or not row["symbol_bytes"] or not size[1]:
            lost += 1
            continue
        name = " · ".join(shorten(row[c], 24 if c == "modes" else 40) for c in ("tile", "modes", "coder") if row[c])
        threads = f"{row['threads']} threads" if (row["threads"] or 1) > 1 else ""
        where = ", ".join(filter(None, (row["device"] if row["device"] != "cpu" else "", threads)))
        name += f" ({where})" if where else ""
        series[row["checkpoint"], row["quantizer"]][row["role"], row["device"], name].append((row, size))
    if lost:
        left_out.append(f"{lost} timings without a speed or without their cell in summary.csv")
    points: dict[Group, list[Point]] = {}
    for group, by_name in series.items():
        tensors = max(len(rows) for rows in by_name.values())
        if short := sum(len(rows) < tensors for rows in by_name.values()):
            where = f"{shorten(group[0], 20)}, {shorten(group[1], 20)}"
            left_out.append(f"{short} series of {where} not timed on every tensor")
        points[group] = [
            Point(
                sum(o for _, (o, _) in rows) / sum(c for _, (_, c) in rows),
                sum(r["symbol_bytes"] for r, _ in rows) / sum(r["symbol_bytes"] / r["decode_MBps"] for r, _ in rows),
                role,
                device,
                name,
                not any(r["warning"] for r, _ in rows),
            )
            for (role, device, name), rows in sorted(by_name.items())
            if len(rows) == tensors
        ]
    return points


def _key(row: dict) -> tuple[str, ...]:
    return tuple(row[c] for c in ("checkpoint", "tensor", "quantizer", "tile", "modes", "coder", "role"))


def _legend(points: list[Point]) -> list[Line2D]:
    looks = {
        "codec, CPU": (BLUE, "o", any(p.role != "baseline" and p.device == "cpu" for p in points)),
        "codec, GPU": (BLUE, "P", any(p.role != "baseline" and p.device != "cpu" for p in points)),
        "baseline": (ORANGE, "s", any(p.role == "baseline" for p in points)),
    }
    handles = [Line2D([], [], color=c, marker=m, ls="", label=name) for name, (c, m, used) in looks.items() if used]
    if not all(p.steady for p in points):
        handles.append(Line2D([], [], color=MUTED, marker="o", mfc="none", ls="", label="hollow: noisy or throttled"))
    return [*handles, Line2D([], [], color=INK, lw=1, label="Pareto front")]

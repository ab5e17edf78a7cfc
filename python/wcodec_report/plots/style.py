"""One look for all figures: Okabe-Ito colours, plain type, nothing that depends on the clock.

The neutral colours below occur nowhere else in a figure, so that the page can swap them for its own in dark mode.
"""

INK = "#1c1f24"
MUTED = "#5c6371"
GRID = "#dfe2e8"
PAPER = "#ffffff"
SHADE = "#eceef2"

BLUE, ORANGE, GREEN, VERMILION = "#0072b2", "#e69f00", "#009e73", "#d55e00"
SKY, PURPLE, YELLOW, GREY = "#56b4e9", "#cc79a7", "#f0e442", "#8f949e"
CYCLE = (BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, YELLOW)

CONTROLS = {
    "original": (BLUE, "o"),
    "shuffled": (VERMILION, "D"),
    "gaussian": (GREEN, "^"),
    "random-init": (PURPLE, "s"),
}
"""Colour and marker of a control."""

SETTINGS = {
    "svg.hashsalt": "wcodec",
    "svg.fonttype": "path",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.facecolor": PAPER,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "savefig.dpi": 130,
    "hatch.linewidth": 0.6,
    "lines.markersize": 5,
}


def colours(names: list[str], grey: str = "none") -> dict[str, tuple[str, str]]:
    """(colour, hatch) by name: ``grey`` is grey, the others walk the cycle, hatched from the second round on."""
    hatches = ("", "////", "....", "xxxx")
    others = [name for name in names if name != grey]
    looks = {name: (CYCLE[i % len(CYCLE)], hatches[i // len(CYCLE) % len(hatches)]) for i, name in enumerate(others)}
    return looks | {grey: (GREY, "")}

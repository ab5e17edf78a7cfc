"""Figures. One figure is one module here with a title, a caption and ``draw(results) -> Figure | None``.

Adding a figure: write the module, add its name to ``NAMES``. Its files are ``plots/<name>.svg`` and ``.png``.
"""

import importlib
import io
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt

from ..files import replace
from ..results import Results
from .style import SETTINGS

NAMES = (
    "verdict_forest",
    "bpw_by_modes",
    "entropy_gap",
    "mode_share",
    "correlations",
    "residual_histograms",
    "ratio_by_tile",
    "ledger",
    "ratio_speed",
)
"""The figures, in the page's order."""
_MARGIN_INCHES = 0.12


@dataclass(frozen=True)
class Drawing:
    """A figure on disk. ``svg`` is its text; ``caption`` says how to read it."""

    name: str
    title: str
    caption: str
    svg: str


@dataclass(frozen=True)
class Absent:
    """A figure that the results hold nothing for, and what it would need."""

    title: str
    needs: str


def draw_all(results: Results) -> tuple[list[Drawing], list[Absent]]:
    """Writes every figure as SVG and PNG under ``plots/``; the bytes depend on the results alone."""
    drawings: list[Drawing] = []
    absent: list[Absent] = []
    matplotlib.use("Agg")
    for name in NAMES:
        module = importlib.import_module(f"{__name__}.{name}")
        stem = results.folder / "plots" / name.replace("_", "-")
        with matplotlib.rc_context(SETTINGS), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            figure = module.draw(results)
            if figure is None:
                absent.append(Absent(module.TITLE, module.NEEDS))
                for suffix in (".svg", ".png"):
                    stem.with_suffix(suffix).unlink(missing_ok=True)
                continue
            svg = _save(figure, stem)
            plt.close(figure)
        drawings.append(Drawing(stem.name, module.TITLE, module.CAPTION, svg))
    return drawings, absent


def _save(figure: plt.Figure, stem: Path) -> str:
    svg, png = io.BytesIO(), io.BytesIO()
    # Laid out once: both files then show the same picture, and each save is a single pass.
    figure.draw_without_rendering()
    figure.set_layout_engine(None)
    frame = figure.get_tightbbox().padded(_MARGIN_INCHES)
    figure.savefig(svg, format="svg", bbox_inches=frame, metadata={"Date": None, "Creator": "wcodec report"})
    figure.savefig(png, format="png", bbox_inches=frame, metadata={"Software": None})
    # Comments hold the drawn strings, names of tensors among them, for nobody's use.
    text = re.sub(r"<!--.*?-->\s*", "", svg.getvalue().decode("utf-8"), flags=re.DOTALL)
    replace(stem.with_suffix(".svg"), text.encode("utf-8"))
    replace(stem.with_suffix(".png"), png.getvalue())
    return text

"""Every figure is written, says something, and is the same twice."""

import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from report_fixture import HOSTILE, Shape, build, finished, read, write
from wcodec_report import plots
from wcodec_report.plots import ratio_by_tile
from wcodec_report.plots.facets import by_size, capped, wrapped
from wcodec_report.plots.ratio_speed import Point, front
from wcodec_report.results import load

pytestmark = pytest.mark.slow
FILES = [name.replace("_", "-") for name in plots.NAMES]
TINY = Shape(
    checkpoints=("minilm",),
    tensors=3,
    quantizers=("int8:axis=row",),
    tiles=("16x16", "32x32"),
    modes=("none", "none+left"),
    coders=("rans:tables=tensor",),
    baselines=("zstd:level=3",),
)


@pytest.mark.parametrize("name", FILES)
def test_every_figure_is_there_and_is_not_blank(name: str) -> None:
    folder = finished() / "plots"
    image = plt.imread(folder / f"{name}.png")[..., :3]
    height, width, _ = image.shape
    assert width > 500
    assert height > 300
    assert len(np.unique(image.reshape(-1, 3) @ (1, 256, 65536))) > 20
    # Nothing touches the edge, so nothing is cut off.
    border = np.concatenate(
        [image[:4].reshape(-1, 3), image[-4:].reshape(-1, 3), image[:, :4].reshape(-1, 3), image[:, -4:].reshape(-1, 3)]
    )
    assert (border == 1).all()
    root = ElementTree.parse(folder / f"{name}.svg").getroot()
    assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) > 30


@pytest.mark.parametrize("name", FILES)
def test_svg_holds_no_date_no_link_and_no_name_of_a_tensor(name: str) -> None:
    text = (finished() / "plots" / f"{name}.svg").read_text(encoding="utf-8")
    assert "<dc:date>" not in text
    assert "<!--" not in text
    assert "hacked" not in text
    outside = set(re.findall(r'(?:href|src)="(?!#)([^"]*)"', text))
    assert all(link.startswith("data:image/png;base64,") for link in outside)


def test_figures_are_deterministic(tmp_path: Path) -> None:
    first, second = (build(tmp_path / name, TINY) for name in "ab")
    for folder in (first, second):
        plots.draw_all(load(folder))
    names = sorted(path.name for path in (first / "plots").iterdir())
    assert names == sorted(f"{name}.{suffix}" for name in FILES for suffix in ("png", "svg"))
    for name in names:
        assert (first / "plots" / name).read_bytes() == (second / "plots" / name).read_bytes(), name


def test_missing_files_leave_their_figures_out(tmp_path: Path) -> None:
    build(tmp_path, TINY)
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "ratio-speed.svg").write_text("of an earlier run")
    for name in ("timings", "modes", "histograms", "correlations", "verdicts", "failures"):
        (tmp_path / f"{name}.csv").unlink()
    drawings, absent = plots.draw_all(load(tmp_path))
    assert [d.name for d in drawings] == ["bpw-by-modes", "entropy-gap", "ratio-by-tile", "ledger"]
    assert len(absent) == 5
    assert all(a.needs for a in absent)
    assert not (tmp_path / "plots" / "ratio-speed.svg").exists()


def test_a_single_row(tmp_path: Path) -> None:
    rows = read(build(tmp_path, TINY), "summary")
    for name in ("timings", "modes", "histograms", "correlations", "verdicts", "failures"):
        (tmp_path / f"{name}.csv").unlink()
    write(tmp_path, "summary", rows[:1])
    drawings, _ = plots.draw_all(load(tmp_path))
    assert [d.name for d in drawings] == ["bpw-by-modes", "entropy-gap", "ledger"]


def test_only_baselines(tmp_path: Path) -> None:
    build(tmp_path, Shape(checkpoints=("minilm",), tensors=2, quantizers=("int8:axis=row",), tiles=(), failures=0))
    drawings, absent = plots.draw_all(load(tmp_path))
    assert "ratio-speed" in [d.name for d in drawings]
    assert "entropy-gap" in [d.name for d in drawings]
    assert "Bits per weight by mode set" in [a.title for a in absent]


def test_no_row_at_all(tmp_path: Path) -> None:
    build(tmp_path, TINY)
    write(tmp_path, "summary", [])
    for name in ("timings", "modes", "histograms", "correlations", "verdicts"):
        (tmp_path / f"{name}.csv").unlink()
    drawings, absent = plots.draw_all(load(tmp_path))
    assert drawings == []
    assert len(absent) == len(plots.NAMES)


def test_hostile_specs_are_drawn_as_text(tmp_path: Path) -> None:
    build(tmp_path, TINY)
    for name in ("summary", "verdicts", "timings", "modes", "histograms", "correlations"):
        rows = read(tmp_path, name)
        write(tmp_path, name, [r | {"checkpoint": HOSTILE[6], "quantizer": HOSTILE[0]} for r in rows])
    drawings, absent = plots.draw_all(load(tmp_path))
    assert not absent
    assert not any("hacked" in d.svg for d in drawings)


def test_the_front_holds_what_nothing_beats() -> None:
    def point(ratio: float, speed: float) -> Point:
        return Point(ratio, speed, "codec", "cpu", f"{ratio} {speed}", True)

    points = [point(1.1, 100), point(1.2, 50), point(1.15, 40), point(1.0, 200), point(1.0, 150), point(1.1, 90)]
    assert [(p.ratio, p.speed) for p in front(points)] == [(1.2, 50), (1.1, 100), (1.0, 200)]


def test_choices_of_what_to_show() -> None:
    left_out: list[str] = []
    assert capped([1, 2, 3], 2, "panels", left_out) == [1, 2]
    assert left_out == ["1 of 3 panels"]
    assert by_size({"none+left", "left", "none", "none+left+top"}) == ["none", "left", "none+left", "none+left+top"]
    assert wrapped("none+left+top", 10) == "none+left\n+top"
    assert sorted(["32x32", "8x32", "16x16", "odd", "8x8"], key=ratio_by_tile.area) == [
        "8x8",
        "8x32",
        "16x16",
        "32x32",
        "odd",
    ]

"""``report.html``: one file that needs no other."""

import base64
import hashlib
import re
from collections.abc import Iterable
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from . import schema
from .embed import embed
from .plots import Absent, Drawing
from .plots.style import GRID, INK, MUTED, PAPER, SHADE
from .results import Results
from .text import count, plural, shorten, visible
from .totals import Total
from .words import Tally, answers, by_kind, by_mode_set, scope

_HERE = Path(__file__).parent
_THEMED = {INK: "ink", MUTED: "muted", GRID: "line", PAPER: "paper", SHADE: "shade"}
_SHOWN = {
    "summary": (
        "checkpoint",
        "tensor",
        "kind",
        "control",
        "quantizer",
        "tile",
        "modes",
        "coder",
        "weights",
        "original_bytes",
        "coded_bytes",
        "bpw",
        "h0_bpw",
        "residual_h0_bpw",
        "ratio",
    ),
    "verdicts": (
        "checkpoint",
        "kind",
        "dtype",
        "quantizer",
        "tile",
        "coder",
        "modes",
        "against",
        "effect",
        "effect_lo",
        "effect_hi",
        "bytes_p_holm",
        "shuffled_effect",
        "net",
        "net_lo",
        "net_hi",
        "p_holm",
        "q",
        "bytes_verdict",
        "verdict",
    ),
    "timings": (
        "checkpoint",
        "tensor",
        "quantizer",
        "tile",
        "modes",
        "coder",
        "device",
        "threads",
        "encode_MBps",
        "decode_MBps",
        "decode_MBps_q1",
        "decode_MBps_q3",
        "warning",
    ),
    "failures": ("status", "reason", "checkpoint", "tensor", "control", "quantizer", "tile", "modes", "coder"),
}


def build(results: Results, drawings: list[Drawing], absent: list[Absent]) -> str:
    """The page's text. Every string from a file is escaped, its control characters spelt out."""
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    sections = [
        ("answer", "Answer", _answer(results)),
        ("verdicts", "Verdicts", _verdicts(results)),
        ("sizes", "Sizes at a glance", _sizes(results)),
        ("figures", "Figures", _figures(drawings, absent)),
        ("rows", "All rows", _grid("summary", results)),
        ("failures", "Failures", _failures(results)),
        ("timings", "Timings", _grid("timings", results)),
        ("provenance", "Provenance", _provenance(results)),
        ("reading", "How to read this", _reading()),
    ]
    present = [(key, title, body) for key, title, body in sections if body]
    return Template((_HERE / "page.html").read_text(encoding="utf-8")).substitute(
        title=_text(results.name),
        question=re.sub(r"`([^`]+)`", r"<code>\1</code>", _text(results.question)),
        csp=f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:",
        style=(_HERE / "page.css").read_text(encoding="utf-8"),
        script=script,
        alert=_alert(results),
        nav="".join(f'<li><a href="#{key}">{title}</a></li>' for key, title, _ in present),
        main="".join(f'<section id="{key}"><h2>{title}</h2>{body}</section>' for key, title, body in present),
    )


def _text(value: Any) -> str:
    return escape(visible(str(value)))


def _table(
    caption: str, head: Iterable[str], rows: Iterable[Iterable[Any]], numeric: frozenset[int] = frozenset()
) -> str:
    """A semantic table; the first cell of a row is its header; columns in ``numeric`` are right-aligned."""

    def cell(at: int, value: Any) -> str:
        look = ' class="num"' if at in numeric else ""
        return f'<th scope="row">{_text(value)}</th>' if at == 0 else f"<td{look}>{_text(value)}</td>"

    looks = [' class="num"' if at in numeric else "" for at in range(100)]
    header = "".join(f'<th scope="col"{look}>{_text(name)}</th>' for name, look in zip(head, looks, strict=False))
    body = "".join(f"<tr>{''.join(cell(at, value) for at, value in enumerate(row))}</tr>" for row in rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{_text(caption)}"><table>'
        f"<caption>{_text(caption)}</caption><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _alert(results: Results) -> str:
    failed = results.tables["failures"].num_rows
    parts = []
    if failed:
        parts.append(
            f"<p><strong>{plural(failed, 'cell')} failed or timed out.</strong> "
            'The numbers here leave them out. <a href="#failures">See which and why.</a></p>'
        )
    parts += [f"<p>{_text(note)}</p>" for note in results.notes]
    return f'<div class="alert" role="note">{"".join(parts)}</div>' if parts else ""


def _answer(results: Results) -> str:
    cards = "".join(
        f'<div class="card {answer.tone}"><h3>{_text(answer.question)}</h3><p class="short">{_text(answer.short)}</p>'
        + "".join(f"<p>{_text(sentence)}</p>" for sentence in answer.sentences if sentence)
        + "</div>"
        for answer in answers(results)
    )
    if not cards:
        cards = (
            '<div class="card unclear"><p class="short">No comparison was made</p><p>The results hold no verdicts: '
            "the experiment has no mode set to compare, or no pair of cells finished.</p></div>"
        )
    return f'<div class="cards">{cards}</div><p class="scope">{_text(scope(results))}</p>'


def _verdicts(results: Results) -> str:
    sets = by_mode_set(results)
    if not sets:
        return ""
    told = ("Comparisons", "File smaller?", "Effect, bit/weight", "Structure?", "Net, bit/weight")
    summary = _table(
        "Whole-model comparisons by mode set", ("Candidate", "Against", *told), _told(sets), frozenset({2, 4, 6})
    )
    kinds = by_kind(results)
    parts = ""
    if kinds:
        parts = "<h3>By model, kind of tensor and dtype</h3>" + _table(
            "Comparisons of single kinds of tensors",
            ("Model", "Kind", "Dtype", *told),
            _told(kinds),
            frozenset({3, 5, 7}),
        )
    return summary + parts + "<h3>Every comparison</h3>" + _grid("verdicts", results)


def _told(tallies: list[Tally]) -> list[tuple[str, ...]]:
    return [(*t.of, count(t.comparisons), t.bytes_tally, t.effect, t.net_tally, t.net) for t in tallies]


def _sizes(results: Results) -> str:
    """Per checkpoint and quantizer: the smallest without prediction, with it, and of the baselines."""
    rows = []
    for checkpoint, quantizer in results.totals.groups():
        totals = results.totals.of(checkpoint, quantizer)
        kinds = {
            "no prediction": [t for t in totals if t.role == "codec" and t.modes == "none"],
            "prediction": [t for t in totals if t.role == "codec" and t.modes != "none"],
            "baseline": [t for t in totals if t.role == "baseline"],
        }
        for kind, candidates in kinds.items():
            if candidates:
                best = min(candidates, key=lambda t: (t.bpw, t.tile, t.modes, t.coder))
                rows.append(
                    (
                        f"{shorten(checkpoint, 40)}, {quantizer}",
                        kind,
                        _spec(best),
                        count(best.tensors),
                        count(best.weights),
                        f"{best.bpw:.4f}",
                        _entropy(best),
                        f"{best.ratio:.4f}",
                    )
                )
    if not rows:
        return ""
    head = ("Checkpoint, quantizer", "Best", "Stages", "Tensors", "Weights", "Bit/weight", "H0 + scales", "Ratio")
    table = _table("Smallest of each sort, original weights, scales included", head, rows, frozenset({3, 4, 5, 6, 7}))
    notes = "".join(f"<li>{escape(note)}</li>" for note in results.totals.notes)
    return table + (f'<ul class="notes">{notes}</ul>' if notes else "")


def _spec(total: Total) -> str:
    return " · ".join(part for part in (total.tile, total.modes, total.coder) if part)


def _entropy(total: Total) -> str:
    bits = total.entropy.get("h0_bpw")
    return "–" if bits is None else f"{bits + total.bits('scale_bytes'):.4f}"


def _figures(drawings: list[Drawing], absent: list[Absent]) -> str:
    figures = "".join(
        f'<figure id="{d.name}"><h3>{escape(d.title)}</h3><div class="scroll plot" tabindex="0" role="region" '
        f'aria-label="{escape(d.title)}">{_inline(d)}</div><figcaption>{escape(d.caption)}</figcaption></figure>'
        for d in drawings
    )
    rest = "".join(f"<li>{escape(a.title)}: needs {escape(a.needs)}.</li>" for a in absent)
    return figures + (f'<p>Not drawn, for want of data:</p><ul class="notes">{rest}</ul>' if rest else "")


def _inline(drawing: Drawing) -> str:
    """The figure as an element of the page: its own ids, the page's neutral colours, a width it may shrink from."""
    svg = drawing.svg[drawing.svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{drawing.name}-', svg)
    svg = re.sub(r'(url\(#|href="#)', rf"\g<1>{drawing.name}-", svg)
    for colour, name in _THEMED.items():
        svg = svg.replace(colour, f"var(--{name})")
    width = float(re.search(r'width="([\d.]+)pt"', svg)[1])
    head = f'<svg role="img" aria-label="{escape(drawing.title)}" style="width:{width * 4 / 3:.0f}px"'
    return svg.replace("<svg", head, 1)


def _failures(results: Results) -> str:
    if not results.tables["failures"].num_rows:
        return "<p>None: every cell of the plan finished.</p>"
    return _grid("failures", results)


def _grid(name: str, results: Results) -> str:
    """A table that the script fills, sorts, filters and pages."""
    table = results.tables[name]
    if not table.num_rows:
        return ""
    data = embed(table, schema.FILES[name], _SHOWN[name])
    return (
        f'<div class="grid" data-source="data-{name}" data-file="{name}-filtered.csv"></div>'
        f'<script type="application/json" id="data-{name}">{data}</script>'
    )


def _provenance(results: Results) -> str:
    tables = []
    plain: list[tuple[str, Any]] = []
    for key, value in _flat(results.provenance):
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            head = list(dict.fromkeys(name for item in value for name in item))
            tables.append(_table(key, head, [[_plain(item.get(name)) for name in head] for item in value]))
        else:
            plain.append((key, _plain(value)))
    if plain:
        tables.insert(0, _table("Where these numbers come from", ("What", "Value"), plain))
    if results.config_text:
        tables.append(f"<details><summary>experiment.yaml</summary><pre>{_lines(results.config_text)}</pre></details>")
    return "".join(tables)


def _flat(value: dict[str, Any], prefix: str = "", depth: int = 4) -> Iterable[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, dict) and inner and depth:
            yield from _flat(inner, f"{prefix}{key}.", depth - 1)
        else:
            yield f"{prefix}{key}", inner


def _plain(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value)
    return str(value)


def _lines(text: str) -> str:
    return "\n".join(_text(line) for line in text.splitlines())


def _reading() -> str:
    definitions = "".join(
        f"<dt><code>{c.name}</code> <span>{escape(c.unit)}</span></dt><dd>{escape(c.meaning)}</dd>"
        for c in schema.SUMMARY
    )
    return Template((_HERE / "reading.html").read_text(encoding="utf-8")).substitute(definitions=definitions)

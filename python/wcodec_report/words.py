"""The answer in words, from the verdicts that the run computed."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from .results import Results
from .text import count, interval, listed, magnitude, plural, signed, visible

Row = dict[str, Any]
Aspect = Literal["effect", "net"]
WORDS = ("helps", "no effect", "hurts", "inconclusive")
_COLUMN: dict[Aspect, str] = {"effect": "bytes_verdict", "net": "verdict"}
_SMALL_MODEL = 1_000_000_000


@dataclass(frozen=True)
class Answer:
    """One question, its answer in a word or two, and the sentences that carry it."""

    question: str
    short: str
    tone: str
    sentences: tuple[str, ...]


def comparisons(results: Results) -> list[Row]:
    """Whole-model comparisons: of each checkpoint, and of all pooled where they were."""
    return results.rows("verdicts", kind="all")


def answers(results: Results) -> list[Answer]:
    """Does the file get smaller, and is it structure that makes it so? Nothing when nothing was compared."""
    rows = comparisons(results)
    if not rows:
        return []
    return [
        _answer("Does the file get smaller?", rows, "effect"),
        _answer("Is there structure that prediction can use?", rows, "net"),
    ]


def _answer(question: str, rows: list[Row], aspect: Aspect) -> Answer:
    judged = [row for row in rows if row[_COLUMN[aspect]]]
    if not judged:
        control = "" if aspect == "effect" else ": it needs the shuffled control"
        return Answer(question, "Not judged", "unclear", (f"No comparison has this verdict{control}.",))
    tally = Counter(row[_COLUMN[aspect]] for row in judged)
    helps = tally["helps"]
    sentences = [
        f"{_capital(tallied(tally))} ({plural(len(judged), 'whole-model comparison')}).",
        _extreme(judged, aspect),
    ]
    if helps == len(judged):
        return Answer(question, "Yes", "yes", tuple(sentences))
    if helps:
        return Answer(question, f"In {count(helps)} of {count(len(judged))} comparisons", "mixed", tuple(sentences))
    if tally["inconclusive"]:
        return Answer(question, "Not shown", "unclear", tuple(sentences))
    return Answer(question, "No", "no", tuple(sentences))


def tallied(tally: Counter[str]) -> str:
    """``helps 3 · no effect 20``: words in a fixed order, those unknown to this version last."""
    order = [*WORDS, *sorted(tally.keys() - set(WORDS))]
    return " · ".join(f"{visible(word)} {count(tally[word])}" for word in order if tally[word])


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _extreme(rows: list[Row], aspect: Aspect) -> str:
    valued = [row for row in rows if row[aspect] is not None]
    if not valued:
        return ""
    best = min(valued, key=lambda row: row[aspect])
    lead = "The comparison" if len(valued) == 1 else "Most in favour of prediction"
    name = "effect" if aspect == "effect" else "net of the shuffled control"
    low, high = best[f"{aspect}_lo"], best[f"{aspect}_hi"]
    return (
        f"{lead}: {visible(best['modes'])} against {visible(best['against'])} on {where(best)}: {name} "
        f"{signed(best[aspect])} bit/weight (95 % interval {interval(low, high)})."
    )


def where(row: Row) -> str:
    """Checkpoint and fixed stages of a comparison."""
    checkpoint = "all checkpoints pooled" if row["scope"] == "pooled" else row["checkpoint"]
    return ", ".join(visible(part) for part in (checkpoint, row["quantizer"], row["tile"], row["coder"]) if part)


@dataclass(frozen=True)
class Tally:
    """Several comparisons as one line: verdicts counted, smallest and largest value in bit/weight."""

    of: tuple[str, ...]
    comparisons: int
    bytes_tally: str
    effect: str
    net_tally: str
    net: str


def by_mode_set(results: Results) -> list[Tally]:
    """Whole-model comparisons by candidate and reference, those with the smallest effect first."""
    tallies = _tallies(comparisons(results), ("modes", "against"))
    return [tally for _, tally in sorted(tallies, key=lambda item: (item[0], item[1].of))]


def by_kind(results: Results) -> list[Tally]:
    """Comparisons of single kinds of tensors by model, kind and dtype of the symbols."""
    rows = [row for row in results.rows("verdicts", scope="checkpoint") if row["kind"] != "all"]
    return sorted((tally for _, tally in _tallies(rows, ("checkpoint", "kind", "dtype"))), key=lambda tally: tally.of)


def _tallies(rows: list[Row], columns: tuple[str, ...]) -> list[tuple[float, Tally]]:
    """One line for each combination of the columns, with its smallest effect."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[column] for column in columns), []).append(row)
    return [
        (
            min((r["effect"] for r in group if r["effect"] is not None), default=0.0),
            Tally(
                of,
                len(group),
                tallied(Counter(r["bytes_verdict"] for r in group if r["bytes_verdict"])) or "–",
                _span(r["effect"] for r in group),
                tallied(Counter(r["verdict"] for r in group if r["verdict"])) or "–",
                _span(r["net"] for r in group),
            ),
        )
        for of, group in groups.items()
    ]


def _span(values: Iterable[float | None]) -> str:
    known = [v for v in values if v is not None]
    if not known:
        return "–"
    return signed(known[0]) if min(known) == max(known) else f"{signed(min(known))} … {signed(max(known))}"


def scope(results: Results) -> str:
    """What the answer rests on, and how far it reaches."""
    table = results.tables["summary"]
    sizes: dict[str, dict[str, int]] = {}
    columns = table.select(["checkpoint", "tensor", "weights"]).to_pylist()
    for row in columns:
        sizes.setdefault(row["checkpoint"] or "", {})[row["tensor"] or ""] = row["weights"]
    if not sizes:
        return "No cell finished."
    named = [
        f"{name} ({magnitude(sum(w.values()))} weights in {plural(len(w), 'tensor')})"
        for name, w in sorted(sizes.items())
    ]
    text = f"Measured on {listed(named, 8)}."
    if all(sum(w.values()) < _SMALL_MODEL for w in sizes.values()):
        text += " All are small: under a billion weights measured."
    return f"{text} What holds for these need not hold for others."

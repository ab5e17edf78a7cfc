"""Sums over tensors.

A ratio of a checkpoint is ``sum(original_bytes) / sum(coded_bytes)`` and its bits per weight ``8 · sum(coded_bytes) /
sum(weights)``: never a mean of ratios. Series that are set side by side are summed over the same tensors.
"""

from collections import defaultdict
from dataclasses import dataclass

import pyarrow as pa

from .schema import LEDGER
from .text import listed, plural, visible

ENTROPIES = ("h0_bpw", "residual_h0_bpw", "best_bpw", "gm_bpw")
_COVER = 0.9
_SERIES = ("control", "tile", "modes", "transform", "coder", "role")
_BYTES = ("source_bytes", "original_bytes", "coded_bytes", *LEDGER)


@dataclass(frozen=True)
class Total:
    """One series (control, tile, modes, transform, coder) summed over the tensors of a checkpoint and quantizer.

    ``bytes`` holds sums of the byte columns; ``entropy`` weight-weighted entropies in bit/weight, those only that every
    tensor has.
    """

    checkpoint: str
    quantizer: str
    control: str
    tile: str
    modes: str
    transform: str
    coder: str
    role: str
    tensors: int
    weights: int
    bytes: dict[str, int]
    entropy: dict[str, float]

    @property
    def ratio(self) -> float:
        """Original over coded bytes, scales on both sides."""
        return self.bytes["original_bytes"] / self.bytes["coded_bytes"]

    @property
    def bpw(self) -> float:
        """Coded bits per weight, scales included."""
        return self.bits("coded_bytes")

    @property
    def bpw_symbols(self) -> float:
        """Coded bits per weight without scales: comparable with the entropies."""
        return self.bpw - self.bits("scale_bytes")

    def bits(self, account: str) -> float:
        """Bits per weight of one byte column."""
        return 8 * self.bytes[account] / self.weights


@dataclass(frozen=True)
class Totals:
    """All series, and a sentence for everything that had to be left out to compare like with like."""

    series: tuple[Total, ...]
    notes: tuple[str, ...]

    def of(self, checkpoint: str, quantizer: str, control: str = "original", role: str | None = None) -> list[Total]:
        """Series of one checkpoint, quantizer and control."""
        return [
            t
            for t in self.series
            if (t.checkpoint, t.quantizer, t.control) == (checkpoint, quantizer, control) and role in (None, t.role)
        ]

    def groups(self) -> list[tuple[str, str]]:
        """(checkpoint, quantizer) pairs, in order."""
        return sorted({(t.checkpoint, t.quantizer) for t in self.series})


def _with_front(row: dict) -> dict:
    """The row with what stands before the codec put to the transform: a comparison of mode sets holds them all fixed.

    The columns ``order``, ``approx`` and ``reference`` are in the file only where an experiment varies them.
    """
    order, approx = row.pop("order", None) or "identity", row.pop("approx", None) or "none"
    reference = row.pop("reference", None) or "none"
    front = [f"order={order}"] * (order != "identity") + [f"approx={approx}"] * (approx != "none")
    front += [f"reference={reference}"] * (reference != "none")
    if front:
        transform = row["transform"] or "identity"
        row["transform"] = " ".join([*front, *[transform] * (transform != "identity")])
    return row


def sum_up(summary: pa.Table) -> Totals:
    """Sums the rows of ``summary.csv``. A cell that ran on two devices counts once: its bytes are the same."""
    columns = ["checkpoint", "quantizer", "tensor", "weights", *_SERIES, *_BYTES, *ENTROPIES]
    groups: dict[tuple[str, str], dict[tuple[str, ...], dict[str, dict]]] = defaultdict(lambda: defaultdict(dict))
    columns += [name for name in ("order", "approx", "reference") if name in summary.column_names]
    for row in map(_with_front, summary.select(columns).to_pylist()):
        if row["weights"] > 0 and row["coded_bytes"] > 0:
            series = tuple(row[name] or "" for name in _SERIES)
            groups[row["checkpoint"] or "", row["quantizer"] or ""][series].setdefault(row["tensor"] or "", row)
    totals: list[Total] = []
    notes: list[str] = []
    for group in sorted(groups):
        kept, tensors = _paired(group, groups[group], notes)
        totals += [_total(group, series, [groups[group][series][tensor] for tensor in tensors]) for series in kept]
    return Totals(tuple(totals), tuple(notes))


def _paired(
    group: tuple[str, str], by_series: dict[tuple[str, ...], dict[str, dict]], notes: list[str]
) -> tuple[list[tuple[str, ...]], list[str]]:
    """Series that cover nearly all weights, and the tensors that each of them has."""
    weights = {tensor: row["weights"] for rows in by_series.values() for tensor, row in rows.items()}
    enough = _COVER * max(sum(weights[t] for t in rows) for rows in by_series.values())
    kept = sorted(s for s, rows in by_series.items() if sum(weights[t] for t in rows) >= enough)
    common = sorted(set.intersection(*(set(by_series[s]) for s in kept)))
    where = f"{visible(group[0])}, {visible(group[1])}"
    if not common:
        kept = [max(kept, key=lambda s: sum(weights[t] for t in by_series[s]))]
        common = sorted(by_series[kept[0]])
    if len(kept) < len(by_series):
        lost = [" ".join(filter(None, s[:5])) for s in sorted(by_series) if s not in kept]
        notes.append(
            f"{where}: sums leave out {len(lost)} series that lack over a tenth of the weights ({listed(lost)})."
        )
    everywhere = set().union(*(by_series[s] for s in kept))
    if len(common) < len(everywhere):
        gone = sorted(everywhere - set(common))
        notes.append(
            f"{where}: sums leave out {plural(len(gone), 'tensor')} not finished in every series ({listed(gone)})."
        )
    return kept, common


def _total(group: tuple[str, str], series: tuple[str, ...], rows: list[dict]) -> Total:
    weights = sum(row["weights"] for row in rows)
    entropy = {
        name: sum(row[name] * row["weights"] for row in rows) / weights
        for name in ENTROPIES
        if all(row[name] is not None for row in rows)
    }
    sums = {name: sum(row[name] or 0 for row in rows) for name in _BYTES}
    return Total(*group, *series, len(rows), weights, sums, entropy)

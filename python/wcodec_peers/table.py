"""`python -m wcodec_peers.table results/study/peers`: the tables of docs/peers.md, from summary.csv and timings.csv.

One table a quantizer, for `lossless` one a type: a row a compressor, best first; a column a checkpoint with original
bytes over coded bytes, scales on both sides; speeds over the tensors that were timed, in 10^6 bytes of symbols a
second. The weights themselves, no controls."""

from __future__ import annotations

import csv
import math
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Sum:
    """Bytes of one compressor on one checkpoint, or of both directions of its timings."""

    original: int = 0
    coded: int = 0
    symbols: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: {"encode": 0.0, "decode": 0.0})

    def ratio(self) -> float:
        return self.original / self.coded

    def speed(self, direction: str) -> str:
        if not self.symbols:
            return ""
        speed = self.symbols / self.seconds[direction] / 1e6
        return f"{speed:,.0f}" if speed >= 10 else f"{speed:.1f}"


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def name_of(row: dict[str, str]) -> str:
    return f"wcodec `{row['coder']}`" if row["role"] == "codec" else f"`{row['coder']}`"


def kind_of(row: dict[str, str]) -> str:
    """What a table is about: compressors differ in the types that they take, so types do not mix in one."""
    return f"lossless {row['dtype']}" if row["quantizer"] == "lossless" else row["quantizer"]


def tables(folder: Path) -> str:
    sizes: dict[str, dict[str, dict[str, Sum]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(Sum)))
    speeds: dict[tuple[str, str], Sum] = defaultdict(Sum)
    cells = {}
    for row in read(folder / "summary.csv"):
        if row["control"] != "original":
            continue
        cells[row["cell"]] = row
        at = sizes[kind_of(row)][name_of(row)][row["checkpoint"]]
        at.original += int(row["original_bytes"])
        at.coded += int(row["coded_bytes"])
    for timing in read(folder / "timings.csv"):
        if timing["cell"] not in cells:
            continue
        row = cells[timing["cell"]]
        at = speeds[kind_of(row), name_of(row)]
        at.symbols += int(timing["symbol_bytes"])
        for direction in at.seconds:
            at.seconds[direction] += int(timing["symbol_bytes"]) / float(timing[f"{direction}_MBps"]) / 1e6
    return "\n".join(table(kind, sizes[kind], speeds) for kind in sorted(sizes))


def table(kind: str, rows: dict[str, dict[str, Sum]], speeds: dict[tuple[str, str], Sum]) -> str:
    columns = sorted({checkpoint for of in rows.values() for checkpoint in of})

    def worth(name: str) -> float:
        """Mean logarithm of its ratios: a checkpoint counts once, whatever its size. Those that lack some come last."""
        of = rows[name]
        return sum(math.log(s.ratio()) for s in of.values()) / len(of) - 10 * (len(columns) - len(of))

    best = {c: max(of[c].ratio() for of in rows.values() if c in of) for c in columns}

    def cell(of: dict[str, Sum], checkpoint: str) -> str:
        if checkpoint not in of:
            return ""
        ratio = of[checkpoint].ratio()
        text = f"{ratio:.4f}"
        return f"**{text}**" if ratio == best[checkpoint] else text

    lines = [
        f"**{kind}**",
        "",
        "| " + " | ".join(["compressor", *columns, "encode MB/s", "decode MB/s"]) + " |",
        "|---" + "|---:" * (len(columns) + 2) + "|",
    ]
    for name in sorted(rows, key=lambda name: (-worth(name), name)):
        timed = speeds.get((kind, name), Sum())
        cells = [cell(rows[name], c) for c in columns]
        lines.append("| " + " | ".join([name, *cells, timed.speed("encode"), timed.speed("decode")]) + " |")
    return "\n".join([*lines, ""])


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    print(tables(Path(arguments[0])), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

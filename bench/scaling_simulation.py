"""Where does one driver saturate? A discrete-event simulation of `wcodec run --engine`, fed with measured costs.

The driver does one thing at a time: handing out a unit and merging its fragment cost it `--driver-ms` together. A
worker takes a unit, spends `--start-ms` on starting `wcodec cell` and what the unit's cells take, and waits until the
driver has the next one for it. Durations of units are those of `wcodec plan CONFIG --units` (`--units FILE`,
repeated as often as needed), or lognormal around `--seconds`.

    python3 bench/scaling_simulation.py --seconds 2 10 60 --workers 16 128 512 1024
    wcodec plan study.yaml --units > units.jsonl; bench/scaling_simulation.py --units units.jsonl
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

UNITS_PER_WORKER = 50  # enough for the beginning not to matter


def lognormal(mean: float, seed: int = 1) -> Iterator[float]:
    """Durations that vary about threefold, as tensors of a model do."""
    sigma = 0.7
    draw = random.Random(seed)
    while True:
        yield mean * draw.lognormvariate(-sigma * sigma / 2, sigma)


def repeated(seconds: Sequence[float]) -> Iterator[float]:
    while True:
        yield from seconds


def busy_share(durations: Iterator[float], workers: int, driver: float, start: float) -> float:
    """Share of the workers' time spent in cells, up to the moment when the last unit is handed out."""
    free = [(0.0, worker) for worker in range(workers)]  # when a worker asks for a unit
    driver_free = 0.0
    cells = []  # begin and end
    for _ in range(UNITS_PER_WORKER * workers):
        asked, worker = heapq.heappop(free)
        driver_free = max(driver_free, asked) + driver
        begin = driver_free + start
        cells.append((begin, begin + next(durations)))
        heapq.heappush(free, (cells[-1][1], worker))
    useful = sum(max(0.0, min(end, driver_free) - begin) for begin, end in cells)
    return useful / (workers * driver_free)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=Path, help="lines of `wcodec plan --units`")
    parser.add_argument("--seconds", type=float, nargs="+", default=[0.5, 2, 10, 60], help="mean duration of a unit")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 16, 64, 256, 512, 1024, 2048])
    parser.add_argument("--driver-ms", type=float, default=3.5, help="driver's work for a unit")
    parser.add_argument("--start-ms", type=float, default=110, help="worker's work before a unit's first cell")
    arguments = parser.parse_args()
    driver, start = arguments.driver_ms / 1e3, arguments.start_ms / 1e3
    if arguments.units:
        seconds = [json.loads(line)["seconds"] for line in arguments.units.read_text().splitlines()]
        rows = [(f"{arguments.units.name}, mean {sum(seconds) / len(seconds):.3g} s", lambda: repeated(seconds))]
    else:
        rows = [(f"{mean:g} s", lambda mean=mean: lognormal(mean)) for mean in arguments.seconds]
    print(
        "| a unit takes | " + " | ".join(f"{count:,} worker{'s' * (count > 1)}" for count in arguments.workers) + " |"
    )
    print("|---|" + "---|" * len(arguments.workers))
    for name, durations in rows:
        shares = (busy_share(durations(), count, driver, start) for count in arguments.workers)
        print(f"| {name} | " + " | ".join(f"{share:.0%}" for share in shares) + " |")


if __name__ == "__main__":
    main()

"""The table of executions in docs/reliability.md, made of tests/fuzz/executions.csv.

table.py            prints it
table.py --write    puts it between its marks in docs/reliability.md
"""

import csv
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUNS = ROOT / "tests" / "fuzz" / "executions.csv"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- executions: tests/fuzz/table.py --write -->\n", "<!-- end of executions -->\n"


def table() -> str:
    with RUNS.open(newline="") as file:
        runs = list(csv.DictReader(file))
    lines = ["| target | executions | minutes | failed inputs | last run |", "|---|---|---|---|---|"]
    for target in sorted({run["target"] for run in runs}):
        own = [run for run in runs if run["target"] == target]
        executions, seconds, failures = (
            sum(int(run[key]) for run in own) for key in ("executions", "seconds", "failures")
        )
        last = own[-1]
        lines.append(
            f"| {target} | {executions:,} | {seconds / 60:.1f} | {failures} | {last['date']}, commit {last['commit']} |"
        )
    lines.append(f"| all | {sum(int(run['executions']) for run in runs):,} | | | |")
    return "\n".join(lines) + "\n"


def page_with_table(page: str) -> str:
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + table() + END + after


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page_with_table(PAGE.read_text()))
    else:
        sys.stdout.write(table())

"""``python -m wcodec_report DIR``: writes Parquet, figures and the page into a results folder."""

import argparse
import json
import sys
from pathlib import Path

from . import parquet, plots
from .errors import ReportError
from .files import replace
from .page import build
from .results import load


def report(folder: Path) -> dict[str, object]:
    """Writes everything into ``folder`` and says what: paths of the page, Parquet files and figures, rows and notes."""
    results = load(folder)
    tables = parquet.write_all(results)
    drawings, absent = plots.draw_all(results)
    page = folder / "report.html"
    replace(page, build(results, drawings, absent).encode("utf-8"))
    return {
        "report": str(page),
        "parquet": [str(path) for path in tables],
        "plots": [str(folder / "plots" / f"{d.name}.svg") for d in drawings],
        "not_drawn": [a.title for a in absent],
        "rows": results.tables["summary"].num_rows,
        "failures": results.tables["failures"].num_rows,
        "notes": [*results.notes, *results.totals.notes],
    }


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0, or 1 with one sentence on standard error."""
    parser = argparse.ArgumentParser(
        "wcodec report", description="Parquet, figures and report.html of a results folder."
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder that 'wcodec run' wrote")
    parser.add_argument("--quiet", action="store_true", help="print nothing when all is well")
    parser.add_argument("--json", action="store_true", help="print what was written as one JSON object")
    options = parser.parse_args(arguments)
    try:
        written = report(options.folder)
    except ReportError as error:
        print(f"wcodec report: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(written))
    elif not options.quiet:
        print(f"Report of {written['rows']} rows: {written['report']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

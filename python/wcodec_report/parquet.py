"""The CSV rows again, typed."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from .files import replace
from .results import Results

TABLES = ("summary", "timings", "verdicts")


def write_all(results: Results) -> list[Path]:
    """Writes ``<table>.parquet`` for each table that has rows, removes those of earlier reports that now have none."""
    written = []
    for name in TABLES:
        path = results.folder / f"{name}.parquet"
        table = results.tables[name]
        if not table.num_rows:
            path.unlink(missing_ok=True)
            continue
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd", version="2.6")
        replace(path, sink.getvalue().to_pybytes())
        written.append(path)
    return written

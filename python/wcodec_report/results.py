"""Reads a results folder into typed tables, and refuses what cannot be trusted."""

import csv
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import yaml

from .errors import ReportError
from .schema import FILES, LEDGER, Column
from .text import visible
from .totals import Totals, sum_up

_ARROW = {"text": pa.string(), "count": pa.int64(), "real": pa.float64()}


@dataclass(frozen=True)
class Results:
    """A results folder in memory.

    ``tables`` maps a file's stem to its rows; a file that is absent has an empty table, so that no reader needs to ask.
    """

    folder: Path
    tables: dict[str, pa.Table]
    provenance: dict[str, Any]
    config: dict[str, Any]
    config_text: str
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The experiment's name, else the folder's."""
        named = self.config.get("experiment") or self.provenance.get("experiment")
        return str(named) if isinstance(named, str) else self.folder.resolve().name

    @property
    def question(self) -> str:
        """The question the config asks, else the framework's."""
        asked = self.config.get("question") or self.provenance.get("question")
        return asked.strip() if isinstance(asked, str) else "Does prediction help to compress these weights?"

    @cached_property
    def totals(self) -> Totals:
        """Sums over the tensors of each checkpoint and quantizer."""
        return sum_up(self.tables["summary"])

    def rows(self, name: str, **equal: str) -> list[dict[str, Any]]:
        """Rows of one table as dictionaries, those only whose columns equal what is asked; empty text is ``""``."""
        table = self.tables[name]
        for column, value in equal.items():
            table = table.filter(pc.equal(table[column], value))
        return filled(table).to_pylist()


def filled(table: pa.Table) -> pa.Table:
    """The table with "not applicable" text as the empty string, so that it can be grouped and joined on."""
    for at, field in enumerate(table.schema):
        if field.type == pa.string():
            table = table.set_column(at, field, table[field.name].fill_null(""))
    return table


def load(folder: Path) -> Results:
    """Reads DIR; raises ReportError when a file is missing or cannot be what it says it is."""
    if not folder.is_dir():
        raise ReportError(f"{visible(str(folder))} is not a folder: give the folder that 'wcodec run' wrote.")
    if not (folder / "summary.csv").is_file():
        raise ReportError(f"{visible(str(folder))} has no summary.csv: give a folder that 'wcodec run' has finished.")
    tables = {name: _read_csv(folder / f"{name}.csv", columns) for name, columns in FILES.items()}
    if not tables["summary"].num_rows and not tables["failures"].num_rows:
        raise ReportError(f"{_where(folder / 'summary.csv')} has no rows: run the experiment first, with 'wcodec run'.")
    _check_accounts(folder / "summary.csv", tables["summary"])
    notes: list[str] = []
    provenance = _read_provenance(folder / "provenance.json", notes)
    config, text = _read_config(folder / "experiment.yaml", notes)
    return Results(folder, tables, provenance, config, text, tuple(notes))


def _where(path: Path) -> str:
    return visible(str(path))


def _read_csv(path: Path, columns: tuple[Column, ...]) -> pa.Table:
    known = {column.name: _ARROW[column.kind] for column in columns}
    fields = [pa.field(c.name, known[c.name], metadata=_metadata(c)) for c in columns]
    if not path.is_file():
        return pa.schema(fields).empty_table()
    again = "run 'wcodec run' again to write it anew"
    try:
        raw = path.read_bytes()
        if not raw.endswith(b"\n"):
            raise ReportError(f"{_where(path)} ends in mid-line: {again}.")
        table = pcsv.read_csv(
            pa.BufferReader(raw),
            read_options=pcsv.ReadOptions(use_threads=False, block_size=max(1 << 20, min(len(raw) + 1, 1 << 30))),
            parse_options=pcsv.ParseOptions(newlines_in_values=True),
            convert_options=pcsv.ConvertOptions(
                column_types=known | {name: pa.string() for name in _header(raw) if name not in known},
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
    except OSError as error:
        raise ReportError(f"{_where(path)} cannot be read ({error.strerror}): check its permissions.") from error
    except (pa.ArrowException, UnicodeDecodeError, csv.Error) as error:
        raise ReportError(f"{_where(path)} is not a valid table ({_first_line(error)}): {again}.") from error
    missing = [name for name in known if name not in table.column_names]
    if missing:
        raise ReportError(f"{_where(path)} lacks the column {missing[0]}: {again} with this version of wcodec.")
    if len(set(table.column_names)) != table.num_columns:
        raise ReportError(f"{_where(path)} has two columns of one name: {again}.")
    extra = [pa.field(name, pa.string()) for name in table.column_names if name not in known]
    return table.select([f.name for f in [*fields, *extra]]).cast(pa.schema([*fields, *extra]))


def _metadata(column: Column) -> dict[str, str]:
    return {"unit": column.unit, "description": column.meaning}


def _header(raw: bytes) -> list[str]:
    return next(csv.reader([raw.split(b"\n", 1)[0].decode("utf-8")]), [])


def _first_line(error: Exception) -> str:
    return visible(str(error).strip().split("\n", 1)[0])[:200].removesuffix(".")


def _check_accounts(path: Path, summary: pa.Table) -> None:
    """Every row's twelve accounts must sum to its coded bytes: a report on books that do not balance is no report."""
    for name in ("weights", "original_bytes", "coded_bytes"):
        if summary[name].null_count:
            raise ReportError(f"{_where(path)} has a row without {name}: run 'wcodec run' again to write it anew.")
    booked = sum((_integers(summary, name) for name in LEDGER), np.zeros(summary.num_rows, np.int64))
    wrong = np.flatnonzero(booked != _integers(summary, "coded_bytes"))
    if wrong.size:
        row = int(wrong[0])
        raise ReportError(
            f"{_where(path)}: in data row {row + 1} coded_bytes is {summary['coded_bytes'][row].as_py()} "
            f"but its accounts sum to {booked[row]}: run 'wcodec run' again to write it anew."
        )


def _integers(table: pa.Table, name: str) -> np.ndarray:
    return table[name].fill_null(0).to_numpy()


def _read_provenance(path: Path, notes: list[str]) -> dict[str, Any]:
    if not path.is_file():
        notes.append("There is no provenance.json: these numbers cannot be traced to a commit, a machine or a file.")
        return {}
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        what = f"{_where(path)} is not valid JSON ({_first_line(error)})"
        raise ReportError(f"{what}: restore it or run 'wcodec run' again.") from error
    if not isinstance(value, dict):
        raise ReportError(f"{_where(path)} does not hold a JSON object: restore it or run 'wcodec run' again.")
    return value


def _read_config(path: Path, notes: list[str]) -> tuple[dict[str, Any], str]:
    """The config and its text. The run has long accepted it, so one that PyYAML cannot read costs only the title."""
    if not path.is_file():
        return {}, ""
    try:
        text = path.read_text(encoding="utf-8")
        value = yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        notes.append("experiment.yaml could not be read, so its name and question are missing here.")
        return {}, ""
    return (value if isinstance(value, dict) else {}), text

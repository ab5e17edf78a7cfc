"""Tables as compact JSON inside a page, safe whatever the strings hold."""

import json
import math
from typing import Any

import pyarrow as pa

from .schema import Column


def embed(table: pa.Table, columns: tuple[Column, ...], shown: tuple[str, ...]) -> str:
    """JSON of a table by columns: ``{rows, columns: [{name, kind, unit, meaning, chosen, dict, codes | values}]}``.

    A column whose values repeat is stored as the distinct ones and an index a row (-1: empty). Column order is the
    file's; columns that the schema does not know are text.
    """
    known = {column.name: column for column in columns}
    parts = []
    for name in table.column_names:
        column = known.get(name, Column(name, "text", "", "not in the schema of this version"))
        part = {
            "name": name,
            "kind": column.kind,
            "unit": column.unit,
            "meaning": column.meaning,
            "chosen": name in shown,
        }
        parts.append(part | _values([_finite(v) for v in table[name].to_pylist()]))
    return script_json({"rows": table.num_rows, "columns": parts})


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _values(values: list[Any]) -> dict[str, Any]:
    distinct = list(dict.fromkeys(v for v in values if v is not None))
    if 2 * len(distinct) > len(values):
        return {"values": values}
    index: dict[Any, int] = {value: at for at, value in enumerate(distinct)} | {None: -1}
    codes = [index[value] for value in values]
    return {"dict": distinct, "codes": codes[0] if len(set(codes)) == 1 else codes}


def script_json(value: Any) -> str:
    """JSON that may stand inside a script element: plain ASCII, and no character that HTML gives a meaning."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")

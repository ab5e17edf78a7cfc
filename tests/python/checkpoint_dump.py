"""Tensors of a checkpoint as wcodec reads them, for comparison with other readers."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import ml_dtypes
import numpy as np

DTYPES = {
    "BOOL": np.bool_,
    "U8": np.uint8,
    "I8": np.int8,
    "U16": np.uint16,
    "I16": np.int16,
    "U32": np.uint32,
    "I32": np.int32,
    "U64": np.uint64,
    "I64": np.int64,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E8M0": ml_dtypes.float8_e8m0fnu,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "F32": np.float32,
    "F64": np.float64,
    "C64": np.complex64,
} | {f"{sign}{bits}": {"U": np.uint8, "I": np.int8}[sign] for sign in "UI" for bits in (4, 5, 6)}


@dataclass
class Tensor:
    dtype: str
    array: np.ndarray
    source_bytes: int
    source_type: str
    kind: str


def dump(build_dir: Path, address: str | Path, folder: Path, *views: str) -> dict[str, Tensor]:
    """Runs wcodec_dump into `folder`; tensors in the order of the file."""
    tool = build_dir / "wcodec_dump"
    assert tool.exists(), f"{tool} is not built: cmake --build --preset release"
    folder.mkdir(exist_ok=True)
    subprocess.run([tool, address, folder, *views], check=True, timeout=300)
    tensors = {}
    for number, entry in enumerate(json.loads((folder / "tensors.json").read_text())):
        array = np.fromfile(folder / f"{number}.bin", DTYPES[entry["dtype"]]).reshape(entry["shape"])
        tensors[entry["name"]] = Tensor(
            entry["dtype"], array, entry["source_bytes"], entry["source_type"], entry["kind"]
        )
    return tensors

"""A plausible results folder, drawn from a seeded generator: every account balances and no number is measured."""

import csv
import functools
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from wcodec_report.__main__ import report
from wcodec_report.schema import FILES, LEDGER

CONTROLS = ("original", "shuffled", "gaussian")
QUANTIZERS = {"int8:axis=row": (8, 7.27, 0.5), "int8:axis=tensor": (8, 5.2, 0.5), "int4:group=128": (4, 3.35, 0.4)}
"""spec → bits a symbol, order-0 entropy, what subtracting an uncorrelated neighbour costs (bit/weight)"""
PENALTY = {"none": 0.0, "avg": 0.6, "top": 0.95, "left": 1.0, "planar": 1.25}
KINDS = ("attention.q", "attention.k", "attention.v", "attention.o", "mlp.up", "mlp.down")
HOSTILE = (
    "<script>window.hacked=1</script>",
    '"><img src=x onerror="window.hacked=1">',
    "</script><script>window.hacked=1</script>",
    "\x1b[31mred\x1b[0m",
    "nul\x00inside",
    "right\u202eto left",
    "$\\frac{broken$ 'quote\" & comma, here",
    "two\nlines",
    "=1+1",
    "--> <!-- ]]>",
    "층.0.重み",
)


@dataclass(frozen=True)
class Shape:
    """What the experiment sweeps; the defaults are a small but complete one."""

    checkpoints: tuple[str, ...] = ("minilm", "pylm-llama-44m")
    tensors: int = 12
    controls: tuple[str, ...] = CONTROLS
    quantizers: tuple[str, ...] = tuple(QUANTIZERS)
    tiles: tuple[str, ...] = ("8x32", "16x16", "32x32")
    modes: tuple[str, ...] = ("none", "none+left", "none+left+top+avg+planar", "left")
    coders: tuple[str, ...] = ("rans:tables=tensor", "rans:tables=row-scale,contexts=16")
    baselines: tuple[str, ...] = ("gzip:level=6", "zstd:level=3", "zstd:level=19", "bzip2:level=9")
    names: tuple[str, ...] = ()
    timings: bool = True
    failures: int = 3
    extra: dict[str, Any] = field(default_factory=dict)


def build(folder: Path, shape: Shape | None = None, seed: int = 7) -> Path:
    """Writes all result files of ``shape`` into ``folder`` and returns it."""
    shape = shape or Shape()
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    summary = _summary(shape, rng)
    codec = [row for row in summary if row["role"] == "codec"]
    write(folder, "summary", summary)
    write(folder, "modes", _modes(codec, rng))
    write(folder, "histograms", _histograms(shape))
    write(folder, "correlations", _correlations(shape, summary, rng))
    write(folder, "verdicts", _verdicts(codec, rng))
    write(folder, "failures", _failures(summary[: shape.failures]))
    if shape.timings:
        write(folder, "timings", _timings([row for row in summary if row["control"] == "original"], rng))
    (folder / "provenance.json").write_text(json.dumps(_provenance(shape), indent=2), encoding="utf-8")
    (folder / "experiment.yaml").write_text(
        "experiment: tiles-and-modes\n"
        "question: Does per-tile prediction lower the bits per weight against `none`?\n"
        "compare: {factor: modes, against: [none], statistic: bits_per_weight}\n",
        encoding="utf-8",
    )
    return folder


@functools.cache
def finished() -> Path:
    """The default experiment with its report, hostile names among its tensors; made once, not to be changed."""
    folder = Path(_scratch().name) / "finished"
    report(build(folder, Shape(names=HOSTILE, quantizers=("int8:axis=row", "int4:group=128"))))
    return folder


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="wcodec-report-")


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    """One CSV file with all columns of its schema; absent values are empty cells."""
    columns = [column.name for column in FILES[name]]
    with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(rows)


def read(folder: Path, name: str) -> list[dict[str, str]]:
    """The rows of one CSV file as text."""
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _cost(modes: str, structure: float, penalty: float) -> tuple[float, float]:
    """Change of the residual's entropy and entropy of the choices, bit/weight."""
    parts = modes.split("+")
    if "none" not in parts:
        return penalty * PENALTY.get(parts[0], 1.0), 0.0
    return -structure * (1 - 1 / len(parts)), 0.0004 * (len(parts) - 1)


def _summary(shape: Shape, rng: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    for number, checkpoint in enumerate(shape.checkpoints):
        for index in range(shape.tensors):
            kind = KINDS[index % len(KINDS)]
            cols = 384 * (1 + number % 3)
            height = cols * (4 if kind.startswith("mlp") else 1)
            name = shape.names[index] if index < len(shape.names) else f"encoder.layer.{index}.{kind}.weight"
            base = {
                "checkpoint": checkpoint,
                "family": checkpoint.split("-")[0],
                "tensor": name,
                "kind": kind,
                "dtype": "F32",
                "rows": height,
                "cols": cols,
                "device": "cpu",
                "weights": height * cols,
                "source_bytes": 4 * height * cols,
            }
            tilt = rng.normal(0, 0.12)
            structure = abs(rng.normal(0.018 if number == 0 else 0.001, 0.004))
            for quantizer in shape.quantizers:
                for control in shape.controls:
                    rows += _cells(shape, base, quantizer, control, tilt, structure, rng)
    return rows


def _cells(
    shape: Shape,
    base: dict[str, Any],
    quantizer: str,
    control: str,
    tilt: float,
    structure: float,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    bits, entropy, penalty = QUANTIZERS[quantizer]
    weights = base["weights"]
    h0 = entropy + tilt
    scale = 4 if "tensor" in quantizer else 2 * weights // 128 if "group" in quantizer else 4 * base["rows"]
    fixed = base | {
        "control": control,
        "quantizer": quantizer,
        "transform": "identity",
        "original_bytes": weights * bits // 8 + scale,
        "h0_bpw": h0,
        "gm_bpw": h0 - (0.05 if control != "shuffled" else 0.002),
    }
    worth = structure if control == "original" else 0.0
    rows = []
    for tile in shape.tiles:
        height, width = map(int, tile.split("x"))
        for modes in shape.modes:
            gain, choice = _cost(modes, worth, penalty)
            for coder in shape.coders:
                context = 0.04 if "contexts" in coder and control != "shuffled" else 0.0
                residual = h0 + gain - context
                accounts = dict.fromkeys(LEDGER, 0) | {
                    "payload_bytes": int(weights * residual / 8),
                    "table_bytes": 512 * (16 if context else 1),
                    "mode_bytes": int(weights * choice / 8 * 256 / (height * width)),
                    "context_bytes": base["rows"] // 2 if context else 0,
                    "state_bytes": 128,
                    "index_bytes": 4 * max(1, weights // 65536),
                    "scale_bytes": scale,
                    "header_bytes": 64,
                    "padding_bytes": int(rng.integers(0, 128)),
                    "crc_bytes": 8,
                }
                rows.append(
                    _finish(
                        fixed
                        | accounts
                        | {
                            "tile": tile,
                            "modes": modes,
                            "coder": coder,
                            "role": "codec",
                            "residual_h0_bpw": residual,
                            "best_bpw": residual + choice,
                        }
                    )
                )
    for baseline in shape.baselines:
        over = {"gzip": 0.12, "zstd": 0.05, "bzip2": 0.3}.get(baseline.split(":")[0], 0.1)
        accounts = dict.fromkeys(LEDGER, 0) | {"payload_bytes": int(weights * (h0 + over) / 8), "scale_bytes": scale}
        rows.append(_finish(fixed | accounts | {"coder": baseline, "role": "baseline"}))
    return rows


def _finish(row: dict[str, Any]) -> dict[str, Any]:
    coded = sum(row[name] for name in LEDGER)
    bare = coded - row["scale_bytes"]
    spec = "|".join(str(row.get(c, "")) for c in ("tensor", "control", "quantizer", "tile", "modes", "coder"))
    digest = np.frombuffer(spec.encode().ljust(16, b"\0"), np.uint8).astype(np.uint64)
    name = int(np.sum(digest * np.arange(1, digest.size + 1, dtype=np.uint64) ** 3))
    return row | {
        "cell": f"{name:032x}",
        "coded_bytes": coded,
        "bpw": 8 * coded / row["weights"],
        "bpw_symbols": 8 * bare / row["weights"],
        "ratio": row["original_bytes"] / coded,
        "ratio_symbols": (row["original_bytes"] - row["scale_bytes"]) / bare,
    }


def _modes(codec: list[dict[str, Any]], rng: np.random.Generator) -> list[dict[str, Any]]:
    keys = ("checkpoint", "tensor", "kind", "control", "quantizer", "tile", "modes", "coder")
    rows = []
    for row in codec:
        parts = row["modes"].split("+")
        height, width = map(int, row["tile"].split("x"))
        tiles = -(-row["rows"] // height) * -(-row["cols"] // width)
        others = 0.0 if row["control"] == "shuffled" else float(rng.uniform(0.02, 0.25))
        shares = np.array([1 - others] + [others / max(1, len(parts) - 1)] * (len(parts) - 1))
        counts = rng.multinomial(tiles, shares / shares.sum())
        rows += [
            {k: row[k] for k in keys} | {"plane": "symbols", "mode": mode, "tiles": int(n)}
            for mode, n in zip(parts, counts, strict=True)
        ]
    return rows


def _histograms(shape: Shape) -> list[dict[str, Any]]:
    rows = []
    for checkpoint in shape.checkpoints:
        for quantizer in shape.quantizers:
            bits, entropy, _ = QUANTIZERS[quantizer]
            half = 1 << (bits - 1)
            values = np.arange(-half, half)
            for control in shape.controls[:2]:
                for mode, penalty in PENALTY.items():
                    sigma = 2 ** (entropy - 2.05 + 0.5 * penalty)
                    counts = (1e6 * np.exp(-0.5 * (values / sigma) ** 2)).astype(int)
                    for kind in KINDS[:2] if shape.tiles else ():
                        rows += [
                            {
                                "checkpoint": checkpoint,
                                "kind": kind,
                                "control": control,
                                "quantizer": quantizer,
                                "tile": shape.tiles[0],
                                "mode": mode,
                                "plane": "symbols",
                                "value": int(v),
                                "count": int(n),
                            }
                            for v, n in zip(values, counts, strict=True)
                            if n
                        ]
    return rows


def _correlations(shape: Shape, summary: list[dict], rng: np.random.Generator) -> list[dict[str, Any]]:
    rows, seen = [], set()
    for row in summary:
        key = (row["checkpoint"], row["tensor"], row["control"], row["quantizer"])
        if row["quantizer"] != shape.quantizers[0] or row["control"] == "gaussian" or key in seen:
            continue
        seen.add(key)
        for up in range(5):
            for left in range(-4 if up else 1, 5):
                rho = rng.normal(0, 0.002) + (0.05 * 0.7**up if row["control"] == "original" and left == 0 else 0)
                rows.append(
                    {k: row[k] for k in ("checkpoint", "tensor", "kind", "control", "quantizer", "weights")}
                    | {"drow": up, "dcol": left, "rho": float(rho)}
                )
    return rows


def _verdicts(codec: list[dict[str, Any]], rng: np.random.Generator) -> list[dict[str, Any]]:
    cells: dict[tuple, dict[str, dict[str, dict]]] = {}
    for row in codec:
        key = (row["checkpoint"], row["quantizer"], row["tile"], row["coder"], row["modes"])
        cells.setdefault(key, {}).setdefault(row["control"], {})[row["tensor"]] = row
    rows = []
    for key, by_control in cells.items():
        if key[-1] == "none" or (*key[:-1], "none") not in cells:
            continue
        reference = cells[*key[:-1], "none"]
        tensors = list(by_control["original"])
        weights = np.array([by_control["original"][t]["weights"] for t in tensors], float)
        change = {c: np.array([cs[t]["bpw"] - reference[c][t]["bpw"] for t in tensors]) for c, cs in by_control.items()}
        resample = rng.integers(0, len(tensors), (400, len(tensors)))
        row = dict(zip(("checkpoint", "quantizer", "tile", "coder", "modes"), key, strict=True))
        row |= {
            "scope": "checkpoint",
            "kind": "all",
            "against": "none",
            "statistic": "bpw",
            "tensors": len(tensors),
            "weights": int(weights.sum()),
        }
        row["effect"], row["effect_lo"], row["effect_hi"] = _bootstrap(change["original"], weights, resample)
        row["bytes_verdict"] = _verdict(row["effect_lo"], row["effect_hi"])
        for control in by_control.keys() & {"shuffled", "gaussian"}:
            row[f"{control}_effect"] = float(np.average(change[control], weights=weights))
        if "shuffled" in change:
            net = change["original"] - change["shuffled"]
            row["net"], row["net_lo"], row["net_hi"] = _bootstrap(net, weights, resample)
            row["verdict"] = _verdict(row["net_lo"], row["net_hi"])
        rows.append(row)
    return rows


def _bootstrap(change: np.ndarray, weights: np.ndarray, resample: np.ndarray) -> tuple[float, float, float]:
    means = (change[resample] * weights[resample]).sum(1) / weights[resample].sum(1)
    return float(np.average(change, weights=weights)), *map(float, np.quantile(means, (0.025, 0.975)))


def _verdict(low: float, high: float) -> str:
    if high < -0.01:
        return "helps"
    if low > 0.01:
        return "hurts"
    return "no effect" if low >= -0.01 and high <= 0.01 else "inconclusive"


def _failures(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    keys = ("cell", "checkpoint", "tensor", "control", "quantizer", "tile", "modes", "coder")
    status = ("failed", "timeout", "crashed")
    reason = ("out of memory: 4294967296 bytes", "took longer than 600 s", "signal 11 <b>not bold</b>")
    return [
        {k: row.get(k, "") for k in keys} | {"status": status[i % 3], "reason": reason[i % 3]}
        for i, row in enumerate(rows)
    ]


def _timings(rows: list[dict[str, Any]], rng: np.random.Generator) -> list[dict[str, Any]]:
    keys = (
        "cell",
        "checkpoint",
        "family",
        "tensor",
        "kind",
        "quantizer",
        "tile",
        "modes",
        "coder",
        "role",
        "device",
        "weights",
        "coded_bytes",
    )
    speed = {"gzip": (41, 180), "zstd": (60, 1100), "bzip2": (12, 18), "rans": (460, 1300)}
    timed = []
    for row in rows:
        encode, decode = speed.get(row["coder"].split(":")[0], (100, 100))
        encode = encode / (1 + 0.2 * row.get("modes", "").count("+")) * rng.uniform(0.97, 1.03)
        decode = decode * (0.8 if "contexts" in row["coder"] else 1) * rng.uniform(0.97, 1.03)
        timed.append(
            {k: row.get(k, "") for k in keys}
            | {
                "symbol_bytes": row["original_bytes"] - row["scale_bytes"],
                "threads": 1,
                "repeats": 10,
                "encode_MBps": encode,
                "encode_MBps_q1": 0.98 * encode,
                "encode_MBps_q3": 1.02 * encode,
                "decode_MBps": decode,
                "decode_MBps_q1": 0.98 * decode,
                "decode_MBps_q3": 1.02 * decode,
                "moved_GBps": 1.9 * decode / 1000,
                "busy": "",
                "clock_mhz": 2700,
                "warning": "noisy" if row["coder"].startswith("gzip") else "",
            }
        )
    return timed


def _provenance(shape: Shape) -> dict[str, Any]:
    return {
        "wcodec": "0.1.0",
        "commit": "73a2cd0c0ffee73a2cd0c0ffee73a2cd0c0ffee0",
        "compiler": "g++ 12.2.0",
        "flags": "-O3 -march=x86-64-v3",
        "cpu": {"model": "Intel Xeon (Sapphire Rapids)", "cores": 2},
        "gpu": None,
        "libraries": {"zstd": "1.5.4", "zlib": "1.2.13", "bzip2": "1.0.8"},
        "config_hash": "9f86d081884c7d659a2feaa0c55ad015",
        "checkpoints": [
            {"name": name, "path": f"{name}/model.safetensors", "bytes": 90868376 + i, "sha256": f"{i:02x}" * 32}
            for i, name in enumerate(shape.checkpoints)
        ],
    } | shape.extra

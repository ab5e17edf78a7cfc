"""Columns of the result files: type, unit and meaning, as ``results/README.md`` states them.

The Parquet types, the table headers' tooltips and the page's definitions all come from here.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "count", "real"]


@dataclass(frozen=True)
class Column:
    """One CSV column. ``kind``: text, count (64-bit integer) or real (double)."""

    name: str
    kind: Kind
    unit: str
    meaning: str


def _columns(*rows: tuple[str, Kind, str, str]) -> tuple[Column, ...]:
    return tuple(Column(*row) for row in rows)


LEDGER = (
    "payload_bytes",
    "table_bytes",
    "mode_bytes",
    "transform_bytes",
    "param_bytes",
    "context_bytes",
    "state_bytes",
    "index_bytes",
    "scale_bytes",
    "header_bytes",
    "padding_bytes",
    "crc_bytes",
)
"""The twelve accounts whose sum is ``coded_bytes``."""

SUMMARY = _columns(
    ("cell", "text", "", "name of the cell: hash of tensor content, specs, control, seed and format version"),
    ("checkpoint", "text", "", "name given in the config"),
    ("family", "text", "", "model family: checkpoints of one family are not independent"),
    ("tensor", "text", "", "name in the checkpoint"),
    ("kind", "text", "", "role of the tensor in the model"),
    ("dtype", "text", "", "dtype in the file"),
    ("rows", "count", "", "matrix rows: product of all but the last dimension"),
    ("cols", "count", "", "matrix columns: the last dimension"),
    ("control", "text", "", "original, or a null control: shuffled, gaussian, random-init"),
    ("device", "text", "", "where the cell ran"),
    ("quantizer", "text", "", "quantizer spec"),
    ("tile", "text", "", "tile, rows x columns; empty for a baseline"),
    ("modes", "text", "", "candidate predictors; empty for a baseline"),
    ("transform", "text", "", "transform spec"),
    ("coder", "text", "", "entropy coder spec, or the baseline's"),
    ("role", "text", "", "codec or baseline"),
    ("weights", "count", "", "rows × cols"),
    ("source_bytes", "count", "B", "size as in the checkpoint"),
    ("original_bytes", "count", "B", "symbols at native width (int4 = half a byte) + scales as stored"),
    ("coded_bytes", "count", "B", "bytes really written: the sum of the twelve accounts"),
    ("payload_bytes", "count", "B", "entropy-coded symbols"),
    ("table_bytes", "count", "B", "frequency tables"),
    ("mode_bytes", "count", "B", "predictor chosen for each tile"),
    ("transform_bytes", "count", "B", "transform flags"),
    ("param_bytes", "count", "B", "predictor parameters: means, least-squares coefficients"),
    ("context_bytes", "count", "B", "class maps of rows and columns"),
    ("state_bytes", "count", "B", "rANS lane states"),
    ("index_bytes", "count", "B", "lengths and offsets of streams"),
    ("scale_bytes", "count", "B", "quantizer scales and zero points"),
    ("header_bytes", "count", "B", "everything else that says what is where"),
    ("padding_bytes", "count", "B", "alignment"),
    ("crc_bytes", "count", "B", "checksums"),
    ("bpw", "real", "bit/weight", "8 · coded_bytes / weights"),
    ("bpw_symbols", "real", "bit/weight", "the same without scales"),
    ("h0_bpw", "real", "bit/weight", "order-0 entropy of the symbols before prediction, summed over planes"),
    ("residual_h0_bpw", "real", "bit/weight", "order-0 entropy of what is coded, after prediction"),
    ("best_bpw", "real", "bit/weight", "residual_h0_bpw + entropy of the modes: the bound that ignores tables"),
    ("gm_bpw", "real", "bit/weight", "Gaussian-mixture bound given row and column scale"),
    ("ratio", "real", "", "original_bytes / coded_bytes"),
    ("ratio_symbols", "real", "", "the same without scales on either side"),
)

TIMINGS = _columns(
    ("cell", "text", "", "name of the cell"),
    ("checkpoint", "text", "", "name given in the config"),
    ("family", "text", "", "model family"),
    ("tensor", "text", "", "name in the checkpoint"),
    ("kind", "text", "", "role of the tensor in the model"),
    ("quantizer", "text", "", "quantizer spec"),
    ("tile", "text", "", "tile, rows x columns; empty for a baseline"),
    ("modes", "text", "", "candidate predictors; empty for a baseline"),
    ("coder", "text", "", "entropy coder spec, or the baseline's"),
    ("role", "text", "", "codec or baseline"),
    ("device", "text", "", "where the cell ran"),
    ("weights", "count", "", "rows × cols"),
    ("symbol_bytes", "count", "B", "symbols at native width"),
    ("coded_bytes", "count", "B", "bytes really written"),
    ("threads", "count", "", "threads used"),
    ("repeats", "count", "", "timed repetitions"),
    ("encode_MBps", "real", "MB/s", "median encode speed, 10^6 bytes of symbols a second"),
    ("encode_MBps_q1", "real", "MB/s", "lower quartile of it"),
    ("encode_MBps_q3", "real", "MB/s", "upper quartile of it"),
    ("decode_MBps", "real", "MB/s", "median decode speed, 10^6 bytes of symbols a second"),
    ("decode_MBps_q1", "real", "MB/s", "lower quartile of it"),
    ("decode_MBps_q3", "real", "MB/s", "upper quartile of it"),
    ("moved_GBps", "real", "GB/s", "bytes that decoding reads and writes, coded bytes and symbols"),
    ("busy", "real", "", "share of the wall clock that the GPU decodes; empty on the CPU"),
    ("clock_mhz", "real", "MHz", "clock while timing: of the core, or of the GPU's multiprocessors"),
    ("warning", "text", "", "empty, noisy (quartile spread over 10 % of the median) or throttled"),
)

MODES = _columns(
    ("checkpoint", "text", "", "name given in the config"),
    ("tensor", "text", "", "name in the checkpoint"),
    ("kind", "text", "", "role of the tensor in the model"),
    ("control", "text", "", "original or a null control"),
    ("quantizer", "text", "", "quantizer spec"),
    ("tile", "text", "", "tile, rows x columns"),
    ("modes", "text", "", "candidate predictors"),
    ("coder", "text", "", "entropy coder spec"),
    ("plane", "text", "", "symbol plane: `symbols`, or a field such as `exponent`"),
    ("mode", "text", "", "predictor chosen"),
    ("tiles", "count", "", "tiles that chose it"),
)

HISTOGRAMS = _columns(
    ("checkpoint", "text", "", "name given in the config"),
    ("kind", "text", "", "role of the tensors in the model"),
    ("control", "text", "", "original or a null control"),
    ("quantizer", "text", "", "quantizer spec"),
    ("tile", "text", "", "tile, rows x columns"),
    ("mode", "text", "", "predictor applied to every tile; none = the symbols themselves"),
    ("plane", "text", "", "symbol plane: `symbols`, or a field such as `exponent`"),
    ("value", "count", "", "symbol or residual"),
    ("count", "count", "", "how often it occurs"),
)

CORRELATIONS = _columns(
    ("checkpoint", "text", "", "name given in the config"),
    ("tensor", "text", "", "name in the checkpoint"),
    ("kind", "text", "", "role of the tensor in the model"),
    ("control", "text", "", "original or a null control"),
    ("quantizer", "text", "", "quantizer spec"),
    ("drow", "count", "", "rows up to the neighbour"),
    ("dcol", "count", "", "columns left to the neighbour"),
    ("rho", "real", "", "Pearson correlation of a symbol with that neighbour"),
    ("weights", "count", "", "weights behind it"),
)

VERDICTS = _columns(
    ("scope", "text", "", "checkpoint (one model) or pooled (all models; interval from six families on)"),
    ("checkpoint", "text", "", "model, or all when pooled"),
    ("kind", "text", "", "role of the tensors, or all"),
    ("dtype", "text", "", "of the symbols: the quantizer's, or the file's where they are lossless"),
    ("quantizer", "text", "", "quantizer spec"),
    ("tile", "text", "", "tile, rows x columns"),
    ("coder", "text", "", "entropy coder spec"),
    ("modes", "text", "", "candidate mode set"),
    ("against", "text", "", "reference mode set"),
    ("statistic", "text", "", "the column compared"),
    ("tensors", "count", "", "tensors behind it"),
    ("weights", "count", "", "weights behind it"),
    ("effect", "real", "bit/weight", "candidate − reference on the original weights; negative = smaller"),
    ("effect_lo", "real", "bit/weight", "lower end of its 95 % interval"),
    ("effect_hi", "real", "bit/weight", "upper end of its 95 % interval"),
    ("bytes_p", "real", "", "p of what the effect's interval concludes, of this comparison alone"),
    ("bytes_p_holm", "real", "", "the same corrected for the number of comparisons (Holm)"),
    ("bytes_q", "real", "", "false discovery rate at this p (Benjamini and Hochberg)"),
    ("shuffled_effect", "real", "bit/weight", "the same on the shuffled control"),
    ("shuffled_rows_effect", "real", "bit/weight", "the same on weights shuffled within their rows"),
    ("gaussian_effect", "real", "bit/weight", "the same on the Gaussian control"),
    ("net", "real", "bit/weight", "effect minus the shuffled control's: what structure is worth"),
    ("net_lo", "real", "bit/weight", "lower end of its 95 % interval"),
    ("net_hi", "real", "bit/weight", "upper end of its 95 % interval"),
    ("p", "real", "", "p of what the net effect's interval concludes, of this comparison alone"),
    ("p_holm", "real", "", "the same corrected for the number of comparisons (Holm)"),
    ("q", "real", "", "false discovery rate at this p (Benjamini and Hochberg)"),
    ("verdict", "text", "", "from net and p_holm: helps, no effect, hurts or inconclusive (margin ±0.01 bit/weight)"),
    ("bytes_verdict", "text", "", "from effect and bytes_p_holm: does the file get smaller, whatever the reason"),
)

FAILURES = _columns(
    ("cell", "text", "", "name of the cell"),
    ("checkpoint", "text", "", "name given in the config"),
    ("tensor", "text", "", "name in the checkpoint"),
    ("control", "text", "", "original or a null control"),
    ("quantizer", "text", "", "quantizer spec"),
    ("tile", "text", "", "tile, rows x columns"),
    ("modes", "text", "", "candidate predictors"),
    ("coder", "text", "", "entropy coder spec, or the baseline's"),
    ("status", "text", "", "failed, timeout or crashed"),
    ("reason", "text", "", "what went wrong"),
)

FILES: dict[str, tuple[Column, ...]] = {
    "summary": SUMMARY,
    "timings": TIMINGS,
    "modes": MODES,
    "histograms": HISTOGRAMS,
    "correlations": CORRELATIONS,
    "verdicts": VERDICTS,
    "failures": FAILURES,
}
"""Columns of ``<name>.csv``, in the order of the file."""

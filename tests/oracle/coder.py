"""The coders `raw` and `rans:tables=tensor` of a plane's residuals (docs/format.md, section Coders)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import frequency, rans
from .bits import pack

PRECISION = 14
IDS = {"raw": 0, "rans:tables=tensor": 1}
STORED_RAW, TENSOR = 0, 1

Piece = rans.Piece


@dataclass(frozen=True)
class Residuals:
    """What a coder gets of a plane: residuals in coding order, shape (weights,), of ``bits`` bits each."""

    symbols: np.ndarray
    bits: int


def encode_raw(planes: list[Residuals]) -> list[list[Piece]]:
    """Residuals packed at their width."""
    return [[("payload", pack(plane.symbols, plane.bits))] for plane in planes]


def encode_rans(planes: list[Residuals]) -> list[list[Piece]]:
    """One table and one stream a plane, or the residuals packed unless that is larger; planes of equal length."""
    all_counts = [np.bincount(plane.symbols, minlength=1 << plane.bits) for plane in planes]
    tables = [frequency.choose_table(counts, PRECISION) for counts in all_counts]
    log2_chunks = []
    for plane, counts, table in zip(planes, all_counts, tables, strict=True):
        used = counts > 0
        implied = (counts[used] * (PRECISION - np.log2(table.frequencies[used]))).sum()
        log2_chunks.append(rans.choose_log2_chunk(implied / plane.symbols.size))
    jobs = [
        rans.Job(plane.symbols, plane.bits, table.frequencies, log2_chunk)
        for plane, table, log2_chunk in zip(planes, tables, log2_chunks, strict=True)
    ]
    pieces = []
    for job, table, stream in zip(jobs, tables, rans.encode(jobs, PRECISION), strict=True):
        coded = [
            ("header", bytes([TENSOR, PRECISION])),
            ("table", table.bits.to_bytes()),
            ("header", bytes([job.log2_chunk])),
            *stream,
        ]
        stored = [("header", bytes([STORED_RAW])), ("payload", pack(job.symbols, job.bits))]
        pieces.append(coded if size(coded) < size(stored) else stored)
    return pieces


def size(pieces: list[Piece]) -> int:
    """Bytes of all pieces together."""
    return sum(len(content) for _, content in pieces)


ENCODERS = {"raw": encode_raw, "rans:tables=tensor": encode_rans}

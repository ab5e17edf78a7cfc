"""The coders `raw` and `rans:tables=tensor` of a plane's residuals (docs/format.md, section Coders)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import frequency, rans
from .bits import pack

PRECISION = 14
IDS = {"raw": 0, "rans:tables=tensor": 1}
STORED_RAW, TENSOR = 0, 1

Piece = tuple[str, bytes]  # the ledger entry that books these bytes, and the bytes


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
    tables = [frequency.choose_table(np.bincount(p.symbols, minlength=1 << p.bits), PRECISION) for p in planes]
    streams = rans.encode([p.symbols for p in planes], [table.frequencies for table in tables], PRECISION)
    pieces = []
    for plane, table, stream in zip(planes, tables, streams, strict=True):
        coded = [
            ("header", bytes([TENSOR, PRECISION])),
            ("table", table.bits.to_bytes()),
            ("state", stream.states),
            ("payload", stream.words),
        ]
        stored = [("header", bytes([STORED_RAW])), ("payload", pack(plane.symbols, plane.bits))]
        pieces.append(coded if size(coded) < size(stored) else stored)
    return pieces


def size(pieces: list[Piece]) -> int:
    """Bytes of all pieces together."""
    return sum(len(content) for _, content in pieces)


ENCODERS = {"raw": encode_raw, "rans:tables=tensor": encode_rans}

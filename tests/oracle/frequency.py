"""Frequency tables: rounding of counts, normalisation, bits (docs/format.md, section Frequency table)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .bits import BitString

ONE_SYMBOL, GIVEN, ALL_ALIKE = 0, 1, 2
WEIGHT_BITS = 31


@dataclass(frozen=True)
class Table:
    """A table as written, and the frequencies that a decoder reads from it; int64, shape (2^bits,), sum 2^precision."""

    bits: BitString
    frequencies: np.ndarray


def rounded(count: int, m: int) -> tuple[int, int]:
    """Exponent e and mantissa μ of a count kept to m bits below its leading one, halves up: (2^m + μ)·2^(e-1-m).

    A count of at most m + 1 bits is exact.
    """
    if count == 0:
        return 0, 0
    e = count.bit_length()
    dropped = e - 1 - m
    kept = count << -dropped if dropped <= 0 else (count + (1 << dropped >> 1)) >> dropped
    if kept == 2 << m:
        e, kept = e + 1, 1 << m
    return e, kept - (1 << m)


def weight(e: int, mu: int, m: int) -> int:
    """The weight that a decoder takes from exponent and mantissa: 0, or 128 times the rounded count."""
    return ((1 << m) + mu << e - 1) << 7 - m if e else 0


def normalise(weights: list[int], precision: int) -> np.ndarray:
    """Frequencies that sum to 2^precision and are at least 1 where the weight is not 0; int64, shape as ``weights``."""
    excess = max(max(weights).bit_length() - WEIGHT_BITS, 0)
    weights = [max(w >> excess, 1) if w else 0 for w in weights]
    total, whole = sum(weights), 1 << precision
    f, remainder = [], []
    for w in weights:
        share, rest = divmod(w * whole, total)
        f.append(share if share or not w else 1)
        remainder.append(rest if share else 0)
    missing = whole - sum(f)
    if missing > 0:
        for s in sorted(range(len(f)), key=lambda s: (-remainder[s], s))[:missing]:
            f[s] += 1
    elif missing < 0:
        above, spare = -missing, sum(x - 1 for x in f if x)
        f = [x - (x - 1) * above // spare if x > 1 else x for x in f]
        for s in sorted(range(len(f)), key=lambda s: (-f[s], s))[: sum(f) - whole]:
            f[s] -= 1
    return np.array(f, np.int64)


def put_gamma(out: BitString, v: int) -> None:
    """Elias gamma of v ≥ 0."""
    w = (v + 1).bit_length() - 1
    out.put_unary(w)
    out.put(v + 1, w)


def put_rice(out: BitString, v: int, k: int) -> None:
    """Rice code of v ≥ 0 with parameter k."""
    out.put_unary(v >> k)
    out.put(v, k)


def differences(exponents: Sequence[int]) -> list[tuple[int, int, int | None]]:
    """What a table of kind 1 says of its exponents: (symbol, zigzag difference, further absent symbols or None)."""
    said = []
    before, s = 0, 0
    while s < len(exponents):
        e = exponents[s]
        zigzag = 2 * (e - before) if e >= before else 2 * (before - e) - 1
        before, first = e, s
        s += 1
        if e:
            said.append((first, zigzag, None))
            continue
        while s < len(exponents) and exponents[s] == 0:
            s += 1
        said.append((first, zigzag, s - first - 1))
    return said


def given_table(exponents: Sequence[int], mantissas: Sequence[int], m: int) -> BitString:
    """The shortest table of kind 1 with m mantissa bits over k = 0…3, the first of equals."""
    said = differences(exponents)
    k = min(range(4), key=lambda k: sum((zigzag >> k) + 1 + k for _, zigzag, _ in said))
    out = BitString()
    out.put(GIVEN, 2)
    out.put(m, 3)
    out.put(k, 2)
    for symbol, zigzag, absent in said:
        put_rice(out, zigzag, k)
        if absent is None:
            out.put(mantissas[symbol], m)
        else:
            put_gamma(out, absent)
    return out


def coded_bits(counts: np.ndarray, frequencies: np.ndarray, precision: int) -> float:
    """Ideal size of the symbols under the table, bits."""
    present = counts > 0
    return float(counts[present] @ (precision - np.log2(frequencies[present])))


def choose_table(counts: np.ndarray, precision: int) -> Table:
    """The table that the reference encoder writes for these counts, shape (2^bits,), at least one of them above 0."""
    symbols, width = counts.size, int(counts.size).bit_length() - 1
    present = np.flatnonzero(counts)
    if present.size == 1:
        bits = BitString()
        bits.put(ONE_SYMBOL, 2)
        bits.put(int(present[0]), width)
        return Table(bits, np.where(counts > 0, 1 << precision, 0))
    alike = BitString()
    alike.put(ALL_ALIKE, 2)
    best = Table(alike, np.full(symbols, 1 << precision - width))
    least = len(alike) + coded_bits(counts, best.frequencies, precision)
    most = min(7, max(1, int(counts.sum()).bit_length() // 2 - 1))
    for m in range(most + 1):
        exponents, mantissas = zip(*(rounded(int(c), m) for c in counts), strict=True)
        frequencies = normalise([weight(e, mu, m) for e, mu in zip(exponents, mantissas, strict=True)], precision)
        bits = given_table(exponents, mantissas, m)
        size = len(bits) + coded_bits(counts, frequencies, precision)
        if size < least:
            least, best = size, Table(bits, frequencies)
    return best

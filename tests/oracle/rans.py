"""The chunked rANS streams of docs/format.md, with all lanes of all chunks in one NumPy row.

Lanes do not share state, so a step of the encoder advances them together; only the order of the words ties them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .bits import BitString, pack, varint

LOW = np.uint64(1 << 16)
ONE_CHUNK = 26

Piece = tuple[str, bytes]  # the ledger entry that books these bytes, and the bytes


@dataclass(frozen=True)
class Job:
    """A stream to encode: ``symbols`` of shape (n,), n ≥ 1, of ``bits`` bits; ``frequencies`` of shape (2^bits,)."""

    symbols: np.ndarray
    bits: int
    frequencies: np.ndarray
    log2_chunk: int = ONE_CHUNK


def lane_count(symbols: int) -> int:
    """Interleaved lanes of a stream."""
    return 32 if symbols >= 2048 else 8 if symbols >= 512 else 1


def choose_log2_chunk(bits_a_symbol: float) -> int:
    """Symbols of a chunk, where the encoder may choose."""
    log2_chunk = 16
    while bits_a_symbol < 4 and log2_chunk < 20:
        bits_a_symbol *= 2
        log2_chunk += 1
    return log2_chunk


def state_bytes(states: np.ndarray) -> bytes:
    """First states of a decoder as they are written: shape (lanes,)."""
    if states.size < 32:
        return states.astype("<u4").tobytes()
    extra = [int(x).bit_length() - 17 for x in states]
    rest = BitString()
    for x, width in zip(states, extra, strict=True):
        rest.put(int(x) >> 16 & (1 << width) - 1, width)
    low = (states & np.uint64(0xFFFF)).astype("<u2").tobytes()
    return pack(np.array(extra), 4) + low + rest.to_bytes()


def in_coding_order(symbols: np.ndarray, coded: int, lanes: int) -> np.ndarray:
    """Symbols of a chunk as rounds take them: in whole blocks of the ``coded`` ones lane l has the eight from 8l on."""
    if lanes < 32:
        return symbols
    blocked = coded // 256 * 256
    blocks = symbols[:blocked].reshape(-1, 32, 8).transpose(0, 2, 1)
    return np.concatenate([blocks.ravel(), symbols[blocked:]])


def encode_side_by_side(chunks: list[tuple[Job, np.ndarray]], precision: int) -> list[tuple[bytes, bytes]]:
    """States and words of chunks of one length and width: each with the job whose table it has."""
    n, bits = chunks[0][1].size, chunks[0][0].bits
    lanes = lane_count(n)
    chunks = [(job, in_coding_order(symbols, n - 32 * (16 // bits), lanes)) for job, symbols in chunks]
    x = np.full((len(chunks), lanes), LOW)
    main = n
    if lanes == 32:
        slots = 16 // bits
        main = n - 32 * slots
        tails = np.array([symbols[main:] for _, symbols in chunks], np.uint64).reshape(-1, slots, 32)
        for slot in range(slots):
            x += tails[:, slot] << np.uint64(slot * bits)
    steps = -(-main // lanes)
    # A symbol of frequency 2^precision that starts at 0 changes nothing: it fills the last, incomplete step.
    f = np.full((len(chunks), steps * lanes), 1 << precision, np.uint64)
    start = np.zeros_like(f)
    for row, (job, symbols) in enumerate(chunks):
        f[row, :main] = job.frequencies[symbols[:main]]
        start[row, :main] = (np.cumsum(job.frequencies) - job.frequencies)[symbols[:main]]
    f, start = (np.ascontiguousarray(a.reshape(-1, steps, lanes).transpose(1, 0, 2)) for a in (f, start))

    p, flush = np.uint64(precision), np.uint64(32 - precision)
    words = np.zeros(f.shape, "<u2")
    written = np.zeros(f.shape, bool)
    for step in reversed(range(steps)):
        full = x >= f[step] << flush
        written[step] = full
        words[step] = x & (LOW - np.uint64(1))
        x = np.where(full, x >> np.uint64(16), x)
        quotient = x // f[step]
        x = (quotient << p) + start[step] + (x - quotient * f[step])
    return [(state_bytes(x[row]), words[:, row][written[:, row]].tobytes()) for row in range(len(chunks))]


def encode(jobs: list[Job], precision: int) -> list[list[Piece]]:
    """Index and chunks of every job; nothing where a table knows one symbol only."""
    chunks = [
        (number, job, part)
        for number, job in enumerate(jobs)
        if job.frequencies.max() < 1 << precision
        for part in np.array_split(job.symbols, range(1 << job.log2_chunk, job.symbols.size, 1 << job.log2_chunk))
    ]
    coded: dict[int, tuple[bytes, bytes]] = {}
    for shape in {(part.size, job.bits) for _, job, part in chunks}:
        alike = [k for k, (_, job, part) in enumerate(chunks) if (part.size, job.bits) == shape]
        coded.update(zip(alike, encode_side_by_side([chunks[k][1:] for k in alike], precision), strict=True))
    pieces: list[list[Piece]] = [[] for _ in jobs]
    for number in range(len(jobs)):
        own = [coded[k] for k, chunk in enumerate(chunks) if chunk[0] == number]
        if not own:
            continue
        sizes = np.array([len(states) + len(words) for states, words in own])
        index = varint(int(sizes.min()))
        if len(own) > 1:
            width = int(sizes.max() - sizes.min()).bit_length()
            index += bytes([width]) + pack(sizes - sizes.min(), width)
        pieces[number] = [("index", index)]
        for states, words in own:
            pieces[number] += [("state", states), ("payload", words)]
    return pieces

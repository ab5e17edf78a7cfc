"""The worker's side of the conversation with wcodec (baselines/peer_worker.hpp): framed requests and answers."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

REQUEST = struct.Struct("<IQ")  # sizes of head and body
ANSWER = struct.Struct("<IdQ")  # status, seconds, size of body
DONE, FAILED = 0, 1
MAX_REASON = 4096


class Refusal(Exception):  # noqa: N818 - nothing went wrong
    """What a peer does not take; its text is a sentence for the record of the cell."""


@dataclass(frozen=True)
class Array:
    """What the bytes of a call are, and with which options it is made; equal for all calls of one cell."""

    dtype: str  # as safetensors spells it: U8, I8, BF16, F32
    rows: int
    cols: int
    options: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Request:
    verb: str  # compress or decompress
    array: Array
    body: bytearray


def read_exactly(stream: BinaryIO, size: int) -> bytearray:
    """`size` bytes. Raises EOFError when the stream ends before."""
    data = bytearray(size)
    view = memoryview(data)
    at = 0
    while at < size:
        got = stream.readinto(view[at:])
        if not got:
            raise EOFError
        at += got
    return data


def read_request(stream: BinaryIO) -> Request:
    """The next request. Raises EOFError when wcodec is gone."""
    head_size, body_size = REQUEST.unpack(read_exactly(stream, REQUEST.size))
    verb, dtype, rows, cols, options = read_exactly(stream, head_size).decode().split(" ")
    pairs = () if options == "-" else tuple(tuple(pair.split("=", 1)) for pair in options.split(","))
    return Request(verb, Array(dtype, int(rows), int(cols), pairs), read_exactly(stream, body_size))


def write_answer(stream: BinaryIO, status: int, seconds: float, body: bytes | memoryview) -> None:
    """Writes one answer whole; `stream` is unbuffered and may take it in pieces."""
    for piece in (ANSWER.pack(status, seconds, len(body)), body):
        view = memoryview(piece)
        while view:
            view = view[stream.write(view) :]

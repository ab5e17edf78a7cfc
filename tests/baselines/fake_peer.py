"""A worker that misbehaves as its argument says, in the protocol of baselines/peer_worker.hpp."""

import os
import signal
import struct
import sys
import time

source, sink = sys.stdin.buffer, sys.stdout.buffer


def answer(status: int, seconds: float, body: bytes, size: int | None = None) -> None:
    sink.write(struct.pack("<IdQ", status, seconds, len(body) if size is None else size) + body)
    sink.flush()


def request() -> tuple[str, bytes]:
    frame = source.read(12)
    if len(frame) < 12:
        sys.exit(0)
    head, body = struct.unpack("<IQ", frame)
    return source.read(head).decode(), source.read(body)


how = sys.argv[1]
if how == "unwilling":
    answer(1, 0.0, b"cannot be imported: no such thing")
    sys.exit(1)
if how == "stillborn":
    print("Traceback of some length\nImportError: gone", file=sys.stderr)
    sys.exit(3)
answer(0, 0.0, b"1.0")
count = 0
while True:
    head, body = request()
    count += 1
    if how == "echo":
        answer(0, 0.25, body)
    elif how == "count":
        answer(0, 0.0, str(count).encode())
    elif how == "twice":  # in one write, so that both are there at once
        one = struct.pack("<IdQ", 0, 0.0, 1) + str(count).encode()
        sink.write(one + one)
        sink.flush()
    elif how == "head":
        answer(0, 0.0, head.encode())
    elif how == "process":
        answer(0, 0.0, str(os.getpid()).encode())
    elif how == "fails":
        answer(1, 0.0, b"TypeError: not this one") if count == 1 else answer(0, 0.0, str(count).encode())
    elif how == "crashes":
        print("last words", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    elif how == "leaves":
        sys.exit(7)
    elif how == "hangs":
        time.sleep(600)
    elif how == "half":
        answer(0, 0.0, b"half", 8)
        sys.exit(0)
    elif how == "boasts":
        answer(0, 0.0, b"", 1 << 62)
    elif how == "rambles":
        answer(1, 0.0, b"", 1 << 62)
    elif how == "garbage":
        sink.write(b"Hello, this is a print of some library\n")
        sink.flush()
    elif how == "timeless":
        answer(0, float("nan"), b"")
    elif how == "backwards":
        answer(0, -1.0, b"")
    elif how == "noisy":
        sys.stderr.write("x" * 1_000_000)
        sys.stderr.flush()
        answer(0, 0.0, body)

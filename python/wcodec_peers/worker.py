"""A peer's process: reads requests until wcodec is gone, times the package's own calls and answers."""

from __future__ import annotations

import functools
import gc
import importlib
import os
import time
from collections.abc import Callable
from typing import BinaryIO

from wcodec_peers import PACKAGES
from wcodec_peers.protocol import DONE, FAILED, MAX_REASON, Array, Refusal, Request, read_request, write_answer

# One core, whatever a library would take: the other baselines have one.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")


def one_core() -> None:
    for name in THREAD_VARIABLES:
        os.environ[name] = "1"
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[os.getpid() % len(cores)]})


def as_bytes(result: object) -> memoryview:
    view = memoryview(result)
    return view if view.nbytes == 0 else view.cast("B")


def do(codec_of: Callable[[Array], object], request: Request) -> tuple[float, memoryview]:
    """Seconds and bytes of one call. What prepares it is not timed: a codec for this kind of array, and the request's
    bytes in memory."""
    codec = codec_of(request.array)
    is_compress = request.verb == "compress"
    call = codec.compress if is_compress else codec.decompress
    data = request.body if is_compress else bytes(request.body)
    start = time.perf_counter()
    result = call(data)
    seconds = time.perf_counter() - start
    return seconds, as_bytes(result)


def private_streams() -> tuple[BinaryIO, BinaryIO]:
    """The two ends of the conversation, out of reach of what a package prints or reads."""
    source = os.fdopen(os.dup(0), "rb", buffering=0)
    sink = os.fdopen(os.dup(1), "wb", buffering=0)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a descriptor is what is wanted
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return source, sink


def serve(name: str) -> int:
    source, sink = private_streams()
    one_core()
    gc.disable()  # a collection in the middle of a call is not the peer's time
    try:
        adapter = importlib.import_module(f"wcodec_peers.adapters.{name}")
    except Exception as error:  # any package may fail in any way
        write_answer(sink, FAILED, 0.0, f"{PACKAGES[name]} cannot be imported: {error}".encode()[:MAX_REASON])
        return 1
    gc.freeze()  # the package's own objects are looked at no more
    codec_of = functools.lru_cache(maxsize=16)(adapter.codec)
    write_answer(sink, DONE, 0.0, name.encode())
    while True:
        try:
            request = read_request(source)
        except EOFError:
            return 0
        try:
            seconds, body = do(codec_of, request)
        except Refusal as refusal:
            write_answer(sink, FAILED, 0.0, str(refusal).encode()[:MAX_REASON])
        except Exception as error:  # its own words are the record of it
            write_answer(sink, FAILED, 0.0, f"{type(error).__name__}: {error}".encode()[:MAX_REASON])
        else:
            write_answer(sink, DONE, seconds, body)
            del body
        del request
        gc.collect()

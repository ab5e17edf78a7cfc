"""Predictors and coders written as Python functions, in a sweep beside the built-in ones.

The workers of `wcodec run` load a plug-in that asks this process, over a socket, for every tile and stream; so a
function may be a lambda or a closure, every byte is accounted for, and every cell is decoded and compared as always. It
is slow: a few calls for each tile of each cell.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import socketserver
import struct
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from wcodec._checkpoints import Path
from wcodec._errors import WcodecError
from wcodec._experiments import Run, _config_file, run_arguments, run_command

# guess(tile, zero): what each symbol of a tile is expected to be
Predictor = Callable[[np.ndarray, int], Any]
# (encode(symbols, bits) -> bytes, decode(data, count, bits) -> symbols)
Coder = tuple[Callable[[np.ndarray, int], bytes], Callable[[bytes, int, int], Any]]

_REQUEST = struct.Struct("<BBBBIII")
_DESCRIBE, _RESIDUAL, _RECONSTRUCT, _ENCODE, _DECODE = range(5)
_MOST = 8
_MOST_NOTES = 20


def residual(guess: Predictor, tile: np.ndarray, zero: int, bits: int) -> np.ndarray:
    """The tile less the guess, modulo 2^bits."""
    return (tile - np.asarray(guess(tile.copy(), zero), np.int64)) & ((1 << bits) - 1)


def reconstruct(guess: Predictor, residuals: np.ndarray, zero: int, bits: int) -> np.ndarray:
    """The tile with these residuals.

    A guess looks at earlier symbols only, so the tile is the one fixed point of tile = residual + guess(tile), and each
    round makes at least one more symbol right, in raster order. A guess that looks ahead may have no fixed point, or
    several.
    """
    mask = (1 << bits) - 1
    tile = np.full(residuals.shape, zero, np.int64)
    for _ in range(residuals.size + 1):
        better = (residuals + np.asarray(guess(tile.copy(), zero), np.int64)) & mask
        if np.array_equal(better, tile):
            return tile
        tile = better
    raise ValueError("the predictor looks at symbols that come later in raster order: its tiles cannot be decoded")


class _Functions:
    """Answers the plug-in's questions."""

    def __init__(self, predictors: Mapping[str, Predictor], coders: Mapping[str, Coder]) -> None:
        self.predictors, self.coders = dict(predictors), dict(coders)
        self.version = secrets.token_hex(8)  # a function may have changed: nothing measured before is taken again
        self.notes: list[str] = []
        self._lock = threading.Lock()

    def answer(self, what: int, index: int, zero: int, bits: int, rows: int, cols: int, payload: bytes) -> bytes:
        if what == _DESCRIBE:
            names = [f"p {name}" for name in self.predictors] + [f"c {name}" for name in self.coders]
            return "\n".join([self.version, *names]).encode()
        symbols = np.frombuffer(payload, np.uint8)
        if what in (_RESIDUAL, _RECONSTRUCT):
            guess = list(self.predictors.values())[index]
            rule = residual if what == _RESIDUAL else reconstruct
            return rule(guess, symbols.reshape(rows, cols).astype(np.int64), zero, bits).astype(np.uint8).tobytes()
        encode, decode = list(self.coders.values())[index]
        if what == _ENCODE:
            return bytes(encode(symbols, bits))
        return np.asarray(decode(payload, rows, bits)).astype(np.uint8).tobytes()

    def note(self, what: int, index: int, error: Exception) -> None:
        if what == _DESCRIBE:
            return
        names = list(self.predictors if what in (_RESIDUAL, _RECONSTRUCT) else self.coders)
        text = f"{names[index]}: {type(error).__name__}: {error}"
        with self._lock:
            if text not in self.notes and len(self.notes) < _MOST_NOTES:
                self.notes.append(text)


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        functions: _Functions = self.server.functions
        with contextlib.suppress(ConnectionError):
            while header := self._take(_REQUEST.size):
                what, index, zero, bits, rows, cols, size = _REQUEST.unpack(header)
                payload = self._take(size)
                try:
                    reply = struct.pack("<I", 0), functions.answer(what, index, zero, bits, rows, cols, payload)
                except Exception as error:  # whatever a user's function raises fails its cell, not the sweep
                    functions.note(what, index, error)
                    reply = struct.pack("<I", 1), b""
                self.request.sendall(reply[0] + struct.pack("<I", len(reply[1])) + reply[1])

    def _take(self, size: int) -> bytes:
        """Exactly so many bytes, or none where the worker has left."""
        parts = []
        while size:
            part = self.request.recv(size)
            if not part:
                return b""
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = socket.SOMAXCONN


def trial(
    config: Path | Mapping[str, Any],
    predictors: Mapping[str, Predictor] | None = None,
    coders: Mapping[str, Coder] | None = None,
    out: Path | None = None,
    *,
    threads: int | None = None,
    overrides: Mapping[str, str] | None = None,
    plugins: Iterable[Path] = (),
    report: bool = False,
) -> Run:
    """Runs an experiment in which some predictors or coders are Python functions; the config names them like any other.

        wcodec.trial("tiles.yaml", predictors={"mine": lambda tile, zero: ...})      # modes: [[none], [none, mine]]

    predictors  name to guess(tile, zero): from a tile, a 2-D integer array of symbols 0 … 2^bits - 1, to an array of
                the same shape that says what each symbol is expected to be. It may look at symbols that come earlier in
                raster order only. Signed values x are held as x + 2^(bits-1), and `zero` stands for 0
    coders      name to (encode(symbols, bits) -> bytes, decode(data, count, bits) -> symbols), symbols a 1-D array

    Every cell is decoded and compared: a function whose inverse is wrong, or that raises, fails its cells, and the
    result's `notes` say why. Nothing that was measured with an earlier function is taken again.
    """
    functions = _Functions(predictors or {}, coders or {})
    for kind, given in (("predictor", functions.predictors), ("coder", functions.coders)):
        if len(given) > _MOST:
            raise WcodecError(f"a trial has room for {_MOST} {kind}s, not {len(given)}", "limit")
    with tempfile.TemporaryDirectory(prefix="wcodec-") as folder:
        file = _config_file(config, FilePath(folder))
        try:
            text = FilePath(file).read_text(encoding="utf-8") + "".join((overrides or {}).values())
        except OSError as error:
            raise WcodecError(f"{file}: {error.strerror}", "not found", file) from None
        for name in (*functions.predictors, *functions.coders):
            if name not in text:
                raise WcodecError(f"{file}: names '{name}' nowhere, so it would not be tried", "config", file)
        socket_path = str(FilePath(folder) / "socket")
        with _Server(socket_path, _Connection) as server:
            server.functions = functions
            threading.Thread(target=server.serve_forever, daemon=True).start()
            try:
                plugin = FilePath(__file__).parent / "_trial_plugin.so"
                words = run_arguments(out, threads, overrides or {}, [plugin, *plugins], report)
                return run_command(file, words, {"WCODEC_TRIAL_SOCKET": socket_path}, functions.notes)
            finally:
                server.shutdown()

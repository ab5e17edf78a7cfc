"""The adapter's side of the conversation with `wcodec run` (experiments/engine.hpp)."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TextIO

RESULTS = 3  # descriptor that answers go to


@dataclass(frozen=True)
class Unit:
    """One pass over cells of one tensor; `line` is what `wcodec cell` reads."""

    name: str
    line: str
    shard: str  # units of equal shard read the same file
    seconds: float  # estimate on one core
    memory_bytes: int  # estimate of what running it takes
    timed: bool  # must have its machine for itself

    @classmethod
    def parse(cls, line: str) -> Unit:
        fields = json.loads(line)
        return cls(
            name=fields["unit"],
            line=line,
            shard=fields["shard"],
            seconds=fields["seconds"],
            memory_bytes=fields["memory_bytes"],
            timed=fields["pass"] == "time",
        )


@dataclass(frozen=True)
class Job:
    """What the driver wants."""

    command: list[str]  # starts wcodec, up to the subcommand
    plugins: list[str]
    fragments: str  # folder of the driver for fragments
    options: Mapping[str, str]
    units: list[Unit]

    @property
    def cell_command(self) -> list[str]:
        plugins = [word for plugin in self.plugins for word in ("--plugin", plugin)]
        return [*self.command, "cell", "--units", "-", *plugins]


def read_job(stream: TextIO) -> Job:
    first = json.loads(stream.readline())
    units = []
    for line in stream:
        if line.startswith('{"end"'):
            break
        units.append(Unit.parse(line))
    return Job(first["command"], first["plugins"], first["fragments"], first["options"], units)


def leave_with(stream: TextIO) -> None:
    """Ends this process as soon as the driver is gone, so that no cluster works for nobody."""

    def wait() -> None:
        while stream.read(4096):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


class Answers:
    """Lines to the driver."""

    def __init__(self, stream: BinaryIO | None = None) -> None:
        self._stream = stream if stream is not None else os.fdopen(RESULTS, "wb", buffering=0)

    def _send(self, message: Mapping[str, Any]) -> None:
        self._stream.write(json.dumps(message).encode() + b"\n")

    def over(self, unit: Unit, fragment: str) -> None:
        self._send({"over": unit.name, "fragment": fragment})

    def lost(self, unit: Unit, reason: str) -> None:
        self._send({"lost": unit.name, "reason": reason})

    def said(self, line: str) -> None:
        self._send({"said": line})

    def finished(self) -> None:
        self._send({"finished": True})


class OptionError(Exception):
    """An --engine-option that is not known or out of range."""


def read_options(given: Mapping[str, str], known: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Values by key; `known` has each key's default and explanation."""
    for key in given:
        if key not in known:
            raise OptionError(f"unknown option '{key}' (known: {', '.join(sorted(known))})")
    return {key: given.get(key, default) for key, (default, _) in known.items()}


def whole_number(options: Mapping[str, str], key: str, low: int, high: int) -> int:
    try:
        value = int(options[key])
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise OptionError(f"{key}={options[key]}: a whole number from {low} to {high} is wanted")
    return value


@contextlib.contextmanager
def output_to(path: Path) -> Iterator[None]:
    """What a scheduler prints on its own account goes to a file, which stays only where something went wrong."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    with path.open("wb") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    try:
        yield
        path.unlink(missing_ok=True)
    finally:
        for descriptor, copy in enumerate(kept, 1):
            os.dup2(copy, descriptor)
            os.close(copy)


def describe(name: str, what: str, known: Mapping[str, tuple[str, str]]) -> str:
    rows: Iterable[str] = (
        f"  {key + '=' + (default or '…'):<32} {text}" for key, (default, text) in sorted(known.items())
    )
    return f"wcodec run CONFIG --engine {name} [--engine-option KEY=VALUE …]\n\n{what}\n\n" + "\n".join(rows) + "\n"


def fail(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 2

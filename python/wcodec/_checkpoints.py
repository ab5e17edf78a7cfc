"""Whole checkpoints to containers and back."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from wcodec import _core
from wcodec._layers import TileSize, option_map
from wcodec._stats import Stats, to_stats

Path = str | os.PathLike[str]
# Bytes of the source that are done, of how many, and the layer they end in; False asks to stop.
Progress = Callable[[int, int, str], Any]


class _Printer:
    """Names each layer on standard error as it is reached, and passes progress on."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._layer: str | None = None

    def __call__(self, done: int, total: int, layer: str) -> Any:
        if layer and layer != self._layer:
            self._layer = layer
            print(f"{100 * done / max(total, 1):5.1f} %  {layer}", file=sys.stderr)
        return None if self._progress is None else self._progress(done, total, layer)


def _callback(progress: Progress | None, verbose: bool) -> Progress | None:
    return _Printer(progress) if verbose else progress


def encode_checkpoint(
    src: Path,
    dst: Path,
    *,
    tile_size: TileSize = 16,
    model_name: str | None = None,
    verbose: bool = False,
    progress: Progress | None = None,
    modes: str | Iterable[str] | None = None,
    coder: str | None = None,
    transform: str | None = None,
    preset: str | None = None,
    threads: int | None = None,
    memory: int | None = None,
    verify: bool = True,
    overwrite: bool = False,
) -> Stats:
    """Writes the checkpoint `src` to the container `dst`, which appears once it is complete.

    src         safetensors or GGUF file, index of shards, directory, "pip:PACKAGE/path", "hf://org/name"
    model_name  kept in the container
    verbose     names the layers on standard error
    progress    called with (bytes done, bytes in all, layer); False asks to stop: WcodecError of kind "cancelled"
    threads     0 or None: one a processor; no result depends on it
    memory      bytes that parts in flight may take
    verify      decode every part again before it is written

    `tile_size`, `modes`, `coder`, `transform` and `preset` are those of Encoder.
    """
    options = option_map(
        tile_size, modes, coder, transform=transform, preset=preset, model_name=model_name, threads=threads,
        memory=memory, verify=verify, overwrite=overwrite,
    )  # fmt: skip
    figures = _core.encode_checkpoint(os.fspath(src), os.fspath(dst), options, _callback(progress, verbose))
    return _finished(figures, dst, verbose)


def decode_checkpoint(
    src: Path,
    dst: Path,
    *,
    device: str = "cpu",
    verbose: bool = False,
    progress: Progress | None = None,
    threads: int | None = None,
    memory: int | None = None,
    overwrite: bool = False,
    max_output_bytes: int | None = None,
) -> Stats:
    """Writes what was encoded, byte for byte: one file to `dst`, or several into the new directory `dst`.

    `device` is what decodes: "cpu", "cuda:N", or "auto" (a GPU where there is one). A container that claims more than
    `max_output_bytes` (2^42) is refused.
    """
    options = option_map(
        device=device, threads=threads, memory=memory, overwrite=overwrite, max_output_bytes=max_output_bytes
    )
    figures = _core.decode_checkpoint(os.fspath(src), os.fspath(dst), options, _callback(progress, verbose))
    return _finished(figures, dst, verbose)


def _finished(figures: dict, dst: Path, verbose: bool) -> Stats:
    if verbose:
        source, encoded = figures["source_bytes"], figures["encoded_bytes"]
        print(
            f"{os.fspath(dst)}: {figures['num_layers']} layers, {source} bytes as {encoded}, "
            f"ratio {source / max(encoded, 1):.4f}, {figures['seconds']:.2f} s",
            file=sys.stderr,
        )
    return to_stats(figures)


@dataclass(frozen=True)
class LayerComparison:
    """How a layer of one checkpoint stands to that of the other."""

    name: str
    problem: str  # "only in A", "dtype F32 against BF16"; "" where values were compared
    weights: int
    different: int  # elements that differ by more than atol, or at all where there is none
    max_difference: float  # infinity where a number stands against a NaN

    @property
    def equal(self) -> bool:
        return not self.problem and self.different == 0


@dataclass(frozen=True)
class Verification:
    """True where two checkpoints are equal."""

    equal: bool
    layers: tuple[LayerComparison, ...]

    def __bool__(self) -> bool:
        return self.equal


def verify_checkpoint(
    a: Path,
    b: Path,
    atol: float | None = None,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
    threads: int | None = None,
    memory: int | None = None,
) -> Verification:
    """Compares two checkpoints layer by layer; either may be a container. Without `atol` bits are compared, with it
    values, and `atol` is the largest difference that counts as equal. `device` is what decodes containers."""
    options = option_map(device=device, threads=threads, memory=memory, atol=None if atol is None else float(atol))
    equal, layers = _core.verify_checkpoints(os.fspath(a), os.fspath(b), options, progress)
    return Verification(equal, tuple(LayerComparison(*layer) for layer in layers))

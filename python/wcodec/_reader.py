"""Single layers of a container, as safetensors.safe_open reads those of its files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from wcodec import _core
from wcodec._arrays import from_bytes
from wcodec._checkpoints import Path
from wcodec._devices import choose_device
from wcodec._errors import WcodecError
from wcodec._layers import option_map
from wcodec._stats import Stats, to_stats

FRAMEWORKS = ("np", "numpy", "pt", "torch")


class _Layer:
    def __init__(self, index: int, dtype: str, shape: tuple[int, ...], rows: int, details: dict) -> None:
        self.index, self.dtype, self.shape, self.rows, self.details = index, dtype, shape, rows, details


class Slice:
    """A layer of which only the rows that are asked for are decoded."""

    def __init__(self, container: open, layer: _Layer) -> None:
        self._container, self._layer = container, layer

    def get_shape(self) -> list[int]:
        return list(self._layer.shape)

    def get_dtype(self) -> str:
        """Spelled as in safetensors, "BF16"."""
        return self._layer.dtype

    def __getitem__(self, key: Any) -> Any:
        """NumPy's indexing. What the first index leaves out is not decoded, in parts of some rows."""
        layer = self._layer
        first, rest = (key[0], key[1:]) if isinstance(key, tuple) and key else (key, ())
        if len(layer.shape) < 2 or not isinstance(first, int | np.integer | slice):
            return self._container._convert(self._container._read(layer)[key], layer)
        height = layer.shape[0]
        if isinstance(first, slice):
            begin, end, step = first.indices(height)
            wanted = range(begin, end, step)
            low, high = (min(wanted), max(wanted) + 1) if wanted else (0, 0)
            # A negative step ends before index 0, which slices spell None.
            end = end - low if step > 0 else (wanted[-1] - low - 1 if wanted and wanted[-1] > low else None)
            inner: Any = slice(begin - low, end, step) if wanted else slice(0, 0)
        else:
            if not -height <= first < height:
                raise IndexError(f"index {first} is out of bounds for {height} rows")
            low = int(first) % height
            high, inner = low + 1, 0
        rows = layer.rows // height if height else 0
        part = self._container._read(layer, low * rows, (high - low) * rows, (high - low, *layer.shape[1:]))
        return self._container._convert(part[(inner, *rest)], layer)


class open:  # noqa: N801 (as the function it stands for)
    """An open container:

        with wcodec.open("model.wcodec") as model:
            for name in model.keys():
                array = model.get_tensor(name)
                rows = model.get_slice(name)[10:20]

    framework  "np" for NumPy arrays, "pt" for torch tensors
    device     "cpu", "cuda:N", or "auto" (a GPU where there is one). Torch tensors are there, decoded in the GPU's own
               memory; NumPy arrays are decoded there and come back to main memory. Slices are decoded to main memory

    May be used by many threads at once; the interpreter lock is released while layers are decoded.
    """

    def __init__(
        self,
        path: Path,
        framework: str = "np",
        device: str = "cpu",
        *,
        max_tensor_bytes: int | None = None,
        max_part_weights: int | None = None,
    ) -> None:
        if framework not in FRAMEWORKS:
            raise WcodecError(f"unknown framework '{framework}'; known: {', '.join(FRAMEWORKS)}", "usage")
        self.device = choose_device(device)
        self._torch: Any = None
        if framework in ("pt", "torch"):
            import wcodec.torch

            self._torch = wcodec.torch
        options = option_map(device=self.device, max_tensor_bytes=max_tensor_bytes, max_part_weights=max_part_weights)
        self.path = os.fspath(path)
        self._core: Any = _core.Reader(self.path, options)
        self._layers = {
            name: _Layer(index, dtype, shape, rows, details)
            for index, (name, dtype, shape, rows, _, details) in enumerate(self._core.layers())
        }

    def __enter__(self) -> open:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; what has been read stays."""
        self._core = None

    def keys(self) -> list[str]:
        """Names of the layers, in the order of the file. A quantized tensor of a GGUF file is there as its planes."""
        return list(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def __contains__(self, name: object) -> bool:
        return name in self._layers

    def get_tensor(self, name: str) -> Any:
        """The whole layer, bit for bit."""
        layer = self._find(name)
        if self._on_gpu():
            return self.get_tensors([name])[name]
        return self._convert(self._read(layer), layer)

    def get_tensors(self, names: Iterable[str] | None = None) -> dict[str, Any]:
        """Several whole layers by name, all of them unless told otherwise. To a GPU this is much faster than one by
        one: reading, copying and decoding overlap."""
        wanted = list(self._layers) if names is None else list(names)
        if not self._on_gpu():
            return {name: self.get_tensor(name) for name in wanted}
        layers = {name: self._find(name) for name in wanted}
        return self._torch.load_layers(self._opened(), layers, dict.fromkeys(layers, self.device))

    def spread(self, devices: Sequence[str], options: Mapping[str, str] | None = None) -> dict[str, Any]:
        """All layers by name, as torch tensors on these GPUs: each gets consecutive layers, about as many bytes."""
        if self._torch is None:
            raise WcodecError("only torch tensors can be on a GPU: framework='pt'", "usage")
        core = self._opened()
        places = {
            name: choose_device(devices[share])
            for name, share in zip(self._layers, core.split(len(devices)), strict=True)
        }
        return self._torch.load_layers(core, self._layers, places, options)

    def get_slice(self, name: str) -> Slice:
        """The layer, to be indexed: get_slice(name)[10:20] decodes the parts that those rows are in."""
        return Slice(self, self._find(name))

    def metadata(self) -> dict[str, str]:
        """`__metadata__` of the source's files; where several name a key, the first counts."""
        merged: dict[str, str] = {}
        for key, value in self._opened().metadata():
            merged.setdefault(key, value)
        return merged

    @property
    def model_name(self) -> str:
        return self._opened().model_name()

    def stats(self) -> Stats:
        """Accounts of the whole container."""
        return to_stats(self._opened().stats())

    def layer_stats(self, name: str) -> dict[str, Any]:
        """source_type, stages, source_bytes, encoded_bytes, rows_per_part of a layer (planes of one tensor of a GGUF
        file share them)."""
        return dict(self._find(name).details)

    def _opened(self) -> Any:
        if self._core is None:
            raise WcodecError(f"{self.path}: has been closed", "usage", self.path)
        return self._core

    def _find(self, name: str) -> _Layer:
        layer = self._layers.get(name)
        if layer is None:
            raise WcodecError(f"{self.path}: there is no layer '{name}'", "not found", self.path, name)
        return layer

    def _read(
        self, layer: _Layer, first: int = 0, count: int | None = None, shape: tuple[int, ...] | None = None
    ) -> np.ndarray:
        flat = self._opened().read_rows(layer.index, first, layer.rows if count is None else count)
        return from_bytes(flat, layer.dtype, layer.shape if shape is None else shape)

    def _convert(self, array: Any, layer: _Layer) -> Any:
        if self._torch is None:
            return array
        tensor = self._torch.to_torch(np.asarray(array), layer.dtype)
        return tensor.to(self.device) if self._on_gpu() else tensor

    def _on_gpu(self) -> bool:
        return self._torch is not None and self.device != "cpu"

"""A causal language model of transformers, as the quantizer sees it: matrices, and the layers that use them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from wcodec._errors import WcodecError

try:
    import torch
    import transformers
except ImportError as error:
    raise ImportError("wcodec.lossy needs PyTorch and transformers: pip install torch transformers") from error


class Model:
    """The model of a Hugging Face folder in float32, with its original weights kept aside.

    device  "cpu", "cuda"; "auto" takes a GPU where PyTorch sees one
    """

    def __init__(self, path: str | os.PathLike[str], device: str = "auto") -> None:
        self.path = Path(path)
        if not (self.path / "config.json").is_file():
            raise WcodecError(f"{self.path}: no config.json; a Hugging Face folder is wanted", "not found", str(path))
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = torch.device(device)
        self.net = transformers.AutoModelForCausalLM.from_pretrained(
            self.path, dtype=torch.float32, attn_implementation="sdpa"
        ).to(self.device)
        self.net.eval().requires_grad_(False)
        self.embedding = self.net.get_input_embeddings()
        self.head = self.net.get_output_embeddings()
        self.original = {name: value.detach().clone() for name, value in self._parameters()}

    def _parameters(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        # Tied weights come once, under their first name.
        return self.net.named_parameters(remove_duplicate=True)

    def matrices(self) -> dict[str, np.ndarray]:
        """What is quantized: weights of linear layers and of the embedding, by the checkpoint's names."""
        wanted = set(self.layers())
        return {name: value.cpu().numpy() for name, value in self.original.items() if name in wanted}

    def layers(self) -> dict[str, torch.nn.Module]:
        """Modules of the matrices, by the weight's name."""
        names = {id(parameter): name for name, parameter in self._parameters()}
        found: dict[str, torch.nn.Module] = {}
        for module in self.net.modules():
            if isinstance(module, (torch.nn.Linear, torch.nn.Embedding)):
                found.setdefault(names[id(module.weight)], module)
        return found

    def weight_count(self) -> int:
        return sum(value.numel() for value in self.original.values())

    @property
    def context(self) -> int:
        return int(getattr(self.net.config, "max_position_embeddings", 1024))

    @property
    def vocabulary(self) -> int:
        return int(self.embedding.weight.shape[0])

    @torch.no_grad()
    def load(self, values: Mapping[str, np.ndarray] | None = None, *, as_stored: bool = True) -> None:
        """The original weights, with `values` in the place of some; rounded to bf16 as a checkpoint holds them."""
        values = values or {}
        for name, parameter in self._parameters():
            if name in values:
                value = torch.as_tensor(values[name], device=self.device)
                parameter.copy_(value.bfloat16().float() if as_stored else value)
            else:
                parameter.copy_(self.original[name])

    def windows(self, tokens: np.ndarray, length: int | None = None) -> torch.Tensor:
        """Tokens cut into windows of the model's context, on the device; what is left over at the end is dropped."""
        length = length or min(self.context, len(tokens))
        count = len(tokens) // length
        if count == 0:
            raise WcodecError(f"{len(tokens)} tokens are not enough for a window of {length}", "usage")
        cut = torch.from_numpy(tokens[: count * length].astype(np.int64)).view(count, length)
        if int(cut.max()) >= self.vocabulary:
            raise WcodecError(f"token {int(cut.max())} is not among the model's {self.vocabulary}", "usage")
        return cut.to(self.device)

    def mixed(self) -> torch.autocast:
        """bf16 arithmetic, for sampling and tuning; figures that are reported are made without it."""
        return torch.autocast(self.device.type, torch.bfloat16)

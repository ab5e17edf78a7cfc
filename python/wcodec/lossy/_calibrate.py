"""What a weight is worth: second moments of layers' inputs and of the gradients at their outputs.

With labels drawn from the model itself, the second moments of gradients are its Fisher information, and the loss of a
small error E of a layer's weights is ½ tr(G E H Eᵀ) nats a token: H = E[x xᵀ] of its inputs, G = E[g gᵀ] of the
gradients at its outputs, taken as independent (K-FAC, Martens & Grosse 2015, arXiv:1503.05671). An embedding has
one-hot inputs, so its rows have H = diag(count) and its columns G; of the vocabulary at the head, only the diagonal of
G is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch

from wcodec.lossy._model import Model

# Occurrences added to every token's: a token that calibration did not see is not worthless.
SMOOTHING = 16.0


@dataclass
class Worth:
    """Curvature of one matrix: across its columns a matrix, across its rows a matrix or its diagonal."""

    columns: torch.Tensor  # cols x cols, float64
    rows: torch.Tensor  # rows x rows or rows, float64


@dataclass
class Calibration:
    worth: dict[str, Worth]  # by the weight's name
    tokens: int
    loss: float  # mean nats a token of the calibration text
    factors: dict[str, float] = field(default_factory=dict)  # by name: measured loss over predicted (refine)


def calibrate(
    model: Model,
    tokens: np.ndarray,
    *,
    batch: int = 16,
    seed: int = 0,
    mixed: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Calibration:
    """Runs `tokens` forward and backward through the original model once. `progress` is called with windows done and
    in all. `mixed` takes bf16 arithmetic: two to three times as fast on a CPU with AMX, and averages over so many
    tokens keep little of its rounding; sums stay in float32 and float64."""
    windows = model.windows(tokens)
    model.load(None, as_stored=False)
    random = torch.Generator(model.device).manual_seed(seed)
    columns: dict[str, torch.Tensor] = {}
    rows: dict[str, torch.Tensor] = {}
    layers = model.layers()
    names = {id(module): name for name, module in layers.items()}
    # Inputs of this pass, to take what layers share only once; kept, so that none gets the address of another.
    seen: dict[int, tuple[str, torch.Tensor]] = {}
    shared: dict[str, str] = {}

    def add(to: dict[str, torch.Tensor], name: str, value: torch.Tensor) -> None:
        to[name] = to[name] + value.double() if name in to else value.double()

    def moments(x: torch.Tensor) -> torch.Tensor:
        flat = x.detach().reshape(-1, x.shape[-1]).float()
        with torch.autocast(model.device.type, enabled=False):  # sums keep float32
            return flat.T @ flat

    def on_linear(module: torch.nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        name, x = names[id(module)], inputs[0]
        first, _ = seen.setdefault(x.data_ptr(), (name, x))
        shared[name] = first
        if first == name:
            add(columns, name, moments(x))
        if module is not model.head:
            output.register_hook(lambda g: add(rows, name, moments(g)))

    linear = [module for module in layers.values() if isinstance(module, torch.nn.Linear)]
    hooks = [module.register_forward_hook(on_linear) for module in linear]
    embedding = names[id(model.embedding)]
    size = model.vocabulary
    counts = torch.zeros(size, dtype=torch.float64, device=model.device)
    head = torch.zeros(size, dtype=torch.float64, device=model.device)
    total = 0.0
    try:
        for first in range(0, len(windows), batch):
            part = windows[first : first + batch]
            seen.clear()
            embedded = model.embedding(part).requires_grad_(True)
            with model.mixed() if mixed else nullcontext():
                answer = model.net(inputs_embeds=embedded).logits.float()
            logs = answer.log_softmax(-1).reshape(-1, answer.shape[-1])
            chances = logs.detach().exp()
            labels = torch.multinomial(chances, 1, generator=random)
            (-logs.gather(1, labels).sum()).backward()
            gradient = embedded.grad.reshape(-1, embedded.shape[-1])
            add(columns, embedding, moments(gradient))
            # A token is worth what the gradients where it stands are worth, not how often it occurs alone.
            counts.index_add_(0, part.reshape(-1), gradient.square().sum(1).double())
            head += (chances * (1 - chances)).sum(0).double()
            total -= float(logs.detach().view(*part.shape, -1)[:, :-1].gather(2, part[:, 1:, None]).sum())
            if progress:
                progress(min(first + batch, len(windows)), len(windows))
    finally:
        for hook in hooks:
            hook.remove()
    used = windows.numel()
    worth = {}
    for name, module in layers.items():
        if module is model.embedding:
            power = counts.sum() / used  # of a gradient
            shares = (counts / power + SMOOTHING) / (used + SMOOTHING * size)
            worth[name] = Worth(columns[name] / used, shares)
        elif module is model.head:
            worth[name] = Worth(columns[shared[name]] / used, (head + 0.02 * head.mean()) / used)
        else:
            worth[name] = Worth(columns[shared[name]] / used, rows[name] / used)
    return Calibration(worth, used, total / (used - len(windows)))

"""Words that learn: distillation from the original model with rounding in the forward pass.

Each weight is step · round(u) forward and step · u backward (straight-through, Bengio et al. 2013, arXiv:1308.3432); u
starts as the words of error feedback and moves by Adam in units of steps. Norms and other vectors move too. The loss is
the divergence from the original's predictions, on the calibration text: no label is needed, and steps, and so nearly
the rate, stay.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.nn.utils import parametrize

from wcodec.lossy._grid import LIMIT, QuantizedModel, QuantizedTensor
from wcodec.lossy._model import Model


class _Round(torch.autograd.Function):
    @staticmethod
    def forward(context: object, u: torch.Tensor) -> torch.Tensor:
        return u.round().clamp(-LIMIT, LIMIT)

    @staticmethod
    def backward(context: object, gradient: torch.Tensor) -> torch.Tensor:
        return gradient


class _Grid(torch.nn.Module):
    """A parametrization: u in steps to a weight on its grid."""

    def __init__(self, steps: torch.Tensor) -> None:
        super().__init__()
        self.steps = steps

    def forward(self, u: torch.Tensor) -> torch.Tensor:
        return _Round.apply(u) * self.steps


def tune(
    model: Model,
    quantized: QuantizedModel,
    tokens: np.ndarray,
    *,
    updates: int = 400,
    batch: int = 16,
    rate: float = 0.02,
    vector_rate: float = 1e-3,
    pull: float = 0.0,
    seed: int = 0,
    progress: Callable[[int, float], None] | None = None,
) -> QuantizedModel:
    """New words on the same grids, and new vectors (norms), rounded to bf16.

    rate         largest move of a word in one update, in steps; falls to 0 along a cosine
    vector_rate  the same of vectors, as they are
    pull         decay of words towards 0 a unit of rate: trades error for rate
    """
    windows = model.windows(tokens)
    order = torch.Generator().manual_seed(seed)
    model.load(quantized.values())
    teacher = _teacher(model)
    words: dict[str, torch.nn.Parameter] = {}
    layers = model.layers()
    for name, tensor in quantized.tensors.items():
        steps = torch.as_tensor(tensor.steps(), device=model.device)
        start = torch.as_tensor(tensor.words.astype(np.float32), device=model.device)
        # Where the original lies in its word's cell, so that what was nearly the next word still is.
        place = (model.original[name] / steps - start).clamp(-0.45, 0.45)
        module = layers[name]
        module.weight.requires_grad_(True)
        parametrize.register_parametrization(module, "weight", _Grid(steps), unsafe=True)
        words[name] = module.parametrizations.weight.original
        words[name].data.copy_(start + 0.5 * place)
    vectors = {
        name: parameter
        for name, parameter in model.net.named_parameters()
        if parameter.ndim == 1 and "parametrizations" not in name
    }
    for parameter in vectors.values():
        parameter.requires_grad_(True)
    groups = [
        {"params": list(words.values()), "lr": rate, "weight_decay": pull},
        {"params": list(vectors.values()), "lr": vector_rate, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=model.device.type == "cuda")
    starts = [group["lr"] for group in groups]
    try:
        pool: list[int] = []
        for update in range(updates):
            for group, start in zip(optimizer.param_groups, starts, strict=True):
                group["lr"] = start * 0.5 * (1 + np.cos(np.pi * update / updates))
            if len(pool) < batch:
                pool += torch.randperm(len(windows), generator=order).tolist()
            picked, pool = pool[:batch], pool[batch:]
            part = windows[picked]
            with model.mixed():
                with torch.no_grad():
                    theirs = teacher(part).logits.float().log_softmax(-1)
                ours = model.net(part).logits.float().log_softmax(-1)
            loss = (theirs.exp() * (theirs - ours)).sum(-1).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            if progress:
                progress(
                    update + 1, float(loss.detach()) if update % 20 == 0 or update + 1 == updates else float("nan")
                )
        tensors = {}
        for name, tensor in quantized.tensors.items():
            found = words[name].detach().round().clamp(-LIMIT, LIMIT).to(torch.int8).cpu().numpy()
            tensors[name] = QuantizedTensor(
                found, tensor.base, tensor.row_exponents, tensor.col_exponents, tensor.loss, tensor.clipped
            )
        others = {name: p.detach().bfloat16().float().cpu().numpy() for name, p in vectors.items()}
    finally:
        for name in quantized.tensors:
            parametrize.remove_parametrizations(layers[name], "weight", leave_parametrized=True)
        model.net.requires_grad_(False)
    settings = quantized.settings | {"updates": updates, "tune_rate": rate, "pull": pull}
    return QuantizedModel(tensors, quantized.others | others, settings)


def _teacher(model: Model) -> torch.nn.Module:
    from copy import deepcopy

    teacher = deepcopy(model.net)
    own = dict(teacher.named_parameters(remove_duplicate=True))
    with torch.no_grad():
        for name, value in model.original.items():
            own[name].copy_(value)
    return teacher.bfloat16().eval().requires_grad_(False)

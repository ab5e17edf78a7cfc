"""What a changed model still does: perplexity and top-1 agreement on held-out text, with intervals over documents."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from wcodec._errors import WcodecError
from wcodec.lossy._model import Model

# (model as changed, windows of tokens) -> any number by name; see evaluate().
Hook = Callable[[Model, torch.Tensor], Mapping[str, float]]


@dataclass
class Outcome:
    """Of a model on windows of held-out text. Losses are nats a token, one a window or document."""

    losses: np.ndarray  # of each window
    documents: np.ndarray  # rows of (document, summed nats, tokens), over all windows
    agreement: float = 1.0  # share of tokens whose likeliest successor is the original's
    divergence: float = 0.0  # mean KL(original || this), nats a token
    extra: dict[str, float] = field(default_factory=dict)  # what hooks said

    @property
    def perplexity(self) -> float:
        return math.exp(float(self.losses.mean()))


def increase(changed: Outcome, original: Outcome, windows: int | None = None) -> float:
    """By how much perplexity rose, in per cent, over the first `windows` windows."""
    return 100 * math.expm1(float((changed.losses[:windows] - original.losses[:windows]).mean()))


def interval(changed: Outcome, original: Outcome, draws: int = 4000, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the increase in per cent, by a bootstrap over documents (paired: both saw the same tokens)."""
    extra = changed.documents[:, 1] - original.documents[:, 1]
    tokens = changed.documents[:, 2]
    pick = np.random.default_rng(seed).integers(0, len(extra), (draws, len(extra)))
    rises = np.expm1(extra[pick].sum(1) / tokens[pick].sum(1)) * 100
    low, high = np.percentile(rises, [2.5, 97.5])
    return float(low), float(high)


@torch.no_grad()
def predictions(model: Model, tokens: np.ndarray, *, windows: int | None = None, batch: int = 8) -> list[torch.Tensor]:
    """The original's log-probabilities of every next token, a batch of windows each, in float16 on the host: for
    `compare` of evaluate(), which then need not make them again. 2 bytes a token and word of the vocabulary."""
    model.load(None)
    cut = model.windows(tokens[:-1], min(model.context, len(tokens) - 1))[:windows]
    parts = (cut[first : first + batch] for first in range(0, len(cut), batch))
    return [model.net(part).logits.log_softmax(-1).half().cpu() for part in parts]


@torch.no_grad()
def evaluate(
    model: Model,
    values: Mapping[str, np.ndarray] | None,
    tokens: np.ndarray,
    *,
    windows: int | None = None,
    separator: int | None = 0,
    batch: int = 8,
    compare: bool | list[torch.Tensor] = False,
    hooks: Mapping[str, Hook] | None = None,
) -> Outcome:
    """The model with `values` in the place of some weights, on windows of its context, each token but the first of all
    predicted from those before it in its window, in float32.

    separator  token that stands before every document; None takes each window for a document
    compare    with the original's predictions too: True makes them (twice the work), or what predictions() gave for the
               same tokens, windows and batch
    hooks      called with the model as changed and the windows; what they return is kept under `name.key`
    """
    length = min(model.context, len(tokens) - 1)
    cut = model.windows(tokens[:-1], length)[:windows]
    next_tokens = model.windows(tokens[1:], length)[:windows]
    flat = next_tokens.reshape(-1).cpu().numpy()
    document = np.cumsum(flat == separator) if separator is not None else np.arange(len(flat)) // length
    nats, agreed, diverged = [], 0, 0.0
    kept = predictions(model, tokens, windows=windows, batch=batch) if compare is True else compare or []
    model.load(values)
    for index, first in enumerate(range(0, len(cut), batch)):
        logs = model.net(cut[first : first + batch]).logits.float().log_softmax(-1)
        nats.append(-logs.gather(2, next_tokens[first : first + batch, :, None]).squeeze(2).double().cpu())
        if kept:
            theirs = kept[index].to(model.device).float()
            agreed += int((theirs.argmax(-1) == logs.argmax(-1)).sum())
            diverged += float((theirs.exp() * (theirs - logs)).sum())
    loss = torch.cat(nats).numpy()
    if not np.isfinite(loss).all():
        raise WcodecError("the model's predictions are not finite", "unsupported")
    sums = np.bincount(document, loss.reshape(-1))
    counts = np.bincount(document)
    present = np.flatnonzero(counts)
    outcome = Outcome(loss.mean(1), np.stack([present, sums[present], counts[present]], 1))
    if kept:
        outcome.agreement, outcome.divergence = agreed / loss.size, diverged / loss.size
    for name, hook in (hooks or {}).items():
        outcome.extra |= {f"{name}.{key}": float(value) for key, value in hook(model, cut).items()}
    return outcome


@torch.no_grad()
def divergence(
    model: Model, values: Mapping[str, np.ndarray], tokens: np.ndarray, *, windows: int, batch: int = 8
) -> float:
    """Mean KL(original || changed) in nats a token."""
    cut = model.windows(tokens)[:windows]
    model.load(None)
    kept = [model.net(cut[first : first + batch]).logits.log_softmax(-1) for first in range(0, len(cut), batch)]
    model.load(values)
    total = 0.0
    for index, first in enumerate(range(0, len(cut), batch)):
        logs = model.net(cut[first : first + batch]).logits.log_softmax(-1)
        total += float((kept[index].exp() * (kept[index] - logs)).sum())
    return total / cut.numel()

"""Tokens to calibrate on: text of the user's, or text that the model writes itself."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from wcodec._errors import WcodecError
from wcodec.lossy._model import Model


def read_tokens(model: Model, paths: Iterable[str | os.PathLike[str]], limit: int | None = None) -> np.ndarray:
    """Tokens of text files in the order given, each behind the tokenizer's first special token; a `.bin` file holds
    little-endian uint16 tokens already."""
    parts: list[np.ndarray] = []
    tokenizer = None
    total = 0
    for path in map(Path, paths):
        if not path.is_file():
            raise WcodecError(f"{path}: no such file", "not found", str(path))
        if path.suffix == ".bin":
            part = np.fromfile(path, dtype="<u2").astype(np.int64)
        else:
            if tokenizer is None:
                from transformers import AutoTokenizer

                tokenizer = AutoTokenizer.from_pretrained(model.path)
            start = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
            text = path.read_text(encoding="utf-8", errors="replace")
            part = np.array(start + tokenizer.encode(text, add_special_tokens=False), dtype=np.int64)
        parts.append(part)
        total += len(part)
        if limit is not None and total >= limit:
            break
    if total == 0:
        raise WcodecError("the calibration text is empty", "usage")
    return np.concatenate(parts)[:limit]


@torch.no_grad()
def sample_tokens(
    model: Model, windows: int, seed: int = 0, batch: int = 1024, length: int | None = None
) -> np.ndarray:
    """Text that the original model writes itself, at temperature 1, from its first special token: no text of anybody's
    is needed, and none can be of what it is evaluated on."""
    length = length or model.context
    model.load(None, as_stored=False)
    start = model.net.config.bos_token_id or 0
    random = torch.Generator(model.device).manual_seed(seed)
    out = []
    for first in range(0, windows, batch):
        count = min(batch, windows - first)
        tokens = torch.full((count, 1), start, dtype=torch.long, device=model.device)
        written, past = [tokens], None
        for _ in range(length - 1):
            with model.mixed():
                answer = model.net(input_ids=tokens, past_key_values=past, use_cache=True)
            past = answer.past_key_values
            chances = answer.logits[:, -1].float().softmax(-1)
            tokens = torch.multinomial(chances, 1, generator=random)
            written.append(tokens)
        out.append(torch.cat(written, 1).cpu().numpy().reshape(-1))
        del past
    return np.concatenate(out)

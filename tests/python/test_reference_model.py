"""The committed reference model is what its card says: sizes, hashes, shapes, initialisation, and a loss that works.

Needs numpy only. The safetensors reader and the forward pass are written out here on purpose: they share no code with
the script that trained and exported the model, so an error there cannot hide itself.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

CHECKPOINTS = Path(__file__).resolve().parents[2] / "checkpoints"
FINAL = "wcodec-ref-2m"
SNAPSHOTS = [f"{FINAL}-step000", f"{FINAL}-step001pct", f"{FINAL}-step010pct"]
FINETUNE = f"{FINAL}-finetune"
MODELS = [*SNAPSHOTS, FINAL, FINETUNE]
WITH_TEXT = [FINAL, FINETUNE]
FILE_LIMIT, TOTAL_LIMIT = 6_000_000, 24_000_000
END_OF_TEXT = b"<|endoftext|>"


def read_safetensors(path: Path) -> tuple[dict[str, dict], np.ndarray]:
    """Header entries by tensor name, and the data section as bytes (uint8)."""
    content = path.read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    return header, np.frombuffer(content, np.uint8, offset=8 + length)


def bf16_words(name: str) -> dict[str, np.ndarray]:
    """The raw bf16 words (uint16) of every tensor of a model folder, in the tensor's shape."""
    header, data = read_safetensors(CHECKPOINTS / name / "model.safetensors")
    words = {}
    for tensor, entry in header.items():
        begin, end = entry["data_offsets"]
        words[tensor] = data[begin:end].view("<u2").reshape(entry["shape"])
    return words


def weights(name: str) -> dict[str, np.ndarray]:
    """The same tensors widened to float32, which is exact."""
    return {tensor: (words.astype(np.uint32) << 16).view(np.float32) for tensor, words in bf16_words(name).items()}


def config(name: str) -> dict:
    return json.loads((CHECKPOINTS / name / "config.json").read_text())


def expected_shapes(shape: dict) -> dict[str, tuple[int, ...]]:
    """Tensor names and shapes of a LlamaForCausalLM with tied embeddings and this config."""
    hidden, wide = shape["hidden_size"], shape["intermediate_size"]
    query = shape["num_attention_heads"] * shape["head_dim"]
    key = shape["num_key_value_heads"] * shape["head_dim"]
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (shape["vocab_size"], hidden)}
    for layer in range(shape["num_hidden_layers"]):
        prefix = f"model.layers.{layer}"
        shapes |= {
            f"{prefix}.input_layernorm.weight": (hidden,),
            f"{prefix}.self_attn.q_proj.weight": (query, hidden),
            f"{prefix}.self_attn.k_proj.weight": (key, hidden),
            f"{prefix}.self_attn.v_proj.weight": (key, hidden),
            f"{prefix}.self_attn.o_proj.weight": (hidden, query),
            f"{prefix}.post_attention_layernorm.weight": (hidden,),
            f"{prefix}.mlp.gate_proj.weight": (wide, hidden),
            f"{prefix}.mlp.up_proj.weight": (wide, hidden),
            f"{prefix}.mlp.down_proj.weight": (hidden, wide),
        }
    return shapes | {"model.norm.weight": (hidden,)}


def held_out_loss(name: str, windows: int) -> float:
    """Nats per token over the first windows of the final model's ``val.bin``, by a float32 Llama forward pass."""
    shape, weight = config(name), weights(name)
    context, heads, size = shape["max_position_embeddings"], shape["num_attention_heads"], shape["head_dim"]
    group = heads // shape["num_key_value_heads"]
    angle = np.outer(np.arange(context), shape["rope_theta"] ** -(np.arange(0, size, 2) / size)).astype(np.float32)
    cos, sin = np.cos(np.hstack([angle, angle])), np.sin(np.hstack([angle, angle]))
    future = np.triu(np.full((context, context), -np.inf, np.float32), 1)

    def norm(x: np.ndarray, gain: np.ndarray) -> np.ndarray:
        return gain * x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + np.float32(shape["rms_norm_eps"]))

    def split(x: np.ndarray) -> np.ndarray:
        return x.reshape(context, -1, size).transpose(1, 0, 2)

    def rotate(x: np.ndarray) -> np.ndarray:
        return x * cos + np.concatenate([-x[..., size // 2 :], x[..., : size // 2]], axis=-1) * sin

    tokens = np.fromfile(CHECKPOINTS / FINAL / "val.bin", "<u2")
    embedding = weight["model.embed_tokens.weight"]
    total = 0.0
    for start in range(0, windows * context, context):
        x = embedding[tokens[start : start + context]]
        for layer in range(shape["num_hidden_layers"]):
            prefix = f"model.layers.{layer}"
            attention = f"{prefix}.self_attn"
            y = norm(x, weight[f"{prefix}.input_layernorm.weight"])
            query = rotate(split(y @ weight[f"{attention}.q_proj.weight"].T))
            key = rotate(split(y @ weight[f"{attention}.k_proj.weight"].T)).repeat(group, axis=0)
            value = split(y @ weight[f"{attention}.v_proj.weight"].T).repeat(group, axis=0)
            score = query @ key.transpose(0, 2, 1) / np.float32(math.sqrt(size)) + future
            score = np.exp(score - score.max(axis=-1, keepdims=True))
            mixed = (score / score.sum(axis=-1, keepdims=True)) @ value
            x = x + mixed.transpose(1, 0, 2).reshape(context, -1) @ weight[f"{attention}.o_proj.weight"].T
            y = norm(x, weight[f"{prefix}.post_attention_layernorm.weight"])
            gate = y @ weight[f"{prefix}.mlp.gate_proj.weight"].T
            gate = gate / (1 + np.exp(-gate)) * (y @ weight[f"{prefix}.mlp.up_proj.weight"].T)
            x = x + gate @ weight[f"{prefix}.mlp.down_proj.weight"].T
        logits = norm(x, weight["model.norm.weight"]) @ embedding.T
        peak = logits.max(axis=-1)
        normaliser = peak + np.log(np.exp(logits - peak[:, None]).sum(axis=-1))
        target = logits[np.arange(context), tokens[start + 1 : start + context + 1]]
        total += float((normaliser - target).sum(dtype=np.float64))
    return total / (windows * context)


def test_sizes_stay_within_limits() -> None:
    sizes = [(CHECKPOINTS / name / "model.safetensors").stat().st_size for name in MODELS]
    assert max(sizes) <= FILE_LIMIT
    assert sum(sizes) <= TOTAL_LIMIT


@pytest.mark.parametrize("name", MODELS)
def test_tensors_are_bf16_and_match_the_config(name: str) -> None:
    header, data = read_safetensors(CHECKPOINTS / name / "model.safetensors")
    assert {entry["dtype"] for entry in header.values()} == {"BF16"}
    assert {tensor: tuple(entry["shape"]) for tensor, entry in header.items()} == expected_shapes(config(name))
    spans = sorted(tuple(entry["data_offsets"]) for entry in header.values())
    assert spans[0][0] == 0
    assert spans[-1][1] == data.size
    assert all(left[1] == right[0] for left, right in pairwise(spans))
    for entry in header.values():
        begin, end = entry["data_offsets"]
        assert end - begin == 2 * math.prod(entry["shape"])


@pytest.mark.parametrize("name", MODELS)
def test_values_are_finite(name: str) -> None:
    assert all(np.isfinite(values).all() for values in weights(name).values())


@pytest.mark.parametrize("name", MODELS)
def test_card_lists_every_file_with_its_hash(name: str) -> None:
    card = (CHECKPOINTS / name / "README.md").read_text()
    listed = dict(re.findall(r"^\| `([^`]+)` \| [\d,]+ \| `([0-9a-f]{64})` \|$", card, re.MULTILINE))
    files = [path for path in (CHECKPOINTS / name).iterdir() if path.name != "README.md"]
    assert listed == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_step_zero_is_the_initialisation() -> None:
    shape = config(SNAPSHOTS[0])
    residual = shape["initializer_range"] / math.sqrt(2 * shape["num_hidden_layers"])
    for tensor, values in weights(SNAPSHOTS[0]).items():
        if values.ndim == 1:
            assert (values == 1).all(), tensor
        else:
            writes_residual = tensor.endswith(("o_proj.weight", "down_proj.weight"))
            # 32,768 draws or more: four standard errors of their mean and standard deviation stay below these bounds.
            deviation = residual if writes_residual else shape["initializer_range"]
            assert abs(values.std() / deviation - 1) < 0.02, tensor
            assert abs(values.mean() / deviation) < 0.025, tensor


@pytest.mark.parametrize("other", [*SNAPSHOTS, FINETUNE])
def test_final_differs_from_every_other_checkpoint(other: str) -> None:
    final, rest = bf16_words(FINAL), bf16_words(other)
    for tensor, words in final.items():
        assert (words != rest[tensor]).any(), tensor


@pytest.mark.parametrize("name", WITH_TEXT)
def test_tokens_spell_the_held_out_text(name: str) -> None:
    # GPT-2's byte alphabet: printable bytes stand for themselves, the rest are moved up from U+0100 in order.
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    moved = [byte for byte in range(256) if byte not in printable]
    alphabet = {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(moved)}
    vocabulary = json.loads((CHECKPOINTS / name / "tokenizer.json").read_text())["model"]["vocab"]
    spelling = {0: END_OF_TEXT}
    for token, number in vocabulary.items():
        if number != 0:
            spelling[number] = bytes(alphabet[character] for character in token)
    assert sorted(spelling) == list(range(config(name)["vocab_size"]))
    tokens = np.fromfile(CHECKPOINTS / name / "val.bin", "<u2").tolist()
    assert b"".join(spelling[token] for token in tokens) == (CHECKPOINTS / name / "val.txt").read_bytes()


def test_loss_falls_along_the_snapshots() -> None:
    losses = [held_out_loss(name, windows=1) for name in (*SNAPSHOTS, FINAL)]
    assert losses == sorted(losses, reverse=True)
    assert abs(losses[0] - math.log(config(FINAL)["vocab_size"])) < 0.1
    assert losses[-1] < 2.0

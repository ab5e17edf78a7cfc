#!/usr/bin/env python3
r"""Build and train wcodec-ref-2m, the small reference language model of this repository.

The whole chain is here, from package names to published weights::

    W=build/reference M=checkpoints/wcodec-ref-2m
    python tools/train_reference.py corpus    --work $W
    python tools/train_reference.py tokenizer --work $W
    python tools/train_reference.py train     --work $W --run $W/run
    python tools/train_reference.py export    --weights $W/run/final.safetensors --out $M --work $W
    python tools/train_reference.py finetune  --work $W --init $M --run $W/run
    python tools/train_reference.py export    --weights $W/run/finetune.safetensors --out $M-finetune --work $W \
                                              --held-out finetune-val
    python tools/train_reference.py evaluate  $M $M-finetune --tokens $M/val.bin

``corpus`` needs pip and a package index; ``tokenizer`` needs numpy and tokenizers; the rest needs numpy, torch and
safetensors. Training takes minutes on a data-centre GPU; ``evaluate`` is as happy on a CPU.

Units used throughout: a loss is the mean negative log-likelihood in nats per token; bits per byte divide the summed
loss by ln 2 and by the UTF-8 bytes of the documents (the separators between documents are predicted and paid for, but
are not counted as bytes). Token files are flat little-endian uint16 arrays in which ``<|endoftext|>`` (id 0) precedes
every document.

Reproducibility: corpus, split and tokenizer are functions of the pinned package list. Batches, initialisation and
schedule are functions of the seed; the weights still depend in their last bits on GPU, driver and PyTorch version,
because bf16 matrix products are summed in a hardware-dependent order.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import math
import re
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import torch

# ----------------------------------------------------------------------------------------------------------- corpus

END_OF_TEXT = "<|endoftext|>"


class Package(NamedTuple):
    """One pinned PyPI release. ``kind`` is "sdist" (carries the documentation) or "wheel" (where building metadata
    from an sdist would need a compiler toolchain); ``split`` names the corpus part its files go to."""

    name: str
    version: str
    kind: str
    licence: str
    split: str


PACKAGES = tuple(
    Package(*line.split())
    for line in """
aiohttp 3.14.5 sdist Apache-2.0+MIT train
arrow 1.4.0 sdist Apache-2.0 train
astropy 8.0.2 wheel BSD-3-Clause train
babel 2.18.0 sdist BSD-3-Clause train
botocore 1.44.5 wheel Apache-2.0 train
celery 5.7.0 sdist BSD-3-Clause train
dask 2026.8.0 sdist BSD-3-Clause train
django 5.2.19 sdist BSD-3-Clause train
fastapi 0.165.0 sdist MIT train
flask 3.1.3 sdist BSD-3-Clause train
ipython 9.18.1 sdist BSD-3-Clause train
jax 0.10.2 wheel Apache-2.0 train
jinja2 3.1.6 sdist BSD-3-Clause train
keras 3.15.1 wheel Apache-2.0 train
kombu 5.7.0 sdist BSD-3-Clause train
matplotlib 3.11.2 wheel PSF-based train
mypy 2.4.1 sdist MIT train
nbconvert 7.17.2 sdist BSD-3-Clause train
networkx 3.6.1 sdist BSD-3-Clause train
nltk 3.10.4 sdist Apache-2.0 train
optuna 5.0.0 wheel MIT train
pandas 3.1.1 wheel BSD-3-Clause train
pydantic 2.14.3 wheel MIT train
pytest 9.2.0 sdist MIT train
requests 2.34.2 sdist Apache-2.0 train
scikit-learn 1.9.1 wheel BSD-3-Clause train
scipy 1.17.1 wheel BSD-3-Clause train
scrapy 2.19.0 sdist BSD-3-Clause train
setuptools 84.2.1 sdist MIT train
sphinx 9.0.4 sdist BSD-2-Clause train
sqlalchemy 2.1.9 sdist MIT train
statsmodels 0.15.0 wheel BSD-3-Clause train
sympy 1.14.0 sdist BSD-3-Clause train
textual 8.2.8 sdist MIT train
tornado 6.6.1 sdist Apache-2.0 train
tox 4.67.13 sdist MIT train
transformers 5.23.0 wheel Apache-2.0 train
trio 0.35.0 sdist MIT/Apache-2.0 train
twisted 26.10.0 sdist MIT train
xarray 2026.9.0 sdist Apache-2.0 train
attrs 26.1.0 sdist MIT val
bottle 0.13.4 sdist MIT val
click 8.5.1 sdist BSD-3-Clause val
gunicorn 27.0.1 sdist MIT val
marshmallow 4.4.0 sdist MIT val
mistune 3.4.0 sdist BSD-3-Clause val
rich 15.0.0 sdist MIT val
werkzeug 3.1.9 sdist BSD-3-Clause val
brotli 1.2.1 sdist MIT finetune
gevent 26.9.0 sdist MIT finetune
greenlet 3.5.6 sdist MIT+PSF-2.0 finetune
grpcio 1.85.1 sdist Apache-2.0 finetune
lz4 4.4.5 sdist BSD-3-Clause finetune
msgpack 1.2.4 sdist Apache-2.0 finetune
zstandard 0.25.0 sdist BSD-3-Clause finetune
psutil 7.2.2 sdist BSD-3-Clause finetune-val
pybind11 3.1.0 sdist BSD-3-Clause finetune-val
""".strip().splitlines()
)

TEXT_SUFFIXES = {".py", ".rst", ".md", ".txt"}
C_SUFFIXES = {".c", ".cc", ".cpp", ".h", ".hpp"}
# Vendored trees carry other projects' licences, test and locale trees are long repetitive tables, and generated
# sources teach a model this small nothing but their generator.
SKIPPED_PATH = re.compile(
    r"/(tests?|testing|testdata|locale|_?vendor(ed)?|boringssl[^/]*|zlib|data|_data|datasets|sample_?data|examples/data"
    r"|third_party/(?!abseil-cpp|re2|upb|address_sorting|cares))/|\.upb(defs)?\.|upb-gen|upbdefs-gen|\.egg-info/|_pb2"
)
COPYLEFT = re.compile(r"GNU (Lesser |Affero |Library )?General Public|\bA?L?GPL|Mozilla Public|Generated by Cython")
FILE_BYTES = (400, 96_000)
PACKAGE_BYTES = {"train": 6_000_000, "finetune": 8_000_000}
HELD_OUT_BYTES = {"val": 300_000, "finetune-val": 100_000}
HELD_OUT_FILE_BYTES = 24_000
LEAK_LINE_CHARS, LEAK_SHARE = 40, 0.1


class Document(NamedTuple):
    """A file of a package, as UTF-8 text with ``\\n`` line ends."""

    package: str
    path: str
    text: str

    def order(self) -> str:
        """A pseudo-random but fixed sort key: documents are shuffled by content, not by a generator's state."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def download(package: Package, into: Path) -> Path:
    """Fetch one pinned release with pip (no dependencies) and return its archive."""
    target = into / package.name
    if not list(target.glob("*-*")):
        source = ["--only-binary=:all:", "--python-version=3.11", "--implementation=cp"]
        source += [f"--platform=manylinux{tag}_x86_64" for tag in ("2014", "_2_17", "_2_24", "_2_27", "_2_28")]
        if package.kind == "sdist":
            source = [f"--no-binary={package.name}"]
        requirement = f"{package.name}=={package.version}"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *source, "--dest", str(target)]
        subprocess.run([*command, requirement], check=True)
    (archive,) = target.glob("*-*")
    return archive


def archive_files(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (path inside the archive, content) of every regular file of a wheel or sdist, in archive order."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for info in wheel.infolist():
                if not info.is_dir():
                    yield info.filename, wheel.read(info)
    else:
        with tarfile.open(archive) as sdist:
            for member in sdist:
                if (stream := sdist.extractfile(member)) is not None:
                    yield member.name, stream.read()


def documents(package: Package, archive: Path) -> Iterator[Document]:
    """The files of one release that pass the filters on path, size, encoding and licence header."""
    suffixes = C_SUFFIXES if package.split.startswith("finetune") else TEXT_SUFFIXES
    for path, content in archive_files(archive):
        if Path(path).suffix not in suffixes or SKIPPED_PATH.search("/" + path):
            continue
        if not FILE_BYTES[0] <= len(content) <= FILE_BYTES[1]:
            continue
        try:
            text = content.decode("utf-8").replace("\r\n", "\n").strip() + "\n"
        except UnicodeDecodeError:
            continue
        mostly_ascii = sum(character > "\x7f" for character in text) < 0.02 * len(text)
        wordy = sum(character.isalpha() for character in text) > 0.4 * len(text)
        if mostly_ascii and wordy and END_OF_TEXT not in text and not COPYLEFT.search(text[:4000]):
            yield Document(package.name, path, text)


def long_lines(text: str) -> list[str]:
    """The lines long enough that meeting one twice means copying rather than chance."""
    return [line.strip() for line in text.splitlines() if len(line.strip()) >= LEAK_LINE_CHARS]


def select_held_out(candidates: list[Document], budget: int) -> list[Document]:
    """Up to ``budget`` bytes of whole files, taken in turn from each package so that none dominates."""
    queues: dict[str, list[Document]] = {}
    for document in sorted(candidates, key=Document.order):
        if len(document.text) <= HELD_OUT_FILE_BYTES:
            queues.setdefault(document.package, []).append(document)
    chosen: list[Document] = []
    while any(queues.values()):
        chosen += [queue.pop() for queue in queues.values() if queue]
        if sum(len(document.text.encode()) for document in chosen) >= budget:
            break
    return chosen


def select_training(candidates: list[Document], held_out: Iterable[Document], cap: int) -> tuple[list[Document], int]:
    """Documents without duplicates, without anything that quotes a held-out package at length, at most ``cap`` bytes
    a package. Returns them in their fixed shuffled order, and the number dropped as leaks."""
    secret = {line for document in held_out for line in long_lines(document.text)}
    used: dict[str, int] = {}
    chosen, seen, leaks = [], set(), 0
    for document in sorted(candidates, key=Document.order):
        key = document.order()
        size = len(document.text.encode())
        if key in seen or used.get(document.package, 0) + size > cap:
            continue
        lines = long_lines(document.text)
        if sum(line in secret for line in lines) > LEAK_SHARE * len(lines):
            leaks += 1
            continue
        seen.add(key)
        used[document.package] = used.get(document.package, 0) + size
        chosen.append(document)
    return chosen, leaks


def write_manifest(path: Path, parts: dict[str, list[Document]], archives: dict[str, Path], leaks: int) -> None:
    """CORPUS.md: what was taken, from where, under which licence."""
    lines = [
        "# Corpus of wcodec-ref-2m",
        "",
        "Written by `tools/train_reference.py corpus`. Each row is one release on PyPI; files and bytes are what the",
        "filters left of it. `train` is Python code, docstrings and documentation; `finetune` is C and C++; the two",
        "`val` parts are held out by package, and a training file that shares more than 10 % of its long lines with",
        f"any file of a held-out package is dropped ({leaks} were).",
        "",
        "| package | version | archive | licence | part | files | bytes | SHA-256 of the archive |",
        "|---|---|---|---|---|---:|---:|---|",
    ]
    for package in PACKAGES:
        mine = [document for document in parts[package.split] if document.package == package.name]
        size = sum(len(document.text.encode()) for document in mine)
        digest = hashlib.sha256(archives[package.name].read_bytes()).hexdigest()
        row = (*package[:2], package.kind, package.licence, package.split, len(mine), f"{size:,}", f"`{digest}`")
        lines.append("| " + " | ".join(map(str, row)) + " |")
    lines += ["", "| part | files | bytes | SHA-256 of the text |", "|---|---:|---:|---|"]
    for part, chosen in parts.items():
        text = joined(chosen)
        digest = hashlib.sha256(text.encode()).hexdigest()
        size = sum(len(document.text.encode()) for document in chosen)
        lines.append(f"| {part} | {len(chosen):,} | {size:,} | `{digest}` |")
    path.write_text("\n".join(lines) + "\n")


def joined(chosen: list[Document]) -> str:
    """One text in which the end-of-text marker precedes every document."""
    return "".join(END_OF_TEXT + document.text for document in chosen)


def command_corpus(arguments: argparse.Namespace) -> None:
    """Write ``{train,val,finetune,finetune-val}.txt``, the held-out licences and CORPUS.md below ``--work``."""
    work: Path = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    archives, found = {}, {"train": [], "val": [], "finetune": [], "finetune-val": []}
    licences: dict[str, list[str]] = {"val": [], "finetune-val": []}
    for package in PACKAGES:
        archives[package.name] = archive = download(package, arguments.downloads or work / "downloads")
        found[package.split] += documents(package, archive)
        if package.split in licences:
            for path, content in archive_files(archive):
                if re.fullmatch(r"[^/]+/(LICEN[CS]E|COPYING)[^/]*", path):
                    licences[package.split].append(f"==== {path} ====\n\n{content.decode().strip()}\n")
    parts, leaks = {}, 0
    for training, held_out in (("train", "val"), ("finetune", "finetune-val")):
        parts[held_out] = select_held_out(found[held_out], HELD_OUT_BYTES[held_out])
        parts[training], dropped = select_training(found[training], found[held_out], PACKAGE_BYTES[training])
        leaks += dropped
        (work / f"{held_out}.LICENSES.txt").write_text("\n".join(licences[held_out]))
    for part, chosen in parts.items():
        (work / f"{part}.txt").write_text(joined(chosen))
        print(f"{part}: {len(chosen)} files, {sum(len(document.text.encode()) for document in chosen):,} bytes")
    write_manifest(work / "CORPUS.md", parts, archives, leaks)


# -------------------------------------------------------------------------------------------------------- tokenizer


def command_tokenizer(arguments: argparse.Namespace) -> None:
    """Train the byte-level BPE (Sennrich et al. 2016; byte alphabet as in GPT-2) on the first ``--sample`` bytes of
    the training text and write ``tokenizer.json`` and one token file for each part."""
    import numpy as np
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    work: Path = arguments.work
    tokenizer = Tokenizer(models.BPE())
    # A number is split into its digits, as Llama's tokenizer does, so that the few merges go to words and indentation.
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=Architecture().vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    training = (work / "train.txt").read_text().split(END_OF_TEXT)[1:]
    sample, size = [], 0
    for text in training:
        if size >= arguments.sample:
            break
        sample.append(text)
        size += len(text)
    tokenizer.train_from_iterator(sample, trainer)
    tokenizer.save(str(work / "tokenizer.json"))
    for part in ("train", "val", "finetune", "finetune-val"):
        texts = (work / f"{part}.txt").read_text().split(END_OF_TEXT)[1:]
        ids: list[np.ndarray] = []
        for start in range(0, len(texts), 256):
            encodings = tokenizer.encode_batch(texts[start : start + 256])
            ids += [np.array([0, *encoding.ids], dtype="<u2") for encoding in encodings]
        tokens = np.concatenate(ids)
        tokens.tofile(work / f"{part}.bin")
        text_bytes = sum(len(text.encode()) for text in texts)
        print(f"{part}: {tokens.size:,} tokens, {text_bytes / tokens.size:.3f} bytes per token")


# ------------------------------------------------------------------------------------------------------------ model


@dataclass(frozen=True)
class Architecture:
    """Shape of the model, under the names that Hugging Face's LlamaConfig uses."""

    vocab_size: int = 1024
    hidden_size: int = 256
    num_hidden_layers: int = 3
    intermediate_size: int = 640
    num_attention_heads: int = 8
    num_key_value_heads: int = 4
    max_position_embeddings: int = 512
    rope_theta: float = 10000.0
    rms_norm_eps: float = 1e-5
    initializer_range: float = 0.02

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_attention_heads


def build_model(shape: Architecture) -> torch.nn.Module:
    """The Llama architecture (Touvron et al. 2023) written out: pre-norm RMSNorm (Zhang and Sennrich 2019), rotary
    positions (Su et al. 2021), grouped-query attention (Ainslie et al. 2023), SwiGLU (Shazeer 2020), input and output
    embedding tied. Modules carry Hugging Face's names, so the state dict is already in its layout.

    The returned module maps token ids (batch, time) and targets of the same shape to the per-token loss (batch, time)
    in nats, float32.
    """
    import torch
    from torch import nn
    from torch.nn import functional

    def linear(inputs: int, outputs: int) -> nn.Linear:
        return nn.Linear(inputs, outputs, bias=False)

    class RMSNorm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(shape.hidden_size))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            wide = x.float()
            scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + shape.rms_norm_eps)
            return self.weight * (wide * scale).to(x.dtype)

    def rotary(time: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """cos and sin, each (time, head_dim); channel i turns together with channel i + head_dim / 2."""
        frequency = shape.rope_theta ** -(torch.arange(0, shape.head_dim, 2, device=device).float() / shape.head_dim)
        angle = torch.arange(time, device=device).float()[:, None] * frequency[None, :]
        angle = torch.cat([angle, angle], dim=-1)
        return angle.cos(), angle.sin()

    def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        first, second = x.chunk(2, dim=-1)
        return (x * cos + torch.cat([-second, first], dim=-1) * sin).to(x.dtype)

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.q_proj = linear(shape.hidden_size, shape.num_attention_heads * shape.head_dim)
            self.k_proj = linear(shape.hidden_size, shape.num_key_value_heads * shape.head_dim)
            self.v_proj = linear(shape.hidden_size, shape.num_key_value_heads * shape.head_dim)
            self.o_proj = linear(shape.num_attention_heads * shape.head_dim, shape.hidden_size)

        def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
            def heads(y: torch.Tensor) -> torch.Tensor:
                return y.unflatten(-1, (-1, shape.head_dim)).transpose(1, 2)

            query = rotate(heads(self.q_proj(x)), cos, sin)
            key = rotate(heads(self.k_proj(x)), cos, sin)
            shared = shape.num_attention_heads // shape.num_key_value_heads
            key = key.repeat_interleave(shared, dim=1)
            value = heads(self.v_proj(x)).repeat_interleave(shared, dim=1)
            mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
            return self.o_proj(mixed.transpose(1, 2).flatten(2))

    class MLP(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate_proj = linear(shape.hidden_size, shape.intermediate_size)
            self.up_proj = linear(shape.hidden_size, shape.intermediate_size)
            self.down_proj = linear(shape.intermediate_size, shape.hidden_size)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input_layernorm = RMSNorm()
            self.self_attn = Attention()
            self.post_attention_layernorm = RMSNorm()
            self.mlp = MLP()

        def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
            x = x + self.self_attn(self.input_layernorm(x), cos, sin)
            return x + self.mlp(self.post_attention_layernorm(x))

    class Trunk(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed_tokens = nn.Embedding(shape.vocab_size, shape.hidden_size)
            self.layers = nn.ModuleList(Layer() for _ in range(shape.num_hidden_layers))
            self.norm = RMSNorm()

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            cos, sin = rotary(ids.shape[1], ids.device)
            x = self.embed_tokens(ids)
            for layer in self.layers:
                x = layer(x, cos, sin)
            return self.norm(x)

    class Llama(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = Trunk()

        def forward(self, ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            logits = functional.linear(self.model(ids), self.model.embed_tokens.weight)
            return functional.cross_entropy(logits.float().transpose(1, 2), targets, reduction="none")

    return Llama()


def initialise(model: torch.nn.Module, shape: Architecture, seed: int) -> None:
    """Normal weights of standard deviation 0.02; the two projections that write into the residual stream get
    0.02 / sqrt(2 * layers), so that its variance does not grow with depth (Radford et al. 2019). Gains stay at 1."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    residual = shape.initializer_range / math.sqrt(2 * shape.num_hidden_layers)
    for name, weight in model.named_parameters():
        if weight.ndim == 2:
            writes_residual = name.endswith(("o_proj.weight", "down_proj.weight"))
            with torch.no_grad():
                weight.normal_(0.0, residual if writes_residual else shape.initializer_range, generator=generator)


# --------------------------------------------------------------------------------------------------------- training


@dataclass(frozen=True)
class Recipe:
    """Optimiser and schedule: AdamW (Loshchilov and Hutter 2019), linear warm-up, cosine decay to ``floor`` * peak."""

    steps: int
    peak: float
    batch: int
    warmup: int
    floor: float = 0.02
    betas: tuple[float, float] = (0.9, 0.95)
    decay: float = 0.1
    clip: float = 1.0

    def rate(self, step: int) -> float:
        """Learning rate of 0-based ``step``."""
        if step < self.warmup:
            return self.peak * (step + 1) / self.warmup
        progress = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.peak * (self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * progress)))


def read_tokens(path: Path) -> torch.Tensor:
    """A token file as int64, shape (tokens,)."""
    import numpy as np
    import torch

    return torch.from_numpy(np.fromfile(path, dtype="<u2").astype(np.int64))


def optimise(
    model: torch.nn.Module, tokens: torch.Tensor, recipe: Recipe, snapshots: dict[int, Path], arguments: Any
) -> list[tuple[int, int, float, float]]:
    """Train ``model`` in place on random windows of ``tokens``; save float32 weights to ``snapshots[step]`` once
    ``step`` steps are done. Returns rows (step, tokens seen, mean training loss since the last row, learning rate)."""
    import torch
    from safetensors.torch import save_file

    device = torch.device(arguments.device)
    context = Architecture().max_position_embeddings
    model.to(device)
    # Gains are not decayed: pulling them to zero has no regularising meaning.
    matrices = [weight for weight in model.parameters() if weight.ndim == 2]
    gains = [weight for weight in model.parameters() if weight.ndim == 1]
    groups = [{"params": matrices, "weight_decay": recipe.decay}, {"params": gains, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=recipe.peak, betas=recipe.betas, fused=device.type == "cuda")
    forward = torch.compile(model) if device.type == "cuda" else model
    generator = torch.Generator().manual_seed(arguments.seed + 1)
    tokens = tokens.to(device)
    window = torch.arange(context + 1, device=device)
    every = max(1, recipe.steps // 250)
    rows, running, counted, began = [], torch.zeros((), device=device), 0, time.monotonic()
    for step in range(recipe.steps + 1):
        if step in snapshots:
            state = {name: weight.detach().float().cpu().contiguous() for name, weight in model.state_dict().items()}
            save_file(state, snapshots[step], metadata={"format": "pt"})
        if step == recipe.steps:
            break
        starts = torch.randint(tokens.numel() - context, (recipe.batch,), generator=generator)
        batch = tokens[starts.to(device, non_blocking=True)[:, None] + window]
        rate = recipe.rate(step)
        for group in optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
            loss = forward(batch[:, :-1], batch[:, 1:]).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        running += loss.detach()
        counted += 1
        if (step + 1) % every == 0 or step + 1 == recipe.steps:
            seen = (step + 1) * recipe.batch * context
            rows.append((step + 1, seen, running.item() / counted, rate))
            speed = seen / (time.monotonic() - began)
            loss_text = f"loss {rows[-1][2]:.4f}  lr {rate:.2e}"
            print(f"step {step + 1:6d}  {loss_text}  {speed / 1e6:.2f} M tokens/s", flush=True)
            running.zero_()
            counted = 0
    return rows


def write_log(path: Path, rows: list[tuple[int, int, float, float]]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["step", "tokens", "train_loss_nats", "learning_rate"])
        writer.writerows((step, seen, f"{loss:.4f}", f"{rate:.3e}") for step, seen, loss, rate in rows)


def command_train(arguments: argparse.Namespace) -> None:
    """Train from random initialisation; writes step000, step001pct, step010pct and final ``.safetensors`` (float32)
    and ``training_log.csv`` into ``--run``."""
    shape = Architecture()
    model = build_model(shape)
    initialise(model, shape, arguments.seed)
    recipe = Recipe(arguments.steps, arguments.peak, arguments.batch, warmup=max(1, arguments.steps // 50))
    run: Path = arguments.run
    run.mkdir(parents=True, exist_ok=True)
    names = {0: "step000", recipe.steps // 100: "step001pct", recipe.steps // 10: "step010pct", recipe.steps: "final"}
    snapshots = {step: run / f"{name}.safetensors" for step, name in names.items()}
    print(json.dumps({"parameters": sum(weight.numel() for weight in model.parameters()), **asdict(recipe)}))
    rows = optimise(model, read_tokens(arguments.work / "train.bin"), recipe, snapshots, arguments)
    write_log(run / "training_log.csv", rows)


def command_finetune(arguments: argparse.Namespace) -> None:
    """Go on from the exported bf16 weights (what a user of the model would have) on the C and C++ part; writes
    ``finetune.safetensors`` (float32) and ``finetune_log.csv`` into ``--run``."""
    model = load_model(arguments.init)
    recipe = Recipe(arguments.steps, arguments.peak, arguments.batch, warmup=max(1, arguments.steps // 20))
    run: Path = arguments.run
    snapshots = {recipe.steps: run / "finetune.safetensors"}
    print(json.dumps(asdict(recipe)))
    rows = optimise(model, read_tokens(arguments.work / "finetune.bin"), recipe, snapshots, arguments)
    write_log(run / "finetune_log.csv", rows)


# ------------------------------------------------------------------------------------------------ export and evaluate


def load_model(source: Path) -> torch.nn.Module:
    """The model with the weights of a safetensors file, or of a folder's ``model.safetensors``, widened to float32."""
    from safetensors.torch import load_file

    model = build_model(Architecture())
    weights = load_file(source / "model.safetensors" if source.is_dir() else source)
    model.load_state_dict({name: weight.float() for name, weight in weights.items()})
    return model


def command_export(arguments: argparse.Namespace) -> None:
    """Round the float32 weights to bf16 (nearest, ties to even) and write a Hugging Face model folder. With
    ``--work`` the tokenizer and the held-out text go along."""
    import torch
    from safetensors.torch import load_file, save_file

    shape = Architecture()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    weights = {name: weight.to(torch.bfloat16) for name, weight in load_file(arguments.weights).items()}
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    special = {"bos_token_id": 0, "eos_token_id": 0}
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        **asdict(shape),
        **special,
        "head_dim": shape.head_dim,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "use_cache": True,
    }
    write_json(out / "config.json", config)
    if arguments.work:
        write_json(out / "generation_config.json", {**special, "max_length": shape.max_position_embeddings})
        tokenizer = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": END_OF_TEXT,
            "eos_token": END_OF_TEXT,
            "model_max_length": shape.max_position_embeddings,
            "clean_up_tokenization_spaces": False,
        }
        write_json(out / "tokenizer_config.json", tokenizer)
        (out / "tokenizer.json").write_bytes((arguments.work / "tokenizer.json").read_bytes())
        for suffix in (".txt", ".bin", ".LICENSES.txt"):
            (out / f"val{suffix}").write_bytes((arguments.work / f"{arguments.held_out}{suffix}").read_bytes())


def write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")


def held_out_loss(model: torch.nn.Module, tokens: torch.Tensor, device: str) -> float:
    """Summed loss in nats of every token but the first, in windows of one context that do not overlap, float32."""
    import torch

    context = Architecture().max_position_embeddings
    model.to(device).eval()
    total = 0.0
    with torch.inference_mode():
        for start in range(0, tokens.numel() - 1, context):
            window = tokens[start : start + context + 1].to(device)[None, :]
            total += model(window[:, :-1], window[:, 1:]).double().sum().item()
    return total


def load_transformers(source: Path) -> torch.nn.Module:
    """The same folder through Hugging Face's own implementation, behind the same call signature."""
    import torch
    from transformers import LlamaForCausalLM

    class Wrapped(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = LlamaForCausalLM.from_pretrained(source, dtype=torch.float32)

        def forward(self, ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            logits = self.inner(ids).logits.transpose(1, 2)
            return torch.nn.functional.cross_entropy(logits, targets, reduction="none")

    return Wrapped()


def command_evaluate(arguments: argparse.Namespace) -> None:
    """Print nats per token and bits per byte of each given folder or safetensors file on ``--tokens``."""
    import torch

    # TF32 would keep ten bits of the mantissa of float32 products on recent GPUs.
    torch.backends.cuda.matmul.allow_tf32 = False
    tokens = read_tokens(arguments.tokens)
    text = arguments.tokens.with_suffix(".txt").read_text()
    text_bytes = len(text.replace(END_OF_TEXT, "").encode())
    for source in arguments.models:
        model = load_transformers(source) if arguments.transformers else load_model(source)
        total = held_out_loss(model, tokens, arguments.device)
        nats, bits = total / (tokens.numel() - 1), total / math.log(2) / text_bytes
        counts = f"{tokens.numel():,} tokens, {text_bytes:,} bytes"
        print(f"{source}: {nats:.5f} nats/token, {bits:.5f} bits/byte ({counts})")


# ------------------------------------------------------------------------------------------------------ command line


def parser() -> argparse.ArgumentParser:
    summary, details = (__doc__ or "").split("\n", 1)
    top = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, summary: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=summary, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        sub.set_defaults(run_command=run)
        return sub

    def training(sub: argparse.ArgumentParser, steps: int, peak: float) -> None:
        sub.add_argument("--work", type=Path, required=True, help="folder with the token files")
        sub.add_argument("--run", type=Path, required=True, help="folder for float32 weights and the log")
        sub.add_argument("--steps", type=int, default=steps, help="optimiser steps")
        sub.add_argument("--peak", type=float, default=peak, help="peak learning rate")
        sub.add_argument("--batch", type=int, default=256, help="windows of one context in a step")
        sub.add_argument("--seed", type=int, default=20, help="seed of initialisation and batches")
        sub.add_argument("--device", default="cuda", help="torch device")

    sub = command("corpus", command_corpus, "fetch the pinned packages and split their text")
    sub.add_argument("--work", type=Path, required=True, help="folder to build in")
    sub.add_argument("--downloads", type=Path, help="folder for the archives (default: WORK/downloads)")
    sub = command("tokenizer", command_tokenizer, "train the tokenizer and encode the corpus")
    sub.add_argument("--work", type=Path, required=True, help="folder that corpus wrote")
    sub.add_argument("--sample", type=int, default=16_000_000, help="bytes of text to learn merges from")
    training(command("train", command_train, "train from random initialisation"), steps=22_000, peak=2e-3)
    sub = command("finetune", command_finetune, "continue on the C and C++ part")
    training(sub, steps=660, peak=3e-4)
    sub.add_argument("--init", type=Path, required=True, help="model folder to start from")
    sub = command("export", command_export, "write a bf16 Hugging Face folder")
    sub.add_argument("--weights", type=Path, required=True, help="float32 safetensors file from train or finetune")
    sub.add_argument("--out", type=Path, required=True, help="model folder to write")
    sub.add_argument("--work", type=Path, help="also copy tokenizer and held-out text from this folder")
    sub.add_argument("--held-out", choices=list(HELD_OUT_BYTES), default="val", help="which held-out text to copy")
    sub = command("evaluate", command_evaluate, "held-out loss in float32 arithmetic")
    sub.add_argument("models", type=Path, nargs="+", help="model folders or safetensors files")
    sub.add_argument("--tokens", type=Path, required=True, help="token file; its text lies beside it as .txt")
    sub.add_argument("--device", default="cpu", help="torch device")
    sub.add_argument("--transformers", action="store_true", help="use transformers' implementation instead of ours")
    return top


def main() -> None:
    arguments = parser().parse_args()
    arguments.run_command(arguments)


if __name__ == "__main__":
    main()

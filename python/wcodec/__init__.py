"""Lossless compression of neural-network weights, and experiments on what helps it.

    record, stats = wcodec.Encoder().encode_layer(array)
    array, stats = wcodec.Decoder().decode_layer(record, *array.shape)

    stats = wcodec.encode_checkpoint("model.safetensors", "model.wcodec")
    with wcodec.open("model.wcodec") as model:
        rows = model.get_slice("model.embed_tokens.weight")[10:20]

    frame = wcodec.run("experiment.yaml").summary

Every failure is a WcodecError with kind, file, layer and offset. wcodec.torch needs PyTorch and is imported by itself.
"""

from wcodec._checkpoints import (
    LayerComparison,
    Verification,
    decode_checkpoint,
    encode_checkpoint,
    verify_checkpoint,
)
from wcodec._core import __version__, is_container
from wcodec._devices import devices, why_no_gpu
from wcodec._errors import WcodecError
from wcodec._experiments import Run, command, run
from wcodec._layers import Decoder, Encoder
from wcodec._progressive import (
    Planes,
    decode_progressive,
    decode_progressive_checkpoint,
    encode_progressive,
    encode_progressive_checkpoint,
)
from wcodec._reader import Slice, open
from wcodec._save import save_file
from wcodec._stats import Stats
from wcodec._trial import trial

__all__ = [
    "Decoder",
    "Encoder",
    "LayerComparison",
    "Planes",
    "Run",
    "Slice",
    "Stats",
    "Verification",
    "WcodecError",
    "__version__",
    "command",
    "decode_checkpoint",
    "decode_progressive",
    "decode_progressive_checkpoint",
    "devices",
    "encode_checkpoint",
    "encode_progressive",
    "encode_progressive_checkpoint",
    "is_container",
    "open",
    "run",
    "save_file",
    "trial",
    "verify_checkpoint",
    "why_no_gpu",
]

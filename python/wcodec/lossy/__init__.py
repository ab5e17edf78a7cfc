"""Lossy compression of language models: words on uniform grids whose steps follow what each weight is worth.

    from wcodec import lossy

    model = lossy.Model("checkpoint/")                                # transformers, with PyTorch
    tokens = lossy.sample_tokens(model, windows=512)                  # or lossy.read_tokens(model, ["notes.txt"])
    calibration = lossy.calibrate(model, tokens)
    quantized = lossy.quantize(model, calibration, scale=1e-4)
    quantized = lossy.tune(model, quantized, tokens)                  # optional: words learn from the original
    lossy.save(model, quantized, "model.wcodec")                      # real bytes
    lossy.restore("model.wcodec", "restored.safetensors")             # bf16 under the original names

The command is `python -m wcodec.lossy`; docs/lossy.md explains the method and has results. Needs the packages torch and
transformers (pip install wcodec[lossy]); restoring needs neither.
"""

from wcodec.lossy._files import restore, save
from wcodec.lossy._grid import QuantizedModel, QuantizedTensor
from wcodec.lossy._restore import dequantize

__all__ = [
    "Calibration",
    "Model",
    "QuantizedModel",
    "QuantizedTensor",
    "calibrate",
    "dequantize",
    "evaluate",
    "quantize",
    "read_tokens",
    "restore",
    "sample_tokens",
    "save",
    "tune",
]

# What needs PyTorch is imported when it is asked for.
_LAZY = {
    "Calibration": "_calibrate",
    "Model": "_model",
    "calibrate": "_calibrate",
    "evaluate": "_evaluate",
    "quantize": "_quantize",
    "read_tokens": "_tokens",
    "sample_tokens": "_tokens",
    "tune": "_tune",
}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(f"wcodec.lossy.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'wcodec.lossy' has no attribute '{name}'")

"""What can decode: the CPU, and GPUs where there are some."""

from __future__ import annotations

from typing import Any

from wcodec import _core
from wcodec._errors import WcodecError


def devices() -> list[dict[str, Any]]:
    """GPUs that this process can see: device ("cuda:0"), name, memory_bytes, compute_capability, multiprocessors,
    usable, and where it is not, the reason. Empty where there is none: why_no_gpu() says why."""
    return _core.devices()[0]


def why_no_gpu() -> str:
    """A sentence: no driver, too old a driver, a build without GPU decoders. Empty where there is a GPU."""
    return _core.devices()[1]


def choose_device(device: str) -> str:
    """The device that a user means, as cpu or cuda:N: auto is the first GPU that can be used, or the CPU. A GPU that is
    not there or cannot be used is a WcodecError."""
    name = str(device)
    if name == "cpu":
        return name
    gpus, why = _core.devices()
    if name == "auto":
        return next((gpu["device"] for gpu in gpus if gpu["usable"]), "cpu")
    if name == "cuda":
        name = "cuda:0"
    prefix, _, number = name.partition(":")
    if prefix != "cuda" or not number.isdecimal():
        raise WcodecError(f"device '{device}' is none of cpu, cuda:N, auto", "usage")
    found = next((gpu for gpu in gpus if gpu["device"] == f"cuda:{int(number)}"), None)
    if found is None:
        raise WcodecError(f"device {name} cannot decode: {why or f'there are {len(gpus)} GPUs'}", "unsupported")
    if not found["usable"]:
        raise WcodecError(f"device {name} cannot decode: {found['name']}: {found['reason']}", "unsupported")
    return found["device"]

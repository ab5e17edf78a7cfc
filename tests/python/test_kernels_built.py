"""The build compiles every kernel; in continuous integration for every architecture that is released."""

import json
import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def released() -> list[str]:
    text = (ROOT / "cmake" / "cuda.cmake").read_text(encoding="utf-8")
    return re.findall(r"(\d+)-real", re.search(r"set\(WCODEC_CUDA_ARCHITECTURES (.*?) CACHE", text)[1])


def test_every_kernel_is_compiled(build_dir):
    commands = json.loads((build_dir / "compile_commands.json").read_text(encoding="utf-8"))
    compiled = {entry["file"]: entry["command"] for entry in commands if entry["file"].endswith(".cu")}
    if not compiled and not os.environ.get("CI"):
        pytest.skip("no nvcc: the GPU kernels are not compiled here")
    kernels = [
        path for folder in ROOT.iterdir() if not folder.name.startswith((".", "build")) for path in folder.rglob("*.cu")
    ]
    assert kernels
    for kernel in kernels:
        command = compiled.get(str(kernel), "")
        wanted = released() if os.environ.get("CI") else ["\\d+"]
        assert all(re.search(rf"code=\[?sm_{number}\b", command) for number in wanted), f"{kernel}: {command}"


def test_four_architectures_are_released():
    assert released() == ["80", "90", "100", "120"]

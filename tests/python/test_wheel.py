"""`pip install .`: the package, its stubs and the command, in a place of their own."""

import importlib.metadata
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

USES_IT = """
import numpy as np, subprocess, sys, wcodec
assert wcodec.__file__.startswith(sys.argv[1]), wcodec.__file__
array = np.arange(600, dtype=np.float32).reshape(20, 30)
record, _ = wcodec.Encoder().encode_layer(array)
assert np.array_equal(wcodec.Decoder().decode_layer(record, 20, 30)[0], array)
assert wcodec.command().startswith(sys.argv[1]), wcodec.command()
print(wcodec.__version__, subprocess.run([wcodec.command(), "--version"], capture_output=True, text=True).stdout)
"""


def versions(source_dir: Path) -> set[str]:
    cmake = re.search(r"VERSION (\d[\d.]*)", (source_dir / "CMakeLists.txt").read_text().split("project(")[1])
    project = re.search(r'^version = "(.*)"', (source_dir / "pyproject.toml").read_text(), re.MULTILINE)
    header = ".".join(re.findall(r"#define WCODEC_VERSION_\w+ (\d+)", (source_dir / "api/wcodec.h").read_text()))
    return {cmake[1], project[1], header}


def test_one_version_everywhere(source_dir):
    assert len(versions(source_dir)) == 1


def test_pinned_build_requirements_agree(source_dir):
    """What builds the wheel is what the tests build with."""
    pinned = (source_dir / "requirements.txt").read_text()
    (line,) = re.findall(r"^requires = \[(.*)\]", (source_dir / "pyproject.toml").read_text(), re.MULTILINE)
    for requirement in re.findall(r'"([^"]+)"', line):
        assert re.search(rf"^{re.escape(requirement)}\b", pinned, re.MULTILINE), requirement
        name, version = requirement.split("==")
        assert importlib.metadata.version(name) == version


@pytest.mark.slow
def test_pip_install(source_dir, build_dir, tmp_path):
    # As the ordinary build compiles, so that its compiler cache serves.
    cache = (build_dir / "CMakeCache.txt").read_text()
    compilers = {
        variable: re.search(rf"^CMAKE_{language}_COMPILER:\w+=(.*)", cache, re.MULTILINE)[1]
        for variable, language in (("CC", "C"), ("CXX", "CXX"))
    }
    environment = os.environ | compilers | {"SKBUILD_CMAKE_DEFINE": "WCODEC_WERROR=ON"}
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    flags = ["--no-deps", "--no-build-isolation", "--no-index"]
    made = subprocess.run(
        [*pip, "wheel", *flags, "--wheel-dir", tmp_path, source_dir],
        env=environment, capture_output=True, text=True, timeout=1500, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout[-3000:] + made.stderr[-3000:]
    (wheel,) = tmp_path.glob("wcodec-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"wcodec/__init__.py", "wcodec/_core.pyi", "wcodec/py.typed", "wcodec_report/__main__.py"} <= names
    assert any(name.endswith(".data/scripts/wcodec") for name in names)
    assert not [name for name in names if name.endswith((".cpp", ".hpp", ".a", "CMakeLists.txt"))]

    target = tmp_path / "target"
    subprocess.run([*pip, "install", *flags, "-q", "--target", target, wheel], check=True, timeout=300)
    libraries = str(Path(importlib.metadata.distribution("numpy").locate_file("")))
    out = subprocess.run(
        [sys.executable, "-c", USES_IT, str(target)], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(target), libraries])}, check=False,
    )  # fmt: skip
    assert out.returncode == 0, out.stderr
    assert out.stdout.split()[0] in versions(source_dir)

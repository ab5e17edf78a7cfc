"""What every Python test can ask for: the source tree, the build directory and the wcodec command."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The package wcodec is where its compiled part is; wcodec_report has none.
sys.path[:0] = [str(Path(os.environ.get("WCODEC_BUILD_DIR", ROOT / "build")) / "python"), str(ROOT / "python")]


@pytest.fixture(scope="session")
def source_dir() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def build_dir() -> Path:
    return Path(os.environ.get("WCODEC_BUILD_DIR", ROOT / "build"))


@pytest.fixture(scope="session")
def wcodec(build_dir: Path) -> Path:
    """The command, built; a test that asks for it fails without it."""
    path = build_dir / "wcodec"
    assert path.exists(), f"{path} is not built: cmake --build --preset release"
    return path

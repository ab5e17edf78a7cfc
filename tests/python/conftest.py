"""What every Python test can ask for: the source tree, the build directory and the wcodec command."""

import os
import subprocess
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


@pytest.fixture(scope="session")
def command(build_dir: Path) -> Path:
    """The command, built here or named in WCODEC_BIN, for tests that compare it with the oracle."""
    path = Path(os.environ.get("WCODEC_BIN", build_dir / "wcodec"))
    if not path.exists():
        missing = f"{path} is not there: build it, or name another in WCODEC_BIN"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return path


@pytest.fixture
def call(wcodec: Path, tmp_path: Path):
    """Runs the command in an empty folder; the answer has returncode, stdout and stderr."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [wcodec, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=300,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            env=os.environ | environment,
            check=False,
        )

    return run

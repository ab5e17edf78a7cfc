"""What README.md and examples/ show is what happens."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXPERIMENT = """\
experiment: mine
question: Does the weight above say anything?
checkpoints: [{name: made, path: "synthetic:gaussian:rows=64,cols=96,seed=3"}]
controls: [original]
axes:
  quantizer: [int8]
  tile: [16x16]
  modes: [[none], [none, above]]
  coder: ["rans:tables=tensor"]
compare: {factor: modes, against: [none]}
"""


@pytest.fixture
def call(wcodec: Path, source_dir: Path, tmp_path: Path):
    """Runs a program in a folder with the reference model in it."""
    shutil.copy(source_dir / "checkpoints/wcodec-ref-2m/model.safetensors", tmp_path)
    (tmp_path / "mine.yaml").write_text(EXPERIMENT)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "WCODEC_COMMAND": str(wcodec)}

    def run(*words: object, **more: str) -> str:
        done = subprocess.run(
            [str(word) for word in words], cwd=tmp_path, env=environment | more, capture_output=True, text=True,
            timeout=240, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_readme(call, source_dir, tmp_path):
    (code,) = re.findall(r"^```python\n(.*?)^```$", (source_dir / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    checks = """
assert np.array_equal(same, weights) and len(record) < weights.nbytes
assert rows.shape[0] == 10
assert set(frame["modes"]) == {"none", "none+above"}
"""
    call(sys.executable, "-c", code + checks)
    assert (tmp_path / "copy.safetensors").read_bytes() == (tmp_path / "model.safetensors").read_bytes()


def test_python_examples(call, source_dir):
    assert "the same again" in call(sys.executable, source_dir / "examples/python/compress.py", "model.safetensors")
    assert "none+four-up" in call(sys.executable, source_dir / "examples/python/trial.py")


def test_c_examples(call, build_dir, source_dir, tmp_path):
    flags = [f"-I{source_dir}/api", f"-L{build_dir}/api", "-lwcodec", "-lm"]
    warnings = ["-Wall", "-Wextra", "-Werror"]
    call("cc", *warnings, source_dir / "examples/c/encode_layer.c", "-o", "encode_layer", *flags)
    call("c++", "-std=c++20", *warnings, source_dir / "examples/c/read_rows.cpp", "-o", "read_rows", *flags)
    libraries = {"LD_LIBRARY_PATH": f"{build_dir}/api"}
    assert "the same again" in call(tmp_path / "encode_layer", **libraries)
    script = "import wcodec; wcodec.encode_checkpoint('model.safetensors', 'model.wcodec', preset='speed')"
    call(sys.executable, "-c", script)
    said = call(tmp_path / "read_rows", "model.wcodec", "model.embed_tokens.weight", 10, 4, **libraries)
    assert "rows 10 to 14" in said


def test_gpu_example(call, build_dir, source_dir, tmp_path):
    cuda = Path(os.environ.get("CUDA_HOME", "/usr/local/cuda"))
    if not (cuda / "include" / "cuda_runtime_api.h").exists():
        pytest.skip("no CUDA toolkit: the GPU example is not compiled here")
    flags = [f"-I{source_dir}/api", f"-I{cuda}/include", f"-L{build_dir}/api", "-lwcodec", f"-L{cuda}/lib64"]
    runtime = ["-lcudart_static", "-ldl", "-lrt", "-lpthread", "-lstdc++"]
    source = source_dir / "examples/c/decode_on_gpu.c"
    call("cc", "-Wall", "-Wextra", "-Werror", source, "-o", "decode_on_gpu", *flags, *runtime)
    said = call(tmp_path / "decode_on_gpu", LD_LIBRARY_PATH=f"{build_dir}/api")
    assert "bit for bit" in said or said.startswith("no GPU: ")

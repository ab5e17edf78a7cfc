"""Results measured on a GPU belong to the kernels of this tree: tools/kernels_hash.py."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load_script():
    spec = importlib.util.spec_from_file_location("kernels_hash", ROOT / "tools" / "kernels_hash.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = load_script()


def stale(results: Path, current: str, pattern: str = "gpu*/**/*.json") -> list[str]:
    """What is wrong with the results below a folder: every JSON file of results/gpu* says which kernels it is of, and
    these are the current ones."""
    wrong = []
    for path in sorted(results.glob(pattern)):
        found = json.loads(path.read_text(encoding="utf-8"))
        kernels = found.get("kernels") if isinstance(found, dict) else None
        if kernels is None:
            wrong.append(f"{path.relative_to(results)} does not say of which kernels it is")
        elif kernels != current:
            wrong.append(
                f"{path.relative_to(results)} is of kernels {kernels}, not {current}: measure again (docs/gpu.md)"
            )
    return wrong


def test_committed_results_are_of_these_kernels():
    assert stale(ROOT / "results", script.kernels_hash()) == []


def test_committed_results_of_products_are_of_these_kernels():
    products = script.kernels_hash(only="products")
    assert products != script.kernels_hash()
    assert stale(ROOT / "results", products, "products/**/*.json") == []


def test_the_kernels_of_a_folder_are_covered_alone():
    names = {path.as_posix() for path in script.covered(ROOT, "products")}
    assert {"products/product_bf16.cu", "products/product_kernel.cuh", "products/palette_tile.hpp"} <= names
    assert not any(name.startswith("entropy/lane") for name in names)


def test_the_kernels_and_their_headers_are_covered():
    names = {path.as_posix() for path in script.covered(ROOT)}
    assert {"codec/gpu_decode.cu", "entropy/lane_decode.cuh", "entropy/gpu_stream.hpp"} <= names
    assert not any(name.startswith(("tests/", "bench/")) for name in names)


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "codec").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "codec" / "a.cu").write_text('#include "codec/b.hpp"\nint a = 1;  // one\n')
    (tmp_path / "codec" / "b.hpp").write_text('#include "codec/c.hpp"\nint b;\n')
    (tmp_path / "codec" / "c.hpp").write_text('const char* c = "// text";\n')
    (tmp_path / "codec" / "other.hpp").write_text("int other;\n")
    (tmp_path / "tests" / "t.cu").write_text("int t;\n")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "text", "changes"),
    [
        ("codec/a.cu", '#include "codec/b.hpp"\n/* said otherwise */ int a =\n    1;\n', False),
        ("codec/a.cu", '#include "codec/b.hpp"\nint a = 2;\n', True),
        ("codec/b.hpp", '#include "codec/c.hpp"\nlong b;\n', True),
        ("codec/c.hpp", 'const char* c = "// other text";\n', True),
        ("codec/other.hpp", "long other;\n", False),
        ("codec/new.cuh", "int made;\n", True),
        ("tests/t.cu", "long t;\n", False),
    ],
)
def test_what_changes_the_hash(tree, path, text, changes):
    before = script.kernels_hash(tree)
    (tree / path).write_text(text)
    assert (script.kernels_hash(tree) != before) is changes


def test_stale_results_are_found(tmp_path):
    folder = tmp_path / "gpu" / "h200"
    folder.mkdir(parents=True)
    (folder / "now.json").write_text('{"kernels": "abc"}')
    (folder / "old.json").write_text('{"kernels": "abd"}')
    (folder / "silent.json").write_text("[]")
    wrong = stale(tmp_path, "abc")
    assert [message.split()[0] for message in wrong] == ["gpu/h200/old.json", "gpu/h200/silent.json"]


def test_the_header_is_written_once(tmp_path, monkeypatch, capsys):
    header = tmp_path / "generated" / "kernels_hash.hpp"
    monkeypatch.setattr("sys.argv", ["kernels_hash.py", "--header", str(header)])
    assert script.main() == 0
    assert script.kernels_hash() in header.read_text()
    written = header.stat().st_mtime_ns
    assert script.main() == 0
    assert header.stat().st_mtime_ns == written

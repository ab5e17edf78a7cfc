"""Whole checkpoints through the Python package, and wcodec.open beside safetensors.safe_open."""

import importlib
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import wcodec
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file


@pytest.fixture(scope="module")
def model(source_dir: Path) -> Path:
    return source_dir / "checkpoints/wcodec-ref-2m/model.safetensors"


@pytest.fixture(scope="module")
def container(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("container") / "model.wcodec"
    wcodec.encode_checkpoint(model, path, preset="speed", model_name="reference", verify=False)
    return path


def test_comes_back_byte_for_byte(model, container, tmp_path):
    calls = []
    stats = wcodec.decode_checkpoint(container, tmp_path / "back", progress=lambda *call: calls.append(call))
    assert (tmp_path / "back").read_bytes() == model.read_bytes()
    assert stats.source_bytes == model.stat().st_size
    assert stats.encoded_bytes == container.stat().st_size == sum(stats.ledger.values())
    assert stats["compression_ratio"] == stats.source_bytes / stats.encoded_bytes > 1.3
    with safe_open(model, "np") as file:
        assert stats.num_layers == len(file.keys())
    assert [done for done, _, _ in calls] == sorted(done for done, _, _ in calls)
    assert calls[-1][0] == calls[-1][1]


def test_options_reach_the_encoder(tmp_path, capfd):
    save_file({"w": np.random.default_rng(1).integers(-20, 20, (64, 96), np.int8)}, tmp_path / "m.safetensors")
    stats = wcodec.encode_checkpoint(
        tmp_path / "m.safetensors", tmp_path / "m.wcodec", tile_size=(8, 32), modes=["none", "left"], coder="raw",
        model_name="mine", threads=1, verbose=True,
    )  # fmt: skip
    said = capfd.readouterr().err
    assert "w\n" in said
    assert f"{stats.source_bytes} bytes as {stats.encoded_bytes}" in said
    with wcodec.open(tmp_path / "m.wcodec") as file:
        assert file.model_name == "mine"
        details = file.layer_stats("w")
        assert file.stats().encoded_bytes == stats.encoded_bytes
    assert details["stages"].startswith("8x32 none+left raw")
    assert details["source_bytes"] == 64 * 96


def test_open_is_safe_open(model, container):
    with safe_open(model, "np") as expected, wcodec.open(container, framework="np") as found:
        assert sorted(found.keys()) == sorted(expected.keys())
        assert found.metadata() == expected.metadata()
        for name in expected.keys():  # noqa: SIM118 (a method, no dict)
            array, rows = found.get_tensor(name), found.get_slice(name)
            reference, reference_rows = expected.get_tensor(name), expected.get_slice(name)
            assert array.dtype == reference.dtype
            assert array.tobytes() == reference.tobytes()
            assert list(rows.get_shape()) == list(reference_rows.get_shape())
            assert rows.get_dtype() == reference_rows.get_dtype()
            half = array.shape[0] // 2
            for key in (slice(None), slice(1, half), slice(half, None), slice(0, 0)):
                assert rows[key].tobytes() == reference_rows[key].tobytes(), (name, key)
            if array.ndim == 2:
                assert rows[3:9, 2:5].tobytes() == reference_rows[3:9, 2:5].tobytes()
        with pytest.raises(wcodec.WcodecError) as caught:
            found.get_tensor("lm_hed")
        assert (caught.value.kind, caught.value.layer, caught.value.file) == ("not found", "lm_hed", str(container))
    with pytest.raises(wcodec.WcodecError, match="closed"):
        found.get_tensor(name)


KEYS = [
    0, -1, 5, np.int64(3), slice(None), slice(2, 7), slice(7, 2), slice(None, None, 3), slice(None, None, -1),
    slice(9, 1, -2), slice(-4, None), slice(100, 200), ..., (2, 3), (slice(1, 4), 2), (slice(3, 8, 2), slice(1, 3)),
    (..., 1), [1, 4], (), None,
]  # fmt: skip


@pytest.mark.parametrize("shape", [(12, 7), (12, 3, 5), (12,), (1, 9), (0, 4), (4, 0), ()])
def test_slices_are_numpys(shape, tmp_path):
    array = np.arange(np.prod(shape, dtype=int), dtype=np.int16).reshape(shape)
    wcodec.save_file({"w": array}, tmp_path / "w.wcodec")
    with wcodec.open(tmp_path / "w.wcodec") as file:
        rows = file.get_slice("w")
        for key in KEYS:
            try:
                expected = array[key]
            except IndexError:
                with pytest.raises(IndexError):
                    rows[key]
            else:
                assert np.array_equal(rows[key], expected), key
                assert rows[key].shape == expected.shape, key


def test_every_type_is_saved_and_read(tmp_path):
    types_ = [np.bool_, np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.uint64, np.int64, np.float16]
    types_ += [np.float32, np.float64, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2]
    tensors = {np.dtype(t).name: np.random.default_rng(2).integers(0, 2, (9, 5)).astype(t) for t in types_}
    stats = wcodec.save_file(tensors, tmp_path / "all.wcodec", {"made": "here"})
    assert stats.num_layers == len(types_)
    assert [path.name for path in tmp_path.iterdir()] == ["all.wcodec"]
    with wcodec.open(tmp_path / "all.wcodec") as file:
        assert file.metadata() == {"made": "here"}
        for name, array in tensors.items():
            back = file.get_tensor(name)
            assert back.dtype == array.dtype
            assert np.array_equal(back.view(np.uint8), array.view(np.uint8))
    wcodec.decode_checkpoint(tmp_path / "all.wcodec", tmp_path / "all.safetensors")
    with safe_open(tmp_path / "all.safetensors", "np") as file:
        assert file.metadata() == {"made": "here"}
        assert np.array_equal(file.get_tensor("float32"), tensors["float32"])


def test_verify(model, container, tmp_path):
    assert wcodec.verify_checkpoint(model, container)
    array = np.arange(40, dtype=np.float32).reshape(5, 8)
    wcodec.save_file({"a": array, "b": array}, tmp_path / "1.wcodec")
    wcodec.save_file({"a": array, "b": array + np.eye(5, 8, dtype=np.float32), "c": array}, tmp_path / "2.wcodec")
    found = wcodec.verify_checkpoint(tmp_path / "1.wcodec", tmp_path / "2.wcodec")
    assert not found
    assert [(layer.name, layer.equal, layer.different) for layer in found.layers][:2] == [
        ("a", True, 0), ("b", False, 5),
    ]  # fmt: skip
    assert found.layers[1].max_difference == 1
    assert "only in B" in found.layers[2].problem
    wcodec.save_file({"a": array, "b": array + 0.25}, tmp_path / "3.wcodec")
    assert wcodec.verify_checkpoint(tmp_path / "1.wcodec", tmp_path / "3.wcodec", atol=0.25)
    assert not wcodec.verify_checkpoint(tmp_path / "1.wcodec", tmp_path / "3.wcodec", atol=0.2)


def error_of(function, *arguments, **options) -> wcodec.WcodecError:
    with pytest.raises(wcodec.WcodecError) as caught:
        function(*arguments, **options)
    return caught.value


def test_errors_say_where(container, tmp_path):
    gone = error_of(wcodec.encode_checkpoint, tmp_path / "absent.safetensors", tmp_path / "x.wcodec")
    assert (gone.kind, gone.file) == ("not found", str(tmp_path / "absent.safetensors"))
    assert error_of(wcodec.open, tmp_path / "absent.wcodec").kind == "not found"
    assert error_of(wcodec.encode_checkpoint, container, container).kind in ("usage", "corrupt", "truncated")
    assert error_of(wcodec.decode_checkpoint, container, tmp_path / "x", device="cuda:99").kind == "unsupported"
    assert error_of(wcodec.decode_checkpoint, container, tmp_path / "x", max_output_bytes=99).kind == "limit"
    assert error_of(wcodec.open, container, framework="tf").kind == "usage"

    bytes_ = bytearray(container.read_bytes())
    bytes_[len(bytes_) // 2] ^= 16
    damaged = tmp_path / "damaged.wcodec"
    damaged.write_bytes(bytes_)
    with wcodec.open(damaged) as file:
        errors = []
        for name in file.keys():  # noqa: SIM118 (a method, no dict)
            try:
                file.get_tensor(name)
            except wcodec.WcodecError as error:
                errors.append((name, error))
    assert len(errors) == 1
    name, error = errors[0]
    assert (error.kind, error.file, error.layer) == ("corrupt", str(damaged), name)
    assert 0 < error.offset <= len(bytes_) // 2
    assert name in str(error)
    assert error_of(wcodec.decode_checkpoint, damaged, tmp_path / "out").layer == name
    assert not (tmp_path / "out").exists()
    for size in (0, 7, 100, len(bytes_) - 1):
        damaged.write_bytes(container.read_bytes()[:size])
        assert error_of(wcodec.open, damaged).kind in ("truncated", "corrupt")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, np.ndarray, Path]:
    folder = tmp_path_factory.mktemp("small")
    array = np.random.default_rng(5).integers(-30, 30, (40, 25), np.int8)
    wcodec.save_file({"w": array}, folder / "w.wcodec")
    return (folder / "w.wcodec").read_bytes(), array, folder / "damaged.wcodec"


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 255))
def test_no_damage_goes_unnoticed(small, where, flip):
    good, _, path = small
    bad = bytearray(good)
    bad[where % len(bad)] ^= flip
    path.write_bytes(bad)
    with pytest.raises(wcodec.WcodecError):
        wcodec.decode_checkpoint(path, path.with_name("out"))
    assert not path.with_name("out").exists()


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_are_no_container(small, noise, headed):
    good, _, path = small
    path.write_bytes((good[:6] if headed else b"") + noise)
    with pytest.raises(wcodec.WcodecError):
        wcodec.open(path)


def test_progress_stops_and_raises(model, tmp_path):
    target = tmp_path / "x.wcodec"
    assert error_of(wcodec.encode_checkpoint, model, target, progress=lambda *_: False).kind == "cancelled"

    def fail(*_) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        wcodec.encode_checkpoint(model, target, progress=fail)
    assert list(tmp_path.iterdir()) == []


def test_readers_are_shared(model, container):
    with safe_open(model, "np") as file:
        expected = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (a method, no dict)
    with wcodec.open(container) as file, ThreadPoolExecutor(8) as pool:
        read = pool.map(lambda name: (name, file.get_tensor(name)), list(expected) * 3)
        assert all(expected[name].tobytes() == array.tobytes() for name, array in read)


# --- torch ----------------------------------------------------------------------------------------------------


class FakeTensor:
    """As much of a torch tensor as wcodec.torch uses, over NumPy."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.dtype, self.shape = array, f"torch.{array.dtype.name}", array.shape

    def view(self, dtype: np.dtype) -> "FakeTensor":
        return FakeTensor(self.array.view(dtype))

    def reshape(self, shape: int | tuple[int, ...]) -> "FakeTensor":
        return FakeTensor(self.array.reshape(shape))

    def detach(self) -> "FakeTensor":
        return self

    cpu = contiguous = detach

    def to(self, device: str) -> tuple[str, "FakeTensor"]:
        return device, self

    def numpy(self) -> np.ndarray:
        if self.array.dtype.kind == "V":
            raise TypeError("unsupported ScalarType")
        return self.array


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch):
    """The real one where it is installed."""
    monkeypatch.delitem(sys.modules, "wcodec.torch", raising=False)
    try:
        return importlib.import_module("torch")
    except ImportError:
        names = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "complex64")
        fake = types.ModuleType("torch")
        for name in names:
            setattr(fake, name, np.dtype(name))
        fake.bfloat16 = np.dtype(ml_dtypes.bfloat16)
        fake.from_numpy = FakeTensor
        monkeypatch.setitem(sys.modules, "torch", fake)
        return fake


def bits_of(tensor, torch) -> bytes:
    return tensor.reshape(-1).view(torch.uint8).numpy().tobytes()


def test_torch_state_dict(torch, model, container, tmp_path):
    helper = importlib.import_module("wcodec.torch")
    state = helper.load_state_dict(container)
    with safe_open(model, "np") as file:
        assert sorted(state) == sorted(file.keys())
        for name, tensor in state.items():
            assert bits_of(tensor, torch) == file.get_tensor(name).tobytes()
    helper.save_file(state, tmp_path / "again.wcodec", {"format": "pt"}, preset="speed", verify=False)
    assert wcodec.verify_checkpoint(tmp_path / "again.wcodec", container)
    with wcodec.open(container, framework="pt") as file:
        name = file.keys()[0]
        assert type(file.get_slice(name)[:1]) is type(state[name])
    if isinstance(state[name], FakeTensor):
        assert helper.load_state_dict(container, device="other:0")[name][0] == "other:0"


def test_torch_types(torch, tmp_path):
    helper = importlib.import_module("wcodec.torch")
    tensors = {
        "plain": helper.to_torch(np.arange(6, dtype=np.int16).reshape(2, 3)[::-1], "I16"),
        "brain": helper.to_torch(np.arange(6, dtype=np.uint16).reshape(3, 2), "BF16"),
        "scalar": helper.to_torch(np.array(2.5, np.float32), "F32"),
        "empty": helper.to_torch(np.zeros((0, 4), np.uint16), "BF16"),
        "narrow": helper.to_torch(np.array([[-3, 4]], np.int8), "I4"),
    }
    assert str(tensors["brain"].dtype) == "torch.bfloat16"
    assert str(tensors["narrow"].dtype) == "torch.int8"
    helper.save_file(tensors, tmp_path / "t.wcodec")
    back = helper.load_state_dict(tmp_path / "t.wcodec")
    for name, tensor in tensors.items():
        assert back[name].dtype == tensor.dtype
        assert tuple(back[name].shape) == tuple(tensor.shape)
        assert bits_of(back[name], torch) == bits_of(tensor, torch)


def test_torch_is_optional(monkeypatch, container):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "wcodec.torch", raising=False)
    with pytest.raises(ImportError, match="pip install torch"):
        importlib.import_module("wcodec.torch")
    with pytest.raises(ImportError, match="pip install torch"):
        wcodec.open(container, framework="pt")


def test_any_beginning_of_a_progressive_file(tmp_path):
    random = np.random.default_rng(2)
    tensors = {
        "w": random.normal(0, 0.05, (40, 30)).astype(np.float32),
        "brain": random.normal(0, 0.05, (20, 30)).astype(ml_dtypes.bfloat16),
        "codes": random.integers(-90, 90, (16, 30)).astype(np.int8),
        "norm": np.ones(30, np.float16),
    }
    source, coded, out = (tmp_path / name for name in ("m.safetensors", "m.wcp", "out.safetensors"))
    save_file(tensors, source)
    calls = []
    stats = wcodec.encode_progressive_checkpoint(source, coded, progress=lambda *call: calls.append(call))
    assert stats.encoded_bytes == coded.stat().st_size == sum(stats.ledger.values())
    assert calls[-1][0] == calls[-1][1] == sum(tensor.nbytes for tensor in tensors.values())
    for planes in (0, 1, 9, 12, 16, None):
        layers = wcodec.decode_progressive_checkpoint(coded, out, planes, overwrite=True)
        assert set(layers) == set(tensors)
        with safe_open(out, "np") as file:
            for name, tensor in tensors.items():
                off = np.abs(file.get_tensor(name).astype(float) - tensor.astype(float)).max()
                assert off <= layers[name].value_bound, (name, planes)
        assert layers["norm"].all_planes == layers["norm"].bound == 0
    assert all(layer.bound == layer.value_bound == 0 for layer in layers.values())
    (tmp_path / "cut.wcp").write_bytes(coded.read_bytes()[: stats.encoded_bytes // 2])
    cut = wcodec.decode_progressive_checkpoint(tmp_path / "cut.wcp", out, overwrite=True)
    assert 0 < cut["w"].planes < cut["w"].all_planes
    with pytest.raises(wcodec.WcodecError) as error:
        wcodec.decode_progressive_checkpoint(source, tmp_path / "x")
    assert error.value.kind == "corrupt"
    with pytest.raises(wcodec.WcodecError) as error:
        wcodec.encode_progressive_checkpoint(source, coded)
    assert "exists" in str(error.value)
    assert not (tmp_path / "x").exists()

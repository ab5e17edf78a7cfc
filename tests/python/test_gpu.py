"""The Python package on a GPU: tensors decoded in its memory, and what is said where there is none."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import wcodec
from safetensors import safe_open

# --- with or without a GPU ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(source_dir: Path) -> Path:
    return source_dir / "checkpoints/wcodec-ref-2m/model.safetensors"


@pytest.fixture(scope="module")
def container(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("container") / "model.wcodec"
    wcodec.encode_checkpoint(model, path, preset="speed", verify=False)
    return path


def call(wcodec_command: Path, *words: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(wcodec_command), *map(str, words)], capture_output=True, text=True, timeout=240, check=False
    )


def test_the_command_lists_gpus_or_says_why_not(request):
    command = request.getfixturevalue("wcodec")
    done = call(command, "devices", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [gpu["device"] for gpu in found["gpus"]] == [gpu["device"] for gpu in wcodec.devices()]
    assert found.get("reason", "") == wcodec.why_no_gpu()
    assert bool(found["gpus"]) != bool(wcodec.why_no_gpu())
    assert (found.get("reason") or found["gpus"][0]["name"]) in call(command, "devices").stdout


def test_no_driver_is_needed_to_load(build_dir):
    """CUDA's runtime is inside, and nobody else in the process sees it or stands in for it."""
    (module,) = (build_dir / "python" / "wcodec").glob("_core.*.so")
    for binary in (build_dir / "wcodec", build_dir / "api" / "libwcodec.so", module):
        needed = subprocess.run(["readelf", "-d", binary], capture_output=True, text=True, check=True).stdout
        assert "libcuda" not in needed, binary
    for library in (build_dir / "api" / "libwcodec.so", module):
        shown = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True)
        assert " cuda" not in shown.stdout, library


def test_auto_decodes_everywhere(request, model, container, tmp_path):
    command = request.getfixturevalue("wcodec")
    done = call(command, "decode", container, tmp_path / "back", "--device", "auto", "--json")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "back").read_bytes() == model.read_bytes()
    said = json.loads(done.stdout)
    assert said["gpu_records"] + said["cpu_records"] == said["parts"]
    if wcodec.devices():
        assert said["device"] == "cuda:0"
        assert said["gpu_records"] > 0
    else:
        assert said["device"] == "cpu"
        assert wcodec.why_no_gpu() in said["note"]
        assert f"wcodec: note: the CPU decodes: {wcodec.why_no_gpu()}" in done.stderr
    done = call(command, "verify", model, container, "--device", "auto", "--json")
    assert json.loads(done.stdout)["equal"] is True
    stats = wcodec.decode_checkpoint(container, tmp_path / "again", device="auto")
    assert (tmp_path / "again").read_bytes() == model.read_bytes()
    assert stats.gpu_records + stats.cpu_records == stats.num_parts
    assert wcodec.verify_checkpoint(model, container, device="auto")


@pytest.mark.parametrize(
    ("device", "kind", "says"),
    [("cuda:99", "unsupported", "cuda:99 cannot decode"), ("gpu", "usage", "cuda:N"), ("cuda:x", "usage", "cuda:N")],
)
def test_what_is_not_there_is_said(request, container, tmp_path, device, kind, says):
    done = call(request.getfixturevalue("wcodec"), "decode", container, tmp_path / "x", "--device", device)
    assert done.returncode == 2
    assert says in done.stderr
    assert not (tmp_path / "x").exists()
    for attempt in (
        lambda: wcodec.decode_checkpoint(container, tmp_path / "x", device=device),
        lambda: wcodec.open(container, device=device),
        lambda: wcodec.Decoder(device=device),
        lambda: wcodec.verify_checkpoint(container, container, device=device),
    ):
        with pytest.raises(wcodec.WcodecError, match=says) as caught:
            attempt()
        assert caught.value.kind == kind


def test_loading_needs_a_gpu_that_is_there(container):
    reader = wcodec._core.Reader(str(container), {})
    with pytest.raises(wcodec.WcodecError, match="there is no GPU") as caught:
        reader.load([(0, 99, 0, 0)], {}, None)
    assert caught.value.kind == ("usage" if wcodec.devices() else "unsupported")
    assert reader.split(2) == sorted(reader.split(2))
    assert set(reader.split(2)) == {0, 1}
    with pytest.raises(wcodec.WcodecError, match="has to be a GPU"):
        reader.split(0)


def test_arrays_of_auto(model, container):
    with wcodec.open(container, device="auto") as found, safe_open(model, "np") as expected:
        for name in found.keys():  # noqa: SIM118 (a method, no dict)
            assert found.get_tensor(name).tobytes() == expected.get_tensor(name).tobytes()
        names = found.keys()[:2]
        assert list(found.get_tensors(names)) == names
    weights = np.arange(-60, 60, dtype=np.int8).reshape(4, 30)
    record, _ = wcodec.Encoder(preset="speed").encode_layer(weights)
    assert np.array_equal(wcodec.Decoder(device="auto").decode_layer(record)[0], weights)


# --- with a GPU ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def torch():
    if not wcodec.devices():
        pytest.skip(f"these tests need a GPU: {wcodec.why_no_gpu()}")
    torch = pytest.importorskip("torch", reason="these tests need torch")
    if not torch.cuda.is_available():
        pytest.skip("this torch has no CUDA")
    return torch


def bits_of(tensor, torch) -> bytes:
    return tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def test_state_dicts_are_decoded_on_the_gpu(torch, model, container):
    from wcodec.torch import load_state_dict

    devices = [gpu["device"] for gpu in wcodec.devices()]
    for device in ("cuda:0", "cuda", "auto", torch.device("cuda", 0), devices):
        state = load_state_dict(container, device=device)
        with safe_open(model, "np") as expected:
            assert list(state) == list(wcodec.open(container).keys())
            for name, tensor in state.items():
                assert tensor.is_cuda
                assert bits_of(tensor, torch) == expected.get_tensor(name).tobytes(), name
    assert {str(tensor.device) for tensor in state.values()} == set(devices)


def test_every_type_becomes_its_tensor(torch, tmp_path):
    from wcodec.torch import load_state_dict, save_file

    generator = torch.Generator().manual_seed(1)
    types = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.bfloat16]
    types += [torch.float32, torch.float64, torch.float8_e4m3fn, torch.float8_e5m2]
    tensors = {str(t): (torch.randn(37, 53, generator=generator) * 9).to(t) for t in types}
    tensors |= {"bool": torch.rand(9, 5) > 0.5, "empty": torch.zeros(0, 4), "scalar": torch.tensor(2.5)}
    save_file(tensors, tmp_path / "t.wcodec", preset="speed")
    state = load_state_dict(tmp_path / "t.wcodec", device="cuda:0")
    for name, tensor in tensors.items():
        assert state[name].dtype == tensor.dtype
        assert state[name].shape == tensor.shape
        assert bits_of(state[name], torch) == bits_of(tensor, torch), name


def test_an_open_container_gives_cuda_tensors(torch, container):
    with wcodec.open(container, framework="pt", device="cuda:0") as model, wcodec.open(container) as plain:
        name = model.keys()[0]
        assert model.get_tensor(name).is_cuda
        assert bits_of(model.get_tensor(name), torch) == plain.get_tensor(name).tobytes()
        assert model.get_slice(name)[:3].is_cuda
        assert bits_of(model.get_slice(name)[:3], torch) == plain.get_slice(name)[:3].tobytes()


def test_memory_that_does_not_suffice_is_a_sentence(torch, tmp_path):
    from wcodec.torch import load_state_dict, save_file

    save_file({"w": torch.zeros(4096, 4096, dtype=torch.int8)}, tmp_path / "z.wcodec", preset="speed")
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1e-5)
    try:
        with pytest.raises(wcodec.WcodecError, match="no memory for layer 'w'") as caught:
            load_state_dict(tmp_path / "z.wcodec", device="cuda:0")
        assert caught.value.kind == "limit"
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert int(load_state_dict(tmp_path / "z.wcodec", device="cuda:0")["w"].abs().sum()) == 0

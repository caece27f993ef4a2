"""Arrays in .npy files against NumPy's own reader and writer."""

import io

import numpy as np
import pytest

from cnntool.errors import InputError
from cnntool.files.signal import Signal, read_whole
from cnntool.files.signals import open_signal, write_signal


def stored(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def read(data: bytes, *columns: str) -> np.ndarray:
    signal = open_signal(io.BytesIO(data), "x.npy", columns)
    x = np.concatenate(list(signal.blocks), axis=1)
    assert signal.length == x.shape[1]
    return x


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "float32", ">f8", "float16"])
@pytest.mark.parametrize("shape", [(300_000,), (90_000, 3), (1, 50), (50, 1), (1,)])
def test_any_array_of_numbers_is_a_signal(dtype, shape):
    array = np.random.default_rng(0).uniform(-100, 100, shape).astype(dtype)
    expected = array.reshape(1, -1) if array.ndim == 1 or 1 in shape else array.T
    np.testing.assert_array_equal(read(stored(array)), expected)
    np.testing.assert_array_equal(read(stored(np.asfortranarray(array))), expected)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_the_header_is_read(version):
    file, array = io.BytesIO(), np.linspace(-1, 1, 300)
    np.lib.format.write_array(file, array, version=version)
    np.testing.assert_array_equal(read(file.getvalue())[0], array)


def test_columns_are_chosen_by_number():
    array = np.arange(12.0).reshape(4, 3)
    np.testing.assert_array_equal(read(stored(array), "3", "1"), array.T[[2, 0]])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("knows_length", [True, False])
@pytest.mark.parametrize("can_seek", [True, False])
def test_numpy_reads_what_is_written(channels, knows_length, can_seek):
    x = np.random.default_rng(0).normal(size=(channels, 1000))
    length = 1000 if knows_length else None
    signal = Signal("x", "npy", channels, iter(np.split(x, 4, axis=1)), length)
    file = io.BytesIO()
    assert write_signal(signal, file, "npy", can_seek=can_seek).samples == 1000
    file.seek(0)
    loaded = np.load(file)
    assert loaded.shape == ((1000,) if channels == 1 else (1000, 3))
    np.testing.assert_array_equal(loaded.reshape(1000, channels).T, x)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (stored(np.zeros(100))[:-1], "cut short: 799 of 800 bytes of values are there"),
        (stored(np.zeros((100, 2), order="F"))[:-1], "cut short"),
        (stored(np.zeros(9))[:40], "cut short"),
        (stored(np.zeros(100)) + b"x", "holds more than the 100 x 1 values"),
        (stored(np.zeros((2, 3, 4))), r"shape \(2, 3, 4\): expected \(L,\)"),
        (stored(np.zeros(())), r"shape \(\): expected"),
        (stored(np.zeros(0)), "empty"),
        (stored(np.zeros((5, 0))), "empty"),
        (
            stored(np.zeros(3, complex)),
            "complex128 values, and only bool, integers and floats are read",
        ),
        (stored(np.array(["a"])), "<U1 values"),
        (stored(np.array([0, 1, np.inf])), "x.npy sample 2 is inf"),
        (stored(np.zeros(100)).replace(b"'descr'", b"'d(scr'"), "header cannot be understood"),
        (b"\x93NUMPY\x09\x00aaaa", "unknown version"),
    ],
)
def test_damage_is_named(data, message):
    with pytest.raises(InputError, match=message):
        read(data)


def test_a_signal_too_long_to_be_a_kernel_is_refused():
    signal = open_signal(io.BytesIO(stored(np.zeros(100))), "x.npy")
    with pytest.raises(InputError, match=r"more than 99 samples.*FILE"):
        read_whole(signal, 99)

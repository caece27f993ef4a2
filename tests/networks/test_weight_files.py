"""Weights from elsewhere: what is read, what is left out, and one line for what is wrong."""

import io
import json
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cnntool.errors import InputError
from cnntool.networks.weight_files import are_weights, has_header, read_kernels

RNG = np.random.default_rng(0)
BANK = RNG.normal(size=(4, 3, 5, 5)).astype(np.float32)


def safetensors(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    """A file by the format's description: length, JSON, bytes."""
    header, data = {}, b""
    for name, array in arrays.items():
        ends = [len(data), len(data) + array.nbytes]
        kind = {"float32": "F32", "float16": "F16", "float64": "F64"}[array.dtype.name]
        header[name] = {"dtype": kind, "shape": array.shape, "data_offsets": ends}
        data += array.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def test_an_array_of_four_axes_is_a_bank(tmp_path):
    np.save(tmp_path / "w.npy", BANK.astype(np.float64))
    (name, bank), *rest = read_kernels(tmp_path / "w.npy").items()
    assert (name, bank.dtype, rest) == ("conv1", np.float32, [])
    np.testing.assert_array_equal(bank, BANK)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_of_an_archive_arrays_of_other_ranks_are_left_out(tmp_path, save):
    arrays = {"a.weight": BANK, "a.bias": BANK[0, 0, 0], "b.weight": BANK[:, :1] * 2, "fc": BANK[0]}
    save(tmp_path / "w.npz", **arrays)
    found = read_kernels(tmp_path / "w.npz")
    assert list(found) == ["a", "b"]
    np.testing.assert_array_equal(found["b"], BANK[:, :1] * 2)


def test_fortran_order_half_precision_and_whole_numbers_are_read(tmp_path):
    whole = np.arange(24, dtype=np.int16).reshape(2, 1, 3, 4)
    half = BANK.astype(np.float16)
    np.savez(tmp_path / "w.npz", whole=whole, half=np.asfortranarray(half))
    found = read_kernels(tmp_path / "w.npz")
    np.testing.assert_array_equal(found["whole"], whole)
    np.testing.assert_array_equal(found["half"], half)


def test_names_that_would_be_the_same_stay_whole(tmp_path):
    np.savez(tmp_path / "w.npz", **{"a": BANK, "a.weight": BANK})
    assert list(read_kernels(tmp_path / "w.npz")) == ["a", "a.weight"]


def test_safetensors_are_read_in_the_order_of_their_numbers(tmp_path):
    pytest.importorskip("safetensors")
    names = [f"features.{n}.weight" for n in (0, 10, 2)]
    arrays = {name: BANK * k for k, name in enumerate(names)} | {"fc.weight": BANK[0, 0]}
    found = read_kernels(safetensors(tmp_path / "w.safetensors", arrays))
    assert list(found) == ["features.0", "features.2", "features.10"]
    np.testing.assert_array_equal(found["features.10"], BANK)


def test_digits_of_other_scripts_in_names_are_letters(tmp_path):
    pytest.importorskip("safetensors")
    arrays = {"conv²": BANK, "conv10": BANK, "conv٣": BANK}
    assert set(read_kernels(safetensors(tmp_path / "w.safetensors", arrays))) == set(arrays)


def test_safetensors_that_are_cut_short_are_one_line(tmp_path):
    pytest.importorskip("safetensors")
    path = safetensors(tmp_path / "w.safetensors", {"a": BANK})
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(InputError, match=r"w.safetensors is no whole .safetensors file: "):
        read_kernels(path)


def test_without_the_extra_the_message_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "safetensors", None)
    path = safetensors(tmp_path / "w.safetensors", {"a": BANK})
    with pytest.raises(InputError, match=r"pip install 'cnntool\[safetensors\]'"):
        read_kernels(path)


def pickled(path: Path) -> None:
    np.savez(path, a=np.array([{"a": 1}], dtype=object).reshape(1, 1, 1, 1))


def torch_file(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}.")


def cut(path: Path) -> None:
    np.savez(path, a=BANK)
    path.write_bytes(path.read_bytes()[:300])


def flipped(path: Path) -> None:
    np.savez(path, a=BANK)
    content = bytearray(path.read_bytes())
    content[400] ^= 255
    path.write_bytes(content)


def bomb(path: Path) -> None:
    """An archive of a few bytes whose array claims a gigabyte."""
    header = io.BytesIO()
    claim = {"descr": "<f4", "fortran_order": False, "shape": (1, 1, 16384, 16384)}
    np.lib.format.write_array_header_1_0(header, claim)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", header.getvalue() + bytes(1000))


def cut_npy(path: Path) -> None:
    with open(path, "wb") as file:
        np.save(file, BANK)
    path.write_bytes(path.read_bytes()[:-5])


def huge(path: Path) -> None:
    """A header that claims 2^62 bytes."""
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1048576, 1048576, 1024, 1024), }"
    head = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1)
    path.write_bytes(head + header.encode() + b"\n")


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (lambda path: np.savez(path, a=BANK[0], b=BANK[0, 0]), "expected kernels, real"),
        (lambda path: np.savez(path, a=BANK.astype(complex)), "(4, 3, 5, 5) of complex128: "),
        (lambda path: np.savez(path, a=BANK[:0]), "expected kernels, real numbers of 4"),
        (lambda path: path.write_text("no weights"), "holds no weights: expected a file that"),
        (lambda path: path.write_bytes(b""), "is empty: name a model file"),
        (pickled, "expected kernels, real numbers of 4"),
        (torch_file, "a PyTorch file, which holds pickled objects: save its weights with safe"),
        (cut, "is cut short or damaged: its list of arrays is not whole; copy it again"),
        (flipped, "is damaged"),
        (cut_npy, "is cut short: 1,195 of 1,200 bytes of values are there"),
        (huge, "of memory is free"),
        (bomb, "a is cut short: its header says 1,073,741,824 bytes, and 1,128 are there"),
        (lambda path: None, "does not exist: name a model file or weights"),
        (lambda path: path.mkdir(), "is a folder, not weights: name a file in it"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_file(tmp_path, write, expected):
    path = tmp_path / "w.npz"
    write(path)
    with pytest.raises(InputError) as raised:
        read_kernels(path)
    message = str(raised.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert expected in message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("name", ["pipe.npy", "pipe.npz", "pipe.safetensors"])
def test_what_may_have_no_end_is_no_file_of_weights(tmp_path, name):
    path = tmp_path / name
    os.mkfifo(path)
    with pytest.raises(InputError, match="is no regular file: name a file of weights"):
        read_kernels(path)
    assert not are_weights(path)
    assert has_header(path) is None
    assert has_header("/dev/zero") is None

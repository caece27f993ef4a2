"""Arrays in one file: the same bytes for the same arrays, and a reader that nobody fools."""

import io
import os
import zipfile

import numpy as np
import pytest

from cnntool.errors import InputError
from cnntool.networks.array_archive import DTYPES, open_arrays, write_arrays

ARRAYS = {
    **{f"of/{name}": np.arange(6).reshape(2, 3).astype(name) for name in DTYPES},
    "scalar": np.array(7.5),
    "empty": np.zeros((3, 0, 2), np.float32),
    "by column": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "every second": np.arange(10, dtype=np.int64)[::2],
    "big-endian": np.arange(5, dtype=">f4"),
}


def written(arrays):
    buffer = io.BytesIO()
    write_arrays(buffer, arrays)
    return buffer.getvalue()


@pytest.fixture
def read(tmp_path):
    """What a file of these bytes holds."""

    def read(data):
        path = tmp_path / "arrays.npz"
        path.write_bytes(data)
        with open_arrays(path) as archive:
            return {name: archive.read(name) for name in archive.names}

    return read


def test_arrays_come_back_as_they_were(read):
    found = read(written(ARRAYS))
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array, strict=array.dtype.isnative)
        assert found[name].dtype == array.dtype.newbyteorder("=")
        assert found[name].flags.c_contiguous
        assert found[name].flags.writeable


def test_numpy_reads_it_too():
    with np.load(io.BytesIO(written(ARRAYS)), allow_pickle=False) as found:
        assert found.files == list(ARRAYS)
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(found[name], array)


def test_what_numpy_saves_is_read_too(read):
    buffer = io.BytesIO()
    np.savez(buffer, **{name: array for name, array in ARRAYS.items() if array.dtype.isnative})
    for name, array in read(buffer.getvalue()).items():
        np.testing.assert_array_equal(array, ARRAYS[name], strict=True)


def test_the_same_arrays_are_the_same_bytes_at_any_time(monkeypatch):
    first = written(ARRAYS)
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    assert written({name: array.copy() for name, array in ARRAYS.items()}) == first


def test_data_begin_at_a_multiple_of_64_bytes_of_their_member():
    with zipfile.ZipFile(io.BytesIO(written(ARRAYS))) as archive:
        for name, array in ARRAYS.items():
            assert (archive.getinfo(f"{name}.npy").file_size - array.nbytes) % 64 == 0


@pytest.mark.parametrize("name", ["", "a\\b", "tab\t", "ümlaut", "x" * 201, " x"])
def test_a_name_that_could_be_changed_on_the_way_is_refused(name):
    with pytest.raises(ValueError, match="is no name for an array"):
        written({name: np.ones(1)})


@pytest.mark.parametrize("array", [np.array([None]), np.ones(2, complex), np.array(["text"])])
def test_an_array_that_is_not_of_numbers_is_refused(array):
    with pytest.raises(ValueError, match="which is not written"):
        written({"x": array})


def member(header: bytes, data: bytes = b"", **facts) -> bytes:
    """An archive with one array of this .npy header."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        text = header + b"\n"
        start = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little")
        archive.writestr("x.npy", start + text + data)
    return buffer.getvalue()


def header(descr="<f4", shape="(2,)", order="False"):
    return f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}".encode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (member(header("|O"), b"....."), "x holds pickled objects, which are never loaded"),
        (member(header("<U4"), bytes(32)), "x has dtype '<U4'"),
        (member(header(">f4"), bytes(8)), "x has dtype '>f4'"),
        (member(header(shape="(1000000000000,)"), bytes(8)), "claims to be float32"),
        (member(header(shape="(99999999, 99999999, 99999999)"), bytes(8)), "claims to be"),
        (member(header(shape="(0, 999999999999999)")), "claims to be"),
        (member(header(shape="(1, 1, 1, 1, 1, 1, 1, 1, 2)"), bytes(8)), "claims to be"),
        (member(header(), bytes(9)), r"claims to be float32 \(2,\), but has 9 bytes"),
        (member(header(), bytes(7)), "but has 7 bytes"),
        (member(header(shape="(-2,)"), bytes(8)), "x is no array"),
        (member(header(shape="(" + "9" * 3000 + ",)"), bytes(8)), "x is no array"),
        (member(b"(" * 4000), "x is no array"),
        (member(b"__import__('os').abort()"), "x is no array"),
    ],
)
def test_a_member_that_claims_what_is_not_so_is_refused(read, data, message):
    with pytest.raises(InputError, match=message):
        read(data)


def zipped(*members, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def test_an_archive_that_unpacks_to_much_more_is_refused_unread(read):
    bomb = zipped(("x.npy", bytes(10**7)), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match="is compressed"):
        read(bomb)


def test_members_that_share_their_bytes_are_refused(read):
    """A list of arrays that all lie at the same place in the file, each as large as the file."""
    data = bytearray(zipped(*((f"{index}.npy", bytes(1000)) for index in range(9))))
    directory = data.index(b"PK\1\2")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        last = archive.infolist()[-1]
    for index in range(9):
        at = directory + index * (46 + 5)
        for place in (20, 24):
            data[at + place : at + place + 4] = (5000).to_bytes(4, "little")
    assert last.file_size == 1000
    with pytest.raises(InputError, match="its arrays claim 45,000 bytes"):
        read(bytes(data))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_other_archives_are_refused(read):
    for data, message in {
        zipped(("word/document.xml", b"<x/>")): "it holds more than arrays",
        zipped(("x.npy", b""), ("x.npy", b"")): "it holds x twice",
        zipped(): "it is not an .npz archive",
        b"\x89PNG\r\n\x1a\n": "it is not an .npz archive",
        b"PK": "cut short or damaged: its list of arrays is not whole; copy it again, or make",
        b"": "is empty",
    }.items():
        with pytest.raises(InputError, match=message):
            read(data)


def test_an_encrypted_archive_is_refused(read):
    data = bytearray(zipped(("x.npy", b"")))
    data[data.index(b"PK\1\2") + 8] |= 1
    with pytest.raises(InputError, match="is encrypted"):
        read(bytes(data))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_refused_without_waiting_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with (
        pytest.raises(InputError, match="is no regular file"),
        open_arrays(tmp_path / "pipe"),
    ):
        pass


def test_errors_of_the_block_stay_what_they_are(tmp_path):
    (tmp_path / "x.npz").write_bytes(written({"x": np.ones(1)}))
    with pytest.raises(ZeroDivisionError), open_arrays(tmp_path / "x.npz"):
        raise ZeroDivisionError

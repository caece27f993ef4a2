"""IDX files by the letter of their specification, sound and malformed."""

import gzip
import struct

import numpy as np
import pytest
from labelled_images import IDX_CODES, idx_bytes, noise

from cnntool.datasets import memory
from cnntool.datasets.images.idx import read_idx
from cnntool.errors import InputError


def message_of(path):
    with pytest.raises(InputError) as raised:
        read_idx(path)
    message = str(raised.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message.removeprefix(str(path))


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "file-idx"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("dtype", IDX_CODES)
@pytest.mark.parametrize("packed", [False, True])
def test_every_type_is_read_in_the_byte_order_of_the_machine(write, dtype, packed):
    values = np.random.default_rng(1).normal(0, 50, (3, 4, 5)).astype(dtype)
    content = idx_bytes(values, dtype)
    array = read_idx(write(gzip.compress(content) if packed else content))
    assert array.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(array, values)


def test_numbers_are_big_endian(write):
    array = read_idx(write(bytes([0, 0, 0x0B, 1, 0, 0, 0, 2, 1, 2, 255, 254])))
    assert array.tolist() == [258, -2]


@pytest.mark.parametrize("shape", [(7,), (0,), (2, 3, 4, 2), (0, 28, 28)])
def test_any_number_of_dimensions_is_read(write, shape):
    assert read_idx(write(idx_bytes(noise(*shape)))).shape == shape


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", " is cut short: it has 0 bytes"),
        (b"\0\0\x08", " is cut short: it has 3 bytes"),
        (b"\0\0\x08\x03\0\0\0\x02\0\0", " is cut short: its header ends before its 3 dimensions"),
        (b"\x89PNG\r\n\x1a\n", " is no IDX file: it starts with 89 50 4e 47, expected 00 00"),
        (b"\0\0\x0a\x01\0\0\0\x01\0", " is no IDX file: it starts with 00 00 0a 01"),
        (b"\0\x01" + idx_bytes(noise(3))[2:], " is no IDX file: it starts with 00 01 08 01"),
        (b"\0\0\x08\x00", " is no IDX file: it starts with 00 00 08 00"),
        (idx_bytes(noise(2, 3, 4))[:-1], " is cut short: its header says 2 x 3 x 4 = 24 bytes,"),
        (idx_bytes(noise(2, 3), ">f4")[:-1], " is cut short: its header says 2 x 3 x 4 = 24 bytes"),
        (idx_bytes(noise(2, 3)) + b"\0", " is damaged: it goes on after the 2 x 3 = 6 bytes"),
        (gzip.compress(idx_bytes(noise(2, 3)), mtime=0)[:-9], " is cut short: its gzip data ends"),
        (gzip.compress(idx_bytes(noise(2, 3)), mtime=0)[:6], " is cut short"),
        (gzip.compress(idx_bytes(noise(2, 3))[:-1], mtime=0), " is cut short: its header says 2 x"),
        (b"\x1f\x8bnonsense-nonsense", " is damaged: its gzip data is wrong"),
    ],
)  # fmt: skip
def test_malformed_files_are_named_with_what_was_found_and_expected(write, content, message):
    assert message_of(write(content)).startswith(message)


def test_a_changed_byte_in_gzip_is_noticed(write):
    content = bytearray(gzip.compress(idx_bytes(noise(9, 9)), mtime=0))
    content[-6] ^= 1  # in the check sum
    assert "damaged" in message_of(write(bytes(content)))


def test_what_does_not_fit_into_memory_is_said_before_it_is_tried(write, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 10**9)
    path = write(b"\0\0\x08\x03" + struct.pack(">III", 2**31, 1000, 1000))
    assert "would need 2,147.5 TB for 2,147,483,648 images of 1,000 x 1,000" in message_of(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    assert message_of(tmp_path / "none") == " does not exist: check the name"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_no_room_is_made_for_what_is_not_there(write, monkeypatch, pack):
    monkeypatch.setattr(memory, "free_memory", lambda: 10**18)
    message = message_of(
        write(pack(b"\0\0\x08\x03" + struct.pack(">III", 2**30, 1000, 1000) + b"1"))
    )
    assert message.startswith(
        " is cut short: its header says 1,073,741,824 x 1,000 x 1,000 = 1,073,"
    )

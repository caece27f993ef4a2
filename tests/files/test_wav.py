"""WAV against SciPy's reader and writer, the standard library's, and headers made by hand."""

import io
import struct
import wave

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import wavfile

from cnntool.choices import WAV_DEPTHS
from cnntool.errors import InputError, RequestError
from cnntool.files.signal import Signal
from cnntool.files.signals import open_signal, write_signal
from cnntool.files.wav import wav_header

RATE = 8000
NOISE = np.random.default_rng(0).uniform(-0.9, 0.9, (2, 101))


def read(data: bytes, *columns: str, is_pipe: bool = False) -> tuple[Signal, np.ndarray]:
    signal = open_signal(io.BytesIO(data), "x.wav", columns, is_pipe=is_pipe)
    return signal, np.concatenate(list(signal.blocks), axis=1)


def written(x: np.ndarray, depth: str, length: int | None = None, **settings) -> tuple[bytes, int]:
    file = io.BytesIO()
    signal = Signal("x", "npy", len(x), iter(np.array_split(x, 3, axis=1)), length)
    done = write_signal(signal, file, "wav", depth=depth, rate=RATE, **settings)
    assert done.samples == x.shape[1]
    return file.getvalue(), done.clipped


def chunk(name: bytes, data: bytes, size: int | None = None) -> bytes:
    size = len(data) if size is None else size
    return name + struct.pack("<I", size) + data + b"\0" * (len(data) % 2)


def riff(*chunks: bytes, size: int = 0, kind: bytes = b"RIFF") -> bytes:
    return kind + struct.pack("<I", size) + b"WAVE" + b"".join(chunks)


def described(tag: int = 1, channels: int = 1, bits: int = 16, more: bytes = b"") -> bytes:
    frame = channels * bits // 8
    fields = struct.pack("<HHIIHH", tag, channels, RATE, RATE * frame, frame, bits)
    return chunk(b"fmt ", fields + more)


SAMPLES = struct.pack("<4h", 0, 16384, -32768, 8192)
VALUES = [[0, 0.5, -1, 0.25]]


@pytest.mark.parametrize(
    ("dtype", "depth", "scale"),
    [
        ("uint8", "8", 128),
        ("int16", "16", 2**15),
        ("int32", "32", 2**31),
        ("float32", "float", 1),
        ("float64", "float64", 1),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_what_scipy_writes_is_read(tmp_path, dtype, depth, scale, channels):
    if dtype == "uint8":
        stored = np.rint(NOISE * 127 + 128).astype(dtype)
        expected = (stored - 128.0) / 128
    else:
        stored = (NOISE * scale).astype(dtype)
        expected = stored / scale
    wavfile.write(tmp_path / "x.wav", RATE, stored[:channels].T)
    signal, x = read((tmp_path / "x.wav").read_bytes())
    assert (signal.rate, signal.depth, signal.length) == (RATE, depth, 101)
    np.testing.assert_array_equal(x, expected[:channels])


def test_24_bits_from_the_standard_library_are_read(tmp_path):
    levels = (NOISE * 2**23).astype(int)
    with wave.open(str(tmp_path / "x.wav"), "wb") as file:
        file.setparams((2, 3, RATE, 0, "NONE", ""))
        file.writeframes(b"".join(int(v).to_bytes(3, "little", signed=True) for v in levels.T.flat))
    signal, x = read((tmp_path / "x.wav").read_bytes())
    assert signal.depth == "24"
    np.testing.assert_array_equal(x, levels / 2**23)


@pytest.mark.parametrize("depth", WAV_DEPTHS)
@pytest.mark.parametrize("length", [101, None])
def test_scipy_reads_what_is_written(tmp_path, depth, length):
    data, clipped = written(NOISE, depth, length)
    (tmp_path / "x.wav").write_bytes(data)
    rate, stored = wavfile.read(tmp_path / "x.wav")
    scale = {"8": 2**7, "16": 2**15, "24": 2**31, "32": 2**31, "float": 1, "float64": 1}[depth]
    offset = 128 if depth == "8" else 0
    step = 0 if depth.startswith("float") else 2.0 ** -(int(depth) - 1)
    assert (rate, clipped) == (RATE, 0)
    np.testing.assert_allclose((stored.T - float(offset)) / scale, NOISE, atol=step / 2 + 1e-7)


@given(
    depth=st.sampled_from(WAV_DEPTHS),
    channels=st.integers(1, 3),
    length=st.integers(1, 20),
    knows=st.booleans(),
    can_seek=st.booleans(),
)
def test_reading_back_and_writing_again_gives_the_same_file(
    depth, channels, length, knows, can_seek
):
    x = np.random.default_rng(length).uniform(-1, 1, (channels, length))
    first, _ = written(x, depth, length if knows else None, can_seek=can_seek)
    signal, read_back = read(first)
    assert (signal.length is None) == (not knows and not can_seek)
    assert read_back.shape == x.shape
    again, _ = written(read_back, depth, length if knows else None, can_seek=can_seek)
    assert again == first


def test_what_is_beyond_full_scale_is_clipped_and_counted(tmp_path):
    data, clipped = written(np.array([[2.0, 1.0, -1.0, -1.5, 0.5]]), "16")
    (tmp_path / "x.wav").write_bytes(data)
    assert clipped == 3  # 1 is one step beyond the largest of 16 bits
    assert wavfile.read(tmp_path / "x.wav")[1].tolist() == [32767, 32767, -32768, -32768, 16384]
    assert written(np.array([[32767 / 32768, -1.0, 0.0]]), "16")[1] == 0  # as far as it goes
    _, kept = read(written(np.array([[2.0, -1.5]]), "float")[0])
    assert kept.tolist() == [[2, -1.5]]


def test_chunks_before_and_after_are_passed_over():
    odd = chunk(b"LIST", b"odd")
    data = riff(odd, described(), odd, chunk(b"data", SAMPLES), odd)
    assert read(data)[1].tolist() == VALUES


def test_the_extensible_format_says_its_own_by_a_guid():
    guid = struct.pack("<HIH", 16, 0, 0)[:2] + struct.pack("<HI", 16, 4)
    guid += struct.pack("<H", 1) + b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
    data = riff(described(tag=0xFFFE, more=guid), chunk(b"data", SAMPLES))
    assert read(data)[1].tolist() == VALUES


def test_more_in_the_description_of_pcm_changes_nothing():
    data = riff(described(more=b"\x03" * 24), chunk(b"data", SAMPLES))
    assert read(data)[1].tolist() == VALUES


def test_as_many_channels_as_the_header_can_say():
    assert read(written(np.zeros((32767, 3)), "16")[0])[0].channels == 32767
    with pytest.raises(InputError, match=r"32,768 channels are more than a WAV of 16 bits holds"):
        written(np.zeros((32768, 3)), "16")


@pytest.mark.parametrize(
    ("size", "is_pipe"), [(0, False), (0xFFFFFFFF, False), (0x7FFFFFFF, True), (0x7FFFF024, True)]
)
def test_a_size_that_was_not_known_means_all_that_comes(size, is_pipe):
    data = riff(described(), chunk(b"data", SAMPLES, size))
    signal, x = read(data, is_pipe=is_pipe)
    assert signal.length is None
    assert x.tolist() == VALUES


def test_more_than_4_gb_are_announced_beside():
    wide = chunk(b"ds64", struct.pack("<QQQI", 0, len(SAMPLES), 4, 0))
    data = riff(wide, described(), chunk(b"data", SAMPLES, 0xFFFFFFFF), chunk(b"x   ", b"more"))
    data = b"RF64" + data[4:]
    assert read(data)[1].tolist() == VALUES


def test_channels_are_chosen_by_number():
    data, _ = written(NOISE, "float")
    signal, x = read(data, "2")
    assert signal.channels == 1
    np.testing.assert_array_equal(x, NOISE[1:].astype(np.float32))
    with pytest.raises(RequestError, match=r"--column 3: x.wav has channels 1 to 2"):
        read(data, "3")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (riff(described(), chunk(b"data", SAMPLES, 8))[:-1], "cut short: 3 of 4 samples"),
        (riff(described(), chunk(b"data", SAMPLES[:-1], 0))[:-1], "cut short: 3 samples are there"),
        (riff(described(), chunk(b"data", b"", 8)), "cut short: 0 of 4 samples"),
        (riff(described())[:30], "cut short: it ends before its samples"),
        (riff(described()), "cut short: it ends before its samples"),
        (riff(chunk(b"data", SAMPLES)), "samples before it says how they are stored"),
        (riff(described(tag=6, bits=8), chunk(b"data", b"a")), "A-law .* ffmpeg"),
        (riff(described(bits=40), chunk(b"data", b"a")), "PCM samples of 40 bits: expected 8 or"),
        (riff(described(bits=20), chunk(b"data", b"a")), "1 channel of 20 bits are not 2 bytes"),
        (
            riff(described(), chunk(b"data", SAMPLES), chunk(b"LIST", b"x"), chunk(b"data", b"ab")),
            "goes on with more samples behind its first chunk of them",
        ),
        (riff(described(channels=0), chunk(b"data", b"a")), "0 channels of 16 bits"),
        (riff(chunk(b"fmt ", b"short"), chunk(b"data", b"a")), "too short"),
        (riff(described(), chunk(b"data", b""), size=36), "empty: it holds no samples"),
        (b"RIFF\0\0\0\0AVI ", "RIFF, but not WAV"),
        (b"RIFF", "cut short"),
        (
            riff(described(tag=3, bits=32), chunk(b"data", struct.pack("<2f", 1, np.nan))),
            "x.wav sample 1 is nan",
        ),
    ],
)
def test_damage_is_named(data, message):
    with pytest.raises(InputError, match=message):
        read(data)


def test_more_than_a_wav_holds_is_refused():
    with pytest.raises(InputError, match=r"4 GB.*npy"):
        wav_header(2, RATE, "float", 2**29)
    with pytest.raises(InputError, match="70,000 channels"):
        wav_header(70_000, RATE, "16", 1)


@pytest.mark.parametrize(("bits", "room"), [(24, 4), (20, 3), (12, 2), (24, 3)])
@pytest.mark.parametrize("kind", [b"RIFF", b"RIFX"])
def test_samples_in_the_highest_bits_of_more_room_and_either_byte_order(bits, room, kind):
    values = np.array([0.0, 0.5, -1.0, 0.25, -0.125])
    order, name = ("<", "little") if kind == b"RIFF" else (">", "big")
    whole = (values * 2 ** (bits - 1)).astype(int) << (8 * room - bits)
    data = b"".join(int(each).to_bytes(room, name, signed=True) for each in whole)
    fields = struct.pack(order + "HHIIHH", 1, 1, RATE, RATE * room, room, bits)
    chunks = (b"fmt ", fields), (b"data", data)
    body = b"".join(head + struct.pack(order + "I", len(each)) + each for head, each in chunks)
    signal, samples = read(kind + struct.pack(order + "I", 4 + len(body)) + b"WAVE" + body)
    np.testing.assert_array_equal(samples, [values])
    assert signal.depth == str(8 * room)


def test_chunks_that_no_result_keeps_are_named_before_and_behind_the_samples():
    chunks = chunk(b"bext", b"abc"), chunk(b"JUNK", b"a"), chunk(b"data", SAMPLES)
    data = riff(described(), *chunks, chunk(b"LIST", b"abc"), chunk(b"cue ", b"abcd"))
    signal, samples = read(data)
    np.testing.assert_array_equal(samples, VALUES)
    assert signal.left_out == ["bext", "LIST", "cue"]
    assert read(data[:-20], is_pipe=True)[0].left_out == ["bext"]

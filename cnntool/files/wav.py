"""WAV files: PCM of 8, 16, 24 and 32 bits and floats, as samples from -1 to 1.

Source: Microsoft, "Multimedia Programming Interface and Data Specifications 1.0" (RIFF, WAVE), the
page of WAVEFORMATEXTENSIBLE, and EBU Tech 3306 (RF64) for more than 4 GB.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from cnntool.errors import InputError
from cnntool.files.signal import BLOCK, Signal, check_finite_samples
from cnntool.files.streams import Readable, cut_short, damaged
from cnntool.wording import counted

MAGIC = (b"RIFF", b"RF64", b"BW64", b"RIFX")
FLOATS = {"float": 32, "float64": 64}

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
UNKNOWN = 0xFFFFFFFF
"""Size of a chunk whose end was not known when its header was written."""
ENDLESS = 0x7FFFF000
"""From here on, a size in what comes from a pipe is no size; what SoX writes."""

COMPRESSED = {2: "Microsoft ADPCM", 6: "A-law", 7: "µ-law", 17: "IMA ADPCM", 85: "MP3"}


class Encoding(NamedTuple):
    """How samples stand in the data chunk."""

    tag: int
    bits: int  # that a sample takes: fewer may be in use, the highest of them
    channels: int
    rate: int
    order: str = "<"  # of the bytes

    @property
    def frame_bytes(self) -> int:
        """Of one sample of every channel."""
        return self.channels * self.bits // 8

    @property
    def depth(self) -> str:
        if self.tag == FLOAT:
            return next(name for name, bits in FLOATS.items() if bits == self.bits)
        return str(self.bits)


def read_wav(stream: Readable, name: str, is_pipe: bool = False) -> Signal:
    """A signal from a WAV; reads forward only. Full scale is 1, whatever the bits.

    A size that was not known when the header was written means all that comes. Raises InputError
    for compressed samples, and where the file is damaged or cut short.
    """
    kind = _exactly(stream, 4, name)
    order = ">" if kind == b"RIFX" else "<"
    riff_size, wave = struct.unpack(order + "I4s", _exactly(stream, 8, name))
    if wave != b"WAVE":
        raise InputError(f"{name} is RIFF, but not WAV: convert it to WAV first")
    encoding, said, wide_size, others = _to_samples(stream, order, name)
    size: int | None = said
    if kind in (b"RF64", b"BW64") and said == UNKNOWN and wide_size is not None:
        size = wide_size
    elif (
        said == UNKNOWN
        or (is_pipe and said >= ENDLESS)
        or (said == 0 and riff_size in (0, UNKNOWN))  # nor does the file say its own
    ):
        size = None
    total = None if size is None else size // encoding.frame_bytes
    if total == 0:
        raise _empty(name)
    frames = max(1, BLOCK // encoding.channels)
    blocks = _blocks(stream, encoding, total, frames, name)
    if size is not None and not is_pipe:  # where what follows does not have to be waited for
        rest = size % encoding.frame_bytes + size % 2
        blocks = _with_the_end(blocks, stream, rest, order, others, name)
    return Signal(
        name,
        "wav",
        encoding.channels,
        blocks,
        total,
        encoding.rate,
        encoding.depth,
        expected_blocks=None if total is None else -(-total // frames),
        left_out=others,
    )


def _to_samples(
    stream: Readable, order: str, name: str
) -> tuple[Encoding, int, int | None, list[str]]:
    """How samples are stored, the two sizes that are said of them, and the chunks passed over."""
    encoding, wide_size = None, None
    others: list[str] = []
    while True:
        chunk, size = struct.unpack(order + "4sI", _exactly(stream, 8, name))
        if chunk == b"data":
            break
        if chunk == b"fmt ":
            encoding = _encoding(_exactly(stream, min(size, 64), name), order, name)
            _skip(stream, max(0, size - 64) + size % 2, name)
        elif chunk == b"ds64" and size >= 16:
            _, wide_size = struct.unpack("<QQ", _exactly(stream, 16, name))
            _skip(stream, size - 16 + size % 2, name)
        else:
            _note(chunk, others)
            _skip(stream, size + size % 2, name)
    if encoding is None:
        raise damaged(name, "it has samples before it says how they are stored")
    return encoding, size, wide_size, others


def _note(chunk: bytes, others: list[str]) -> None:
    """Put the name of a chunk down that says something; fillers and repeats do not."""
    name = chunk.decode("ascii", "replace").strip()
    if name not in (*others, "JUNK", "PAD", "FLLR", "fact", "PEAK") and name.isprintable():
        others.append(name)


def _encoding(fields: bytes, order: str, name: str) -> Encoding:
    if len(fields) < 16:
        raise damaged(name, "its description of the samples is too short")
    tag, channels, rate, _, frame_bytes, bits = struct.unpack_from(order + "HHIIHH", fields)
    if tag == EXTENSIBLE and len(fields) >= 26:
        (tag,) = struct.unpack_from(order + "H", fields, 24)
    known = {PCM: (8, 16, 24, 32), FLOAT: (32, 64)}
    if tag not in known:
        kind = COMPRESSED.get(tag, f"format {tag}")
        raise InputError(
            f"{name} holds {kind} samples: convert it to PCM first, "
            "for example with ffmpeg -i IN.wav -c:a pcm_s16le OUT.wav"
        )
    if not rate:
        raise damaged(name, "its sample rate is 0")
    room, rest = divmod(8 * frame_bytes, max(1, channels))
    if not channels or rest or room < bits:
        samples = f"{counted(channels, 'channel')} of {counted(bits, 'bit')}"
        raise damaged(name, f"{samples} are not {counted(frame_bytes, 'byte')}")
    kind, size = ("PCM", room) if tag == PCM else ("float", bits)
    if size not in known[tag]:
        raise InputError(
            f"{name} holds {kind} samples of {size} bits: expected "
            f"{' or '.join(map(str, known[tag]))}"
        )
    return Encoding(tag, size, channels, rate, order)


def _blocks(
    stream: Readable, encoding: Encoding, total: int | None, frames: int, name: str
) -> Iterator[np.ndarray]:
    done = 0
    while total is None or done < total:
        wanted = frames if total is None else min(frames, total - done)
        data = stream.read(wanted * encoding.frame_bytes)
        count, rest = divmod(len(data), encoding.frame_bytes)
        if rest or (total is not None and count < wanted):
            there = counted(done + count, "sample")
            if total is not None:
                there = f"{done + count:,} of {counted(total, 'sample')}"
            raise cut_short(name, f"{there} are there")
        if not count:
            break
        block = decode(data, encoding)
        if encoding.tag == FLOAT:
            check_finite_samples(block, done, name)
        yield block
        done += count
    if not done:
        raise _empty(name)


def _with_the_end(
    blocks: Iterator[np.ndarray],
    stream: Readable,
    rest: int,
    order: str,
    others: list[str],
    name: str,
) -> Iterator[np.ndarray]:
    """The samples, and then what else the file has: its chunks by name, but no more samples."""
    yield from blocks
    stream.read(rest)
    while len(head := stream.read(8)) == 8:
        chunk, size = struct.unpack(order + "4sI", head)
        if chunk == b"data":
            raise InputError(
                f"{name} goes on with more samples behind its first chunk of them, which is not "
                "read: save it in one piece"
            )
        _note(chunk, others)
        with suppress(InputError):  # what stands at the end may be cut short
            _skip(stream, size + size % 2, name)


def _empty(name: str) -> InputError:
    return InputError(f"{name} is empty: it holds no samples, and one at least was expected")


def decode(data: bytes, encoding: Encoding) -> np.ndarray:
    """The bytes of whole frames as samples (C, n), float64."""
    if encoding.tag == FLOAT:
        values = np.frombuffer(data, f"{encoding.order}f{encoding.bits // 8}")
        scale = 1.0
    elif encoding.bits == 24:
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        places = slice(1, 4) if encoding.order == "<" else slice(0, 3)
        wide[:, places] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        values, scale = wide.view(encoding.order + "i4")[:, 0], 2.0**-31
    elif encoding.bits == 8:
        values, scale = np.frombuffer(data, np.uint8) - 128.0, 2.0**-7
    else:
        values = np.frombuffer(data, f"{encoding.order}i{encoding.bits // 8}")
        scale = 2.0 ** (1 - encoding.bits)
    with np.errstate(invalid="ignore"):  # a NaN is reported later
        samples = values.reshape(-1, encoding.channels).T.astype(np.float64, order="C")
    return np.multiply(samples, scale, out=samples)


def encode(block: np.ndarray, depth: str) -> tuple[bytes, int]:
    """Samples (C, n) as the bytes of frames, and how many samples were beyond full scale."""
    frames = np.ascontiguousarray(block.T)
    if depth in FLOATS:
        stored = np.dtype(f"<f{FLOATS[depth] // 8}")
        most = np.finfo(stored).max
        if np.abs(frames).max(initial=0) > most:
            raise InputError(
                f"a result is beyond {most:.1e}, the largest {FLOATS[depth]}-bit float: use "
                "--depth float64, or a smaller --scale"
            )
        return frames.astype(stored).tobytes(), 0
    bits = int(depth)
    least, most = -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1
    levels = np.rint(frames * -least)
    clipped = int(np.count_nonzero((levels < least) | (levels > most)))
    np.clip(levels, least, most, out=levels)
    if bits == 8:
        return (levels + 128).astype(np.uint8).tobytes(), clipped
    if bits == 24:
        wide = levels.astype("<i4").reshape(-1, 1).view(np.uint8)
        return wide[:, :3].tobytes(), clipped
    return levels.astype(f"<i{bits // 8}").tobytes(), clipped


def wav_header(channels: int, rate: int, depth: str, length: int | None) -> bytes:
    """The bytes before the samples; sizes are 0xFFFFFFFF where the length is not known yet.

    The header is as long for every length. Raises InputError for more channels or samples than
    its fields can say.
    """
    bits = FLOATS.get(depth) or int(depth)
    if channels * bits // 8 > 0xFFFF:
        raise InputError(f"{channels:,} channels are more than a WAV of {bits} bits holds")
    encoding = Encoding(FLOAT if depth in FLOATS else PCM, bits, channels, rate)
    size = encoding.frame_bytes
    fields = struct.pack(
        "<HHIIHH", encoding.tag, channels, rate, min(rate * size, UNKNOWN), size, bits
    )
    frames = min(length, UNKNOWN) if length is not None else UNKNOWN
    chunks = struct.pack("<4sI", b"fmt ", len(fields)) + fields
    if encoding.tag == FLOAT:  # what is not PCM says how many samples there are
        chunks += struct.pack("<4sII", b"fact", 4, frames)
    data_size = riff_size = UNKNOWN
    if length is not None:
        data_size = length * size
        riff_size = 4 + len(chunks) + 8 + data_size + data_size % 2
        if riff_size > UNKNOWN:
            raise InputError(
                f"{length:,} samples are more than the 4 GB that a WAV holds: write .npy"
            )
    return (
        struct.pack("<4sI4s", b"RIFF", riff_size, b"WAVE")
        + chunks
        + struct.pack("<4sI", b"data", data_size)
    )


def _exactly(stream: Readable, count: int, name: str) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise cut_short(name, "it ends before its samples")
    return data


def _skip(stream: Readable, count: int, name: str) -> None:
    while count > 0:
        count -= len(_exactly(stream, min(count, 1 << 16), name))

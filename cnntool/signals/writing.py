"""Writing a signal as its blocks come: numbers, CSV, .npy or WAV."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from cnntool.signals import npy, wav
from cnntool.signals.number_lines import EXACT, header_of, text_of
from cnntool.signals.signal import Signal

FORMATS = {"text": ".txt", "csv": ".csv", "npy": ".npy", "wav": ".wav"}
"""Each format with the end of its file names."""


@dataclass(frozen=True)
class Written:
    """What was written: samples in each channel, and how many values a WAV could not hold."""

    samples: int
    clipped: int = 0


def write_signal(
    signal: Signal,
    file: BinaryIO,
    format: str,
    *,
    digits: int = EXACT,
    depth: str = "float",
    rate: int | None = None,
    can_seek: bool = True,
) -> Written:
    """Write a signal as one of FORMATS to a file, or to a pipe that ``can_seek`` False stands for.

    ``digits`` belong to text and CSV, see :func:`~cnntool.signals.number_lines.text_of`; ``depth``
    and ``rate`` to WAV, where values beyond full scale are clipped. A .npy of unknown length that
    goes to a pipe is spooled to disk. Raises InputError for more than a WAV can hold.
    """
    if format in ("text", "csv"):
        return _write_text(signal, file, digits, format == "csv")
    if format == "wav":
        return _write_wav(signal, file, depth, rate, can_seek)
    if can_seek or signal.length is not None:
        return _write_npy(signal, file)
    with tempfile.TemporaryFile() as spool:
        written = _write_npy(signal, spool)
        spool.seek(0)
        shutil.copyfileobj(spool, file, 1 << 20)
    return written


def _write_text(signal: Signal, file: BinaryIO, digits: int, with_header: bool) -> Written:
    if with_header and signal.columns:
        file.write(header_of(signal.columns))
    samples = 0
    for block in signal.blocks:
        file.write(text_of(block, digits))
        file.flush()  # whoever reads on gets each block at once
        samples += block.shape[1]
    return Written(samples)


def _write_npy(signal: Signal, file: BinaryIO) -> Written:
    def header(length: int | None) -> bytes:
        return npy.npy_header(signal.channels, length or 0)

    samples = _write_blocks(signal, file, header, npy.bytes_of)
    return Written(samples)


def _write_wav(signal: Signal, file: BinaryIO, depth: str, rate: int, can_seek: bool) -> Written:
    clipped = 0

    def frames(block) -> bytes:
        nonlocal clipped
        data, count = wav.encode(block, depth)
        clipped += count
        return data

    def header(length: int | None) -> bytes:
        return wav.wav_header(signal.channels, rate, depth, length)

    samples = _write_blocks(signal, file, header, frames, can_seek)
    is_odd = depth in ("8", "24") and samples * signal.channels % 2
    if is_odd and (can_seek or signal.length is not None):
        file.write(b"\0")  # a chunk of known size has an even number of bytes
    return Written(samples, clipped)


def _write_blocks(
    signal: Signal,
    file: BinaryIO,
    header: Callable[[int | None], bytes],
    encode: Callable[..., bytes],
    can_seek: bool = True,
) -> int:
    """The header, every block, and the header again where the length was not known before."""
    file.write(header(signal.length))
    samples = 0
    for block in signal.blocks:
        file.write(encode(block))
        samples += block.shape[1]
    if signal.length is None and can_seek:
        file.seek(0)
        file.write(header(samples))
        file.seek(0, 2)
    return samples

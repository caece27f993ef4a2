"""Opening a signal, whatever it is stored as."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import BinaryIO

import numpy as np

from cnntool.files import npy, wav
from cnntool.files.signal import Signal, numbered_columns
from cnntool.files.signal_text import EXACT, header_of, read_text, text_of
from cnntool.files.streams import Rejoined, cut_short

MAGIC = (*wav.MAGIC, npy.MAGIC)


def open_signal(
    stream: BinaryIO,
    name: str,
    columns: Sequence[str] = (),
    *,
    is_pipe: bool = False,
    live: bool = False,
) -> Signal:
    """Read a signal from a stream as its first bytes say: WAV, .npy, or else text.

    ``columns`` are those wanted, by name or by number from 1; all where none is named. ``live``
    text is passed on as it comes. Raises InputError for what cannot be read, and RequestError for
    columns that are not there. Blocks that are read later may raise InputError too.
    """
    head = _head(stream)
    if head in wav.MAGIC:
        signal = wav.read_wav(Rejoined(head, stream), name, is_pipe)
    elif head == npy.MAGIC:
        signal = npy.read_signal(Rejoined(head, stream), name)
    elif head and npy.MAGIC.startswith(head):
        raise cut_short(name, "it ends before its header")
    else:
        return read_text(stream, head, name, columns, live)
    if not columns:
        return signal
    chosen = numbered_columns(columns, signal.channels, name)
    blocks = (block[chosen] for block in signal.blocks)
    return replace(signal, blocks=blocks, channels=len(chosen))


def _head(stream: BinaryIO) -> bytes:
    """The first bytes: no more than tell what it is, as the next ones may take their time."""
    head = b""
    while any(magic.startswith(head) for magic in MAGIC):
        more = stream.read(1)
        head += more
        if not more or head in MAGIC:
            break
    return head


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
    """Write a signal to a file, or to a pipe that ``can_seek`` False stands for.

    ``digits`` belong to text and CSV, see :func:`~cnntool.files.signal_text.text_of`; ``depth``
    and ``rate`` to WAV, where values beyond full scale are clipped. A .npy of unknown length that
    goes to a pipe is spooled to disk. Raises InputError for more than a WAV can hold.
    """
    if format == "wav":
        assert rate is not None
        header = partial(wav.wav_header, signal.channels, rate, depth)
        written = _write_blocks(signal, file, header, partial(wav.encode, depth=depth), can_seek)
        is_odd = depth in ("8", "24") and written.samples * signal.channels % 2
        if is_odd and (can_seek or signal.length is not None):
            file.write(b"\0")  # a chunk of known size has an even number of bytes
        return written
    if format == "npy":
        header = partial(npy.signal_header, signal.channels)
        if can_seek or signal.length is not None:
            return _write_blocks(signal, file, header, npy.encode)
        with tempfile.TemporaryFile() as spool:
            written = _write_blocks(signal, spool, header, npy.encode)
            spool.seek(0)
            shutil.copyfileobj(spool, file, 1 << 20)
        return written
    names = header_of(signal.columns) if format == "csv" and signal.columns else b""
    return _write_blocks(
        signal, file, lambda length: names, lambda block: (text_of(block, digits), 0), False
    )


def _write_blocks(
    signal: Signal,
    file: BinaryIO,
    header: Callable[[int | None], bytes],
    encode: Callable[[np.ndarray], tuple[bytes, int]],
    can_seek: bool = True,
) -> Written:
    """The header, every block, and the header again where the length was not known before.

    ``encode`` gives the bytes of a block, and how many of its values were clipped.
    """
    file.write(header(signal.length))
    samples = clipped = 0
    for block in signal.blocks:
        data, beyond = encode(block)
        file.write(data)
        file.flush()  # whoever reads on gets each block at once
        samples += block.shape[1]
        clipped += beyond
    if signal.length is None and can_seek:
        file.seek(0)
        file.write(header(samples))
        file.seek(0, 2)
    return Written(samples, clipped)

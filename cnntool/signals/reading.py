"""Opening a signal, whatever it is stored as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import BinaryIO

from cnntool.imaging.codecs.streams import Rejoined, cut_short
from cnntool.signals import npy, wav
from cnntool.signals.signal import Signal, numbered_columns
from cnntool.signals.text import read_text

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
        signal = npy.read_npy(Rejoined(head, stream), name)
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

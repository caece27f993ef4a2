"""What a signal is here: blocks of samples, and what is known about all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from cnntool.errors import InputError, RequestError

BLOCK = 1 << 16
"""Values that readers give, and filters make, at a time, all channels together."""


@dataclass(frozen=True, eq=False)
class Signal:
    """A signal that can be read once, block after block.

    ``blocks`` gives arrays (C, n) of finite float64, C = ``channels``; n varies and is never 0.
    """

    name: str  # for messages
    kind: str  # 'text', 'npy' or 'wav'
    channels: int
    blocks: Iterator[np.ndarray]
    length: int | None = None  # samples in a channel, where that is known beforehand
    rate: int | None = None  # samples a second, of a WAV
    depth: str | None = None  # of a WAV: '8', '16', '24', '32', 'float' or 'float64'
    columns: tuple[str, ...] = ()  # their names, where the input has a header
    expected_blocks: int | None = None
    remarks: list[str] = field(default_factory=list)  # what is found out as blocks are read
    left_out: list[str] = field(default_factory=list)  # what else a WAV holds, once it is read


def read_whole(signal: Signal, most: int) -> np.ndarray:
    """All samples (C, L); InputError where there are more than ``most`` in a channel."""
    blocks, length = [], 0
    for block in signal.blocks:
        blocks.append(block)
        length += block.shape[1]
        if length > most:
            raise InputError(
                f"{signal.name} has more than {most:,} samples, too many for a kernel: make it the "
                "FILE, which is read in blocks, and give the shorter signal to --with"
            )
    return np.concatenate(blocks, axis=1)


def check_finite_samples(block: np.ndarray, first: int, name: str) -> None:
    """InputError that names the first sample of a block (C, n) that is NaN or infinite."""
    bad = ~np.isfinite(block)
    if bad.any():
        sample = int(bad.any(axis=0).argmax())
        value = block[bad[:, sample], sample][0]
        raise InputError(
            f"{name} sample {first + sample:,} is {value:g}: every sample must be a finite "
            "number, so replace it first"
        )


def numbered_columns(wanted: Sequence[str], channels: int, name: str) -> list[int]:
    """Channels that are asked for by number, counted from 1, as indices."""
    there = "has one channel" if channels == 1 else f"has channels 1 to {channels}"
    indices = []
    for column in wanted:
        if (index := column_index(column, channels)) is None:
            raise RequestError(f"--column {column}: {name} {there}, and no names for them")
        indices.append(index)
    return indices


def column_index(number: str, columns: int) -> int | None:
    """The index of a column that is counted from 1; None where that is no number, or too large."""
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        return None
    return int(number) - 1 if 1 <= int(number) <= columns else None

"""A kernel over a signal, block after block: any length in bounded memory.

One signal goes in and another comes out, so that kernels chain like commands in a pipe.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from cnntool.engine import filter_bank
from cnntool.engine.filters.spectral import block_length, overlap_add, transform_is_faster
from cnntool.engine.windows import Padding, border_indices, plan_axis
from cnntool.errors import InputError, RequestError
from cnntool.files.signal import BLOCK, Signal
from cnntool.signals.kernels import LARGEST_KERNEL, Kernel
from cnntool.wording import ROUNDING


@dataclass(frozen=True)
class Geometry:
    """Where windows lie, and what lies outside the signal; see cnntool.engine.windows.

    ``flip`` is true convolution, ``y[t] = sum over i of w[i] x[t*stride - (i - anchor)*dilation]``;
    without it x is read at ``+ (i - anchor)*dilation``: cross-correlation. ``anchor`` None is the
    kernel's own; it matters to padding 'same' alone.
    """

    stride: int = 1
    dilation: int = 1
    padding: str | int = "same"
    border: str = "constant"
    constant: float = 0.0
    flip: bool = True
    anchor: int | None = None


@dataclass(frozen=True, eq=False)
class Pass:
    """One kernel over one kind of signal: the padding in samples, and the way it is computed."""

    kernel: Kernel
    geometry: Geometry
    extent: int  # samples from a window's first tap to its last
    before: int
    after: int
    method: str  # 'direct' or 'fft'


def plan_pass(
    channels: int, kernel: Kernel, geometry: Geometry, method: str = "auto", name: str = "signal"
) -> Pass:
    """Settle the padding of a kernel over a signal of so many channels, and the cheaper method.

    Raises RequestError for an anchor outside the kernel or a kernel that spans too much, and
    InputError where the kernel has a row for each of another number of channels.
    """
    rows, taps = kernel.weights.shape
    if rows > 1 and channels not in (1, rows):
        raise InputError(
            f"{name} has {channels} channels and the signal to convolve it with has {rows}: they "
            "need as many, or one of them a single one; --column chooses those of the first"
        )
    dilation, extent = geometry.dilation, (taps - 1) * geometry.dilation + 1
    if extent > LARGEST_KERNEL:
        raise RequestError(
            f"{kernel.label} spans {extent:,} samples with a dilation of {dilation}: at most "
            f"{LARGEST_KERNEL:,} are allowed"
        )
    anchor = kernel.anchor if geometry.anchor is None else geometry.anchor
    if anchor is not None and not 0 <= anchor < taps:
        raise RequestError(f"anchor {anchor} is outside {kernel.label}: expected 0 to {taps - 1}")
    padding: Padding = geometry.padding
    if padding == "same":
        anchor = taps // 2 if anchor is None else anchor
        sides = (taps - 1 - anchor) * dilation, anchor * dilation
        padding = sides if geometry.flip else sides[::-1]
    axis = plan_axis(extent, taps, 1, dilation, padding, flipped=geometry.flip)
    if method == "auto":
        products = taps * (rows if channels > 1 else 1)  # direct makes all rows of all channels
        method = "fft" if transform_is_faster(products, extent, geometry.stride) else "direct"
    return Pass(kernel, geometry, extent, axis.before, axis.after, method)


def plan_passes(
    signal: Signal, kernels: Sequence[Kernel], geometry: Geometry, method: str = "auto"
) -> list[Pass]:
    """Plan kernels that run one after the other over a signal; see :func:`plan_pass`."""
    plans, channels = [], signal.channels
    for kernel in kernels:
        plans.append(plan_pass(channels, kernel, geometry, method, signal.name))
        channels = max(channels, len(kernel.weights))
    return plans


def run_passes(
    signal: Signal, plans: Sequence[Pass], live: bool = False, silent: bool = False
) -> Signal:
    """The signal after all passes, computed as its blocks are asked for; see :func:`run_pass`."""
    for plan in plans:
        signal = run_pass(signal, plan, live, silent)
    return signal


def run_pass(signal: Signal, plan: Pass, live: bool = False, silent: bool = False) -> Signal:
    """The filtered signal, computed as its blocks are asked for.

    ``live`` makes each sample as soon as those that it needs are there. ``silent`` makes 0 of what
    is no more than rounding leaves of the products of direct windows, as transforms always do; it
    is to be read, not to be reckoned with. Asking for blocks raises
    InputError where the signal turns out too short for any window, or a result is beyond float64.
    """
    geometry, stride = plan.geometry, plan.geometry.stride
    channels = max(signal.channels, len(plan.kernel.weights))
    lengths: list[int] = []
    measured = _measured(signal.blocks, lengths)
    padded = with_borders(measured, plan.before, plan.after, geometry.border, geometry.constant)
    if plan.method == "fft":
        blocks = _transformed(padded, plan)
    else:
        span = max(BLOCK // channels, plan.extent)
        pieces = _pieces(padded, max(1, span // stride), plan.extent, stride, live)
        blocks = (_direct(piece, plan, silent) for piece in pieces)
    return replace(
        signal,
        channels=channels,
        blocks=_checked(blocks, lengths, signal, plan),
        length=None if signal.length is None else _output_size(signal.length, signal, plan),
        rate=None if signal.rate is None else max(1, round(signal.rate / stride)),
        columns=signal.columns if channels == signal.channels else (),
    )


def _output_size(length: int, signal: Signal, plan: Pass) -> int:
    """The results that a signal of this length has; InputError where it has none."""
    geometry, taps = plan.geometry, plan.kernel.weights.shape[1]
    try:
        sides = plan.before, plan.after
        return plan_axis(length, taps, geometry.stride, geometry.dilation, sides).output_size
    except ValueError as error:
        raise InputError(f"{signal.name}: {error}: use a shorter one, or --padding same") from None


def _measured(blocks: Iterable[np.ndarray], lengths: list[int]) -> Iterator[np.ndarray]:
    """The blocks, whose length is added to the list when all have gone by."""
    count = 0
    for block in blocks:
        count += block.shape[1]
        yield block
    lengths.append(count)


def _checked(
    blocks: Iterable[np.ndarray], lengths: list[int], signal: Signal, plan: Pass
) -> Iterator[np.ndarray]:
    is_empty = True
    for block in blocks:
        if not np.isfinite(block).all():
            raise InputError(
                f"{signal.name}: a result is beyond the range of float64: make the numbers smaller"
            )
        if block.shape[1]:
            is_empty = False
            yield block
    if is_empty:
        _output_size(lengths[0], signal, plan)  # raises: no window fits


def _pieces(
    blocks: Iterable[np.ndarray], outputs: int, extent: int = 1, stride: int = 1, live: bool = False
) -> Iterator[np.ndarray]:
    """Cut a stream into overlapping pieces of ``outputs`` windows each; the last has fewer.

    ``live`` pieces have as many windows as there are samples for.
    """
    parts: list[np.ndarray] = []
    count = skipped = 0  # samples that are held; samples to come that no window reads
    for block in chain(blocks, [None]):
        if block is not None:
            parts.append(block[:, skipped:])
            count += parts[-1].shape[1]
            skipped = max(0, skipped - block.shape[1])
        least = 1 if live or block is None else outputs
        if count < (least - 1) * stride + extent:
            continue
        held = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        first = 0
        while count - first >= (least - 1) * stride + extent:
            windows = min(outputs, (count - first - extent) // stride + 1)
            yield held[:, first : first + (windows - 1) * stride + extent]
            first += windows * stride
        parts, skipped = [held[:, first:]], skipped + max(0, first - count)
        count = max(0, count - first)


def _direct(piece: np.ndarray, plan: Pass, silent: bool = False) -> np.ndarray:
    """Every window that lies in a piece (C, n), (max(C, F), windows)."""
    weights = plan.kernel.weights
    results = _windows(piece, weights, plan.geometry)
    if silent:
        most = ROUNDING * np.abs(weights).sum(axis=1).max() * np.abs(piece).max(initial=0)
        if ((np.abs(results) <= most) & (results != 0)).any():
            sizes = _windows(np.abs(piece), np.abs(weights), plan.geometry)
            results[(np.abs(results) <= ROUNDING * sizes) & np.isfinite(sizes)] = 0
    return results


def _windows(piece: np.ndarray, weights: np.ndarray, geometry: Geometry) -> np.ndarray:
    """The same by the engine's filter bank."""
    responses = filter_bank(
        piece[:, :, None],  # channels as the rows of an image
        weights[:, None],
        stride=(1, geometry.stride),
        dilation=(1, geometry.dilation),
        padding="valid",
        flip=geometry.flip,
    )[..., 0]  # (F, C, windows)
    rows, channels, _ = responses.shape
    if rows == 1 or channels == 1:
        return responses.reshape(rows * channels, -1)
    return responses[np.arange(rows), np.arange(rows)]


def _transformed(padded: Iterable[np.ndarray], plan: Pass) -> Iterator[np.ndarray]:
    """The same by overlap-add, less the windows that begin before the signal and its padding."""
    geometry, weights = plan.geometry, plan.kernel.weights
    if not geometry.flip:
        weights = weights[:, ::-1]
    spread = np.zeros((len(weights), plan.extent))
    spread[:, :: geometry.dilation] = weights
    unread = plan.extent - 1  # results before the next one that is wanted
    for results in overlap_add(_pieces(padded, block_length(plan.extent)), spread):
        wanted = results[:, unread :: geometry.stride]
        unread += wanted.shape[1] * geometry.stride - results.shape[1]
        yield wanted


def with_borders(
    blocks: Iterable[np.ndarray],
    before: int,
    after: int,
    border: str = "constant",
    constant: float = 0.0,
) -> Iterator[np.ndarray]:
    """The blocks (C, n) of a signal with ``before`` and ``after`` samples beside it.

    The rules are those of :func:`cnntool.engine.windows.border_indices`. Only what the borders
    repeat is held: the first before + 1 samples and the last after + 1. ``wrap`` puts the end
    before the beginning, so that the signal is first read to its end, into a file on disk.
    """
    if border == "wrap" and before + after:
        yield from _wrapped(blocks, before, after)
        return
    is_near = border in ("constant", "edge")  # which look no further than the end
    first, last = (1 if is_near else size + 1 for size in (before, after))
    blocks, head, count = iter(blocks), [], 0
    while count < first and (block := next(blocks, None)) is not None:
        head.append(block)
        count += block.shape[1]
    if not head:
        return
    if before:
        yield _made_up(np.concatenate(head, axis=1), range(-before, 0), border, constant)
    tail: deque[np.ndarray] = deque()
    count = 0
    for block in chain(head, blocks):
        yield block
        tail.append(block)
        count += block.shape[1]
        while count - tail[0].shape[1] >= last:
            count -= tail.popleft().shape[1]
    if after:
        yield _made_up(
            np.concatenate(list(tail), axis=1), range(count, count + after), border, constant
        )


def _made_up(known: np.ndarray, positions: range, border: str, constant: float) -> np.ndarray:
    """The samples at positions beside those that are known, (C, positions)."""
    if border == "constant":
        return np.full((len(known), len(positions)), constant)
    return known[:, border_indices(np.array(positions), known.shape[1], border)]


def _wrapped(blocks: Iterable[np.ndarray], before: int, after: int) -> Iterator[np.ndarray]:
    """Positions -before ... L + after - 1 of the signal repeated without end."""
    with tempfile.TemporaryFile() as file:
        channels = length = 0
        for block in blocks:
            channels = len(block)
            length += block.shape[1]
            file.write(np.ascontiguousarray(block.T).data)
        if not length:
            return
        end, period = length + after, length
        if length * channels < BLOCK:  # a short signal, often enough for whole blocks
            file.seek(0)
            times = BLOCK // (length * channels)
            file.write(file.read() * times)
            period += length * times
        position = -before
        while position < end:
            start = position % period
            count = min(max(1, BLOCK // channels), period - start, end - position)
            file.seek(8 * channels * start)
            samples = np.frombuffer(file.read(8 * channels * count), np.float64)
            yield np.ascontiguousarray(samples.reshape(count, channels).T)
            position += count

"""Where windows are cut: sizes, padding, borders and im2col, planned once for every operation.

A window of ``kernel_size`` taps, ``dilation`` apart, slides over an axis of ``size`` elements in
steps of ``stride``. What lies before and after the axis is made up by the border rule.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cnntool.choices import BORDERS

Padding = str | int | tuple[int, int]
"""Of one axis: both sides alike, or (before, after)."""

AxisPaddings = str | int | Sequence[Padding]
"""Of several axes: all alike, or one entry an axis: ``(h, w)``, ``((top, bottom), (left, right))``.
"""


@dataclass(frozen=True)
class Axis:
    """The windows along one axis; output ``o`` reads inputs ``o*stride - before + k*dilation``."""

    size: int
    kernel_size: int
    stride: int
    dilation: int
    before: int
    after: int
    overhang: int = 0  # beyond the padding, where the last window of ceil mode ends

    @functools.cached_property
    def extent(self) -> int:
        """From a window's first tap to its last: ``(kernel_size-1)*dilation + 1`` elements."""
        return (self.kernel_size - 1) * self.dilation + 1

    @functools.cached_property
    def output_size(self) -> int:
        """``floor((size + before + after + overhang - extent) / stride) + 1``, or 0."""
        length = self.size + self.before + self.after + self.overhang
        return max(0, (length - self.extent) // self.stride + 1)

    def span(self, outputs: int) -> int:
        """Inputs under so many neighbouring outputs: ``(outputs-1)*stride + extent``."""
        return (outputs - 1) * self.stride + self.extent

    @functools.cached_property
    def is_inside(self) -> bool:
        """Whether no window reaches beyond the axis."""
        return self.before == 0 and self.span(self.output_size) <= self.size

    def input_positions(self, start: int, count: int) -> range:
        """The inputs under outputs ``start .. start+count-1``; some may lie outside the axis."""
        first = start * self.stride - self.before
        return range(first, first + self.span(count))

    def part(self, start: int, stop: int) -> Axis:
        """The windows of outputs ``start .. stop-1`` alone, over the same inputs."""
        before = self.before - start * self.stride
        after = self.span(stop - start) - before - self.size
        return replace(self, before=before, after=after, overhang=0)

    @functools.cached_property
    def taps(self) -> tuple[tuple[slice, slice], ...]:
        """:meth:`tap` of every tap."""
        return tuple(map(self.tap, range(self.kernel_size)))

    def tap(self, index: int) -> tuple[slice, slice]:
        """The outputs whose tap ``index`` lies on the axis, and the inputs that it reads there.

        Outputs outside the slice have that tap in the padding. Copying inputs to outputs tap by tap
        is im2col; adding outputs to inputs is its adjoint.
        """
        offset = index * self.dilation - self.before
        first = max(0, -(offset // self.stride))
        last = min(self.output_size, (self.size - 1 - offset) // self.stride + 1)
        last = max(first, last)
        start = first * self.stride + offset
        stop = max(start, start + (last - first - 1) * self.stride + 1)
        return slice(first, last), slice(start, stop, self.stride)

    def taps_inside(self) -> np.ndarray:
        """How many taps of each window lie on the axis itself, (output_size,)."""
        counts = np.zeros(self.output_size, np.intp)
        for index in range(self.kernel_size):
            counts[self.tap(index)[0]] += 1
        return counts


Axes = tuple[Axis, ...]
"""Of maps: rows and columns."""


def plan_axis(
    size: int,
    kernel_size: int,
    stride: int = 1,
    dilation: int = 1,
    padding: Padding = 0,
    *,
    flipped: bool = False,
    ceil_mode: bool = False,
) -> Axis:
    """Plan the windows along one axis.

    ``padding`` is a number for both sides, a pair (before, after), or one of

    - ``same``: the window is centred on inputs 0, stride, 2*stride, ... The centre of an extent e
      is e // 2 as in scipy.ndimage, so an even window reaches one further back than forward
      (``flipped``: one further forward, as the centre turns with a flipped kernel);
    - ``valid``: only windows that lie wholly inside;
    - ``full``: every window that touches the axis.

    ``ceil_mode`` keeps a last window that reaches beyond the padding, as long as it starts on the
    axis or in the padding before it: ``ceil`` instead of ``floor`` in the output size, and never
    less than one window.

    Raises ValueError, naming the sizes, where a number is out of range or no window fits.
    """
    for name, value in (("size", size), ("kernel_size", kernel_size)):
        if value < 1:
            raise ValueError(f"{name} is {value}: it must be at least 1")
    for name, value in (("stride", stride), ("dilation", dilation)):
        if value < 1:
            raise ValueError(f"{name} is {value}: it must be at least 1")
    extent = (kernel_size - 1) * dilation + 1
    before, after = _pads(padding, extent, flipped)
    if min(before, after) < 0:
        raise ValueError(f"padding is {min(before, after)}: it must be at least 0")
    overhang = 0
    if ceil_mode:
        rest = (size + before + after - extent) % stride
        last_start = size + before + after - extent - rest + stride  # of the one window more
        if size + before + after < extent:  # one window, larger than all there is
            overhang = extent - size - before - after
        elif rest and last_start < size + before:
            overhang = stride - rest
    axis = Axis(size, kernel_size, stride, dilation, before, after, overhang)
    if axis.output_size < 1:
        raise ValueError(
            f"a kernel that spans {extent} does not fit into {size} + padding {before} + {after}"
        )
    return axis


def _pads(padding: Padding, extent: int, flipped: bool) -> tuple[int, int]:
    if isinstance(padding, tuple):
        return padding
    if not isinstance(padding, str):
        return padding, padding
    if padding == "same":
        centre = extent - 1 - extent // 2 if flipped else extent // 2
        return centre, extent - 1 - centre
    if padding == "valid":
        return 0, 0
    if padding == "full":
        return extent - 1, extent - 1
    raise ValueError(f"padding is '{padding}': expected same, valid, full or a number")


def plan_axes(
    sizes: Sequence[int],
    kernel_sizes: Sequence[int],
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    padding: AxisPaddings = 0,
    *,
    flipped: bool = False,
    ceil_mode: bool = False,
) -> tuple[Axis, ...]:
    """Plan the windows along several axes; a setting is one for all of them, or one an axis."""
    count = len(sizes)
    settings = zip(
        sizes,
        kernel_sizes,
        per_axis(stride, count, "stride"),
        per_axis(dilation, count, "dilation"),
        per_axis(padding, count, "padding"),
        strict=True,
    )
    return tuple(_planned_axis(*axis, flipped, ceil_mode) for axis in settings)


@functools.lru_cache(maxsize=1024)
def _planned_axis(size, kernel_size, stride, dilation, padding, flipped, ceil_mode) -> Axis:
    return plan_axis(
        size, kernel_size, stride, dilation, padding, flipped=flipped, ceil_mode=ceil_mode
    )


def per_axis(value, count: int, name: str) -> tuple:
    """One value an axis: ``3 -> (3, 3)``, ``(3, 5) -> (3, 5)``; whole numbers, for a padding also
    words and pairs, for an output size None."""
    if type(value) is int:
        return (value,) * count
    if not isinstance(value, Sequence | np.ndarray) or isinstance(value, str):
        return (_setting(value, name),) * count
    values = tuple(_setting(each, name) for each in value)
    if len(values) != count:
        raise ValueError(f"{name} has {len(values)} values: expected one, or {count}")
    return values


def _setting(value, name: str):
    if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str):
        return tuple(whole(each, name) for each in value)
    is_word = isinstance(value, str) and name == "padding"
    return value if is_word or (value is None and name == "output_size") else whole(value, name)


def whole(value, name: str) -> int:
    """A setting that is a whole number; ValueError for 1.5 and anything else."""
    try:
        return int(operator.index(value))
    except TypeError:
        raise ValueError(f"{name} is {value!r}: expected a whole number") from None


def border_indices(positions: np.ndarray, size: int, border: str) -> np.ndarray:
    """Map positions anywhere on the line onto an axis of ``size`` elements, -1 for a constant.

    ======== ======================= ============== ============ ==============
    border   of ``a b c d``          SciPy          NumPy        OpenCV
    ======== ======================= ============== ============ ==============
    reflect  ``c b a|a b c d|d c b`` reflect        symmetric    REFLECT
    mirror   ``d c b|a b c d|c b a`` mirror         reflect      REFLECT_101
    edge     ``a a a|a b c d|d d d`` nearest        edge         REPLICATE
    wrap     ``b c d|a b c d|a b c`` grid-wrap      wrap         WRAP
    constant ``k k k|a b c d|k k k`` constant       constant     CONSTANT
    ======== ======================= ============== ============ ==============
    """
    if border == "edge":
        return np.clip(positions, 0, size - 1)
    if border == "wrap":
        return positions % size
    if border == "reflect":
        phase = positions % (2 * size)
        return np.minimum(phase, 2 * size - 1 - phase)
    if border == "mirror":
        period = max(1, 2 * size - 2)
        phase = positions % period
        return np.minimum(phase, period - phase)
    if border == "constant":
        return np.where((positions >= 0) & (positions < size), positions, -1)
    raise ValueError(f"border is '{border}': expected one of {', '.join(BORDERS)}")


@dataclass(frozen=True, eq=False)
class SomeRows:
    """An image of which only those rows are at hand that are read: for :func:`padded_tile` one.

    size: rows of the image. runs: some of them, (n, ...), each behind the number of its first.
    """

    size: int
    runs: tuple[tuple[int, np.ndarray], ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.size, *self.runs[0][1].shape[1:])

    @property
    def dtype(self) -> np.dtype:
        return self.runs[0][1].dtype

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Neighbouring rows as a view, where they are in one run; any others in an array."""
        if isinstance(rows, slice):
            for first, run in self.runs:
                if first <= rows.start and rows.stop <= first + len(run):
                    return run[rows.start - first : rows.stop - first]
            rows = np.arange(rows.start, rows.stop)
        found, missing = np.empty((len(rows), *self.shape[1:]), self.dtype), len(rows)
        for first, run in self.runs:
            here = (rows >= first) & (rows < first + len(run))
            found[here] = run[rows[here] - first]
            missing -= np.count_nonzero(here)
        if missing:
            raise IndexError(f"{missing} of {len(rows)} rows are not at hand")
        return found


def runs_read(positions: range, size: int, border: str) -> list[range]:
    """The elements of an axis of ``size`` that stand at positions anywhere on the line, in runs.

    Of a constant border those at the ends are among them, which are nearest to what it makes up.
    """
    rule = "edge" if border == "constant" else border
    found = np.unique(border_indices(np.arange(positions.start, positions.stop), size, rule))
    cuts = np.flatnonzero(np.diff(found) > 1) + 1
    return [range(int(run[0]), int(run[-1]) + 1) for run in np.split(found, cuts)]


def padded_tile(
    image: np.ndarray | SomeRows,
    rows: range,
    columns: range,
    border: str,
    constant: float | np.ndarray = 0,
    *,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """The part of an image (H, W, C) at ``rows`` x ``columns``, made up where that is outside.

    The ranges have step 1 and may lie anywhere. Returns (rows, columns, C) in the image's own
    dtype, or ``out``. Work and memory are those of the part, however far it is from the image.
    """
    if out is None:
        out = np.empty((len(rows), len(columns), image.shape[2]), image.dtype)
    inside, outside = _split(rows, image.shape[0])
    if inside:
        within = slice(rows.start + inside.start, rows.start + inside.stop)
        _pad_columns(image[within], columns, border, constant, out[inside.start : inside.stop])
    for part in outside:
        target = out[part.start : part.stop]
        if border == "constant":
            target[...] = constant
        else:
            start, stop = rows.start + part.start, rows.start + part.stop
            source = image[_stand_ins(start, stop, image.shape[0], border)]
            _pad_columns(source, columns, border, constant, target)
    return out


def _pad_columns(
    image: np.ndarray, columns: range, border: str, constant: float | np.ndarray, out: np.ndarray
) -> None:
    inside, outside = _split(columns, image.shape[1])
    if inside:
        first = columns.start + inside.start
        out[:, inside.start : inside.stop] = image[:, first : first + len(inside)]
    for part in outside:
        target = out[:, part.start : part.stop]
        if border == "constant":
            target[...] = constant
        else:
            start, stop = columns.start + part.start, columns.start + part.stop
            target[...] = image[:, _stand_ins(start, stop, image.shape[1], border)]


@functools.lru_cache(maxsize=64)
def _stand_ins(start: int, stop: int, size: int, border: str) -> np.ndarray | slice:
    """Which elements of an axis stand for positions ``start .. stop-1`` outside of it."""
    indices = border_indices(np.arange(start, stop), size, border)
    first = int(indices[0])
    return slice(first, first + 1) if len(indices) == 1 else indices


def _split(positions: range, size: int) -> tuple[range, list[range]]:
    """Which of the positions lie on an axis of ``size``, and the runs of those that do not."""
    count = len(positions)
    start = min(max(0, -positions.start), count)
    stop = max(start, min(count, size - positions.start))
    return range(start, stop), [run for run in (range(start), range(stop, count)) if run]


def im2col(
    x: np.ndarray, rows: Axis, columns: Axis, *, out: np.ndarray | None = None
) -> np.ndarray:
    """Lay the window of every output side by side: (N, C, H, W) to (N, C, kh, kw, oh, ow).

    ``out[n, c, k, l, i, j] = x[n, c, i*s - p + k*d, j*s - p + l*d]``, and 0 in the padding. A
    convolution is then one matrix product: weight (F, C*kh*kw) times this (C*kh*kw, oh*ow).
    """
    if out is None:
        sizes = rows.kernel_size, columns.kernel_size, rows.output_size, columns.output_size
        out = np.empty((*x.shape[:-2], *sizes), x.dtype)
    for tap, seen, read in _taps(rows, columns):
        windows = out[tap]  # (N, C, oh, ow)
        _zero_outside(windows, *seen[1:])
        windows[seen] = x[read]
    return out


def col2im(
    windows: np.ndarray, rows: Axis, columns: Axis, *, out: np.ndarray | None = None
) -> np.ndarray:
    """The adjoint of :func:`im2col`: add every window back where it was cut, to ``out`` if given.

    ``windows`` (N, C, kh, kw, oh, ow) to (N, C, H, W); what fell on the padding is dropped.
    ``<im2col(x), c> = <x, col2im(c)>`` for all x and c.
    """
    if out is None:
        out = np.zeros((*windows.shape[:-4], rows.size, columns.size), windows.dtype)
    for tap, seen, read in _taps(rows, columns):
        out[read] += windows[tap][seen]
    return out


def _taps(rows: Axis, columns: Axis) -> Iterator[tuple[tuple, tuple, tuple]]:
    """Of every tap where it stands in windows (N, C, kh, kw, oh, ow), the outputs (N, C, oh, ow)
    that see it on the axes, and the inputs (N, C, H, W) that they read."""
    everywhere = slice(None)
    for k, (row_outputs, row_inputs) in enumerate(rows.taps):
        for index, (column_outputs, column_inputs) in enumerate(columns.taps):
            tap = ..., k, index, everywhere, everywhere
            yield tap, (..., row_outputs, column_outputs), (..., row_inputs, column_inputs)


def _zero_outside(windows: np.ndarray, rows: slice, columns: slice) -> None:
    """Zero (..., oh, ow) outside a rectangle."""
    height, width = windows.shape[-2:]
    if rows.start > 0:
        windows[..., : rows.start, :] = 0
    if rows.stop < height:
        windows[..., rows.stop :, :] = 0
    if columns.start > 0:
        windows[..., : columns.start] = 0
    if columns.stop < width:
        windows[..., columns.stop :] = 0


@functools.lru_cache(maxsize=1024)
def cut_axis(axis: Axis, most: int) -> tuple[tuple[slice, Axis], ...]:
    """The outputs of an axis in even pieces of at most ``most``, each with its windows alone."""
    pieces = even_slices(axis.output_size, most)
    return tuple((piece, axis.part(piece.start, piece.stop)) for piece in pieces)


def even_cuts(size: int, most: int) -> int:
    """The size of the pieces when ``size`` is cut into as few as possible of at most ``most``."""
    return -(-size // -(-size // most))


def even_slices(size: int, most: int) -> list[slice]:
    """Those pieces."""
    step = even_cuts(size, most) if size else 1
    return [slice(start, min(start + step, size)) for start in range(0, size, step)]

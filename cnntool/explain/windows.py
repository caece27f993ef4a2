"""All the numbers between a window of pixels and the pixel that a filter makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cnntool.engine.windows import Axis, border_indices
from cnntool.errors import RequestError
from cnntool.files.image import Image
from cnntool.imaging.filter_pass import FilterPass
from cnntool.imaging.filter_plan import Geometry, plan_chain
from cnntool.imaging.filtering import Rendering, chain_over
from cnntool.imaging.kernels import Filter
from cnntool.imaging.rows import rows_of
from cnntool.imaging.tone import Losses, Tone
from cnntool.imaging.transparency import alpha_in_depth


@dataclass(frozen=True)
class Taps:
    """Where a window reads along one axis; some positions may lie outside the picture."""

    positions: tuple[int, ...]
    sources: tuple[int, ...]  # the pixel that stands there by the border rule, -1: the constant
    centre: int

    @property
    def inside(self) -> tuple[bool, ...]:
        return tuple(p == s for p, s in zip(self.positions, self.sources, strict=True))


@dataclass(frozen=True, eq=False)
class WindowFacts:
    """How one output pixel came about: F kernels of kh x kw over C channels, R results.

    R is 1, or F where the responses are not combined. Where some pixels of the picture are
    transparent, ``pixels`` are colours times alpha, and the responses are brought back to colours
    (see :func:`~cnntool.imaging.transparency.unweighting`); else they are the plain sums.
    """

    x: int
    y: int
    output_size: tuple[int, int]  # height, width
    rows: Taps
    columns: Taps
    pixels: np.ndarray  # (kh, kw, C)
    alphas: np.ndarray | None  # (kh, kw) from 0 to 1
    names: tuple[str, ...]
    bank: np.ndarray  # (F, kh, kw), turned already where that is asked for
    responses: np.ndarray  # (F, C), the engine's sums
    combine: str
    combined: np.ndarray  # (R, C)
    scale: float
    bias: float
    values: np.ndarray  # (R, C), scaled and shifted
    tones: tuple[Tone, ...]  # R
    result: np.ndarray  # (R, C), as it is written
    alpha: float | None  # of the result

    @property
    def products(self) -> np.ndarray:
        """(F, C, kh, kw): each weight times the pixel under it."""
        return self.bank[:, None] * np.moveaxis(self.pixels, -1, 0)

    @property
    def is_inside(self) -> np.ndarray:
        """(kh, kw): whether a pixel of the picture itself stands there."""
        return np.outer(self.rows.inside, self.columns.inside)

    @property
    def strongest(self) -> int:
        """The kernel that answers most."""
        responses = self.responses if self.combine == "maximum" else np.abs(self.responses)
        return int(responses.sum(axis=1).argmax())


def largest_places(values: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of at most so many of the values (h, w) that are largest in size.

    The largest first, of those that are equal but for rounding the first; zeros and NaN come last.
    """
    sizes = np.nan_to_num(np.abs(values))
    order = np.argsort(-np.round(sizes / (sizes.max() or 1), 12), axis=None, kind="stable")[:most]
    rows, columns = np.unravel_index(order, values.shape)
    return rows, columns


def window_facts(
    image: Image,
    filters: Sequence[Filter],
    geometry: Geometry,
    rendering: Rendering,
    at: tuple[int, int] | None = None,
) -> WindowFacts:
    """Explain pixel ``at`` (x, y; None is the middle) of what filter_image makes of an image.

    The last filter of a chain is explained, on what those before it made of the first frame. The
    responses are caught from a pass over the whole picture. Raises InputError where the kernel does
    not fit, RequestError where ``at`` is outside the result.
    """
    frame, white = image.frames[0], image.white
    plans = plan_chain(frame.pixels.shape, filters, geometry)
    chain = chain_over(rows_of(frame), white, plans, rendering)
    last, tones = chain.last, chain.survey.tones
    height, width = last.plan.shape[:2]
    x, y = place_of(at, height, width)
    kernel, (scale, bias) = last.plan.kernel, last.affine
    bare = replace(kernel, bias=0.0)
    plain = replace(last, plan=replace(last.plan, kernel=bare), scale=1.0, bias=0.0)
    apart = replace(plain.plan, kernel=replace(bare, combine="none"))
    responses = value_at(replace(plain, plan=apart), x, y)
    combined = plain.finish(responses.copy())
    values = last.finish(responses.copy())
    result = [
        tone.apply(row.copy(), Losses()).astype(tone.dtype)
        for tone, row in zip(tones, values, strict=True)
    ]
    pixels, alphas, rows, columns = _window(last, x, y)
    bank = kernel.bank[:, ::-1, ::-1] if geometry.flip else kernel.bank
    (step,) = last.steps()
    alpha = last.alpha(step)
    if alpha is not None:
        alpha = alpha_in_depth(alpha[y : y + 1, x : x + 1], white, tones[0].dtype, tones[0].white)
        alpha = alpha.item()
    return WindowFacts(
        x=x,
        y=y,
        output_size=(height, width),
        rows=rows,
        columns=columns,
        pixels=pixels,
        alphas=alphas,
        names=kernel.names,
        bank=bank,
        responses=responses,
        combine=kernel.combine,
        combined=combined,
        scale=scale,
        bias=bias,
        values=values,
        tones=tones,
        result=np.stack(result),
        alpha=alpha,
    )


def place_of(at: tuple[int, int] | None, height: int, width: int) -> tuple[int, int]:
    """``at`` (x, y), or the middle; RequestError where a result has no such pixel."""
    x, y = (width // 2, height // 2) if at is None else at
    if not (0 <= x < width and 0 <= y < height):
        raise RequestError(
            f"position {x},{y} is outside the result, which has {width} x {height} pixels: x is 0 "
            f"to {width - 1}, y is 0 to {height - 1}"
        )
    return x, y


def value_at(last: FilterPass, x: int, y: int) -> np.ndarray:
    """The values (results, C) of one output pixel, out of a pass over the whole picture."""
    found = np.empty((last.plan.count, last.plan.shape[2]), last.blocks.dtype)

    def catch(index: int, values: np.ndarray, rows: slice, columns: slice) -> None:
        if rows.start <= y < rows.stop and columns.start <= x < columns.stop:
            block = values.reshape(rows.stop - rows.start, columns.stop - columns.start, -1)
            found[index] = block[y - rows.start, x - columns.start]

    for step in last.steps():
        last.run(step, catch)
    return found


def _window(last: FilterPass, x: int, y: int):
    """The pixels under the window, their alphas, and where they lie."""
    constant: float | np.ndarray = last.plan.geometry.constant
    if last.is_weighted:
        constant = np.append(np.full(last.plan.shape[2], constant), 1)
    rows, columns = _taps(last, last.plan.rows, y), _taps(last, last.plan.columns, x)
    sources = np.array(rows.sources)[:, None], np.array(columns.sources)
    (frame,) = last.picture.strips(0)
    pixels = last.pixels(frame)[sources].astype(np.float64)  # (kh, kw, C)
    pixels[(sources[0] < 0) | (sources[1] < 0)] = constant
    if last.is_weighted:
        return pixels[..., :-1], pixels[..., -1], rows, columns
    return pixels, None, rows, columns


def _taps(last: FilterPass, axis: Axis, output: int) -> Taps:
    positions = axis.input_positions(output, 1)[:: axis.dilation]
    sources = border_indices(np.array(positions), axis.size, last.plan.geometry.border)
    before = axis.extent // 2
    centre = axis.extent - 1 - before if last.plan.geometry.flip else before
    return Taps(tuple(positions), tuple(sources.tolist()), positions[0] + centre)

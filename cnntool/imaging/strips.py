"""What filtering in strips takes: a look over the whole picture before, and memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

import numpy as np

from cnntool.engine.arrays import float_dtype
from cnntool.engine.filters.banks import widened
from cnntool.engine.filters.spectral import Spread
from cnntool.imaging.filter_pass import FilterPass
from cnntool.imaging.filter_plan import FilterPlan
from cnntool.imaging.rows import Rows
from cnntool.imaging.transparency import hides, weighted

SURVEYED_ROWS = 64

IN_FLIGHT = 3
"""Strips of a result that there are at a time: one is made, one waits, one is written."""


def survey(rows: Rows, white: float, plans: Sequence[FilterPlan]) -> Iterator[tuple[bool, bool]]:
    """Whether FilterPass is to be ``is_weighted`` and ``is_wide`` for each filter of a chain over
    a picture, which goes by once where alpha or the span of floats decides how it is filtered."""
    hidden = [False] * len(plans)
    if rows.has_alpha:
        hidden = _transparent(rows, white, plans)
    for plan, is_weighted in zip(plans, hidden, strict=True):
        channels = rows.shape[2] + is_weighted
        is_float = is_weighted or rows.dtype.kind == "f"
        is_wide = False
        if is_float and plan.blocks(channels, np.dtype(np.float32)).is_narrow:
            spread = Spread(prod((*rows.shape[:2], channels)))
            for strip in rows.strips(0):
                values = strip.pixels
                if is_weighted and strip.alpha is not None:
                    values = weighted(values, strip.alpha, white)
                spread.add(values)
            is_wide = spread.is_wide
        yield is_weighted, is_wide
        facts = {"is_weighted": is_weighted, "is_wide": is_wide}
        rows = FilterPass(rows, white, plan, height=SURVEYED_ROWS, **facts).result


def _transparent(rows: Rows, white: float, plans: Sequence[FilterPlan]) -> list[bool]:
    """Whether the picture before each filter of a chain has a pixel that is not opaque."""
    found = [False] * len(plans)
    seen = [(np.arange(rows.shape[0]), np.arange(rows.shape[1]))]
    for plan in plans[:-1]:  # a result keeps what lies at the centres of its windows
        down, across = plan.centres()
        seen.append((seen[-1][0][down], seen[-1][1][across]))
    top = 0
    for strip in rows.strips(0):
        bottom = top + len(strip.pixels)
        for index, (down, across) in enumerate(seen):
            here = down[(down >= top) & (down < bottom)] - top
            if not found[index] and strip.alpha is not None and here.size:
                found[index] = hides(strip.alpha[here][:, across], white)
        top = bottom
    return found


def bytes_in_strips(
    rows: Rows, plans: Sequence[FilterPlan], height: int, threads: int, results: int
) -> int:
    """About the memory that a chain takes in strips of so many rows.

    results: bytes of a row of all that comes out, of which strips are made, wait and are written.
    """
    total = IN_FLIGHT * height * results
    width, channels, dtype = rows.shape[1], rows.shape[2], rows.dtype
    wide = float_dtype(np.empty(0, dtype))
    for plan in plans:
        values = channels + rows.has_alpha  # of a pixel
        blocks = plan.blocks(values, wide)
        if blocks.is_narrow and (rows.has_alpha or dtype.kind == "f"):
            blocks = widened(blocks)  # as they may have to be
        made = max(height, blocks.strips * blocks.method.rows)
        held = min(plan.rows.size, plan.rows.span(made)) * width
        total += 2 * held * dtype.itemsize * values
        if rows.has_alpha:
            total += held * wide.itemsize * values
        total += threads * blocks.scratch_bytes
        _, width, channels = plan.shape
        channels, dtype = plan.count * channels, wide
        if plan is plans[-1]:
            total += IN_FLIGHT * (made - height) * results
        else:
            total += made * width * wide.itemsize * (channels + rows.has_alpha)
    return total

"""How much feature maps, and pools of them, change when the picture shifts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cnntool.errors import InputError
from cnntool.files.image import Image
from cnntool.imaging.filter_plan import Geometry, plan_filter
from cnntool.imaging.filtering import Rendering, filter_image
from cnntool.imaging.kernels import Filter
from cnntool.imaging.pooling import Pooling, pool_picture


@dataclass(frozen=True)
class Change:
    """What a shift does: the relative change of the feature maps, and of each pool of them.

    ``moved_back`` is the change of the feature maps once they are moved back by the shift, 0 where
    they are equivariant; None where the stride does not divide the shift.
    """

    shift: int
    feature_map: float
    pools: tuple[float, ...]
    moved_back: float | None


def measure_invariance(
    image: Image,
    filters: Sequence[Filter],
    geometry: Geometry,
    poolings: Sequence[Pooling],
    shifts: Sequence[int],
    direction: tuple[int, int] = (0, 1),
) -> tuple[Change, ...]:
    """Compare what filters and pools make of a picture with what they make of it shifted.

    The shifted picture has no invented border: with S the largest shift, every version is a cut of
    the first frame, as large as the picture less S, and shift d moves the cut by d against the
    direction, so that what enters at its edge is what the camera saw there. Filters take whole
    windows only (``geometry`` with padding 'valid'), unrounded. ``direction`` is how far rows and
    columns move with a shift of 1. A map m becomes m_d, and the change is
    ``||m_d - m_0|| / ||m_0||`` in the Euclidean norm over all its places, which stay where they
    are. Raises InputError where a shift, a kernel or a pool is too large for the picture.
    """
    frame, most = image.frames[0], max(shifts)
    down, right = direction
    height, width = frame.pixels.shape[:2]
    if most * down >= height or most * right >= width:
        raise InputError(
            f"a shift by {most} leaves nothing of a picture of {width} x {height} pixels: use a "
            "smaller one"
        )
    sides = height - most * down, width - most * right
    _check_kernels_fit(sides, filters, geometry, most)

    def maps(shift: int) -> list[np.ndarray]:
        top, left = (most - shift) * down, (most - shift) * right
        rows, columns = slice(top, top + sides[0]), slice(left, left + sides[1])
        cut = replace(frame, pixels=np.ascontiguousarray(frame.pixels[rows, columns]), alpha=None)
        rendering = Rendering("raw", dtype=np.dtype(np.float32))
        results = filter_image(replace(image, frames=(cut,)), filters, geometry, rendering)
        features = np.concatenate([r.image.frames[0].pixels for r in results], axis=2)
        whole = replace(image, frames=(replace(cut, pixels=features),))
        pools = [pool_picture(whole, pooling)[0].frames[0].pixels for pooling in poolings]
        return [features, *pools]

    still = maps(0)
    strides = [stride ** len(filters) for stride in geometry.stride]
    changes = []
    for shift in shifts:
        shifted = maps(shift)
        feature_map, *pools = (relative_change(*pair) for pair in zip(shifted, still, strict=True))
        moves = shift * down, shift * right
        moved_back = _moved_back(shifted[0], still[0], moves, strides)
        changes.append(Change(shift, feature_map, tuple(pools), moved_back))
    return tuple(changes)


def _check_kernels_fit(
    sides: tuple[int, int], filters: Sequence[Filter], geometry: Geometry, most: int
) -> None:
    """Raise InputError where a kernel is larger than what the shifts and those before it leave."""
    for kernel in filters:
        try:
            sides = plan_filter((*sides, 1), kernel, geometry).shape[:2]
        except InputError:
            raise InputError(
                f"{kernel.label} does not fit into the {sides[1]} x {sides[0]} pixels that are "
                f"left of the picture: use a smaller kernel"
                + (f", or shifts below {most}" if most else "")
            ) from None


def _moved_back(
    shifted: np.ndarray, still: np.ndarray, moves: Sequence[int], strides: Sequence[int]
) -> float | None:
    """The change of feature maps (H, W, F) that are moved back by so many inputs down and right.

    None where that is no whole number of outputs, or moves all of them out.
    """
    if any(move % stride for move, stride in zip(moves, strides, strict=True)):
        return None
    down, right = (move // stride for move, stride in zip(moves, strides, strict=True))
    back = shifted[down:, right:]
    return relative_change(back, still[: len(back), : back.shape[1]]) if back.size else None


def relative_change(shifted: np.ndarray, still: np.ndarray) -> float:
    """``||shifted - still|| / ||still||``; 0 where both are 0, infinite where only ``still`` is."""
    shifted, still = shifted.astype(np.float64), still.astype(np.float64)
    difference, size = np.linalg.norm(shifted - still), np.linalg.norm(still)
    if difference == 0:
        return 0.0
    return float(difference / size) if size > 0 else float("inf")

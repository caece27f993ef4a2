"""How arrays lie in memory changes no result, and operations do not write into their inputs."""

import numpy as np
import pytest
from operations import OPERATIONS


def samples_innermost(array):
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 0, -1)), -1, 0)


def backwards(array):
    """Negative steps along every axis."""
    everywhere = (slice(None, None, -1),) * array.ndim
    return np.ascontiguousarray(array[everywhere])[everywhere]


def with_gaps(array):
    """Every second element of an array twice as large along every axis."""
    room = np.full([2 * size for size in array.shape], 77, array.dtype)
    view = room[(slice(None, None, 2),) * array.ndim]
    view[...] = array
    return view


def alike_along(axis):
    """Steps of zero: one element stands for all along an axis. Other values, so compared alone."""
    return lambda array: np.broadcast_to(array.take([0], axis), array.shape)


LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "samples innermost": samples_innermost,
    "negative steps": backwards,
    "gaps": with_gaps,
    "zero steps along the first axis": alike_along(0),
    "zero steps along the last axis": alike_along(-1),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_how_arrays_lie_in_memory_changes_no_result(operation, layout):
    arrays = operation.arrays(np.float64)
    turned = [LAYOUTS[layout](array) for array in arrays]
    for which in [range(len(arrays)), *([index] for index in range(len(arrays)))]:
        given = [turned[i] if i in which else array for i, array in enumerate(arrays)]
        given = [array.view() for array in given]
        for array in given:
            array.flags.writeable = False
        plain = [np.array(array, order="C") for array in given]
        for ours, expected in zip(
            operation.results(*given), operation.results(*plain), strict=True
        ):
            limit = 1e-12 * max(1, np.abs(expected).max())
            np.testing.assert_allclose(ours, expected, rtol=0, atol=limit)

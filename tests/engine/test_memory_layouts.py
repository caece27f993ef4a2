"""How arrays lie in memory changes no result, and operations do not write into their inputs."""

import numpy as np
import pytest
from batched_operations import BATCHED, of
from operations import OPERATIONS

from cnntool import engine


def samples_innermost(array):
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 0, -1)), -1, 0)


def batch_of_steps_innermost(array):
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)


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


def unaligned(array):
    """One byte beside where elements of this size begin."""
    room = np.zeros(array.nbytes + 1, np.uint8)
    view = room[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def in_other_byte_order(array):
    return array.astype(array.dtype.newbyteorder())


LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "samples innermost": samples_innermost,
    "the batch of steps innermost": lambda a: batch_of_steps_innermost(a) if a.ndim > 1 else a,
    "negative steps": backwards,
    "gaps": with_gaps,
    "unaligned": unaligned,
    "the other byte order": in_other_byte_order,
    "zero steps along the first axis": alike_along(0),
    "zero steps along the last axis": alike_along(-1),
}


NO_OPERATIONS = {"GradientCheck", "gradcheck", "from_onnx", "from_torch", "textbook"}
"""What the engine offers beside: what checks operations, and how weights are ordered."""


def covered(operations):
    """The public names of operations, and of their ways back where they have one."""
    names = {str(operation).split()[0].rstrip(",") for operation in operations}
    return {name for each in names for name in (each, f"{each}_backward") if name in engine.__all__}


def test_every_public_operation_is_among_those_that_are_looked_at():
    assert covered([*OPERATIONS, *of(20)]) == set(engine.__all__) - NO_OPERATIONS


def test_and_in_batches_every_one_that_is_no_operation_on_one_image():
    of_images = {"filter_bank", "pool_image", "pool_image_to_size", "pyramid_pool_image"}
    assert covered(BATCHED) == set(engine.__all__) - NO_OPERATIONS - of_images


@pytest.mark.parametrize("operation", [*OPERATIONS, *of(20)], ids=str)
def test_how_arrays_lie_in_memory_changes_no_result(operation):
    """All arrays of an operation in one layout, and each of them alone."""
    arrays = operation.arrays(np.float64)
    check(operation, arrays, 1e-12, [[index] for index in range(len(arrays))])


@pytest.mark.parametrize("operation", BATCHED, ids=str)
def test_nor_does_it_in_a_batch_of_any_size_in_float32(operation):
    """Where there are faster ways, which come with other layouts of their own."""
    check(operation, operation.arrays(np.float32), 2e-5)


def check(operation, arrays, rounding, alone=()):
    """Results of arrays in any layout, all together and some ``alone``, are those of plain ones."""
    usual = operation.results(*arrays)
    for layout, lay in LAYOUTS.items():
        turned = [lay(array) for array in arrays]
        for which in [range(len(arrays)), *alone]:
            given = [turned[i] if i in which else array for i, array in enumerate(arrays)]
            given = [array.view() for array in given]
            for array in given:
                array.flags.writeable = False
            if any(not np.array_equal(*pair) for pair in zip(given, arrays, strict=True)):
                expected = operation.results(*[np.array(array, order="C") for array in given])
            else:
                expected = usual
            for ours, right in zip(operation.results(*given), expected, strict=True):
                limit = rounding * max(1, np.abs(right).max())
                np.testing.assert_allclose(ours, right, rtol=0, atol=limit, err_msg=layout)

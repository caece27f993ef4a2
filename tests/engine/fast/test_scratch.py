"""Tests of the memory that is used again."""

import numpy as np
import pytest

from cnntool.engine.fast.scratch import CACHE_LINE, Scratch, aligned


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.bool_])
@pytest.mark.parametrize("shape", [(0,), (1,), (30, 7), (300_001,)])
def test_memory_begins_with_a_cache_line(shape, dtype):
    found = aligned(shape, np.dtype(dtype))
    assert found.shape == shape
    assert found.dtype == dtype
    assert found.size == 0 or found.ctypes.data % CACHE_LINE == 0


def test_an_array_lies_in_the_memory_that_its_name_had_before():
    scratch = Scratch()
    first = scratch.array("windows", (3, 50), np.dtype(np.float32))
    other = scratch.array("product", (3, 50), np.dtype(np.float32))
    again = scratch.array("windows", (7, 20), np.dtype(np.float32))
    assert first.ctypes.data % CACHE_LINE == 0
    assert np.shares_memory(first, again)
    assert not np.shares_memory(first, other)

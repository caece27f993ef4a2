"""Planes sorted by phase against plain strided slices."""

import numpy as np
from hypothesis import given
from pool_geometry import geometries

from cnntool.engine.fast.polyphase import phases_of, split
from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.pool_windows import plan_pool


@given(geometries())
def test_every_tap_is_one_run_of_a_phase(geometry):
    shape, windows = geometry
    rows, columns = plan_pool(shape, **windows)
    x = np.random.default_rng(0).standard_normal((3, *shape))
    margin = 40  # more than any padding and overhang
    padded = np.pad(x, ((0, 0), (margin, margin), (margin, margin)), constant_values=-7)
    down, across = phases_of(rows), phases_of(columns)
    phases = split(x, down, across, -7, Scratch())
    for k, (a, top) in enumerate(down.places):
        for m, (b, left) in enumerate(across.places):
            first_row = margin - rows.before + k * rows.dilation
            first_column = margin - columns.before + m * columns.dilation
            expected = padded[:, first_row :: rows.stride, first_column :: columns.stride]
            expected = expected[:, : rows.output_size, : columns.output_size]
            run = phases[b, a, :, top : top + rows.output_size, left : left + columns.output_size]
            np.testing.assert_array_equal(run, expected)


def test_planes_without_stride_and_padding_are_not_copied():
    x = np.zeros((2, 5, 6))
    rows, columns = plan_pool((5, 6), 3, 1)
    phases = split(x, phases_of(rows), phases_of(columns), 0, Scratch())
    assert np.shares_memory(phases, x)

"""Window geometry against NumPy's own padding, PyTorch's formula and brute force."""

import numpy as np
import pytest
from borders import NUMPY_MODE
from hypothesis import assume, given
from hypothesis import strategies as st

from cnntool.engine.windows import (
    BORDERS,
    border_indices,
    col2im,
    im2col,
    padded_tile,
    plan_axes,
    plan_axis,
)


@given(
    size=st.integers(1, 30),
    kernel_size=st.integers(1, 9),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 3),
    before=st.integers(0, 12),
    after=st.integers(0, 12),
)
def test_output_size_is_the_number_of_windows_that_fit(
    size, kernel_size, stride, dilation, before, after
):
    last_tap = (kernel_size - 1) * dilation
    starts = [
        s for s in range(0, size + before + after, stride) if s + last_tap < size + before + after
    ]
    if not starts:
        with pytest.raises(ValueError, match="does not fit"):
            plan_axis(size, kernel_size, stride, dilation, (before, after))
        return
    axis = plan_axis(size, kernel_size, stride, dilation, (before, after))
    assert axis.output_size == len(starts)


@pytest.mark.parametrize(
    ("padding", "first_taps"),
    [
        ("same", [-1, 1, 3, 5]),
        ("valid", [0, 2, 4]),
        ("full", [-2, 0, 2, 4, 6]),
        (0, [0, 2, 4]),
        (3, [-3, -1, 1, 3, 5, 7]),
        ((1, 0), [-1, 1, 3]),
    ],
)
def test_windows_by_hand(padding, first_taps):
    axis = plan_axis(7, 3, 2, 1, padding)
    assert axis.output_size == len(first_taps)
    assert [axis.input_positions(o, 1)[0] for o in range(axis.output_size)] == first_taps


@given(size=st.integers(1, 40), kernel_size=st.integers(1, 12), stride=st.integers(1, 5))
def test_same_padding_has_an_output_for_every_stride_th_input(size, kernel_size, stride):
    assert plan_axis(size, kernel_size, stride, 1, "same").output_size == len(
        range(0, size, stride)
    )


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("stride", 0, "stride is 0"),
        ("dilation", 0, "dilation is 0"),
        ("size", 0, "size is 0"),
        ("padding", -1, "padding is -1"),
        ("padding", "half", "expected same, valid, full or a number"),
    ],
)
def test_impossible_geometry_is_named(argument, value, message):
    arguments = {"size": 5, "kernel_size": 3, argument: value}
    with pytest.raises(ValueError, match=message):
        plan_axis(**arguments)


@pytest.mark.parametrize("border", BORDERS)
@given(size=st.integers(2, 9), before=st.integers(0, 40), after=st.integers(0, 40))
def test_borders_are_numpys(border, size, before, after):
    signal = np.arange(1, size + 1)
    indices = border_indices(np.arange(-before, size + after), size, border)
    ours = np.where(indices < 0, 0, signal[indices])
    np.testing.assert_array_equal(ours, np.pad(signal, (before, after), NUMPY_MODE[border]))


@pytest.mark.parametrize("border", [b for b in BORDERS if b != "constant"])
def test_a_single_pixel_is_its_own_border(border):
    np.testing.assert_array_equal(border_indices(np.arange(-5, 6), 1, border), np.zeros(11))


def test_unknown_border_is_named():
    with pytest.raises(ValueError, match="border is 'mirrored'"):
        border_indices(np.arange(3), 3, "mirrored")


@pytest.mark.parametrize("border", BORDERS)
@given(data=st.data())
def test_any_tile_of_the_padded_image_is_a_cut_of_numpys(border, data):
    height, width = data.draw(st.integers(2, 7)), data.draw(st.integers(2, 7))
    image = np.random.default_rng(0).integers(0, 256, (height, width, 2), dtype=np.uint8)
    reach = 15
    options = {"constant_values": 9} if border == "constant" else {}
    whole = np.pad(image, ((reach, reach), (reach, reach), (0, 0)), NUMPY_MODE[border], **options)
    top, left = (data.draw(st.integers(-reach, size + reach - 1)) for size in (height, width))
    rows = range(top, data.draw(st.integers(top + 1, height + reach)))
    columns = range(left, data.draw(st.integers(left + 1, width + reach)))
    expected = whole[
        rows.start + reach : rows.stop + reach, columns.start + reach : columns.stop + reach
    ]
    tile = padded_tile(image, rows, columns, border, 9)
    np.testing.assert_array_equal(tile, expected)
    assert tile.dtype == np.uint8


axes = st.tuples(
    st.integers(1, 9),  # size
    st.integers(1, 4),  # kernel size
    st.integers(1, 4),  # stride
    st.integers(1, 3),  # dilation
    st.tuples(st.integers(0, 5), st.integers(0, 5)),
    st.booleans(),  # ceil mode
)


def planned(size, kernel_size, stride, dilation, padding, ceil_mode):
    try:
        return plan_axis(size, kernel_size, stride, dilation, padding, ceil_mode=ceil_mode)
    except ValueError:
        assume(False)


@given(axes)
def test_taps_agree_with_the_definition_of_a_window(settings):
    axis = planned(*settings)
    for index in range(axis.kernel_size):
        outputs, inputs = axis.tap(index)
        positions = np.arange(axis.output_size) * axis.stride - axis.before + index * axis.dilation
        on_axis = (positions >= 0) & (positions < axis.size)
        assert list(range(axis.output_size)[outputs]) == list(np.flatnonzero(on_axis))
        assert list(range(axis.size)[inputs]) == list(positions[on_axis])


@given(axes, axes)
def test_im2col_lays_out_the_windows_of_a_padded_image(vertical, horizontal):
    rows, columns = planned(*vertical), planned(*horizontal)
    x = np.random.default_rng(0).normal(size=(2, 3, rows.size, columns.size))
    pads = [(axis.before, axis.after + axis.overhang) for axis in (rows, columns)]
    padded = np.pad(x, ((0, 0), (0, 0), *pads))
    windows = np.lib.stride_tricks.sliding_window_view(
        padded, (rows.extent, columns.extent), axis=(2, 3)
    )[:, :, :: rows.stride, :: columns.stride, :: rows.dilation, :: columns.dilation]
    expected = windows.transpose(0, 1, 4, 5, 2, 3)
    np.testing.assert_array_equal(im2col(x, rows, columns), expected)


@given(axes, axes)
def test_col2im_is_the_adjoint_of_im2col(vertical, horizontal):
    rows, columns = planned(*vertical), planned(*horizontal)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3, rows.size, columns.size))
    windows = im2col(x, rows, columns)
    c = rng.normal(size=windows.shape)
    np.testing.assert_allclose(
        (windows * c).sum(), (x * col2im(c, rows, columns)).sum(), rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize(
    ("size", "kernel_size", "stride", "padding", "expected"),
    [
        (5, 2, 2, 0, 3),  # the last window has one element
        (4, 2, 2, 0, 2),
        (1, 2, 2, 0, 1),
        (6, 3, 2, 1, 4),
        (5, 1, 3, 0, 2),  # one window more would start beyond the axis
        (4, 2, 3, 1, 2),  # likewise: it would start in the padding after it
    ],
)
def test_ceil_mode_keeps_a_last_partial_window(size, kernel_size, stride, padding, expected):
    axis = plan_axis(size, kernel_size, stride, 1, padding, ceil_mode=True)
    assert axis.output_size == expected


def test_padding_may_differ_by_axis_and_side():
    sides = [
        [(axis.before, axis.after) for axis in plan_axes((9, 9), (3, 3), padding=padding)]
        for padding in (1, (1, 2), ((0, 1), (2, 3)), "same")
    ]
    assert sides == [
        [(1, 1), (1, 1)],
        [(1, 1), (2, 2)],
        [(0, 1), (2, 3)],
        [(1, 1), (1, 1)],
    ]
    with pytest.raises(ValueError, match="padding has 3 values: expected one, or 2"):
        plan_axes((9, 9), (3, 3), padding=(1, 2, 3))

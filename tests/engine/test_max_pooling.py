"""Max pooling against windows cut by hand, PyTorch and central differences."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pool_geometry import geometries, numerical_gradient, pool_by_hand

from cnntool.engine import pool_windows
from cnntool.engine.max_pooling import max_pool2d, max_pool2d_backward, max_pool2d_indices

SEEDS = st.integers(0, 1 << 30)


@pytest.fixture
def tiny_blocks(monkeypatch):
    """Work cut so small that every seam between blocks and threads shows."""
    monkeypatch.setattr(pool_windows, "BLOCK_ELEMENTS", 40)
    monkeypatch.setattr(pool_windows, "COST", 1 << 26)
    monkeypatch.setattr(pool_windows, "available_cores", lambda: 3)


def largest(elements, _):
    return elements.max(axis=-1)


@given(geometries(), SEEDS)
def test_every_window_is_the_largest_of_its_elements(geometry, seed):
    shape, windows = geometry
    x = np.random.default_rng(seed).standard_normal((2, 2, *shape))
    expected = pool_by_hand(x, largest, **windows)
    np.testing.assert_array_equal(max_pool2d(x, **windows)[0], expected)
    np.testing.assert_array_equal(max_pool2d(x, **windows, keep_winners=False)[0], expected)


def test_two_by_two_by_hand():
    x = np.array([[1, 2, 5, 3], [4, 3, 0, 5], [-1, -2, 7, 7], [-4, -3, 7, 6]], float)[None, None]
    y, cache = max_pool2d(x, 2)
    np.testing.assert_array_equal(y[0, 0], [[4, 5], [-1, 7]])
    np.testing.assert_array_equal(max_pool2d_indices(cache)[0, 0], [[4, 2], [8, 10]])
    dx = max_pool2d_backward(np.array([[[[1.0, 2.0], [3.0, 4.0]]]]), cache)
    expected = [[0, 0, 2, 0], [1, 0, 0, 0], [3, 0, 4, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(dx[0, 0], expected)


def test_padding_is_minus_infinity_and_never_wins():
    x = np.full((1, 1, 3, 3), -5.0)
    y, cache = max_pool2d(x, 3, stride=2, padding=1)
    np.testing.assert_array_equal(y, np.full((1, 1, 2, 2), -5.0))
    np.testing.assert_array_equal(max_pool2d_indices(cache)[0, 0], [[0, 1], [3, 4]])


@pytest.mark.parametrize("lowest", [np.float32(-np.inf), np.uint8(0), np.int16(-(1 << 15))])
def test_the_first_inside_wins_where_all_are_as_low_as_the_padding(lowest):
    x = np.full((1, 2, 4, 4), lowest)
    y, cache = max_pool2d(x, 3, stride=2, padding=1, ceil_mode=True)
    assert (y == lowest).all()
    np.testing.assert_array_equal(
        max_pool2d_indices(cache)[0, 1], [[0, 1, 3], [4, 5, 7], [12, 13, 15]]
    )


def test_the_first_tap_inside_wins_where_taps_are_apart():
    x = np.full((1, 1, 5, 5), -np.inf, np.float32)
    _, cache = max_pool2d(x, 3, stride=1, padding=2, dilation=2)
    first = np.array([0, 1, 0, 1, 2])  # of -2 0 2, -1 1 3, 0 2 4, 1 3 5, 2 4 6
    np.testing.assert_array_equal(max_pool2d_indices(cache)[0, 0], np.add.outer(5 * first, first))


def test_ties_go_to_the_first_in_reading_order():
    x = np.array([[0, 1, 1], [1, 1, 1], [1, 1, 0]], np.float32)[None, None]
    _, cache = max_pool2d(x, 2, stride=1)
    np.testing.assert_array_equal(max_pool2d_indices(cache)[0, 0], [[1, 1], [3, 4]])
    dx = max_pool2d_backward(np.ones((1, 1, 2, 2), np.float32), cache)
    np.testing.assert_array_equal(dx[0, 0], [[0, 2, 0], [1, 1, 0], [0, 0, 0]])


@given(geometries(is_symmetric=True), SEEDS, st.sampled_from(["reals", "ties", "nan", "low"]))
def test_forward_backward_and_winners_are_pytorchs(geometry, seed, kind):
    torch = pytest.importorskip("torch")
    shape, windows = geometry
    rng = np.random.default_rng(seed)
    x = rng.integers(-2, 3, (2, 2, *shape)).astype(float)
    if kind == "reals":
        x = rng.standard_normal(x.shape)
    elif kind == "nan":
        x[rng.random(x.shape) < 0.3] = np.nan
    elif kind == "low":
        x[rng.random(x.shape) < 0.7] = -np.inf
    y, cache = max_pool2d(x, **windows)
    tensor = torch.from_numpy(x).requires_grad_()
    pool = functools.partial(torch.nn.functional.max_pool2d, return_indices=True)
    theirs, indices = pool(tensor, **windows)
    np.testing.assert_array_equal(y, theirs.detach().numpy())
    np.testing.assert_array_equal(max_pool2d_indices(cache), indices.numpy())
    dy = rng.standard_normal(y.shape)
    theirs.backward(torch.from_numpy(dy))
    dx = max_pool2d_backward(dy, cache)
    np.testing.assert_allclose(dx, tensor.grad.numpy(), rtol=0, atol=1e-12)


@pytest.mark.usefixtures("tiny_blocks")
@pytest.mark.parametrize(
    "windows",
    [
        {"kernel_size": 2},
        {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
        {"kernel_size": (2, 3), "stride": 1, "dilation": 2, "padding": ((1, 0), (2, 1))},
        {"kernel_size": 1, "stride": 2},
    ],
)
def test_blocks_and_threads_leave_no_seams(windows):
    x = np.random.default_rng(3).integers(0, 9, (3, 2, 17, 13)).astype(np.float32)
    in_pieces = max_pool2d(x, **windows)
    dy = np.random.default_rng(4).standard_normal(in_pieces[0].shape, np.float32)
    dx = max_pool2d_backward(dy, in_pieces[1])
    for n in range(3):
        for c in range(2):
            y, cache = max_pool2d(x[n, c][None, None], **windows)
            np.testing.assert_array_equal(in_pieces[0][n, c], y[0, 0])
            indices = max_pool2d_indices(in_pieces[1])[n, c]
            np.testing.assert_array_equal(indices, max_pool2d_indices(cache)[0, 0])
            expected = np.zeros(17 * 13)
            for index, gradient in zip(indices.ravel(), dy[n, c].ravel(), strict=True):
                expected[index] += gradient
            np.testing.assert_allclose(dx[n, c].ravel(), expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(max_pool2d(x, **windows, keep_winners=False)[0], in_pieces[0])


@settings(max_examples=30)
@given(geometries(most=7), SEEDS)
def test_the_gradient_is_that_of_central_differences(geometry, seed):
    shape, windows = geometry
    rng = np.random.default_rng(seed)
    x = rng.permutation(np.arange(np.prod(shape), dtype=float)).reshape(1, 1, *shape)  # no ties
    y, cache = max_pool2d(x, **windows)
    dy = rng.standard_normal(y.shape)
    expected = numerical_gradient(lambda x: max_pool2d(x, **windows)[0], x, dy, step=0.25)
    np.testing.assert_allclose(max_pool2d_backward(dy, cache), expected, atol=1e-10)


def test_a_nan_makes_its_window_nan():
    x = np.zeros((1, 1, 4, 4), np.float32)
    x[0, 0, 1, 0] = np.nan
    y, cache = max_pool2d(x, 2)
    np.testing.assert_array_equal(np.isnan(y[0, 0]), [[True, False], [False, False]])
    assert max_pool2d_indices(cache)[0, 0, 0, 0] == 4


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int64, np.float16, bool])
def test_other_dtypes_are_pooled_as_they_are(dtype):
    x = (
        np.random.default_rng(0)
        .integers(0, 2 if dtype is bool else 200, (1, 3, 7, 6))
        .astype(dtype)
    )
    expected = x[:, :, :6].reshape(1, 3, 3, 2, 3, 2).max(axis=(3, 5))
    y, cache = max_pool2d(x, 2)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, expected)
    assert max_pool2d_backward(np.ones(y.shape), cache).dtype == np.float32


@pytest.mark.parametrize("keep_winners", [True, False])
def test_views_are_pooled_like_copies_and_left_alone(keep_winners):
    whole = np.random.default_rng(0).standard_normal((8, 10, 4, 3))
    view = whole.transpose(2, 3, 0, 1)[::2, :, ::-1, 1::2]
    before = whole.copy()
    y, _ = max_pool2d(view, 2, 1, keep_winners=keep_winners)
    np.testing.assert_array_equal(y, max_pool2d(view.copy(), 2, 1)[0])
    np.testing.assert_array_equal(whole, before)


def test_windows_of_more_than_256_taps_know_their_winner():
    x = np.zeros((1, 1, 40, 40), np.float32)
    x[0, 0, 37, 35] = 1
    _, cache = max_pool2d(x, 20)
    assert max_pool2d_indices(cache)[0, 0, 1, 1] == 37 * 40 + 35


@pytest.mark.parametrize("width", [7, 300, 70_000])
@pytest.mark.parametrize("is_batch_last", [False, True])
def test_winners_of_wide_maps_are_found_where_they_lie(width, is_batch_last):
    """A window's rows lie a width apart in memory: one byte, two or four tell how far."""
    x = np.zeros((9, 1, 2, width), np.float32)
    x[8, 0, 1, width - 2 - width % 2] = 1
    if is_batch_last:
        x = np.ascontiguousarray(x.transpose(1, 2, 3, 0)).transpose(3, 0, 1, 2)
    y, cache = max_pool2d(x, 2)
    assert y[8, 0, 0, -1] == 1
    assert max_pool2d_indices(cache)[8, 0, 0, -1] == 2 * width - 2 - width % 2
    np.testing.assert_array_equal(max_pool2d_indices(cache)[0, 0, 0, :3], [0, 2, 4])
    dx = max_pool2d_backward(np.where(y == 1, 5, 0).astype(np.float32), cache)
    np.testing.assert_array_equal(dx, 5 * x)


def test_every_sample_has_its_gradient_where_one_window_is_left():
    """A single output a sample lies alike in both layouts: only x tells them apart."""
    x = np.arange(5 * 4, dtype=np.float32).reshape(2, 2, 5).transpose(2, 0, 1)[:, None]
    y, cache = max_pool2d(x, 2)
    np.testing.assert_array_equal(max_pool2d_indices(cache), np.full((5, 1, 1, 1), 3))
    dx = max_pool2d_backward(y, cache)
    np.testing.assert_array_equal(dx[:, 0, 1, 1], x[:, 0, 1, 1])
    assert np.count_nonzero(dx) == 5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("kernel_size", "stride"), [(2, 2), (3, 2)])
def test_gradients_of_any_bits_arrive_as_they_are(dtype, kernel_size, stride):
    x = np.random.default_rng(0).standard_normal((2, 3, 9, 9)).astype(dtype)
    y, cache = max_pool2d(x, kernel_size, stride)
    for value in (np.inf, np.nan, -0.0, np.finfo(dtype).smallest_subnormal):
        dy = np.zeros_like(y)
        dy[1, 2, 3, 3] = value
        dx = max_pool2d_backward(dy, cache)
        place = np.unravel_index(max_pool2d_indices(cache)[1, 2, 3, 3], (9, 9))
        np.testing.assert_array_equal(dx[1, 2][place], value)
        assert np.count_nonzero(dx) == (value != 0)


def test_the_cache_of_a_pool_takes_no_more_than_an_index_an_output():
    _, cache = max_pool2d(np.zeros((2, 3, 8, 8), np.float32), 2)
    arrays = [value for value in vars(cache).values() if isinstance(value, np.ndarray)]
    assert sum(array.nbytes for array in arrays) <= 8 * 2 * 3 * 4 * 4


def test_a_single_element_is_its_own_maximum():
    y, cache = max_pool2d(np.full((1, 1, 1, 1), 7.0), 1)
    assert y == 7
    assert max_pool2d_backward(np.full((1, 1, 1, 1), 3.0), cache) == 3


def test_no_images_give_no_outputs():
    y, cache = max_pool2d(np.zeros((0, 3, 4, 4), np.float32), 2)
    assert y.shape == (0, 3, 2, 2)
    assert max_pool2d_backward(y, cache).shape == (0, 3, 4, 4)


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ({"kernel_size": 0}, "kernel_size is 0"),
        ({"kernel_size": 2, "stride": 0}, "stride is 0"),
        ({"kernel_size": 2, "dilation": (1, 0)}, "dilation is 0"),
        ({"kernel_size": 3, "padding": 2}, "padding is 2: it must be at most half the window, 1"),
        ({"kernel_size": 3, "padding": ((1, 1), (0, 2))}, "padding is 2"),
        ({"kernel_size": 2, "padding": -1}, "padding is -1"),
        ({"kernel_size": 9, "padding": 1}, "a kernel that spans 9 does not fit into 5"),
        ({"kernel_size": (2, 2, 2)}, "kernel_size has 3 values"),
        ({"kernel_size": 2, "dilation": 6, "padding": 1}, "reads nothing but padding"),
    ],
)
def test_what_cannot_be_is_named(windows, message):
    with pytest.raises(ValueError, match=message):
        max_pool2d(np.zeros((1, 1, 5, 5)), **windows)


def test_maps_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"x has shape \(5, 5\): expected \(N, C, H, W\)"):
        max_pool2d(np.zeros((5, 5)), 2)


def test_the_way_back_needs_the_winners():
    y, cache = max_pool2d(np.zeros((1, 1, 4, 4)), 2, keep_winners=False)
    with pytest.raises(ValueError, match="keep_winners"):
        max_pool2d_backward(y, cache)

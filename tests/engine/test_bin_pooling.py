"""Adaptive, global and pyramid pools against their bins by hand, PyTorch and differences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pool_geometry import numerical_gradient

from cnntool.engine import bin_pooling, pool_windows
from cnntool.engine.bin_pooling import (
    adaptive_pool2d,
    adaptive_pool2d_backward,
    global_pool2d,
    plan_bins,
    pyramid_pool2d,
    pyramid_pool2d_backward,
)
from cnntool.engine.max_pooling import max_pool2d_indices
from cnntool.engine.pooling import gaussian_pool2d

SEEDS = st.integers(0, 1 << 30)
SIZES = st.tuples(st.integers(1, 13), st.integers(1, 13))
OUTPUTS = st.tuples(st.integers(1, 16), st.integers(1, 16))
MODES = st.sampled_from(bin_pooling.MODES)


def test_bins_by_hand():
    assert plan_bins(10, 4).pairs == [(0, 3), (2, 5), (5, 8), (7, 10)]
    assert plan_bins(6, 3).pairs == [(0, 2), (2, 4), (4, 6)]
    assert plan_bins(3, 5).pairs == [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)]
    assert plan_bins(3, None).pairs == [(0, 1), (1, 2), (2, 3)]
    with pytest.raises(ValueError, match="size is 0: it must be at least 1"):
        plan_bins(0, 2)


def test_five_to_two_by_hand():
    x = np.arange(25, dtype=np.float32).reshape(1, 1, 5, 5)
    y, cache = adaptive_pool2d(x, 2)
    np.testing.assert_array_equal(y[0, 0], [[12, 14], [22, 24]])
    np.testing.assert_array_equal(max_pool2d_indices(cache)[0, 0], [[12, 14], [22, 24]])
    y, cache = adaptive_pool2d(x, (2, 1), "average")
    np.testing.assert_array_equal(y[0, 0], [[7], [17]])
    dx = adaptive_pool2d_backward(np.array([[[[15.0], [30.0]]]]), cache)
    np.testing.assert_array_equal(dx[0, 0, :, 0], [1, 1, 3, 2, 2])


@given(SIZES, OUTPUTS, SEEDS, st.booleans())
def test_values_and_gradients_are_pytorchs(shape, output_size, seed, has_ties):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, 3, *shape))
    if has_ties:
        x = rng.integers(0, 3, x.shape).astype(float)
        x[rng.random(x.shape) < 0.1] = np.nan
    dy = rng.standard_normal((2, 3, *output_size))
    for mode in ("max", "average"):
        y, cache = adaptive_pool2d(x, output_size, mode)
        tensor = torch.from_numpy(x).requires_grad_()
        if mode == "max":
            theirs, indices = functional.adaptive_max_pool2d(tensor, output_size, True)
            np.testing.assert_array_equal(max_pool2d_indices(cache), indices.numpy())
        else:
            theirs = functional.adaptive_avg_pool2d(tensor, output_size)
        np.testing.assert_allclose(y, theirs.detach().numpy(), atol=1e-12)
        theirs.backward(torch.from_numpy(dy))
        dx = adaptive_pool2d_backward(dy, cache)
        np.testing.assert_allclose(dx, tensor.grad.numpy(), atol=1e-12)


@given(SIZES, OUTPUTS, SEEDS)
def test_every_output_is_its_bins(shape, output_size, seed):
    x = np.random.default_rng(seed).standard_normal((2, 2, *shape))
    largest, mean = (adaptive_pool2d(x, output_size, mode)[0] for mode in ("max", "average"))
    (height, width), (oh, ow) = shape, output_size
    for i in range(oh):
        for j in range(ow):
            rows = slice(int(np.floor(i * height / oh)), int(np.ceil((i + 1) * height / oh)))
            columns = slice(int(np.floor(j * width / ow)), int(np.ceil((j + 1) * width / ow)))
            np.testing.assert_array_equal(
                largest[..., i, j], x[:, :, rows, columns].max(axis=(2, 3))
            )
            np.testing.assert_allclose(mean[..., i, j], x[:, :, rows, columns].mean(axis=(2, 3)))


@settings(max_examples=30)
@given(SIZES, st.tuples(st.integers(1, 6), st.integers(1, 6)), MODES, SEEDS)
def test_the_gradient_is_that_of_central_differences(shape, output_size, mode, seed):
    shape = tuple(min(size, 6) for size in shape)
    rng = np.random.default_rng(seed)
    x = rng.permutation(np.arange(np.prod(shape), dtype=float)).reshape(1, 1, *shape)
    y, cache = adaptive_pool2d(x, output_size, mode)
    dy = rng.standard_normal(y.shape)
    expected = numerical_gradient(lambda x: adaptive_pool2d(x, output_size, mode)[0], x, dy, 0.25)
    np.testing.assert_allclose(adaptive_pool2d_backward(dy, cache), expected, atol=1e-10)


@given(SIZES, OUTPUTS, st.sampled_from([None, 0.3, 2.0]), SEEDS)
def test_a_gaussian_weighs_each_bin_by_the_distance_from_its_centre(shape, output, sigma, seed):
    x = np.random.default_rng(seed).standard_normal((2, 3, *shape))
    y, _ = adaptive_pool2d(x, output, "gaussian", sigma=sigma)
    (height, width), (oh, ow) = shape, output
    spread = max(height / oh, width / ow) / 4 if sigma is None else sigma
    for i in range(oh):
        for j in range(ow):
            rows = np.arange(i * height // oh, -(-(i + 1) * height // oh))
            columns = np.arange(j * width // ow, -(-(j + 1) * width // ow))
            squared = np.add.outer((rows - rows.mean()) ** 2, (columns - columns.mean()) ** 2)
            weights = np.exp(-(squared - squared.min()) / (2 * spread**2))
            seen = x[:, :, rows[:, None], columns]
            expected = (seen * weights).sum(axis=(2, 3)) / weights.sum()
            np.testing.assert_allclose(y[..., i, j], expected, atol=1e-12)


def test_gaussian_bins_that_are_alike_are_gaussian_windows():
    x = np.random.default_rng(0).standard_normal((2, 3, 12, 10)).astype(np.float32)
    y, _ = adaptive_pool2d(x, (3, 5), "gaussian")
    np.testing.assert_allclose(y, gaussian_pool2d(x, (4, 2))[0], rtol=1e-5, atol=1e-6)
    assert y.dtype == np.float32


def test_a_sigma_of_nothing_is_refused():
    with pytest.raises(ValueError, match="sigma is 0: it must be above 0"):
        adaptive_pool2d(np.zeros((1, 1, 4, 4)), 2, "gaussian", sigma=0)


def test_none_keeps_a_size():
    x = np.random.default_rng(0).standard_normal((1, 2, 5, 7))
    np.testing.assert_array_equal(adaptive_pool2d(x, None)[0], x)
    np.testing.assert_array_equal(adaptive_pool2d(x, (None, 1))[0][..., 0], x.max(axis=3))


@pytest.mark.parametrize("shape", [(7, 7), (40, 50)])
def test_global_pools_are_those_of_whole_maps(shape):
    x = np.random.default_rng(0).standard_normal((2, 3, *shape)).astype(np.float32)
    y, cache = global_pool2d(x)
    np.testing.assert_allclose(y[..., 0, 0], x.mean(axis=(2, 3)), rtol=1e-4, atol=1e-7)
    dx = adaptive_pool2d_backward(np.ones_like(y), cache)
    np.testing.assert_allclose(dx, np.full(x.shape, 1 / np.prod(shape)), rtol=1e-6)
    y, cache = global_pool2d(x, "max")
    np.testing.assert_array_equal(y[..., 0, 0], x.max(axis=(2, 3)))
    dx = adaptive_pool2d_backward(np.ones_like(y), cache)
    np.testing.assert_array_equal(dx, x == y)


@pytest.mark.parametrize("mode", ["max", "average"])
def test_the_pyramid_is_one_length_for_any_size(mode):
    rng = np.random.default_rng(0)
    for shape in ((1, 1), (3, 2), (4, 4), (13, 17)):
        assert pyramid_pool2d(rng.standard_normal((2, 5, *shape)), mode=mode)[0].shape == (2, 105)


def test_the_pyramid_lists_levels_then_maps_then_bins():
    x = np.arange(32, dtype=np.float32).reshape(1, 2, 4, 4)
    y, cache = pyramid_pool2d(x, (1, 2))
    np.testing.assert_array_equal(y[0], [15, 31, 5, 7, 13, 15, 21, 23, 29, 31])
    dx = pyramid_pool2d_backward(np.arange(1, 11)[None], cache)
    expected = np.zeros(32)
    expected[[5, 7, 13, 15, 21, 23, 29, 31]] = [3, 4, 5, 6 + 1, 7, 8, 9, 10 + 2]
    np.testing.assert_array_equal(dx.ravel(), expected)


@pytest.mark.parametrize("mode", bin_pooling.MODES)
def test_the_pyramids_gradient_is_that_of_central_differences(mode):
    rng = np.random.default_rng(0)
    x = rng.permutation(np.arange(2 * 2 * 5 * 3, dtype=float)).reshape(2, 2, 5, 3)
    y, cache = pyramid_pool2d(x, (1, 3, 4), mode)
    dy = rng.standard_normal(y.shape)
    expected = numerical_gradient(lambda x: pyramid_pool2d(x, (1, 3, 4), mode)[0], x, dy, 0.25)
    np.testing.assert_allclose(pyramid_pool2d_backward(dy, cache), expected, atol=1e-10)


@pytest.mark.parametrize("mode", ["max", "average"])
def test_blocks_and_threads_leave_no_seams(monkeypatch, mode):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 4, 11, 9))
    dy = rng.standard_normal((3, 4, 4, 5))
    y, cache = adaptive_pool2d(x, (4, 5), mode)
    dx = adaptive_pool2d_backward(dy, cache)
    monkeypatch.setattr(pool_windows, "COST", 1 << 26)
    monkeypatch.setattr(bin_pooling, "BLOCK_ELEMENTS", 100)
    monkeypatch.setattr(bin_pooling, "available_cores", lambda: 3)
    in_pieces, cache = adaptive_pool2d(x, (4, 5), mode)
    np.testing.assert_array_equal(in_pieces, y)
    np.testing.assert_array_equal(adaptive_pool2d_backward(dy, cache), dx)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "output_size is 0: it must be at least 1"),
        (((2, -1),), "output_size is -1"),
        (((2, 2, 2),), "output_size has 3 values"),
        ((2, "median"), "mode is 'median': expected max or average"),
    ],
)
def test_what_cannot_be_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        adaptive_pool2d(np.zeros((1, 1, 5, 5)), *arguments)


def test_a_pyramid_needs_levels():
    with pytest.raises(ValueError, match="levels is empty"):
        pyramid_pool2d(np.zeros((1, 1, 5, 5)), ())
    with pytest.raises(ValueError, match="output_size is 0"):
        pyramid_pool2d(np.zeros((1, 1, 5, 5)), (1, 0))

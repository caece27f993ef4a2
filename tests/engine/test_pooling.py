"""Average, Gaussian and Lp pooling against windows cut by hand, PyTorch and differences."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pool_geometry import geometries, numerical_gradient, pool_by_hand

from cnntool.engine import pool_windows
from cnntool.engine.pooling import (
    average_pool2d,
    average_pool2d_backward,
    gaussian_pool2d,
    gaussian_pool2d_backward,
    lp_pool2d,
    lp_pool2d_backward,
)

SEEDS = st.integers(0, 1 << 30)
POWERS = st.sampled_from([1, 1.5, 2, 3, 4.2, 10, np.inf])


@given(geometries(), SEEDS)
def test_average_is_over_the_elements_inside(geometry, seed):
    shape, windows = geometry
    x = np.random.default_rng(seed).standard_normal((2, 2, *shape))
    expected = pool_by_hand(x, lambda elements, _: elements.mean(axis=-1), **windows)
    np.testing.assert_allclose(average_pool2d(x, **windows)[0], expected, atol=1e-12)


@given(geometries(), SEEDS, st.floats(0.1, 10))
def test_gaussian_weighs_by_the_distance_from_the_centre(geometry, seed, sigma):
    shape, windows = geometry
    centre = (np.array(windows["kernel_size"]) - 1) / 2

    def weighted(elements, taps):
        distance = (taps - centre) * windows["dilation"]
        exponents = -(distance**2).sum(axis=1) / (2 * sigma**2)
        weights = np.exp(exponents - exponents.max())
        return elements @ weights / weights.sum()

    x = np.random.default_rng(seed).standard_normal((2, 2, *shape))
    y, _ = gaussian_pool2d(x, windows.pop("kernel_size"), sigma, **windows)
    windows["kernel_size"] = tuple((centre * 2 + 1).astype(int))
    assume(sigma > 0.3 or not np.any(windows["padding"]))  # where far elements stand alone
    np.testing.assert_allclose(y, pool_by_hand(x, weighted, **windows), atol=1e-9)


@given(geometries(), SEEDS, POWERS, st.booleans())
def test_lp_is_the_norm_of_the_elements_inside(geometry, seed, p, is_mean):
    shape, windows = geometry

    def norm(elements, _):
        total = np.linalg.norm(elements, p, axis=-1)
        return total / elements.shape[-1] ** (1 / p) if is_mean else total

    x = np.random.default_rng(seed).standard_normal((2, 2, *shape))
    y, _ = lp_pool2d(x, p=p, **windows, mean=is_mean)
    np.testing.assert_allclose(y, pool_by_hand(x, norm, **windows), rtol=1e-9)


def test_one_window_by_hand():
    x = np.array([[3.0, -4.0], [0.0, 12.0]])[None, None]
    assert average_pool2d(x, 2)[0] == 11 / 4
    assert lp_pool2d(x, 2)[0] == 13
    assert lp_pool2d(x, 2, p=1)[0] == 19
    assert lp_pool2d(x, 2, p=np.inf)[0] == 12
    np.testing.assert_allclose(lp_pool2d(x, 2, mean=True)[0], 6.5)
    np.testing.assert_allclose(gaussian_pool2d(x, 2, 0.7)[0], 11 / 4)  # all as far from the centre
    np.testing.assert_allclose(
        lp_pool2d_backward(np.full((1, 1, 1, 1), 26.0), lp_pool2d(x, 2)[1]), 2 * x
    )


def test_gaussian_of_three_by_hand():
    x = np.array([1.0, 10.0, 100.0]).reshape(1, 1, 1, 3)
    side = np.exp(-1 / (2 * 0.8**2))
    y, _ = gaussian_pool2d(x, (1, 3), 0.8)
    np.testing.assert_allclose(y, (side + 10 + 100 * side) / (1 + 2 * side))
    default, _ = gaussian_pool2d(x, (1, 3))
    np.testing.assert_allclose(default, gaussian_pool2d(x, (1, 3), 0.75)[0])


def test_gaussian_grows_from_the_centre_to_the_average():
    x = np.random.default_rng(0).standard_normal((1, 2, 9, 9))
    np.testing.assert_allclose(gaussian_pool2d(x, 3, 0.01)[0], x[:, :, 1::3, 1::3])
    np.testing.assert_allclose(gaussian_pool2d(x, 3, 1e6)[0], average_pool2d(x, 3)[0])


def test_a_partial_window_is_not_darkened():
    x = np.full((1, 1, 5, 7), 0.7, np.float32)
    windows = {"stride": 2, "padding": 1, "ceil_mode": True}
    for y in (
        average_pool2d(x, 3, **windows)[0],
        gaussian_pool2d(x, 3, **windows)[0],
        lp_pool2d(x, 3, 2, **windows, mean=True)[0],
        lp_pool2d(x, 3, 5, **windows, mean=True)[0],
    ):
        np.testing.assert_allclose(y, np.full(y.shape, 0.7), rtol=1e-6)


@given(geometries(is_symmetric=True), SEEDS, st.booleans())
def test_average_and_its_gradient_are_pytorchs(geometry, seed, count_include_pad):
    torch = pytest.importorskip("torch")
    shape, windows = geometry
    windows["dilation"] = 1  # PyTorch's has none
    half = tuple(k // 2 for k in windows["kernel_size"])
    windows["padding"] = tuple(map(min, windows["padding"], half))
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, 3, *shape))
    y, cache = average_pool2d(x, **windows, count_include_pad=count_include_pad)
    del windows["dilation"]
    tensor = torch.from_numpy(x).requires_grad_()
    pool = torch.nn.functional.avg_pool2d
    theirs = pool(tensor, **windows, count_include_pad=count_include_pad)
    np.testing.assert_allclose(y, theirs.detach().numpy(), atol=1e-12)
    dy = rng.standard_normal(y.shape)
    theirs.backward(torch.from_numpy(dy))
    dx = average_pool2d_backward(dy, cache)
    np.testing.assert_allclose(dx, tensor.grad.numpy(), atol=1e-12)


@given(geometries(is_symmetric=True), SEEDS, st.sampled_from([1, 2, 2.5, 3, 7]))
def test_lp_and_its_gradient_are_pytorchs_on_positive_elements(geometry, seed, p):
    torch = pytest.importorskip("torch")
    shape, windows = geometry
    kernel, stride = windows["kernel_size"], windows["stride"]
    assume(all(s >= k for s, k in zip(shape, kernel, strict=True)))
    rng = np.random.default_rng(seed)
    x = rng.random((2, 3, *shape)) + 0.01
    y, cache = lp_pool2d(x, kernel, p, stride)
    tensor = torch.from_numpy(x).requires_grad_()
    theirs = torch.nn.functional.lp_pool2d(tensor, p, kernel, stride)
    np.testing.assert_allclose(y, theirs.detach().numpy(), rtol=1e-9)
    dy = rng.standard_normal(y.shape)
    theirs.backward(torch.from_numpy(dy))
    np.testing.assert_allclose(lp_pool2d_backward(dy, cache), tensor.grad.numpy(), atol=1e-9)


def check_gradient(forward, backward, x, rng):
    y, cache = forward(x)
    dy = rng.standard_normal(y.shape)
    expected = numerical_gradient(lambda x: forward(x)[0], x, dy)
    np.testing.assert_allclose(backward(dy, cache), expected, atol=1e-7)


@settings(max_examples=30)
@given(geometries(most=6), SEEDS, st.sampled_from([1, 1.5, 2, 3, 10]), st.booleans())
def test_the_gradients_are_those_of_central_differences(geometry, seed, p, flag):
    shape, windows = geometry
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.1, 2, (1, 1, *shape)) * rng.choice([-1, 1], shape)
    check_gradient(
        lambda x: average_pool2d(x, **windows, count_include_pad=flag),
        average_pool2d_backward,
        x,
        rng,
    )
    check_gradient(
        lambda x: gaussian_pool2d(x, sigma=0.8, **windows), gaussian_pool2d_backward, x, rng
    )
    check_gradient(lambda x: lp_pool2d(x, p=p, **windows, mean=flag), lp_pool2d_backward, x, rng)


def test_the_largest_norm_sends_its_gradient_to_the_first_of_the_largest():
    x = np.array([[1.0, -3.0], [3.0, 2.0]])[None, None]
    y, cache = lp_pool2d(x, 2, p=np.inf)
    assert y == 3
    dx = lp_pool2d_backward(np.array([[[[5.0]]]]), cache)
    np.testing.assert_array_equal(dx[0, 0], [[0, -5], [0, 0]])


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, 100, np.inf])
@pytest.mark.parametrize("is_mean", [False, True])
def test_an_all_zero_window_has_no_gradient(p, is_mean):
    x = np.zeros((1, 1, 2, 4), np.float32)
    x[0, 0, 0, 2] = 2
    y, cache = lp_pool2d(x, 2, p, mean=is_mean)
    dx = lp_pool2d_backward(np.ones_like(y), cache)
    np.testing.assert_array_equal(dx[0, 0, :, :2], 0)
    assert np.isfinite(dx).all()
    assert dx[0, 0, 0, 2] > 0


@pytest.mark.parametrize("p", [1, 2, 3, 10.5, 100])
@pytest.mark.parametrize("scale", [1e5, 1e-30, 1e-42, 3e37, 1])
def test_no_power_overflows_or_vanishes(p, scale):
    values = np.array([[1, -2, 0.5, 2], [0, 1, 1.5, -1]])
    x = (values * scale).astype(np.float32)[None, None]
    doubles = x.astype(np.float64).reshape(2, 2, 2).transpose(1, 0, 2).reshape(2, 4) / scale
    expected = (np.abs(doubles) ** p).sum(axis=1) ** (1 / p)
    y, cache = lp_pool2d(x, 2, p)
    rtol = 1e-5 if scale > 1e-38 else 1e-2  # denormals have few digits
    np.testing.assert_allclose(y.ravel().astype(float) / scale, expected, rtol=rtol)
    dx = lp_pool2d_backward(np.ones_like(y), cache)
    slopes = np.sign(doubles) * (np.abs(doubles) / expected[:, None]) ** (p - 1)
    dx = dx.reshape(2, 2, 2).transpose(1, 0, 2).reshape(2, 4)
    np.testing.assert_allclose(dx, slopes, rtol=rtol * p, atol=1e-6)


def test_small_and_large_windows_beside_each_other_keep_their_norms():
    x = np.array([[1e-30, 1e-30, 1e5, 1e5]], np.float32)[None, None]
    y, _ = lp_pool2d(x, (1, 2), 100)
    np.testing.assert_allclose(y.ravel(), [1e-30 * 2**0.01, 1e5 * 2**0.01], rtol=1e-6)


def test_infinity_and_nan_stay_in_their_windows():
    x = np.ones((1, 1, 2, 8), np.float32)
    x[0, 0, 0, 0], x[0, 0, 1, 4] = np.inf, np.nan
    for y in (
        average_pool2d(x, 2)[0],
        lp_pool2d(x, 2)[0],
        lp_pool2d(x, 2, 3)[0],
        gaussian_pool2d(x, 2)[0],
    ):
        assert np.isposinf(y[0, 0, 0, 0])
        assert np.isnan(y[0, 0, 0, 2])
        assert np.isfinite(y[0, 0, 0, [1, 3]]).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32, np.float64])
def test_sums_are_made_in_floats(dtype):
    x = np.full((1, 1, 32, 32), 200).astype(dtype)
    for pool in (average_pool2d, gaussian_pool2d, lp_pool2d):
        y, _ = pool(x, 16)
        assert y.dtype == (np.float64 if dtype is np.float64 else np.float32)
        np.testing.assert_allclose(y, 200 if pool is not lp_pool2d else 200 * 16, rtol=1e-6)


@pytest.mark.parametrize(
    ("pool", "backward"),
    [
        (average_pool2d, average_pool2d_backward),
        (gaussian_pool2d, gaussian_pool2d_backward),
        (lp_pool2d, lp_pool2d_backward),
    ],
)
def test_blocks_and_threads_leave_no_seams(monkeypatch, pool, backward):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 2, 17, 13))
    windows = {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}
    y, cache = pool(x, **windows)
    dy = rng.standard_normal(y.shape)
    dx = backward(dy, cache)
    monkeypatch.setattr(pool_windows, "BLOCK_ELEMENTS", 40)
    monkeypatch.setattr(pool_windows, "COST", 1 << 26)
    monkeypatch.setattr(pool_windows, "available_cores", lambda: 3)
    in_pieces, cache = pool(x, **windows)
    np.testing.assert_allclose(in_pieces, y, atol=1e-14)
    np.testing.assert_allclose(backward(dy, cache), dx, atol=1e-14)


def test_views_are_pooled_like_copies():
    view = np.random.default_rng(0).standard_normal((8, 10, 4, 3)).transpose(2, 3, 0, 1)[:, ::2]
    for pool in (average_pool2d, gaussian_pool2d, lp_pool2d):
        np.testing.assert_array_equal(pool(view, 2)[0], pool(view.copy(), 2)[0])


@pytest.mark.parametrize("p", [0.99, 0, -1, np.nan])
def test_p_below_one_is_refused(p):
    with pytest.raises(ValueError, match=f"p is {p}: it must be at least 1"):
        lp_pool2d(np.zeros((1, 1, 4, 4)), 2, p)


@pytest.mark.parametrize("sigma", [0, -1.0, np.nan])
def test_sigma_must_be_above_zero(sigma):
    with pytest.raises(ValueError, match=f"sigma is {sigma}: it must be above 0"):
        gaussian_pool2d(np.zeros((1, 1, 4, 4)), 2, sigma)


def test_a_gradient_of_the_wrong_shape_is_refused():
    for pool, backward in (
        (average_pool2d, average_pool2d_backward),
        (lp_pool2d, lp_pool2d_backward),
    ):
        _, cache = pool(np.ones((1, 1, 4, 4)), 2)
        with pytest.raises(ValueError, match="dy has shape"):
            backward(np.ones((1, 1, 1, 1)), cache)


def test_a_norm_that_is_nan_has_no_gradient():
    """PyTorch's: every element of the window is in it."""
    y, cache = lp_pool2d(np.array([[[[np.nan, 1.0], [2, 3]]]]), 2)
    assert np.isnan(lp_pool2d_backward(np.ones_like(y), cache)).all()


def test_a_tiny_sigma_leaves_the_centre():
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    assert gaussian_pool2d(x, 3, sigma=1e-300)[0].item() == 4

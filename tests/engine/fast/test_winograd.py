"""Tiles of 3x3 convolutions against the textbook, itself held against PyTorch, and by theorems."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntool.engine import conv2d, conv2d_backward, textbook
from cnntool.engine.fast import threads, winograd
from cnntool.engine.fast.layout import batch_last
from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.windows import plan_axes

SIDES = st.tuples(st.integers(0, 2), st.integers(0, 2))


@st.composite
def layers(draw):
    """The shapes and the padding of a convolution by kernels of 3x3."""
    padding = draw(SIDES), draw(SIDES)
    sizes = [draw(st.integers(max(1, 3 - sum(sides)), 13)) for sides in padding]
    samples, maps, filters = (draw(st.integers(1, most)) for most in (5, 3, 4))
    return (samples, maps, *sizes), (filters, maps, 3, 3), padding


def there_and_back(x, weight, bias, padding):
    y, cache = conv2d(x, weight, bias, padding=padding)
    dy = np.random.default_rng(1).normal(size=y.shape).astype(x.dtype)
    return y, *conv2d_backward(dy, cache)


def everywhere(_x, _weight, axes, groups):
    return winograd.fits(axes, groups)


@given(layers(), st.sampled_from([5 << 20, 3000, 300]))
def test_results_are_those_of_the_textbook(layer, block_bytes):
    *shapes, padding = layer
    rng = np.random.default_rng(0)
    x, weight, bias = (rng.normal(size=shape) for shape in (*shapes, shapes[1][:1]))
    array = Scratch.array

    def spoilt(self, *key):
        memory = array(self, *key)
        memory[...] = np.inf
        return memory

    with (
        patch.object(winograd, "suits", everywhere),
        patch.multiple(winograd, BLOCK_BYTES=block_bytes, MOST_TIMES=1),
        patch.object(Scratch, "array", spoilt),
    ):
        results = there_and_back(x, weight, bias, padding)
    with textbook():
        expected = there_and_back(x, weight, bias, padding)
    for ours, theirs in zip(results, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-11)


def test_one_axis_is_the_product_of_polynomials_transposed():
    """``<d, p*q>`` of polynomials q of degree 3 and p of 2 is ``<B^T d, (G p) (A q)>``."""
    matrices = winograd._matrices(np.dtype(float))
    rng = np.random.default_rng(0)
    d, p, q = (rng.normal(size=(size, size)) for size in (6, 3, 4))
    product = sum(
        p[i, j] * q[k, m] * d[i + k, j + m] for i in range(3) for j in range(3)
        for k in range(4) for m in range(4)
    )  # fmt: skip
    values = (matrices.kernels @ p.ravel()) * (matrices.gradients @ q.ravel())
    assert (matrices.inputs @ d.ravel()) @ values == pytest.approx(product, rel=1e-12)


def test_float32_is_rounded_a_few_times_as_much_as_by_plain_products():
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=s) for s in ((16, 64, 16, 16), (64, 64, 3, 3), (64,))]
    exact = there_and_back(*arrays, 1)
    single = [array.astype(np.float32) for array in arrays]
    assert winograd.suits(single[0], single[1], plan_axes((16, 16), (3, 3), padding=1), 1)
    tiles = there_and_back(*single, 1)
    with textbook():
        plain = there_and_back(*single, 1)
    for ours, theirs, truth in zip(tiles[:3], plain[:3], exact[:3], strict=True):
        rounding, other = (np.sqrt(np.mean((y - truth) ** 2)) for y in (theirs, ours))
        assert other < 8 * rounding + 1e-6 * truth.std()
        assert other < 1.2e-6 * truth.std()  # by the points 1, -1, 2, -2 it is 1.3 to 1.9


def many_maps(rng):
    """A layer in float32 that goes by tiles of its own accord, and some gradient by its results."""
    x, weight, dy = (
        rng.normal(size=size).astype(np.float32)
        for size in ((19, 40, 12, 11), (48, 40, 3, 3), (19, 48, 12, 11))
    )
    assert winograd.suits(batch_last(x), weight, plan_axes((12, 11), (3, 3), padding=1), 1)
    return x, weight, dy


def test_the_number_of_threads_changes_nothing(monkeypatch):
    x, weight, dy = many_maps(np.random.default_rng(0))
    monkeypatch.setattr(winograd, "BLOCK_BYTES", 1 << 16)
    monkeypatch.setattr(threads, "SHARED_PRODUCTS", 0)
    results = []
    for cores in (1, 2, 3, 7):
        monkeypatch.setattr(threads, "available_cores", lambda cores=cores: cores)
        y, cache = conv2d(x, weight, padding=1)
        results.append((y, *conv2d_backward(dy, cache)[:2]))
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_sample_that_is_not_finite_touches_no_other(broken):
    x, weight, dy = many_maps(np.random.default_rng(0))
    y, cache = conv2d(x, weight, padding=1)
    dx = conv2d_backward(dy, cache)[0]
    x[7, 3, 4, 5] = dy[7, 3, 4, 5] = broken
    with np.errstate(invalid="ignore"):
        found, broken_cache = conv2d(x, weight, padding=1)
        found_dx = conv2d_backward(dy, broken_cache)[0]
    others = np.arange(len(x)) != 7
    np.testing.assert_array_equal(found[others], y[others])
    np.testing.assert_array_equal(found_dx[others], dx[others])
    assert not np.isfinite(found[7]).all()
    assert not np.isfinite(found_dx[7]).all()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"maps": 16, "filters": 16}, False),  # the transforms cost more than the products
        ({"size": 5}, False),  # tiles would be half empty
        ({"samples": 8}, False),
        ({"stride": 2}, False),
        ({"dilation": 2}, False),
        ({"kernel": 5}, False),
        ({"padding": 3}, False),
        ({"groups": 2}, False),
        ({"dtype": np.float64}, False),
    ],
)
def test_which_layers_go_by_tiles(change, expected):
    setting = {"samples": 16, "maps": 64, "filters": 64, "size": 32, "kernel": 3, "dtype": "f4"}
    setting |= {"stride": 1, "dilation": 1, "padding": 1, "groups": 1} | change
    x = np.zeros((setting["samples"], setting["maps"], *[setting["size"]] * 2), setting["dtype"])
    kernel = setting["kernel"], setting["kernel"]
    weight = np.zeros(
        (setting["filters"], setting["maps"] // setting["groups"], *kernel), setting["dtype"]
    )
    axes = plan_axes(
        x.shape[2:], kernel, setting["stride"], setting["dilation"], setting["padding"]
    )
    assert winograd.suits(batch_last(x), weight, axes, setting["groups"]) is expected

"""Batch normalization by its theorem, by hand, and against PyTorch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntool.engine.fast.layout import batch_last, is_batch_last
from cnntool.engine.normalization import batch_norm, batch_norm_backward

LAYOUTS = {"samples outermost": np.asarray, "samples innermost": batch_last}
every_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


def drawn(*shape, seed=0, dtype=np.float64):
    return (3 + 2 * np.random.default_rng(seed).standard_normal(shape)).astype(dtype)


def parameters(channels, dtype=np.float64):
    weight, bias = drawn(channels, seed=1, dtype=dtype), drawn(channels, seed=2, dtype=dtype)
    mean, var = drawn(channels, seed=3, dtype=dtype), drawn(channels, seed=4, dtype=dtype) ** 2
    return weight, bias, mean, var


def axes_of(x):
    return (0, *range(2, x.ndim))


def test_by_hand():
    x = np.array([[1.0, 10], [3, 10], [5, 40]])
    y, _, (mean, var) = batch_norm(
        x, np.array([2.0, 1]), np.array([0.0, 5]), np.zeros(2), np.ones(2), momentum=0.5, eps=0
    )
    # means 3 and 20, variances 8/3 and 200, unbiased 4 and 300
    np.testing.assert_allclose(y[:, 0], [-4 / (8 / 3) ** 0.5, 0, 4 / (8 / 3) ** 0.5], atol=1e-15)
    np.testing.assert_allclose(y[:, 1], 5 + np.array([-10, -10, 20]) / 200**0.5)
    np.testing.assert_allclose(mean, [1.5, 10])
    np.testing.assert_allclose(var, [2.5, 150.5])


@every_layout
@pytest.mark.parametrize("shape", [(64, 3), (9, 4, 5, 6), (2, 300, 7, 5), (40, 6, 30, 28)])
def test_every_map_has_the_mean_and_spread_that_are_asked_for(layout, shape):
    x = drawn(*shape, dtype=np.float32)
    x = layout(x) if x.ndim == 4 else x
    weight, bias, *_ = parameters(shape[1], np.float32)
    y, _, running = batch_norm(x, weight, bias)
    assert (y.dtype, running) == (np.float32, (None, None))
    assert y.ndim != 4 or is_batch_last(y) == is_batch_last(x)
    exact = y.astype(np.float64)
    np.testing.assert_allclose(exact.mean(axis=axes_of(x)), bias, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(exact.std(axis=axes_of(x)), abs(weight), rtol=1e-4)


@every_layout
def test_statistics_of_long_float32_maps_are_exact(layout):
    """100,000 elements a map, added one after the other, would be off by a thousandth."""
    x = layout((1000 + drawn(64, 2, 40, 40)).astype(np.float32))
    y, _, (mean, var) = batch_norm(x, *np.ones((2, 2), np.float32), *np.zeros((2, 2)), momentum=1)
    assert y.dtype == np.float32
    exact = x.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(axis=(0, 2, 3)), rtol=1e-10)
    np.testing.assert_allclose(var, exact.var(axis=(0, 2, 3), ddof=1), rtol=1e-6)
    assert abs(y.astype(np.float64).mean(axis=(0, 2, 3)) - 1).max() < 1e-6


@every_layout
def test_the_gradient_of_weights_has_not_what_a_large_mean_loses_in_float32(layout):
    """For dy = 1 it is the sum of n, which is 0: what is lost of a mean counts 100,000 times."""
    x = layout((1000 + drawn(64, 2, 40, 40)).astype(np.float32))
    _, cache, _ = batch_norm(x, *np.ones((2, 2), np.float32))
    dx, dweight, dbias = batch_norm_backward(layout(np.ones(x.shape, np.float32)), cache)
    np.testing.assert_array_equal(dbias, 64 * 40 * 40)
    assert abs(dweight).max() < 1e-3
    assert abs(dx).max() < 1e-7


@st.composite
def shapes(draw):
    shape = [draw(st.integers(2, 20)), draw(st.integers(1, 9))]
    return (*shape, *draw(st.sampled_from([(), (1, 1), (3, 1), (4, 5), (7,)])))


@given(shapes(), st.booleans(), st.booleans())
def test_parity_with_pytorch(shape, training, innermost):
    torch = pytest.importorskip("torch")
    weight, bias, mean, var = parameters(shape[1])
    x, dy = drawn(*shape), drawn(*shape, seed=5)
    leaves = [torch.tensor(array, requires_grad=True) for array in (x, weight, bias)]
    running = [torch.tensor(array) for array in (mean, var)]
    expected = torch.nn.functional.batch_norm(
        leaves[0], *running, *leaves[1:], training=training, momentum=0.3, eps=1e-3
    )
    expected.backward(torch.tensor(dy))
    lay = batch_last if innermost and len(shape) == 4 else np.asarray
    y, cache, new = batch_norm(lay(x), weight, bias, mean, var, training, 0.3, 1e-3)
    np.testing.assert_allclose(y, expected.detach(), rtol=1e-9, atol=1e-9)
    for ours, theirs in zip(new, running, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    for gradient in (dy, lay(dy)):
        for ours, leaf in zip(batch_norm_backward(gradient, cache), leaves, strict=True):
            np.testing.assert_allclose(ours, leaf.grad, rtol=1e-8, atol=1e-8)


@every_layout
@pytest.mark.parametrize("training", [True, False])
def test_parity_with_pytorch_on_maps_of_several_blocks_in_float32(layout, training):
    torch = pytest.importorskip("torch")
    x, dy = drawn(32, 20, 24, 24, dtype=np.float32), drawn(32, 20, 24, 24, seed=5).astype("f4")
    weight, bias, mean, var = parameters(20, np.float32)
    leaves = [torch.tensor(array, requires_grad=True) for array in (x, weight, bias)]
    running = torch.tensor(mean), torch.tensor(var)
    expected = torch.nn.functional.batch_norm(leaves[0], *running, *leaves[1:], training=training)
    expected.backward(torch.tensor(dy))
    y, cache, _ = batch_norm(layout(x), weight, bias, mean, var, training)
    np.testing.assert_allclose(y, expected.detach(), rtol=1e-4, atol=1e-4)
    for ours, leaf in zip(batch_norm_backward(layout(dy), cache), leaves, strict=True):
        scale = float(leaf.grad.abs().max())
        np.testing.assert_allclose(ours, leaf.grad, rtol=1e-4, atol=1e-5 * scale)


@every_layout
def test_nothing_is_written_into_the_inputs_and_float64_stays(layout):
    x = layout(drawn(4, 3, 2, 2))
    given_ = [x, *parameters(3)]
    kept = [array.copy() for array in given_]
    y, cache, running = batch_norm(*given_)
    gradients = batch_norm_backward(x, cache)
    for array, before in zip(given_, kept, strict=True):
        np.testing.assert_array_equal(array, before)
    assert {array.dtype.name for array in (y, *gradients, *running)} == {"float64"}


def test_a_map_that_is_constant_becomes_its_bias_and_not_infinite():
    y, cache, _ = batch_norm(np.full((5, 2), 7.0), np.ones(2), np.array([1.0, 2]))
    assert y.tolist() == [[1, 2]] * 5
    assert np.isfinite(batch_norm_backward(drawn(5, 2), cache)[0]).all()


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((4, 3), {"weight": np.ones(2)}, r"weight has shape \(2,\): x \(4, 3\) needs .* \(3,\)"),
        ((4, 3), {"running_var": np.ones(4)}, r"running_var has shape \(4,\)"),
        ((4, 3), {"training": False}, "needs running_mean and running_var"),
        ((1, 3), {}, r"x has shape \(1, 3\): one value a map has no variance"),
        ((4,), {}, r"x has shape \(4,\)"),
        ((0, 3), {}, r"x has shape \(0, 3\)"),
    ],
)
def test_what_does_not_fit_is_named(shape, options, message):
    with pytest.raises(ValueError, match=message):
        batch_norm(**{"x": np.ones(shape), "weight": np.ones(3), "bias": np.ones(3), **options})

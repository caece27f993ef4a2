"""Batch normalisation as a layer: its statistics, and PyTorch's numbers."""

import numpy as np
import pytest

from cnntool.networks.layers.core import BatchNorm
from cnntool.networks.layers.layer import Pass


def start(shape):
    layer = BatchNorm()
    made = lambda parts: {k: p.start.draw(p.shape, None, "he") for k, p in parts.items()}
    return layer, made(layer.parameters(shape)), made(layer.buffers(shape))


def test_a_map_gets_mean_0_and_variance_1_and_the_running_ones_follow():
    layer, params, buffers = start((1, 1, 2))
    x = np.array([[[[1.0, 3]]], [[[5.0, 7]]]])  # mean 4, variance 5, unbiased 20/3
    y, _ = layer.forward(x, params, buffers, Pass(training=True))
    np.testing.assert_allclose(y.ravel(), np.array([-3, -1, 1, 3]) / np.sqrt(5), rtol=1e-5)
    np.testing.assert_allclose(buffers["running_mean"], 0.1 * 4)
    np.testing.assert_allclose(buffers["running_var"], 0.9 + 0.1 * 20 / 3)


def test_where_nothing_is_trained_the_running_statistics_count_and_stay():
    layer, params, _ = start((1, 1, 1))
    buffers = {"running_mean": np.array([2.0]), "running_var": np.array([4.0])}
    params = {"weight": np.array([3.0]), "bias": np.array([1.0])}
    y, _ = layer.forward(np.array([[[[6.0]]]]), params, buffers, Pass())
    np.testing.assert_allclose(y, 3 * (6 - 2) / 2 + 1, rtol=1e-5)
    assert (buffers["running_mean"], buffers["running_var"]) == (2, 4)


@pytest.mark.parametrize("shape", [(3, 4, 5), (6,)])
def test_it_is_pytorchs(shape):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((7, *shape)), rng.standard_normal((7, *shape))
    layer, params, buffers = start(shape)
    params = {key: rng.standard_normal(array.shape) for key, array in params.items()}
    theirs = {k: torch.tensor(v, requires_grad=True) for k, v in {"x": x, **params}.items()}
    running = [torch.tensor(buffers[key].copy()) for key in ("running_mean", "running_var")]
    expected = torch.nn.functional.batch_norm(
        theirs["x"], *running, theirs["weight"], theirs["bias"], training=True
    )
    expected.backward(torch.tensor(dy))
    y, cache = layer.forward(x, params, buffers, Pass(training=True))
    dx, grads = layer.backward(dy, cache)
    np.testing.assert_allclose(y, expected.detach(), rtol=1e-9, atol=1e-12)
    for found, name in ((dx, "x"), (grads["weight"], "weight"), (grads["bias"], "bias")):
        np.testing.assert_allclose(found, theirs[name].grad, rtol=1e-8, atol=1e-11)
    for key, value in zip(("running_mean", "running_var"), running, strict=True):
        np.testing.assert_allclose(buffers[key], value, rtol=1e-12)


def test_shapes_and_counts():
    layer = BatchNorm()
    assert layer.output_shape((3, 4, 5)) == (3, 4, 5)
    assert {k: (p.shape, p.start.value) for k, p in layer.parameters((3, 4, 5)).items()} == {
        "weight": ((3,), 1.0),
        "bias": ((3,), 0.0),
    }
    assert {k: (p.shape, p.start.value) for k, p in layer.buffers((3, 4, 5)).items()} == {
        "running_mean": ((3,), 0.0),
        "running_var": ((3,), 1.0),
    }
    assert (layer.multiply_adds((3, 4, 5)), layer.connections((3, 4, 5))) == (60, 120)

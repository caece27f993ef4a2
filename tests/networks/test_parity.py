"""Networks, loss and optimizers against PyTorch, step by step from the same weights."""

import numpy as np
import pytest

from cnntool.engine.losses import softmax_cross_entropy, softmax_cross_entropy_backward
from cnntool.networks.zoo import build
from cnntool.training.optimizers import make_optimizer
from cnntool.training.shards import fill, flatten, views_of

STEPS = 50


def torch_lenet(torch):
    nn = torch.nn
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(16 * 2 * 2, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )


def torch_small(torch):
    nn = torch.nn

    def block(maps, filters):
        return (
            nn.Conv2d(maps, filters, 3, padding=1, bias=False),
            nn.BatchNorm2d(filters),
            nn.ReLU(),
        )

    return nn.Sequential(
        *(*block(1, 16), *block(16, 16), nn.MaxPool2d(2)),
        *(*block(16, 32), nn.MaxPool2d(2), *block(32, 64)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)),
    )


def torch_optimizer(torch, name, parameters):
    if name == "adam":
        return torch.optim.Adam(parameters, 0.003)
    return torch.optim.SGD(parameters, 0.05, momentum=0.9 if name == "momentum" else 0.0)


def take_weights(theirs, network):
    """Give PyTorch's layers our weights; dense ones lie the other way round there."""
    ours = iter(network.params.values())
    for parameter in theirs.parameters():
        array = next(ours)
        turned = array.T if parameter.ndim == 2 else array
        parameter.data = parameter.data.new_tensor(np.ascontiguousarray(turned))


@pytest.mark.parametrize(
    ("name", "make", "dtype", "tolerance", "optimizer"),
    [
        ("lenet", torch_lenet, np.float32, 1e-4, "adam"),
        ("lenet", torch_lenet, np.float64, 1e-9, "sgd"),
        ("lenet", torch_lenet, np.float64, 1e-9, "momentum"),
        ("small", torch_small, np.float64, 1e-9, "adam"),  # batch norm blows up float32's rounding
    ],
)
def test_losses_are_pytorchs_over_fifty_steps(name, make, dtype, tolerance, optimizer):
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 1, 16, 16)).astype(dtype)
    y = rng.integers(0, 10, 256)
    x[np.arange(256), 0, y] += 2  # a row that tells the class
    network = build(name, (1, 16, 16), 10).initialise(rng)
    for arrays in (network.params, network.buffers):
        arrays.update({path: array.astype(dtype) for path, array in arrays.items()})
    theirs = make(torch).to(getattr(torch, np.dtype(dtype).name))
    take_weights(theirs, network)
    rule = torch_optimizer(torch, optimizer, theirs.parameters())
    vector, network.params = flatten(network.params)
    gradient = np.zeros_like(vector)
    grads = views_of(gradient, network.params)
    ours = make_optimizer(optimizer, 0.003 if optimizer == "adam" else 0.05)
    state = ours.start(vector)
    for _ in range(STEPS):
        batch = rng.integers(0, 256, 32)
        logits, caches = network.forward(x[batch], training=True)
        loss, cache = softmax_cross_entropy(logits, y[batch])
        fill(grads, network.backward(softmax_cross_entropy_backward(1.0, cache), caches))
        ours.step(vector, gradient, state)
        rule.zero_grad()
        expected = torch.nn.functional.cross_entropy(
            theirs(torch.from_numpy(x[batch])), torch.from_numpy(y[batch])
        )
        expected.backward()
        rule.step()
        np.testing.assert_allclose(loss, expected.item(), rtol=tolerance)
    if name == "small":
        running = [b.numpy() for n, b in theirs.named_buffers() if "running" in n]
        for mine, reference in zip(network.buffers.values(), running, strict=True):
            np.testing.assert_allclose(mine, reference, rtol=1e-6)

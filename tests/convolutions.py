"""A convolution layer by PyTorch, and memory in which nothing is what it should be."""

from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import pytest

from cnntool.engine.fast.scratch import Scratch


def layer_by_torch(x, weight, bias, dy_of, padding, **settings):
    """y, dy, dx and dweight of a layer padded by ((top, bottom), (left, right)).

    ``dy_of`` makes the gradient of a result of some shape. Skips the test without PyTorch.
    """
    torch = pytest.importorskip("torch")
    leaves = [torch.from_numpy(array).requires_grad_() for array in (x, weight, bias)]
    padded = torch.nn.functional.pad(leaves[0], (*padding[1], *padding[0]))
    y = torch.nn.functional.conv2d(padded, *leaves[1:], **settings)
    dy = dy_of(tuple(y.shape))
    y.backward(torch.from_numpy(dy))
    return y.detach().numpy(), dy, leaves[0].grad.numpy(), leaves[1].grad.numpy()


@contextmanager
def infinite_scratch():
    """Every array that a scratch hands out is full of infinities."""
    array = Scratch.array

    def spoilt(self, *key):
        memory = array(self, *key)
        memory[...] = np.inf
        return memory

    with patch.object(Scratch, "array", spoilt):
        yield

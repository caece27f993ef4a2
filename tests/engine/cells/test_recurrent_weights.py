"""Weights of PyTorch's layers, and of ONNX's nodes, in our order."""

import numpy as np
import pytest

from cnntool.engine import from_onnx, from_torch, gru, lstm, rnn

FORWARD = {"rnn": rnn, "gru": gru, "lstm": lstm}
INPUTS, HIDDEN = 3, 4


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("cell", FORWARD)
def test_a_layer_of_torch_computes_the_same_here(cell, bias):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    kind = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[cell]
    layer = kind(INPUTS, HIDDEN, bias=bias).double()
    weights = from_torch(cell, *(p.detach().numpy() for p in layer.parameters()))
    x = np.random.default_rng(0).standard_normal((5, 2, INPUTS))
    zeros = np.zeros((2, HIDDEN))
    (y, _), _ = FORWARD[cell](x, (zeros, zeros) if cell == "lstm" else zeros, *weights)
    theirs, _ = layer(torch.tensor(x))
    np.testing.assert_allclose(y, theirs.detach().numpy(), rtol=1e-10)


@pytest.mark.parametrize(
    ("cell", "theirs"),
    [("rnn", ["h"]), ("gru", ["z", "r", "n"]), ("lstm", ["i", "o", "f", "c"])],
)
def test_gates_of_onnx_come_into_our_order(cell, theirs):
    """Every gate's weights are a number of their own."""
    number = {name: k + 1.0 for k, name in enumerate(theirs)}
    ours = {"rnn": "h", "gru": "rzn", "lstm": "ifco"}[cell]
    column = np.repeat([number[name] for name in theirs], HIDDEN)
    w, r = np.tile(column[:, None], INPUTS), np.tile(column[:, None], HIDDEN) * 10
    w_input, w_hidden, *biases = from_onnx(cell, w, r, np.concatenate([column, column * 100]))
    wanted = np.repeat([number[name] for name in ours], HIDDEN)
    np.testing.assert_array_equal(w_input, np.tile(wanted, (INPUTS, 1)))
    np.testing.assert_array_equal(w_hidden, np.tile(wanted, (HIDDEN, 1)) * 10)
    expected = [wanted, wanted * 100] if cell == "gru" else [wanted * 101]
    np.testing.assert_array_equal(biases, expected)


def test_another_cell_is_named():
    with pytest.raises(ValueError, match="'gur'"):
        from_torch("gur", np.zeros((4, 1)), np.zeros((4, 4)))

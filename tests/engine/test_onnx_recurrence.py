"""RNN, GRU and LSTM as ONNX publishes them."""

import numpy as np
import pytest
from onnx_cases import onnx_cases

from cnntool.engine import from_onnx, gru, lstm, reset_first_gru, rnn

FORWARD = {"rnn": rnn, "gru": gru, "reset_first_gru": reset_first_gru, "lstm": lstm}


def test_there_are_cases():
    for operator, least in (("RNN", 2), ("GRU", 3), ("LSTM", 3)):
        assert len(onnx_cases(operator)) >= least


def recurrent_cases():
    return [case for operator in ("RNN", "GRU", "LSTM") for case in onnx_cases(operator)]


@pytest.mark.parametrize("case", recurrent_cases())
def test_a_recurrent_layer_is_onnx(case):
    operator = "LSTM" if "lstm" in case.name else "GRU" if "gru" in case.name else "RNN"
    if len(case.inputs) > 7:
        pytest.skip("peephole connections are not built")
    x, w, r, *rest = case.inputs
    bias, lengths, *states = [*rest, *[None] * (4 - len(rest))]
    is_batch_first = case.attributes.get("layout", 0) == 1
    x = x.transpose(1, 0, 2) if is_batch_first else x
    directions, hidden = len(w), case.attributes["hidden_size"]
    assert directions == 1
    cell = operator.lower()
    if cell == "gru" and not case.attributes.get("linear_before_reset", 0):
        cell = "reset_first_gru"
    weights = from_onnx(cell, w[0], r[0], None if bias is None else bias[0])
    zeros = np.zeros((x.shape[1], hidden), x.dtype)
    start = [zeros if state is None else state[0] for state in states]
    settings = {"lengths": None if lengths is None else lengths.astype(int)}
    state = tuple(start[:2]) if operator == "LSTM" else start[0]
    (y, last), _ = FORWARD[cell](x, state, *weights, **settings)
    last = last if isinstance(last, tuple) else (last,)
    wanted = dict(zip(("y", "h", "c"), case.outputs, strict=False))
    for name, found in (("y", y), *zip("hc", last, strict=False)):
        if wanted.get(name) is not None:
            target = wanted[name]
            if name == "y":
                target = target[:, :, 0].transpose(1, 0, 2) if is_batch_first else target[:, 0]
            else:
                target = target[:, 0] if is_batch_first else target[0]
            np.testing.assert_allclose(found, target, rtol=1e-5, atol=1e-6)

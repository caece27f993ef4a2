"""Gradients by the states of k steps ago, against differences; and what theory says of them."""

import numpy as np
import pytest

from cnntool.explain.recurrent import (
    GradientFlow,
    gradient_flow,
    spread_windows,
    with_gain,
)
from cnntool.networks.sequence_zoo import language_model


def network_of(cell, layers=1, hidden=4, seed=0):
    network = language_model(cell, 9, 3, hidden, layers)
    network.initialise(np.random.default_rng(seed))
    network.params = {path: array.astype(np.float64) for path, array in network.params.items()}
    return network


def last_loss(network, ids, states):
    """Of each window (B,): the surprisal of the last token, behind all others."""
    top = [state for path, state in states.items() if path.endswith(".h")][-1]
    logits = top @ network.params["dense1.weight"] + network.params["dense1.bias"]
    for token in ids[:-1]:
        (logits,), caches = network.forward(token[None], states=states)
        states = caches.states
    return np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(logits)), ids[-1]]


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_norms_are_those_of_differences(cell, layers):
    network = network_of(cell, layers)
    ids = np.random.default_rng(1).integers(0, 9, (6, 3))
    flow, step = gradient_flow(network, ids), 1e-6
    for back in range(6):
        states = network.start(3)
        for token in ids[: 5 - back]:
            states = network.forward(token[None], states=states)[1].states
        assert list(flow.norms) == list(states)
        for path, norms in flow.norms.items():
            squares = np.zeros(3)
            for unit in range(4):
                losses = []
                for sign in (1, -1):
                    moved = {path: state.copy() for path, state in states.items()}
                    moved[path][:, unit] += sign * step
                    losses.append(last_loss(network, ids[5 - back :], moved))
                squares += ((losses[0] - losses[1]) / (2 * step)) ** 2
            assert norms[back] == pytest.approx(np.sqrt(squares.mean()), rel=1e-6, abs=1e-9), path


def test_a_linear_state_that_halves_loses_half_its_gradient_each_step():
    """tanh of almost nothing is the identity, so each step back multiplies by the weight."""
    network = network_of("rnn", hidden=1)
    network.params["embedding.weight"][...] = 0
    network.params["rnn1.bias"][...] = 0
    for weight in (0.5, 1.0, 1.5):
        network.params["rnn1.w_hidden"][...] = weight
        flow = gradient_flow(network, np.zeros((8, 2), int))
        norms = flow.norms["rnn1.h"]
        np.testing.assert_allclose(norms, norms[0] * weight ** np.arange(8), rtol=1e-12)
        assert flow.factor("rnn1.h") == pytest.approx(weight)


def test_an_open_forget_gate_keeps_the_gradient_of_the_cell():
    network = network_of("lstm")
    for name in ("w_input", "w_hidden"):
        network.params[f"lstm1.{name}"][...] = 0
    network.params["lstm1.bias"][...] = np.repeat([0.0, 30, 0, 0], 4)
    flow = gradient_flow(network, np.zeros((20, 1), int))
    norms = flow.norms["lstm1.c"]
    np.testing.assert_allclose(norms[1:], norms[1], rtol=1e-9)
    assert not flow.norms["lstm1.h"][1:].any()
    assert flow.gates["lstm1"] == pytest.approx({"input": 0.5, "forget": 1, "output": 0.5})
    assert flow.kept["lstm1"] == pytest.approx(1)
    assert np.isnan(flow.factor("lstm1.h"))


def test_windows_are_spread_from_the_beginning_to_the_end():
    ids = np.arange(100)
    found = spread_windows(ids, 9, 4)
    assert found.shape == (10, 4)
    assert found[0].tolist() == [0, 30, 60, 90]
    assert (np.diff(found, axis=0) == 1).all()
    for count, windows in ((10, 1), (19, 1), (20, 2), (49, 4), (60, 4)):
        assert spread_windows(np.arange(count), 9, 4).shape == (10, windows)
    with pytest.raises(ValueError, match="expected 11 or more"):
        spread_windows(np.arange(10), 10, 4)


IDS = np.random.default_rng(0).integers(0, 7, (21, 5))


def fresh(cell):
    return language_model(cell, 7, 4, 6).initialise(np.random.default_rng(1))


def silent(cell):
    """One that hears nothing, so that its hidden state stays 0."""
    network = fresh(cell)
    network.params[f"{cell}1.w_input"][...] = 0
    return network


@pytest.mark.parametrize("gain", [0.25, 0.5, 1, 2, 8])
def test_a_step_of_a_silent_rnn_multiplies_the_gradient_by_the_gain(gain):
    """At h = 0 the slope of tanh is 1, and an orthogonal matrix keeps every norm."""
    norms = gradient_flow(with_gain(silent("rnn"), gain), IDS).norms["rnn1.h"]
    np.testing.assert_allclose(norms / norms[0], float(gain) ** np.arange(21), rtol=1e-5)


def test_a_gain_changes_the_weights_of_the_state_alone():
    before, after = fresh("gru"), with_gain(fresh("gru"), 3)
    for path, array in before.params.items():
        factor = 3 if path == "gru1.w_hidden" else 1
        np.testing.assert_array_equal(after.params[path], factor * array)
        assert after.params[path].dtype == np.float32


def test_a_gradient_explodes_by_more_decades_than_float32_has():
    network = with_gain(silent("rnn"), 1000)
    flow = gradient_flow(network, IDS)
    assert flow.is_finite
    assert flow.norms["rnn1.h"][-1] > 1e50
    assert not gradient_flow(network, np.zeros((150, 1), int)).is_finite
    one = {"lstm1.h": np.ones(3), "lstm1.c": np.array([0, 1, np.inf])}
    assert not GradientFlow("lstm", one).is_finite


def test_what_a_unit_keeps_times_its_weight_is_what_the_gradient_becomes():
    """Of one unit the Jacobian of a step is ``(1 - h^2) w``, of the same token again and again."""
    network = network_of("rnn", hidden=1)
    network.params["rnn1.w_hidden"][...] = 0.7
    network.params["rnn1.bias"][...] = 0.4
    flow = gradient_flow(network, np.zeros((41, 2), int))
    h = 0.0
    inputs = network.params["embedding.weight"][0] @ network.params["rnn1.w_input"][:, 0] + 0.4
    for _ in range(100):
        h = np.tanh(inputs + 0.7 * h)
    assert flow.norms["rnn1.h"][2] / flow.norms["rnn1.h"][1] == pytest.approx(0.7 * (1 - h * h))
    assert flow.kept["rnn1"] == pytest.approx(1 - h * h, rel=1e-6)
    assert flow.gates["rnn1"]["slope"] > flow.kept["rnn1"]  # it was 0 at the beginning

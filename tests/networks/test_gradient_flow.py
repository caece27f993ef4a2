"""Gradients on their way back through time, where theory says what is left of them."""

import numpy as np
import pytest

from cnntool.networks.gradient_flow import gradient_flow, with_gain
from cnntool.networks.language_model import LanguageModel
from cnntool.networks.language_spec import Architecture

IDS = np.random.default_rng(0).integers(0, 7, (21, 5))


def fresh(cell: str) -> LanguageModel:
    return LanguageModel(Architecture(cell, 7, 4, 6)).initialise(np.random.default_rng(1))


def silent(cell: str) -> LanguageModel:
    """One that hears nothing, so that its hidden state stays 0."""
    network = fresh(cell)
    network.params[f"{cell}1.w_input"][...] = 0
    return network


@pytest.mark.parametrize("gain", [0.25, 0.5, 1, 2, 8])
def test_a_step_of_a_silent_rnn_multiplies_the_gradient_by_the_gain(gain):
    """At h = 0 the slope of tanh is 1, and an orthogonal matrix keeps every norm."""
    norms = gradient_flow(with_gain(silent("rnn"), gain), IDS).norms["rnn1.h"]
    np.testing.assert_allclose(norms / norms[0], float(gain) ** np.arange(21), rtol=1e-5)


def test_the_cell_of_a_silent_lstm_passes_each_step_by_its_forget_gate():
    """At h = c = 0 with an input gate of 1/2 and no way through the gates, which g = 0 shuts off,
    but for g itself: so the weights of the state are taken away."""
    norms = gradient_flow(with_gain(silent("lstm"), 0), IDS).norms["lstm1.c"]
    forget = 1 / (1 + np.exp(-1.0))  # of the bias 1 that it starts with
    np.testing.assert_allclose(norms[2:] / norms[1:-1], forget, rtol=1e-6)


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

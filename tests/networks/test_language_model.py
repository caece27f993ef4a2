"""What a language model starts from, what it drops, and what it says of a text."""

from __future__ import annotations

import numpy as np
import pytest

from cnntool.networks.language_model import LanguageModel
from cnntool.networks.language_spec import Architecture

WORDS, EMBED, HIDDEN = 70, 40, 30


def model_of(cell="lstm", layers=2, **settings) -> LanguageModel:
    architecture = Architecture(cell, WORDS, EMBED, HIDDEN, layers, **settings)
    return LanguageModel(architecture).initialise(np.random.default_rng(0))


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_a_fresh_model_keeps_its_cells_and_its_gradients(cell):
    params = model_of(cell).params
    table = params["embedding.weight"]
    assert 0.09 < np.abs(table).max() <= 0.1
    assert abs(table.mean()) < 0.01
    for layer, inputs in ((1, EMBED), (2, HIDDEN)):
        for gate in np.split(
            params[f"{cell}{layer}.w_hidden"], {"lstm": 4, "gru": 3}.get(cell, 1), 1
        ):
            np.testing.assert_allclose(gate.T @ gate, np.eye(HIDDEN), atol=1e-5)
        largest = np.abs(params[f"{cell}{layer}.w_input"]).max()
        assert largest == pytest.approx(np.sqrt(6 / (inputs + HIDDEN)), rel=0.02)  # Glorot's bound
        biases = params[f"{cell}{layer}.bias"].reshape(-1, HIDDEN).tolist()
        wanted = [0, 1, 0, 0] if cell == "lstm" else [0] * len(biases)
        assert biases == [[value] * HIDDEN for value in wanted]
    assert not params["dense1.bias"].any()
    assert not params.get("gru1.hidden_bias", np.zeros(1)).any()
    assert {array.dtype for array in params.values()} == {np.dtype(np.float32)}


def test_every_orthogonal_matrix_is_as_likely_as_its_opposite():
    """LAPACK's Q alone has the signs of Householder reflections: its corner is never above 0."""
    network = LanguageModel(Architecture("rnn", 2, 1, 3))
    corners = [
        network.initialise(np.random.default_rng(seed)).params["rnn1.w_hidden"][0, 0]
        for seed in range(200)
    ]
    assert 70 < np.count_nonzero(np.array(corners) > 0) < 130


def test_units_are_dropped_before_each_layer_and_the_output_alone():
    """With one token read, a weight has no gradient where the unit it takes was dropped."""
    network, ids, targets = model_of(dropout=0.5), np.array([[3]]), np.array([[4]])

    def silent(rng):
        _, _, read = network.forward(ids, targets, network.start(1), rng=rng)
        grads = network.backward(1.0, read)
        paths = ("lstm1.w_input", "lstm2.w_input", "dense1.weight")
        return [~grads[path].any(axis=1) for path in paths], grads["embedding.weight"][3] == 0

    parts, embedded = silent(np.random.default_rng(0))
    for part in parts:
        assert 0.25 < part.mean() < 0.75
    np.testing.assert_array_equal(embedded, parts[0])
    assert not any(part.any() for part in silent(None)[0])


def test_what_does_not_count_loses_nothing_and_is_never_right():
    network, rng = model_of(), np.random.default_rng(1)
    network.params["dense1.bias"] += rng.standard_normal(WORDS).astype(np.float32)
    ids, targets = rng.integers(0, WORDS, (2, 5, 3))
    every, _, after = network.surprisal(ids, targets, network.start(3))
    likeliest = np.zeros(ids.shape, bool)
    states = network.start(3)
    for step, token in enumerate(ids):
        logits, states = network.step(token, states)
        likeliest[step] = logits.argmax(axis=1) == targets[step]
        wanted = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(3), targets[step]]
        np.testing.assert_allclose(every[step], wanted, rtol=1e-4)
    np.testing.assert_allclose(after[1][0][1], states[1][0][1], rtol=1e-4, atol=1e-6)
    targets[0, 0] = -1  # no word: nobody reads it
    counts = rng.random((5, 3)) < 0.5
    counts[0, 0] = False
    some, right, _ = network.surprisal(ids, targets, network.start(3), counts)
    np.testing.assert_allclose(some, np.where(counts, every, 0), rtol=1e-6)
    assert right == (likeliest & counts).sum()


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_a_trace_is_of_the_layer_that_was_asked_for(cell):
    network, ids = model_of(cell), np.array([1, 5, 2, 9])
    top, _ = network.hidden(ids[:, None], network.start(1))
    np.testing.assert_array_equal(network.trace(ids, 1)["h"], top[:, 0])
    lower = LanguageModel(Architecture(cell, WORDS, EMBED, HIDDEN, 1))
    lower.params = network.params
    first, _ = lower.hidden(ids[:, None], lower.start(1))
    traces = network.trace(ids, 0)
    np.testing.assert_array_equal(traces["h"], first[:, 0])
    names = {"lstm": ["input", "forget", "new", "output", "c"], "gru": ["reset", "update", "new"]}
    assert list(traces) == [*names.get(cell, []), "h"]


def test_all_is_computed_in_the_dtype_of_the_parameters():
    network = model_of()
    network.params = {path: array.astype(np.float64) for path, array in network.params.items()}
    logits, states = network.step(np.array([1]), network.start(1))
    assert logits.dtype == states[0][0][0].dtype == network.start(1)[1][0][1].dtype == np.float64

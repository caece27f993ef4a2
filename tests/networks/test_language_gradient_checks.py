"""Language models have the gradients of what they compute, and a wrong one is found."""

from dataclasses import replace

import numpy as np
import pytest

from cnntool.engine.cells import stack
from cnntool.networks import language_model
from cnntool.networks.language_gradient_checks import language_model_cases
from cnntool.networks.language_model import LanguageModel
from cnntool.networks.language_spec import Architecture


def model(cell="lstm", **settings) -> LanguageModel:
    architecture = Architecture(cell, **{"vocabulary_size": 9, "embed_size": 4, "hidden_size": 4})
    return LanguageModel(replace(architecture, **settings)).initialise(np.random.default_rng(0))


def verdicts(network: LanguageModel) -> dict[tuple[str, str], str]:
    return {
        (case.operation, found.input): found.verdict
        for case in language_model_cases(network)
        for found in case.check()
    }


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("settings", [{}, {"layers": 2, "dropout": 0.3, "tie_weights": True}])
def test_every_layer_and_the_whole_model_are_right(cell, settings):
    made = model(cell, **settings)
    found = verdicts(made)
    assert set(found.values()) == {"ok"}
    names = made.architecture.recurrent_names
    assert list(dict.fromkeys(name for name, _ in found)) == [
        *("embedding", *names, "dense1", "network")
    ]
    assert {path for name, path in found if name == "network"} == set(made.params)


def test_input_state_and_parameters_of_a_layer_are_checked():
    found = verdicts(model("lstm", embed_size=3))
    inputs = [path for name, path in found if name == "lstm1"]
    assert inputs == ["x", "h", "c", "w_input", "w_hidden", "bias"]


def test_what_is_wrong_in_a_cell_is_found_in_its_layer_and_in_the_model(monkeypatch):
    right = stack.CELLS["gru"]

    def wrong(dh_all, dstate, cache, *, need_dx=True, out=None):
        dx, dh, dw_input, dw_hidden, *biases = right.backward(dh_all, dstate, cache, out=out)
        dw_hidden *= 1.0001
        return dx, dh, dw_input, dw_hidden, *biases

    monkeypatch.setitem(stack.CELLS, "gru", right._replace(backward=wrong))
    found = verdicts(model("gru"))
    assert {place for place, verdict in found.items() if verdict == "wrong"} == {
        ("gru1", "w_hidden"),
        ("network", "gru1.w_hidden"),
    }


def test_a_model_that_forgets_its_second_table_is_found(monkeypatch):
    right = LanguageModel.backward

    def wrong(self, dloss, read, out=None):
        grads = right(self, dloss, read, out)
        grads["embedding.weight"] = 0.5 * grads["embedding.weight"]
        return grads

    monkeypatch.setattr(LanguageModel, "backward", wrong)
    found = verdicts(model(tie_weights=True))
    wrongs = {place for place, verdict in found.items() if verdict == "wrong"}
    assert wrongs == {("network", "embedding.weight")}


def test_units_are_dropped_while_the_model_is_checked(monkeypatch):
    monkeypatch.setattr(language_model, "dropout_backward", lambda dy, cache: dy)
    found = verdicts(model(dropout=0.5))
    wrongs = {name for (name, _), verdict in found.items() if verdict == "wrong"}
    assert wrongs == {"network"}


def test_a_seed_gives_its_own_numbers_again():
    def errors(seed):
        cases = language_model_cases(model(), seed)
        return {case.operation: [found.error for found in case.check()] for case in cases}

    first, other = errors(1), errors(2)
    assert errors(1) == first
    assert all(other[name] != first[name] for name in first)


def test_nothing_of_the_model_is_changed():
    made = model(dropout=0.5)
    before = {path: array.copy() for path, array in made.params.items()}
    verdicts(made)
    for path, array in made.params.items():
        np.testing.assert_array_equal(array, before[path])
        assert array.dtype == np.float32

"""Networks have the gradients of what they compute, and a wrong one is found."""

import numpy as np
import pytest
from sequence_models import TASKS

from cnntool.engine.cells import stack
from cnntool.engine.fast.layout import is_batch_last
from cnntool.networks.gradient_cases import network_cases
from cnntool.networks.layers.attend import Attend
from cnntool.networks.layers.core import Dense, Dropout
from cnntool.networks.layers.pools import SlidingPool
from cnntool.networks.network import Network
from cnntool.networks.sequence_zoo import language_model
from cnntool.networks.spec import parse_layers

NETWORKS = {
    "norms and dropout": "conv 4 3x3 pad 1 no-bias; batch-norm; relu; dropout 0.5; global-average; "
    "dense 3",
    "every pool": "average 2; lp 3 stride 1; gaussian 2 stride 1; max 2; subsample 2; dense 3",
    "tables and groups": "conv 4 3x3; tanh; conv 2 3x3 connections 1100/0111; sigmoid; "
    "conv 4 3x3 groups 2 stride 2; scaled-tanh; pyramid 1,2; dense 3",
}


def network(text: str, shape=(2, 14, 14)) -> Network:
    made = Network(parse_layers(text), shape)
    rng = np.random.default_rng(0)
    for path, parameter in made.parameters().items():
        made.params[path] = (0.4 * rng.standard_normal(parameter.shape)).astype(np.float32)
    return made


@pytest.mark.parametrize("text", NETWORKS.values(), ids=NETWORKS)
def test_every_layer_and_the_whole_network_are_right(text):
    made = network(text)
    cases = list(network_cases(made, seed=1))
    assert [case.operation for case in cases] == [*made.names, "network", "training"]
    for case in cases:
        assert {found.verdict for found in case.check()} == {"ok"}, case.geometry


@pytest.mark.parametrize("name", TASKS)
def test_networks_of_sequences_are_right(name):
    made = TASKS[name]().network
    cases = list(network_cases(made, seed=1))
    assert [case.operation for case in cases] == [*made.names, "network", "training"]
    for case in cases:
        assert {found.verdict for found in case.check()} == {"ok"}, case.geometry


def test_a_wrong_way_back_to_the_encoder_is_found(monkeypatch):
    right = Attend.backward

    def wrong(self, dy, cache, **settings):
        dx, grads = right(self, dy, cache, **settings)
        return dx, grads | {"keys": 1.01 * grads["keys"]}

    monkeypatch.setattr(Attend, "backward", wrong)
    made = TASKS["translator"]().network
    found = {case.operation: case.check() for case in network_cases(made, seed=1)}
    wrong_ones = [
        name for name, checks in found.items() if any(each.verdict == "wrong" for each in checks)
    ]
    assert wrong_ones == ["decoder.attend1", "network"]


DEEP = (
    "conv 6 5x5 pad 2; relu; max 2; conv 16 5x5; relu; max 2; dense 60; relu; dense 40; relu; "
    "dense 10"
)


def deep(shape=(1, 16, 16)) -> Network:
    """As after training: He's weights, and biases that are small beside what they are added to."""
    made = Network(parse_layers(DEEP), shape).initialise(np.random.default_rng(0))
    rng = np.random.default_rng(1)
    for path, array in made.params.items():
        if path.endswith("bias"):
            made.params[path] = (0.005 * rng.standard_normal(array.shape)).astype(np.float32)
    return made


def test_deep_networks_are_right_by_far_whatever_the_seed():
    made = deep()
    for seed in range(8):
        *_, whole, _ = network_cases(made, seed)
        for found in whole.check():
            assert found.verdict == "ok", (seed, found)
            assert found.error < 1e-7, (seed, found)


def test_one_part_in_ten_thousand_is_found_in_deep_networks_whatever_the_seed(monkeypatch):
    right = Network.backward

    def wrong(self, dy, caches):
        return {path: 1.0001 * grad for path, grad in right(self, dy, caches).items()}

    monkeypatch.setattr(Network, "backward", wrong)
    made = deep()
    for seed in range(3):
        *_, whole, _ = network_cases(made, seed)
        assert {found.verdict for found in whole.check()} == {"wrong"}, seed


def wrong_where(is_so):
    """A pool's way back that doubles the gradient by maps that lie so."""
    right = SlidingPool.backward

    def wrong(self, dy, cache, *, need_dx=True):
        dx, grads = right(self, dy, cache, need_dx=need_dx)
        return (2 * dx if need_dx and is_so(dx) else dx), grads

    return wrong


@pytest.mark.parametrize(
    ("is_so", "found"),
    [
        (lambda dx: is_batch_last(dx), {"pool1", "training"}),
        (lambda dx: len(dx) >= 16, {"pool1"}),
        (lambda dx: dx.dtype == np.float32, {"training"}),
    ],
    ids=["samples innermost", "large batches", "float32"],
)
def test_what_is_wrong_only_as_a_network_trains_is_found(monkeypatch, is_so, found):
    """Where float64 goes another way, the network is right in it: the training row compares."""
    made = network("conv 2 3x3; average 2; dense 3")
    monkeypatch.setattr(SlidingPool, "backward", wrong_where(is_so))
    wrongs = {name for (name, _), verdict in verdicts(made).items() if verdict == "wrong"}
    assert wrongs == found


@pytest.mark.parametrize("text", ["dense 20; batch-norm; tanh; dense 3", "dense 3; batch-norm"])
def test_a_bias_before_batch_norm_has_a_gradient_of_0_which_is_right(text):
    made = network(text, (1, 4, 4))
    for seed in range(6):
        for case in network_cases(made, seed):
            assert {found.verdict for found in case.check()} == {"ok"}, (seed, case.operation)


def test_input_and_parameters_are_checked():
    first, _, whole, _ = network_cases(network("conv 2 3x3; dense 3"))
    assert [found.input for found in first.check()] == ["x", "weight", "bias"]
    assert {found.input for found in whole.check()} == {
        "conv1.weight",
        "conv1.bias",
        "dense1.weight",
        "dense1.bias",
    }


def test_nothing_of_the_network_is_changed():
    made = network(NETWORKS["norms and dropout"])
    before = {k: v.copy() for k, v in (made.params | made.buffers).items()}
    for case in network_cases(made):
        case.check()
    for name, array in (made.params | made.buffers).items():
        np.testing.assert_array_equal(array, before[name])
        assert array.dtype == np.float32


def test_a_wrong_gradient_is_found_in_its_layer_and_in_the_network(monkeypatch):
    right = Dense.backward

    def wrong(self, dy, cache, *, need_dx=True):
        dx, grads = right(self, dy, cache, need_dx=need_dx)
        return dx, {**grads, "bias": 2 * grads["bias"]}

    monkeypatch.setattr(Dense, "backward", wrong)
    verdicts = {
        (case.operation, found.input): found.verdict
        for case in network_cases(network("relu; dense 3", (1, 3, 3)))
        for found in case.check()
    }
    assert {name for name, verdict in verdicts.items() if verdict == "wrong"} == {
        ("dense1", "bias"),
        ("network", "dense1.bias"),
    }


def model(cell="lstm", **settings) -> Network:
    sizes = {"vocabulary_size": 9, "embed_size": 4, "hidden_size": 4, **settings}
    return language_model(cell, **sizes).initialise(np.random.default_rng(0))


def verdicts(network: Network) -> dict[tuple[str, str], str]:
    return {
        (case.operation, found.input): found.verdict
        for case in network_cases(network)
        for found in case.check()
    }


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("settings", [{}, {"layers": 2, "dropout": 0.3, "tie_weights": True}])
def test_every_layer_and_the_whole_model_are_right(cell, settings):
    made = model(cell, **settings)
    found = verdicts(made)
    assert set(found.values()) == {"ok"}
    names = [name for name in made.names if not name.startswith("dropout")]
    assert list(dict.fromkeys(name for name, _ in found if "dropout" not in name)) == [
        *(*names, "network", "training")
    ]
    for whole in ("network", "training"):
        assert {path for name, path in found if name == whole} == set(made.params)


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
    right = Network.backward

    def wrong(self, dy, caches, **more):
        grads = right(self, dy, caches, **more)
        grads["embedding.weight"] = 0.5 * grads["embedding.weight"]
        return grads

    monkeypatch.setattr(Network, "backward", wrong)
    found = verdicts(model(tie_weights=True))
    wrongs = {place for place, verdict in found.items() if verdict == "wrong"}
    assert wrongs == {("network", "embedding.weight")}


def test_units_are_dropped_while_the_model_is_checked(monkeypatch):
    monkeypatch.setattr(Dropout, "backward", lambda self, dy, cache, need_dx=True: (dy, {}))
    found = verdicts(model(dropout=0.5))
    wrongs = {name for (name, _), verdict in found.items() if verdict == "wrong"}
    assert wrongs == {"dropout1", "dropout2", "network"}


def test_a_seed_gives_its_own_numbers_again():
    def errors(seed):
        cases = network_cases(model(), seed)
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

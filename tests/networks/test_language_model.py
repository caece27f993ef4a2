"""What a language model starts from, what it drops, and what it says of a text."""

from __future__ import annotations

import numpy as np
import pytest

from cnntool.errors import RequestError
from cnntool.networks import objective
from cnntool.networks.layers.recurrent import Recurrent
from cnntool.networks.model import Trained
from cnntool.networks.network import Network
from cnntool.networks.objective import loss_and_gradients, surprisals
from cnntool.networks.sequence_zoo import language_model, language_network, language_sizes
from cnntool.networks.spec import parse_layers

WORDS, EMBED, HIDDEN = 70, 40, 30
PATHS = "lstm1.w_input", "lstm2.w_input", "dense1.weight"


def model_of(cell="lstm", layers=2, **settings) -> Network:
    network = language_model(cell, WORDS, EMBED, HIDDEN, layers, **settings)
    return network.initialise(np.random.default_rng(0))


def step(network, token, states):
    """The logits (B, V) behind one token of each text (B,), and the states."""
    y, caches = network.forward(token[None], states=states, keeps_caches=False)
    return y[0], caches.states


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
    network = language_model("rnn", 2, 1, 3)
    corners = [
        network.initialise(np.random.default_rng(seed)).params["rnn1.w_hidden"][0, 0]
        for seed in range(200)
    ]
    assert 70 < np.count_nonzero(np.array(corners) > 0) < 130


def test_units_are_dropped_before_each_layer_and_the_output_alone():
    """With one token read, a weight has no gradient where the unit it takes was dropped."""
    network, ids, targets = model_of(dropout=0.5), np.array([[3]]), np.array([[4]])

    def silent(rng):
        grads = {path: np.empty_like(array) for path, array in network.params.items()}
        loss_and_gradients(network, ids, targets, grads, rng=rng)
        return [~grads[path].any(axis=1) for path in PATHS], grads["embedding.weight"][3] == 0

    parts, embedded = silent(np.random.default_rng(0))
    for part in parts:
        assert 0.25 < part.mean() < 0.75
    np.testing.assert_array_equal(embedded, parts[0])
    grads = network.backward(*network.forward(ids))
    assert all(grads[path].any(axis=1).all() for path in PATHS)


def test_what_does_not_count_loses_nothing_and_is_never_right():
    network, rng = model_of(), np.random.default_rng(1)
    network.params["dense1.bias"] += rng.standard_normal(WORDS).astype(np.float32)
    ids, targets = rng.integers(0, WORDS, (2, 5, 3))
    every, _, after = surprisals(network, ids, targets)
    likeliest = np.zeros(ids.shape, bool)
    states = network.start(3)
    for at, token in enumerate(ids):
        logits, states = step(network, token, states)
        likeliest[at] = logits.argmax(axis=1) == targets[at]
        wanted = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(3), targets[at]]
        np.testing.assert_allclose(every[at], wanted, rtol=1e-4)
    np.testing.assert_allclose(after["lstm2.c"], states["lstm2.c"], rtol=1e-4, atol=1e-6)
    targets[0, 0] = -1  # no word: nobody reads it
    counts = rng.random((5, 3)) < 0.5
    counts[0, 0] = False
    some, right, _ = surprisals(network, ids, targets, counts=counts)
    np.testing.assert_allclose(some, np.where(counts, every, 0), rtol=1e-6)
    assert right == (likeliest & counts).sum()


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_a_trace_is_of_the_layer_that_was_asked_for(cell):
    network, ids = model_of(cell), np.array([1, 5, 2, 9])
    _, first, top, _ = network.outputs(ids[:, None])
    recurrent = [place for place, each in enumerate(network.layers) if isinstance(each, Recurrent)]
    trained = Trained("words.npz", None, network)
    second = trained.trace(recurrent[1], ids[:, None])
    np.testing.assert_array_equal(second["h"], top[:, 0])
    traces = trained.trace(recurrent[0], ids[:, None])
    np.testing.assert_array_equal(traces["h"], first[:, 0])
    names = {"lstm": ["input", "forget", "new", "output", "c"], "gru": ["reset", "update", "new"]}
    assert list(traces) == [*names.get(cell, []), "h"]


def test_all_is_computed_in_the_dtype_of_the_parameters():
    network = model_of()
    network.params = {path: array.astype(np.float64) for path, array in network.params.items()}
    logits, states = step(network, np.array([1]), network.start(1))
    dtypes = {array.dtype for array in (logits, *states.values(), *network.start(1).values())}
    assert dtypes == {np.dtype(np.float64)}


def test_the_text_names_every_layer_and_the_sizes_come_back():
    sizes = ("lstm", 65, 64, 128, 2, 0.2)
    network = language_model(*sizes)
    assert network.spec == (
        "embedding 65 x 64; dropout 0.2; lstm 128; dropout 0.2; lstm 128; dropout 0.2; dense 65"
    )
    assert tuple(language_sizes(network).values()) == (*sizes, False)
    tied = language_model("gru", 9, 4, 4, tie_weights=True)
    assert tied.spec == "embedding 9 x 4; gru 4; dense 9 tied"
    assert language_model(**language_sizes(tied)).spec == tied.spec


def test_parameters_are_those_that_torch_counts():
    torch = pytest.importorskip("torch")
    for cell, layers in (("lstm", 2), ("gru", 3), ("rnn", 1)):
        ours = language_model(cell, 50, 12, 16, layers).parameters()
        kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[cell]
        theirs = [torch.nn.Embedding(50, 12), kind(12, 16, layers), torch.nn.Linear(16, 50)]
        count = sum(p.numel() for layer in theirs for p in layer.parameters())
        twice = 0 if cell == "gru" else layers * {"lstm": 4, "rnn": 1}[cell] * 16
        assert sum(parameter.count for parameter in ours.values()) == count - twice


def test_tied_weights_need_one_width_and_save_a_table():
    with pytest.raises(RequestError, match="embed size is 8, hidden size 16"):
        language_model("lstm", 100, 8, 16, tie_weights=True)
    with pytest.raises(RequestError, match=r"dense1 \(dense 100 tied\) takes embedding\.weight"):
        Network(parse_layers("embedding 100 x 8; lstm 16; dense 100 tied"), (None,))
    tied, free = (language_model("lstm", 100, 16, 16, tie_weights=t).parameters() for t in (1, 0))
    assert free.keys() - tied.keys() == {"dense1.weight"}


def test_each_layer_has_a_line_with_its_parameters():
    lines = str(language_model("lstm", 65, 64, 128, 1, 0.5)).splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "input tokens",
        "embedding embedding 65 x 64 steps of 64 features 4,160",
        "dropout1 dropout 0.5 steps of 64 features",
        "lstm1 lstm 128 steps of 128 features 98,816",
        "dropout2 dropout 0.5 steps of 128 features",
        "dense1 dense 65 steps of 65 features 8,385",
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "gur"}, "layer 'gur' is not known: did you mean 'gru'"),
        ({"hidden_size": 0}, "number of units is 0: expected 1 to 1,048,576"),
        ({"embed_size": (1 << 20) + 1}, "width is 1,048,577: expected 1 to 1,048,576"),
        ({"dropout": 1.0}, "rate '1': expected a number from 0 to below 1"),
        ({"dropout": float("nan")}, "rate 'nan'"),
    ],
)
def test_what_cannot_be_built_is_told_with_its_bounds(settings, message):
    sizes = {"cell": "lstm", "vocabulary_size": 9, "embed_size": 4, "hidden_size": 4}
    with pytest.raises(RequestError, match=message):
        language_model(**(sizes | settings))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("relu; embedding 9 x 4", "layer 1 .relu.: it takes no tokens: begin with an embedding"),
        ("dense 9", "it takes features, not tokens: put an embedding before it"),
        ("lstm 8", "it takes steps, not tokens: put an embedding first"),
        ("embedding 9 x 4; embedding 9 x 4", "it takes tokens, not steps of 4 features"),
        ("embedding 9 x 4; conv 2 3x3", "it takes maps, not steps of 4 features"),
        ("embedding 9 x 4; flatten", "it takes maps or features, not steps of 4 features"),
        ("embedding 9 x 4; batch-norm", "it takes maps or features, not steps of 4 features"),
    ],
)
def test_a_layer_says_what_it_takes_of_sequences(text, message):
    with pytest.raises(RequestError, match=message):
        Network(parse_layers(text), (None,))


@pytest.mark.parametrize("layers", ["lstm 5; gru 4", "rnn 5 "])
def test_what_is_read_in_two_pieces_is_read_as_one(layers):
    network = Network(parse_layers(f"embedding 9 x 4; {layers}; dense 9"), (None,))
    network.initialise(np.random.default_rng(0))
    ids = np.random.default_rng(1).integers(0, 9, (7, 3))
    whole, caches = network.forward(ids, states=network.start(3))
    _, first = network.forward(ids[:4], states=network.start(3))
    rest, last = network.forward(ids[4:], states=first.states)
    np.testing.assert_allclose(rest, whole[4:], rtol=1e-5, atol=1e-6)
    assert list(last.states) == list(network.start(3))
    for path, state in caches.states.items():
        np.testing.assert_allclose(last.states[path], state, rtol=1e-5, atol=1e-6)


def test_a_shape_that_is_no_sequence_of_its_is_named():
    with pytest.raises(ValueError, match=r"x is \(3,\): expected \(T, B\)"):
        model_of().forward(np.array([1, 2, 3]))


@pytest.mark.parametrize("is_tied", [False, True])
def test_the_loss_with_the_last_layer_is_that_of_layer_and_loss(monkeypatch, is_tied):
    network = language_model("gru", WORDS, HIDDEN, HIDDEN, tie_weights=is_tied)
    network.initialise(np.random.default_rng(0))
    ids, targets = np.random.default_rng(1).integers(0, WORDS, (2, 6, 3))

    def found():
        grads = {path: np.full_like(array, np.nan) for path, array in network.params.items()}
        return loss_and_gradients(network, ids, targets, grads, share=0.5), grads

    plain, grads = found()
    monkeypatch.setattr(objective, "MANY_OUTPUTS", 1)
    fused, others = found()
    assert fused.loss == pytest.approx(plain.loss, rel=1e-5)
    assert fused.correct == plain.correct
    for path, grad in grads.items():
        np.testing.assert_allclose(others[path], grad, rtol=1e-3, atol=1e-6)


def test_losses_are_those_of_any_last_layer():
    dense = Network(parse_layers("dense 5"), (4,)).initialise(np.random.default_rng(0))
    rng = np.random.default_rng(1)
    x, targets = rng.standard_normal((6, 4)), rng.integers(0, 5, 6)
    counts = np.array([True] * 4 + [False] * 2)
    targets[5] = -1
    losses, correct, states = surprisals(dense, x, targets, counts=counts)
    through = Network(parse_layers("dense 5; dropout 0.5"), (4,))
    through.params = dense.params
    others, right, _ = surprisals(through, x, targets, counts=counts)
    np.testing.assert_allclose(others, losses, rtol=1e-5)
    logits = dense.predict(x)
    wanted = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(6), targets]
    np.testing.assert_allclose(losses, np.where(counts, wanted, 0), rtol=1e-5)
    assert correct == right == (logits.argmax(axis=1) == targets)[:4].sum()
    assert states == {}


def test_layers_given_as_text_have_the_vocabulary_for_each_question_mark():
    text = "embedding ? x 6; lstm 8; dropout 0.1; gru 12; relu; dense ?"
    assert language_network(text, 50).spec == text.replace("?", "50")
    tied = language_network("embedding ? x 8; rnn 8; dense ? tied", 50)
    assert tied.spec == language_model("rnn", 50, 8, 8, tie_weights=True).spec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("embedding ? x 6; lstm 8 both; dense ?", "would read what it is to foretell"),
        ("embedding ? x 6; lstm 8; last; dense ?", "last is no layer of a language model"),
        ("embedding ? x 6; dense ?", "has no recurrence"),
        ("embedding ? x 6; lstm 8; dense 7", "end with 'dense [?]', where [?] is 50"),
        ("embedding 7 x 6; lstm 8; dense ?", "begin with 'embedding [?] x N'"),
        ("embedding ? x 6; lstm 8", "end with 'dense [?]'"),
        ("embedding ? x 6; gru 8 => embedding ? x 6; gru 8; dense ?", "no decoder"),
        ("embedding ? x 6 letters 9 x 3; lstm 8; dense ?", "leave the letters out"),
    ],
)
def test_layers_that_are_no_language_model_are_named(text, message):
    with pytest.raises(RequestError, match=message):
        language_network(text, 50)

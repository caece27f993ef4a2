"""Language models as texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntool.errors import RequestError
from cnntool.networks.language_spec import Architecture, architecture_lines, parse_architecture

sizes = st.integers(1, 10**6)


@given(
    st.sampled_from(["lstm", "gru", "rnn"]),
    sizes,
    sizes,
    sizes,
    st.integers(1, 9),
    st.floats(0, 0.99),
    st.booleans(),
)
def test_every_architecture_prints_as_what_it_is_read_from(
    cell, vocabulary, embed, hidden, layers, dropout, is_tied
):
    embed = hidden if is_tied else embed
    one = Architecture(cell, vocabulary, embed, hidden, layers, dropout, is_tied)
    assert parse_architecture(str(one)) == one


def test_the_text_names_every_layer():
    model = Architecture("lstm", 65, 64, 128, 2, 0.2)
    assert str(model) == (
        "embedding 65 x 64; dropout 0.2; lstm 128; dropout 0.2; lstm 128; dropout 0.2; dense 65"
    )
    assert str(Architecture("gru", 9, 4, 4, tie_weights=True)) == (
        "embedding 9 x 4; gru 4; dense 9 tied"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "embedding 65 x 64; dense 65",
        "embedding 65 x 64; lstm 128; dense 64",
        "embedding 65 x 64; lstm 128; gru 128; dense 65",
        "embedding 65 x 64; lstm 128; lstm 64; dense 65",
        "embedding 65 x 64; dropout 0.2; lstm 128; dense 65",
        "embedding 65 x 64; lstm 128; dense 65 tied",
        "embedding 65 x 64; lstm 0; dense 65",
        "embedding 065 x 64; lstm 128; dense 65",
        "embedding 65 x 64; lstm 128; dense 65\n",
        "embedding ٦٥ x 64; lstm 128; dense 65",
        "conv 8 3x3; relu; dense 10",
    ],
)
def test_other_texts_are_refused(text):
    with pytest.raises(RequestError):
        parse_architecture(text)


def test_parameters_are_those_that_torch_counts():
    torch = pytest.importorskip("torch")
    for cell, layers in (("lstm", 2), ("gru", 3), ("rnn", 1)):
        ours = Architecture(cell, 50, 12, 16, layers).parameters()
        kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[cell]
        theirs = [torch.nn.Embedding(50, 12), kind(12, 16, layers), torch.nn.Linear(16, 50)]
        count = sum(p.numel() for layer in theirs for p in layer.parameters())
        twice = 0 if cell == "gru" else layers * {"lstm": 4, "rnn": 1}[cell] * 16
        assert sum(parameter.count for parameter in ours.values()) == count - twice


def test_tied_weights_need_one_width_and_save_a_table():
    with pytest.raises(RequestError, match="embed size is 8, hidden size 16"):
        Architecture("lstm", 100, 8, 16, tie_weights=True)
    tied, free = (Architecture("lstm", 100, 16, 16, tie_weights=t).parameters() for t in (1, 0))
    assert free.keys() - tied.keys() == {"dense1.weight"}


def test_each_layer_has_a_line_with_its_parameters():
    lines = architecture_lines(Architecture("lstm", 65, 64, 128, 1, 0.5))
    assert [line.split() for line in lines[:3]] == [
        ["embedding", "embedding", "65", "x", "64", "4,160"],
        ["lstm1", "lstm", "128", "98,816"],
        ["dense1", "dense", "65", "8,385"],
    ]
    assert lines[3] == "dropout 0.5 before each of 2 layers"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "gur"}, "no cell 'gur': expected lstm, gru, rnn"),
        ({"hidden_size": 0}, "hidden size is 0, expected 1 to 1,048,576"),
        ({"embed_size": (1 << 20) + 1}, "embed size is 1,048,577, expected 1 to 1,048,576"),
        ({"layers": 0}, "0 layers: expected 1 to 64"),
        ({"layers": 65}, "65 layers: expected 1 to 64"),
        ({"dropout": 1.0}, "dropout is 1, expected from 0 to below 1"),
        ({"dropout": float("nan")}, "dropout is nan"),
    ],
)
def test_what_cannot_be_built_is_told_with_its_bounds(settings, message):
    sizes = {"cell": "lstm", "vocabulary_size": 9, "embed_size": 4, "hidden_size": 4}
    with pytest.raises(RequestError, match=message):
        Architecture(**(sizes | settings))

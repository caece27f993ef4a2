"""Gates, cells and states over time, beside a loop of the equations and PyTorch."""

import numpy as np
import pytest
from sequence_models import write_sequence_models

from cnntool.errors import InputError, RequestError
from cnntool.explain.recurrent import states_of
from cnntool.networks.joined import parse_network
from cnntool.networks.model import load_sequence_model


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_sequence_models(folder, "classifier", "tagger", "frames", "translator", "captioner")
    return lambda name: load_sequence_model(folder / f"{name}.npz")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_hand(x, params, end):
    """Of steps x (T, E): all that an lstm does, each (T, H), in float64."""
    w, u, b = (params[f"lstm1.{key}{end}"].astype(float) for key in ("w_input", "w_hidden", "bias"))
    h = c = np.zeros(u.shape[0])
    found = {name: [] for name in ("input", "forget", "new", "output", "c", "h")}
    for step in x[::-1] if end else x:
        i, f, g, o = np.split(step @ w + h @ u + b, 4)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c = f * c + i * g
        h = o * np.tanh(c)
        for name, value in zip(found, (i, f, g, o, c, h), strict=True):
            found[name].append(value)
    return {name: np.array(each)[:: -1 if end else 1] for name, each in found.items()}


@pytest.mark.parametrize(
    ("name", "given"),
    [("classifier", "so good a film"), ("tagger", ("12", "Main", "St", "Ohio"))],
)
def test_each_direction_is_the_loop_of_the_equations(models, name, given):
    model = models(name)
    x, lengths = model.reader.rows([given]).take(np.array([0]))
    found = states_of(model, x, lengths)
    assert (found.layer, found.cell, len(found.directions)) == ("lstm1", "lstm", 2)
    vectors = model.network.forward(x, stop=1)[0][:, 0].astype(float)
    for end, values in zip(("", "_reverse"), found.directions, strict=True):
        expected = by_hand(vectors, model.network.params, end)
        assert list(values) == ["input", "forget", "new", "output", "c", "h"]
        for key, each in values.items():
            np.testing.assert_allclose(each, expected[key], rtol=1e-4, atol=1e-6)


def test_states_of_an_encoder_are_those_of_pytorch(models):
    torch = pytest.importorskip("torch")
    model = models("translator")
    x, lengths = model.reader.rows(["cab"]).take(np.array([0]))
    found = states_of(model, x, lengths)
    assert found.layer == "encoder.lstm1"
    params = {k: torch.tensor(v) for k, v in model.network.params.items()}
    cell = torch.nn.LSTM(6, 8, bidirectional=True)
    for end in ("", "_reverse"):
        getattr(cell, f"weight_ih_l0{end}").data = params[f"encoder.lstm1.w_input{end}"].T
        getattr(cell, f"weight_hh_l0{end}").data = params[f"encoder.lstm1.w_hidden{end}"].T
        getattr(cell, f"bias_ih_l0{end}").data = params[f"encoder.lstm1.bias{end}"]
        getattr(cell, f"bias_hh_l0{end}").data.zero_()
    with torch.no_grad():
        vectors = params["encoder.embedding.weight"][torch.tensor(x.astype(int))]
        h, (_, last) = cell(vectors)
    ours = np.concatenate([each["h"] for each in found.directions], axis=1)
    np.testing.assert_allclose(ours, h[:, 0].numpy(), rtol=1e-4, atol=1e-6)
    ends = [found.directions[0]["c"][-1], found.directions[1]["c"][0]]
    np.testing.assert_allclose(ends, last[:, 0].numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("cell", "parts"), [("gru", 4), ("rnn", 1)])
def test_other_cells_in_one_direction(models, cell, parts):
    model = models("classifier")
    spec = f"embedding 10 x 3; {cell} 4; {cell} 5; last; dense 2"
    network = parse_network(spec, (None,)).initialise(np.random.default_rng(0))
    model = type(model)(**{**vars(model), "network": network})
    x, lengths = model.reader.rows(["so good a film"]).take(np.array([0]))
    for layer, units in ((f"{cell}1", 4), (f"{cell}2", 5), (None, 5)):
        (values,) = states_of(model, x, lengths, layer).directions
        assert len(values) == parts
        assert all(each.shape == (5, units) for each in values.values())


def test_a_layer_that_is_not_there_is_told(models):
    model = models("translator")
    x, lengths = model.reader.rows(["cab"]).take(np.array([0]))
    assert states_of(model, x, lengths, "lstm1").layer == "encoder.lstm1"
    with pytest.raises(RequestError, match=r"only encoder.lstm1"):
        states_of(model, x, lengths, "decoder.lstm1")
    with pytest.raises(InputError, match="without a recurrent layer"):
        states_of(models("captioner"), None, None)

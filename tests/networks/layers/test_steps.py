import numpy as np
import pytest

from cnntool.engine.gradient_check import gradcheck
from cnntool.errors import RequestError
from cnntool.networks.layers.attend import Attend
from cnntool.networks.network import Network
from cnntool.networks.spec import parse_layers
from cnntool.networks.zoo import build

LENGTHS = np.array([5, 2, 3, 1])
MANY_TO_ONE = "embedding 9 x 4; lstm 3 both; {}; dense 2"
FRAMES = (
    "each conv 3 3x3; each batch-norm; each relu; each max 2; each dense 5; gru 4 both; dense 3"
)


def network(text: str, shape: tuple, seed: int = 0) -> Network:
    found = Network(parse_layers(text), shape).initialise(np.random.default_rng(seed))
    found.params = {name: array.astype(np.float64) for name, array in found.params.items()}
    found.buffers = {name: array.astype(np.float64) for name, array in found.buffers.items()}
    return found


def gradients(net: Network, x: np.ndarray, dy: np.ndarray, lengths: np.ndarray | None = None):
    y, caches = net.forward(x, lengths=lengths, training=True)
    return y, net.backward(dy, caches)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_both_directions_and_their_last_states_are_pytorchs(cell):
    torch = pytest.importorskip("torch")
    net = network(f"{cell} 4 both; last", (None, 3))
    peer = getattr(torch.nn, cell.upper())(3, 4, bidirectional=True).double()
    for end in ("", "_reverse"):
        arrays = [net.params[f"{cell}1.{key}{end}"] for key in ("w_input", "w_hidden", "bias")]
        hidden = net.params.get(f"{cell}1.hidden_bias{end}", np.zeros_like(arrays[2]))
        for key, array in zip(
            ("weight_ih", "weight_hh", "bias_ih", "bias_hh"),
            (arrays[0].T, arrays[1].T, arrays[2], hidden),
            strict=True,
        ):
            getattr(peer, f"{key}_l0{end}").data = torch.tensor(np.ascontiguousarray(array))
    x, dy = (np.random.default_rng(s).normal(size=z) for s, z in ((1, (5, 4, 3)), (2, (4, 8))))
    y, grads = gradients(net, x, dy, LENGTHS)
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        torch.tensor(x), torch.tensor(LENGTHS), enforce_sorted=False
    )
    last = peer(packed)[1]
    last = torch.cat(tuple(last[0] if cell == "lstm" else last), dim=-1)
    last.backward(torch.tensor(dy))
    np.testing.assert_allclose(y, last.detach(), atol=1e-12)
    for end in ("", "_reverse"):
        ours = grads[f"{cell}1.w_input{end}"].T
        np.testing.assert_allclose(ours, getattr(peer, f"weight_ih_l0{end}").grad, atol=1e-12)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        *[(MANY_TO_ONE.format(pool), (None,)) for pool in ("last", "mean-steps", "max-steps")],
        ("embedding 9 x 4; gru 3 both; dense 5", (None,)),
        (FRAMES, (None, 2, 6, 7)),
    ],
)
def test_what_stands_behind_an_end_counts_nowhere(text, shape):
    net, rng = network(text, shape), np.random.default_rng(1)
    x = rng.integers(0, 9, (5, 4)) if shape == (None,) else rng.normal(size=(5, 4, *shape[1:]))
    is_there = np.arange(5)[:, None] < LENGTHS
    dy = rng.normal(size=net.forward(x, lengths=LENGTHS)[0].shape)
    if len(dy) == 5:
        dy[~is_there] = 0
    longer = np.concatenate([x, x[:3]])
    longer[np.arange(8)[:, None] >= LENGTHS] = 7
    order = np.array([2, 0, 3, 1])
    wide = dy if len(dy) != 5 else np.concatenate([dy, np.zeros_like(dy[:3])])
    one, ours = gradients(net, x, dy, LENGTHS)
    other, theirs = gradients(net, longer[:, order], wide[..., order, :], LENGTHS[order])
    if len(dy) == 5:
        one, other = one[is_there], other[:5][:, np.argsort(order)][is_there]
    else:
        other = other[np.argsort(order)]
    np.testing.assert_allclose(other, one, atol=1e-12)
    for name in net.params:
        np.testing.assert_allclose(theirs[name], ours[name], atol=1e-11, err_msg=name)


@pytest.mark.parametrize(
    ("text", "x"),
    [
        ("columns; lstm 3 both; last; dense 2", (2, 2, 3, 4)),
        ("columns; gru 3; max-steps; dense 2", (3, 1, 4, 3)),
    ],
)
def test_the_way_back_is_the_derivative(text, x):
    net = network(text, x[1:])

    def forward(x, **params):
        net.params = {name.replace("__", "."): array for name, array in params.items()}
        return net.forward(x)

    def backward(dy, caches):
        first = net.backward_to_input(dy, caches)
        return first, *(net.backward(dy, caches)[path] for path in net.params)

    rng = np.random.default_rng(0)
    inputs = {"x": rng.normal(size=x)}
    inputs |= {name.replace(".", "__"): array for name, array in net.params.items()}
    for check in gradcheck(forward, backward, inputs, rng):
        assert check.verdict == "ok", check


def test_columns_are_read_from_left_to_right():
    y, _ = Network(parse_layers("columns"), (2, 2, 3)).forward(
        np.arange(12, dtype=np.float32).reshape(1, 2, 2, 3)
    )
    assert y[:, 0].tolist() == [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]


def test_places_say_where_they_are():
    x = np.arange(12, dtype=np.float32).reshape(1, 2, 2, 3)
    net = Network(parse_layers("places"), (2, 2, 3))
    y, caches = net.forward(x)
    assert y[:, 0].tolist() == [
        [0, 6, -1, -1], [1, 7, -1, 0], [2, 8, -1, 1],
        [3, 9, 1, -1], [4, 10, 1, 0], [5, 11, 1, 1],
    ]  # fmt: skip
    np.testing.assert_array_equal(net.backward_to_input(y, caches), x)


def test_a_network_says_its_shapes_and_parameters():
    text = str(Network(parse_layers(FRAMES), (None, 2, 6, 7)))
    assert "steps of 3 x 4 x 5" in text
    assert "each conv 3 3x3" in text
    net = Network(parse_layers(FRAMES), (None, 2, 6, 7))
    assert {"conv1.weight", "norm1.weight", "gru1.w_input_reverse"} <= set(net.parameters())
    for text, shape, problem in [
        ("lstm 3", (1, 4, 4), "it takes steps, not 1 x 4 x 4: put columns before it"),
        ("relu; last", (1, 4, 4), "it takes steps, not 1 x 4 x 4: put it behind a recurrence"),
        ("each relu", (1, 4, 4), "it takes steps of maps or features, not 1 x 4 x 4"),
        ("each columns", (None, 3), "it takes maps"),
    ]:
        with pytest.raises(RequestError, match=problem):
            Network(parse_layers(text), shape)


def test_steps_that_are_no_answer_are_told_what_makes_one_of_them():
    with pytest.raises(RequestError, match=r"gives 8 steps of 9 features.*'max-steps; dense 10'"):
        build("columns; lstm 9", (1, 8, 8), 10)


def test_the_work_of_every_column_counts():
    net = Network(parse_layers("columns; rnn 3; last"), (1, 5, 7))
    assert sum(layer.multiply_adds(shape) for _, layer, shape in net.each()) == 7 * (5 * 3 + 3 * 3)


@pytest.mark.parametrize(("score", "scoring"), [("general", 4 * 3), ("additive", 3 * 3 + 4 * 3)])
def test_looking_back_connects_a_step_by_its_score_and_its_sum(score, scoring):
    """3 units over keys of 4: the scores, (4 + 3) x 3 products of [context, h], and 3 biases."""
    layer, steps = Attend(score, keys=4), (None, 3)
    assert layer.multiply_adds(steps) == scoring + 7 * 3
    assert layer.connections(steps) == scoring + 7 * 3 + 3

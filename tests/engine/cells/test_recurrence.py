"""Recurrent layers against PyTorch, hand-worked steps, and what must hold whatever the weights."""

from __future__ import annotations

import numpy as np
import pytest

from cnntool.engine import (
    gru,
    gru_backward,
    lstm,
    lstm_backward,
    recurrent,
    recurrent_backward,
    recurrent_step,
    reset_first_gru,
    reset_first_gru_backward,
    rnn,
    rnn_backward,
    textbook,
)
from cnntool.engine.gradient_check import gradcheck

T, B, E, H = 7, 4, 5, 6
GATES = {"rnn": 1, "rnn-relu": 1, "gru": 3, "reset_first_gru": 3, "lstm": 4}
FORWARD = {"rnn": rnn, "gru": gru, "reset_first_gru": reset_first_gru, "lstm": lstm}
BACKWARD = {
    "rnn": rnn_backward,
    "gru": gru_backward,
    "reset_first_gru": reset_first_gru_backward,
    "lstm": lstm_backward,
}
LENGTHS = (None, (7, 3, 1, 5), (2, 0, 6, 6))


def weights_of(cell, rng, inputs=E, hidden=H):
    width = GATES[cell] * hidden
    shapes = [(inputs, width), (hidden, width), *[(width,)] * (1 + (cell == "gru"))]
    return tuple(rng.standard_normal(shape) * 0.7 for shape in shapes)


def state_of(cell, rng, batch=B, hidden=H):
    state = tuple(rng.standard_normal((batch, hidden)) for _ in range(1 + (cell == "lstm")))
    return state if cell == "lstm" else state[0]


def torch_layer(torch, cell, weights, inputs=E, hidden=H, **settings):
    """PyTorch's layer with our weights, layer by layer, direction by direction."""
    kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}.get(cell, torch.nn.RNN)
    if cell == "rnn-relu":
        settings["nonlinearity"] = "relu"
    layer = kind(inputs, hidden, **settings).double()
    with torch.no_grad():
        for number, directions in enumerate(weights):
            for direction, (w_input, w_hidden, bias, *rest) in enumerate(directions):
                end = f"_l{number}" + ("_reverse" if direction else "")
                getattr(layer, "weight_ih" + end).copy_(torch.tensor(w_input.T))
                getattr(layer, "weight_hh" + end).copy_(torch.tensor(w_hidden.T))
                getattr(layer, "bias_ih" + end).copy_(torch.tensor(bias))
                other = rest[0] if rest else np.zeros_like(bias)
                getattr(layer, "bias_hh" + end).copy_(torch.tensor(other))
    return layer


@pytest.mark.parametrize("lengths", [None, (7, 3, 1, 5)])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("cell", ["rnn", "rnn-relu", "gru", "lstm"])
def test_a_stack_and_its_gradients_are_those_of_torch(cell, directions, lengths):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    layers = [
        tuple(weights_of(cell, rng, inputs) for _ in range(directions))
        for inputs in (E, H * directions)
    ]
    states = [tuple(_tuple(state_of(cell, rng)) for _ in range(directions)) for _ in layers]
    x = rng.standard_normal((T, B, E))
    layer = torch_layer(torch, cell, layers, num_layers=2, bidirectional=directions == 2)
    given = torch.tensor(x, requires_grad=True)
    starts = [
        torch.tensor(np.stack([d[part] for s in states for d in s]), requires_grad=True)
        for part in range(len(states[0][0]))
    ]
    packed = given
    if lengths is not None:
        packed = torch.nn.utils.rnn.pack_padded_sequence(given, lengths, enforce_sorted=False)
    y, last = layer(packed, tuple(starts) if cell == "lstm" else starts[0])
    if lengths is not None:
        y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, total_length=T)
    last = last if cell == "lstm" else (last,)
    dy = rng.standard_normal(tuple(y.shape))
    dlast = [rng.standard_normal(tuple(part.shape)) for part in last]
    loss = (y * torch.tensor(dy)).sum()
    for part, d in zip(last, dlast, strict=True):
        loss = loss + (part * torch.tensor(d)).sum()
    loss.backward()

    at = None if lengths is None else np.array(lengths)
    (ours, ours_last), cache = recurrent(x, states, layers, cell=cell, lengths=at)
    dstates = [
        tuple(tuple(d[k * directions + j] for d in dlast) for j in range(directions))
        for k in range(2)
    ]
    dx, dstarts, dlayers = recurrent_backward(dy, dstates, cache)
    same(ours, y)
    for part in range(len(last)):
        same(np.stack([d[part] for s in ours_last for d in s]), last[part])
        same(np.stack([d[part] for s in dstarts for d in s]), starts[part].grad)
    same(dx, given.grad)
    for k, found in enumerate(dlayers):
        for j, (dw_input, dw_hidden, dbias, *rest) in enumerate(found):
            end = f"_l{k}" + ("_reverse" if j else "")
            same(dw_input.T, getattr(layer, "weight_ih" + end).grad)
            same(dw_hidden.T, getattr(layer, "weight_hh" + end).grad)
            same(dbias, getattr(layer, "bias_ih" + end).grad)
            if rest:
                same(rest[0], getattr(layer, "bias_hh" + end).grad)


def _tuple(state):
    return state if isinstance(state, tuple) else (state,)


def same(ours, theirs):
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("cell", FORWARD)
def test_gradients_are_the_true_ones(cell, lengths, reverse):
    rng = np.random.default_rng(2)
    names = ("w_input", "w_hidden", "bias", "hidden_bias")
    inputs = {"x": rng.standard_normal((T, B, E))}
    state = _tuple(state_of(cell, rng))
    inputs |= dict(zip(("h", "c"), state, strict=False))
    inputs |= dict(zip(names, weights_of(cell, rng), strict=False))
    at = None if lengths is None else np.array(lengths)

    def forward(x, h, c=None, **weights):
        start = h if c is None else (h, c)
        (y, last), cache = FORWARD[cell](x, start, *weights.values(), lengths=at, reverse=reverse)
        return np.concatenate([y, *(part[None] for part in _tuple(last))]), cache

    def backward(dy, cache):
        last = dy[T] if cell != "lstm" else (dy[T], dy[T + 1])
        dx, dstart, *rest = BACKWARD[cell](dy[:T], last, cache)
        return dx, *_tuple(dstart), *rest

    for check in gradcheck(forward, backward, inputs, rng):
        assert check.verdict == "ok", check


def test_an_lstm_step_worked_by_hand():
    """One unit: x = 1, h = 0.5, c = 2; weights of the input 1, of the state 0, biases 0."""
    x, state = np.ones((1, 1, 1)), (np.full((1, 1), 0.5), np.full((1, 1), 2.0))
    (y, (h, c)), _ = lstm(x, state, np.ones((1, 4)), np.zeros((1, 4)), np.zeros(4))
    sigmoid, tanh = 0.7310585786300049, 0.7615941559557649  # of 1
    cell = sigmoid * 2 + sigmoid * tanh
    assert c[0, 0] == pytest.approx(cell, rel=1e-12)
    assert y[0, 0, 0] == h[0, 0] == pytest.approx(sigmoid * np.tanh(cell), rel=1e-12)


def test_a_gru_step_worked_by_hand():
    """One unit with h = 2: reset sigmoid(1), update sigmoid(0) = 1/2, new tanh(reset (2 + 3))."""
    x, h = np.ones((1, 1, 1)), np.full((1, 1), 2.0)
    w_input, w_hidden = np.array([[1.0, 0, 0]]), np.array([[0.0, 0, 1]])
    (y, _), _ = gru(x, h, w_input, w_hidden, np.zeros(3), np.array([0.0, 0, 3]))
    reset = 0.7310585786300049
    assert y[0, 0, 0] == pytest.approx(0.5 * np.tanh(reset * 5) + 0.5 * 2, rel=1e-12)


def test_each_gate_has_its_place():
    """Gates forced open or shut by their biases, in the order input, forget, new, output."""
    x, c = np.zeros((1, 1, 1)), np.array([[3.0]])
    far = 50.0

    def cell(i, f, g, o):
        bias = np.array([i, f, g, o]) * far
        (_, (h, c1)), _ = lstm(x, (np.zeros((1, 1)), c), np.zeros((1, 4)), np.zeros((1, 4)), bias)
        return float(h[0, 0]), float(c1[0, 0])

    assert cell(-1, 1, 1, 1) == pytest.approx((np.tanh(3), 3))  # nothing new, all kept
    assert cell(1, -1, 1, 1) == pytest.approx((np.tanh(1), 1))  # all forgotten
    assert cell(1, 1, -1, 1) == pytest.approx((np.tanh(2), 2))  # the candidate is -1
    assert cell(1, 1, 1, -1) == pytest.approx((0, 4))  # nothing shown


@pytest.mark.parametrize("cell", FORWARD)
def test_two_windows_with_the_state_carried_are_one_long_one(cell):
    rng = np.random.default_rng(3)
    x, weights, start = rng.standard_normal((9, 2, 3)), weights_of(cell, rng, 3, 4), None
    start = state_of(cell, rng, 2, 4)
    (whole, end), _ = FORWARD[cell](x, start, *weights)
    (first, middle), _ = FORWARD[cell](x[:4], start, *weights)
    (second, last), _ = FORWARD[cell](x[4:], middle, *weights)
    np.testing.assert_allclose(np.concatenate([first, second]), whole, rtol=1e-12)
    for one, two in zip(_tuple(last), _tuple(end), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", FORWARD)
def test_what_lies_behind_a_sequences_end_changes_nothing(cell, reverse):
    rng = np.random.default_rng(4)
    lengths = np.array([2, 0, 6, 6])
    x, weights, start = rng.standard_normal((T, B, E)), weights_of(cell, rng), state_of(cell, rng)
    settings = {"lengths": lengths, "reverse": reverse}
    (y, last), cache = FORWARD[cell](x, start, *weights, **settings)
    past = np.arange(T)[:, None] >= lengths
    assert not y[past].any()
    other = np.where(past[..., None], np.nan, x)
    (again, last_again), other_cache = FORWARD[cell](other, start, *weights, **settings)
    np.testing.assert_array_equal(again[~past], y[~past])
    for k, length in enumerate(lengths):
        one = tuple(part[k : k + 1] for part in _tuple(start))
        alone = FORWARD[cell](
            x[:length, k : k + 1], one if cell == "lstm" else one[0], *weights, reverse=reverse
        )[0]
        np.testing.assert_allclose(y[:length, k : k + 1], alone[0], rtol=1e-12)
        for mine, whole, repeated in zip(
            _tuple(alone[1]), _tuple(last), _tuple(last_again), strict=True
        ):
            np.testing.assert_allclose(mine[0], whole[k], rtol=1e-12)
            np.testing.assert_array_equal(repeated[k], whole[k])
    dy = rng.standard_normal(y.shape)
    dx, _, *dweights = BACKWARD[cell](dy, None, cache)
    assert not dx[past].any()
    dx_again, _, *dweights_again = BACKWARD[cell](dy, None, other_cache)
    for mine, repeated in zip((dx, *dweights), (dx_again, *dweights_again), strict=True):
        np.testing.assert_array_equal(repeated, mine)


@pytest.mark.parametrize("cell", FORWARD)
def test_no_steps_leave_the_state_as_it_is(cell):
    rng = np.random.default_rng(5)
    start, weights = state_of(cell, rng), weights_of(cell, rng)
    (y, last), cache = FORWARD[cell](np.zeros((0, B, E)), start, *weights)
    assert y.shape == (0, B, H)
    dx, dstart, *dweights = BACKWARD[cell](None, last, cache)
    for one, two, d in zip(_tuple(last), _tuple(start), _tuple(dstart), strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(d, two)
    assert dx.shape == (0, B, E)
    assert not any(dweight.any() for dweight in dweights)


@pytest.mark.parametrize("cell", FORWARD)
def test_steps_behind_the_end_of_all_sequences_are_none_in_the_textbook_too(cell):
    rng, lengths = np.random.default_rng(6), np.array([2, 0, 4, 3])
    x, start, weights = rng.standard_normal((T, B, E)), state_of(cell, rng), weights_of(cell, rng)
    expected = FORWARD[cell](x[:4], start, *weights, lengths=lengths)[0]
    with textbook():
        (y, last), cache = FORWARD[cell](x, start, *weights, lengths=lengths)
        dx, *_ = BACKWARD[cell](np.ones_like(y), None, cache)
    np.testing.assert_allclose(y[:4], expected[0], rtol=1e-12, atol=1e-12)
    for one, other in zip(_tuple(last), _tuple(expected[1]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    assert not y[4:].any()
    assert not dx[4:].any()


@pytest.mark.parametrize("cell", FORWARD)
def test_gradients_can_be_written_where_they_are_wanted_and_inputs_stay(cell):
    rng = np.random.default_rng(6)
    x, start, weights = rng.standard_normal((T, B, E)), state_of(cell, rng), weights_of(cell, rng)
    given = [x, *_tuple(start), *weights]
    kept = [array.copy() for array in given]
    (y, _), cache = FORWARD[cell](x, start, *weights)
    dy = rng.standard_normal(y.shape)
    places = tuple(np.full_like(weight, np.nan) for weight in weights)
    plain = BACKWARD[cell](dy, None, cache)
    found = BACKWARD[cell](dy, None, cache, need_dx=False, out=places)
    assert found[0] is None
    for one, two, place in zip(found[2:], plain[2:], places, strict=True):
        np.testing.assert_array_equal(one, two)
        assert one is place
    for array, before in zip(given, kept, strict=True):
        np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize("cell", ["rnn", "rnn-relu", "gru", "lstm"])
def test_steps_are_a_sequence(cell):
    rng = np.random.default_rng(7)
    layers = [(weights_of(cell, rng),), (weights_of(cell, rng, H),)]
    states = [(_tuple(state_of(cell, rng)),), (_tuple(state_of(cell, rng)),)]
    x = rng.standard_normal((3, B, E))
    (whole, last), _ = recurrent(x, states, layers, cell=cell)
    for step in x:
        y, states = recurrent_step(step, states, layers, cell=cell)
    np.testing.assert_allclose(y, whole[-1], rtol=1e-12)
    for (one,), (two,) in zip(states, last, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12)


def test_a_stack_of_both_directions_has_no_single_steps():
    rng = np.random.default_rng(7)
    layers, states = [(weights_of("gru", rng),) * 2], [((state_of("gru", rng),),) * 2]
    with pytest.raises(ValueError, match="2 directions"):
        recurrent_step(rng.standard_normal((B, E)), states, layers, cell="gru")


def test_a_stack_writes_its_gradients_where_they_are_wanted():
    rng = np.random.default_rng(11)
    layers = [
        (weights_of("gru", rng), weights_of("gru", rng)),
        (weights_of("gru", rng, 2 * H), weights_of("gru", rng, 2 * H)),
    ]
    states = [((np.zeros((B, H)),),) * 2] * 2
    (y, _), cache = recurrent(rng.standard_normal((T, B, E)), states, layers, cell="gru")
    places = [
        tuple(tuple(np.full_like(w, np.nan) for w in each) for each in layer) for layer in layers
    ]
    dx, _, plain = recurrent_backward(y, None, cache)
    assert dx.shape == (T, B, E)
    nothing, _, _ = recurrent_backward(y, None, cache, need_dx=False, out=places)
    assert nothing is None
    for layer, wanted_layer in zip(places, plain, strict=True):
        for each, wanted in zip(layer, wanted_layer, strict=True):
            for one, two in zip(each, wanted, strict=True):
                np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, "some"])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_sizes_whose_products_are_cut_are_those_of_torch(cell, lengths, reverse):
    """Large enough that products are cut into tiles, and slopes worked out in several blocks."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(12)
    steps, batch, inputs, hidden = 24, 50, 64, 128
    weights = tuple(weight * 0.1 for weight in weights_of(cell, rng, inputs, hidden))
    x, dy = rng.standard_normal((2, steps, batch, hidden))
    x, at = x[..., :inputs], rng.integers(0, steps + 1, batch) if lengths else None
    start = np.zeros((batch, hidden))
    (y, _), cache = FORWARD[cell](
        x, (start, start) if cell == "lstm" else start, *weights, lengths=at, reverse=reverse
    )
    dx, _, *dweights = BACKWARD[cell](dy, None, cache)

    layer = torch_layer(torch, cell, [[weights]], inputs, hidden)
    # PyTorch packs no empty sequences, and runs backward only beside forward: turn them by hand
    ends = np.full(batch, steps) if at is None else at
    inside = np.arange(steps)[:, None] < ends
    place = np.where(
        inside & reverse, ends - 1 - np.arange(steps)[:, None], np.arange(steps)[:, None]
    )
    turn = torch.tensor(place[..., None])
    given = torch.tensor(x, requires_grad=True)
    theirs, _ = layer(given.gather(0, turn.expand(-1, -1, inputs)))
    theirs = theirs.gather(0, turn.expand(-1, -1, hidden)) * torch.tensor(inside[..., None])
    (theirs * torch.tensor(dy)).sum().backward()
    same(y, theirs)
    same(dx, given.grad)
    same(dweights[0].T, layer.weight_ih_l0.grad)
    same(dweights[1].T, layer.weight_hh_l0.grad)
    same(dweights[2], layer.bias_ih_l0.grad)


def test_gate_values_are_named_and_in_the_order_of_time():
    rng = np.random.default_rng(13)
    x, weights, (h0, c0) = (
        rng.standard_normal((T, B, E)),
        weights_of("lstm", rng),
        state_of("lstm", rng),
    )
    w_input, w_hidden, bias = weights
    (y, _), cache = lstm(x, (h0, c0), *weights, reverse=True)
    before = np.concatenate([y[1:], h0[None]])
    z = np.split(x @ w_input + before @ w_hidden + bias, 4, axis=-1)
    gates, c = cache.gate_values(), cache.cells()
    assert list(gates) == ["input", "forget", "new", "output"]
    for name, part in zip(gates, z, strict=True):
        wanted = np.tanh(part) if name == "new" else 1 / (1 + np.exp(-part))
        np.testing.assert_allclose(gates[name], wanted, rtol=1e-10)
    c_before = np.concatenate([c[1:], c0[None]])
    np.testing.assert_allclose(c, gates["forget"] * c_before + gates["input"] * gates["new"])
    np.testing.assert_allclose(y, gates["output"] * np.tanh(c))


def test_gate_values_of_a_gru_are_named_and_in_the_order_of_time():
    rng = np.random.default_rng(13)
    x, weights, h0 = rng.standard_normal((T, B, E)), weights_of("gru", rng), state_of("gru", rng)
    w_input, w_hidden, bias, hidden_bias = weights
    (y, _), cache = gru(x, h0, *weights, reverse=True)
    before = np.concatenate([y[1:], h0[None]])
    of_x = np.split(x @ w_input + bias, 3, axis=-1)
    of_h = np.split(before @ w_hidden + hidden_bias, 3, axis=-1)
    reset, update = (1 / (1 + np.exp(-of_x[k] - of_h[k])) for k in range(2))
    wanted = {"reset": reset, "update": update, "new": np.tanh(of_x[2] + reset * of_h[2])}
    gates = cache.gate_values()
    assert list(gates) == list(wanted)
    for name, values in wanted.items():
        np.testing.assert_allclose(gates[name], values, rtol=1e-10)


def test_dropout_stands_between_layers_only():
    rng = np.random.default_rng(8)
    weights = weights_of("gru", rng)
    one, two = [(weights,)], [(weights,), (weights_of("gru", rng, H),)]
    x, start = rng.standard_normal((T, B, E)), [((np.zeros((B, H)),),)] * 2
    (plain, _), _ = recurrent(x, start[:1], one, cell="gru")
    settings = {"cell": "gru", "dropout": 0.5}
    (alone, _), _ = recurrent(x, start[:1], one, rng=np.random.default_rng(0), **settings)
    np.testing.assert_array_equal(alone, plain)
    (a, _), cache = recurrent(x, start, two, rng=np.random.default_rng(0), **settings)
    (b, _), _ = recurrent(x, start, two, cell="gru")
    assert not np.allclose(a, b)
    dx, *_ = recurrent_backward(np.ones_like(a), None, cache)
    step, moved = 1e-6, x.copy()
    moved[2, 1, 3] += step
    (up, _), _ = recurrent(moved, start, two, rng=np.random.default_rng(0), **settings)
    assert dx[2, 1, 3] == pytest.approx((up.sum() - a.sum()) / step, rel=1e-4)
    with pytest.raises(ValueError, match="rng"):
        recurrent(x, start, two, **settings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros((T, B))}, "x has shape"),
        ({"w_input": np.zeros((E + 1, 4 * H))}, "w_input has shape"),
        ({"w_hidden": np.zeros((H, 3 * H))}, "w_hidden has shape"),
        ({"bias": np.zeros(H)}, "bias has shape"),
        ({"state": (np.zeros((B, H)), np.zeros((B, H + 1)))}, "state has shape"),
        ({"lengths": np.array([8, 1, 1, 1])}, "lengths are 1 to 8"),
        ({"lengths": np.array([1.0, 1, 1, 1])}, "lengths are float64"),
        ({"lengths": np.array([1, 1])}, "lengths are int64"),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    rng = np.random.default_rng(9)
    names = ("w_input", "w_hidden", "bias")
    given = dict(zip(names, weights_of("lstm", rng), strict=True))
    given |= {"x": rng.standard_normal((T, B, E)), "state": state_of("lstm", rng), **change}
    with pytest.raises(ValueError, match=message):
        lstm(**given)


def test_a_stack_names_what_does_not_fit():
    rng = np.random.default_rng(9)
    x, layers, states = rng.standard_normal((T, B, E)), [(weights_of("rnn", rng),)], []
    with pytest.raises(ValueError, match="0 states for 1 layers: expected one each"):
        recurrent(x, states, layers, cell="rnn")
    for run, given in ((recurrent, x), (recurrent_step, x[0])):
        with pytest.raises(ValueError, match="cell is 'gur': expected rnn, rnn-relu, gru, lstm"):
            run(given, [((np.zeros((B, H)),),)], layers, cell="gur")


def test_another_activation_is_named():
    rng = np.random.default_rng(9)
    x, start, weights = rng.standard_normal((T, B, E)), state_of("rnn", rng), weights_of("rnn", rng)
    with pytest.raises(ValueError, match="'gelu': expected tanh or relu"):
        rnn(x, start, *weights, activation="gelu")


def test_float32_stays_and_float64_goes_through():
    rng = np.random.default_rng(10)
    narrow, wide = np.float32, np.float64
    for of_x, of_weights in ((narrow, narrow), (wide, wide), (narrow, wide), (wide, narrow)):
        dtype = np.result_type(of_x, of_weights)
        weights = [weight.astype(of_weights) for weight in weights_of("lstm", rng)]
        state = tuple(part.astype(of_x) for part in state_of("lstm", rng))
        (y, _), cache = lstm(rng.standard_normal((T, B, E)).astype(of_x), state, *weights)
        assert y.dtype == dtype
        assert {d.dtype for d in lstm_backward(y, None, cache)[2:]} == {dtype}


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_wide_layers_whose_products_are_cut_agree_with_the_textbook(cell):
    rng = np.random.default_rng(3)
    weights = [weight / 16 for weight in weights_of(cell, rng, 8, 256)]
    x, dy = rng.standard_normal((5, 24, 8)), rng.standard_normal((5, 24, 256))
    start = state_of(cell, rng, 24, 256)
    lengths = rng.integers(0, 6, 24)

    def both_ways():
        (y, last), cache = FORWARD[cell](x, start, *weights, lengths=lengths)
        dx, dstart, *grads = BACKWARD[cell](dy, None, cache)
        states = (*last, *dstart) if cell == "lstm" else (last, dstart)
        return y, dx, *states, *grads

    with textbook():
        expected = both_ways()
    for found, wanted in zip(both_ways(), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)

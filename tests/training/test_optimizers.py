"""Optimizers by hand, against PyTorch over many steps, and through a file."""

import io

import numpy as np
import pytest

from cnntool.choices import OPTIMIZERS
from cnntool.errors import InputError, RequestError
from cnntool.training import optimizers
from cnntool.training.optimizers import Optimizer, make_optimizer
from cnntool.training.shards import flatten, views_of
from cnntool.training.update_rules import (
    clip_by_global_norm,
    descend,
    global_norm,
    scale_by_adam,
    scale_by_rms,
    trace,
)

NAMES = list(OPTIMIZERS)
RNG = np.random.default_rng(5)
X = RNG.standard_normal((12, 5))
TARGETS = RNG.standard_normal((12, 3))
PARAMS = {
    "hidden.weight": RNG.standard_normal((5, 7)),
    "hidden.bias": RNG.standard_normal(7),
    "out.weight": RNG.standard_normal((7, 3)),
    "out.bias": RNG.standard_normal(3),
}


def perceptron(params: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
    """Half the squared error of two layers with tanh, and its gradients."""
    hidden = np.tanh(X @ params["hidden.weight"] + params["hidden.bias"])
    error = hidden @ params["out.weight"] + params["out.bias"] - TARGETS
    back = (error @ params["out.weight"].T) * (1 - hidden**2)
    grads = {
        "hidden.weight": X.T @ back,
        "hidden.bias": back.sum(0),
        "out.weight": hidden.T @ error,
        "out.bias": error.sum(0),
    }
    return float((error**2).sum()) / 2, grads


def trained(optimizer, steps, rate=None):
    """Losses, and the parameters at the end."""
    vector, params = flatten(PARAMS)
    gradient, state, losses = np.zeros_like(vector), optimizer.start(vector), []
    for step in range(steps):
        loss, grads = perceptron(params)
        losses.append(loss)
        for path, view in views_of(gradient, params).items():
            view[...] = grads[path]
        optimizer.step(vector, gradient, state, rate and rate(step))
    return losses, vector


def trained_by_torch(make, steps, *, clip=None, rate=None):
    """The same in PyTorch."""
    torch = pytest.importorskip("torch")
    params = {path: torch.tensor(array, requires_grad=True) for path, array in PARAMS.items()}
    optimizer, losses = make(torch.optim, list(params.values())), []
    for step in range(steps):
        optimizer.zero_grad()
        hidden = torch.tanh(torch.tensor(X) @ params["hidden.weight"] + params["hidden.bias"])
        y = hidden @ params["out.weight"] + params["out.bias"]
        loss = ((y - torch.tensor(TARGETS)) ** 2).sum() / 2
        loss.backward()
        losses.append(loss.item())
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(list(params.values()), clip)
        if rate is not None:
            for group in optimizer.param_groups:
                group["lr"] = rate(step)
        optimizer.step()
    return losses, np.concatenate([array.detach().numpy().ravel() for array in params.values()])


TORCH = {
    "sgd": lambda optim, params, **more: optim.SGD(params, **more),
    "momentum": lambda optim, params, **more: optim.SGD(params, momentum=0.9, **more),
    "nesterov": lambda optim, params, **more: optim.SGD(
        params, momentum=0.9, nesterov=True, **more
    ),
    "rmsprop": lambda optim, params, **more: optim.RMSprop(params, **more),
    "adam": lambda optim, params, **more: optim.Adam(params, **more),
    "adamw": lambda optim, params, **more: optim.AdamW(params, **more),
}


def agree(ours, theirs, rtol=1e-9):
    np.testing.assert_allclose(ours[0], theirs[0], rtol=rtol)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=rtol, atol=1e-12)
    assert ours[0][-1] < ours[0][0]


@pytest.mark.parametrize("name", NAMES)
def test_the_rules_are_those_of_pytorch(name):
    make = lambda optim, params: TORCH[name](optim, params, lr=0.003)
    agree(trained(make_optimizer(name, 0.003), 60), trained_by_torch(make, 60))


@pytest.mark.parametrize("name", NAMES)
def test_decay_clipping_and_a_changing_rate_are_those_of_pytorch(name):
    rate = lambda step: 0.004 / (1 + 0.1 * step)
    optimizer = make_optimizer(name, weight_decay=0.3, clip=4.0)
    make = lambda optim, params: TORCH[name](optim, params, weight_decay=0.3)
    agree(trained(optimizer, 60, rate), trained_by_torch(make, 60, clip=4.0, rate=rate))


def test_settings_are_those_of_pytorch():
    chain = scale_by_rms(0.9, 1e-3), trace(0.7), descend()
    ours = trained(Optimizer("rmsprop", 2e-3, chain), 50)
    make = lambda optim, params: optim.RMSprop(params, 2e-3, alpha=0.9, eps=1e-3, momentum=0.7)
    agree(ours, trained_by_torch(make, 50))
    ours = trained(Optimizer("adam", 5e-3, (scale_by_adam(0.8, 0.9, 1e-2), descend())), 50)
    make = lambda optim, params: optim.Adam(params, 5e-3, betas=(0.8, 0.9), eps=1e-2)
    agree(ours, trained_by_torch(make, 50))


def moved(name, grads, **settings):
    """Where a parameter at 1 is after a step for each gradient, at a rate of 1/2."""
    params = np.array([1.0])
    optimizer = make_optimizer(name, 0.5, **settings)
    state = optimizer.start(params)
    for grad in grads:
        optimizer.step(params, np.array([float(grad)]), state)
    return params.item()


def test_two_steps_by_hand():
    assert moved("sgd", [2, 1]) == 1 - 0.5 * (2 + 1)
    assert moved("momentum", [2, 1], momentum=0.5) == 1 - 0.5 * 2 - 0.5 * (0.5 * 2 + 1)
    ahead = (2 + 0.5 * 2) + (1 + 0.5 * (0.5 * 2 + 1))
    assert moved("nesterov", [2, 1], momentum=0.5) == 1 - 0.5 * ahead
    assert moved("sgd", [2], weight_decay=0.25) == 1 - 0.5 * (2 + 0.25)
    rms = 2 / (0.01 * 2**2) ** 0.5 + 1 / (0.99 * 0.01 * 2**2 + 0.01 * 1**2) ** 0.5
    assert moved("rmsprop", [2, 1]) == pytest.approx(1 - 0.5 * rms, rel=1e-6)
    mean, square = (0.9 * 0.2 + 0.1) / (1 - 0.9**2), (0.999 * 0.004 + 0.001) / (1 - 0.999**2)
    adam = 1 - 0.5 - 0.5 * mean / square**0.5
    assert moved("adam", [2, 1]) == pytest.approx(adam, rel=1e-6)
    assert moved("adamw", [2], weight_decay=0.25) == pytest.approx(0.875 - 0.5, rel=1e-6)


def test_adam_takes_no_notice_of_the_scale_of_the_gradient():
    grads = [0.3, -1.2, 0.7]
    scaled = [1000 * grad for grad in grads]
    assert moved("adam", grads) == pytest.approx(moved("adam", scaled), rel=1e-6)


def test_clipping_keeps_the_direction_and_leaves_small_gradients_alone():
    for grads, moves in (([3.0, 4], [0.6, 0.8]), ([0.3, 0.4], [0.3, 0.4])):
        params, optimizer = np.zeros(2), make_optimizer("sgd", 1.0, clip=1.0)
        optimizer.step(params, np.array(grads), optimizer.start(params))
        np.testing.assert_allclose(-params, moves, rtol=1e-6)


def test_a_gradient_too_large_for_float32_squares_is_still_clipped():
    grads = np.array([3e30, 4e30], np.float32)
    assert global_norm(grads) == pytest.approx(5e30)
    params, optimizer = np.zeros(2, np.float32), make_optimizer("sgd", 1.0, clip=1.0)
    optimizer.step(params, grads, optimizer.start(params))
    np.testing.assert_allclose(-params, [0.6, 0.8], rtol=1e-6)


@pytest.mark.filterwarnings("error")
def test_a_gradient_that_is_no_number_shows_in_the_parameters():
    for name in NAMES:
        params, optimizer = np.ones(3, np.float32), make_optimizer(name, clip=1.0)
        grads = np.array([1, np.nan, np.inf], np.float32)
        optimizer.step(params, grads, optimizer.start(params))
        assert not np.isfinite(params).all()


@pytest.mark.parametrize("name", NAMES)
def test_training_goes_on_bit_for_bit_from_a_file(name):
    rng = np.random.default_rng(1)
    grads = rng.standard_normal((20, 50)).astype(np.float32)
    settings = {"clip": 5.0, "weight_decay": 0.1}
    params = rng.standard_normal(50).astype(np.float32)
    optimizer = make_optimizer(name, **settings)
    state = optimizer.start(params)
    for row in grads[:10]:
        optimizer.step(params, row, state)
    file = io.BytesIO()
    np.savez(file, params=params, **{f"state/{name}": array for name, array in state.items()})
    for row in grads[10:]:
        optimizer.step(params, row, state)

    file.seek(0)
    entries = dict(np.load(file, allow_pickle=False))
    again, resumed = entries.pop("params"), make_optimizer(name, **settings)
    saved = {entry.removeprefix("state/"): array for entry, array in entries.items()}
    state_again = resumed.restore(saved, again)
    for row in grads[10:]:
        resumed.step(again, row, state_again)
    assert again.tobytes() == params.tobytes()
    assert state_again.keys() == state.keys()
    assert all(state_again[key].tobytes() == state[key].tobytes() for key in state)
    assert (state["step"].dtype, state["step"].shape, int(state["step"])) == (np.int64, (), 20)


def test_a_state_of_something_else_is_refused():
    params = np.zeros(4, np.float32)
    adam, sgd = make_optimizer("adam"), make_optimizer("sgd")
    with pytest.raises(InputError, match="has step, adam needs adam/squares, adam/sums, step: go"):
        adam.restore(sgd.start(params), params)
    with pytest.raises(InputError, match=r"adam/sums is float32 \(4,\), expected float32 \(5,\)"):
        adam.restore(adam.start(params), np.zeros(5, np.float32))
    with pytest.raises(InputError, match=r"is float32 .*, expected float64"):
        adam.restore(adam.start(params), np.zeros(4))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_stay_as_they_are_and_vectors_keep_their_dtype_and_memory(name, dtype):
    params, grads = np.ones(9, dtype), np.arange(9).astype(dtype)
    optimizer = make_optimizer(name, clip=0.5, weight_decay=0.1)
    state = optimizer.start(params)
    memory = {key: array.ctypes.data for key, array in state.items()}
    for _ in range(3):
        optimizer.step(params, grads, state)
    assert grads.tolist() == list(range(9))
    assert params.dtype == dtype
    assert {key: array.ctypes.data for key, array in state.items()} == memory
    assert all(array.dtype == dtype for key, array in state.items() if key != "step")


@pytest.mark.parametrize("name", NAMES)
def test_neither_blocks_nor_threads_change_a_bit(name, monkeypatch):
    rng = np.random.default_rng(2)
    grads = rng.standard_normal((3, 1000)).astype(np.float32)

    def after_three_steps():
        optimizer = make_optimizer(name, weight_decay=0.1, clip=2.0)
        params = np.linspace(-1, 1, 1000, dtype=np.float32)
        state = optimizer.start(params)
        for row in grads:
            optimizer.step(params, row, state)
        return params.tobytes(), {key: array.tobytes() for key, array in state.items()}

    whole = after_three_steps()
    monkeypatch.setattr(optimizers, "BLOCK_BYTES", 256)
    assert after_three_steps() == whole
    monkeypatch.setattr(optimizers, "WORTH_SHARING", 1)
    monkeypatch.setattr(optimizers, "available_cores", lambda: 3)
    assert after_three_steps() == whole


def test_one_optimizer_steps_through_vectors_of_several_lengths_and_dtypes():
    optimizer = make_optimizer("adam", 1.0)
    for count, dtype in ((5, np.float32), (500, np.float32), (500, np.float64), (3, np.float64)):
        params = np.zeros(count, dtype)
        optimizer.step(params, np.ones(count, dtype), optimizer.start(params))
        np.testing.assert_allclose(params, -1, rtol=1e-6)


def test_what_looks_at_all_of_the_gradient_comes_first():
    with pytest.raises(ValueError, match="comes first in the chain"):
        optimizers.Optimizer("odd", 1.0, (descend(), clip_by_global_norm(1.0)))


def test_vectors_that_do_not_fit_are_refused():
    params, optimizer = np.zeros((2, 2)), make_optimizer("sgd")
    for one, other in ((params, params), (params[0], np.zeros(3)), (params[0], np.zeros(2, "f4"))):
        with pytest.raises(ValueError, match="expected two vectors of one length and dtype"):
            optimizer.step(one, other, {"step": np.zeros((), np.int64)})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "adan"}, "unknown optimizer 'adan': did you mean 'adam'?"),
        ({"name": "lbfgs"}, "unknown optimizer 'lbfgs': expected sgd, momentum, nesterov, rmsprop"),
        ({"name": "adam", "momentum": 0.5}, "adam has no momentum: leave it out, or take momen"),
        ({"learning_rate": 0}, "the learning rate is 0, expected a number above 0"),
        ({"learning_rate": float("nan")}, "the learning rate is nan, expected a number above 0"),
        ({"name": "momentum", "momentum": 1}, "the momentum is 1, expected a number from 0 to bel"),
        ({"weight_decay": -0.1}, "the weight decay is -0.1, expected a number from 0"),
        ({"clip": 0}, "the clip is 0, expected the largest norm of the gradient, above 0"),
    ],
)  # fmt: skip
def test_mistakes_get_one_line_with_the_remedy(settings, message):
    with pytest.raises(RequestError) as raised:
        make_optimizer(**({"name": "sgd"} | settings))
    assert str(raised.value).startswith(message)

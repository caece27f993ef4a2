"""The fused output layer by hand, against the layers it fuses, PyTorch, and its own bounds."""

import math
import threading
import tracemalloc

import numpy as np
import pytest

from cnntool.engine import (
    dense,
    dense_backward,
    losses,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
)
from cnntool.engine.fast.threads import on_this_thread_alone
from cnntool.engine.losses import (
    vocabulary_cross_entropy,
    vocabulary_cross_entropy_backward,
)

SIZES = [
    (1, 1, 1),  # rows, inputs, words
    (7, 3, 5),
    (20, 16, 64),
    (33, 4, 250),
    (300, 32, 1000),
    (1100, 40, 130),
    (700, 8, 3000),
]


def problem(sizes, dtype=np.float64, seed=0):
    """x, weight, bias and targets."""
    rows, inputs, words = sizes
    rng = np.random.default_rng(seed)
    x, weight = rng.standard_normal((rows, inputs)), rng.standard_normal((inputs, words))
    bias, targets = rng.standard_normal(words), rng.integers(0, words, rows)
    return x.astype(dtype), weight.astype(dtype), bias.astype(dtype), targets


def everything(x, weight, bias, targets, weights=None, dloss=1.0):
    loss, cache = vocabulary_cross_entropy(x, weight, bias, targets, weights)
    return loss, cache, vocabulary_cross_entropy_backward(dloss, cache)


def as_bytes(*given, **options):
    loss, cache, gradients = everything(*given, **options)
    return loss, cache.losses.tobytes(), [gradient.tobytes() for gradient in gradients]


def test_two_rows_by_hand():
    weight = np.log([[1.0, 2, 5], [1, 1, 2]])  # probabilities 1/8, 2/8, 5/8 and 1/4, 1/4, 2/4
    loss, cache, (dx, dweight, dbias) = everything(np.eye(2), weight, None, np.array([2, 0]))
    expected = [-math.log(5 / 8), -math.log(1 / 4)]
    assert cache.losses == pytest.approx(expected)
    assert loss == pytest.approx(sum(expected) / 2)
    assert cache.correct == 1
    slopes = np.array([[1 / 8, 2 / 8, 5 / 8 - 1], [1 / 4 - 1, 1 / 4, 2 / 4]]) / 2
    np.testing.assert_allclose(dweight, slopes)
    np.testing.assert_allclose(dx, slopes @ weight.T)
    assert dbias is None


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_it_is_the_dense_layer_and_its_loss(sizes, has_bias, masked):
    x, weight, bias, targets = problem(sizes)
    bias = bias if has_bias else None
    weights = np.arange(len(x)) % 3 + (len(x) == 1) if masked else None
    loss, cache, gradients = everything(x, weight, bias, targets, weights, dloss=0.5)

    logits, layer = dense(x, weight, bias)
    expected, last = softmax_cross_entropy(logits, targets, weights)
    assert loss == pytest.approx(expected, rel=1e-12)
    slopes = dense_backward(softmax_cross_entropy_backward(0.5, last), layer)
    assert (gradients[2] is None) == (bias is None)
    for gradient, slope in zip(gradients, slopes, strict=True):
        if slope is not None:
            np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-13)
    right = logits.argmax(axis=1) == targets
    assert cache.correct == right[weights > 0 if masked else ...].sum()


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize(("dtype", "close"), [(np.float64, 1e-10), (np.float32, 2e-4)])
def test_parity_with_pytorch(sizes, dtype, close):
    torch = pytest.importorskip("torch")
    x, weight, bias, targets = problem(sizes, dtype)
    leaves = [torch.tensor(array, requires_grad=True) for array in (x, weight.T, bias)]
    losses = torch.nn.functional.cross_entropy(
        torch.nn.functional.linear(*leaves), torch.tensor(targets), reduction="none"
    )
    (3 * losses.mean()).backward()
    loss, cache, (dx, dweight, dbias) = everything(x, weight, bias, targets, dloss=3.0)
    assert loss == pytest.approx(losses.mean().item(), rel=close)
    np.testing.assert_allclose(cache.losses, losses.detach(), rtol=close, atol=close)
    for gradient, leaf in zip((dx, dweight.T, dbias), leaves, strict=True):
        assert gradient.dtype == dtype
        np.testing.assert_allclose(gradient, leaf.grad, rtol=close, atol=close / 10)


@pytest.mark.parametrize("words", [6, 400])
def test_rows_of_weight_zero_may_hold_anything(words):
    x, weight, bias, targets = problem((9, 4, words))
    counts = np.arange(9) % 3 > 0
    kept = everything(x[counts], weight, bias, targets[counts])
    x[~counts], targets[~counts] = np.nan, -100
    loss, cache, (dx, dweight, dbias) = everything(x, weight, bias, targets, counts)
    assert loss == pytest.approx(kept[0], rel=1e-14)
    assert cache.correct == kept[1].correct
    assert cache.losses[~counts].tolist() == [0, 0, 0]
    assert dx[~counts].tolist() == [[0] * 4] * 3
    np.testing.assert_allclose(cache.losses[counts], kept[1].losses, rtol=1e-14)
    np.testing.assert_allclose(dx[counts], kept[2][0], rtol=1e-13)
    np.testing.assert_allclose(dweight, kept[2][1], rtol=1e-13)
    np.testing.assert_allclose(dbias, kept[2][2], rtol=1e-13)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("scale", [1e2, 1e4, 1e18])
@pytest.mark.parametrize("words", [6, 400])
def test_it_is_finite_wherever_the_loss_is(scale, words):
    x, weight, bias, _ = problem((8, 4, words), np.float32)
    x, weight = x * np.float32(scale), weight * np.float32(scale)
    logits = x.astype(float) @ weight.astype(float) + bias
    targets = logits.argmin(axis=1)
    loss, _, gradients = everything(x, weight, bias, targets)
    assert loss == pytest.approx(np.mean(logits.max(axis=1) - logits.min(axis=1)), rel=1e-5)
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    loss, cache, (dx, *_) = everything(x, weight, bias, logits.argmax(axis=1))
    assert (loss, cache.correct) == (pytest.approx(0, abs=1e-2), 8)
    assert np.isfinite(dx).all()


def test_equal_logits_lose_the_logarithm_of_their_number_and_the_first_is_likeliest():
    x, weight, targets = np.ones((3, 2), "f4"), np.zeros((2, 5000), "f4"), np.array([4999, 0, 0])
    loss, cache, (_, dweight, _) = everything(x, weight, None, targets)
    assert loss == pytest.approx(math.log(5000), rel=1e-6)
    assert cache.correct == 2
    np.testing.assert_allclose(dweight.sum(axis=1), 0, atol=1e-6)


def test_without_inputs_the_bias_decides_alone():
    bias, targets = np.log([1.0, 3]), np.array([1, 1, 0])
    loss, _, (dx, dweight, dbias) = everything(np.zeros((3, 0)), np.zeros((0, 2)), bias, targets)
    assert loss == pytest.approx((2 * math.log(4 / 3) + math.log(4)) / 3)
    assert (dx.shape, dweight.shape) == ((3, 0), (0, 2))
    np.testing.assert_allclose(dbias, [1 / 4 - 1 / 3, 3 / 4 - 2 / 3])


def test_a_word_that_cannot_be_has_no_gradient():
    x, weight, bias, targets = problem((6, 2, 40))
    bias[39], targets[:] = -np.inf, 3
    loss, _, (dx, dweight, dbias) = everything(x, weight, bias, targets)
    expected = everything(x, weight[:, :39], bias[:39], targets)
    assert loss == pytest.approx(expected[0])
    assert (dweight[:, 39].tolist(), dbias[39]) == ([0, 0], 0)
    np.testing.assert_allclose(dx, expected[2][0])


@pytest.mark.parametrize("sizes", [(600, 32, 4000), (2500, 128, 65)])
def test_no_thread_changes_a_bit(sizes, monkeypatch):
    given = problem(sizes, np.float32)
    with on_this_thread_alone():
        alone = as_bytes(*given)
    monkeypatch.setattr("cnntool.engine.fast.threads.available_cores", lambda: 3)
    assert all(as_bytes(*given) == alone for _ in range(5))


def test_on_this_thread_alone_nothing_is_shared(monkeypatch):
    used = set()
    scored = losses._scored

    def watched(*given):
        used.add(threading.get_ident())
        return scored(*given)

    monkeypatch.setattr(losses, "_scored", watched)
    monkeypatch.setattr("cnntool.engine.fast.threads.available_cores", lambda: 4)
    with on_this_thread_alone():
        everything(*problem((1000, 32, 1000), np.float32))
    assert used == {threading.get_ident()}


def test_several_callers_at_once_do_not_disturb_each_other():
    problems = [problem((400, 16, 700), np.float32, seed) for seed in range(4)]
    expected = [as_bytes(*given) for given in problems]
    found = {}

    def call(number):
        found[number] = [as_bytes(*problems[number]) for _ in range(5)]

    threads = [threading.Thread(target=call, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[number] == 5 * [expected[number]] for number in range(4))


@pytest.mark.parametrize("need_gradient", [True, False])
def test_no_more_logits_are_held_than_a_block_a_thread(need_gradient, monkeypatch):
    monkeypatch.setattr("cnntool.engine.fast.threads.available_cores", lambda: 2)
    monkeypatch.setattr("cnntool.engine.fast.scratch._idle", [])
    x, weight, bias, targets = problem((6000, 4, 10_000), np.float32)
    tracemalloc.start()
    try:
        vocabulary_cross_entropy(x, weight, bias, targets, need_gradient=need_gradient)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6000 * 10_000 * 4 / 10
    assert peak < 2 * losses.BLOCK_BYTES + 12 * weight.nbytes + 10 * x.nbytes


@pytest.mark.parametrize("words", [50, 3000])
def test_pieces_of_any_size_give_the_same(words, monkeypatch):
    given = problem((500, 8, words))
    expected = everything(*given)
    for name, size in (("BLOCK_BYTES", 20_000), ("PIECE_BYTES", 30_000), ("FEWEST_ROWS", 1)):
        monkeypatch.setattr(losses, name, size)
    loss, cache, gradients = everything(*given)
    assert loss == pytest.approx(expected[0], rel=1e-13)
    assert cache.correct == expected[1].correct
    for gradient, other in zip(gradients, expected[2], strict=True):
        np.testing.assert_allclose(gradient, other, rtol=1e-9, atol=1e-14)


def layouts(weight):
    inputs, words = weight.shape
    table, sparse = np.ascontiguousarray(weight.T), np.zeros((2 * inputs, 3 * words), weight.dtype)
    sparse[::2, ::3] = weight
    return {"turned": table.T, "sparse": sparse[::2, ::3], "mirrored": weight[::-1].copy()[::-1]}


@pytest.mark.parametrize("words", [6, 400])
@pytest.mark.parametrize("layout", ["turned", "sparse", "mirrored"])
def test_weights_may_lie_in_any_way(words, layout):
    x, weight, bias, targets = problem((50, 5, words))
    loss, _, gradients = everything(x, layouts(weight)[layout], bias, targets)
    expected = everything(x, weight, bias, targets)
    assert loss == pytest.approx(expected[0], rel=1e-13)
    for gradient, other in zip(gradients, expected[2], strict=True):
        np.testing.assert_allclose(gradient, other, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("words", [6, 400])
def test_inputs_and_cache_stay_as_they_are(words):
    given = problem((20, 5, words))
    before = [array.copy() for array in given]
    _, cache, first = everything(*given)
    for gradient in first:
        gradient[...] = -1
    again = vocabulary_cross_entropy_backward(1.0, cache)
    assert not any((gradient == -1).all() for gradient in again)
    for array, other in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, other)


def test_gradients_go_where_they_are_asked_to():
    *given, targets = problem((20, 5, 40))
    _, cache, (dx, dweight, dbias) = everything(*given, targets, dloss=2.0)
    out = np.empty((5, 40)), np.empty(40)
    found = vocabulary_cross_entropy_backward(2.0, cache, out=out)
    assert found[1] is out[0]
    assert found[2] is out[1]
    for one, other in zip(found, (dx, dweight, dbias), strict=True):
        np.testing.assert_array_equal(one, other)


def test_without_gradients_there_is_the_same_loss_and_no_way_back():
    given = problem((40, 5, 300))
    loss, cache = vocabulary_cross_entropy(*given, need_gradient=False)
    expected = vocabulary_cross_entropy(*given)
    assert (loss, cache.correct) == (expected[0], expected[1].correct)
    np.testing.assert_array_equal(cache.losses, expected[1].losses)
    with pytest.raises(ValueError, match="the forward pass had need_gradient=False"):
        vocabulary_cross_entropy_backward(1.0, cache)


def test_dtypes():
    x, weight, bias, targets = problem((4, 2, 30), np.float32)
    _, cache, gradients = everything(x, weight, bias.astype(float), targets.astype(np.uint8))
    assert {array.dtype for array in (cache.losses, *gradients)} == {np.dtype(np.float32)}
    _, cache, gradients = everything(x.astype(float), weight, bias, targets)
    assert {array.dtype for array in (cache.losses, *gradients)} == {np.dtype(np.float64)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros((3, 4))}, r"x has shape \(3, 4\) and weight \(2, 5\): expected \(N, H\)"),
        ({"x": np.zeros(2)}, r"x has shape \(2,\) and weight \(2, 5\)"),
        ({"bias": np.zeros(4)}, r"bias has shape \(4,\): expected one value a word, \(5,\)"),
        ({"targets": [0, 1]}, r"targets have shape \(2,\): x \(3, 2\) needs one a row, \(3,\)"),
        ({"targets": [0, 1, 5]}, "target 5 is out of range: 5 words are 0 to 4"),
        ({"targets": [0.0, 1, 2]}, "targets have dtype float64: expected integers"),
        ({"weights": np.zeros(3)}, "weights are 0 to 0: none may be negative"),
        ({"weights": np.ones(2)}, r"weights have shape \(2,\): expected one a target, \(3,\)"),
        ({"x": np.zeros((0, 2)), "targets": np.zeros(0, int)}, "nothing to take a mean of"),
        ({"targets": [0, 1, 5], "weights": np.ones(3)}, "target 5 is out of range"),
    ],
)
def test_requests_that_make_no_sense_are_named(change, message):
    given = dict(zip(("x", "weight", "bias", "targets"), problem((3, 2, 5)), strict=True)) | change
    given["targets"] = np.array(given["targets"])
    with pytest.raises(ValueError, match=message):
        vocabulary_cross_entropy(**given)

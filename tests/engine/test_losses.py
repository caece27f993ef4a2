"""Softmax cross-entropy by hand, by its identities, at its limits, and against PyTorch."""

import math

import numpy as np
import pytest

from cnntool.engine.losses import (
    log_softmax,
    softmax,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
)

LOGITS = np.log([[1.0, 2, 5], [4, 4, 2]])  # softmax: 1/8, 2/8, 5/8 and 4/10, 4/10, 2/10


def test_softmax_by_hand():
    np.testing.assert_allclose(softmax(LOGITS), [[0.125, 0.25, 0.625], [0.4, 0.4, 0.2]])
    np.testing.assert_allclose(softmax(LOGITS.T, axis=0), softmax(LOGITS).T)
    np.testing.assert_allclose(log_softmax(LOGITS)[1], np.log([0.4, 0.4, 0.2]))


def test_the_loss_by_hand():
    loss, cache = softmax_cross_entropy(LOGITS, np.array([2, 0]))
    assert isinstance(loss, float)
    assert loss == pytest.approx(-(math.log(0.625) + math.log(0.4)) / 2, rel=1e-14)
    gradient = softmax_cross_entropy_backward(1.0, cache)
    expected = np.array([[0.125, 0.25, 0.625 - 1], [0.4 - 1, 0.4, 0.2]]) / 2
    np.testing.assert_allclose(gradient, expected, rtol=1e-14)
    np.testing.assert_allclose(softmax_cross_entropy_backward(-3.0, cache), -3 * expected)


def test_label_smoothing_by_hand():
    loss, cache = softmax_cross_entropy(LOGITS[:1], np.array([2]), label_smoothing=0.3)
    shares = np.array([0.1, 0.1, 0.8])
    assert loss == pytest.approx(-shares @ np.log([0.125, 0.25, 0.625]), rel=1e-14)
    gradient = softmax_cross_entropy_backward(1.0, cache)
    np.testing.assert_allclose(gradient[0], np.array([0.125, 0.25, 0.625]) - shares, rtol=1e-14)


def test_weights_by_hand():
    targets, weights = np.array([2, 0]), np.array([3.0, 1])
    loss, cache = softmax_cross_entropy(LOGITS, targets, weights)
    assert loss == pytest.approx(-(3 * math.log(0.625) + math.log(0.4)) / 4, rel=1e-14)
    gradient = softmax_cross_entropy_backward(1.0, cache)
    np.testing.assert_allclose(gradient[0], 0.75 * np.array([0.125, 0.25, -0.375]), rtol=1e-14)
    np.testing.assert_allclose(gradient[1], 0.25 * np.array([-0.6, 0.4, 0.2]), rtol=1e-14)


def test_what_is_masked_counts_for_nothing_whatever_it_holds():
    rng = np.random.default_rng(0)
    logits, targets = rng.standard_normal((4, 3, 5)), rng.integers(0, 5, (4, 3))
    mask = np.arange(4)[:, None] < [4, 2, 1]
    alone, cache = softmax_cross_entropy(logits[mask], targets[mask], label_smoothing=0.1)
    logits[~mask], targets[~mask] = np.nan, -100
    masked, masked_cache = softmax_cross_entropy(logits, targets, mask, label_smoothing=0.1)
    assert masked == pytest.approx(alone, rel=1e-14)
    gradient = softmax_cross_entropy_backward(1.0, masked_cache)
    assert not gradient[~mask].any()
    np.testing.assert_allclose(gradient[mask], softmax_cross_entropy_backward(1.0, cache))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_logits_are_stable_and_silent(dtype):
    logits = np.array([[1e4, 0, -1e4], [-1e30, 0, 1], [1e30, 1e30, -1e30]], dtype)
    np.testing.assert_array_equal(softmax(logits)[[0, 2]], [[1, 0, 0], [0.5, 0.5, 0]])
    assert log_softmax(logits)[0].tolist() == [0, -1e4, -2e4]
    for row, target, expected in [
        (0, 0, 0.0),
        (0, 2, 2e4),
        (1, 1, math.log(1 + math.e)),
        (1, 0, 1e30),
        (2, 0, math.log(2)),
        (2, 2, 2e30),
    ]:
        loss, cache = softmax_cross_entropy(logits[row : row + 1], np.array([target]))
        assert loss == pytest.approx(expected, rel=1e-6)
        gradient = softmax_cross_entropy_backward(1.0, cache)
        one_hot = np.arange(3) == target
        np.testing.assert_allclose(gradient[0], softmax(logits[row]) - one_hot, atol=1e-7)


@pytest.mark.filterwarnings("error")
def test_the_largest_float32_logits_have_a_finite_gradient():
    largest = np.finfo(np.float32).max
    logits = np.array([[largest, -largest]], np.float32)
    loss, cache = softmax_cross_entropy(logits, np.array([1]), label_smoothing=0.1)
    assert loss == np.inf  # twice the largest float32 is beyond it
    gradient = softmax_cross_entropy_backward(1.0, cache)
    np.testing.assert_allclose(gradient, [[0.95, -0.95]], rtol=1e-6)


def test_faint_probabilities_keep_their_logarithm():
    assert log_softmax(np.array([0.0, -2000]))[1] == -2000
    assert softmax(np.array([0.0, -2000]))[1] == 0


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_rows_of_the_gradient_sum_to_zero_and_a_shift_changes_nothing(smoothing):
    rng = np.random.default_rng(2)
    logits, targets = rng.standard_normal((6, 9)), rng.integers(0, 9, 6)
    loss, cache = softmax_cross_entropy(logits, targets, label_smoothing=smoothing)
    gradient = softmax_cross_entropy_backward(1.0, cache)
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-16)
    shifted, _ = softmax_cross_entropy(
        logits + rng.standard_normal((6, 1)), targets, label_smoothing=smoothing
    )
    assert shifted == pytest.approx(loss, rel=1e-13)


def test_equal_logits_lose_the_logarithm_of_their_number():
    loss, _ = softmax_cross_entropy(np.zeros((3, 65), np.float32), np.array([0, 64, 7]))
    assert loss == pytest.approx(math.log(65), rel=1e-6)


def test_inputs_and_cache_stay_as_they_are():
    logits, targets = LOGITS.copy(), np.array([2, 0])
    weights = np.array([1.0, 0])
    _, cache = softmax_cross_entropy(logits, targets, weights, label_smoothing=0.1)
    first = softmax_cross_entropy_backward(1.0, cache)
    np.testing.assert_array_equal(first, softmax_cross_entropy_backward(1.0, cache))
    np.testing.assert_array_equal(logits, LOGITS)
    assert targets.tolist() == [2, 0]
    assert weights.tolist() == [1, 0]


def test_dtypes_and_leading_axes():
    _, cache = softmax_cross_entropy(LOGITS.astype(np.float32), np.array([0, 1], np.uint8))
    assert softmax_cross_entropy_backward(1.0, cache).dtype == np.float32
    assert softmax(np.array([1, 2])).dtype == np.float32
    loss, cache = softmax_cross_entropy(LOGITS[0], np.array(2))
    assert loss == pytest.approx(-math.log(0.625))
    assert softmax_cross_entropy_backward(1.0, cache).shape == (3,)


@pytest.mark.parametrize(
    ("targets", "options", "message"),
    [
        ([0, 3], {}, "target 3 is out of range: 3 classes are 0 to 2"),
        ([-1, 0], {}, "target -1 is out of range"),
        ([0.0, 1.0], {}, "targets have dtype float64: expected integers"),
        ([0], {}, r"targets have shape \(1,\): logits \(2, 3\) need one a row, \(2,\)"),
        ([0, 1], {"label_smoothing": 1.0}, "label_smoothing is 1.0"),
        ([0, 1], {"label_smoothing": -0.1}, "label_smoothing is -0.1"),
        ([0, 1], {"weights": [1.0]}, r"weights have shape \(1,\): expected one a target, \(2,\)"),
        ([0, 1], {"weights": [2.0, -1.0]}, "weights are -1 to 2: none may be negative"),
        ([0, 1], {"weights": [0, 0]}, "weights are 0 to 0.*sum must be above 0"),
        ([0, 1], {"weights": [np.nan, 1]}, "weights are nan"),
        ([0, 4], {"weights": [True, True]}, "target 4 is out of range"),
    ],
)
def test_requests_that_make_no_sense_are_named(targets, options, message):
    options = {k: np.array(v) if k == "weights" else v for k, v in options.items()}
    with pytest.raises(ValueError, match=message):
        softmax_cross_entropy(LOGITS, np.array(targets), **options)


def test_a_mean_of_nothing_is_refused():
    with pytest.raises(ValueError, match="nothing to take a mean of"):
        softmax_cross_entropy(np.zeros((0, 3)), np.zeros(0, int))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("smoothing", [0.0, 0.15])
@pytest.mark.parametrize("scale", [1, 100, 1e4])
def test_parity_with_pytorch(dtype, smoothing, scale):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    logits = (scale * rng.standard_normal((6, 4, 11))).astype(dtype)
    targets = rng.integers(0, 11, (6, 4))
    targets[1, 2] = targets[5, 0] = -100  # PyTorch leaves these out
    leaf = torch.tensor(logits, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(
        leaf.reshape(-1, 11), torch.tensor(targets).reshape(-1), label_smoothing=smoothing
    )
    (2 * expected).backward()
    loss, cache = softmax_cross_entropy(logits, targets, targets >= 0, label_smoothing=smoothing)
    close = 20 * float(np.finfo(dtype).eps)
    assert loss == pytest.approx(expected.item(), rel=close)
    gradient = softmax_cross_entropy_backward(2.0, cache)
    np.testing.assert_allclose(gradient, leaf.grad, rtol=close, atol=close)
    np.testing.assert_allclose(
        log_softmax(logits), torch.tensor(logits).log_softmax(-1), rtol=close, atol=close
    )
    np.testing.assert_allclose(
        softmax(logits, axis=1), torch.tensor(logits).softmax(1), rtol=close, atol=close
    )

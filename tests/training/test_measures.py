"""Metrics worked by hand, by their identities, and against scikit-learn where it is installed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntool.datasets.feeds import ImageFeed
from cnntool.datasets.images.dataset import Dataset
from cnntool.datasets.images.preprocessing import Preprocessing
from cnntool.networks.network import Network
from cnntool.networks.spec import parse_layers
from cnntool.training.measures import (
    class_scores,
    confusion_matrix,
    judge,
    ranks,
)

TARGETS = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 0, 0])
CONFUSION = [[2, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]  # a class 3 without samples

pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40)


def test_the_confusion_matrix_has_a_row_for_each_true_class():
    matrix = confusion_matrix(PREDICTED, TARGETS, 4)
    assert matrix.dtype == np.int64
    assert matrix.tolist() == CONFUSION


def test_many_classes_of_a_small_dtype_do_not_overflow():
    ids = np.arange(200, dtype=np.uint8)
    assert (confusion_matrix(ids, ids, 200) == np.eye(200)).all()


def test_class_scores_by_hand():
    scores = class_scores(CONFUSION)
    np.testing.assert_allclose(scores.precision, [2 / 4, 1 / 2, 0, 0])
    np.testing.assert_allclose(scores.recall, [2 / 3, 1 / 2, 0, 0])
    np.testing.assert_allclose(scores.f1, [4 / 7, 1 / 2, 0, 0])
    assert scores.support.tolist() == [3, 2, 1, 0]
    assert scores.macro.precision == pytest.approx((2 / 4 + 1 / 2) / 2)
    assert scores.macro.recall == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert scores.macro.f1 == pytest.approx((4 / 7 + 1 / 2 + 0) / 3)
    assert scores.macro.classes == {"precision": 2, "recall": 3, "f1": 3}
    assert scores.weighted.precision == pytest.approx((3 * 2 / 4 + 2 * 1 / 2) / 5)
    assert scores.weighted.recall == pytest.approx(3 / 6)
    assert scores.weighted.f1 == pytest.approx((3 * 4 / 7 + 2 * 1 / 2) / 6)


def test_a_perfect_answer_on_some_of_the_classes_has_perfect_averages():
    scores = class_scores(np.diag([0, 4, 0, 2, 0]))
    assert scores.macro == scores.weighted
    assert (scores.macro.precision, scores.macro.recall, scores.macro.f1) == (1, 1, 1)
    assert scores.macro.classes == {"precision": 2, "recall": 2, "f1": 2}


def test_scores_without_a_denominator_are_zero_and_named():
    undefined = class_scores(CONFUSION).undefined
    assert undefined["precision"].tolist() == [False, False, True, True]  # nothing taken for them
    assert undefined["recall"].tolist() == [False, False, False, True]
    assert undefined["f1"].tolist() == [False, False, False, True]
    empty = class_scores(np.zeros((2, 2), np.int64))
    assert empty.macro.recall == empty.weighted.recall == 0


@given(pairs)
def test_scores_keep_their_identities(pairs):
    predicted, targets = np.array(pairs).T
    matrix = confusion_matrix(predicted, targets, 5)
    scores = class_scores(matrix)
    assert matrix.sum() == len(pairs)
    assert matrix.sum(axis=1).tolist() == np.bincount(targets, minlength=5).tolist()
    assert matrix.trace() / matrix.sum() == pytest.approx(np.mean(predicted == targets))
    assert scores.weighted.recall == pytest.approx(np.mean(predicted == targets))
    other = class_scores(confusion_matrix(targets, predicted, 5))
    np.testing.assert_allclose(scores.precision, other.recall)
    np.testing.assert_allclose(scores.f1, other.f1)
    both = scores.precision + scores.recall
    harmonic = 2 * scores.precision * scores.recall / np.where(both > 0, both, 1)
    np.testing.assert_allclose(scores.f1, harmonic)


@given(pairs)
def test_scores_are_those_of_scikit_learn(pairs):
    metrics = pytest.importorskip("sklearn.metrics")
    predicted, targets = np.array(pairs).T
    matrix, labels = confusion_matrix(predicted, targets, 5), list(range(5))
    assert (matrix == metrics.confusion_matrix(targets, predicted, labels=labels)).all()
    scores = class_scores(matrix)
    settings = {"labels": labels, "zero_division": np.nan}
    *theirs, support = metrics.precision_recall_fscore_support(targets, predicted, **settings)
    for ours, name in zip(theirs, scores.undefined, strict=True):
        own = np.where(scores.undefined[name], np.nan, getattr(scores, name))
        np.testing.assert_allclose(own, ours)
    np.testing.assert_allclose(scores.support, support)
    for ours, average in ((scores.macro, "macro"), (scores.weighted, "weighted")):
        theirs = metrics.precision_recall_fscore_support(
            targets, predicted, average=average, **settings
        )
        np.testing.assert_allclose((ours.precision, ours.recall, ours.f1), theirs[:3])


def top_k_accuracy(scores, targets, k):
    return np.mean(ranks(scores, targets) < k)


def test_top_k_by_hand():
    scores = np.array([[0.1, 0.5, 0.4], [0.7, 0.2, 0.1], [0.2, 0.3, 0.5]])
    targets = np.array([2, 2, 2])
    assert top_k_accuracy(scores, targets, 1) == pytest.approx(1 / 3)
    assert top_k_accuracy(scores, targets, 2) == pytest.approx(2 / 3)
    assert top_k_accuracy(scores, targets, 3) == top_k_accuracy(scores, targets, 9) == 1


@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_top_k_is_being_among_the_first_of_a_stable_sort(k, seed):
    rng = np.random.default_rng(seed)
    scores, targets = rng.integers(0, 4, (20, 5)), rng.integers(0, 5, 20)  # full of equals
    first = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    expected = np.mean([target in row for target, row in zip(targets, first, strict=True)])
    assert top_k_accuracy(scores, targets, k) == pytest.approx(expected)
    assert top_k_accuracy(scores, targets, 1) == np.mean(scores.argmax(axis=1) == targets)


def test_scores_that_are_no_numbers_are_never_right():
    scores = np.array([[np.nan, np.nan], [np.nan, 1], [np.inf, 1]])
    assert top_k_accuracy(scores, np.array([0, 0, 0]), 1) == pytest.approx(1 / 3)
    assert top_k_accuracy(scores, np.array([0, 0, 0]), 2) == pytest.approx(1 / 3)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"predictions are for \(2,\) and targets \(3,\)"):
        confusion_matrix([0, 1], [0, 1, 1], 2)
    with pytest.raises(ValueError, match="at least one"):
        confusion_matrix([], [], 2)
    with pytest.raises(ValueError, match="predicted class 4 is out of range: 3 classes are 0 to"):
        confusion_matrix([0, 4], [0, 1], 3)
    with pytest.raises(ValueError, match="target -1 is out of range"):
        confusion_matrix([0, 0], [0, -1], 3)
    with pytest.raises(ValueError, match="target 2 is out of range"):
        ranks(np.eye(2), [0, 2])


def test_losses_are_those_of_all_targets_in_the_order_of_the_data():
    """Of a network whose logits are the numbers that come in."""
    rng = np.random.default_rng(0)
    x, y = rng.random((7, 1, 1, 4)).astype(np.float32), rng.integers(0, 4, 7)
    network = Network(parse_layers("dense 4"), (1, 1, 4))
    network.params = {"dense1.weight": np.eye(4, dtype="f4"), "dense1.bias": np.zeros(4, "f4")}
    preprocessing = Preprocessing(1, (1, 4), (0.0,), (1.0,))
    feed = ImageFeed(Dataset(x, y, tuple("abcd"), "set", 1.0), preprocessing, batch_size=3)
    judged = judge(network, feed)
    logits = x.reshape(7, 4).astype(np.float64)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(judged.losses, -np.log(shares[np.arange(7), y]), rtol=1e-5)
    assert judged.correct == np.count_nonzero(logits.argmax(axis=1) == y)

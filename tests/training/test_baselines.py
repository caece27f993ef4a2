"""The baselines by hand, and as good as logistic regression."""

import time

import numpy as np
import pytest

from cnntool.datasets.holding_out import stratified_split
from cnntool.datasets.images.dataset import Dataset, load_digits
from cnntool.datasets.images.preprocessing import fit_preprocessing
from cnntool.training.baselines import linear_accuracy, majority_accuracy


def labelled(classes, x=None, white=255.0):
    y = np.array(classes, np.int64)
    x = np.zeros((len(y), 1, 2, 2), np.uint8) if x is None else x
    return Dataset(x, y, ("a", "b", "c"), "letters", white)


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    kept, held = stratified_split(data.y, 0.2, np.random.default_rng(0))
    training, validation = data.subset(kept), data.subset(held)
    return training, validation, fit_preprocessing(training)


def test_the_majority_is_that_of_training_and_is_judged_on_validation():
    training, validation = labelled([0, 1, 1, 2, 1, 0]), labelled([0, 0, 0, 1])
    assert majority_accuracy(training, validation) == 1 / 4


def test_the_first_of_equally_frequent_classes_is_taken():
    assert majority_accuracy(labelled([2, 1, 1, 2]), labelled([1, 1, 2])) == 2 / 3


def test_the_linear_classifier_is_as_good_as_logistic_regression_on_digits(digits):
    """scikit-learn's LogisticRegression on these normalized pixels: 0.964."""
    assert linear_accuracy(*digits) == pytest.approx(0.964, abs=0.01)


def test_it_is_as_good_as_scikit_learn_on_digits(digits):
    linear_model = pytest.importorskip("sklearn.linear_model")
    training, validation, preprocessing = digits
    pixels = [preprocessing.normalized(part.x, part.white) for part in (training, validation)]
    rows = [part.reshape(len(part), -1) for part in pixels]
    theirs = linear_model.LogisticRegression(max_iter=300).fit(rows[0], training.y)
    expected = theirs.score(rows[1], validation.y)
    assert linear_accuracy(*digits) == pytest.approx(expected, abs=0.01)


def test_the_same_seed_gives_the_same_accuracy(digits):
    training, _, preprocessing = digits
    part = training.subset(np.arange(300))
    assert linear_accuracy(part, training, preprocessing, 3) == linear_accuracy(
        part, training, preprocessing, 3
    )


def test_what_a_line_can_part_is_parted_and_what_it_cannot_is_not():
    corners = np.array([[0, 0], [0, 255], [255, 0], [255, 255]], np.uint8)
    x = np.tile(corners, (50, 1)).reshape(-1, 1, 1, 2)
    both = labelled([0, 0, 0, 1] * 50, x)
    either = labelled([0, 1, 1, 0] * 50, x)
    assert linear_accuracy(both, both, fit_preprocessing(both)) == 1
    assert linear_accuracy(either, either, fit_preprocessing(either)) <= 0.75


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_large_images_are_averaged_down(dtype):
    """A class is light above, the other below; each pixel is too noisy to tell."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 2, 120)
    light = np.zeros((2, 1, 50, 70))
    light[0, :, :25] = light[1, :, 25:] = 40
    noise = rng.integers(0, 200, (120, 1, 50, 70))
    data = labelled(classes, (light[classes] + noise).astype(dtype))
    before = data.x.copy()
    training, validation = data.subset(np.arange(60)), data.subset(np.arange(60, 120))
    assert linear_accuracy(training, validation, fit_preprocessing(training)) > 0.95
    np.testing.assert_array_equal(data.x, before)


def test_nine_thousand_images_take_less_than_two_seconds():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (9000, 1, 28, 28), dtype=np.uint8)
    data = labelled(rng.integers(0, 3, 9000), x)
    start = time.process_time()
    linear_accuracy(data, data.subset(np.arange(1000)), fit_preprocessing(data))
    assert time.process_time() - start < 2

"""What a network gets right and wrong, beside a count by hand."""

import tracemalloc

import numpy as np
import pytest
from trained_models import darkness_model

from cnntool.datasets.feeds import ImageFeed
from cnntool.datasets.images.dataset import Dataset
from cnntool.datasets.images.parts import Parts, hold_out
from cnntool.datasets.images.preprocessing import Preprocessing
from cnntool.networks.batch_sizes import batch_size_for
from cnntool.networks.model import Classifier, load_trained
from cnntool.networks.model_file import Header, Model
from cnntool.networks.network import Network
from cnntool.networks.spec import parse_layers
from cnntool.training.evaluation import evaluate
from cnntool.training.measures import judge
from cnntool.training.parts import with_held_out
from cnntool.training.report import Share, confusions
from cnntool.training.settings import Streams

GREYS = (0, 51, 102, 153, 204, 255)  # 0 to 1 in fifths; from 0.5 on they count as light
CLASSES = (0, 1, 0, 1, 0, 1)  # dark, light, ...: the second and the fifth are mistakes


@pytest.fixture
def greys() -> Dataset:
    x = np.repeat(np.array(GREYS, np.uint8), 16).reshape(6, 1, 4, 4)
    return Dataset(x, np.array(CLASSES), ("dark", "light"), "greys")


@pytest.fixture
def report(tmp_path, greys):
    return evaluate(load_trained(darkness_model(tmp_path / "m.npz"), "cnn"), greys, k=2)


def logit(grey: int) -> float:
    return 8 * (grey / 255 - 0.5)


def test_the_figures_are_those_counted_by_hand(report):
    assert (report.accuracy, report.top_k) == (Share(4, 6), 1.0)
    assert report.confusion.tolist() == [[2, 1], [1, 2]]
    assert report.scores.precision.tolist() == pytest.approx([2 / 3, 2 / 3])
    assert report.scores.recall.tolist() == pytest.approx([2 / 3, 2 / 3])
    assert report.scores.support.tolist() == [3, 3]
    losses = [
        np.log1p(np.exp(-logit(grey) if target else logit(grey)))
        for grey, target in zip(GREYS, CLASSES, strict=True)
    ]
    assert report.loss == pytest.approx(np.mean(losses), rel=1e-5)


def test_images_of_many_maps_are_judged_a_few_at_a_time_with_the_same_figures():
    """A hundred images, of which all maps of a layer would take 100 MB."""
    rng, layers = np.random.default_rng(0), "conv 4000 1x1; global-max; dense 2"
    network = Network(parse_layers(layers), (1, 8, 8)).initialise(rng)
    x = rng.integers(0, 256, (100, 1, 8, 8), np.uint8)
    data = Dataset(x, np.arange(100) % 2, ("dark", "light"), "set")
    preprocessing = Preprocessing(1, (8, 8), (0.5,), (0.2,))
    header = Header(network.spec, (1, 8, 8), {}, data.labels, 0)
    classifier = Classifier("m", Model(header, network.params), network, preprocessing)
    tracemalloc.start()
    found = evaluate(classifier, data)
    judged = judge(network, ImageFeed(data, preprocessing, batch_size_for(network)))
    odds = classifier.probabilities(preprocessing.normalized(x, data.scale))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 75e6
    whole = judge(network, ImageFeed(data, preprocessing, len(data)))
    np.testing.assert_allclose([found.loss, judged.loss], whole.loss, rtol=1e-6)
    assert found.accuracy.right == judged.correct == whole.correct
    np.testing.assert_array_equal(odds.argmax(axis=1), found.predicted)


def test_the_surest_mistakes_come_first_and_ties_in_their_order(report):
    assert [(m.index, m.reference, m.answer) for m in report.mistakes] == [
        (1, "light", "dark"),
        (4, "dark", "light"),
    ]
    sure = 1 / (1 + np.exp(-8 * 0.3))
    assert [m.probability for m in report.mistakes] == pytest.approx([sure, sure], rel=1e-5)


def test_confusions_are_counted_off_the_diagonal():
    pairs = confusions(np.array([[5, 0, 2], [0, 0, 0], [3, 1, 4]]))
    assert [(p.target, p.predicted, p.count, p.share) for p in pairs] == [
        (2, 0, 3, 3 / 8),
        (0, 2, 2, 2 / 7),
        (2, 1, 1, 1 / 8),
    ]


def header(fingerprint: str, **training) -> Header:
    return Header("dense 2", (1, 4, 4), {}, ("dark", "light"), 5, training, (), fingerprint)


@pytest.fixture
def parts() -> Parts:
    x = np.random.default_rng(0).integers(0, 256, (40, 1, 4, 4), np.uint8)
    return Parts(Dataset(x, np.arange(40) % 2, ("dark", "light"), "set"))


def test_what_was_held_out_is_found_by_the_fingerprint_of_the_rest(parts):
    split = hold_out(parts, Streams(5)["split"])
    found, is_trained_on = with_held_out(parts, header(split.train.fingerprint))
    assert is_trained_on
    assert found.validation.fingerprint == split.validation.fingerprint


def test_what_was_held_out_is_found_by_the_setting(parts):
    split = hold_out(parts, Streams(5)["split"], 0.25)
    found, is_trained_on = with_held_out(parts, header(parts.train.fingerprint, val_split=0.25))
    assert is_trained_on
    assert found.validation.fingerprint == split.validation.fingerprint


def test_without_the_setting_nothing_is_said_to_be_held_out(parts):
    found, is_trained_on = with_held_out(parts, header(parts.train.fingerprint))
    assert is_trained_on
    assert found.validation is None


@pytest.mark.parametrize("fingerprint", ["", "0123"])
def test_other_images_have_no_part_held_out(parts, fingerprint):
    found, is_trained_on = with_held_out(parts, header(fingerprint))
    assert not is_trained_on
    assert found.validation is None

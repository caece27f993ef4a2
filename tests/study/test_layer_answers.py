"""What layers answer to one image, and to a data set."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from trained_models import run_of_digits

from cnntool.datasets.images.dataset import Dataset
from cnntool.datasets.images.preprocessing import Preprocessing
from cnntool.errors import InputError, RequestError
from cnntool.networks import batch_sizes
from cnntool.networks.model import load_trained
from cnntool.networks.network import Network
from cnntool.networks.spec import parse_layers
from cnntool.networks.summary import fields_of
from cnntool.study.layer_answers import (
    batch_count,
    best_places,
    cut_out,
    feature_maps,
    layer_named,
)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return load_trained(run_of_digits(tmp_path_factory.mktemp("models") / "m.npz"), "cnn")


X = np.random.default_rng(0).normal(size=(1, 1, 8, 8)).astype(np.float32)


def test_every_layer_that_does_something_gives_its_maps(classifier):
    torch = pytest.importorskip("torch")
    found = feature_maps(classifier.network, X, classifier.name)
    probabilities = classifier.probabilities(X)[0]
    assert [each.name for each in found] == ["conv1", "relu1", "pool1", "conv2", "relu2", "dense1"]
    params = {name: torch.from_numpy(array) for name, array in classifier.network.params.items()}
    functional, x = torch.nn.functional, torch.from_numpy(X)
    conv1 = functional.conv2d(x, params["conv1.weight"], params["conv1.bias"], padding=1)
    pool1 = functional.max_pool2d(conv1.relu(), 2)
    conv2 = functional.conv2d(pool1, params["conv2.weight"], params["conv2.bias"])
    logits = conv2.relu().flatten(1) @ params["dense1.weight"] + params["dense1.bias"]
    expected = (conv1, conv1.relu(), pool1, conv2, conv2.relu(), logits)
    for each, values in zip(found, expected, strict=True):
        np.testing.assert_allclose(each.values, values[0].numpy(), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(probabilities, logits.softmax(1)[0].numpy(), rtol=1e-4, atol=1e-5)
    assert [each.shape for each in found[-2:]] == ["6 x 2 x 2", "10 features"]


def test_a_wrong_layer_lists_those_there_are(classifier):
    found = feature_maps(classifier.network, X, classifier.name)
    assert layer_named(classifier.name, found, "conv2") is found[3]
    with pytest.raises(RequestError, match=r"'conv3', only of conv1, relu1, .*did you mean 'conv"):
        layer_named(classifier.name, found, "conv3")


def test_numbers_that_are_not_finite_are_one_line(classifier):
    with pytest.raises(InputError, match="not finite"):
        feature_maps(classifier.network, X * np.float32(1e38), classifier.name)


def test_layers_that_change_no_value_have_no_maps(classifier):
    network = Network(parse_layers("conv 2 3x3; dropout 0.5; flatten; dense 2"), (1, 8, 8))
    network.initialise(np.random.default_rng(0))
    found = feature_maps(network, X, "a model")
    assert [each.name for each in found] == ["conv1", "dense1"]


SHAPE = 2, 9, 8
DEEP = "conv 3 3x3 pad 1; relu; max 2; conv 4 3x2 pad 1; batch-norm; relu; dense 2"


def network_of(text, shape=SHAPE, seed=0):
    return Network(parse_layers(text), shape).initialise(np.random.default_rng(seed))


def data_of(count, shape=SHAPE, seed=1):
    x = np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)
    return Dataset(x, np.zeros(count, np.int64), ("a", "b"), "noise")


PREPARED = Preprocessing(2, SHAPE[1:], (0.4, 0.5), (0.2, 0.3))


def brute_force(network, data, layer, filter, top):
    """Every answer by a loop over the places, from the definition of the layers before."""
    x = PREPARED.normalized(data.x, data.white).astype(np.float64)
    first, second = network.params["conv1.weight"], network.params["conv2.weight"]
    hidden = correlate(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), first)
    if layer == "conv1":
        answers = hidden[:, filter]
    else:
        hidden = np.maximum(hidden, 0)[:, :, :8, :8].reshape(len(x), 3, 4, 2, 4, 2).max(axis=(3, 5))
        padded = np.pad(hidden, ((0, 0), (0, 0), (1, 1), (1, 1)))
        answers = correlate(padded, second)[:, filter]
    each = [
        (-maps.max(), index, np.unravel_index(maps.argmax(), maps.shape))
        for index, maps in enumerate(answers)
    ]
    return sorted(each)[:top]


def correlate(x, weight):
    windows = sliding_window_view(x, weight.shape[2:], axis=(2, 3))
    return np.einsum("ncyxij,fcij->nfyx", windows, weight)


@pytest.mark.parametrize("layer", ["conv1", "conv2"])
@pytest.mark.parametrize("values", [1 << 24, 3000])  # one batch, or many
def test_the_best_are_those_of_a_search_of_all(monkeypatch, layer, values):
    monkeypatch.setattr(batch_sizes, "MOST_VALUES", values)
    network, data = network_of(DEEP), data_of(40)
    calls = []
    found = best_places(network, PREPARED, data, layer, (0, 2), 5, advance=lambda: calls.append(1))
    assert len(calls) == batch_count(network, data, layer)
    assert (len(calls) > 1) == (values == 3000)
    for row, filter in enumerate((0, 2)):
        expected = brute_force(network, data, layer, filter, 5)
        assert found.images[row].tolist() == [index for _, index, _ in expected]
        assert [tuple(place) for place in found.places[row]] == [at for *_, at in expected]
        np.testing.assert_allclose(found.values[row], [-value for value, *_ in expected], rtol=1e-4)


def test_of_equal_images_the_first_counts_and_of_few_all():
    network, data = network_of(DEEP), data_of(1)
    data = data.subset(np.zeros(3, int))
    found = best_places(network, PREPARED, data, "conv1", range(3), 9)
    assert found.images.tolist() == [[0, 1, 2]] * 3


@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_the_cut_out_is_what_the_answer_depends_on_and_no_more(layer):
    """Other pixels outside change nothing; each output has a pixel inside that changes it."""
    network = network_of(DEEP.replace("max", "average"))
    field = fields_of(network)[network.names.index(layer)]
    rng = np.random.default_rng(2)
    stop = network.names.index(layer) + 1
    x = rng.standard_normal((1, *SHAPE)).astype(np.float32)
    maps, _ = network.forward(x, stop=stop)
    for row, column in ((0, 0), (2, 1), maps.shape[2:] - np.array([1, 1])):
        rows, columns = (axis.seen(at) for axis, at in zip(field, (row, column), strict=True))
        outside = np.ones(SHAPE, bool)
        outside[:, max(rows.start, 0) : rows.stop, max(columns.start, 0) : columns.stop] = False
        changed = np.where(outside, rng.standard_normal(x.shape), x).astype(np.float32)
        other, _ = network.forward(changed, stop=stop)
        np.testing.assert_allclose(other[0, :, row, column], maps[0, :, row, column], atol=1e-6)
        patch = cut_out(x[0], (row, column), field, fill=np.nan)
        assert patch.shape == (2, len(rows), len(columns))
        np.testing.assert_array_equal(np.sort(patch[~np.isnan(patch)]), np.sort(x[0][~outside]))


def test_outside_the_image_is_grey():
    network = network_of("conv 2 3x3 pad 1; dense 2", (1, 4, 4))
    image = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    field = fields_of(network)[0]
    corner = [[0.5, 0.5, 0.5], [0.5, 0, 1], [0.5, 4, 5]]
    assert cut_out(image, (0, 0), field).tolist() == [corner]
    assert cut_out(image, (3, 2), field).tolist() == [[[9, 10, 11], [13, 14, 15], [0.5, 0.5, 0.5]]]
    wide = network_of("conv 2 2x2 pad 5; dense 2", (1, 8, 8))
    field = fields_of(wide)[0]
    for place in ((0, 0), (0, 16), (16, 5)):
        assert (cut_out(np.zeros((1, 8, 8)), place, field) == 0.5).all()


def test_a_layer_that_sees_all_gives_the_whole_image():
    network = network_of("global-average; conv 3 1x1; dense 2")
    assert fields_of(network)[1] is None
    image = np.ones(SHAPE)
    assert cut_out(image, (0, 0), None) is image


def test_of_many_equal_images_the_first_count():
    network, data = network_of(DEEP), data_of(2)
    found = best_places(network, PREPARED, data, "conv1", range(3), 1).images[:, 0]
    both = data.subset(np.tile([0, 1, 1], 40))
    many = best_places(network, PREPARED, both, "conv1", range(3), 99).images
    for first, images in zip(found, many, strict=True):
        order = np.argsort(np.tile([0, 1, 1], 40) != first, kind="stable")
        assert images.tolist() == order[:99].tolist()


def test_negative_answers_are_the_weaker_the_larger_they_are():
    network, data = network_of(DEEP), data_of(20)
    before = best_places(network, PREPARED, data, "conv1", range(3), 5)
    network.params["conv1.bias"] -= 100
    found = best_places(network, PREPARED, data, "conv1", range(3), 5)
    assert (found.values < 0).all()
    assert found.images.tolist() == before.images.tolist()
    np.testing.assert_allclose(found.values, before.values - 100, atol=1e-3)

"""Feature maps of one image, against the layers of PyTorch."""

from dataclasses import replace

import numpy as np
import pytest
from trained_models import run_of_digits

from cnntool.errors import InputError, RequestError
from cnntool.networks.model import load_classifier
from cnntool.networks.network import Network
from cnntool.networks.spec import parse_layers
from cnntool.study.feature_maps import feature_maps, layer_named


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return load_classifier(run_of_digits(tmp_path_factory.mktemp("models") / "m.npz"))


X = np.random.default_rng(0).normal(size=(1, 1, 8, 8)).astype(np.float32)


def test_every_layer_that_does_something_gives_its_maps(classifier):
    torch = pytest.importorskip("torch")
    found, probabilities = feature_maps(classifier, X)
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
    found, _ = feature_maps(classifier, X)
    assert layer_named(classifier, found, "conv2") is found[3]
    with pytest.raises(RequestError, match=r"'conv3', only of conv1, relu1, .*did you mean 'conv"):
        layer_named(classifier, found, "conv3")


def test_numbers_that_are_not_finite_are_one_line(classifier):
    with pytest.raises(InputError, match="not finite"):
        feature_maps(classifier, X * np.float32(1e38))


def test_layers_that_change_no_value_have_no_maps(classifier):
    network = Network(parse_layers("conv 2 3x3; dropout 0.5; flatten; dense 2"), (1, 8, 8))
    network.initialise(np.random.default_rng(0))
    found, _ = feature_maps(replace(classifier, network=network), X)
    assert [each.name for each in found] == ["conv1", "dense1"]

"""A model file that is ready to be used, and what a wrong one says."""

from dataclasses import replace

import numpy as np
import pytest
from trained_models import darkness_model, train_digits

from cnntool.errors import InputError, RequestError
from cnntool.networks.model import load_trained
from cnntool.networks.model_file import load_model, save_model


def test_probabilities_are_the_softmax_of_the_outputs(tmp_path):
    classifier = load_trained(darkness_model(tmp_path / "m.npz"), "cnn")
    found = classifier.probabilities(np.full((3, 1, 4, 4), 0.25, np.float32))
    np.testing.assert_allclose(found, [[1 / (1 + np.e**2), 1 / (1 + np.e**-2)]] * 3, rtol=1e-6)


@pytest.mark.parametrize("wrong", [{"size": [5, 4]}, {"size": None}, {"channels": 2}])
def test_preprocessing_that_does_not_fit_the_network_is_refused(tmp_path, wrong):
    model = load_model(darkness_model(tmp_path / "m.npz"))
    plain = model.header.preprocessing | wrong
    plain |= {key: plain[key] * plain["channels"] for key in ("mean", "std")}
    header = replace(model.header, preprocessing=plain)
    save_model(tmp_path / "wrong.npz", replace(model, header=header))
    with pytest.raises(InputError, match="preprocessing gives images of"):
        load_trained(tmp_path / "wrong.npz", "cnn")


def test_a_network_of_any_size_takes_its_own_unless_told_otherwise(tmp_path):
    classifier = load_trained(train_digits(tmp_path / "m.npz"), "cnn")
    assert classifier.preprocessing.size == (8, 8)
    own = classifier.with_own_sizes()
    assert own.preprocessing.size is None
    assert own.probabilities(np.zeros((1, 1, 20, 30), np.float32)).shape == (1, 10)
    with pytest.raises(InputError, match=r"too small for layer 4 \(conv 16 3x3\): enlarge"):
        own.probabilities(np.zeros((1, 1, 2, 2), np.float32))


def test_a_network_of_one_size_has_no_other(tmp_path):
    classifier = load_trained(darkness_model(tmp_path / "m.npz"), "cnn")
    with pytest.raises(RequestError, match="1 x 4 x 4 only"):
        classifier.with_own_sizes()

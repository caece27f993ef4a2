import numpy as np
import pytest
from numpy.testing import assert_allclose
from sequence_models import MOODS, REVERSALS, write_sequence_models

from cnntool.engine.losses import softmax
from cnntool.errors import InputError
from cnntool.networks.decoding import said_of
from cnntool.networks.model import load_trained
from cnntool.networks.sampling import Choice
from cnntool.networks.sequence_answers import class_odds, tag_odds, texts_said


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_sequence_models(folder, "classifier", "tagger", "translator")
    return {path.stem: load_trained(path) for path in folder.glob("*.npz")}


def test_each_text_is_classified_as_it_is_alone(models):
    model = models["classifier"]
    texts = [text for text, _ in MOODS[:6]] + ["", "good " * 300]
    found = class_odds(model.network, model.reader.rows(texts))
    for text, odds in zip(texts, found, strict=True):
        y, _ = model.network.forward(model.reader.ids(text)[:, None])
        assert_allclose(odds, softmax(y[0]), rtol=1e-4, atol=1e-6)


def test_each_word_is_tagged_as_it_is_alone(models):
    model = models["tagger"]
    inputs = [("12", "Main", "St"), ("Zzyzx",), ("9", "Elm", "Ave", "Ohio", "77")]
    found = tag_odds(model.network, model.reader.rows(inputs))
    for index, words in enumerate(inputs):
        own = tag_odds(model.network, model.reader.rows([words]))
        assert found[index].shape == (len(words), len(model.labels))
        assert_allclose(found[index], own[0], rtol=1e-4, atol=1e-6)


def test_what_is_said_depends_on_no_other_text(models):
    model = models["translator"]
    texts = [text for text, _ in REVERSALS[:7]]
    for beam in (1, 3):
        together = texts_said(
            model.joined, model.reader.rows(texts), model.writer.end, model.longest, beam
        )
        for text, found in zip(texts, together, strict=True):
            (alone,) = texts_said(
                model.joined, model.reader.rows([text]), model.writer.end, model.longest, beam
            )
            assert [each.ids for each in found] == [each.ids for each in alone]
            assert_allclose(found[0].log_odds, alone[0].log_odds, rtol=1e-3, atol=1e-5)


def test_numbers_that_are_not_finite_are_said(models):
    model = models["classifier"]
    model.network.params["dense1.bias"][:] = np.inf
    with pytest.raises(InputError, match="not finite"):
        class_odds(model.network, model.reader.rows(["good"]))


def test_what_is_drawn_is_that_of_the_seed(models):
    model, choice = models["translator"], Choice(temperature=2.0)
    read = model.reader.rows([text for text, _ in REVERSALS[:7]]).take(np.arange(7))

    def drawn(seed):
        rng = np.random.default_rng(seed)
        end, longest = model.writer.end, model.longest
        return said_of(model.joined, model.joined.encoded(*read), end, longest, choice, rng)

    assert drawn(1) == drawn(1) != drawn(2)

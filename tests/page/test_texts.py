"""Pages of networks of texts: tokens and numbers are the engine's, in a browser."""

import base64

import numpy as np
import pytest
from browser import computed, needs_browser
from sequence_models import write_sequence_models

from cnntool.datasets.sequences.feeds import Pair
from cnntool.datasets.sequences.inputs import TextInput
from cnntool.datasets.texts.vocabulary import Vocabulary
from cnntool.errors import InputError
from cnntool.networks.decoding import greedy
from cnntool.networks.joined import parse_network
from cnntool.networks.layers.recurrent import Recurrent
from cnntool.networks.model import TrainedText, load_trained, sequence_facts, sequence_model
from cnntool.networks.model_file import Header, Model
from cnntool.networks.sequence_zoo import language_network
from cnntool.page.models import text_page

TEXTS = (
    "the cat sat on the mat",
    "It's $3.50, (today) — Well-known “by us”!  A BAD  film…",
    "naïve café\u0301 İstanbul 42\u0663 ﬁn\u200d x_y _z' don’t\ttab",
    "a\nb 漢字 🙂 \x1c end",
)


def floats(text):
    return np.frombuffer(base64.b64decode(text), "<f4")


def runs_of(models, folder):
    """Each model with what its page made of the texts, one by one."""
    found = computed(folder, *(text_page(model, TEXTS) for model in models))
    for model, each in zip(models, found, strict=True):
        assert min(each["moved"]) > 0
        for text, run in zip(TEXTS, each["runs"], strict=True):
            yield model, text, run


def same(text, expected):
    limit = 1e-5 * max(1, np.abs(expected).max())
    assert np.abs(floats(text) - expected.ravel()).max() <= limit


def language(level, spec):
    """A language model with weights drawn at random."""
    vocabulary = Vocabulary.of(["\n".join(TEXTS[:3]) + "\n"], level)
    network = language_network(spec, len(vocabulary)).initialise(np.random.default_rng(2))
    preprocessing = {"level": level, "encoding": "utf-8"}
    header = Header(network.spec, (8,), preprocessing, vocabulary.tokens, 0, kind="rnn")
    model = Model(header, network.params, network.buffers)
    return TrainedText("drawn.npz", model, network, vocabulary)


def traces(network, x, lengths=None):
    """What every unit of every recurrence did, in order."""
    _, caches = network.forward(x, lengths=lengths)
    y = network.outputs(x, lengths=lengths)
    for index, layer in enumerate(network.layers):
        if isinstance(layer, Recurrent):
            yield from layer.trace(y[index], caches.of(index)).values()


LANGUAGES = {
    "char": "embedding ? x 6; lstm 8; dropout 0.2; gru 6; dense ? tied",
    "word": "embedding ? x 5; gru 7; tanh; dense ?",
    "byte": "embedding ? x 5; rnn 7; lstm 5; dense ?",
}


@needs_browser
def test_language_models_read_as_the_engine_does(tmp_path):
    models = [language(*each) for each in LANGUAGES.items()]
    for model, text, run in runs_of(models, tmp_path):
        ids = model.vocabulary.encode(text)
        assert run["ids"] == ids.tolist()
        compare(model.network, ids[:, None], None, run)


def compare(network, x, lengths, run):
    for found, expected in zip(run["outputs"], network.outputs(x, lengths=lengths), strict=True):
        same(found, expected)
    for found, expected in zip(run["tracks"], traces(network, x, lengths), strict=True):
        same(found, expected)


READERS = {
    "word": TextInput.of(TEXTS[:3], "text", "word"),
    "symbol": TextInput.of(TEXTS[:3], "text", "symbol", has_letters=True),
    "char": TextInput.of(TEXTS[:3], "text", "char"),
    "byte": TextInput.of(TEXTS[:3], "text", "byte"),
    "words": TextInput.of([text.split() for text in TEXTS[:3]], "words", "word", has_letters=True),
}


def drawn(kind, reader, spec, labels=("a", "b", "c"), writer=None):
    network = parse_network(spec, (None,)).initialise(np.random.default_rng(4))
    facts = sequence_facts(reader, labels, writer, 9)
    return sequence_model(kind, network, facts, reader, writer, 9)


def prepared(reader, text):
    given = text.split() if reader.form == "words" else text
    return reader.rows([given]).take(np.array([0]))


CLASSIFIERS = {
    "word": "embedding {v} x 5; lstm 4 both; max-steps; dense 3",
    "symbol": "embedding {v} x 5 letters {l} x 3; gru 4 both; last; relu; dense 3",
    "byte": "embedding {v} x 5; rnn 4; mean-steps; dense 3",
    "char": "embedding {v} x 5; lstm 4; last; dense 3",
    "words": "embedding {v} x 5 letters {l} x 3; lstm 4 both; dense 3",
}


@needs_browser
def test_classifiers_and_taggers_read_as_the_engine_does(tmp_path):
    models = []
    for name, spec in CLASSIFIERS.items():
        reader, kind = READERS[name], "tagger" if name == "words" else "classifier"
        letters = len(reader.letters) if reader.letters else 0
        models.append(drawn(kind, reader, spec.format(v=len(reader.vocabulary), l=letters)))
    for model, text, run in runs_of(models, tmp_path):
        x, lengths = prepared(model.reader, text)
        ids = x if isinstance(x, np.ndarray) else x.ids
        assert run["ids"] == ids[:, 0].tolist()
        compare(model.network, x, lengths, run)


TRANSLATORS = (
    "lstm 4 both => embedding {w} x 5; lstm 8; attend; dense {w}",
    "gru 4 => embedding {w} x 5; gru 6; attend additive; dense {w}",
    "lstm 4 => embedding {w} x 5; lstm 7; dense {w}",
)


@needs_browser
def test_translators_say_and_look_as_the_engine_does(tmp_path):
    reader, writer = READERS["char"], TextInput.of(TEXTS[:2], "text", "word", folds=False)
    begin, words = f"embedding {len(reader.vocabulary)} x 5; ", len(writer.vocabulary)
    specs = [begin + each.format(w=words) for each in TRANSLATORS]
    models = [drawn("translator", reader, each, writer=writer) for each in specs]
    for model, text, run in runs_of(models, tmp_path):
        x, lengths = prepared(reader, text)
        (said,) = greedy(model.joined, x, lengths, writer.end, 9)
        assert run["said"][: len(said.ids)] == list(said.ids)
        given = np.array([[writer.end, *run["said"][:-1]]]).T
        pair = Pair(x, given, np.array([len(given)]))
        for found, expected in zip(
            run["outputs"], model.network.outputs(pair, lengths=lengths), strict=True
        ):
            same(found, expected)


def test_models_of_pictures_and_series_are_refused_with_what_shows_them(tmp_path):
    write_sequence_models(tmp_path, "series", "captioner")
    for name, what in (("series", "steps"), ("captioner", "picture")):
        with pytest.raises(InputError, match=f"of {what}: explore shows .* cnntool visualize"):
            text_page(load_trained(tmp_path / f"{name}.npz"), [])

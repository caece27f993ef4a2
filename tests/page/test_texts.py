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
from cnntool.networks.model_file import Model
from cnntool.networks.model_header import Header
from cnntool.networks.zoo import language_network
from cnntool.page.texts import text_page

TEXTS = (
    "the cat sat on the mat",
    "It's $3.50, (today) — Well-known “by us”!  A BAD  film…",
    "naïve café\u0301 İstanbul 42\u0663 ﬁn\u200d x_y _z' don’t\ttab",
    "a\nb 漢字 🙂 \x1c end",
)


def floats(text):
    return np.frombuffer(base64.b64decode(text), "<f4")


def computed_page(model, texts, folder):
    page = folder / "page.html"
    page.write_bytes(text_page(model, texts))
    found = computed(page, folder / "browser")
    assert found["complaints"] == []
    assert min(found["moved"]) > 0
    return found["runs"]


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


@needs_browser
@pytest.mark.parametrize(
    ("level", "spec"),
    [
        ("char", "embedding ? x 6; lstm 8; dropout 0.2; gru 6; dense ? tied"),
        ("word", "embedding ? x 5; gru 7; tanh; dense ?"),
        ("byte", "embedding ? x 5; rnn 7; lstm 5; dense ?"),
    ],
)
def test_a_language_model_reads_as_the_engine_does(level, spec, tmp_path):
    model = language(level, spec)
    for text, run in zip(TEXTS, computed_page(model, TEXTS, tmp_path), strict=True):
        ids = model.vocabulary.encode(text)
        assert run["ids"] == ids.tolist()
        x = ids[:, None]
        for found, expected in zip(run["outputs"], model.network.outputs(x), strict=True):
            same(found, expected)
        for found, expected in zip(run["tracks"], traces(model.network, x), strict=True):
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


@needs_browser
@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("word", "embedding {v} x 5; lstm 4 both; max-steps; dense 3"),
        ("symbol", "embedding {v} x 5 letters {l} x 3; gru 4 both; last; relu; dense 3"),
        ("byte", "embedding {v} x 5; rnn 4; mean-steps; dense 3"),
        ("char", "embedding {v} x 5; lstm 4; last; dense 3"),
        ("words", "embedding {v} x 5 letters {l} x 3; lstm 4 both; dense 3"),
    ],
)
def test_a_classifier_or_tagger_reads_as_the_engine_does(name, spec, tmp_path):
    reader = READERS[name]
    letters = len(reader.letters) if reader.letters else 0
    kind = "tagger" if name == "words" else "classifier"
    model = drawn(kind, reader, spec.format(v=len(reader.vocabulary), l=letters))
    for text, run in zip(TEXTS, computed_page(model, TEXTS, tmp_path), strict=True):
        x, lengths = prepared(reader, text)
        ids = x if isinstance(x, np.ndarray) else x.ids
        assert run["ids"] == ids[:, 0].tolist()
        outputs = model.network.outputs(x, lengths=lengths)
        for found, expected in zip(run["outputs"], outputs, strict=True):
            same(found, expected)
        for found, expected in zip(run["tracks"], traces(model.network, x, lengths), strict=True):
            same(found, expected)


@needs_browser
@pytest.mark.parametrize(
    "sizes",
    [
        "lstm 4 both => embedding {w} x 5; lstm 8; attend; dense {w}",
        "gru 4 => embedding {w} x 5; gru 6; attend additive; dense {w}",
        "lstm 4 => embedding {w} x 5; lstm 7; dense {w}",
    ],
)
def test_a_translator_says_and_looks_as_the_engine_does(sizes, tmp_path):
    reader, writer = READERS["char"], TextInput.of(TEXTS[:2], "text", "word", folds=False)
    spec = f"embedding {len(reader.vocabulary)} x 5; " + sizes.format(w=len(writer.vocabulary))
    model = drawn("translator", reader, spec, writer=writer)
    for text, run in zip(TEXTS, computed_page(model, TEXTS, tmp_path), strict=True):
        x, lengths = prepared(reader, text)
        (said,) = greedy(model.joined, x, lengths, writer.end, 9)
        assert run["said"][: len(said.ids)] == list(said.ids)
        given = np.array([[writer.end, *run["said"][:-1]]]).T
        pair = Pair(x, given, np.array([len(given)]))
        outputs = model.network.outputs(pair, lengths=lengths)
        for found, expected in zip(run["outputs"], outputs, strict=True):
            same(found, expected)


def test_models_of_pictures_and_series_are_refused_with_what_shows_them(tmp_path):
    write_sequence_models(tmp_path, "series", "captioner")
    for name, what in (("series", "steps"), ("captioner", "picture")):
        with pytest.raises(InputError, match=f"of {what}: explore shows .* cnntool visualize"):
            text_page(load_trained(tmp_path / f"{name}.npz"), [])

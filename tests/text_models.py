"""Small texts and language models for the tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cnntool.datasets.feeds import WindowFeed
from cnntool.datasets.texts.corpus import load_corpus, split
from cnntool.networks.model import network_of
from cnntool.networks.model_file import save_model
from cnntool.networks.sequence_zoo import language_model
from cnntool.training.checkpoint import model_of
from cnntool.training.loop import Trainer
from cnntool.training.measures import measure_of
from cnntool.training.settings import Settings, Streams
from cnntool.training.task import Task

SAYINGS = (
    "the cat sat on the mat",
    "a dog ran after the cat",
    "the sun is warm and the sea is blue",
    "no one knows what the dog saw",
)
OTHERS = """the king is dead , long live the king
He said: "Go (now)!" to a (b) c .
"""


def text_of(lines: int, seed: int = 0) -> str:
    """So many lines, each one of a few sayings."""
    rng = np.random.default_rng(seed)
    return "\n".join(SAYINGS[i] for i in rng.integers(0, len(SAYINGS), lines)) + "\n"


QUICK = Settings(epochs=2, batch_size=4, learning_rate=0.01, clip=0.5, schedule="constant")


def corpus_of(tmp_path, level="char", lines=40):
    path = tmp_path / "sayings.txt"
    path.write_text(text_of(lines), encoding="utf-8")
    return load_corpus(path, level)


def text_network(count, cell="lstm", embed_size=6, hidden_size=8, layers=1, **settings):
    return language_model(cell, count, embed_size, hidden_size, layers, **settings)


def text_trainer(corpus, settings=QUICK, seq_length=12, feeding=(), **sizes):
    streams = Streams(settings.seed)
    network = text_network(len(corpus.vocabulary), **sizes).initialise(streams["start"])
    return Trainer(text_task(network, corpus, settings, seq_length, feeding), streams)


def write_text_models(folder) -> None:
    """``text.txt``, and ``words.npz`` and ``chars.npz``, models that learned a little from it."""
    (folder / "text.txt").write_text(text_of(60) + OTHERS, encoding="utf-8")
    for name, level in (("words", "word"), ("chars", "char")):
        corpus = load_corpus(str(folder / "text.txt"), level)
        with text_trainer(corpus, replace(QUICK, epochs=1)) as trainer:
            for _ in trainer.run():
                pass
            save_model(folder / f"{name}.npz", model_of(trainer))


def text_task(network, corpus, settings=QUICK, seq_length=12, feeding=()):
    """feeding: when rows begin at zero again, and whether unknown tokens are learned."""
    train, held = split(corpus, 0.1)
    feed = WindowFeed(train, settings.batch_size, seq_length, *feeding)
    measure = measure_of(corpus.vocabulary.level)
    held = WindowFeed.whole(held)
    return Task("rnn", network, feed, held, settings, measure, corpus.fingerprint)


def task_of_model(model, corpus, settings, feeding=()):
    (seq_length,) = model.header.input_shape
    return text_task(network_of(model), corpus, settings, seq_length, feeding)

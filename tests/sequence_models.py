"""Small classifiers, taggers, translators and captioners of sequences for the tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from cnntool.datasets.sequences.feeds import PairFeed, SequenceFeed
from cnntool.datasets.sequences.inputs import Input, PixelInput, SeriesInput, TextInput
from cnntool.datasets.sequences.ragged import Ragged
from cnntool.networks import sequence_zoo as zoo
from cnntool.networks.joined import parse_network
from cnntool.networks.model import sequence_facts
from cnntool.networks.model_file import save_model
from cnntool.training.checkpoint import model_of
from cnntool.training.loop import Trainer
from cnntool.training.measures import ACCURACY, measure_of
from cnntool.training.settings import Settings, Streams
from cnntool.training.task import Task

SIZES = zoo.Sizes(embed_size=6, hidden_size=8)
QUICK = Settings(epochs=3, batch_size=8, learning_rate=0.02, schedule="constant")

MOODS = [
    ("a good film", "good"),
    ("good fun, good film", "good"),
    ("a bad film", "bad"),
    ("bad, so bad", "bad"),
    ("so good a film", "good"),
    ("a bad one", "bad"),
] * 6
ADDRESSES = [
    (("12", "Main", "St"), ("number", "street", "street")),
    (("9", "Elm", "Ave", "Ohio"), ("number", "street", "street", "state")),
    (("PO", "Box", "77"), ("box", "box", "number")),
] * 8
SOUNDS = [("phone", "F OW N"), ("through", "TH R UW"), ("hope", "HH OW P"), ("get", "G EH T")] * 6
REVERSALS = [(text, text[::-1]) for text in ("abc", "ba", "cab", "acb", "b", "bca", "aab")] * 6


def series() -> tuple[list[np.ndarray], list[str]]:
    """Rising and falling ones of 3 to 9 steps of two numbers."""
    rng, found, labels = np.random.default_rng(0), [], []
    for index in range(24):
        slope = 1 if index % 2 else -1
        steps = np.arange(rng.integers(3, 10))[:, None] * slope
        found.append((steps + rng.normal(0, 0.2, (len(steps), 2))).astype(np.float32))
        labels.append("up" if index % 2 else "down")
    return found, labels


def videos() -> tuple[list[np.ndarray], list[tuple[str, ...]]]:
    """Of 3 to 6 frames of 8 x 8, each light or dark."""
    rng, found, tags = np.random.default_rng(0), [], []
    for _ in range(16):
        is_light = rng.random(rng.integers(3, 7)) < 0.5
        frames = rng.integers(0, 60, (len(is_light), 1, 8, 8)) + 180 * is_light[:, None, None, None]
        found.append(frames.astype(np.uint8))
        tags.append(tuple("light" if each else "dark" for each in is_light))
    return found, tags


def pictures() -> tuple[list[np.ndarray], list[str]]:
    """Of 8 x 8, with a square at the left or the right."""
    rng, found, said = np.random.default_rng(0), [], []
    for index in range(24):
        picture = rng.integers(0, 40, (1, 8, 8))
        picture[:, 2:6, 1:4] += 200 * (index % 2)
        picture[:, 2:6, 5:8] += 200 * (1 - index % 2)
        found.append(picture.astype(np.uint8))
        said.append("a square left" if index % 2 else "a square right")
    return found, said


def network_inputs(reader: Input) -> zoo.Inputs:
    if isinstance(reader, TextInput):
        letters = 0 if reader.letters is None else len(reader.letters)
        return zoo.Inputs(len(reader.vocabulary), letters)
    return zoo.Inputs(shape=reader.shape)


def classifier_task(kind: str = "text", settings: Settings = QUICK) -> Task:
    """Of texts, or of series."""
    if kind == "text":
        inputs, answers = map(list, zip(*MOODS, strict=True))
        reader: Input = TextInput.of(inputs, "text", "word")
    else:
        inputs, answers = series()
        reader = SeriesInput.of(inputs)
    labels = tuple(sorted(set(answers)))
    targets = np.array([labels.index(each) for each in answers])
    spec = zoo.classifier(network_inputs(reader), len(labels), SIZES)
    facts = sequence_facts(reader, labels)
    feed = SequenceFeed(reader.rows(inputs, True), targets, settings.batch_size, facts=facts)
    held = SequenceFeed(reader.rows(inputs[:6]), targets[:6], 64, facts=facts)
    return _task("classifier", spec, reader, feed, held, settings)


def tagger_task(kind: str = "words", settings: Settings = QUICK) -> Task:
    """Of words with their letters, or of frames."""
    if kind == "words":
        inputs, answers = map(list, zip(*ADDRESSES, strict=True))
        reader: Input = TextInput.of(inputs, "words", "word", has_letters=True)
        sizes = replace(SIZES, letters=4)
    else:
        inputs, answers = videos()
        reader, sizes = PixelInput.of(inputs, "frames"), SIZES
    tags = tuple(sorted({tag for each in answers for tag in each}))
    targets = Ragged.of([np.array([tags.index(tag) for tag in each]) for each in answers])
    spec = zoo.tagger(network_inputs(reader), len(tags), sizes)
    facts = sequence_facts(reader, tags)
    feed = SequenceFeed(reader.rows(inputs, True), targets, 8, "sequence", facts=facts)
    held = SequenceFeed(
        reader.rows(inputs[:5]), targets.at(np.arange(5)), 64, "sequence", facts=facts
    )
    return _task("tagger", spec, reader, feed, held, settings)


def translator_task(settings: Settings = QUICK, pairs=REVERSALS, level="char") -> Task:
    """Of words to their reversals, letter by letter."""
    inputs, answers = map(list, zip(*pairs, strict=True))
    reader = TextInput.of(inputs, "text", "char")
    return _pair_task("translator", reader, inputs, answers, level, settings)


def captioner_task(settings: Settings = QUICK) -> Task:
    """Of squares and where they are."""
    inputs, answers = pictures()
    reader = PixelInput.of(inputs, "picture")
    return _pair_task("captioner", reader, inputs, answers, "word", settings)


def _pair_task(name, reader, inputs, answers, level, settings) -> Task:
    writer = TextInput.of(answers, "text", level, folds=False)
    targets = Ragged.of([writer.ids(each) for each in answers], writer.vocabulary.dtype)
    make = getattr(zoo, name)
    spec = make(network_inputs(reader), len(writer.vocabulary), SIZES)
    facts = sequence_facts(reader, writer=writer, longest=12)
    feed = PairFeed(
        reader.rows(inputs, True), targets, settings.batch_size, facts=facts, end=writer.end
    )
    held = PairFeed(
        reader.rows(inputs[:6]), targets.at(np.arange(6)), 64, facts=facts, end=writer.end
    )
    return _task(name, spec, reader, feed, held, settings)


def _task(name, spec, reader, feed, held, settings) -> Task:
    shape = reader.shape if name == "captioner" else (None, *reader.shape)
    network = parse_network(spec, shape).initialise(Streams(settings.seed)["start"])
    measure = ACCURACY if name in ("classifier", "tagger") else measure_of("word")
    return Task(name, network, feed, held, settings, measure, "0" * 64)


TASKS = {
    "classifier": classifier_task,
    "series": lambda settings=QUICK: classifier_task("series", settings),
    "tagger": tagger_task,
    "frames": lambda settings=QUICK: tagger_task("frames", settings),
    "translator": translator_task,
    "captioner": captioner_task,
}


def write_sequence_models(folder: Path, *names: str) -> None:
    """``NAME.npz`` for each of ``TASKS``, or for those named, after a few epochs."""
    for name in names or TASKS:
        _write(TASKS[name](), folder / f"{name}.npz")


def write_example_models(folder: Path) -> None:
    """The models that the examples of commands name, after a few epochs of what they are of."""
    longer = replace(QUICK, epochs=30)
    _write(translator_task(longer, SOUNDS, "symbol"), folder / "say.npz")
    for name, kind in (("mood", "classifier"), ("address", "tagger"), ("shapes", "captioner")):
        _write(TASKS[kind](), folder / f"{name}.npz")


def _write(task: Task, path: Path) -> None:
    with Trainer(task, Streams(task.settings.seed)) as trainer:
        for _ in trainer.run():
            pass
        save_model(path, model_of(trainer), overwrite=True)

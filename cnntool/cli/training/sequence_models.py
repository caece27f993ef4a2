"""The model that the options of a trainer of sequences describe, over what the data has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from cnntool import choices
from cnntool.cli.training.sequence_options import SequenceOptions
from cnntool.datasets.sequences.inputs import (
    MOST_STEPS,
    Input,
    PixelInput,
    SeriesInput,
    TextInput,
)
from cnntool.datasets.sequences.samples import Samples
from cnntool.errors import InputError, RequestError
from cnntool.networks import sequence_zoo as zoo
from cnntool.networks.joined import Joined, parse_network
from cnntool.networks.model import Sequenced, SequenceModel, sequence_facts, sequence_model
from cnntool.networks.network import Network
from cnntool.networks.spec import filled
from cnntool.wording import counted, listed, shape_text

FEW = 0.05
"""The share of texts that may have white space in them where all are taken for single words."""

LABELLED = ("classifier", "tagger")

NOUNS = {"classifier": "class", "tagger": "tag"}

SPELLED = ("word", "symbol")
"""The levels of tokens that have letters."""


def with_levels(kind: Sequenced, options: SequenceOptions, train: Samples) -> SequenceOptions:
    """With what a token is, where nobody says it."""
    if kind == "translator":
        sources, targets = _are_words(train.inputs), _are_words(references(train))
        source = "char" if sources or targets else "word"
        target = "char" if targets else "symbol" if sources else "word"
        found = {"source_level": source, "target_level": target}
    else:
        texts = train.inputs if train.form == "text" else references(train)
        is_text = train.form in ("text", "picture")
        found = {"level": "char" if is_text and _are_words(texts) else "word"}
    missing: dict[str, Any] = {
        name: level
        for name, level in found.items()
        if hasattr(options, name) and getattr(options, name) is None
    }
    return replace(options, **missing)


def references(samples: Samples) -> list[str]:
    """All texts that are right."""
    return list(chain.from_iterable(samples.answers))


def _are_words(texts: Sequence[str]) -> bool:
    return sum(" " in text.strip() for text in texts) <= FEW * len(texts)


def untrained_model(
    kind: Sequenced, options: SequenceOptions, train: Samples, others: Sequence[Samples]
) -> SequenceModel:
    """The model that the options describe, over what the training part has; not yet drawn.

    Its labels are those of the other parts, too. InputError where there is nothing to learn,
    RequestError where the layers do not fit.
    """
    reader = _reader(kind, options, train)
    if kind in LABELLED:
        labels = _labels(kind, train, others)
        network = _network(kind, options, reader, len(labels))
        facts = sequence_facts(reader, labels, encoding=options.encoding or "")
        return sequence_model(kind, network, facts, reader)
    texts = references(train)
    level = _option(options, "target_level" if kind == "translator" else "level")
    writer = _text_input(options, texts, "text", level, train, folds=False)
    most = options.max_length or MOST_STEPS
    longest = 2 * min(most, max(len(writer.ids(text)) for text in texts)) + 10
    network = _network(kind, options, reader, len(writer.vocabulary))
    facts = sequence_facts(reader, (), writer, longest, options.encoding or "")
    return sequence_model(kind, network, facts, reader, writer, longest)


def check_answers(kind: Sequenced, train: Samples) -> None:
    """InputError where all have the same label or tag, so that there is nothing to learn."""
    if kind not in LABELLED:
        return
    there = _counts(kind, train)
    if len(there) < 2:
        raise InputError(
            f"{train.name} has only the {NOUNS[kind]} {next(iter(there), '')!r}: a network learns "
            "to tell two or more apart"
        )


PICTURES = ("frames", "picture")
TEXTS = ("text", "words")


def check_form(kind: Sequenced, options: SequenceOptions, train: Samples) -> None:
    """RequestError for options of pictures where there are none, and of texts likewise."""
    refused: list[str] = []
    if train.form not in PICTURES:
        refused += ["resize", "colour"]
    if train.form not in TEXTS and kind in LABELLED:
        refused += ["letters", "embed_size", "vocab_size", "min_count", "level"]
    levels = {_option(options, name) for name in ("level", "source_level", "target_level")}
    if "byte" in levels and levels <= {"byte", None}:
        refused += ["vocab_size", "min_count"]
    given = [name for name in refused if _option(options, name) is not None]
    if given:
        is_bytes = train.form in TEXTS and "byte" in levels
        holds = "bytes, which are all known" if is_bytes else train.what
        raise RequestError(
            f"--{given[0].replace('_', '-')} means nothing for {train.name}, which holds {holds}: "
            "leave it out"
        )


def unlearned(kind: Sequenced, train: Samples, others: Sequence[Samples]) -> Iterator[str]:
    """That there are tags that nothing is learned of."""
    if kind != "tagger":
        return
    learned = _counts(kind, train)
    for other in others:
        own = _counts(kind, other)
        missing = sorted(set(own) - set(learned))
        if missing:
            count = sum(own[tag] for tag in missing)
            yield (
                f"{other.name}: {counted(len(missing), 'tag')} ({listed(missing, 4)}), that "
                f"{train.name} has not, {'is' if len(missing) == 1 else 'are'} never learned: "
                f"{count:,} of its tags cannot be right"
            )


def _labels(kind: Sequenced, train: Samples, others: Sequence[Samples]) -> tuple[str, ...]:
    """Classes or tags of all parts, numbers by their size; InputError for a class that training has
    not."""
    learned = _counts(kind, train)
    for other in others if kind == "classifier" else ():
        strange = next((label for label in other.answers if label not in learned), None)
        if strange is not None:
            raise InputError(
                f"{other.name} has the class {strange!r}, which {train.name} has not "
                f"({listed(sorted(learned, key=by_number))}): they must have the same names"
            )
    found = set(learned).union(*(_counts(kind, other) for other in others))
    return tuple(sorted(found, key=by_number))


def _counts(kind: Sequenced, samples: Samples) -> Counter[str]:
    answers = samples.answers
    return Counter(answers if kind == "classifier" else chain.from_iterable(answers))


def by_number(label: str) -> tuple[int, int, str]:
    """What sorts labels that are numbers by their size, before all others."""
    return (0, int(label), "") if label.isdecimal() else (1, 0, label)


def _reader(kind: Sequenced, options: SequenceOptions, train: Samples) -> Input:
    if train.form == "steps":
        return SeriesInput.of(train.inputs)
    if train.form in ("frames", "picture"):
        return PixelInput.of(train.inputs, train.form)
    level = _option(options, "source_level" if kind == "translator" else "level") or "word"
    text = options.layers
    wants = " letters " in text if isinstance(text, str) else bool(_sizes(kind, options).letters)
    if wants and level not in SPELLED:
        given = "--letters" if _option(options, "letters") else "the setting letters"
        raise RequestError(
            f"{given} reads the letters of words, and a token is a {level} here: leave it out"
        )
    return _text_input(options, train.inputs, train.form, level, train, has_letters=wants)


def _text_input(
    options: SequenceOptions,
    texts: Sequence[str],
    form: str,
    level: str,
    train: Samples,
    has_letters: bool = False,
    folds: bool = True,
) -> TextInput:
    size, least = options.vocab_size, options.min_count or 1
    if level == "byte":
        size, least = None, 1  # all bytes are known
    return TextInput.of(texts, form, level, has_letters, folds, size, least, train.name)


def _sizes(kind: Sequenced, options: SequenceOptions) -> zoo.Sizes:
    names = (*choices.SIZES[kind], "layers", "one_way", "pool", "attention")
    given = {name: _option(options, name) for name in names}
    given = {name: value for name, value in given.items() if value is not None}
    return zoo.Sizes(**(choices.SIZES[kind] | given))


def _network(kind: Sequenced, options: SequenceOptions, reader: Input, outputs: int) -> Network:
    """That of the text that was given, or the usual one; RequestError where it does not fit."""
    inputs = _inputs(reader)
    shape = reader.shape if kind == "captioner" else (None, *reader.shape)
    if not isinstance(options.layers, str):
        return parse_network(getattr(zoo, kind)(inputs, outputs, _sizes(kind, options)), shape)
    network = parse_network(
        filled(options.layers, inputs.vocabulary, inputs.letters, outputs), shape
    )
    is_pair = kind not in LABELLED
    if isinstance(network, Joined) != is_pair:
        raise RequestError(
            f"--layers needs '=>' between an encoder and a decoder: a {kind} has both"
            if is_pair
            else f"--layers has '=>', and a {kind} has no decoder: leave it out"
        )
    if network.output_shape != ((outputs,) if kind == "classifier" else (None, outputs)):
        end = "max-steps; dense" if kind == "classifier" else "dense"
        raise RequestError(
            f"the last layer ({network.layers[-1]}) gives {shape_text(network.output_shape)}, and "
            f"the data asks for {counted(outputs, 'output')}: end with '{end} ?'"
        )
    return network


def _inputs(reader: Input) -> zoo.Inputs:
    """What a network is made for that reads this."""
    if isinstance(reader, TextInput):
        letters = 0 if reader.letters is None else len(reader.letters)
        return zoo.Inputs(len(reader.vocabulary), letters)
    return zoo.Inputs(shape=reader.shape)


def _option(options: SequenceOptions, name: str) -> Any:
    """Of one of the trainers; None where another has it alone."""
    return getattr(options, name, None)

"""What the trainers of sequences learn from: samples, and the network and the task over them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, Literal

import numpy as np

from cnntool import choices
from cnntool.cli.console import reading
from cnntool.cli.training.plan import Beside, Plan, begin, check_agreement
from cnntool.datasets.feeds import Feed
from cnntool.datasets.sequences.feeds import PairFeed, SequenceFeed
from cnntool.datasets.sequences.holding_out import DEFAULT_FRACTION, hold_out, overlap
from cnntool.datasets.sequences.inputs import (
    MOST_STEPS,
    Input,
    PixelInput,
    SeriesInput,
    TextInput,
)
from cnntool.datasets.sequences.ragged import Ragged
from cnntool.datasets.sequences.reading import load_samples
from cnntool.datasets.sequences.samples import ReadOptions, Samples
from cnntool.datasets.texts.encodings import checked_encoding
from cnntool.datasets.texts.text import STDIN
from cnntool.errors import InputError, RequestError
from cnntool.networks import sequence_zoo as zoo
from cnntool.networks.joined import Joined, parse_network
from cnntool.networks.model import SequenceModel, sequence_facts, sequence_model
from cnntool.networks.network import Network
from cnntool.networks.objective import begin_at_frequencies
from cnntool.training.baselines import Unigram
from cnntool.training.footprint import check_parameters
from cnntool.training.measures import ACCURACY, Measure, measure_of
from cnntool.training.sequence_evaluation import baselines_of, evaluate_samples, numbered
from cnntool.training.task import Task
from cnntool.wording import counted, listed, shape_text

SAMPLES_A_PROCESS = 8
"""Of a batch; with fewer, telling a process of its part costs more than it saves."""

JUDGED_AT_ONCE = 256
"""Samples of a batch that is judged."""

FEW = 0.05
"""The share of texts that may have white space in them where all are taken for single words."""

LABELLED = ("classifier", "tagger")

READING = ("format", "encoding", "text_column", "label_column", "column", "group", "resize")
"""Options that say how data is read; ``colour`` has a default of its own."""

MAKING = (
    "level", "source_level", "target_level", "vocab_size", "min_count", "max_length", "cell",
    "embed_size", "hidden_size", "layers", "dropout", "letters", "one_way", "pool", "attention",
    "class_weights",
)  # fmt: skip
"""Options that say what is made of it."""

UNITS = {
    "classifier": "sample",
    "tagger": "sequence",
    "translator": "pair",
    "captioner": "caption",
}

Options = Any
"""Those of one of the trainers: some have what others have not."""

SequenceKind = Literal["classifier", "tagger", "translator", "captioner"]


def plan_classifier(options: Options) -> Plan:
    return _plan("classifier", options)


def plan_tagger(options: Options) -> Plan:
    return _plan("tagger", options)


def plan_translator(options: Options) -> Plan:
    return _plan("translator", options)


def plan_captioner(options: Options) -> Plan:
    return _plan("captioner", options)


def _plan(kind: SequenceKind, options: Options) -> Plan:
    """The run that was asked for; InputError or RequestError before any work where it cannot be."""
    options = _checked(kind, options)
    start = begin(options, _files(options), kind)
    is_named, trained = bool(options.data), start.trained
    if trained is not None:
        keys = ("val_split", *READING, "colour", *MAKING)
        check_agreement(start, options, {key: start.origin.get(key) for key in keys})
        options = _as_before(options, start.origin)
        start.check_apart(_files(options))
    with start.telling_of_moves("data", f"train-{kind} DATA", is_named):
        parts = _load(kind, options, start.settings.seed)
    train, source = parts["train"], parts["train"].name
    start.check_data(train.fingerprint, source)
    own = parts.get("validation") if options.val_split is None else None
    start.check_validation(own.fingerprint if own else None, options.valid or source)
    fingerprint, notes = train.fingerprint, [note for part in parts.values() for note in part.notes]
    notes += [
        note
        for name in ("validation", "test")
        if name in parts
        for note in overlap(train, parts[name])
    ]
    if own is None:
        fraction = DEFAULT_FRACTION if options.val_split is None else options.val_split
        train, own, more = hold_out(train, start.streams["split"], fraction, kind == "classifier")
        notes += more
    held, test = own, parts.get("test")
    if trained is None:
        options = _with_levels(kind, options, train)
        model = _untrained(kind, options, train, [each for each in (held, test) if each])
    else:
        model = trained
    origin = start.origin or _origin(kind, options, parts)
    start.share(min(start.settings.batch_size, len(train)), SAMPLES_A_PROCESS)
    if trained is None and options.epochs is None:
        steps = -(-len(train) // start.settings.batch_size)
        epochs = max(start.settings.epochs, -(-choices.LEAST_STEPS[kind] // steps))
        start.settings = replace(start.settings, epochs=epochs)
    if trained is None:
        check_parameters(model.network, "set a smaller --hidden-size, --embed-size or --vocab-size")
        model.network.initialise(start.streams["start"])
    feed = _feed(model, train, start.settings.batch_size, options, is_learned=True)
    if trained is None and getattr(options, "class_weights", None) != "balanced":
        begin_at_frequencies(model.network, Unigram(_target_counts(model, feed)).distribution)
    judged = {id(each): each for each in (held, test) if each is not None}
    feeds = {key: _feed(model, each, JUDGED_AT_ONCE, options) for key, each in judged.items()}
    task = Task(
        kind,
        model.network,
        feed,
        None if held is None else feeds[id(held)],
        start.settings,
        _measure(kind),
        fingerprint,
        origin,
    )
    samples_of = {id(feeds[key]): each for key, each in judged.items()}
    return start.plan(
        task,
        [*notes, *_of_lengths(train, model, options)],
        data=_line(kind, model, {"train": train, "validation": held, "test": test}),
        test=None if test is None else feeds[id(test)],
        beside=lambda feed, best: _beside(
            replace(model, network=best), train, samples_of[id(feed)], options
        ),
        more=lambda best: {},
    )


def _checked(kind: str, options: Options) -> Options:
    if not options.data and options.resume is None:
        raise RequestError(
            f"DATA is missing: name data for train-{kind}, or --resume a run; cnntool "
            f"train-{kind} --help lists what comes along"
        )
    readers = [*options.data, options.valid, options.test].count(STDIN)
    if readers > 1:
        raise RequestError("- stands for stdin, which can be read once: name it once")
    if options.encoding is not None:
        options = replace(options, encoding=checked_encoding(options.encoding))
    return options


def _files(options: Options) -> dict[str, str | None]:
    """The files that are read, by what they are called in a message."""
    read: dict[str, str | None] = {
        f"DATA {number}" if number > 1 else "DATA": path
        for number, path in enumerate(options.data, 1)
    }
    read |= {"--valid": options.valid, "--test": options.test}
    return {name: None if path == STDIN else path for name, path in read.items()}


def _load(kind: str, options: Options, seed: int) -> dict[str, Samples]:
    """The parts of the data, not yet split, with those that options name in the place of theirs."""
    given = {key: getattr(options, key, None) for key in READING}
    how = ReadOptions(**given, colour=getattr(options, "colour", None) or "auto")
    with reading(options.data[0], options.quiet) as advance:
        parts = load_samples(options.data, kind, how, seed, advance)
    if "train" not in parts:
        first = next(iter(parts))
        parts = {"train": parts.pop(first), **parts}
    for part, path in (("validation", options.valid), ("test", options.test)):
        if path is not None:
            with reading(path, options.quiet) as advance:
                other = load_samples(path, kind, how, seed, advance)
            parts[part] = other.get(part) or next(iter(other.values()))
    return parts


def _as_before(options: Options, origin: dict[str, Any]) -> Options:
    """What was given, and what was not as it was when the run began."""
    name, data = options.resume, origin.get("data")
    others = {key: origin.get(key) for key in ("valid", "test")}
    is_sound = isinstance(data, list) and data and all(isinstance(path, str) for path in data)
    if not is_sound or not all(isinstance(path, str | None) for path in others.values()):
        raise InputError(f"{name} does not say where its data is: name it before --resume")
    known = {key: origin.get(key) for key in ("val_split", *READING, "colour", *MAKING)}
    known = {key: value for key, value in known.items() if hasattr(options, key)}
    resize = known.get("resize")
    known |= {"resize": tuple(resize)} if isinstance(resize, list) else {}
    found = replace(
        options,
        data=options.data or tuple(data if isinstance(data, list) else ()),
        valid=options.valid or others["valid"],
        test=options.test or others["test"],
        **known,
    )
    if STDIN in (*found.data, found.valid, found.test) and not options.data:
        raise RequestError(
            f"{name} had its data from stdin: name it again, a file with the same or - for stdin"
        )
    return found


def _origin(kind: str, options: Options, parts: dict[str, Samples]) -> dict[str, Any]:
    """What reading, splitting and making the same again takes."""
    own = parts.get("validation") if options.val_split is None else None
    split = DEFAULT_FRACTION if options.val_split is None and own is None else options.val_split
    found: dict[str, Any] = {key: getattr(options, key) for key in ("valid", "test")}
    found |= {"data": list(options.data)}
    found |= {"val_split": split, "validation_fingerprint": own.fingerprint if own else None}
    sizes = choices.SIZES[kind]
    for key in (*READING, "colour", *MAKING):
        if hasattr(options, key):
            value = getattr(options, key)
            value = sizes.get(key) if value is None else value
            found[key] = list(value) if isinstance(value, tuple) else value
    return found


def _with_levels(kind: str, options: Options, train: Samples) -> Options:
    """With what a token is, where nobody says it."""
    if kind == "translator":
        sources, targets = _are_words(train.inputs), _are_words(_references(train))
        source = options.source_level or ("char" if sources or targets else "word")
        target = "char" if targets else "symbol" if sources else "word"
        return replace(options, source_level=source, target_level=options.target_level or target)
    if kind in ("classifier", "captioner") and options.level is None:
        texts = train.inputs if kind == "classifier" else _references(train)
        is_text = kind == "captioner" or train.form == "text"
        return replace(options, level="char" if is_text and _are_words(texts) else "word")
    return options


def _are_words(texts: Sequence[str]) -> bool:
    return sum(" " in text.strip() for text in texts) <= FEW * len(texts)


def _references(samples: Samples) -> list[str]:
    return list(chain.from_iterable(samples.answers))


def _untrained(
    kind: str, options: Options, train: Samples, others: Sequence[Samples]
) -> SequenceModel:
    """The model that the options describe, over what the training part has; not yet drawn."""
    reader, words = _reader(kind, options, train), (options.vocab_size, options.min_count or 1)
    writer: TextInput | None = None
    labels: tuple[str, ...] = ()
    longest = 0
    if kind in LABELLED:
        answers = [_labels_of(kind, each) for each in (train, *others)]
        labels = tuple(sorted(set().union(*answers), key=_by_number))
        if len(set(answers[0])) < 2:
            raise InputError(
                f"{train.name} has only the {'tag' if kind == 'tagger' else 'class'} "
                f"{next(iter(answers[0]), '')!r}: a network learns to tell two or more apart"
            )
    else:
        level = options.target_level if kind == "translator" else options.level
        texts = _references(train)
        writer = TextInput.of(
            texts, "text", level, folds=False, size=words[0], min_count=words[1], name=train.name
        )
        longest = 2 * max(len(writer.ids(text)) for text in texts) + 10
    outputs = len(labels) if writer is None else len(writer.vocabulary)
    network = _network(kind, options, reader, outputs)
    facts = sequence_facts(reader, labels, writer, longest, options.encoding or "utf-8")
    return sequence_model(kind, network, facts, reader, writer, longest)


def _labels_of(kind: str, samples: Samples) -> Counter:
    answers = samples.answers
    return Counter(answers if kind == "classifier" else chain.from_iterable(answers))


def _by_number(label: str) -> tuple[int, int, str]:
    return (0, int(label), "") if label.isdecimal() else (1, 0, label)


def _reader(kind: str, options: Options, train: Samples) -> Input:
    if train.form == "steps":
        return SeriesInput.of(train.inputs)
    if train.form in ("frames", "picture"):
        return PixelInput.of(train.inputs, train.form)
    level = options.source_level if kind == "translator" else getattr(options, "level", None)
    has_letters = bool(_sizes(kind, options).letters) and (level or "word") in ("word", "symbol")
    return TextInput.of(
        train.inputs,
        train.form,
        level or "word",
        has_letters,
        size=options.vocab_size,
        min_count=options.min_count or 1,
        name=train.name,
    )


def _sizes(kind: str, options: Options) -> zoo.Sizes:
    usual, layers = choices.SIZES[kind], options.layers
    given = {
        "layers": layers if isinstance(layers, int) else None,
        **{key: getattr(options, key, None) for key in ("dropout", "one_way", "pool", "attention")},
        **{key: getattr(options, key, None) for key in usual},
    }
    return zoo.Sizes(**(usual | {key: value for key, value in given.items() if value is not None}))


def _network(kind: str, options: Options, reader: Input, outputs: int) -> Network:
    """That of the text that was given, or the usual one; RequestError where it does not fit."""
    inputs, sizes = network_inputs(reader), _sizes(kind, options)
    shape = reader.shape if kind == "captioner" else (None, *reader.shape)
    if not isinstance(options.layers, str):
        return parse_network(getattr(zoo, kind)(inputs, outputs, sizes), shape)
    text = _filled(options.layers, inputs, outputs)
    network = parse_network(text, shape)
    wanted = (outputs,) if kind == "classifier" else (None, outputs)
    is_pair = kind not in LABELLED
    if isinstance(network, Joined) != is_pair:
        raise RequestError(
            f"--layers needs '=>' between an encoder and a decoder: a {kind} has both"
            if is_pair
            else f"--layers has '=>', and a {kind} has no decoder: leave it out"
        )
    if network.output_shape != wanted:
        end = "max-steps; dense" if kind == "classifier" else "dense"
        raise RequestError(
            f"the last layer ({network.layers[-1]}) gives {shape_text(network.output_shape)}, and "
            f"the data asks for {counted(outputs, 'output')}: end with '{end} ?'"
        )
    return network


def _filled(text: str, inputs: zoo.Inputs, outputs: int) -> str:
    """The text of layers with what the data has for each ``?``."""
    encoder, arrow, decoder = text.partition("=>")
    encoder = re.sub(r"\bletters \?", f"letters {inputs.letters}", encoder)
    encoder = re.sub(r"\bembedding \?", f"embedding {inputs.vocabulary}", encoder)
    decoder = re.sub(r"\bembedding \?", f"embedding {outputs}", decoder)
    encoder, decoder = (re.sub(r"\bdense \?", f"dense {outputs}", t) for t in (encoder, decoder))
    return encoder + arrow + decoder


def network_inputs(reader: Input) -> zoo.Inputs:
    """What a network is made for that reads this."""
    if isinstance(reader, TextInput):
        letters = 0 if reader.letters is None else len(reader.letters)
        return zoo.Inputs(len(reader.vocabulary), letters)
    return zoo.Inputs(shape=reader.shape)


def _feed(
    model: SequenceModel,
    samples: Samples,
    batch_size: int,
    options: Options,
    is_learned: bool = False,
) -> Feed:
    kind, most = model.header.kind, (options.max_length or MOST_STEPS) if is_learned else None
    rows, facts = model.reader.rows(samples.inputs, is_learned, most), model.facts
    if model.writer is not None:
        return _pair_feed(model, samples, rows, batch_size, is_learned, facts)
    labels = model.labels
    if kind == "classifier":
        targets: Any = numbered(samples.answers, labels, "label", samples, "the model")
    else:
        targets = Ragged.of(
            [numbered(each, labels, "tag", samples, "the model")[:most] for each in samples.answers]
        )
    weights = None
    if is_learned and getattr(options, "class_weights", None) == "balanced":
        values = targets.values if isinstance(targets, Ragged) else targets
        counts = np.bincount(values, minlength=len(labels))
        weights = len(values) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return SequenceFeed(rows, targets, batch_size, UNITS[kind], weights, facts)


def _pair_feed(
    model: SequenceModel, samples: Samples, rows: Any, batch_size: int, is_learned: bool, facts: Any
) -> PairFeed:
    """While learning each of several right texts is one to learn; the first else."""
    writer = model.writer
    assert writer is not None
    answers = samples.answers if is_learned else [each[:1] for each in samples.answers]
    sources = np.repeat(np.arange(len(samples)), [len(each) for each in answers])
    ids = [writer.ids(text) for text in chain.from_iterable(answers)]
    targets, unit = Ragged.of(ids, writer.vocabulary.dtype), UNITS[model.header.kind]
    return PairFeed(rows, targets, writer.end, batch_size, sources, unit, facts)


def _target_counts(model: SequenceModel, feed: Feed) -> np.ndarray:
    targets = feed.targets  # type: ignore[attr-defined]
    values = targets.values if isinstance(targets, Ragged) else targets
    return np.bincount(values, minlength=model.network.output_shape[-1])


def _measure(kind: str) -> Measure:
    if kind in LABELLED:
        return ACCURACY
    return measure_of("word")._replace(name="perplexity given the right beginning")


def _of_lengths(train: Samples, model: SequenceModel, options: Options) -> Iterator[str]:
    """How many inputs are longer than what is learned of each."""
    most = options.max_length or MOST_STEPS
    lengths = model.reader.rows(train.inputs).lengths
    longer = 0 if lengths is None else int(np.count_nonzero(lengths > most + 1))
    if longer:
        yield (
            f"{train.name}: of {counted(longer, 'input')} longer than {most:,} the rest is left "
            "out of training; --max-length says how much is learned"
        )


def _line(kind: str, model: SequenceModel, parts: dict[str, Samples | None]) -> str:
    reader, there = model.reader, {name: part for name, part in parts.items() if part is not None}
    sizes = ", ".join(f"{len(part):,} {name}" for name, part in there.items())
    what = f"{there['train'].form}"
    if isinstance(reader, TextInput):
        what = f"{counted(len(reader.vocabulary), 'kind')} of {reader.level}"
    elif reader.shape:
        what = f"{reader.form} of {shape_text(reader.shape)}"
    if model.writer is not None:
        gives = f"{counted(len(model.writer.vocabulary), 'kind')} of {model.writer.level}"
    else:
        gives = f"{counted(len(model.labels), 'tag' if kind == 'tagger' else 'class')}"
        gives += f" ({listed(model.labels, 6)})"
    train = there["train"]
    return f"data: {train.name}, {train.format or train.form}: {what} to {gives}: {sizes}"


def _beside(model: SequenceModel, train: Samples, judged: Samples, options: Options) -> Beside:
    """The report on what was judged, beside what simple ways to answer reach."""
    beam = getattr(options, "beam", None) or 1
    report = evaluate_samples(model, judged, baselines_of(model, train), beam)
    values = {name: each.score.value for name, each in report.beside.items()}
    strongest = max(values, key=lambda name: values[name])
    ordered = {name: values[name] for name in sorted(values, key=lambda name: values[name])}
    return Beside("beside it", ordered, strongest, report.facts(), report)

"""What the trainers of sequences learn from: samples, and the model and the task over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from cnntool import choices
from cnntool.cli.console import complain, reading
from cnntool.cli.training.origin import (
    Options,
    as_before,
    check_stdin,
    files_read,
    of_empty,
    origin_of,
)
from cnntool.cli.training.plan import Beside, Plan, Start, begin, check_agreement, check_layers
from cnntool.cli.training.sequence_models import (
    LABELLED,
    check_answers,
    check_form,
    references,
    unlearned,
    untrained_model,
    with_levels,
)
from cnntool.cli.training.sequence_options import SequenceOptions
from cnntool.datasets.holding_out import DEFAULT_FRACTION, hold_out, overlap
from cnntool.datasets.sequences.feeds import PairFeed, SequenceFeed
from cnntool.datasets.sequences.inputs import MOST_STEPS, TextInput
from cnntool.datasets.sequences.reading import check_unread, load_samples
from cnntool.datasets.sequences.samples import ReadOptions, Samples
from cnntool.datasets.texts.encodings import checked_encoding
from cnntool.datasets.texts.tokens import UNITS
from cnntool.errors import InputError, RequestError
from cnntool.networks.model import Sequenced, SequenceModel
from cnntool.networks.network import Network
from cnntool.networks.objective import begin_at_frequencies
from cnntool.training.baselines import Unigram
from cnntool.training.evaluation import evaluate_samples
from cnntool.training.footprint import check_parameters, least_batch
from cnntool.training.measures import ACCURACY, DECODED
from cnntool.training.schedules import parse_schedule
from cnntool.training.sequence_baselines import Baseline, baselines_of, is_compared
from cnntool.training.sequence_feeds import judging_feed, learning_feed, target_counts
from cnntool.training.task import Task
from cnntool.wording import counted, listed

SAMPLES_A_PROCESS = 8
"""Of a batch; with fewer, telling a process of its part costs more than it saves."""

READING = (
    "format", "encoding", "text_column", "label_column", "column", "group", "resize", "colour",
)  # fmt: skip
"""Options that say how data is read."""

MAKING = (
    "level", "source_level", "target_level", "vocab_size", "min_count", "max_length", "cell",
    "embed_size", "hidden_size", "layers", "dropout", "letters", "one_way", "pool", "attention",
    "class_weights",
)  # fmt: skip
"""Options that say what is made of it."""

KEPT = ("val_split", *READING, *MAKING)
"""What a file keeps of the options."""

USUAL: dict[str, Any] = {
    "encoding": "utf-8",
    "colour": "auto",
    "min_count": 1,
    "max_length": MOST_STEPS,
    "class_weights": "none",
}
NETWORKS: dict[str, Any] = {"pool": "max", "attention": "general"}
"""What is taken for granted, of networks where no text gives all layers."""


def plan_samples(kind: Sequenced, options: SequenceOptions) -> Plan:
    """The run that was asked for; InputError or RequestError before any work where it cannot be."""
    options = _checked(kind, options)
    start = begin(options, files_read("DATA", options), kind)
    is_named = bool(options.data)
    if start.trained is not None:
        check_agreement(start, options, KEPT)
        options = as_before(options, start, KEPT)
        start.check_apart(files_read("DATA", options))
    else:
        given = {key: getattr(options, key, None) for key in READING}
        check_unread(given, *options.data, options.valid, options.test)
    with start.telling_of_moves("data", f"train-{kind} DATA", is_named):
        parts = _load(kind, options, start.settings.seed)
    fingerprint, name = parts["train"].fingerprint, parts["train"].name
    validation = parts.get("validation") if options.val_split is None else None
    start.check_data(fingerprint, name)
    start.check_validation(validation, options.valid or name)
    if start.trained is None:
        check_answers(kind, parts["train"])
        check_form(kind, options, parts["train"])
    parts, notes = _split(kind, options, start, parts, validation)
    train, others = parts["train"], [part for name, part in parts.items() if name != "train"]
    if start.trained is None:
        options = _settled(kind, with_levels(kind, options, train))
        model, feed = _begun(kind, options, start, train, others)
    else:
        model = start.trained
        feed = _learned(model, options, train, start.settings.batch_size)
    least = least_batch(model.network, feed.batch_size, feed.unit)
    feed = replace(feed, least=least)
    start.share(model.network, min(feed.batch_size, len(train)), SAMPLES_A_PROCESS)
    judged = {part: judging_feed(model, parts[part]) for part in parts if part != "train"}
    task = Task(
        kind,
        model.network,
        feed,
        judged.get("validation"),
        start.settings,
        ACCURACY if kind in LABELLED else DECODED,
        fingerprint,
        start.origin or origin_of(options, validation, KEPT),
    )
    return start.plan(
        task,
        [
            *of_empty(options.data),
            *notes,
            *unlearned(kind, train, others),
            *_of_lengths(model, options, train, feed),
        ],
        data=_lines(model, parts),
        test=judged.get("test"),
        beside=_judge(model, options, task, parts, judged),
        more=lambda best: {},
    )


def _begun(
    kind: Sequenced,
    options: SequenceOptions,
    start: Start,
    train: Samples,
    others: list[Samples],
) -> tuple[SequenceModel, SequenceFeed]:
    """A model that says how often each answer comes, before any learning, and what it learns from;
    how often little data is gone through, and how long the rate warms up, is settled."""
    model = untrained_model(kind, options, train, others)
    settings, remedy = start.settings, "set a smaller --hidden-size, --embed-size or --vocab-size"
    batch = min(settings.batch_size, len(train))
    check_parameters(model.network, batch, settings, remedy)
    is_drawn = not start.is_reckoned(model.network, batch)
    if is_drawn:
        model.network.initialise(start.streams["start"])
    feed = _learned(model, options, train, settings.batch_size)
    if options.epochs is None:
        least = min(choices.MOST_TIMES, -(-choices.LEAST_STEPS[kind] // feed.steps))
        settings = replace(settings, epochs=max(settings.epochs, least))
    sees_pictures = len(model.network.input_shape) >= 3
    if options.schedule is None and (kind == "classifier" or sees_pictures):
        schedule = replace(parse_schedule(settings.schedule), warmup=choices.WARM_UP)
        schedule = schedule.within(settings.epochs * feed.steps)
        settings = replace(settings, schedule=str(schedule))
    start.settings = settings
    if is_drawn and feed.class_weights is None:
        counts = target_counts(feed, model.network.output_shape[-1] or 0)
        begin_at_frequencies(model.network, Unigram(counts).distribution)
    return model, feed


def _checked(kind: str, options: Options) -> Options:
    """The options, with Python's name of the encoding; RequestError where they contradict each
    other."""
    if not options.data and options.resume is None:
        raise RequestError(
            f"DATA is missing: name data for train-{kind}, or --resume a run; cnntool "
            f"train-{kind} --help lists what comes along"
        )
    check_stdin(options)
    check_layers(options, *choices.SIZES[kind], *NETWORKS, "one_way")
    if options.encoding is not None:
        options = replace(options, encoding=checked_encoding(options.encoding))
    return options


def _settled(kind: Sequenced, options: Options) -> Options:
    """With what is taken for granted in the place of what was not given."""
    usual = USUAL
    if not isinstance(options.layers, str):
        usual = USUAL | {"layers": 1} | NETWORKS | choices.SIZES[kind]
    missing = [name for name in usual if getattr(options, name, "") is None]
    return replace(options, **{name: usual[name] for name in missing})


def _load(kind: Sequenced, options: SequenceOptions, seed: int) -> dict[str, Samples]:
    """The parts of the data, not yet split, with those that options name in the place of theirs."""
    given = {key: getattr(options, key, None) for key in READING}
    how = ReadOptions(**{key: value for key, value in given.items() if value is not None})
    parts = _read(kind, options.data, options, how, seed)
    if "train" not in parts:
        first = next(iter(parts))
        learned = parts.pop(first)
        note = f"{learned.name}: there is no training part, so that the {first} part is learned"
        parts = {"train": replace(learned, notes=(*learned.notes, note)), **parts}
    for part, path in (("validation", options.valid), ("test", options.test)):
        if path is not None:
            found = _read(kind, (path,), options, how, seed)
            parts[part] = found.get(part) or next(iter(found.values()))
    train = parts["train"]
    for part, samples in parts.items():
        if samples.what != train.what:
            raise InputError(
                f"{samples.name} holds {samples.what}, and {train.name} {train.what}: the {part} "
                "part has to be of the same kind"
            )
    return parts


def _read(
    kind: Sequenced, paths: tuple[str, ...], options: SequenceOptions, how: ReadOptions, seed: int
) -> dict[str, Samples]:
    with reading(paths[0], options.quiet) as advance:
        return load_samples(paths, kind, how, seed, advance)


def _split(
    kind: Sequenced,
    options: SequenceOptions,
    start: Start,
    parts: dict[str, Samples],
    own: Samples | None,
) -> tuple[dict[str, Samples], list[str]]:
    """The parts, of which the one to validate on is held out where there is none of its ``own``;
    and what there is to say of all."""
    learned = train = parts["train"]
    notes = [note for part in parts.values() for note in part.notes]
    others: dict[str, Samples] = {p: parts[p] for p in ("validation", "test") if p in parts}
    if own is None:
        others.pop("validation", None)
        fraction = DEFAULT_FRACTION if options.val_split is None else options.val_split
        is_by_class = kind == "classifier"
        train, held, more = hold_out(train, start.streams["split"], fraction, is_by_class)
        notes += more
        others = ({} if held is None else {"validation": held}) | others
    for name, part in others.items():
        if name != "validation" or own is not None:  # what is held out stands nowhere else
            notes += overlap(learned, part)
    return {"train": train, **others}, notes


def _learned(
    model: SequenceModel, options: SequenceOptions, train: Samples, batch_size: int
) -> SequenceFeed:
    is_balanced = getattr(options, "class_weights", None) == "balanced"
    most = options.max_length or MOST_STEPS
    return learning_feed(model, train, batch_size, most, is_balanced)


def _of_lengths(
    model: SequenceModel,
    options: SequenceOptions,
    train: Samples,
    feed: SequenceFeed,
) -> Iterator[str]:
    """How many inputs, and texts to be said, are longer than what is learned of each."""
    most, learned = options.max_length or MOST_STEPS, feed.rows.lengths
    longer: dict[str, int] = {}
    if learned is not None:
        cut = [train.inputs[index] for index in np.flatnonzero(learned >= most).tolist()]
        lengths = model.reader.rows(cut).lengths if cut else None
        ends = model.reader.form == "text"  # the end behind a text counts as none of its tokens
        longer["input"] = 0 if lengths is None else int(np.count_nonzero(lengths - ends > most))
    if model.writer is not None and isinstance(feed, PairFeed):
        texts, said = references(train), feed.targets.lengths
        cut = [texts[index] for index in np.flatnonzero(said >= most).tolist()]
        noun = "target" if model.header.kind == "translator" else "caption"
        longer[noun] = sum(len(model.writer.ids(text)) - 1 > most for text in cut)
    for noun, count in longer.items():
        if count:
            yield (
                f"{train.name}: of {counted(count, noun)} longer than {most:,} the rest is left "
                "out of training; --max-length says how much is learned"
            )


def _lines(model: SequenceModel, parts: dict[str, Samples]) -> tuple[str, str]:
    """The data, and how many of what become what."""
    train, reader = parts["train"], model.reader
    given = _tokens(reader) if isinstance(reader, TextInput) else train.what
    if model.writer is not None:
        gives = _tokens(model.writer)
    else:
        noun = "tag" if model.header.kind == "tagger" else "class"
        gives = f"{counted(len(model.labels), noun)} ({listed(model.labels, 6)})"
    sizes = ", ".join(f"{len(part):,} {name}" for name, part in parts.items())
    return f"data: {train.name}, {train.format or train.form}", f"{given} to {gives}: {sizes}"


def _tokens(text: TextInput) -> str:
    """``characters (67 kinds)``."""
    return f"{UNITS.get(text.level, text.level)}s ({counted(len(text.vocabulary), 'kind')})"


def _judge(
    model: SequenceModel,
    options: SequenceOptions,
    task: Task,
    parts: dict[str, Samples],
    feeds: dict[str, SequenceFeed],
) -> Callable[[Any, Network], Beside]:
    """What reports on what is judged, beside what simple ways to answer reach, which are fitted
    once."""

    @cache
    def baselines() -> dict[str, Baseline]:
        if is_compared(model) and not options.quiet:
            complain("the same network without recurrence is trained now, to compare with")
        return baselines_of(model, parts["train"], task)

    def beside(feed: Any, best: Network) -> Beside:
        samples = next(parts[name] for name, each in feeds.items() if each is feed)
        beam = getattr(options, "beam", None) or 1
        report = evaluate_samples(replace(model, network=best), samples, baselines(), beam)
        values = {name: each.score.value for name, each in report.beside.items()}
        ordered = dict(sorted(values.items(), key=lambda item: item[1]))
        chance = next(name for name in values if name.startswith("most frequent"))
        return Beside("beside it", ordered, [*ordered][-1], report.facts(), report, chance)

    return beside

"""What the trainers of sequences may be asked: what all have in common, and what each has alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cnntool import choices
from cnntool.cli.options import argument, flag, option
from cnntool.cli.training.options import (
    MOST_SIZE,
    MOST_TOKENS,
    ImageOptions,
    Kind,
    Learning,
    Output,
    Pictures,
    RecurrentNetwork,
    Running,
    TextOptions,
    Words,
    of_task,
)
from cnntool.cli.types import Choice, Number, PathName, WholeNumber


def _formats(task: str) -> Any:
    return option(
        "--format",
        Choice(choices.SAMPLE_FORMATS[task], "format", "NAME"),
        f"How DATA is written: {', '.join(choices.SAMPLE_FORMATS[task])}.  [default: what it "
        "looks like]",
    )


def _level(names: str, of: str, default: str) -> Any:
    return option(
        names,
        Choice(choices.TOKENS, "level", "NAME"),
        f"What a token of {of} is: word (signs apart), symbol (what stands between white space), "
        f"char or byte.  [default: {default}]",
    )


def _column(name: str, what: str, usual: str) -> Any:
    return option(name, str, f"{what}.  [default: {usual} and the like]", metavar="COLUMN")


@dataclass(frozen=True)
class SampleData:
    """Which samples are learned from."""

    section = "Data"
    data: tuple[str, ...] = argument(
        "DATA...", PathName("a data set, or - for stdin"), many=True, required=False
    )
    valid: str | None = option(
        "--valid",
        PathName("data to validate on"),
        "Validate on this data instead of a part of DATA.",
        metavar="PATH",
    )
    val_split: float | None = option(
        "--val-split",
        Number(least=0, below=1),
        "Of DATA's samples to hold out for validation; 0 for none.  [default: 0.1, or the "
        "validation part that DATA has]",
        metavar="FRACTION",
    )
    test: str | None = option(
        "--test",
        PathName("data to test on"),
        "Judge the best model on this data at the end, instead of on DATA's test part.",
        metavar="PATH",
    )
    encoding: str | None = option(
        "--encoding", str, "Of texts, such as latin-1.  [default: utf-8]", metavar="NAME"
    )
    max_length: int | None = option(
        "--max-length",
        WholeNumber(1, MOST_TOKENS),
        "Learn from the first N tokens or steps of each input.  [default: 1000]",
    )


@dataclass(frozen=True)
class Common(Running, Output, Learning, RecurrentNetwork, Words, SampleData):
    """What all of them take."""


@dataclass(frozen=True)
class Groups:
    """What belongs together."""

    section = "Data"
    group: str | None = option(
        "--group",
        str,
        "The column that says what rows belong to: those of one group are never split between "
        "training and held out.",
        metavar="COLUMN",
    )


@dataclass(frozen=True)
class ClassWeights:
    """What counts how much."""

    section = "Learning"
    class_weights: str | None = option(
        "--class-weights",
        Choice(choices.CLASS_WEIGHTS, "weighting", "HOW"),
        "balanced: rare classes count as much as frequent ones in the loss.  [default: none]",
    )


@dataclass(frozen=True)
class Reader:
    """What reads the inputs."""

    section = "Network"
    letters: int | None = option(
        "--letters",
        WholeNumber(0, MOST_SIZE),
        "Units, in each direction, of a recurrence over each word's letters beside its vector; 0 "
        "for none.",
    )
    one_way: bool = flag("--one-way", "Read from the beginning alone, not from both ends.")


@dataclass(frozen=True)
class Decoder:
    """What says the answers."""

    section = "Network"
    attention: str | None = option(
        "--attention",
        Choice(choices.ATTENTIONS, "attention", "HOW"),
        "How the decoder looks back: general (Luong), additive (Bahdanau) or none.  "
        "[default: general]",
    )


@dataclass(frozen=True)
class Judging:
    """How its answers are found."""

    section = "Running"
    beam: int | None = option(
        "--beam",
        WholeNumber(1, choices.MOST_BEAM),
        "Texts that are kept in sight when the model is judged at the end.  [default: 1]",
    )


def _of_samples(task: str, samples: str, **said: str) -> Callable[[Kind], Kind]:
    least = f"{choices.LEAST_STEPS[task]:,}"
    epochs = f"Times to go through the {samples}; more for fewer than {least} steps."
    words = {"epochs": epochs, "batch_size": f"{samples.capitalize()} a step.", **said}
    return of_task(task, f"2, for 8 {samples} each", **words)


@dataclass(frozen=True)
class LabelledData:
    """How samples with a label are written."""

    section = "Data"
    format: str | None = _formats("classifier")
    text_column: str | None = _column(
        "--text-column",
        "The column of a table that holds the texts, by name or number",
        "text, sentence, review",
    )
    label_column: str | None = _column(
        "--label-column", "And that with the labels", "label, class, category"
    )
    level: str | None = _level("--level", "a text", "word; char where each text is one word")


@dataclass(frozen=True)
@_of_samples("classifier", "samples")
class ClassifierOptions(ClassWeights, Reader, Groups, Common, LabelledData):
    """All that `cnntool train-classifier` takes."""

    pool: str | None = option(
        "--pool",
        Choice(choices.TIME_POOLS, "pool", "NAME"),
        "What of all steps counts: last, mean or max of each feature.  [default: max]",
        section="Network",
    )


@dataclass(frozen=True)
class TaggedData:
    """How sequences with their tags are written."""

    section = "Data"
    format: str | None = _formats("tagger")
    text_column: str | None = _column(
        "--text-column",
        "The column of a table, or of JSON lines, that holds the words, by name or number",
        "word, token, words",
    )
    label_column: str | None = _column(
        "--label-column", "And that with the tags", "tag, label, tags"
    )
    column: int | None = option(
        "--column",
        WholeNumber(2, 1000),
        "Of CoNLL's: the number of the tags' column, the words being in the first.  "
        "[default: the last]",
        metavar="N",
    )


@dataclass(frozen=True)
@_of_samples(
    "tagger",
    "sequences",
    resize="Of frames: to HxW.  [default: as they are]",
    colour="Of frames: grey, rgb or auto.  [default: auto]",
)
class TaggerOptions(ClassWeights, Reader, Groups, Common, Pictures, TaggedData):
    """All that `cnntool train-tagger` takes."""


@dataclass(frozen=True)
class PairData:
    """How pairs of texts are written."""

    section = "Data"
    format: str | None = _formats("translator")
    text_column: str | None = _column(
        "--text-column",
        "The column of a table that holds the sources, by name or number",
        "source, input, word",
    )
    label_column: str | None = _column(
        "--label-column", "And that with the targets", "target, output, translation"
    )
    source_level: str | None = _level(
        "--source-level", "a source", "word; char where each source or target is one word"
    )
    target_level: str | None = _level(
        "--target-level", "a target", "word; char for one word, symbol for the sounds of one"
    )


@dataclass(frozen=True)
@_of_samples(
    "translator",
    "pairs",
    max_length="Learn from the first N tokens of each source and each target.  [default: 1000]",
)
class TranslatorOptions(Judging, Decoder, Reader, Common, PairData):
    """All that `cnntool train-translator` takes."""


@dataclass(frozen=True)
class CaptionData:
    """How pictures with their captions are written."""

    section = "Data"
    format: str | None = _formats("captioner")
    level: str | None = _level("--level", "a caption", "word; char where each is one word")


@dataclass(frozen=True)
@_of_samples(
    "captioner",
    "captions",
    max_length="Learn from the first N tokens of each caption.  [default: 1000]",
    resize="Resize all images to this height and width; N is NxN.  [default: as they are]",
    colour="grey, rgb or auto.  [default: auto]",
)
class CaptionerOptions(Judging, Decoder, Common, Pictures, CaptionData):
    """All that `cnntool train-captioner` takes."""


SequenceOptions = ClassifierOptions | TaggerOptions | TranslatorOptions | CaptionerOptions

RunOptions = ImageOptions | TextOptions | SequenceOptions
"""Those of a training command; None is what was not given."""

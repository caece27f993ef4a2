"""A model of sequences put to samples: its report, beside what simple ways to answer reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cnntool.datasets.sequences.inputs import TextInput
from cnntool.datasets.sequences.samples import Samples
from cnntool.networks.model import SequenceModel
from cnntool.networks.sequence_answers import class_odds, tag_odds, texts_said
from cnntool.training.classifier_report import ClassifierReport
from cnntool.training.decoded_report import DecodedReport
from cnntool.training.measures import Judgement, judge
from cnntool.training.sequence_baselines import (
    Baseline,
    captioner_baselines,
    classifier_baselines,
    tagger_baselines,
    translator_baselines,
)
from cnntool.training.sequence_feeds import check_fits, judging_feed, numbered
from cnntool.training.sequence_report import SequenceReport
from cnntool.training.tagger_report import TaggerReport
from cnntool.training.task import Task
from cnntool.training.without_recurrence import WithoutRecurrence, is_compared

UNITS = {"words": "word", "steps": "step", "frames": "frame"}
"""What has a tag, by the form of the inputs."""


def baselines_of(
    model: SequenceModel, training: Samples, task: Task | None = None
) -> dict[str, Baseline]:
    """What the model has to beat, fitted on what it learned from, by name.

    task: what it was trained by, which a tagger of frames or rows needs beside it: the same network
    without recurrence is trained then.
    """
    kind, reader = model.header.kind, model.reader
    if kind == "classifier":
        level: str = "word"
        cut: Callable[[str], list[str]] = str.split
        if isinstance(reader, TextInput):
            level = "word" if reader.level in ("word", "symbol") else "char"
            cut = reader.tokens
        return classifier_baselines(training, level, cut)
    if kind == "tagger":
        found = tagger_baselines(training)
        if task is not None and is_compared(model):
            found["the same network without recurrence"] = WithoutRecurrence.fit(model, task)
        return found
    if kind == "translator":
        return translator_baselines(training, reader.level if isinstance(reader, TextInput) else "")
    return captioner_baselines(training)


def evaluate_samples(
    model: SequenceModel,
    samples: Samples,
    baselines: Mapping[str, Baseline] | None = None,
    beam: int = 1,
) -> SequenceReport:
    """What a model answers to samples, and what baselines do.

    beam: the width of it, of what is said. A tag that the model has not is never right. InputError
    for a class that it has not, and where its numbers are not finite.
    """
    check_fits(model, samples)
    make: dict[str, Callable[..., Any]] = {"classifier": _classified, "tagger": _tagged}
    report = make.get(model.header.kind, _said)(model, samples, beam)
    if not baselines:
        return report
    return report.against({name: each.answers(samples.inputs) for name, each in baselines.items()})


def judge_texts(model: SequenceModel, samples: Samples) -> Judgement:
    """How likely the first right text of each is to the model of a translator or a captioner, token
    by token, the beginning of the text being given."""
    return judge(model.network, judging_feed(model, samples))


def _classified(model: SequenceModel, samples: Samples, beam: int) -> ClassifierReport:
    targets = numbered(samples.answers, model.labels, "label", samples, model.name)
    odds = class_odds(model.network, model.reader.rows(samples.inputs))
    predicted = odds.argmax(axis=1)
    texts = samples.inputs if samples.form == "text" else None
    sure = odds[np.arange(len(odds)), predicted]
    return ClassifierReport(model.labels, targets, predicted, sure, texts, places=samples.places)


def _tagged(model: SequenceModel, samples: Samples, beam: int) -> TaggerReport:
    odds = tag_odds(model.network, model.reader.rows(samples.inputs))
    found = [odds[index] for index in range(len(odds))]
    predicted = [each.argmax(axis=1) for each in found]
    words, is_unknown = None, None
    if isinstance(model.reader, TextInput):
        words, reader = samples.inputs, model.reader
        is_unknown = [reader.ids(each) == reader.vocabulary.unknown for each in words]
    return TaggerReport(
        model.labels,
        samples.answers,
        [tuple(model.labels[k] for k in each) for each in predicted],
        words,
        is_unknown,
        [each.max(axis=1, initial=0) for each in found],
        UNITS[samples.form],
        places=samples.places,
    )


def _said(model: SequenceModel, samples: Samples, beam: int) -> DecodedReport:
    writer = model.writer
    assert writer is not None  # it is a translator or a captioner
    rows = model.reader.rows(samples.inputs)
    best = [each[0] for each in texts_said(model.joined, rows, writer.end, model.longest, beam)]
    return DecodedReport(
        model.header.kind,
        samples.answers,
        [writer.text(each.ids) for each in best],
        writer.level,
        samples.inputs if samples.form == "text" else None,
        np.exp([each.log_probability for each in best]),
        places=samples.places,
    )

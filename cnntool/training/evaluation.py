"""A model put to images, to a text or to samples: its report, beside what simple ways to answer
reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnntool.datasets.feeds import WindowFeed, batches
from cnntool.datasets.images.dataset import Dataset
from cnntool.datasets.sequences.inputs import TextInput
from cnntool.datasets.sequences.samples import Samples
from cnntool.datasets.texts.corpus import Corpus
from cnntool.engine.losses import log_softmax
from cnntool.errors import InputError, RequestError, not_finite
from cnntool.networks.batch_sizes import MOST_SAMPLES
from cnntool.networks.model import Classifier, SequenceModel, TrainedText
from cnntool.networks.sequence_answers import class_odds, tag_odds, texts_said
from cnntool.training.decoded_report import DecodedReport
from cnntool.training.measures import Judgement, bits, judge, perplexity, ranks
from cnntool.training.parts import text_parts
from cnntool.training.report import ClassifierReport, Report
from cnntool.training.sequence_baselines import Baseline
from cnntool.training.sequence_feeds import check_fits, numbered
from cnntool.training.tagger_report import TaggerReport

UNITS = {"words": "word", "steps": "step", "frames": "frame"}
"""What has a tag, by the form of the inputs."""


def evaluate(classifier: Classifier, data: Dataset, k: int = 3) -> ClassifierReport:
    """Put a network to all images of a set, whose classes are numbered as the network's are; k: how
    many of the likeliest classes count for ``top_k``."""
    prepared = classifier.preprocessing.normalized
    parts = [
        classifier.outputs(prepared(data.x[indices], data.scale))
        for indices in batches(len(data), MOST_SAMPLES)
    ]
    logits = np.concatenate(parts)
    logs, predicted = log_softmax(logits), logits.argmax(axis=1)
    each = np.arange(len(logits))
    return ClassifierReport(
        classifier.labels,
        data.y,
        predicted,
        np.exp(logs[each, predicted]),
        loss=-float(logs[each, data.y].mean(dtype=np.float64)),
        k=k,
        top_k=float(np.mean(ranks(logits, data.y) < k)),
        places=data.files,
    )


def evaluate_samples(
    model: SequenceModel,
    samples: Samples,
    baselines: Mapping[str, Baseline] | None = None,
    beam: int = 1,
) -> Report:
    """What a model answers to samples, and what baselines do.

    beam: the width of it, of what is said. A tag that the model has not is never right. InputError
    for a class that it has not, and where its numbers are not finite.
    """
    check_fits(model, samples)
    make: dict[str, Callable[..., Any]] = {"classifier": _classified, "tagger": _tagged}
    report = make.get(model.header.kind, _said)(model, samples, beam)
    if not baselines:
        return report
    return report.against({name: answers(samples.inputs) for name, answers in baselines.items()})


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


@dataclass(frozen=True, eq=False)
class TextReport(Judgement):
    """What a model made of a part of a text: all its tokens but the first, which is given.

    learned_from: whether the model was trained on it.
    """

    part: str
    corpus: Corpus
    learned_from: bool

    @property
    def perplexity(self) -> float:
        return perplexity(self.loss)

    @property
    def bits_per_token(self) -> float:
        return bits(self.loss)

    @property
    def bits_per_character(self) -> float | None:
        """All surprisal shared among the characters of the text; how unknown words are spelled
        is not in it."""
        if self.corpus.vocabulary.level == "char":
            return self.bits_per_token
        if not self.corpus.characters:
            return None
        return bits(self.loss) * self.count / self.corpus.characters


def evaluate_text(trained: TrainedText, corpus: Corpus, part: str | None = None) -> TextReport:
    """Put a model to a text whose ids are the model's: the part held out in training where it was
    trained on it, else all. RequestError for a part that there is not."""
    parts, is_trained_on = text_parts(corpus, trained.header)
    part = next(iter(parts)) if part is None else part
    if part not in parts:
        raise RequestError(
            f"{corpus.name} has no {part} part: use --part {' or '.join(parts)}, or leave it out"
        )
    chosen = parts[part]
    if len(chosen) < 2:
        raise InputError(f"{corpus.name} has {len(chosen)} token: it needs two, the first is given")
    judgement = judge(trained.network, WindowFeed.whole(chosen))
    if not np.isfinite(judgement.losses).all():
        raise not_finite(f"{trained.name}: its network")
    learned_from = is_trained_on and part != "validation"
    return TextReport(**vars(judgement), part=part, corpus=chosen, learned_from=learned_from)

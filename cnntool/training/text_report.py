"""How good a language model is on a text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.datasets.texts.corpus import Corpus, split
from cnntool.errors import InputError, RequestError, not_finite
from cnntool.networks.model_header import Header
from cnntool.networks.trained_text import TrainedText
from cnntool.training.text_evaluation import Judgement, bits, judge_text, perplexity


@dataclass(frozen=True, eq=False)
class TextReport:
    """What a model made of a part of a text: all its tokens but the first, which is given.

    characters: of the text, where that is known. unknown_rate: the share of its tokens that the
        model does not know. learned_from: whether the model was trained on it.
    """

    part: str
    corpus: Corpus
    judgement: Judgement
    learned_from: bool

    @property
    def loss(self) -> float:
        return self.judgement.loss

    @property
    def perplexity(self) -> float:
        return perplexity(self.loss)

    @property
    def bits_per_token(self) -> float:
        return bits(self.loss)

    @property
    def bits_per_character(self) -> float | None:
        """All surprisal shared among the characters of the text."""
        if self.corpus.vocabulary.level == "char":
            return self.bits_per_token
        if not self.corpus.characters:
            return None
        return bits(self.loss) * self.judgement.count / self.corpus.characters


def parts_of(corpus: Corpus, header: Header) -> tuple[dict[str, Corpus], bool]:
    """The parts of a text by name, and whether the model was trained on it: then it is split as it
    was in training."""
    share = header.training.get("val_split")
    is_trained_on = corpus.fingerprint == header.fingerprint
    if not is_trained_on or not isinstance(share, int | float) or not 0 < share < 1:
        return {"all": corpus}, is_trained_on
    train, held = split(corpus, share)
    return {"validation": held, "train": train, "all": corpus}, True


def evaluate_text(trained: TrainedText, corpus: Corpus, part: str | None = None) -> TextReport:
    """Put a model to a text whose ids are the model's: the part held out in training where it was
    trained on it, else all. RequestError for a part that there is not."""
    parts, is_trained_on = parts_of(corpus, trained.header)
    part = next(iter(parts)) if part is None else part
    if part not in parts:
        raise RequestError(
            f"{corpus.name} has no {part} part: use --part {' or '.join(parts)}, or leave it out"
        )
    chosen = parts[part]
    if len(chosen) < 2:
        raise InputError(f"{corpus.name} has {len(chosen)} token: it needs two, the first is given")
    judgement = judge_text(trained.network, chosen.ids)
    if not np.isfinite(judgement.surprisals).all():
        raise not_finite(f"{trained.name}: its network")
    return TextReport(part, chosen, judgement, is_trained_on and part != "validation")

"""BLEU (Papineni et al., ACL 2002) and chrF (Popović, WMT 2015) of a corpus, as sacrebleu has them.

Both count the n-grams that an answer shares with its references, over all answers together, and are
numbers from 0 to 100. They are comparable only with the same settings (Post, WMT 2018), which
``signature`` names as sacrebleu does.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np

from cnntool.engine.arrays import quotients

WORD_ORDER, CHARACTER_ORDER = 4, 6
"""Of the longest n-grams that are counted."""

BETA = 2

References = Sequence[Sequence[str]]
"""Of each answer one text or more, which are all right."""


class Score(NamedTuple):
    """From 0 to 100, and its settings."""

    value: float
    signature: str


STEPS_OF_13A = (
    (re.compile(r"([\{-\~\[-\` -\&\(-\+\:-\@\/])"), r" \1 "),
    (re.compile(r"([^0-9])([\.,])"), r"\1 \2 "),  # a point or comma is apart unless in a number
    (re.compile(r"([\.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)
ENTITIES = {"&quot;": '"', "&amp;": "&", "&lt;": "<", "&gt;": ">"}


def tokenize_13a(text: str) -> list[str]:
    """As mteval-v13a, the script of the WMT shared tasks, cuts the texts of western languages.

    >>> tokenize_13a("It's 3.5 metres, I say.")
    ["It's", '3.5', 'metres', ',', 'I', 'say', '.']
    """
    text = text.replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for entity, character in ENTITIES.items():
        text = text.replace(entity, character)
    text = f" {text} "
    for pattern, replacement in STEPS_OF_13A:
        text = pattern.sub(replacement, text)
    return text.split()


TOKENIZERS: dict[str, Callable[[str], list[str]]] = {
    "13a": tokenize_13a,
    "none": str.split,
    "char": lambda text: list("".join(text.split())),
}


def bleu(answers: Sequence[str], references: References, tokenizer: str = "13a") -> Score:
    """``BP exp(mean_n log p_n)`` with p_n the share of the answers' n-grams, 1 to WORD_ORDER,
    that a reference has too, each as often at most as one reference has it.

    BP is ``exp(1 - r / c)`` where the answers are c tokens and fewer than the references nearest in
    length, r. A p_n of 0 counts as half, a quarter, ... of one n-gram ("exp" smoothing). The score
    is 0 where nothing is shared at all, and where no answer has so many tokens.
    """
    cut = TOKENIZERS[tokenizer]
    shared, total = np.zeros((2, WORD_ORDER), int)
    lengths = np.zeros(2, int)
    for answer, right in zip(answers, references, strict=True):
        own, others = cut(answer.rstrip()), [cut(text.rstrip()) for text in right]
        nearest = min(map(len, others), key=lambda length: (abs(length - len(own)), length))
        lengths += len(own), nearest
        for n in range(WORD_ORDER):
            ngrams = _ngrams(own, n + 1)
            most: Counter[Hashable] = Counter()
            for text in others:
                most |= _ngrams(text, n + 1)
            total[n] += ngrams.total()
            shared[n] += (ngrams & most).total()
    signature = f"nrefs:{_count(references)}|case:mixed|eff:no|tok:{tokenizer}|smooth:exp"
    return Score(_bleu(shared, total, *lengths.tolist()), signature)


def _bleu(shared: np.ndarray, total: np.ndarray, length: int, reference_length: int) -> float:
    if not shared.any() or not total.all():
        return 0.0
    halvings = np.cumsum(shared == 0)
    precisions = np.where(shared > 0, shared, 0.5**halvings) / total
    brevity = min(0.0, 1 - reference_length / length)
    return 100 * math.exp(brevity + np.log(precisions).mean())


def _ngrams(tokens: Sequence[str], n: int) -> Counter[Hashable]:
    return Counter(zip(*(tokens[i:] for i in range(n)), strict=False))


def chrf(answers: Sequence[str], references: References) -> Score:
    """chrF2: ``(1 + 4) P R / (4 P + R)`` with P the mean over n of 1 to 6 of the share of the
    answers' n-grams of characters that the reference has too, and R that of the reference's that
    the answer has. Blanks do not count; of several references that with the best score does. An n
    of which either side has no n-grams is left out; the score is 0 where that is all of them.
    """
    statistics = np.zeros((3, CHARACTER_ORDER), int)  # of answers, of references, of both
    for answer, right in zip(answers, references, strict=True):
        own = _character_ngrams(answer)
        each = [_matches(own, _character_ngrams(text)) for text in right]
        statistics += max(each, key=_f_score)  # the first of several
    settings = f"case:mixed|eff:yes|nc:{CHARACTER_ORDER}|nw:0|space:no"
    return Score(_f_score(statistics), f"nrefs:{_count(references)}|{settings}")


def _character_ngrams(text: str) -> list[Counter[str]]:
    text = "".join(text.split())
    return [
        Counter([text[i : i + n] for i in range(len(text) - n + 1)])
        for n in range(1, CHARACTER_ORDER + 1)
    ]


def _matches(own: list[Counter[str]], others: list[Counter[str]]) -> np.ndarray:
    """(3, orders). Where a reference has no n-grams of an order, the answer's are not held against
    it."""
    found = [
        (ours.total() if theirs else 0, theirs.total(), (ours & theirs).total())
        for ours, theirs in zip(own, others, strict=True)
    ]
    return np.array(found).T


def _f_score(statistics: np.ndarray) -> float:
    own, others, both = statistics
    counts = (own > 0) & (others > 0)
    if not both.any():
        return 0.0
    precision, recall = (quotients(both, side)[counts].mean() for side in (own, others))
    return float(100 * (1 + BETA**2) * precision * recall / (BETA**2 * precision + recall))


def _count(references: References) -> int | str:
    counts = {len(texts) for texts in references}
    return counts.pop() if len(counts) == 1 else "var"

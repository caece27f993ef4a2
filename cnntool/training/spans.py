"""Names, chunks and other spans of a sequence, as tags say where they begin and end.

======  ==========================================================================================
IOB2    ``B-x`` begins a span of x, ``I-x`` goes on with it, ``O`` is outside of all
IOB1    ``I-x`` begins it too; ``B-x`` stands only where one of the same x ends right before
IOBES   IOB2 with ``E-x`` at the end, and ``S-x`` for a span of one word
BILOU   the same with ``L-x`` and ``U-x``
======  ==========================================================================================

Spans are read by the rule of CoNLL's script conlleval, which seqeval has as its default: an ``I-x``
that goes on with nothing (behind ``O``, another type, or an end) begins a span. So the spans of
IOB1 and IOB2 are the same whatever the scheme, and every sequence of tags has some reading.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from cnntool.engine.arrays import quotients
from cnntool.training.measures import Averages, ClassScores, scores_of_counts

Tags = Sequence[str]

NO_SCHEME = "none"
OUTSIDE = "O"
TAG = re.compile(r"([BIESLU])(?:-(.*))?", re.DOTALL)
SAME = {"L": "E", "U": "S"}


class Span(NamedTuple):
    """Its type, '' where tags name none, and the places of its first and its last tag."""

    type: str
    first: int
    last: int


class Shares(NamedTuple):
    precision: float
    recall: float
    f1: float


def scheme(sequences: Sequence[Tags]) -> str:
    """``IOB1``, ``IOB2``, ``IOBES``, ``BILOU``, or ``none`` where some tag is of no such scheme.

    Tags without a type, plain ``B`` and ``I``, are of one where both occur. Where IOB1 and IOB2
    would do it is IOB2.
    """
    kinds = {tag for tags in sequences for tag in tags} - {OUTSIDE}
    found = [TAG.fullmatch(tag) for tag in kinds]
    prefixes = {match[1] for match in found if match}
    is_typed = all(match and match[2] is not None for match in found)
    if not kinds or not all(found) or not (is_typed or {"B", "I"} <= prefixes):
        return NO_SCHEME
    if prefixes <= {"B", "I"}:
        return "IOB1" if _is_iob1(sequences) else "IOB2"
    for name, ends in (("IOBES", {"E", "S"}), ("BILOU", {"L", "U"})):
        is_whole = prefixes <= {"B", "I"} | ends and ("B" in prefixes or not prefixes & {"E", "L"})
        if is_whole:
            return name
    return NO_SCHEME


def _is_iob1(sequences: Sequence[Tags]) -> bool:
    """Whether a span begins with I, and B stands only right behind one of its type."""
    begun_with_i = False
    for tags in sequences:
        behind: Span | None = None
        for span in spans(tags):
            touches = behind is not None and behind[::2] == (span.type, span.first - 1)
            if tags[span.first].startswith("I"):
                begun_with_i = True
            elif not touches:
                return False
            behind = span
    return begun_with_i


def spans(tags: Tags) -> list[Span]:
    """In their order. A tag that is of no scheme is outside of all.

    >>> spans(["B-PER", "I-PER", "O", "I-LOC"])
    [Span(type='PER', first=0, last=1), Span(type='LOC', first=3, last=3)]
    """
    found: list[Span] = []
    before, open_type = OUTSIDE, ""
    for place, tag in enumerate(tags):
        match = TAG.fullmatch(tag)
        if match is None:
            before = OUTSIDE
            continue
        prefix, kind = SAME.get(match[1], match[1]), match[2] or ""
        if prefix in "BS" or before in ("E", "S", OUTSIDE) or kind != open_type:
            found.append(Span(kind, place, place))
        else:
            found[-1] = found[-1]._replace(last=place)
        before, open_type = prefix, kind
    return found


@dataclass(frozen=True, eq=False)
class SpanScores:
    """How many spans were found: one is right when its type and both ends are.

    types: by name, (K,), all that occur. right, taken, support: (K,) int64, how many were found,
    how many were said, how many there are. scheme: that of the true tags.
    """

    scheme: str
    types: tuple[str, ...]
    right: np.ndarray
    taken: np.ndarray
    support: np.ndarray

    @cached_property
    def by_type(self) -> ClassScores:
        return scores_of_counts(self.right, self.taken, self.support)

    @property
    def micro(self) -> Shares:
        """Over all spans; conlleval's figures. 0 where there are none."""
        right, taken, support = (each.sum() for each in (self.right, self.taken, self.support))
        shares = quotients(2 * right, np.array([2 * taken, 2 * support, taken + support]))
        return Shares(*shares.tolist())

    @property
    def macro(self) -> Averages:
        """The plain means over the types that have a figure. seqeval counts a precision or recall
        that is undefined as 0."""
        return self.by_type.macro


def span_scores(answers: Sequence[Tags], references: Sequence[Tags]) -> SpanScores:
    """Of the tags of each sequence, as answered and as they are."""
    counts: list[Counter[str]] = [Counter(), Counter(), Counter()]
    for answer, reference in zip(answers, references, strict=True):
        taken, true = spans(answer), spans(reference)
        right = set(taken) & set(true)
        for counter, found in zip(counts, (right, taken, true), strict=True):
            counter.update(span.type for span in found)
    types = tuple(sorted(counts[1] | counts[2]))
    columns = [np.array([counter[kind] for kind in types], np.int64) for counter in counts]
    return SpanScores(scheme(references), types, *columns)

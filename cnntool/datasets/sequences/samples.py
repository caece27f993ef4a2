"""What a sequence task learns from, as it was read: inputs, and an answer to each.

======== ============================ =================== =========================================
form     an input                     as                  of a
======== ============================ =================== =========================================
text     a text                       str                 classifier, translator
words    the words of a sentence      tuple of str        tagger
steps    a series of measurements     (T, D) float32      classifier, tagger
frames   a video                      (T, C, H, W) uint8  tagger
picture  a picture, all of one size   (C, H, W) uint8     captioner
======== ============================ =================== =========================================

The answer of a classifier is a label, of a tagger a tuple of tags, one a word or step, of the
others a tuple of one text or more that are all right, the first being the usual one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from cnntool.datasets.images.dataset import LoadOptions
from cnntool.errors import InputError, RequestError
from cnntool.wording import left_out, shape_text


def what_of(form: str, shape: tuple[int, ...] = ()) -> str:
    """Inputs in words, of a form and with steps or pictures of a shape.

    >>> what_of("words"), what_of("steps", (12,)), what_of("frames", (1, 16, 16))
    ('words', 'series of 12 features', 'videos of 1 x 16 x 16')
    """
    name = {"text": "texts", "steps": "series", "frames": "videos", "picture": "pictures"}
    return name.get(form, form) + (f" of {shape_text(shape)}" if shape else "")


MOST_NAMED = 5
"""Of what is left out, in a note."""


class Sample(NamedTuple):
    """An input with its answer, where both stand, and what they belong to."""

    input: Any
    answer: Any
    place: str
    group: str | None = None


def filled(
    name: str, found: Sequence[Sample], noun: str, which: str
) -> tuple[list[Sample], list[str]]:
    """Those with something in both, and a note on how many have nothing in one."""
    kept = [each for each in found if each.input and each.answer]
    return kept, left_out(name, len(found) - len(kept), noun, which)


@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs of one ``form`` with their answers.

    name: of the data, as messages have it. format: how it was written, such as "CoNLL columns".
    places: where each stands, such as ``tags.txt:17`` or the path of a picture; None where there is
        no such place. groups: what each belongs to, where that matters; those of one group are
        never split between what is learned from and what is held out.
    notes: what there is to say of how it was read.
    """

    name: str
    form: str
    inputs: Sequence[Any]
    answers: Sequence[Any]
    format: str = ""
    places: Sequence[str] | None = None
    groups: Sequence[str] | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, name: str, form: str, found: Sequence[Sample], format: str, notes: Iterable[str] = ()
    ) -> Samples:
        """Of samples one by one, which have a group each or none."""
        inputs, answers, places, groups = map(list, zip(*found, strict=True)) if found else [[]] * 4
        shared = None if None in groups else groups
        return cls(name, form, inputs, answers, format, places, shared, tuple(notes))

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def what(self) -> str:
        """Its inputs in words, see :func:`what_of`."""
        if self.form in ("text", "words") or not len(self):
            return what_of(self.form)
        return what_of(self.form, self.inputs[0].shape[self.form != "picture" :])

    @cached_property
    def fingerprint(self) -> str:
        """32 hexadecimal digits of SHA-256 over form, inputs and answers: the same content has the
        same fingerprint, wherever it was read from."""
        digest = hashlib.sha256(f"{self.form} {len(self)}".encode())
        for value in (*self.inputs, *self.answers):
            for piece in _pieces(value):
                digest.update(piece)
        return digest.hexdigest()[:32]

    def at(self, indices: Sequence[int] | np.ndarray) -> Samples:
        """Some of them, in the order of their indices, without the notes."""

        def those(values: Sequence[Any]) -> list[Any]:
            return [values[i] for i in indices]

        return replace(
            self,
            inputs=those(self.inputs),
            answers=those(self.answers),
            places=None if self.places is None else those(self.places),
            groups=None if self.groups is None else those(self.groups),
            notes=(),
        )


def put_together(name: str, parts: Sequence[Samples], notes: Sequence[str] = ()) -> Samples:
    """Samples one behind the other, with the notes of all behind these; InputError where their
    forms differ."""
    first = parts[0]
    for part in parts:
        if part.form != first.form:
            raise InputError(
                f"{part.name} holds {part.form}, {first.name} {first.form}: name them apart"
            )

    def all_of(values: Iterable[Sequence[Any] | None]) -> list[Any] | None:
        found = list(values)
        there = [each for part in found if part is not None for each in part]
        return None if any(part is None for part in found) else there

    return replace(
        first,
        name=name,
        inputs=[each for part in parts for each in part.inputs],
        answers=[each for part in parts for each in part.answers],
        places=all_of(part.places for part in parts),
        groups=all_of(part.groups for part in parts),
        notes=(*notes, *(note for part in parts for note in part.notes)),
    )


def _pieces(value: Any) -> Iterator[bytes]:
    """An input or an answer as bytes that no other has."""
    if isinstance(value, str):
        text = value.encode("utf-8", "surrogatepass")
        yield b"t%d:" % len(text) + text
    elif isinstance(value, np.ndarray):
        ordered = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
        yield f"a{ordered.dtype.str}{ordered.shape}:".encode()
        yield ordered.tobytes()
    else:
        yield b"s%d:" % len(value)
        for each in value:
            yield from _pieces(each)


@dataclass(frozen=True)
class ReadOptions:
    """How samples are written; RequestError for values that make no sense.

    format: one of those of the task, see :data:`choices.SAMPLE_FORMATS`; None for what the content
        looks like. encoding: of texts; None for UTF-8.
    text_column, label_column: of a table, by name or by number from 1; None for the usual names.
    column: the number from 1 of the tags in CoNLL's columns; None for the usual one.
    group: the column of what rows belong to; see :class:`Samples`.
    resize, colour: of pictures; see :class:`images.dataset.LoadOptions`.
    """

    format: str | None = None
    encoding: str | None = None
    text_column: str | None = None
    label_column: str | None = None
    column: int | None = None
    group: str | None = None
    resize: tuple[int, int] | None = None
    colour: str = "auto"

    @property
    def pictures(self) -> LoadOptions:
        return LoadOptions(self.resize, self.colour)

    def __post_init__(self) -> None:
        if self.column is not None and self.column < 2:
            raise RequestError(
                f"--column {self.column}: expected the number of the tags' column, from 2 on, the "
                "words being the first"
            )

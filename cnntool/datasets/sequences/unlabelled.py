"""Texts, sentences and series without answers, as a trained model is asked about them: as they
come."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from unicodedata import normalize

import numpy as np

from cnntool.datasets.sequences.labelled import LABEL_NAMES, TEXT_NAMES
from cnntool.datasets.sequences.pairs import SOURCE_NAMES, TARGET_NAMES
from cnntool.datasets.sequences.series import read_series, steps_of
from cnntool.datasets.sequences.tagged import CONLLU_WIDTH, DOCUMENT_START, SPAN_ID
from cnntool.datasets.texts.text import read_text, source_name
from cnntool.errors import InputError
from cnntool.wording import counted

LONGEST = 1 << 20
"""Characters of a line, and words of a sentence."""

BLOCK = 1000
"""Lines or sentences that are handed on together, at most."""

NAME = re.compile(r"[\w-]+")
COLUMNS = {*TEXT_NAMES, *LABEL_NAMES, *SOURCE_NAMES, *TARGET_NAMES}

Sentence = tuple[str, ...]


def line_blocks(source: str, encoding: str) -> Iterator[list[str]]:
    """The lines of a file or of ``-``, stdin, in Unicode's normal form C: those that are there at a
    time, none being waited for.

    InputError for what cannot be read, and for a line that has no end.
    """
    held, done = "", 0
    for text in read_text(source, encoding):
        *lines, held = (held + text).split("\n")
        for start in range(0, len(lines), BLOCK):
            yield [normalize("NFC", line) for line in lines[start : start + BLOCK]]
        done += len(lines)
        if len(held) > LONGEST:
            raise InputError(
                f"{source_name(source)}:{done + 1:,} has more than {LONGEST:,} characters in one "
                "line: put its texts on lines of their own"
            )


def is_of_table(line: str) -> bool:
    """Whether a first line looks like that of a table of texts and labels: it holds a tab, is an
    object of JSON, or names columns with commas or semicolons between, one of them a usual name."""
    if "\t" in line.strip():
        return True
    if line.lstrip().startswith("{"):
        try:
            return isinstance(json.loads(line), dict)
        except (ValueError, RecursionError):
            return False
    for delimiter in ",;":
        names = next(csv.reader([line.strip().casefold()], delimiter=delimiter), [])
        if len(names) > 1 and all(map(NAME.fullmatch, names)) and not COLUMNS.isdisjoint(names):
            return True
    return False


def sentence_blocks(
    source: str, encoding: str, is_columns: bool | None = None
) -> tuple[Iterator[list[Sentence]], bool]:
    """The sentences of a file or of stdin, and whether they stand in columns: a word a line, with a
    blank line behind each sentence, none of which is empty. Else each is a line, its words parted
    by white space.

    is_columns: None for those whose first line, behind comments, holds a tab.
    """
    blocks = line_blocks(source, encoding)
    before: list[list[str]] = []
    if is_columns is None:
        first = ""
        while not first and (block := next(blocks, None)) is not None:
            before.append(block)
            first = next((line for line in block if line.strip() and line[0] != "#"), "")
        is_columns = "\t" in first or first.startswith(DOCUMENT_START)
    every = chain(before, blocks)
    if is_columns:
        return _of_columns(every, source_name(source)), True
    return ([tuple(line.split()) for line in block] for block in every), False


def _of_columns(blocks: Iterable[list[str]], name: str) -> Iterator[list[Sentence]]:
    """A word is the first field of its line, of CoNLL-U's ten columns the second."""
    words: list[str] = []
    width = 0
    for block in blocks:
        found: list[Sentence] = []
        for line in block:
            fields = line.split("\t") if "\t" in line else line.split()
            if not line.strip() or line.startswith(DOCUMENT_START):
                if words:
                    found.append(tuple(words))
                words = []
                continue
            if line.startswith("#") and len(fields) != (width or 1):  # a comment
                continue
            width = width or len(fields)
            is_conllu = width == CONLLU_WIDTH and re.fullmatch(r"\d+([-.]\d+)?", fields[0])
            if not is_conllu:
                words.append(fields[0])
            elif not SPAN_ID.fullmatch(fields[0]) and len(fields) > 1:
                words.append(fields[1])
            if len(words) > LONGEST:
                raise InputError(
                    f"{name} has more than {LONGEST:,} words without a blank line between: put one "
                    "behind each sentence"
                )
        yield found
    if words:
        yield [tuple(words)]


def series_blocks(source: str, encoding: str, dimensions: int) -> Iterator[list[np.ndarray]]:
    """The series of an .npz archive, x and lengths, or of the lines of a .ts file or of stdin, each
    (T, D) float32 with D the dimensions; labels that there are, are left out.

    InputError for what is no series, or has other dimensions.
    """
    if source.lower().endswith(".npz"):
        series = read_series(source)
        _check_dimensions(source, series[0].shape[1], dimensions)
        for start in range(0, len(series), BLOCK):
            yield series[start : start + BLOCK]
        return
    name, done = source_name(source), 0
    for block in line_blocks(source, encoding):
        found: list[np.ndarray] = []
        for number, line in enumerate(block, done + 1):
            if not line.strip() or line.startswith(("#", "@")):
                continue
            place, fields = f"{name}:{number}", [field.strip() for field in line.split(":")]
            if len(fields) == dimensions + 1:  # with a label
                fields.pop()
            try:
                _check_dimensions(place, len(fields), dimensions)
                found.append(steps_of(fields, place))
            except InputError:
                if found:
                    yield found  # what came before it
                raise
        done += len(block)
        if found:
            yield found


def _check_dimensions(place: str, found: int, expected: int) -> None:
    if found != expected:
        raise InputError(
            f"{place} has {counted(found, 'dimension')}: the model takes series of "
            f"{counted(expected, 'dimension')}, parted by colons in a .ts file"
        )

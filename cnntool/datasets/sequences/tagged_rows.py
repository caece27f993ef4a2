"""Tables with a row for each word or step of a sequence, and a tag in it, for taggers."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from cnntool.datasets.sequences.material import Document, first_line
from cnntool.datasets.sequences.samples import ReadOptions, Samples
from cnntool.datasets.sequences.tables import Table, is_csv, is_tsv, read_delimited
from cnntool.errors import InputError
from cnntool.wording import counted, joined, listed, shortened

WORD_NAMES = ("word", "token", "form", "text")
TAG_NAMES = ("tag", "label", "ner_tag", "upos", "pos", "class", "y")
GROUP_NAMES = ("sentence #", "sentence", "sentence_id", "sequence", "sequence_id", "group")
"""What columns are usually called, of several the first."""

LARGEST = float(np.finfo(np.float32).max)


def is_rows(document: Document, how: ReadOptions) -> bool:
    """Whether the first line names columns: one of tags and more, or what is asked for."""
    if not (is_tsv(document) or is_csv(document)):
        return False
    if how.group or how.label_column:
        return True
    names = {each.strip(' "').casefold() for each in re.split(r"[\t,;]", first_line(document))}
    return (
        len(names) > 1
        and bool(names & set(TAG_NAMES))
        and bool(names & {*WORD_NAMES, *GROUP_NAMES} or is_csv(document))
    )


def read_rows(document: Document, how: ReadOptions) -> Samples:
    """Columns with names, a row a word or a step, that belong to a sequence by a group.

    Where no column holds words, those that begin with a number are the measurements of a step.
    A group without a name is that of the row before, as in Kaggle's NER set.
    """
    known = (*WORD_NAMES, *TAG_NAMES, *GROUP_NAMES)
    table = read_delimited(document, known, (how.text_column, how.label_column, how.group))
    tag = needed(table, how.label_column, TAG_NAMES, "--label-column", "tag")
    group = table.find(how.group, GROUP_NAMES, "--group")
    if group is None:
        raise InputError(
            f"{table.name}: name with --group the column ({listed(table.header)}) that says which "
            "rows are one sequence"
        )
    text = table.find(how.text_column, WORD_NAMES, "--text-column")
    tags, members = table.texts(tag), _members(table, group)
    places = [table.places[rows[0]] for rows in members]
    answers = [tuple(tags[row] for row in rows) for rows in members]
    if text is not None:
        words, notes = table.texts(text), table.unused(text, tag, group)
        inputs = [tuple(words[row] for row in rows) for rows in members]
        format = f"{table.kind}, {table.named(text)} the word and {table.named(tag)} the tag"
        return Samples(table.name, "words", inputs, answers, format, places, notes=tuple(notes))
    others = [i for i in range(table.width) if i not in (tag, group)]
    columns = [i for i in others if _number(table.rows[0][i]) is not None]
    steps = _numbers(table, columns)
    notes = table.unused(*columns, tag, group)
    format = f"{table.kind}, {counted(len(columns), 'number')} a step, {table.named(tag)} the tag"
    series = [steps[rows] for rows in members]
    return Samples(table.name, "steps", series, answers, format, places, notes=tuple(notes))


def _members(table: Table, group: int) -> list[list[int]]:
    """The rows of each group, in the order in which they come."""
    found: dict[str, list[int]] = {}
    current = ""
    for index, name in enumerate(table.texts(group, may_be_empty=True)):
        current = name or current
        if not current:
            raise InputError(f"{table.places[index]} has no {table.named(group)}: fill it in")
        found.setdefault(current, []).append(index)
    return list(found.values())


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _numbers(table: Table, columns: Sequence[int]) -> np.ndarray:
    """(rows, columns) float32; InputError naming the row of what is no finite number."""
    if not columns:
        raise InputError(
            f"{table.name} has neither a column of words ({joined(WORD_NAMES, 'or')}) nor of "
            "numbers: name one with --text-column"
        )
    try:
        with np.errstate(over="ignore"):
            steps = np.array([[float(row[i]) for i in columns] for row in table.rows], np.float32)
        is_sound = bool(np.isfinite(steps).all())
    except ValueError:
        is_sound = False
    if is_sound:
        return steps
    for row, place in zip(table.rows, table.places, strict=True):
        for i in columns:
            number = _number(row[i])
            if number is None or not abs(number) <= LARGEST:
                raise InputError(
                    f"{place}: {table.named(i)} is {shortened(row[i].strip(), 40)!r}, expected a "
                    "finite number: fill it in, or leave the sequence out"
                )
    raise AssertionError


def needed(table: Table, wanted: str | None, usual: Sequence[str], option: str, what: str) -> int:
    """The column of words or tags; InputError where there is none."""
    column = table.find(wanted, usual, option)
    if column is None:
        raise InputError(
            f"{table.name} has no {what}: expected {joined(usual, 'or')} among "
            f"{listed(table.header)}, or {option}"
        )
    return column

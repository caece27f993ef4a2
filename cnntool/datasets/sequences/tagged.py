"""Sentences with a tag for each word, and series with one for each step, for taggers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from cnntool.datasets.sequences.material import Document, of_documents
from cnntool.datasets.sequences.samples import Sample, Samples, filled
from cnntool.datasets.sequences.tables import (
    Table,
    as_text,
    is_csv,
    is_jsonl,
    is_tsv,
    read_delimited,
    read_jsonl,
)
from cnntool.errors import InputError
from cnntool.files.npy import LARGEST
from cnntool.wording import counted, joined, left_out, listed, shortened

WORD_NAMES = ("word", "token", "form", "text")
TAG_NAMES = ("tag", "label", "ner_tag", "upos", "pos", "class", "y")
GROUP_NAMES = ("sentence #", "sentence", "sentence_id", "sequence", "sequence_id", "group")

WORDS_NAMES = ("words", "tokens")
TAGS_NAMES = ("tags", "labels", "ner_tags", "upos", "pos_tags", "chunk_tags")
"""What columns are usually called, of several the first."""

UPOS = 4
"""The column of CoNLL-U that has the universal part of speech, from 1."""

CONLLU_WIDTH = 10
TOKEN_ID = re.compile(r"\d+")
SPAN_ID = re.compile(r"\d+-\d+|\d+\.\d+")
"""Of words that are written as one, 1-2, and of what is not written, 1.1."""

FACT = re.compile(r"#\s*[\w.:-]+\s*=")
DOCUMENT_START = "-DOCSTART-"

LONG = 200
"""Words of a sentence beyond which it is likely none."""


def is_conllu(document: Document) -> bool:
    lines = (line for line in document.lines if line.strip() and not line.startswith("#"))
    fields = next(lines, "").split("\t")
    return len(fields) == CONLLU_WIDTH and bool(re.fullmatch(r"\d+([-.]\d+)?", fields[0]))


def read_conllu(document: Document) -> Samples:
    """Ten columns parted by tabs, the word in the second; see
    https://universaldependencies.org/format.html."""
    column, skipped = document.how.column or UPOS, 0
    if column > CONLLU_WIDTH:
        raise InputError(f"--column {column}: CoNLL-U has {CONLLU_WIDTH} columns")

    def rows() -> Iterator[tuple[str, Sequence[str] | None]]:
        nonlocal skipped
        for index, line in enumerate(document.lines):
            place = document.place(index)
            if not line.strip():
                yield place, None
            elif not line.startswith("#"):
                fields = line.split("\t")
                if len(fields) != CONLLU_WIDTH:
                    raise InputError(
                        f"{place} has {counted(len(fields), 'column')}, expected {CONLLU_WIDTH} "
                        "parted by tabs, as CoNLL-U has them"
                    )
                if SPAN_ID.fullmatch(fields[0]):
                    skipped += 1
                    continue
                if not TOKEN_ID.fullmatch(fields[0]):
                    raise InputError(f"{place} begins with {fields[0]!r}, expected a word's number")
                yield place, (fields[1], fields[column - 1])

    sentences = list(_sentences(rows()))
    if all(tag == "_" for sentence in sentences for tag in sentence.answer):
        raise InputError(
            f"{document.name} has _ in column {column} of every word, which is none: --column "
            "names another from 2 to 10"
        )
    unwritten = "of words written as one (1-2) or not at all (1.1)"
    notes = left_out(document.name, skipped, "line", unwritten)
    kind = "UPOS" if column == UPOS else f"column {column}"
    return Samples.of(document.name, "words", sentences, f"CoNLL-U, {kind} the tag", notes)


def is_columns(document: Document) -> bool:
    lines = [line for line in document.lines[:1000] if not line.startswith(("#", DOCUMENT_START))]
    widths = [len(_fields(line, _tabs(lines))) for line in lines if line.strip()]
    return bool(widths) and widths[0] > 1 and not is_jsonl(document)


def read_columns(document: Document) -> Samples:
    """A word a line, first, its tag in the last column, as CoNLL 2000 to 2003 have it.

    Columns are parted by tabs, or where the first line has none by spaces. A line with # at its
    begin is a comment, unless it is as wide as the others and has a word behind the #, or one of
    their tags.
    """
    name, lines = document.name, [line.rstrip(" \t") for line in document.lines]
    by_tabs, width, seen = _layout(document, lines)
    if not width:
        return Samples(name, "words", [], [])
    column = _tag_column(document.how.column, width, name)
    skipped: Counter[str] = Counter()

    def rows() -> Iterator[tuple[str, Sequence[str] | None]]:
        for index, line in enumerate(lines):
            fields = _fields(line, by_tabs)
            if not line:
                yield document.place(index), None
            elif line.startswith(DOCUMENT_START):
                skipped[f"{DOCUMENT_START} line"] += 1
                yield document.place(index), None
            elif line.startswith("#") and (
                len(fields) != width
                or FACT.match(line)
                or (fields[0] == "#" and fields[-1] not in seen)
            ):
                skipped["comment"] += 1
            else:
                yield document.place(index), (fields[0], fields[column])

    sentences = list(_sentences(rows()))
    notes = []
    if skipped:
        what = joined([counted(count, what) for what, count in skipped.items()])
        notes.append(f"{name}: {what} left out")
    if width > 2:
        others = [str(each + 1) for each in range(1, width) if each != column]
        columns = f"column{'s' * (len(others) > 1)} {joined(others)}"
        notes.append(f"{name}: {columns} of {width} not read; --column names the tags'")
    if len(sentences) == 1 and len(sentences[0].input) > LONG:
        words = counted(len(sentences[0].input), "word")
        notes.append(f"{name}: no blank line parts sentences, so that all {words} are one")
    which = "the last" if column == width - 1 else f"column {column + 1}"
    return Samples.of(name, "words", sentences, f"CoNLL columns, {which} the tag", notes)


def _layout(document: Document, lines: Sequence[str]) -> tuple[bool, int, set[str]]:
    """Whether tabs part the columns, how many there are, and what stands behind words: of the lines
    that are no comments. InputError for a line of another width than the first."""
    by_tabs, width, first, seen = False, 0, "", set[str]()
    for index, line in enumerate(lines):
        if not line or line.startswith(("#", DOCUMENT_START)):
            continue
        by_tabs = _tabs([line]) if not width else by_tabs
        fields, place = _fields(line, by_tabs), document.place(index)
        width, first = width or len(fields), first or place
        if len(fields) != width:
            raise InputError(_other_columns(place, fields, width, first, by_tabs))
        seen.update(fields[1:])
    return by_tabs, width, seen


def _tag_column(wanted: int | None, width: int, name: str) -> int:
    if width < 2:
        raise InputError(
            f"{name} has one column, expected a word and its tag, parted by a space or tab"
        )
    if wanted is not None and wanted > width:
        raise InputError(f"--column {wanted}: {name} has {counted(width, 'column')}")
    return (wanted or width) - 1


def _other_columns(
    place: str, fields: Sequence[str], width: int, width_place: str, by_tabs: bool
) -> str:
    remedy = "every line has a word and its tag"
    if len(fields) > width and not by_tabs:
        remedy = (
            "expected a word a line, with its tag behind it; a word with a space in it wants tabs "
            "between the columns"
        )
    return (
        f"{place} has {counted(len(fields), 'column')} ({shortened(' '.join(fields), 40)}), where "
        f"{width_place} has {width}: {remedy}"
    )


def _tabs(lines: Sequence[str]) -> bool:
    return "\t" in next((line.strip() for line in lines if line.strip()), "")


def _fields(line: str, by_tabs: bool) -> list[str]:
    return [each for each in re.split("\t" if by_tabs else "[ \t]+", line.strip(" \t")) if each]


def _sentences(rows: Iterable[tuple[str, Sequence[str] | None]]) -> Iterator[Sample]:
    """Rows of (place, (word, tag)) gathered up to each (place, None)."""
    for is_blank, lines in groupby(rows, lambda row: row[1] is None):
        if not is_blank:
            found = [(place, fields) for place, fields in lines if fields is not None]
            words, tags = zip(*(fields for _, fields in found), strict=True)
            for place, (word, tag) in found:
                if not word or not tag:
                    raise InputError(f"{place} has no {'tag' if word else 'word'}: add it")
            yield Sample(words, tags, found[0][0])


def is_slashes(document: Document) -> bool:
    words = document.first_line.split() or [""]
    return all(re.fullmatch(r"\S+/[^/\s]+", each) for each in words)


def read_slashes(document: Document) -> Samples:
    """Lines of word/tag, as the Brown corpus has them; of several slashes the last counts."""
    sentences = []
    for place, line in document.filled():
        pairs = [each.rpartition("/") for each in line.split()]
        for word, slash, tag in pairs:
            if not word or not tag:
                shown = shortened(word + slash + tag, 40)
                raise InputError(f"{place}: {shown!r} is not WORD/TAG: add the tag")
        words, _, tags = zip(*pairs, strict=True)
        sentences.append(Sample(words, tags, place))
    return Samples.of(document.name, "words", sentences, "lines of word/tag")


def read_objects(document: Document) -> Samples:
    """JSON lines with a list of words and one of tags."""
    table, how = read_jsonl(document), document.how
    words = needed(table, how.text_column, WORDS_NAMES, "--text-column", "words")
    tags = needed(table, how.label_column, TAGS_NAMES, "--label-column", "tags")
    group = table.find(how.group, (), "--group")
    sentences = []
    for row, place, its_group in zip(table.rows, table.places, table.groups(group), strict=True):
        own = _list_of(row[words], place, table.named(words))
        its = _list_of(row[tags], place, table.named(tags))
        if len(own) != len(its):
            raise InputError(
                f"{place} has {counted(len(own), 'word')} and {counted(len(its), 'tag')}: each "
                "word has one"
            )
        sentences.append(Sample(own, its, place, its_group))
    kept, blank = filled(table.name, sentences, "sentence", "without words")
    format = f"JSON lines, {table.named(words)} with {table.named(tags)}"
    notes = [*table.unused(words, tags, group), *blank]
    return Samples.of(table.name, "words", kept, format, notes)


def _list_of(value: Any, place: str, name: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise InputError(f"{place}: {name} is {_shown(value)}, expected a list")
    texts = tuple(as_text(each, place, f"an item of {name}") for each in value)
    if not all(texts):
        raise InputError(f"{place}: {name} has an item that is empty: add it, or leave both out")
    return texts


def _shown(value: Any) -> str:
    return "missing" if value is None else shortened(repr(value), 40)


def is_rows(document: Document) -> bool:
    """Whether the first line names columns: one of tags and more, or what is asked for."""
    if not (is_tsv(document) or is_csv(document)):
        return False
    if document.how.group or document.how.label_column:
        return True
    names = {each.strip(' "').casefold() for each in re.split(r"[\t,;]", document.first_line)}
    return (
        len(names) > 1
        and bool(names & set(TAG_NAMES))
        and bool(names & {*WORD_NAMES, *GROUP_NAMES} or is_csv(document))
    )


def read_rows(document: Document) -> Samples:
    """Columns with names, a row a word or a step, that belong to a sequence by a group.

    Where no column holds words, those that begin with a number are the measurements of a step.
    A group without a name is that of the row before, as in Kaggle's NER set.
    """
    how = document.how
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
    columns: list[int] = []
    if text is not None:
        words = table.texts(text)
        inputs: list[Any] = [tuple(words[row] for row in rows) for rows in members]
        form, what = "words", f"{table.named(text)} the word and"
    else:
        others = (i for i in range(table.width) if i not in (tag, group))
        columns = [i for i in others if _number(table.rows[0][i]) is not None]
        steps = _numbers(table, columns)
        inputs = [steps[rows] for rows in members]
        form, what = "steps", f"{counted(len(columns), 'number')} a step,"
    format = f"{table.kind}, {what} {table.named(tag)} the tag"
    answers = [tuple(tags[row] for row in rows) for rows in members]
    places = [table.places[rows[0]] for rows in members]
    found = list(map(Sample, inputs, answers, places))
    return Samples.of(table.name, form, found, format, table.unused(*columns, text, tag, group))


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


FORMATS = {
    "conllu": of_documents(is_conllu, read_conllu),
    "jsonl": of_documents(is_jsonl, read_objects),
    "slashes": of_documents(is_slashes, read_slashes),
    "csv": of_documents(is_rows, read_rows),
    "conll": of_documents(is_columns, read_columns),
}

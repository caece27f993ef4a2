"""Texts with what they are in other words, for translators."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from unicodedata import normalize

from cnntool.datasets.sequences.material import Document, Format, Material, of_documents
from cnntool.datasets.sequences.samples import Sample, Samples, filled
from cnntool.datasets.sequences.tables import as_text, is_jsonl, is_tsv, read_delimited, read_jsonl
from cnntool.errors import InputError
from cnntool.wording import counted, left_out, listed, shortened

SOURCE_NAMES = ("source", "src", "input", "word", "text")
TARGET_NAMES = ("target", "tgt", "output", "pronunciation", "translation", "label")
"""What columns are usually called, of several the first."""

FEATURES = re.compile(r"[A-Z0-9{][^\s;=]*(;[A-Z0-9{][^\s;=]*)+|\w+=[^\s,]+(,\w+=[^\s,]+)*|[A-Z]+")
LOOKED_AT = 1000
"""Lines by which a format is known."""

ALTERNATIVE = re.compile(r"(.+)\(\w+\)")
COMMENT = re.compile(r"^(;;;|#(?=\s|$)).*|\s#\s.*")
LONGEST_SYMBOL, MOST_SYMBOLS = 5, 300
"""Of a lexicon's pronunciations: what has longer or more words is a text."""
WORDY = 2.5
"""Letters of a symbol that are words, in the mean of all different ones of letters alone."""


EMPTY = "pair", "with an empty side"


def gathered(name: str, pairs: Sequence[Sample], format: str, notes: Iterable[str] = ()) -> Samples:
    """A sample for each source, with its targets in their order, all of which are right.

    pairs: of a target each; those without a source or target are left out. That and what stands
    more than once is noted.
    """
    found: dict[str, tuple[Sample, dict[str, str]]] = {}
    kept, blank = filled(name, pairs, *EMPTY)
    for pair in kept:
        _, targets = found.setdefault(normalize("NFC", pair.input), (pair, {}))
        targets.setdefault(normalize("NFC", pair.answer), pair.answer)
    samples = [pair._replace(answer=tuple(targets.values())) for pair, targets in found.values()]
    several = sum(len(each.answer) > 1 for each in samples)
    repeats = len(kept) - sum(len(each.answer) for each in samples)
    notes = [*notes, *blank]
    if several:
        verb = "has" if several == 1 else "have"
        notes.append(
            f"{name}: {counted(several, 'source')} {verb} several targets, any of which is right"
        )
    if repeats:
        notes.append(f"{name}: {counted(repeats, 'pair')} left out that came before")
    return Samples.of(name, "text", samples, format, notes)


def on_one_line(text: str) -> str:
    """A text without line ends in it, which a line of output could not show."""
    return " ".join(text.split("\n")).strip()


def is_parallel(material: Material) -> bool:
    if len(material.files) != 2:
        return False
    return not all(is_tsv(each) or is_jsonl(each) for each in material.documents)


def read_parallel(material: Material) -> Samples:
    """Two files, a line of the one being what the same line of the other is; each pair a sample."""
    if len(material.files) != 2:
        raise InputError(f"{material.name}: expected two files, whose lines are pairs")
    source, target = material.documents
    if len(source.lines) != len(target.lines):
        longer, shorter = sorted((source, target), key=lambda each: -len(each.lines))
        odd = len(shorter.lines)
        raise InputError(
            f"{longer.place(odd)} has no line beside it ({shortened(longer.lines[odd], 40)!r}): "
            f"{longer.name} has {counted(len(longer.lines), 'line')}, {shorter.name} "
            f"{len(shorter.lines):,}; make them go line by line"
        )
    pairs = [
        Sample(one.strip(), other.strip(), source.place(index))
        for index, (one, other) in enumerate(zip(source.lines, target.lines, strict=True))
    ]
    name = f"{source.name} and {target.name}"
    kept, blank = filled(name, pairs, *EMPTY)
    samples = [pair._replace(answer=(pair.answer,)) for pair in kept]
    format = f"two files line by line, {source.name} the source"
    return Samples.of(name, "text", samples, format, blank)


def read_objects(document: Document) -> Samples:
    """JSON lines with a source and a target, or a list of targets that are all right."""
    table, how = read_jsonl(document), document.how
    source = table.find(how.text_column, SOURCE_NAMES, "--text-column")
    target = table.find(how.label_column, TARGET_NAMES, "--label-column")
    if source is None or target is None:
        missing, option = ("source", "text") if source is None else ("target", "label")
        raise InputError(
            f"{table.name} has no {missing} among {listed(table.header)}: name it with "
            f"--{option}-column"
        )
    pairs = []
    sources = table.texts(source)
    for text, row, place in zip(sources, table.rows, table.places, strict=True):
        targets = row[target] if isinstance(row[target], list) else [row[target]]
        for each in targets:
            other = as_text(each, place, table.named(target))
            if not other:
                raise InputError(f"{place} has no {table.named(target)}: add it, or leave it out")
            pairs.append(Sample(on_one_line(text), on_one_line(other), place))
    format = f"JSON lines, {table.named(source)} to {table.named(target)}"
    return gathered(table.name, pairs, format, table.unused(source, target))


def is_sigmorphon(document: Document) -> bool:
    return _features_column(document) is not None


def _features_column(document: Document) -> int | None:
    """The second or third of three columns, where every line has features in it."""
    lines = [line for line in document.lines[:LOOKED_AT] if line.strip()]
    rows = [line.split("\t") for line in lines]
    if not rows or any(len(row) != 3 for row in rows):
        return None
    for column in (2, 1):
        values = [row[column].strip() for row in rows]
        if all(map(FEATURES.fullmatch, values)) and any(set(";=") & set(v) for v in values):
            return column
    return None


def read_sigmorphon(document: Document) -> Samples:
    """Lemma, inflected form and features, as the shared tasks of 2017 to 2021 have them, or lemma,
    features and form, as those of 2016 and from 2022 on; the source is ``lemma features``."""
    column = _features_column(document)
    if column is None:
        raise InputError(
            f"{document.name} has no column of features such as V;PST, the second or third of three"
        )
    pairs = []
    for place, line in document.filled():
        fields = [each.strip() for each in line.split("\t")]
        if len(fields) != 3:
            raise InputError(f"{place} has {counted(len(fields), 'column')}, expected three")
        pairs.append(Sample(f"{fields[0]} {fields[column]}", fields[3 - column], place))
    order = "lemma, form, features" if column == 2 else "lemma, features, form"
    return gathered(document.name, pairs, f"{order}; the source is the lemma and its features")


def read_tsv(document: Document) -> Samples:
    """``source<TAB>target``; what is behind another tab is not read."""
    if document.how.text_column or document.how.label_column:
        return _named_columns(document)
    pairs: list[Sample] = []
    more: list[int] = []
    for index, line in enumerate(document.lines):
        if not line.strip():
            continue
        fields, place = line.split("\t"), document.place(index)
        if len(fields) < 2:
            raise InputError(
                f"{place} has no tab ({shortened(line, 40)!r}): expected a source, a tab and a "
                "target"
            )
        if not pairs and _names_both(fields):
            return _named_columns(document)
        if len(fields) > 2 and any(each.strip() for each in fields[2:]):
            more.append(index + 1)
        pairs.append(Sample(fields[0].strip(), fields[1].strip(), place))
    notes = []
    if more:
        what = "what is behind the second tab is not read"
        lines = f"{counted(len(more), 'line')}, from line {more[0]:,} on"
        notes.append(f"{document.name}: {what}, in {lines}")
    return gathered(document.name, pairs, "source and target, parted by a tab", notes)


def _names_both(fields: Sequence[str]) -> bool:
    names = {each.strip().casefold() for each in fields}
    return bool(names & set(SOURCE_NAMES)) and bool(names & set(TARGET_NAMES))


def _named_columns(document: Document) -> Samples:
    how = document.how
    known = (*SOURCE_NAMES, *TARGET_NAMES)
    table = read_delimited(document, known, (how.text_column, how.label_column), "tsv")
    source = table.find(how.text_column, SOURCE_NAMES, "--text-column")
    target = table.find(how.label_column, TARGET_NAMES, "--label-column")
    source = source if source is not None else int(target == 0)
    target = target if target is not None else int(source == 0)
    if source == target or table.width < 2:
        raise InputError(
            f"{table.name} has {counted(table.width, 'column')}: expected a source and a target in "
            "columns of their own, parted by tabs"
        )
    texts = zip(
        table.texts(source, may_be_empty=True),
        table.texts(target, may_be_empty=True),
        table.places,
        strict=True,
    )
    pairs = [Sample(on_one_line(one), on_one_line(other), place) for one, other, place in texts]
    format = f"{table.kind}, {table.named(source)} to {table.named(target)}"
    return gathered(table.name, pairs, format, table.unused(source, target))


def is_lexicon(document: Document) -> bool:
    """Whether every line is a word and what may be its sounds: few different, short symbols."""
    lines = [COMMENT.sub("", line).split() for line in document.lines[:LOOKED_AT]]
    symbols = {symbol for line in lines for symbol in line[1:]}
    lengths = [len(line) for line in lines if line]
    return (
        "\t" not in document.first_line
        and min(lengths, default=0) > 1
        and len(symbols) <= MOST_SYMBOLS
        and all(len(symbol) <= LONGEST_SYMBOL for symbol in symbols)
    )


def _are_sentences(document: Document) -> bool:
    """Whether most lines begin with a word that others begin with, too, which do not stand beside
    it, as other ways to say a word do; or most symbols are words by their length."""
    lines = [COMMENT.sub("", line).split() for line in document.lines[:LOOKED_AT]]
    words = [line[0] for line in lines if line]
    runs = Counter(word for word, _ in groupby(words))
    if 2 * sum(runs[word] > 1 for word in words) > len(words):
        return True
    symbols = {symbol for line in lines for symbol in line[1:]}
    spelled = [len(symbol) for symbol in symbols if symbol.isalpha()]
    return 2 * len(spelled) > len(symbols) and sum(spelled) > WORDY * len(spelled)


def read_lexicon(document: Document) -> Samples:
    """``WORD  P P P``, as CMUdict has it: ``word(2)`` another way to say the word, ``;;;`` and
    ``#`` before a comment."""
    if document.how.format is None and _are_sentences(document):
        raise InputError(
            f"{document.name} looks like sentences: expected two files that go line by line, or "
            "one of a source, a tab and its target a line; name the file with their translations "
            "behind it, or give --format lexicon for words and their sounds"
        )
    pairs, comments = [], 0
    for index, line in enumerate(document.lines):
        bare = COMMENT.sub("", line)
        comments += bare != line
        if not (fields := bare.split()):
            continue
        if len(fields) < 2:
            raise InputError(
                f"{document.place(index)}: {fields[0]!r} has no symbols behind it: expected WORD "
                "P P P"
            )
        other_way = ALTERNATIVE.fullmatch(fields[0])
        word = other_way[1] if other_way else fields[0]
        pairs.append(Sample(word, " ".join(fields[1:]), document.place(index)))
    notes = left_out(document.name, comments, "comment")
    return gathered(document.name, pairs, "a lexicon of words and their symbols", notes)


FORMATS = {
    "parallel": Format(is_parallel, read_parallel),
    "jsonl": of_documents(is_jsonl, read_objects),
    "sigmorphon": of_documents(is_sigmorphon, read_sigmorphon),
    "tsv": of_documents(is_tsv, read_tsv),
    "lexicon": of_documents(is_lexicon, read_lexicon),
}

"""Texts with a label each, for classifiers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from cnntool.datasets.images.files import files_below, folders_in
from cnntool.datasets.sequences.material import Document, Format, Material, of_documents, of_folders
from cnntool.datasets.sequences.samples import ReadOptions, Sample, Samples, filled
from cnntool.datasets.sequences.tables import (
    Table,
    is_csv,
    is_jsonl,
    is_tsv,
    read_delimited,
    read_jsonl,
)
from cnntool.errors import InputError
from cnntool.files.atomic import is_device
from cnntool.files.formats import EXTENSIONS
from cnntool.wording import counted, joined, left_out, listed

TEXT_NAMES = ("text", "sentence", "review", "content", "document", "message", "title", "tweet")
LABEL_NAMES = ("label", "class", "category", "sentiment", "target", "y")
"""What columns are usually called, of several the first."""

PREFIX = "__label__"
LABELLED = re.compile(rf"(?:^|(?<=\s)){PREFIX}(\S*)\s*")

UNLABELLED = "unsup"
"""The folder of reviews without a label in the Large Movie Review Dataset (aclImdb)."""


def is_fasttext(document: Document) -> bool:
    return bool(LABELLED.search(document.first_line))


def read_fasttext(document: Document) -> Samples:
    """Lines of ``__label__x text``, as fastText has them."""
    found = []
    for place, line in document.filled():
        labels = LABELLED.findall(line)
        if len(labels) != 1 or not labels[0]:
            raise InputError(_not_one_label(place, labels))
        found.append(Sample(LABELLED.sub("", line).strip(), labels[0], place))
    return _with_texts(document.name, found, f"lines of {PREFIX}x text")


def _not_one_label(place: str, labels: Sequence[str]) -> str:
    if not labels:
        return f"{place} has no label: begin it with {PREFIX} and a name, as the first line does"
    if len(labels) == 1:
        return f"{place} has {PREFIX} without a name: write {PREFIX}NAME"
    return (
        f"{place} has {counted(len(labels), 'label')} ({listed(labels)}): a classifier learns one "
        "of each text: leave one, or leave the line out"
    )


def _with_texts(
    name: str, found: Sequence[Sample], format: str, notes: Iterable[str] = ()
) -> Samples:
    kept, blank = filled(name, found, "label", "without a text")
    return Samples.of(name, "text", kept, format, (*notes, *blank))


def read_table(document: Document) -> Samples:
    """Columns with a header, or two without; or JSON lines."""
    how = document.how
    wanted = how.text_column, how.label_column, how.group
    is_json = how.format == "jsonl" or (how.format is None and is_jsonl(document))
    known = (*TEXT_NAMES, *LABEL_NAMES)
    table = read_jsonl(document) if is_json else read_delimited(document, known, wanted, how.format)
    text, label, why = _columns(table, how)
    group = table.find(how.group, (), "--group")
    _refuse_lists(table, label)
    notes = [*why, *table.unused(text, label, group)]
    texts, labels = table.texts(text, may_be_empty=True), table.texts(label)
    found = map(Sample, texts, labels, table.places, table.groups(group))
    format = f"{table.kind}, {table.named(text)} the text and {table.named(label)} the label"
    return _with_texts(table.name, list(found), format, notes)


def _columns(table: Table, how: ReadOptions) -> tuple[int, int, list[str]]:
    """Of the text, of the label, and what is to be said of how they were found."""
    text = table.find(how.text_column, TEXT_NAMES, "--text-column")
    label = table.find(how.label_column, LABEL_NAMES, "--label-column")
    if text is not None and text == label:
        raise InputError(f"{table.name}: {table.named(text)} cannot be both the text and the label")
    if text is not None and label is not None:
        return text, label, []
    if table.width == 2 and (text is not None or label is not None):
        return (1 - label, label, []) if label is not None else (text or 0, 1 - (text or 0), [])
    if table.width == 2 and not table.header:
        label = _likelier_label(table)
        return 1 - label, label, _first_line_note(table, label)
    missing = joined([n for n, c in (("text", text), ("label", label)) if c is None])
    options = joined([f"--{n}-column" for n, c in (("text", text), ("label", label)) if c is None])
    there = f"({listed([name or '(no name)' for name in table.header])})" if table.header else ""
    raise InputError(
        f"{table.name} has {counted(table.width, 'column')} {there or 'without names'}: name that "
        f"of the {missing} with {options}, which may be a number from 1"
    )


def _likelier_label(table: Table) -> int:
    """Of two columns that with fewer different values, of as many that with the shorter ones."""
    facts = []
    for column in range(2):
        values = [row[column].strip() for row in table.rows]
        facts.append((len(set(values)), sum(map(len, values)), column))
    return min(facts)[2]


def _first_line_note(table: Table, label: int) -> list[str]:
    """That the first line is data, where its label comes nowhere else and all others do."""
    counts = Counter(row[label].strip() for row in table.rows)
    first = table.rows[0][label].strip()
    if counts[first] > 1 or len(counts) < 3 or sorted(counts.values())[1] < 2:
        return []
    return [
        f"{table.places[0]} is read as data, with the label {first!r}: where it names the columns, "
        f"set --label-column {first}"
    ]


def _refuse_lists(table: Table, label: int) -> None:
    for row, place in zip(table.rows, table.places, strict=True):
        if isinstance(row[label], list):
            raise InputError(
                f"{place} has a list of labels: a classifier learns one of each text: leave one, "
                "or leave the object out"
            )


def read_class_folders(material: Material, folder: Path) -> Samples:
    """A folder a class with a text in each file, as aclImdb and 20 Newsgroups have it."""
    classes = folders_in(folder)
    notes = []
    if len(classes) > 1 and any(path.name == UNLABELLED for path in classes):
        classes = [path for path in classes if path.name != UNLABELLED]
        notes.append(f"{folder}: {UNLABELLED}/ left out, whose texts have no label")
    if material.files:
        names = listed([Path(path).name for path in material.files], 5)
        notes.append(f"{folder}: {names} outside the class folders left out")
    files, others, pipes = {}, 0, 0
    for path in classes:
        below = files_below(path)
        texts = _texts_among(below)
        files[path] = [file for file in texts if not is_device(file)]
        others += len(below) - len(texts)
        pipes += len(texts) - len(files[path])
    if empty := [path for path in classes if not files[path]]:
        raise InputError(
            f"{empty[0]} holds no texts, and every folder in {folder} is taken for a class: put "
            "its texts there as .txt, or remove it"
        )
    notes += left_out(str(folder), pipes, "pipe")
    notes += left_out(str(folder), others, "file", "without .txt")
    total, found = sum(map(len, files.values())), []
    for path, own in files.items():
        for file in map(str, own):
            text = "\n".join(material.read(file, lambda *_: None).lines).strip()
            found.append(Sample(text, path.name, file))
            if material.advance:
                material.advance(len(found), total)
    return _with_texts(str(folder), found, "a folder of texts a class", notes)


def _texts_among(files: Sequence[Path]) -> Sequence[Path]:
    """Where some end in .txt those alone, else all but pictures."""
    texts = [path for path in files if path.suffix.lower() == ".txt"]
    return texts or [path for path in files if path.suffix.lower() not in EXTENSIONS]


def is_class_files(material: Material) -> bool:
    names = [Path(path) for path in material.files if path.lower().endswith(".txt")]
    return len(names) > 1 and not is_fasttext(material.first) and not is_tsv(material.first)


def read_class_files(material: Material) -> Samples:
    """A file a class, called by its name, with a text in each line."""
    files = [path for path in material.files if path.lower().endswith(".txt")]
    others = [Path(path).name for path in material.files if path not in files]
    if len({Path(path).stem for path in files}) < len(files):
        raise InputError(f"{material.name}: two files have one name, which is taken for a class")
    found = []
    for path in files:
        document = material.read(path)
        if not document.first_line:
            raise InputError(f"{path} holds no text: write an item a line, or remove the file")
        label = Path(path).stem
        found += [Sample(line.strip(), label, place) for place, line in document.filled()]
    notes = [f"{material.name}: {listed(others, 5)} left out, being no .txt"] * bool(others)
    format = f"a file a class ({listed([Path(path).stem for path in files], 5)}), an item a line"
    return Samples.of(material.name, "text", found, format, notes)


FORMATS = {
    "folders": of_folders(
        lambda folder: bool(folders_in(folder)), read_class_folders, "--format folders wants one"
    ),
    "fasttext": of_documents(is_fasttext, read_fasttext),
    "jsonl": of_documents(is_jsonl, read_table),
    "files": Format(is_class_files, read_class_files),
    "tsv": of_documents(is_tsv, read_table),
    "csv": of_documents(is_csv, read_table),
}

"""Texts with a label each, for classifiers."""

from __future__ import annotations

import re

from cnntool.datasets.sequences.material import Format, Material
from cnntool.datasets.sequences.samples import Samples
from cnntool.errors import InputError
from cnntool.wording import counted

PREFIX = "__label__"
LABELLED = re.compile(rf"(?:^|(?<=\s)){PREFIX}(\S*)\s*")


def is_fasttext(material: Material) -> bool:
    first = next((line for line in material.first.lines if line.strip()), "")
    return PREFIX in first and bool(LABELLED.search(first))


def read_fasttext(material: Material) -> Samples:
    """Lines of ``__label__x text``, as fastText has them."""
    inputs, answers, places, blank = [], [], [], 0
    for document in material.documents:
        for index, line in enumerate(document.lines):
            if not line.strip():
                continue
            labels, place = LABELLED.findall(line), document.place(index)
            if len(labels) != 1 or not labels[0]:
                raise InputError(_not_one_label(place, labels))
            if not (text := LABELLED.sub("", line).strip()):
                blank += 1
                continue
            inputs.append(text)
            answers.append(labels[0])
            places.append(place)
    notes = [f"{material.name}: {counted(blank, 'line')} with a label alone left out"][:blank]
    return Samples(
        material.name,
        "text",
        inputs,
        answers,
        f"lines of {PREFIX}x text",
        places,
        notes=tuple(notes),
    )


def _not_one_label(place: str, labels: list[str]) -> str:
    if not labels:
        return f"{place} has no label: begin it with {PREFIX} and a name, as the others"
    if len(labels) == 1:
        return f"{place} has {PREFIX} without a name: write {PREFIX}NAME"
    return (
        f"{place} has {counted(len(labels), 'label')} ({', '.join(labels)}): a classifier learns "
        "one of each text; leave one, or give each its own line"
    )


FORMATS = {"fasttext": Format(is_fasttext, read_fasttext)}

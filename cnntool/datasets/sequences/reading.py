"""Samples of a task from whatever holds them: a built-in set, files, a folder, stdin."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unicodedata import is_normalized, normalize

from cnntool.choices import SAMPLE_FORMATS
from cnntool.datasets.images.files import listing, natural_key
from cnntool.datasets.sequences import captions, clips, labelled, pairs, series, tagged
from cnntool.datasets.sequences.builtin import BUILT_IN, load_built_in
from cnntool.datasets.sequences.material import Format, Material, has_suffix
from cnntool.datasets.sequences.samples import ReadOptions, Samples
from cnntool.datasets.texts.text import STDIN, Advance, checked_sources
from cnntool.errors import InputError, RequestError
from cnntool.files.formats import EXTENSIONS
from cnntool.wording import counted, did_you_mean, joined, listed, suggestion

FORMATS: dict[str, dict[str, Format]] = {
    "classifier": {**series.OF_CLASSIFIERS, **labelled.FORMATS},
    "tagger": {**series.OF_TAGGERS, **clips.FORMATS, **tagged.FORMATS},
    "translator": {**pairs.FORMATS},
    "captioner": {**captions.FORMATS},
}
"""Of each task, by their names in :data:`choices.SAMPLE_FORMATS`."""

PART_NAMES = {
    "train": ("train", "training", "trn"),
    "validation": ("val", "valid", "validation", "dev", "devel", "testa"),
    "test": ("test", "testing", "tst", "testb"),
}
"""What the files and folders of parts may be called, or have in their names."""


def load_samples(
    sources: str | Sequence[str],
    task: str,
    how: ReadOptions | None = None,
    seed: int = 0,
    advance: Advance | None = None,
) -> dict[str, Samples]:
    """The set that is named, in the parts that it comes in: train, validation, test.

    sources: the name of a built-in or generated set (a folder of that name is ./NAME), a file,
        ``-`` for stdin, a folder, or several files, for a translator two that go line by line.
    task: classifier, tagger, translator or captioner. seed: of a generated set.
    advance: called with (done, all or 0) on the way, in bytes or files.

    Texts are in the normal form C of Unicode. InputError for what is missing or malformed, with
    its file and line; RequestError for a format that the task has not.
    """
    how, sources = how or ReadOptions(), [str(each) for each in checked_sources(sources)]
    if how.format is not None and how.format not in SAMPLE_FORMATS[task]:
        hint = suggestion(how.format, SAMPLE_FORMATS[task])
        raise RequestError(f"--format {how.format!r} is no format of a {task}{hint}")
    if (built_in := sources[0].partition(":")[0]) in BUILT_IN and len(sources) == 1:
        if (of_task := BUILT_IN[built_in].task) != task:
            raise InputError(
                f"{built_in} is a set for train-{of_task}, not for train-{task}: a file of that "
                f"name is ./{built_in}"
            )
        return load_built_in(sources[0], seed)
    try:
        materials, beside = find_parts(sources, task, how, advance)
        parts = {part: in_normal_form(_read(task, each)) for part, each in materials.items()}
    except OSError as error:
        name = error.filename or joined(sources)
        raise InputError(f"{name} cannot be read: {error.strerror or error}") from None
    if beside:
        first = next(iter(parts))
        parts[first] = replace(parts[first], notes=(beside, *parts[first].notes))
    return parts


def check_unread(given: Mapping[str, Any], *sources: str | None) -> None:
    """RequestError for an option on how data is written, None where it was not given, that means
    nothing for any of the sources: those that come along are read in one way alone, and archives
    hold no texts."""
    named = [source for source in sources if source is not None]
    reasons: dict[str, Iterable[str]] = {}
    if named and all(source.partition(":")[0] in BUILT_IN for source in named):
        reasons["which comes along, and is read in one way alone"] = given
    if named and all(source.lower().endswith(".npz") for source in named):
        reasons["which holds arrays, and no text"] = ["encoding"]
    for reason, options in reasons.items():
        for option in options:
            if given.get(option) is not None:
                raise RequestError(
                    f"--{option.replace('_', '-')} means nothing for {named[0]}, {reason}: leave "
                    "it out"
                )


def find_parts(
    sources: Sequence[str], task: str, how: ReadOptions, advance: Advance | None = None
) -> tuple[dict[str, Material], str]:
    """What each part is read from, and a note on what lies beside parts, else "".

    A folder has parts where all files, or folders, in it have the name of one in their names, or
    where one of them is to be trained on and another is not.
    """
    folder = Path(sources[0])
    if len(sources) > 1 or sources[0] == STDIN or not folder.is_dir():
        return {"train": Material(sources, how, advance=advance)}, ""
    there = listing(folder)
    folders, files = [p for p in there if p.is_dir()], [p for p in there if p.is_file()]
    texts = [path for path in files if path.suffix.lower() not in EXTENSIONS]
    found = _by_part(folders, 1) or _by_part(texts, 2 if task == "translator" else 1)
    if not found:
        return {"train": Material([str(path) for path in files], how, folder, advance)}, ""
    parts = {}
    for part, paths in found.items():
        home = paths[0] if paths[0].is_dir() else None
        if home is not None:  # whatever the names in it
            paths = [path for path in home.iterdir() if path.is_file() and path.name[0] != "."]
            paths.sort(key=lambda path: natural_key(path.name))
        parts[part] = Material([str(path) for path in paths], how, home, advance)
    taken = [path for paths in found.values() for path in paths]
    beside = [
        f"{path.name}/" if path.is_dir() else path.name for path in there if path not in taken
    ]
    note = f"{folder}: {listed(beside, 5)} left out, beside {joined([p.name for p in taken])}"
    return parts, note if beside else ""


def _by_part(paths: Sequence[Path], most: int) -> dict[str, list[Path]]:
    """The files or folders of each part; of several the first, and of those that differ from it in
    their last extension alone, as parallel files do, at most so many. Empty where they are none."""
    named = {path: _part_of(path.name) for path in paths}
    found: dict[str, list[Path]] = {}
    for part in PART_NAMES:
        of_part = [path for path in paths if named[path] == part]
        if of_part:
            found[part] = [path for path in of_part if path.stem == of_part[0].stem][:most]
    are_all = all(named.values())
    return found if found and (are_all or ("train" in found and len(found) > 1)) else {}


def _part_of(name: str) -> str:
    """The part that a name has in it, as ``en_ewt-ud-dev.conllu``; else ""."""
    words = [re.sub(r"\d+$", "", word) for word in re.split(r"[-_. ]", name.lower())]
    found = (part for part, names in PART_NAMES.items() if set(names) & set(words))
    return next(found, "")


def _read(task: str, material: Material) -> Samples:
    """The samples of one part, in the format that is asked for or that it looks like."""
    if material.folder is None:
        for path in material.files:
            if path != STDIN and not os.path.exists(path):
                sets = [name for name, built_in in BUILT_IN.items() if built_in.task == task]
                hint = did_you_mean(path, sets) or f"name {_kinds(task)}, or one of {joined(sets)}"
                if path.partition(":")[0] in sets:
                    hint = "a set that is built in is named alone, without files or another"
                raise InputError(f"{path} does not exist: {hint}")
    if task == "tagger" and has_suffix(material, ".ts"):
        raise InputError(
            f"{material.name} has a label a series, and a tagger learns one a step: "
            "train-classifier learns from such, and a tagger from .npz or rows of CSV"
        )
    formats, known, name = FORMATS[task], SAMPLE_FORMATS[task], material.how.format
    name = name or next(
        (each for each in known if each in formats and formats[each].fits(material)), None
    )
    is_picture = bool(material.files) and Path(material.files[0]).suffix.lower() in EXTENSIONS
    if name is None and material.files and not is_picture and not material.first.first_line:
        raise InputError(f"{material.name} is empty: name {_kinds(task)}")
    if name is None:
        formats_there = "; ".join(f"{each}: {line}" for each, line in known.items())
        remedy = "write it as one of these, or name the one it has with --format"
        if task == "translator" and material.folder is None and len(material.files) == 1:
            remedy = f"name the file with its translations behind it, line by line; or {remedy}"
        raise InputError(
            f"{material.name} is in no format that a {task} learns from: {remedy} ({formats_there})"
        )
    _refuse_unused(task, name, material)
    samples = formats[name].read(material)
    if not len(samples):
        raise InputError(f"{material.name} holds no samples: expected {known[name]}")
    return samples


def _refuse_unused(task: str, format: str, material: Material) -> None:
    """RequestError for columns that are asked for of a format that has none."""
    how, tables = material.how, ("tsv", "csv", "jsonl")
    asked = {
        "--text-column": (how.text_column, tables),
        "--label-column": (how.label_column, tables),
        "--group": (how.group, () if task == "translator" else tables),
        "--column": (how.column, ("conll", "conllu")),
    }
    for option, (value, suited) in asked.items():
        if value is not None and format not in suited and task != "captioner":
            raise RequestError(
                f"{option} {value}: {material.name} is read as {format} "
                f"({SAMPLE_FORMATS[task][format]}), for which it means nothing: leave it out, or "
                "set another --format"
            )


def _kinds(task: str) -> str:
    return f"what a {task} learns from, a file or folder"


def in_normal_form(samples: Samples) -> Samples:
    """The same with all texts, words, labels and tags in NFC, and a note on how many changed.

    Not in NFKC, which would change what is meant, such as ``x²``.
    """
    changed = 0

    def composed(value):
        nonlocal changed
        if isinstance(value, tuple):
            return tuple(map(composed, value))
        if not isinstance(value, str) or value.isascii() or is_normalized("NFC", value):
            return value
        changed += 1
        return normalize("NFC", value)

    inputs, answers = samples.inputs, [composed(answer) for answer in samples.answers]
    if samples.form in ("text", "words"):
        inputs = [composed(value) for value in inputs]
    groups = samples.groups and [composed(group) for group in samples.groups]
    if not changed:
        return samples
    what = counted(changed, "text" if samples.form == "text" else "word")
    note = f"{samples.name}: {what} put into Unicode's normal form C, which looks the same"
    notes = (*samples.notes, note)
    return replace(samples, inputs=inputs, answers=answers, groups=groups, notes=notes)

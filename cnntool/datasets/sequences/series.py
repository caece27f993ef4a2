"""Series of any length: .ts files as sktime and aeon have them, and arrays in .npz archives."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnntool.datasets.images.arrays import read_array, some
from cnntool.datasets.sequences.material import Document, Format, Material, has_suffix, of_documents
from cnntool.datasets.sequences.samples import Sample, Samples, put_together
from cnntool.errors import InputError
from cnntool.files.npy import LARGEST
from cnntool.files.streams import plain_errors
from cnntool.wording import counted, joined, listed, shortened, span


def is_ts(document: Document) -> bool:
    lines = (line.strip() for line in document.lines)
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return first.startswith("@") and first.split()[0].lower() in HEADER


HEADER = (
    *("@problemname", "@timestamps", "@missing", "@univariate", "@dimension", "@dimensions"),
    *("@equallength", "@serieslength", "@classlabel", "@targetlabel", "@data"),
)


def read_ts(document: Document) -> Samples:
    """Lines of ``1,2,3:4,5,6:label``: dimensions parted by colons, their values by commas.

    Source: the .ts format of sktime and aeon, whose header tells the classes.
    """
    labels, start = _header(document)
    found: list[Sample] = []
    for index, line in enumerate(document.lines[start:], start):
        if not line.strip() or line.startswith("#"):
            continue
        place = document.place(index)
        *dimensions, label = (each.strip() for each in line.split(":"))
        if not dimensions:
            raise InputError(f"{place} has no label: expected values, a colon and a label")
        if labels and label not in labels:
            raise InputError(
                f"{place} ends in the label {shortened(label, 40)!r}, which is none of @classLabel "
                f"({listed(labels)}): mend the one or the other"
            )
        steps = steps_of(dimensions, place)
        if found and steps.shape[1] != found[0].input.shape[1]:
            raise InputError(
                f"{place} has {counted(steps.shape[1], 'dimension')}, where {found[0].place} has "
                f"{found[0].input.shape[1]:,}: every series needs as many"
            )
        found.append(Sample(steps, label, place))
    what = f" of {counted(found[0].input.shape[1], 'dimension')} (.ts)" if found else ""
    return Samples.of(document.name, "steps", found, f"series{what}")


def _header(document: Document) -> tuple[Sequence[str], int]:
    """The classes, where they are named, and the place of the first line behind the header."""
    labels: Sequence[str] = ()
    for index, line in enumerate(document.lines):
        word, *values = line.split() or [""]
        word, told = word.lower(), values[0].lower() if values else ""
        if word == "@data":
            return labels, index + 1
        place = document.place(index)
        if word == "@timestamps" and told == "true":
            raise InputError(
                f"{place} says that values have time stamps: leave them out, a step a value"
            )
        if word == "@targetlabel" or (word == "@classlabel" and told == "false"):
            raise InputError(
                f"{place} says that series have no class: a classifier needs @classLabel true, the "
                "names of the classes, and one behind each series"
            )
        labels = values[1:] if word == "@classlabel" else labels
    raise InputError(f"{document.name} has no line '@data', behind which the series stand")


def steps_of(texts: Sequence[str], place: str) -> np.ndarray:
    """(T, D) float32 of the values of each dimension."""
    dimensions = [text.split(",") for text in texts]
    for number, values in enumerate(dimensions, 1):
        if len(values) != len(dimensions[0]):
            raise InputError(
                f"{place}: dimension {number} has {counted(len(values), 'value')} and the first "
                f"{len(dimensions[0]):,}: each step needs one of every dimension"
            )
    try:
        with np.errstate(over="ignore"):  # said below
            steps = np.array(dimensions, np.float64).T.astype(np.float32)
        if np.isfinite(steps).all():
            return steps
    except ValueError:
        pass
    raise _no_number(dimensions, place)


def _no_number(dimensions: Sequence[Sequence[str]], place: str) -> InputError:
    """Of the first value that is no finite number of 32 bits."""
    for number, values in enumerate(dimensions, 1):
        for step, value in enumerate(values, 1):
            where, value = f"{place}: value {step} of dimension {number}", value.strip()
            if value.lower() in ("?", "nan", ""):
                return InputError(
                    f"{where} is {value!r}, which is missing: fill it in, with the value before it "
                    "say, or leave the series out"
                )
            try:
                is_sound = abs(float(value)) <= LARGEST
            except ValueError:
                is_sound = False
            if not is_sound:
                shown = repr(shortened(value, 40))
                return InputError(f"{where} is {shown}, expected a finite number")
    raise AssertionError("all values are finite numbers")


def read_npz(path: str, axes: int) -> Samples:
    """x (N, T, D) or (N, T); lengths (N,), without which all have T steps; and y, of one axis or of
    two, numbers or names. What lies behind a series' end counts for nothing.

    Pickled objects are never loaded. InputError for what is missing or does not fit together.
    """
    found, extra = _arrays(path, ("x", "y"))
    x, y = _steps(found["x"], path), found["y"]
    expected = x.shape[:axes]
    if y.shape != expected or y.dtype.kind not in "buifUS":
        what, task = ("series", "tagger") if axes == 1 else ("step", "classifier")
        other = f"; train-{task} learns from such" if y.ndim == 3 - axes else ""
        raise InputError(
            f"{path}: y is {y.dtype} {y.shape}, expected a label a {what}, {expected}{other}"
        )
    lengths = _lengths(found.get("lengths"), x, path)
    series = _cut(x, lengths, path)
    if axes == 1:
        answers: list = [_label(each, path) for each in y.tolist()]
    else:
        rows = zip(y.tolist(), lengths.tolist(), strict=True)
        answers = [tuple(_label(each, path) for each in row[:length]) for row, length in rows]
    notes = (f"{path}: {some(extra)} left out, beside x, lengths and y",) if extra else ()
    places = [f"{path}, series {number}" for number in range(len(series))]
    format = f"series of {counted(x.shape[2], 'dimension')} (.npz)"
    return Samples.of(path, "steps", list(map(Sample, series, answers, places)), format, notes)


def read_series(path: str) -> list[np.ndarray]:
    """The series of x alone, (T, D) float32 each, up to their lengths."""
    found, _ = _arrays(path, ("x",))
    x = _steps(found["x"], path)
    return _cut(x, _lengths(found.get("lengths"), x, path), path)


def _steps(x: np.ndarray, path: str) -> np.ndarray:
    """x as (N, T, D)."""
    if x.ndim not in (2, 3) or not x.size or x.dtype.kind not in "buif":
        raise InputError(
            f"{path}: x is {x.dtype} {x.shape}, expected numbers (N, T, D), or (N, T) of one "
            "dimension"
        )
    return x[:, :, None] if x.ndim == 2 else x


def _arrays(path: str, needed: Sequence[str]) -> tuple[dict[str, np.ndarray], set[str]]:
    """Those that are needed, and lengths where they are there; and the names of all others."""
    with plain_errors(path):
        if not Path(path).is_file() or not zipfile.is_zipfile(path):
            raise InputError(f"{path} is no .npz archive: write it with numpy.savez")
        with zipfile.ZipFile(path) as archive:
            keys = {member.removesuffix(".npy") for member in archive.namelist()}
            if missing := set(needed) - keys:
                raise InputError(
                    f"{path} holds {some(keys) or 'nothing'}, and no "
                    f"{joined(sorted(missing), 'or')}: save x, lengths and y, each part in a file "
                    "of its own, such as train.npz"
                )
            there = [key for key in (*needed, "lengths") if key in keys]
            return {key: read_array(archive, key, path) for key in there}, keys - set(there)


def _lengths(given: np.ndarray | None, x: np.ndarray, path: str) -> np.ndarray:
    """(N,) whole numbers from 1 to T."""
    count, longest = x.shape[:2]
    if given is None:
        return np.full(count, longest)
    if given.shape != (count,) or given.dtype.kind not in "ui":
        raise InputError(
            f"{path}: lengths is {given.dtype} {given.shape}, expected whole numbers ({count},), "
            "one a series"
        )
    wrong = np.flatnonzero((given < 1) | (given > longest))
    if len(wrong):
        raise InputError(
            f"{path}: series {wrong[0]} has the length {given[wrong[0]]}, expected "
            f"{span(1, longest)}, the steps that x has"
        )
    return given.astype(np.int64)


def _cut(x: np.ndarray, lengths: np.ndarray, path: str) -> list[np.ndarray]:
    """Each series up to its end, (T, D) float32."""
    with np.errstate(over="ignore", invalid="ignore"):  # said below
        series = [
            np.ascontiguousarray(each[:length], np.float32)
            for each, length in zip(x, lengths, strict=True)
        ]
    for number, each in enumerate(series):
        if not np.isfinite(each).all():
            step = int(np.flatnonzero(~np.isfinite(each).all(axis=1))[0])
            raise InputError(
                f"{path}: step {step} of series {number} is no finite number: fill it in, or save "
                "lengths where series end before"
            )
    return series


def _label(value: object, path: str) -> str:
    """A class number or a name as text."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, float):
        if not value.is_integer():
            raise InputError(f"{path}: y holds {value:g}, expected names or whole numbers")
        value = int(value)
    return str(value)


def of_archives(axes: int) -> Format:
    """Archives whose y has so many axes; see :func:`read_npz`."""

    def read(material: Material) -> Samples:
        return put_together(material.name, [read_npz(path, axes) for path in material.files])

    return Format(lambda material: has_suffix(material, ".npz"), read)


OF_CLASSIFIERS = {"npz": of_archives(1), "ts": of_documents(is_ts, read_ts)}
OF_TAGGERS = {"npz": of_archives(2)}

"""Which images a folder holds, and which class each belongs to: nothing is opened here."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnntool.errors import InputError
from cnntool.files.formats import EXTENSIONS, READABLE
from cnntool.wording import counted

PART_NAMES = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
"""What the folders of parts may be called."""


@dataclass(frozen=True, eq=False)
class ClassFolders:
    """The images of one folder whose sub-folders are classes.

    files: (N) paths, class by class, in natural order. y: (N,) int64, their classes.
    labels: the names of the sub-folders, in natural order.
    notes: a line for each thing that was left out.
    """

    folder: Path
    labels: tuple[str, ...]
    files: tuple[Path, ...]
    y: np.ndarray
    notes: tuple[str, ...] = ()


def find_parts(folder: Path) -> dict[str, ClassFolders]:
    """The part ``train``, and where they are there ``validation`` and ``test``.

    A folder with ``train/`` beside ``val/`` or ``test/``, or with ``train/`` alone, has parts in
    them; any other folder is one part with a class in every sub-folder. InputError where there are
    no images, or images without a class.
    """
    names = {path.name.lower(): path for path in _folders(folder)}
    parts = {
        part: names[spelling]
        for part, spellings in PART_NAMES.items()
        for spelling in spellings
        if spelling in names
    }
    if "train" not in parts or (len(parts) == 1 and len(names) > 1):
        if len(parts) == len(names) > 0:
            there = ", ".join(f"{path.name}/" for path in parts.values())
            raise InputError(f"{folder} has {there} but no train/: name the folder of the classes")
        return {"train": find_classes(folder)}
    return {part: find_classes(path) for part, path in parts.items()}


def find_classes(folder: Path) -> ClassFolders:
    """One class for each sub-folder, with the images in it and below it.

    Hidden files and folders do not count; files whose extension is none of an image's are left out
    and counted in the notes. InputError for a folder without class folders, and for a class without
    images.
    """
    classes = sorted(_folders(folder), key=lambda path: natural_key(path.name))
    loose = sum(_is_image(entry.name) for entry in os.scandir(folder) if entry.is_file())
    if not classes:
        raise InputError(_without_classes(folder, loose))
    files: list[Path] = []
    counts, others, notes = [], 0, []
    for path in classes:
        images, strange = _images_below(path)
        if not images:
            raise InputError(
                f"{path} holds no images ({READABLE}), and every folder in {folder} is taken for a "
                "class: put its images there, or name the folder whose sub-folders are classes"
            )
        files += images
        counts.append(len(images))
        others += strange
    if loose:
        notes.append(f"{folder}: {counted(loose, 'image')} outside the class folders left out")
    if others:
        notes.append(f"{folder}: {counted(others, 'file')} of other kinds left out")
    labels = tuple(path.name for path in classes)
    y = np.repeat(np.arange(len(classes), dtype=np.int64), counts)
    return ClassFolders(folder, labels, tuple(files), y, tuple(notes))


def natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """What to sort names by so that 'img10' comes after 'img9', whatever the case."""
    pieces = re.split(r"(\d+)", name)
    key = [(0, int(p), "") if p.isdecimal() else (1, 0, p.casefold()) for p in pieces if p]
    return key, name  # names that differ in case or zeros only keep one order too


def _folders(folder: Path) -> list[Path]:
    return [p for p in folder.iterdir() if p.is_dir() and not p.name.startswith((".", "__"))]


def _images_below(folder: Path) -> tuple[list[Path], int]:
    images, others = [], 0
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]
        found = [Path(parent, name) for name in names if _is_image(name)]
        images += found
        others += sum(not name.startswith(".") for name in names) - len(found)
    key = lambda path: [natural_key(part) for part in path.relative_to(folder).parts]
    return sorted(images, key=key), others


def _is_image(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in EXTENSIONS


def _without_classes(folder: Path, loose: int) -> str:
    if not loose:
        return f"{folder} holds no images: expected one sub-folder a class, with its images in it"
    return (
        f"{folder} holds {counted(loose, 'image')} but no class folders: put the images of "
        f"each class in a folder of its own, such as {folder / 'cats'} and {folder / 'dogs'}"
    )

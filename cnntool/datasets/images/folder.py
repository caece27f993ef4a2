"""A folder of images, one sub-folder a class: what it holds, and all of it as a data set."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnntool.datasets.images.cache import Entry
from cnntool.datasets.images.dataset import FULL, Dataset, Levels, LoadOptions, found_levels
from cnntool.datasets.images.files import (
    Advance,
    Layout,
    Problems,
    choose_layout,
    files_below,
    firsts_alone,
    folders_in,
    headers_of,
    is_image,
    of_each,
    unread,
)
from cnntool.datasets.images.parts import Parts
from cnntool.datasets.images.preprocessing import picture_planes
from cnntool.datasets.memory import check_fits
from cnntool.errors import InputError
from cnntool.files.atomic import is_device
from cnntool.files.formats import READABLE
from cnntool.files.images import open_image
from cnntool.wording import counted, joined, left_out

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


def find_parts(folder: Path) -> tuple[dict[str, ClassFolders], str]:
    """Those of ``train``, ``validation`` and ``test`` that are there.

    A folder with ``train/`` beside ``val/`` or ``test/``, or with such folders alone, has parts in
    them; any other folder is one part, ``train``, with a class in every sub-folder. Also a note on
    what lies beside parts, such as a second spelling of one; else "". InputError where there are no
    images, or images without a class.
    """
    folders = sorted(folders_in(folder))
    named = {path.name.lower(): path for path in folders}
    found = {
        part: named[spelling]
        for part, spellings in PART_NAMES.items()
        for spelling in reversed(spellings)  # of several the first one counts
        if spelling in named
    }
    are_parts = bool(found) and all(any(name in s for s in PART_NAMES.values()) for name in named)
    if not are_parts and ("train" not in found or len(found) == 1):
        return {"train": find_classes(folder)}, ""
    parts = {part: find_classes(path, part == "train") for part, path in found.items()}
    beside = [f"{path.name}/" for path in folders if path not in found.values()]
    if loose := _loose(folder):
        beside.append(counted(loose, "image"))
    taken = joined([f"{path.name}/" for path in found.values()])
    note = f"{folder}: {joined(beside)} left out, beside {taken}"
    return parts, note if beside else ""


def find_classes(folder: Path, is_learned: bool = True) -> ClassFolders:
    """One class for each sub-folder, with the images in it and below it.

    Hidden files and folders do not count; files whose extension is none of an image's, and pipes
    and the like, are left out and counted in the notes. InputError for a folder without class
    folders, and for a class without images where a network learns it; elsewhere it is noted.
    """
    classes = folders_in(folder)
    loose = _loose(folder)
    if not classes:
        raise InputError(_without_classes(folder, loose))
    others: Counter[str] = Counter()
    images: dict[Path, list[Path]] = {path: [] for path in classes}
    for path in classes:
        for file in files_below(path):
            if not is_image(file.name):
                others["of other kinds"] += 1
            elif is_device(file):
                others["of the kind of pipes and devices"] += 1
            else:
                images[path].append(file)
    empty = [path for path in classes if not images[path]]
    if empty and (is_learned or len(empty) == len(classes)):
        raise InputError(
            f"{empty[0]} holds no images ({READABLE}), and every folder in {folder} is taken for a "
            "class: put its images there, or name the folder whose sub-folders are classes"
        )
    notes = [f"{path} holds no images: left out" for path in empty]
    notes += left_out(str(folder), loose, "image", "outside the class folders")
    for kind, count in others.items():
        notes += left_out(str(folder), count, "file", kind)
    filled = [path for path in classes if images[path]]
    y = np.repeat(np.arange(len(filled), dtype=np.int64), [len(images[path]) for path in filled])
    files = tuple(file for path in filled for file in images[path])
    return ClassFolders(folder, tuple(path.name for path in filled), files, y, tuple(notes))


def _loose(folder: Path) -> int:
    """How many images lie in a folder that holds folders."""
    return sum(is_image(entry.name) for entry in os.scandir(folder) if entry.is_file())


def _without_classes(folder: Path, loose: int) -> str:
    if not loose:
        return f"{folder} holds no images: expected one sub-folder a class, with its images in it"
    return (
        f"{folder} holds {counted(loose, 'image')} but no class folders: put the images of "
        f"each class in a folder of its own, such as {folder / 'cats'} and {folder / 'dogs'}"
    )


DEEP = 65535.0


def load_image_folder(folder: Path, options: LoadOptions, advance: Advance | None = None) -> Parts:
    """Every image of the class folders (see :func:`find_parts`), read by all cores.

    Pixels are uint8; where an image is deeper than 8 bits, all are float32 from 0 to 1. Images are
    resized to ``options.resize``, or must have one size. An image that cannot be read is left out
    and named in the notes, or an error with ``options.strict``. The result is kept in the user's
    cache folder until a file or an option changes, unless ``options.cache`` is off.

    InputError for folders without classes or images, for sizes that differ, and for what would not
    fit into memory.
    """
    listings, beside = find_parts(folder)
    files = {part: listing.files for part, listing in listings.items()}
    entry = Entry.of(files, options) if options.cache else None
    known = entry.read() if entry is not None else None
    pixels, problems, first = known or _read_all(folder, listings, options, advance)
    levels, note = _levels(folder, pixels, options.levels)
    parts = {
        part: _dataset(listing, pixels[part], problems, part == "train", levels)
        for part, listing in listings.items()
    }
    if entry is not None and known is None:
        entry.write(pixels, problems, first)
    return Parts(**parts, about=filter(None, (beside, first, note)))


def _levels(
    folder: Path, pixels: dict[str, np.ndarray], expected: Levels | None
) -> tuple[Levels, str]:
    """Black and white in units of the white that the files name, and a note where those differ, as
    of pictures of 12 bits in 16."""
    if any(x.dtype == np.uint8 for x in pixels.values()):
        return FULL, ""
    low, high = (DEEP * float(f([f(x) for x in pixels.values()])) for f in (np.min, np.max))
    (black, white), note = found_levels(low, high, DEEP, expected, str(folder))
    return (black / DEEP, white / DEEP), note


def _read_all(
    folder: Path, listings: dict[str, ClassFolders], options: LoadOptions, advance: Advance | None
) -> tuple[dict[str, np.ndarray], Problems, str]:
    """The pixels of all sound files of each part, what is wrong with the others, and what to say of
    those that hold several pictures."""
    files = [path for listing in listings.values() for path in listing.files]
    problems: Problems = {}
    infos = headers_of(files, problems)
    if options.strict and problems:
        raise _refused(_reasons(files, problems))
    if not infos:
        raise _none_readable(folder, _reasons(files, problems))
    layout = choose_layout(infos, options)
    shape = layout.channels, *layout.size
    check_fits(str(folder), len(files), shape, np.dtype(layout.dtype).itemsize)
    x: np.ndarray = np.empty((len(files), *shape), layout.dtype)
    read = lambda i: np.copyto(x[i], _planes(files[i], layout))
    of_each(files, problems, read, advance)
    if options.strict and problems:
        raise _refused(_reasons(files, problems))
    is_sound = np.array([path not in problems for path in files])
    ends = np.cumsum([len(listing.files) for listing in listings.values()])[:-1]
    parts = zip(listings, np.split(x, ends), np.split(is_sound, ends), strict=True)
    pixels = {part: x if sound.all() else x[sound] for part, x, sound in parts}
    return pixels, problems, firsts_alone(str(folder), infos.values())


def _dataset(
    listing: ClassFolders, x: np.ndarray, problems: Problems, is_learned: bool, levels: Levels
) -> Dataset:
    """A part, of whose files those with problems are left out."""
    is_sound = np.array([path not in problems for path in listing.files])
    y, name, count = listing.y[is_sound], str(listing.folder), len(listing.files)
    notes = (*listing.notes, *unread(name, _reasons(listing.files, problems), count, "image"))
    counts = np.bincount(y, minlength=len(listing.labels))
    if not counts.all() and (is_learned or not counts.any()):
        label = int(np.argmin(counts))
        own = [path for path, k in zip(listing.files, listing.y, strict=True) if k == label]
        raise _none_readable(listing.folder / listing.labels[label], _reasons(own, problems))
    files = tuple(str(path) for path in listing.files if path not in problems)
    unit = 255.0 if x.dtype == np.uint8 else 1.0
    black, white = (unit * each for each in levels)
    return Dataset(x, y, listing.labels, name, white, notes, files, black, unit)


def _planes(path: Path, layout: Layout) -> np.ndarray:
    image = open_image(path, gray=layout.channels == 1)
    size = layout.size if layout.resized else None
    try:
        planes = picture_planes(image, layout.channels, size, layout.dtype)
    except InputError as error:
        raise InputError(str(error).replace("the image", str(path), 1)) from None
    if planes.shape[1:] != layout.size:
        raise InputError(f"{path} is not of the size that its header says")
    return planes


def _reasons(files: Sequence[Path], problems: Problems) -> list[str]:
    return [problems[path] for path in files if path in problems]


def _refused(reasons: list[str]) -> InputError:
    more = f" (and {len(reasons) - 1:,} more cannot be read)" if len(reasons) > 1 else ""
    return InputError(f"{reasons[0]}{more}")


def _none_readable(folder: Path, reasons: list[str]) -> InputError:
    first = "its only one" if len(reasons) == 1 else f"the first of {len(reasons):,}"
    return InputError(
        f"{folder} holds no image that can be read, replace them with sound ones; {first}: "
        f"{reasons[0]}"
    )

"""A folder of images, one sub-folder a class: what it holds, and all of it as a data set."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnntool.datasets.images.cache import cached_parts, keep_parts
from cnntool.datasets.images.dataset import Dataset, LoadOptions
from cnntool.datasets.images.parts import Parts, joined
from cnntool.datasets.images.preprocessing import COLOURS, picture_planes
from cnntool.datasets.memory import check_fits
from cnntool.engine.fast.threads import available_cores, parallel_for
from cnntool.errors import InputError
from cnntool.files.formats import EXTENSIONS, READABLE
from cnntool.files.image import ImageInfo
from cnntool.files.images import open_image, probe_image
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


Advance = Callable[[int, int], None]
"""Called with the number of images read so far, and of all."""

SHALLOW = ("1-bit", "8-bit")


@dataclass(frozen=True)
class Layout:
    """What all images become: (channels, *size) of one dtype, uint8 or float32."""

    channels: int
    size: tuple[int, int]
    dtype: type
    resized: bool


def load_image_folder(folder: Path, options: LoadOptions, advance: Advance | None = None) -> Parts:
    """Every image of the class folders (see :func:`find_parts`), read by all cores.

    Pixels are uint8; where an image is deeper than 8 bits, all are float32 from 0 to 1. Images are
    resized to ``options.resize``, or must have one size. An image that cannot be read is left out
    and named in the notes, or an error with ``options.strict``. The result is kept in the user's
    cache folder until a file or an option changes, unless ``options.cache`` is off.

    InputError for folders without classes or images, for sizes that differ, and for what would not
    fit into memory.
    """
    listings = find_parts(folder)
    files = {part: listing.files for part, listing in listings.items()}
    kept = cached_parts(folder, files, options) if options.cache else None
    if kept is not None:
        return kept
    problems: dict[Path, str] = {}
    infos = _probe(listings, problems)
    if options.strict and problems:
        raise _refused(listings, problems)
    if not infos:
        raise _none_readable(
            folder, [r for each in listings.values() for r in _bad(each, problems)]
        )
    layout = _choose_layout(folder, infos, options)
    total = sum(len(listing.files) for listing in listings.values())
    check_fits(str(folder), total, (layout.channels, *layout.size), np.dtype(layout.dtype).itemsize)
    counter = _Counter(total, advance)
    parts = {
        name: _read(listing, infos, layout, options, problems, counter)
        for name, listing in listings.items()
    }
    result = joined(**parts)
    if options.cache:
        keep_parts(folder, files, options, result)
    return result


def _probe(listings: dict[str, ClassFolders], problems: dict[Path, str]) -> dict[Path, ImageInfo]:
    """The headers of all images that have sound ones, in the order of the files."""
    files = [path for listing in listings.values() for path in listing.files]
    infos: list[ImageInfo | None] = [None] * len(files)

    def probe(index: int) -> None:
        try:
            infos[index] = probe_image(files[index])
        except InputError as error:
            problems[files[index]] = str(error)

    parallel_for(range(len(files)), lambda: probe, available_cores())
    return {path: info for path, info in zip(files, infos, strict=True) if info is not None}


def _choose_layout(folder: Path, infos: dict[Path, ImageInfo], options: LoadOptions) -> Layout:
    if options.colour == "auto":
        channels = 1 if all(info.channels == 1 for info in infos.values()) else 3
    else:
        channels = COLOURS[options.colour]
    shallow = all(info.depth in SHALLOW for info in infos.values())
    dtype = np.uint8 if shallow else np.float32
    if options.resize:
        return Layout(channels, options.resize, dtype, True)
    first = next(iter(infos))
    size = infos[first].height, infos[first].width
    for path, info in infos.items():
        if (info.height, info.width) != size:
            raise InputError(
                f"{first} is {size[0]}x{size[1]}, {path} is {info.height}x{info.width} (height x "
                f"width): all images need one size, add --resize {size[0]}x{size[1]}"
            )
    return Layout(channels, size, dtype, False)


class _Counter:
    """How many images are done, told to whoever wants to know."""

    def __init__(self, total: int, advance: Advance | None) -> None:
        self.total, self.advance, self.done = total, advance, 0
        self.lock = threading.Lock()

    def __call__(self) -> None:
        with self.lock:
            self.done += 1
            if self.advance is not None:
                self.advance(self.done, self.total)


def _read(
    listing: ClassFolders,
    infos: dict[Path, ImageInfo],
    layout: Layout,
    options: LoadOptions,
    problems: dict[Path, str],
    counter: _Counter,
) -> Dataset:
    shape = len(listing.files), layout.channels, *layout.size
    x: np.ndarray = np.empty(shape, layout.dtype)

    def read(index: int) -> None:
        path = listing.files[index]
        if path in infos:
            try:
                x[index] = _planes(path, layout)
            except InputError as error:
                problems[path] = str(error)
        counter()

    parallel_for(range(len(listing.files)), lambda: read, available_cores())
    bad = np.array([path in problems for path in listing.files])
    notes, y, files = listing.notes, listing.y, listing.files
    if bad.any():
        if options.strict:
            raise _refused({"": listing}, problems)
        x, y = x[~bad], y[~bad]
        files = tuple(path for path in files if path not in problems)
        notes += _left_out(listing, problems)
    _check_filled(listing, y, problems)
    white = 255.0 if layout.dtype == np.uint8 else 1.0
    names = tuple(map(str, files))
    return Dataset(x, y, listing.labels, str(listing.folder), white, notes, names)


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


def _bad(listing: ClassFolders, problems: dict[Path, str]) -> list[str]:
    return [problems[path] for path in listing.files if path in problems]


def _left_out(listing: ClassFolders, problems: dict[Path, str]) -> tuple[str, ...]:
    reasons = _bad(listing, problems)
    count = f"{len(reasons):,} of {counted(len(listing.files), 'image')}"
    verb = "is" if len(reasons) == 1 else "are"
    return (f"{listing.folder}: {count} cannot be read and {verb} left out", *reasons)


def _refused(listings: dict[str, ClassFolders], problems: dict[Path, str]) -> InputError:
    reasons = [r for listing in listings.values() for r in _bad(listing, problems)]
    more = f" (and {len(reasons) - 1:,} more cannot be read)" if len(reasons) > 1 else ""
    return InputError(f"{reasons[0]}{more}")


def _check_filled(listing: ClassFolders, y: np.ndarray, problems: dict[Path, str]) -> None:
    counts = np.bincount(y, minlength=len(listing.labels))
    if not counts.all():
        label = int(np.argmin(counts))
        files = [path for path, each in zip(listing.files, listing.y, strict=True) if each == label]
        raise _none_readable(
            listing.folder / listing.labels[label], [problems[path] for path in files]
        )


def _none_readable(folder: Path, reasons: list[str]) -> InputError:
    first = "its only one" if len(reasons) == 1 else f"the first of {len(reasons):,}"
    return InputError(
        f"{folder} holds no image that can be read, replace them with sound ones; {first}: "
        f"{reasons[0]}"
    )

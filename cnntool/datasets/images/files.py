"""Files of pictures: what lies in folders, and many read by all cores into one size and colour."""

from __future__ import annotations

import itertools
import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cnntool.datasets.images.dataset import LoadOptions
from cnntool.datasets.images.preprocessing import COLOURS, picture_planes
from cnntool.datasets.memory import check_fits
from cnntool.engine.fast.threads import available_cores, parallel_for
from cnntool.errors import InputError
from cnntool.files.atomic import is_device
from cnntool.files.formats import EXTENSIONS
from cnntool.files.image import ImageInfo
from cnntool.files.images import open_image, probe_image
from cnntool.wording import counted


def natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """What to sort names by so that 'img10' comes after 'img9', whatever the case."""
    pieces = re.split(r"(\d+)", name)
    key = [(0, int(p), "") if p.isdecimal() else (1, 0, p.casefold()) for p in pieces if p]
    return key, name  # names that differ in case or zeros only keep one order too


def listing(folder: Path) -> list[Path]:
    """What lies in a folder and is not hidden, sorted as people do."""
    found = [path for path in folder.iterdir() if not path.name.startswith((".", "__"))]
    return sorted(found, key=lambda path: natural_key(path.name))


def folders_in(folder: Path) -> list[Path]:
    return [path for path in listing(folder) if path.is_dir()]


def files_below(folder: Path) -> list[Path]:
    """The files in a folder and below it, sorted as people do, without hidden ones."""
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]
        found += [Path(parent, name) for name in names if not name.startswith(".")]
    return sorted(found, key=lambda path: [natural_key(p) for p in path.relative_to(folder).parts])


def pictures_below(folder: Path) -> list[Path]:
    return [path for path in files_below(folder) if is_image(path.name)]


def is_image(name: str) -> bool:
    """Whether a file of this name is taken for an image, not being hidden."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in EXTENSIONS


Advance = Callable[[int, int], None]
"""Called with the number of images read so far, and of all."""

Problems = dict[Path, str]
"""What is wrong with each file that cannot be read."""

SHALLOW = ("1-bit", "8-bit")
USUAL_SIDE = 64
"""Pixels a side of images that a small network takes, where photographs have more."""


@dataclass(frozen=True)
class Layout:
    """What all images become: (channels, *size) of one dtype, uint8 or float32."""

    channels: int
    size: tuple[int, int]
    dtype: type
    resized: bool


def headers_of(files: Sequence[Path], problems: Problems) -> dict[Path, ImageInfo]:
    """Those of the files that have sound ones, in their order."""
    headers: dict[Path, ImageInfo] = {}
    of_each(files, problems, lambda i: headers.update({files[i]: probe_image(files[i])}))
    return {path: headers[path] for path in files if path in headers}


def read_pictures(
    name: str,
    files: Sequence[Path],
    options: LoadOptions,
    advance: Advance | None = None,
    are_videos: bool = False,
) -> tuple[dict[Path, np.ndarray], Problems, str]:
    """The pixels of all files that can be read, (frames, C, H, W) uint8 each, what is wrong with
    the others, and a note. Of an animation the first frame, which is noted, or of videos all.

    InputError where none can be read, where sizes differ and are not to be changed, and where they
    would not fit into memory.
    """
    problems = {path: f"{path} is no regular file" for path in files if is_device(path)}
    infos = headers_of(files, problems)
    if not infos:
        first = problems[files[0]]
        raise InputError(f"{name} holds no picture that can be read; the first: {first}")
    layout = choose_layout(infos, options)
    frames = sum(info.frames if are_videos else 1 for info in infos.values())
    check_fits(name, frames, (layout.channels, *layout.size), 1)
    found: dict[Path, np.ndarray] = {}

    def read(index: int) -> None:
        image = open_image(files[index], gray=layout.channels == 1)
        shown = image.frames if are_videos else image.frames[:1]
        alone = (replace(image, frames=(frame,)) for frame in shown)
        planes = [picture_planes(each, layout.channels, layout.size) for each in alone]
        found[files[index]] = np.stack(planes)

    of_each(files, problems, read, advance)
    return found, problems, "" if are_videos else firsts_alone(name, infos.values())


def unread(name: str, reasons: Sequence[str], count: int, noun: str) -> tuple[str, ...]:
    """Notes on what cannot be read, of so many: how many, and why each."""
    verb = "is" if len(reasons) == 1 else "are"
    said = f"{name}: {len(reasons):,} of {counted(count, noun)} cannot be read and {verb} left out"
    return (said, *reasons) if reasons else ()


def firsts_alone(name: str, infos: Collection[ImageInfo]) -> str:
    """What to say of images of which some hold several pictures, else ""."""
    several = sum(info.frames > 1 for info in infos)
    have = "has" if several == 1 else "have"
    which = f"{several:,} of {counted(len(infos), 'image')} {have} several frames or pages"
    return f"{name}: {which}: the first one is taken" if several else ""


def of_each(
    files: Sequence[Path],
    problems: Problems,
    work: Callable[[int], None],
    advance: Advance | None = None,
) -> None:
    """Work for the index of each file without problems so far, by all cores; an InputError becomes
    its problem."""
    lock, done = threading.Lock(), itertools.count(1)

    def attempt(index: int) -> None:
        try:
            if files[index] not in problems:
                work(index)
        except InputError as error:
            problems[files[index]] = str(error)
        with lock:
            if advance is not None:
                advance(next(done), len(files))

    parallel_for(range(len(files)), lambda: attempt, available_cores())


def choose_layout(infos: dict[Path, ImageInfo], options: LoadOptions) -> Layout:
    """What images of these headers all become; InputError where they differ in size."""
    if options.colour == "auto":
        channels = 1 if all(info.channels == 1 for info in infos.values()) else 3
    else:
        channels = COLOURS[options.colour]
    shallow = all(info.depth in SHALLOW for info in infos.values())
    dtype = np.uint8 if shallow else np.float32
    if options.resize:
        return Layout(channels, options.resize, dtype, True)
    firsts: dict[tuple[int, int], Path] = {}
    for path, info in infos.items():
        firsts.setdefault((info.height, info.width), path)
    if len(firsts) > 1:
        one, other = (f"{path} is {h}x{w}" for (h, w), path in list(firsts.items())[:2])
        sizes = Counter((info.height, info.width) for info in infos.values())
        usual = sizes.most_common(1)[0][0]
        height, width = usual if max(usual) <= USUAL_SIDE else (USUAL_SIDE, USUAL_SIDE)
        raise InputError(
            f"{one}, {other} (height x width): all images need one size, add --resize "
            f"{height}x{width}"
        )
    return Layout(channels, next(iter(firsts)), dtype, False)

"""Pictures and animations for sequences: found in a folder, all read to one size and colour."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cnntool.datasets.images.dataset import LoadOptions
from cnntool.datasets.images.folder import (
    choose_layout,
    firsts_alone,
    is_image,
    natural_key,
    of_each,
)
from cnntool.datasets.images.preprocessing import picture_planes
from cnntool.datasets.memory import check_fits
from cnntool.datasets.sequences.samples import ReadOptions
from cnntool.datasets.texts.text import Advance
from cnntool.errors import InputError
from cnntool.files.atomic import is_device
from cnntool.files.image import ImageInfo
from cnntool.files.images import open_image, probe_image
from cnntool.wording import counted

MOST_NAMED = 5


def pictures_below(folder: Path) -> list[Path]:
    """The pictures in a folder and below it, sorted as people do, without hidden ones."""
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]
        found += [Path(parent, name) for name in names if is_image(name)]
    return sorted(found, key=lambda path: [natural_key(p) for p in path.relative_to(folder).parts])


def read_pictures(
    name: str,
    files: Sequence[Path],
    how: ReadOptions,
    advance: Advance | None = None,
    are_videos: bool = False,
) -> tuple[dict[Path, np.ndarray], dict[Path, str], str]:
    """The pixels of all files that can be read, (frames, C, H, W) uint8 each, what is wrong with
    the others, and a note. Of an animation the first frame, which is noted, or of videos all.

    InputError where none can be read, where sizes differ and are not to be changed, and where they
    would not fit into memory.
    """
    problems = {path: f"{path} is no regular file" for path in files if is_device(path)}
    headers: dict[Path, ImageInfo] = {}
    of_each(files, problems, lambda i: headers.update({files[i]: probe_image(files[i])}))
    infos = {path: headers[path] for path in files if path in headers}  # in their order
    if not infos:
        first = problems[files[0]]
        raise InputError(f"{name} holds no picture that can be read; the first: {first}")
    layout = choose_layout(infos, LoadOptions(how.resize, how.colour))
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


def unread_notes(name: str, problems: Iterable[str], count: int, noun: str) -> tuple[str, ...]:
    """Lines on what cannot be read, of so many."""
    reasons = list(problems)
    if not reasons:
        return ()
    verb = "is" if len(reasons) == 1 else "are"
    said = f"{name}: {len(reasons):,} of {counted(count, noun)} cannot be read and {verb} left out"
    return (said, *reasons[:MOST_NAMED])

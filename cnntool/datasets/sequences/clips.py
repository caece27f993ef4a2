"""Videos with a label a frame: folders of frames, or animated pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cnntool.datasets.images.files import (
    is_image,
    listing,
    natural_key,
    read_pictures,
    unread,
)
from cnntool.datasets.sequences.material import Material, of_folders
from cnntool.datasets.sequences.samples import MOST_NAMED, Sample, Samples
from cnntool.datasets.sequences.tables import read_delimited
from cnntool.errors import InputError
from cnntool.wording import counted, listed, shortened, span

LABELS = "labels.csv"
COLUMNS = ("clip", "frame", "label")


@dataclass(frozen=True)
class Clip:
    """name: of the folder, or of the animation without its extension. files: the frames in order,
    or the animation alone."""

    name: str
    path: Path
    files: Sequence[Path]

    @property
    def is_animation(self) -> bool:
        return self.files[0] == self.path


@dataclass
class Labels:
    """Those of one clip. place: where they begin. frames: the frame of each, where it is said."""

    place: str
    labels: list[str] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)


def are_clips(folder: Path) -> bool:
    clips, named = find_clips(folder), (folder / LABELS).is_file()
    return bool(clips) and (named or any(_text_of(clip) for clip in clips))


def read_clips(material: Material, folder: Path) -> Samples:
    """Clips of one size, (T, C, H, W) uint8 each, in natural order.

    Labels stand in labels.csv, in rows of clip, frame and label or of a clip and the labels of all
    its frames; or in a .txt of the clip's name, a label a line. InputError for a clip with more or
    fewer labels than frames; clips without labels, and labels without clips, are left out and said.
    """
    clips = find_clips(folder)
    if not clips:
        raise InputError(
            f"{folder} holds no clips: expected a sub-folder of frames or an animated picture each"
        )
    told = _told(material, folder, clips)
    labelled = [clip for clip in clips if clip.name in told]
    if not labelled:
        raise InputError(
            f"{folder} has labels of none of its clips ({listed([c.name for c in clips], 5)}): "
            f"write them in {LABELS}, or in {clips[0].name}.txt, a label a line"
        )
    files = [path for clip in labelled for path in clip.files]
    how, advance, name = material.how.pictures, material.advance, str(folder)
    found, problems, _ = read_pictures(name, files, how, advance, are_videos=True)
    samples, wrong = [], []
    for clip in labelled:
        if faults := [problems[path] for path in clip.files if path in problems]:
            wrong.append(faults[0])
            continue
        frames = np.concatenate([found[path] for path in clip.files])
        labels = _in_order(told[clip.name], clip, len(frames))
        samples.append(Sample(frames, labels, str(clip.path)))
    notes = [*unread(name, wrong, len(labelled), "clip")[: 1 + MOST_NAMED]]
    names = [clip.name for clip in clips]
    if lost := [each for each in told if each not in names]:
        what = counted(len(lost), "clip")
        verb = "is" if len(lost) == 1 else "are"
        which = listed(lost, MOST_NAMED)
        notes.append(f"{name}: labels of {what} that {verb} not there left out ({which})")
    if untold := [each for each in names if each not in told]:
        what = f"{counted(len(untold), 'clip')} without labels left out"
        notes.append(f"{name}: {what} ({listed(untold, MOST_NAMED)})")
    return Samples.of(name, "frames", samples, "clips with a label a frame", notes)


def find_clips(folder: Path) -> list[Clip]:
    """The sub-folders of pictures, and the pictures beside them, in natural order."""
    clips = []
    for path in listing(folder):
        if path.is_dir():
            files = [each for each in path.iterdir() if is_image(each.name)]
            files.sort(key=lambda each: natural_key(each.name))
            clips += [Clip(path.name, path, files)] * bool(files)
        elif is_image(path.name):
            clips.append(Clip(path.stem, path, [path]))
    return clips


def _text_of(clip: Clip) -> Path | None:
    """The .txt of a clip: beside it, or in its folder."""
    within = [] if clip.is_animation else [clip.path / f"{clip.name}.txt", clip.path / "labels.txt"]
    beside = clip.path.parent / f"{clip.name}.txt"
    return next((path for path in (beside, *within) if path.is_file()), None)


def _told(material: Material, folder: Path, clips: Sequence[Clip]) -> dict[str, Labels]:
    """The labels of each clip that there are any of."""
    if (path := folder / LABELS).is_file():
        return _of_table(material, path)
    told = {}
    for clip in clips:
        if text := _text_of(clip):
            lines = [line.strip() for line in material.read(str(text), lambda *_: None).lines]
            while lines and not lines[-1]:
                lines.pop()
            if "" in lines:
                raise InputError(f"{text}:{lines.index('') + 1} is empty: expected a label a line")
            told[clip.name] = Labels(str(text), lines)
    return told


def _of_table(material: Material, path: Path) -> dict[str, Labels]:
    """The rows of labels.csv: by clip, frame and label, or a clip and all its labels."""
    document = material.read(str(path), lambda *_: None)
    told: dict[str, Labels] = {}
    if {"frame", "label"} & {
        each.strip().casefold() for each in re.split(r"[,;\t]", document.first_line)
    }:
        table = read_delimited(document, COLUMNS, COLUMNS)
        columns = [table.find(name, (name,), "") for name in COLUMNS]
        clips, frames, labels = (table.texts(column) for column in columns if column is not None)
        for clip, frame, label, place in zip(clips, frames, labels, table.places, strict=True):
            one = told.setdefault(_plain(clip), Labels(place))
            if frame in one.frames:
                raise InputError(f"{place}: frame {frame} of {clip} is told twice")
            one.frames.append(frame)
            one.labels.append(label)
        return told
    for place, line in document.filled():
        clip, *rest = (each.strip().strip('"') for each in re.split(r"[,;\t]", line))
        while rest and not rest[-1]:  # as spreadsheets fill rows up
            rest.pop()
        if not rest or "" in rest or _plain(clip) in told:
            fault = "is told twice" if _plain(clip) in told else "has a frame without a label"
            raise InputError(
                f"{place}: {shortened(clip, 40)} {fault}: expected a clip and a label a frame, or "
                f"the columns {', '.join(COLUMNS)}"
            )
        told[_plain(clip)] = Labels(place, rest)
    return told


def _plain(clip: str) -> str:
    """The name of a clip without the slash or the extension that it may have been written with."""
    clip = clip.rstrip("/")
    return Path(clip).stem if is_image(clip) else clip


def _in_order(told: Labels, clip: Clip, count: int) -> tuple[str, ...]:
    """A label a frame, in the order of the frames."""
    if len(told.labels) != count:
        raise InputError(
            f"{told.place}: {clip.path} has {counted(count, 'frame')} and "
            f"{counted(len(told.labels), 'label')}: each frame needs one"
        )
    if not told.frames:
        return tuple(told.labels)
    places: dict[str, int] = {}
    if not clip.is_animation:
        places = {name: i for i, path in enumerate(clip.files) for name in (path.name, path.stem)}
    if all(frame.isdecimal() for frame in told.frames) and not set(told.frames) <= set(places):
        numbers = sorted(map(int, told.frames))
        if numbers not in (list(range(count)), list(range(1, count + 1))):
            raise InputError(
                f"{told.place}: the frames of {clip.path} are numbered {numbers[0]} to "
                f"{numbers[-1]}, expected {span(0, count - 1)} or {span(1, count)}, each once"
            )
        places = {frame: int(frame) - numbers[0] for frame in told.frames}
    strange = [frame for frame in told.frames if frame not in places]
    if strange:
        raise InputError(
            f"{told.place}: {clip.path} has no frame {shortened(strange[0], 40)!r}: expected the "
            "number or the name of one"
        )
    order = [places[frame] for frame in told.frames]
    if len(set(order)) < count:
        raise InputError(f"{told.place}: a frame of {clip.path} is told twice, and another never")
    labels = dict(zip(order, told.labels, strict=True))
    return tuple(labels[place] for place in range(count))


FORMATS = {"clips": of_folders(are_clips, read_clips, "name the one with the clips in it")}

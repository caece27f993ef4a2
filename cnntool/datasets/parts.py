"""The parts that a set comes in, and what they must have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cnntool.datasets.dataset import Dataset, shape_text
from cnntool.errors import InputError


@dataclass(frozen=True, eq=False)
class Parts:
    """A set as it comes: what to train on, and what its makers held out, if they did.

    All parts have the labels, the shape of image and the white of ``train``.
    """

    train: Dataset
    validation: Dataset | None = None
    test: Dataset | None = None

    @property
    def each(self) -> dict[str, Dataset]:
        """The parts there are, by name: train, validation, test."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: part for name, part in named.items() if part is not None}

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes of every part."""
        return tuple(note for part in self.each.values() for note in part.notes)

    def map(self, change: Callable[[Dataset], Dataset]) -> Parts:
        """The same change made to every part."""
        return replace(self, **{name: change(part) for name, part in self.each.items()})


def joined(train: Dataset, validation: Dataset | None = None, test: Dataset | None = None) -> Parts:
    """Parts that fit together: classes of the others are matched to those of ``train`` by name.

    InputError when another part has a class that train has not, another shape of image or another
    white. One class is enough here: a trained network may be measured on it; see check_classes.
    """
    others = [None if part is None else matched(part, train) for part in (validation, test)]
    return Parts(train, *others)


def check_classes(data: Dataset) -> None:
    """InputError for a set without two classes that have images: there is nothing to tell apart."""
    filled = np.flatnonzero(data.class_counts)
    if len(filled) < 2:
        only = f"only the class {data.labels[filled[0]]}" if len(filled) else "no images"
        raise InputError(f"{data.name} has {only}: a network learns to tell two or more apart")


def matched(data: Dataset, train: Dataset) -> Dataset:
    """``data`` with the labels of ``train``, its classes renumbered by their names.

    InputError where a class, the shape of image or white are none of train's.
    """
    data = relabelled(data, train.labels, train.name)
    if data.image_shape != train.image_shape:
        raise InputError(
            f"{data.name} has images of {shape_text(data.image_shape)}, {train.name} of "
            f"{shape_text(train.image_shape)}: --resize and --colour make them alike"
        )
    if data.white != train.white:
        raise InputError(
            f"white is {data.white:g} in {data.name} and {train.white:g} in {train.name}: "
            "scale them alike"
        )
    return data


def relabelled(data: Dataset, labels: tuple[str, ...], owner: str) -> Dataset:
    """``data`` with its classes numbered as in ``labels``, those of ``owner`` (for the message).

    InputError naming a class that has images and is not among ``labels``.
    """
    if data.labels == labels:
        return data
    places = {label: index for index, label in enumerate(labels)}
    numbers = np.array([places.get(label, -1) for label in data.labels], np.int64)
    strange = np.flatnonzero((numbers < 0) & (data.class_counts > 0))
    if len(strange):
        known = ", ".join(labels[:10]) + (", ..." if len(labels) > 10 else "")
        raise InputError(
            f"{data.name} has the class {data.labels[strange[0]]}, which {owner} has not "
            f"({known}): the classes must have the same names"
        )
    return replace(data, y=numbers[data.y], labels=labels)

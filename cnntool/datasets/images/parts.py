"""The parts that a set comes in, and what they must have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from cnntool.datasets.holding_out import DEFAULT_FRACTION, stratified_split
from cnntool.datasets.images.dataset import Dataset, in_levels
from cnntool.errors import InputError, RequestError
from cnntool.wording import joined, listed, shape_text


class Parts:
    """A set as it comes: what to train on, and what its makers held out, each where it is there.

    each: the parts by name: train, validation, test; classes of the others are matched to those of
        the first by name, and their values to its black and white. about: notes on the whole of it.

    InputError where another part has a class that the first has not, or another shape of image. One
    class is enough here: a trained network may be measured on it; see check_classes.
    """

    def __init__(
        self,
        train: Dataset | None = None,
        validation: Dataset | None = None,
        test: Dataset | None = None,
        about: Iterable[str] = (),
    ) -> None:
        self.about = tuple(about)
        given = {"train": train, "validation": validation, "test": test}
        self.each = {name: part for name, part in given.items() if part is not None}
        self.each = {name: matched(part, self.first) for name, part in self.each.items()}

    @property
    def first(self) -> Dataset:
        """The training part; of a set that has none, what it has."""
        return next(iter(self.each.values()))

    @property
    def train(self) -> Dataset:
        """What to learn from; InputError where the set has no such part."""
        if "train" not in self.each:
            there = joined([f"a {name} part" for name in self.each])
            raise InputError(
                f"{self.first.name} is {there} alone: a network learns from a set with a training "
                "part"
            )
        return self.each["train"]

    @property
    def validation(self) -> Dataset | None:
        return self.each.get("validation")

    @property
    def test(self) -> Dataset | None:
        return self.each.get("test")

    @property
    def notes(self) -> tuple[str, ...]:
        """Those about the whole and those of every part."""
        return (*self.about, *(note for part in self.each.values() for note in part.notes))

    def chosen(self, part: str | None, data: str) -> tuple[str, Dataset]:
        """The images of the part that was asked for, or of the one that says most."""
        there = self.each
        if part is None:
            part = next((name for name in ("test", "validation") if name in there), "all")
        if part in there:
            return part, there[part]
        if part != "all":
            raise RequestError(
                f"{data} has no {part} part: use --part {' or '.join(there)}, or all"
            )
        every = list(there.values())
        if len(every) == 1:  # nothing to copy
            return "all", every[0]
        x, y = (np.concatenate([getattr(each, name) for each in every]) for name in ("x", "y"))
        files = None
        if all(each.files is not None for each in every):
            files = tuple(file for each in every for file in each.files or ())
        notes = tuple(note for each in every for note in each.notes)
        return "all", replace(every[0], x=x, y=y, notes=notes, files=files)

    def alone(self, name: str) -> Dataset:
        """The part of this name, or the first of a set without it, with a note on the others."""
        taken = name if name in self.each else next(iter(self.each))
        chosen, about = self.each[taken], [*self.about]
        if others := [each for each in self.each if each != taken]:
            without = joined(others)
            about.append(f"{chosen.name}: the {taken} part is taken, without {without}")
        return replace(chosen, notes=(*about, *chosen.notes))

    def but(self, **parts: Dataset | None) -> Parts:
        """The same with these parts in the place of its own; without those that are None."""
        return Parts(**{**self.each, **parts}, about=self.about)

    def map(self, change: Callable[[Dataset], Dataset]) -> Parts:
        """The same change made to every part."""
        return self.but(**{name: change(part) for name, part in self.each.items()})


def check_classes(data: Dataset) -> None:
    """InputError for a set without two classes that have images: there is nothing to tell apart."""
    filled = np.flatnonzero(data.class_counts)
    if len(filled) < 2:
        only = f"only the class {data.labels[filled[0]]}" if len(filled) else "no images"
        raise InputError(f"{data.name} has {only}: a network learns to tell two or more apart")


def unlearned(train: Dataset) -> tuple[str, ...]:
    """A note where classes have no image to learn from, such as 0 where numbers begin at 1."""
    empty = np.flatnonzero(train.class_counts == 0)
    if not len(empty):
        return ()
    named = listed([train.labels[k] for k in empty])
    which = f"class {named}, which gets" if len(empty) == 1 else f"classes {named}, which get"
    remedy = "leave out names that no image has"
    if train.labels == tuple(map(str, range(len(train.labels)))):
        first = int(train.y.min())
        remedy = f"number classes from 0 without gaps{f', such as y - {first}' if first else ''}"
    return (f"{train.name}: no image is of {which} an output all the same: {remedy}",)


def matched(data: Dataset, train: Dataset) -> Dataset:
    """``data`` with the labels of ``train``, its classes renumbered by their names.

    Its values get the black and white of train. InputError where a class or the shape of image are
    none of train's.
    """
    data = relabelled(data, train.labels, train.name)
    if data.image_shape != train.image_shape:
        raise InputError(
            f"{data.name} has images of {shape_text(data.image_shape)}, {train.name} of "
            f"{shape_text(train.image_shape)}: --resize and --colour make them alike"
        )
    return in_levels(data, train.levels)


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
        raise InputError(
            f"{data.name} has the class {data.labels[strange[0]]}, which {owner} has not "
            f"({listed(labels)}): the classes must have the same names"
        )
    return replace(data, y=numbers[data.y], labels=labels)


def hold_out(parts: Parts, rng: np.random.Generator, val_split: float | None = None) -> Parts:
    """Parts with a validation part, taken from ``train`` class by class.

    val_split: the fraction to take, 0 for none. None takes a tenth, unless the set has a validation
    part already; a number takes it from train and leaves that part aside. The test part stays as it
    is. RequestError for a fraction that is no fraction, InputError where nothing can be taken.
    """
    if val_split is None:
        if parts.validation is not None:
            return parts
        val_split = DEFAULT_FRACTION
    kept, held = stratified_split(parts.train.y, val_split, rng)
    if not len(held):
        if val_split > 0:
            raise InputError(
                f"{parts.train.name} has one image a class, so none can be held out: "
                "set --val-split 0, or add images"
            )
        return parts.but(validation=None)
    train, validation = parts.train.subset(kept), parts.train.subset(held)
    validation = replace(validation, name=f"{parts.train.name} (held out)", notes=())
    return parts.but(train=train, validation=validation)

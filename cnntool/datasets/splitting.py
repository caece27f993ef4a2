"""Holding out a part of the images to validate on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cnntool.datasets.parts import Parts
from cnntool.errors import InputError, RequestError

DEFAULT_FRACTION = 0.1


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
        return replace(parts, validation=None)
    train, validation = parts.train.subset(kept), parts.train.subset(held)
    validation = replace(validation, name=f"{parts.train.name} (held out)", notes=())
    return replace(parts, train=train, validation=validation)


def stratified_split(
    y: np.ndarray, fraction: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Indices (N - M,) to keep and (M,) to hold out, each in rising order.

    Of every class, ``fraction`` of its images is held out, rounded; of two and more at least one is
    held out and one kept, a single one is kept. y: (N,) classes. RequestError for a fraction that
    is not from 0 up to 1.
    """
    if not 0 <= fraction < 1:
        raise RequestError(
            f"the validation split is {fraction:g}, expected a fraction from 0 to below 1, such as "
            "0.1: set --val-split"
        )
    held = np.zeros(len(y), bool)
    if fraction > 0:
        order = rng.permutation(len(y))
        order = order[np.argsort(y[order], kind="stable")]  # shuffled within each class
        for members in np.split(order, np.flatnonzero(np.diff(y[order])) + 1):
            count = min(max(1, round(fraction * len(members))), len(members) - 1)
            held[members[:count]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)

"""What a training run is asked to do: plain values, kept in the model file; and random numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from cnntool.choices import LEARNING, OPTIMIZERS, rates_of
from cnntool.errors import RequestError
from cnntool.training.optimizers import Optimizer, make_optimizer
from cnntool.training.schedules import parse_schedule

MOST_SHARDS = 256


@dataclass(frozen=True)
class Settings:
    """Everything that decides a run besides data and network; the same settings, the same result.

    ``augment`` and ``schedule`` are texts, as in :mod:`cnntool.datasets.images.augmentation` and
    :mod:`cnntool.training.schedules`. ``clip`` is the most that the gradient's norm may be, 0 for
    no limit; ``patience`` how many epochs the validation loss may not improve, 0 for no limit.
    ``shards`` are the parts of a batch that processes of their own learn from
    (:mod:`cnntool.training.shards`).
    """

    epochs: int = 10
    batch_size: int = 64
    optimizer: str = "adam"
    learning_rate: float = OPTIMIZERS["adam"].learning_rate
    momentum: float = 0.9
    weight_decay: float = 0.0
    clip: float = 0.0
    schedule: str = "cosine"
    label_smoothing: float = 0.0
    augment: str = ""
    patience: int = 0
    seed: int = 0
    shards: int = 1

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch_size", 1), ("patience", 0), ("seed", 0)):
            if getattr(self, name) < least:
                raise RequestError(
                    f"{name.replace('_', ' ')} is {getattr(self, name)}, expected at least {least}"
                )
        if not 1 <= self.shards <= MOST_SHARDS:
            raise RequestError(f"{self.shards} processes: expected 1 to {MOST_SHARDS}")
        if not 0 <= self.label_smoothing < 1:
            raise RequestError(
                f"label smoothing is {self.label_smoothing:g}, expected from 0 to below 1"
            )

    def build_optimizer(self) -> Optimizer:
        """RequestError where its rates are out of range."""
        has_momentum = OPTIMIZERS[self.optimizer].momentum is not None
        return make_optimizer(
            self.optimizer,
            self.learning_rate,
            momentum=self.momentum if has_momentum else None,
            weight_decay=self.weight_decay,
            clip=self.clip or None,
        )

    def gentler_decay(self, task: str) -> float | None:
        """A weight decay to try where this one takes all of a parameter in a step, or more, also at
        the usual learning rate; None where it does not."""
        usual = rates_of(task, self.optimizer)
        if min(self.learning_rate, usual.learning_rate) * self.weight_decay < 1:
            return None
        return usual.weight_decay

    def smaller_rate(self, task: str) -> float:
        """A learning rate to try where this one is too high: the task's own if that is well below
        it, else a tenth."""
        usual = rates_of(task, self.optimizer).learning_rate
        tenth = float(f"{self.learning_rate / 10:.3g}")
        return usual if usual < self.learning_rate / 2 else tenth

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Settings:
        """The settings of these values; RequestError for other names or types."""
        known = {field.name: type(field.default) for field in fields(cls)}
        for name, value in plain.items():
            kind = known.get(name)
            fits = isinstance(value, kind) if kind else False
            if not fits and not (kind is float and isinstance(value, int)):
                raise RequestError(f"training setting {name} = {value!r} is none of this version")
        return cls(**plain)


def settings_from(asked: Mapping[str, Any], task: str) -> Settings:
    """Those that were asked for, by name, where they are not None; else what the task takes for
    granted, with the optimizer (:mod:`cnntool.choices`). RequestError for what makes no sense."""
    names = [each.name for each in fields(Settings)]
    given = {name: asked[name] for name in names if asked.get(name) is not None}
    given = LEARNING[task] | given
    name = given["optimizer"]
    rates = rates_of(task, name)
    if "momentum" in given and rates.momentum is None:
        raise RequestError(
            f"{name} has no momentum: leave out --momentum, or take --optimizer momentum or "
            "nesterov"
        )
    usual = rates._asdict() | {"momentum": rates.momentum or 0.0}
    settings = Settings(**(usual | given))
    settings = replace(settings, schedule=str(parse_schedule(settings.schedule)))
    settings.build_optimizer()
    return settings


PURPOSES = ("split", "start", "order", "batches")


class Streams:
    """Generators by purpose, all from one seed; their states can be kept and set again."""

    def __init__(self, seed: int) -> None:
        children = np.random.SeedSequence(seed).spawn(len(PURPOSES))
        self._generators = {
            purpose: np.random.Generator(np.random.PCG64(child))
            for purpose, child in zip(PURPOSES, children, strict=True)
        }

    def __getitem__(self, purpose: str) -> np.random.Generator:
        return self._generators[purpose]

    def to_json(self) -> dict[str, Any]:
        """The states of all, as plain numbers and texts."""
        return {name: rng.bit_generator.state for name, rng in self._generators.items()}

    def restore(self, plain: dict[str, Any]) -> None:
        """Set the states that :meth:`to_json` gave; ValueError where they are none."""
        for name, rng in self._generators.items():
            try:
                rng.bit_generator.state = plain[name]
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                raise ValueError(f"the state of the random numbers for {name} is none") from error

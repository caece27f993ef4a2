"""A run as a model file: all that it needs to go on bit for bit, and nothing of clocks.

Seconds stand in no file, so that the same run gives the same bytes however fast it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np

from cnntool.errors import InputError, RequestError
from cnntool.networks.model_file import Header, Model
from cnntool.training.loop import Trainer
from cnntool.training.schedules import parse_schedule
from cnntool.training.settings import Settings
from cnntool.training.task import Task

PLACE = "place"
"""The entry of the state that holds plain values, as JSON in UTF-8."""


class Kept(NamedTuple):
    """What a run's file keeps of its other files.

    log: the file of its log, from where the run's own is, and whether that has a line each step.
    replaces: whether the run's first model takes the place of another run's.
    """

    log: tuple[str, bool] | None = None
    replaces: bool = False


def model_of(trainer: Trainer, kept: Kept | None = None) -> Model:
    """The run as it stands, the best network in it too: its arrays are the trainer's own."""
    arrays, plain = trainer.state()
    plain["place"]["seconds"] = 0.0
    plain |= {key: value for key, value in (kept or Kept())._asdict().items() if value}
    text = json.dumps(plain, sort_keys=True).encode()
    network, state = trainer.network, {**arrays, PLACE: np.frombuffer(text, np.uint8)}
    return Model(_header(trainer), network.params, network.buffers, state, trainer.filters)


def best_of(trainer: Trainer) -> Model | None:
    """The best network alone, with what is known of the run; None where none is the best yet."""
    if trainer.best is None:
        return None
    groups = trainer.network.params, trainer.network.buffers
    params, buffers = ({path: trainer.best[path] for path in group} for group in groups)
    return Model(_header(trainer), params, buffers, filters=trainer.filters)


def _header(trainer: Trainer) -> Header:
    return Header(**trainer.task.header(), history=tuple(trainer.history))


def settings_of(model: Model, name: str) -> Settings:
    """The settings that a model was trained with; InputError where it holds none."""
    if PLACE not in model.state:
        raise InputError(f"{name} holds no training to go on with: name a file of train-cnn")
    known = [each.name for each in fields(Settings)]
    try:
        settings = Settings.from_json({key: model.header.training[key] for key in known})
        settings.build_optimizer()
        parse_schedule(settings.schedule)
        return settings
    except (KeyError, RequestError) as error:
        raise InputError(f"{name} does not say how it was trained: {error}") from error


def origin_of(model: Model) -> dict[str, Any]:
    """What a model says of its training besides the settings: where the data came from."""
    known = {each.name for each in fields(Settings)}
    return {key: value for key, value in model.header.training.items() if key not in known}


def kept_of(model: Model) -> Kept:
    """What :func:`model_of` was given; None for what a model has not."""
    try:
        plain = json.loads(model.state[PLACE].tobytes().decode())
        path, has_steps = plain.get("log") or ("", False)
        replaces = plain.get("replaces") is True
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Kept()
    log = (path, has_steps) if isinstance(path, str) and isinstance(has_steps, bool) else None
    return Kept(log if path else None, replaces)


def resumed(model: Model, task: Task, name: str = "the model file") -> Trainer:
    """The run that a model was made of, standing where it stood.

    The task has the model's network. Its settings may have more epochs, and others that no array
    depends on. InputError where the state is not that of the task.
    """
    plain, trainer = _plain(model, name), Trainer(task)
    try:
        trainer.restore(model.state, plain, model.header.history, model.filters, name)
    except BaseException:
        trainer.__exit__()
        raise
    return trainer


def is_best_of(best: Model, last: Model) -> bool:
    """Whether one model holds the best epoch of the run that another stands later in."""
    one, two = best.header, last.header
    try:
        epoch = _plain(last, "the model")["stopping"]["best_epoch"]
        place = _plain(best, "the model")["place"]
    except (InputError, KeyError):
        return False
    return (
        is_of_run(best, last)
        and (place["epoch"], place["step"]) == (epoch, 0)
        and one.history[:epoch] == two.history[:epoch]
    )


def is_of_run(one: Model, two: Model) -> bool:
    """Whether two models can be of one run: the same network, data and seed."""
    return all(
        getattr(one.header, name) == getattr(two.header, name)
        for name in ("spec", "fingerprint", "seed", "preprocessing", "labels")
    )


def _plain(model: Model, name: str) -> dict[str, Any]:
    """The plain values of the state; InputError where they are none."""
    try:
        plain = json.loads(model.state[PLACE].tobytes().decode())
        is_sound = all(isinstance(plain[key], Mapping) for key in ("place", "streams", "stopping"))
    except (ValueError, KeyError, TypeError, RecursionError):
        is_sound = False
    if not is_sound:
        raise InputError(f"{name} does not say where its training stands: it cannot go on")
    return plain

"""What is said before a run, and what came of it beside what needs no network."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from cnntool.cli.console import complain
from cnntool.cli.training.live import Wording
from cnntool.cli.training.outcome import outcome
from cnntool.cli.training.plan import Plan
from cnntool.cli.training.settings_line import going_on_line, settings_line
from cnntool.datasets.dataset import shape_text
from cnntool.datasets.memory import size_text
from cnntool.networks.layers.layer import total
from cnntool.networks.model_file import Model
from cnntool.networks.trained import network_of
from cnntool.training.baselines import linear_accuracy, majority_accuracy
from cnntool.training.evaluation import logits_of
from cnntool.training.image_task import ImageTask
from cnntool.training.metrics import accuracy, predicted_classes
from cnntool.wording import counted

WORDING = Wording("images", lambda _, accuracy: f"accuracy {accuracy:.2%}")

MOST_VALUES = 1 << 30
"""Pixels of a training part for which the linear classifier is worth its time."""


def describe(plan: Plan) -> Iterator[str]:
    """The data, the network and the settings, a line each or a few."""
    trainer, task = plan.run.trainer, _task(plan)
    yield from plan.notes
    train = task.parts.train
    parts = ", ".join(f"{len(part):,} {name}" for name, part in task.parts.each.items())
    size = shape_text(train.image_shape)
    yield f"data: {train.name}, images of {size} in {counted(len(train.labels), 'class')}: {parts}"
    yield from str(task.network).splitlines()
    network = task.network
    count = total(network.parameters())
    work = sum(layer.multiply_adds(shape) for _, layer, shape in network.each())
    yield (
        f"{counted(count, 'parameter')}, {counted(work, 'multiply-add')} an image, about "
        f"{size_text(memory(plan))} of memory"
    )
    yield settings_line(trainer, counted(task.settings.batch_size, "image"))
    yield from going_on_line(plan)


def _task(plan: Plan) -> ImageTask:
    return plan.run.trainer.task


def memory(plan: Plan) -> int:
    """Bytes of the images, of parameters with all that a step keeps of them, and of its maps."""
    task = _task(plan)
    settings, network = task.settings, task.network
    images = sum(part.x.nbytes for part in task.parts.each.values())
    parameters = sum(array.nbytes for array in network.params.values())
    maps = 2 * 4 * settings.batch_size * sum(prod(shape) for shape in network.shapes)
    return images + parameters * (4 + settings.shards) + maps


def results(plan: Plan, last: Model, seconds: float) -> dict[str, Any]:
    """What came of a run, as plain values; validation and baselines only where there is a part."""
    task = _task(plan)
    train, validation, test = task.parts.train, task.parts.validation, task.parts.test
    count = total(task.network.parameters())
    found = outcome(plan, last, count, seconds)
    if validation is not None:
        found["majority_accuracy"] = majority_accuracy(train, validation)
        if train.x.size <= MOST_VALUES:
            found["linear_accuracy"] = linear_accuracy(
                train, validation, task.preprocessing, task.settings.seed
            )
    if test is not None and plan.best is not None:
        logits = logits_of(network_of(plan.best), task.preprocessing, test)
        found["test_accuracy"] = accuracy(predicted_classes(logits), test.y)
    return found


def say_results(found: dict[str, Any]) -> None:
    """The results in a few lines on stderr."""
    if found["stopped_early"]:
        complain(f"stopped early, after {counted(found['epochs'], 'epoch')}")
    best = found.get("best")
    if best is None:
        complain("no epoch had a loss that is a number: there is no best model")
        return
    if best["validation_accuracy"] is None:
        complain(f"best epoch {best['epoch']}: loss {best['loss']:.4f} on the training images")
    else:
        _say_validation(found)
    if "test_accuracy" in found:
        complain(f"test accuracy {found['test_accuracy']:.2%}")


def _say_validation(found: dict[str, Any]) -> None:
    best, judged = found["best"], found["best"]["validation_accuracy"]
    last = found["final"]
    text = f"validation accuracy {judged:.2%} (epoch {best['epoch']}"
    complain(text + f", loss {best['validation_loss']:.4f}); last {_percent(last)}")
    linear = found.get("linear_accuracy", np.nan)
    text = f"beside it: always the most frequent class {found['majority_accuracy']:.2%}"
    complain(text if np.isnan(linear) else f"{text}, a linear classifier {linear:.2%}")
    if judged <= linear:
        complain("the linear classifier is as good or better: this network has learned no more")


def _percent(facts: dict[str, Any]) -> str:
    value = facts["validation_accuracy"]
    return "none" if value is None else f"{value:.2%}"

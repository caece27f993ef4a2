"""From what was asked of `cnntool train-cnn` to a run that can start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from cnntool.cli.console import complain, reading
from cnntool.cli.files import check_apart, output_of
from cnntool.cli.training.image_options import ImageOptions
from cnntool.cli.training.live import Wording
from cnntool.cli.training.outcome import outcome
from cnntool.cli.training.plan import (
    Plan,
    best_beside,
    changed,
    check_epochs,
    check_log,
    check_places,
    check_settings,
    going_on,
    going_on_in,
    processes_for,
    settings_from,
    telling_of_moves,
)
from cnntool.cli.training.settings_line import going_on_line, settings_line
from cnntool.datasets.images.augmentation import augmentation_spec, parse_augmentation
from cnntool.datasets.images.dataset import LoadOptions, shape_text
from cnntool.datasets.images.loading import load_images
from cnntool.datasets.images.parts import DEFAULT_FRACTION, Parts, check_classes, hold_out, matched
from cnntool.datasets.images.preprocessing import Preprocessing, fit_preprocessing
from cnntool.datasets.memory import size_text
from cnntool.errors import InputError, RequestError
from cnntool.networks.layers.convolutions import connected, read_connections
from cnntool.networks.layers.layer import total
from cnntool.networks.layers.pointwise import BatchNorm
from cnntool.networks.model_file import Model
from cnntool.networks.network import Network
from cnntool.networks.trained import load_network, network_of
from cnntool.networks.zoo import build
from cnntool.training.baselines import linear_accuracy, majority_accuracy
from cnntool.training.checkpoint import Run, check_data, origin_of, resumed, settings_of
from cnntool.training.evaluation import logits_of
from cnntool.training.image_task import ImageTask
from cnntool.training.loop import Trainer
from cnntool.training.metrics import accuracy, predicted_classes
from cnntool.training.settings import Settings, Streams
from cnntool.wording import counted

DEFAULTS = {"optimizer": "adamw", "learning_rate": 0.003, "weight_decay": 0.3}
"""What tells digits it has not seen apart best, of small networks on a few thousand of them: strong
decay keeps weights small where an optimizer without it learns the images by heart."""

IMAGES_A_PROCESS = 16
"""Of a batch; with fewer, telling a process of its part costs more than it saves."""


def plan_images(options: ImageOptions) -> Plan:
    """The run that was asked for; InputError or RequestError before any work where it cannot be."""
    check_log(options)
    return _new(options) if options.resume is None else _resumed(options)


def _read(options: ImageOptions) -> dict[str, str | None]:
    """The files that are read, by what they are called in a message."""
    return {
        "DATA": options.data,
        "--valid": options.valid,
        "--test": options.test,
        "--layers": options.layers,
        "--connections": options.connections,
    }


def _new(options: ImageOptions) -> Plan:
    if options.data is None:
        raise RequestError("DATA is missing: name a data set, such as digits, or --resume a run")
    if options.valid is not None and options.val_split is not None:
        raise RequestError("--valid and --val-split contradict each other: use one of them")
    if options.layers is not None and options.network is not None:
        raise RequestError("--layers and --network contradict each other: use one of them")
    if options.layers is not None and options.width is not None:
        raise RequestError("--width scales a named network: write the numbers into --layers")
    output = output_of(options.output, None)
    check_places(options, output, _read(options))
    settings = _settings(options)
    others = options.valid, options.test
    parts, notes = _load(options.data, *others, _load_options(options), options)
    fingerprint, origin = parts.train.fingerprint, _origin(options, parts)
    streams = Streams(settings.seed)
    if options.valid is None:
        parts = hold_out(parts, streams["split"], options.val_split)
    network = _network(options, parts).initialise(streams["start"], options.init)
    settings = replace(settings, shards=_processes(options.processes, network, settings, parts))
    preprocessing = fit_preprocessing(parts.train)
    trainer = Trainer(ImageTask(network, preprocessing, parts, settings), streams)
    return Plan(Run(trainer, fingerprint, origin), output, options.force, notes=notes)


def _settings(options: ImageOptions) -> Settings:
    settings = settings_from(options, **DEFAULTS)
    return replace(settings, augment=_augmentation(settings.augment))


def _augmentation(text: str) -> str:
    """The augmentation as settings have it, "" for none."""
    spec = augmentation_spec(parse_augmentation(text))
    return "" if spec == "none" else spec


def _load_options(options: ImageOptions) -> LoadOptions:
    return LoadOptions(
        options.resize, options.colour or "auto", options.strict, not options.no_cache
    )


def _load(
    source: str, valid: str | None, test: str | None, how: LoadOptions, options: ImageOptions
) -> tuple[Parts, tuple[str, ...]]:
    """The parts of the data, not yet split, and their notes."""
    with reading(source, options.quiet) as advance:
        parts = load_images(source, how, advance)
    check_classes(parts.train)
    for part, path in (("validation", valid), ("test", test)):
        if path is not None:
            with reading(path, options.quiet) as advance:
                other = load_images(path, how, advance).train
            parts = replace(parts, **{part: matched(other, parts.train)})
    return parts, parts.notes


def _origin(options: ImageOptions, parts: Parts) -> dict[str, Any]:
    """What loading and splitting the same data again takes."""
    val_split = options.val_split
    if val_split is None and parts.validation is None:
        val_split = DEFAULT_FRACTION
    return {
        "data": options.data,
        "valid": options.valid,
        "test": options.test,
        "val_split": val_split,
        "validation_fingerprint": _validation_fingerprint(parts, val_split),
        "resize": list(options.resize) if options.resize else None,
        "colour": options.colour or "auto",
        "init": options.init,
    }


def _validation_fingerprint(parts: Parts, val_split: float | None) -> str | None:
    """Of the validation part that the data comes with, None where it is held out from train."""
    return None if val_split is not None else parts.validation.fingerprint


def _network(options: ImageOptions, parts: Parts) -> Network:
    shape, classes = parts.train.image_shape, len(parts.train.labels)
    network = build(_architecture(options), shape, classes, options.width)
    if options.connections is not None:
        table = read_connections(options.connections)
        network = Network(connected(network.layers, table, options.connections), shape)
    if not network.parameters():
        raise RequestError("the network has no parameters, so nothing can be learned: add dense")
    return network


def _architecture(options: ImageOptions) -> str:
    """Layers or a name; empty layers, those of a shell's unset variable, are not the default."""
    if options.layers is None:
        return options.network or "small"
    if not options.layers.strip():
        raise RequestError(
            "--layers is empty: write layers such as 'conv 8 3x3; relu; max 2; dense 10', or leave "
            "it out"
        )
    return options.layers


def _processes(asked: int | None, network: Network, settings: Settings, parts: Parts) -> int:
    has_batch_norm = any(isinstance(layer, BatchNorm) for layer in network.layers)
    if has_batch_norm and (asked or 1) > 1:
        raise RequestError(
            f"--processes {asked}: batch norm needs the statistics of the whole batch, so one "
            "process trains; leave it out, or take a network without batch norm such as lenet"
        )
    if has_batch_norm:
        return 1
    return processes_for(asked, min(settings.batch_size, len(parts.train)), IMAGES_A_PROCESS)


def _resumed(options: ImageOptions) -> Plan:
    name = options.resume
    model, network = load_network(name)
    settings, origin = settings_of(model, name), origin_of(model)
    output = output_of(options.output, name)
    check_places(options, output, _read(options))
    best = best_beside(options, model, output, lambda path: load_network(path)[0])
    _check_agreement(options, settings, origin, model)
    settings = changed(settings, options)
    parts, notes = _same_data(options, origin, model)
    if parts.train.image_shape != network.input_shape:
        raise _other_shape(parts, network, name)
    settings, more = going_on_in(
        options, settings, lambda asked: _processes(asked, network, settings, parts)
    )
    preprocessing = Preprocessing.from_json(model.header.preprocessing, name)
    task = ImageTask(network, preprocessing, parts, settings)
    run = resumed(model, task, model.header.fingerprint, name)
    return going_on(Plan(run, output, True, name, best, notes + more), name)


def _same_data(
    options: ImageOptions, origin: dict[str, Any], model: Model
) -> tuple[Parts, tuple[str, ...]]:
    """The parts that a run was training on, and their notes; InputError where they are others."""
    name = options.resume
    source = options.data or origin.get("data")
    valid, test = (getattr(options, key) or origin.get(key) for key in ("valid", "test"))
    how = _saved_load_options(options, origin, name)
    if not isinstance(source, str) or not all(isinstance(p, str | None) for p in (valid, test)):
        raise InputError(f"{name} does not say where its data is: name it before --resume")
    best = str(output_of(None, name))
    check_apart(
        {"--log": options.log},
        {
            "DATA": source,
            "--valid": valid,
            "--test": test,
            "--resume": name,
            "the best model": best,
        },
    )
    with telling_of_moves("train-cnn", "data", "DATA", name if options.data is None else None):
        parts, notes = _load(source, valid, test, how, options)
    check_data(model, parts.train.fingerprint, source, name)
    val_split = origin.get("val_split")
    if _has_other_validation(parts, val_split, origin):
        raise InputError(
            f"{valid or source}: its validation images are not those of {name}: name the same data"
        )
    if valid is None:
        parts = hold_out(parts, Streams(model.header.seed)["split"], val_split)
    return parts, notes


def _check_agreement(
    options: ImageOptions, settings: Settings, origin: dict[str, Any], model: Model
) -> None:
    """RequestError for an option that was given again in another way than the run began with."""
    name = options.resume
    if options.augment is not None:
        options = replace(options, augment=_augmentation(options.augment))
    plain = {key: origin.get(key) for key in ("val_split", "resize", "colour", "init")}
    check_settings(options, settings, name, plain)
    given = [
        f"--{key}"
        for key in ("network", "layers", "connections", "width")
        if getattr(options, key) is not None
    ]
    if given:
        spec = model.header.spec
        shape, classes = model.header.input_shape, len(model.header.labels)
        network = build(_architecture(options), shape, classes, options.width)
        layers = network.layers
        if options.connections is not None:
            layers = connected(layers, read_connections(options.connections), options.connections)
        if "; ".join(map(str, layers)) != spec:
            raise RequestError(
                f"{given[0]} gives another network than that of {name}: leave it out, or train anew"
            )
    check_epochs(options, model)


def _saved_load_options(options: ImageOptions, origin: dict[str, Any], name: str) -> LoadOptions:
    try:
        resize = tuple(map(int, origin["resize"])) if origin["resize"] else None
        return LoadOptions(resize, origin["colour"], options.strict, not options.no_cache)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{name} does not say how its data was read: {error}") from error


def _has_other_validation(parts: Parts, val_split: Any, origin: dict[str, Any]) -> bool:
    saved = origin.get("validation_fingerprint")
    if saved is None:
        return False
    return parts.validation is None or parts.validation.fingerprint != saved


def _other_shape(parts: Parts, network: Network, name: str) -> InputError:
    return InputError(
        f"{parts.train.name} has images of {parts.train.image_shape}, and {name} takes "
        f"{network.input_shape}"
    )


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

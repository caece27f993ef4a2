"""From what was asked for to a run that can start: data, network, settings."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from cnntool.cli.training.options import TrainOptions
from cnntool.cli.training.places import check_apart, check_new, last_of, output_of
from cnntool.datasets.augmentation_spec import augmentation_spec, parse_augmentation
from cnntool.datasets.loading import load_images
from cnntool.datasets.options import LoadOptions
from cnntool.datasets.parts import Parts, check_classes, matched
from cnntool.datasets.preprocessing import fit_preprocessing
from cnntool.datasets.splitting import DEFAULT_FRACTION, hold_out
from cnntool.engine.threads import available_cores
from cnntool.errors import InputError, RequestError
from cnntool.imaging.atomic import check_writable
from cnntool.networks.connections import connected, read_connections
from cnntool.networks.layers.batch_norm import BatchNorm
from cnntool.networks.model_file import Model
from cnntool.networks.network import Network
from cnntool.networks.trained import load_network
from cnntool.networks.zoo import build
from cnntool.training.checkpoint import (
    Run,
    check_data,
    is_best,
    is_best_of,
    is_of_run,
    origin_of,
    resumed,
    settings_of,
)
from cnntool.training.loop import Trainer
from cnntool.training.optimizers import OPTIMIZERS, make_optimizer
from cnntool.training.schedules import parse_schedule
from cnntool.training.settings import Settings
from cnntool.training.shards import CAN_FORK
from cnntool.training.streams import Streams

RATES = {"sgd": 0.1, "momentum": 0.02, "nesterov": 0.02, "rmsprop": 0.001}
"""The learning rates taken for granted; the other optimizers have that of Settings."""

IMAGES_A_PROCESS = 16
"""Of a batch; with fewer, telling a process of its part costs more than it saves."""

CHANGEABLE = ("epochs", "patience", "learning_rate", "clip", "processes")
"""What a run may go on with in another way: no array depends on it."""


@dataclass
class Plan:
    """A run that is ready to start, and where its files go.

    best: the best model so far of a run that goes on, None where there is none yet.
    notes: what there is to say about the data and the options.
    """

    run: Run
    output: Path
    overwrite: bool
    resumed_from: str | None = None
    best: Model | None = None
    notes: tuple[str, ...] = ()

    @property
    def last(self) -> Path:
        return last_of(self.output)


def plan_run(options: TrainOptions) -> Plan:
    """The run that was asked for; InputError or RequestError before any work where it cannot be."""
    if options.log_steps and options.log is None:
        raise RequestError("--log-steps needs a log: name one with --log run.jsonl")
    if options.log == "-":
        raise RequestError(
            "--log - would be a file of that name, not stdout: name one such as run.jsonl"
        )
    return _new(options) if options.resume is None else _resumed(options)


def _check_places(options: TrainOptions, output: Path) -> None:
    """InputError or RequestError where the files of the run cannot go where they should."""
    if options.dry_run:
        return
    check_apart(
        {"-o": output, "the run beside it,": last_of(output), "--log": options.log},
        {
            "DATA": options.data,
            "--valid": options.valid,
            "--layers": options.layers,
            "--connections": options.connections,
        },
    )
    if options.resume is None:
        check_new(output, options.log, options.force)
    for path in (output, last_of(output)):
        check_writable(path)


def _new(options: TrainOptions) -> Plan:
    if options.data is None:
        raise RequestError("DATA is missing: name a data set, such as digits, or --resume a run")
    if options.valid is not None and options.val_split is not None:
        raise RequestError("--valid and --val-split contradict each other: use one of them")
    if options.layers is not None and options.network is not None:
        raise RequestError("--layers and --network contradict each other: use one of them")
    if options.layers is not None and options.width is not None:
        raise RequestError("--width scales a named network: write the numbers into --layers")
    output = output_of(options.output, None)
    _check_places(options, output)
    settings = _settings(options)
    parts, notes = _load(options.data, options.valid, _load_options(options), options)
    fingerprint, origin = parts.train.fingerprint, _origin(options, parts)
    streams = Streams(settings.seed)
    if options.valid is None:
        parts = hold_out(parts, streams["split"], options.val_split)
    network = _network(options, parts).initialise(streams["start"], options.init)
    settings = replace(settings, shards=_processes(options.processes, network, settings, parts))
    preprocessing = fit_preprocessing(parts.train)
    trainer = Trainer(network, preprocessing, parts, settings, streams)
    return Plan(Run(trainer, fingerprint, origin), output, options.force, notes=notes)


def _settings(options: TrainOptions) -> Settings:
    """The settings that were given, with defaults by the optimizer; all are checked here."""
    given = {each.name: getattr(options, each.name, None) for each in fields(Settings)}
    given = {name: value for name, value in given.items() if value is not None}
    name = given.get("optimizer", Settings.optimizer)
    rule = OPTIMIZERS[name]
    if "momentum" in given and rule.momentum is None:
        raise RequestError(
            f"{name} has no momentum: leave out --momentum, or take --optimizer momentum or "
            "nesterov"
        )
    defaults = {
        "learning_rate": RATES.get(name, Settings.learning_rate),
        "momentum": rule.momentum or 0.0,
        "weight_decay": rule.weight_decay,
    }
    settings = Settings(**{**defaults, **given})
    spec = augmentation_spec(parse_augmentation(settings.augment))
    settings = replace(
        settings,
        augment="" if spec == "none" else spec,
        schedule=str(parse_schedule(settings.schedule)),
    )
    make_optimizer(name, settings.learning_rate, weight_decay=settings.weight_decay)
    return settings


def _load_options(options: TrainOptions) -> LoadOptions:
    return LoadOptions(
        options.resize, options.colour or "auto", options.strict, not options.no_cache
    )


def _load(
    source: str, valid: str | None, how: LoadOptions, options: TrainOptions
) -> tuple[Parts, tuple[str, ...]]:
    """The parts of the data, not yet split, and their notes."""
    from cnntool.cli.training.reading import reading

    with reading(source, options.quiet) as advance:
        parts = load_images(source, how, advance)
    check_classes(parts.train)
    notes = parts.notes
    if valid is not None:
        with reading(valid, options.quiet) as advance:
            other = load_images(valid, how, advance).train
        parts = Parts(parts.train, matched(other, parts.train))
        notes += other.notes
    return parts, notes


def _origin(options: TrainOptions, parts: Parts) -> dict[str, Any]:
    """What loading and splitting the same data again takes."""
    val_split = options.val_split
    if val_split is None and parts.validation is None:
        val_split = DEFAULT_FRACTION
    return {
        "data": options.data,
        "valid": options.valid,
        "val_split": val_split,
        "validation_fingerprint": _validation_fingerprint(parts, val_split),
        "resize": list(options.resize) if options.resize else None,
        "colour": options.colour or "auto",
        "init": options.init,
    }


def _validation_fingerprint(parts: Parts, val_split: float | None) -> str | None:
    """Of the validation part that the data comes with, None where it is held out from train."""
    return None if val_split is not None else parts.validation.fingerprint


def _network(options: TrainOptions, parts: Parts) -> Network:
    shape, classes = parts.train.image_shape, len(parts.train.labels)
    network = build(_architecture(options), shape, classes, options.width)
    if options.connections is not None:
        table = read_connections(options.connections)
        network = Network(connected(network.layers, table, options.connections), shape)
    if not network.parameters():
        raise RequestError("the network has no parameters, so nothing can be learned: add dense")
    return network


def _architecture(options: TrainOptions) -> str:
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
    if asked is not None and asked > 1:
        if has_batch_norm:
            raise RequestError(
                f"--processes {asked}: batch norm needs the statistics of the whole batch, so one "
                "process trains; leave it out, or take a network without batch norm such as lenet"
            )
        if not CAN_FORK:
            raise RequestError(
                f"--processes {asked}: this system starts no process from another; leave it out"
            )
    if asked is not None:
        return asked
    if has_batch_norm or not CAN_FORK:
        return 1
    batch = min(settings.batch_size, len(parts.train))
    return max(1, min(available_cores(), batch // IMAGES_A_PROCESS))


def _resumed(options: TrainOptions) -> Plan:
    name = options.resume
    model, network = load_network(name)
    settings, origin = settings_of(model, name), origin_of(model)
    output = output_of(options.output, name)
    _check_places(options, output)
    best, overwrite = _best_beside(options, model, output)
    _check_agreement(options, settings, origin, model)
    changes = {key: getattr(options, key) for key in CHANGEABLE if key != "processes"}
    settings = replace(settings, **{k: v for k, v in changes.items() if v is not None})

    source = options.data or origin.get("data")
    valid = options.valid or origin.get("valid")
    how = _saved_load_options(options, origin, name)
    if not isinstance(source, str) or not isinstance(valid, str | None):
        raise InputError(f"{name} does not say where its data is: name it before --resume")
    best_beside = str(output_of(None, name))
    check_apart(
        {"--log": options.log},
        {"DATA": source, "--valid": valid, "--resume": name, "the best model": best_beside},
    )
    try:
        parts, notes = _load(source, valid, how, options)
    except InputError as error:
        if options.data is not None:
            raise
        raise InputError(
            f"{error}; where the data of {name} has moved, name it: cnntool "
            f"train-cnn DATA --resume {name}"
        ) from error
    fingerprint = parts.train.fingerprint
    check_data(model, fingerprint, source, name)
    val_split = origin.get("val_split")
    if _has_other_validation(parts, val_split, origin):
        raise InputError(
            f"{valid or source}: its validation images are not those of {name}: name the same data"
        )
    if valid is None:
        parts = hold_out(parts, Streams(settings.seed)["split"], val_split)
    if parts.train.image_shape != network.input_shape:
        raise _other_shape(parts, network, name)
    if options.processes is not None or (settings.shards > 1 and not CAN_FORK):
        shards = _processes(options.processes or 1, network, settings, parts)
        if shards != settings.shards:
            notes += (f"{shards} processes, not {settings.shards}: results differ in rounding",)
        settings = replace(settings, shards=shards)
    run = resumed(model, parts, fingerprint, settings, name)
    if run.trainer.is_done:
        run.trainer.__exit__()
        raise RequestError(_done(run, name))
    if best is None and run.trainer.stopping.best_epoch is not None:
        notes += (
            f"{output} does not hold the best epoch of {name}, {run.trainer.stopping.best_epoch}: "
            "the best from here on counts",
        )
        run.trainer.stopping.best_loss = run.trainer.stopping.best_epoch = None
    return Plan(run, output, overwrite, name, best, notes)


def _done(run: Run, name: str) -> str:
    epoch, epochs = run.trainer.place[0], run.trainer.settings.epochs
    if epoch < epochs:
        return (
            f"the run of {name} stopped early, after {epoch} epochs: --patience "
            f"{run.trainer.stopping.waited + 1} or more goes on"
        )
    return f"the run of {name} is done, {epoch} of {epochs} epochs: --epochs {2 * epoch} goes on"


def _best_beside(options: TrainOptions, model: Model, output: Path) -> tuple[Model | None, bool]:
    """The best model of the run, and whether its files may be overwritten."""
    name = Path(options.resume)
    home = output_of(None, options.resume)
    found: dict[Path, Model] = {}
    for path in {home, output, last_of(output)}:
        if path.is_file():
            try:
                found[path] = load_network(path)[0]
            except InputError:
                continue
    best = model if is_best(model) else None
    if best is None and home in found and is_best_of(found[home], model):
        best = found[home]
    for path in (output, last_of(output)):
        is_own = path in found and is_of_run(found[path], model) and options.output is None
        is_resumed = path.exists() and name.exists() and path.samefile(name)
        if path.exists() and not (is_own or is_resumed or options.force or options.dry_run):
            raise InputError(
                f"{path} exists and is not of the run of {name}: -f overwrites it, -o names another"
            )
    return best, True


def _check_agreement(
    options: TrainOptions, settings: Settings, origin: dict[str, Any], model: Model
) -> None:
    """RequestError for an option that was given again in another way than the run began with."""
    name = options.resume
    fixed = {each.name for each in fields(Settings)} - set(CHANGEABLE) - {"shards"}
    saved = {key: getattr(settings, key) for key in fixed}
    saved |= {key: origin.get(key) for key in ("val_split", "resize", "colour", "init")}
    for key, value in saved.items():
        given = getattr(options, key)
        if key == "augment" and given is not None:
            given = augmentation_spec(parse_augmentation(given)).replace("none", "")
        if key == "schedule" and given is not None:
            given = str(parse_schedule(given))
        if key == "resize" and given is not None:
            given = list(given)
        if given is not None and given != value:
            raise RequestError(
                f"--{key.replace('_', '-')} is {_text(given)}, and {name} was trained with "
                f"{_text(value)}: leave it out, or train anew"
            )
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
    done = len(model.header.history)
    if options.epochs is not None and options.epochs < done:
        raise RequestError(
            f"--epochs is {options.epochs}, and {name} has {done} behind it: name more"
        )


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "x".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value or "none")


def _saved_load_options(options: TrainOptions, origin: dict[str, Any], name: str) -> LoadOptions:
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

"""From what was asked for to a run that can start: what images and texts have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol

from cnntool.cli.files import check_apart, check_new, last_of, output_of
from cnntool.engine.fast.threads import available_cores
from cnntool.errors import InputError, RequestError
from cnntool.files.atomic import check_writable
from cnntool.networks.model_file import Model
from cnntool.training.checkpoint import Run, is_best, is_best_of, is_of_run
from cnntool.training.optimizers import OPTIMIZERS, make_optimizer
from cnntool.training.schedules import parse_schedule
from cnntool.training.settings import Settings
from cnntool.training.shards import CAN_FORK
from cnntool.wording import counted

RATES = {"sgd": 0.1, "momentum": 0.02, "nesterov": 0.02, "rmsprop": 0.001}
"""The learning rates taken for granted; the other optimizers have that of Settings."""

CHANGEABLE = ("epochs", "patience", "learning_rate", "clip")
"""Settings that a run may go on with in another way: no array depends on them."""


class RunOptions(Protocol):
    """The options that every training command has; None is what was not given."""

    output: str | None
    force: bool
    log: str | None
    log_steps: bool
    resume: str | None
    processes: int | None
    dry_run: bool
    as_json: bool
    quiet: bool
    epochs: int | None


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


def check_log(options: RunOptions) -> None:
    """RequestError for a log that says nothing, or goes nowhere."""
    if options.log_steps and options.log is None:
        raise RequestError("--log-steps needs a log: name one with --log run.jsonl")
    if options.log == "-":
        raise RequestError(
            "--log - would be a file of that name, not stdout: name one such as run.jsonl"
        )


def check_places(options: RunOptions, output: Path, read: dict[str, str | None]) -> None:
    """InputError or RequestError where the files of the run cannot go where they should.

    ``read`` gives a path, or None, to what each file that is read is called in a message.
    """
    if options.dry_run:
        return
    written = {"-o": output, "the run beside -o,": last_of(output), "--log": options.log}
    check_apart(written, read)
    if options.resume is None:
        check_new(output, options.log, options.force)
    for path in (output, last_of(output)):
        check_writable(path)


def settings_from(options: RunOptions, **defaults: Any) -> Settings:
    """The settings that were given, else ``defaults``, else those of the optimizer; all are checked
    here. What ``defaults`` say of rates and decay is for their optimizer alone."""
    given = {each.name: getattr(options, each.name, None) for each in fields(Settings)}
    given = {name: value for name, value in given.items() if value is not None}
    usual = defaults.get("optimizer", Settings.optimizer)
    name = given.get("optimizer", usual)
    rule = OPTIMIZERS[name]
    if "momentum" in given and rule.momentum is None:
        raise RequestError(
            f"{name} has no momentum: leave out --momentum, or take --optimizer momentum or "
            "nesterov"
        )
    by_optimizer = {
        "learning_rate": RATES.get(name, Settings.learning_rate),
        "momentum": rule.momentum or 0.0,
        "weight_decay": rule.weight_decay,
    }
    if name != usual:
        defaults = {key: value for key, value in defaults.items() if key not in by_optimizer}
    settings = Settings(**{**by_optimizer, **defaults, **given})
    settings = replace(settings, schedule=str(parse_schedule(settings.schedule)))
    make_optimizer(name, settings.learning_rate, weight_decay=settings.weight_decay)
    return settings


def changed(settings: Settings, options: RunOptions) -> Settings:
    """The settings of a run that goes on, with what may be another and was given anew."""
    changes = {key: getattr(options, key) for key in CHANGEABLE}
    return replace(settings, **{k: v for k, v in changes.items() if v is not None})


def processes_for(asked: int | None, batch: int, least: int) -> int:
    """How many processes share a batch of ``batch``, of which each should get ``least`` or more."""
    if asked is not None and asked > 1 and not CAN_FORK:
        raise RequestError(
            f"--processes {asked}: this system starts no process from another; leave it out"
        )
    if asked is not None or not CAN_FORK:
        return asked or 1
    return max(1, min(available_cores(), batch // least))


def going_on_in(
    options: RunOptions, settings: Settings, count: Callable[[int], int]
) -> tuple[Settings, tuple[str, ...]]:
    """The settings of a run that goes on in the processes asked for, or in one where it had more
    than this system can have; and what to say of that. ``count`` checks the number asked for."""
    if options.processes is None and (settings.shards == 1 or CAN_FORK):
        return settings, ()
    shards = count(options.processes or 1)
    return replace(settings, shards=shards), other_processes(settings.shards, shards)


def other_processes(before: int, now: int) -> tuple[str, ...]:
    """What to say where a run goes on in another number of processes."""
    if now == before:
        return ()
    return (f"{counted(now, 'process')}, not {before}: results differ in rounding",)


@contextmanager
def telling_of_moves(command: str, what: str, argument: str, name: str | None) -> Iterator[None]:
    """While the data of the run ``name`` is read from where its file says: an InputError also tells
    how to name it anew. ``name`` is None where a person named the data."""
    try:
        yield
    except InputError as error:
        if name is None:
            raise
        raise InputError(
            f"{error}; where the {what} of {name} has moved, name it: cnntool {command} {argument} "
            f"--resume {name}"
        ) from error


def best_beside(
    options: RunOptions, model: Model, output: Path, load: Callable[[Path], Model]
) -> Model | None:
    """The best model of the run so far; InputError where its files may not be overwritten.

    ``load`` reads a model file, and raises InputError where it is none of this kind.
    """
    name = Path(options.resume)
    home = output_of(None, options.resume)
    found: dict[Path, Model] = {}
    for path in {home, output, last_of(output)}:
        if path.is_file():
            try:
                found[path] = load(path)
            except InputError:
                continue
    best = model if is_best(model, options.resume) else None
    if best is None and home in found and is_best_of(found[home], model):
        best = found[home]
    for path in (output, last_of(output)):
        is_own = path in found and is_of_run(found[path], model) and options.output is None
        is_resumed = path.exists() and name.exists() and path.samefile(name)
        if path.exists() and not (is_own or is_resumed or options.force or options.dry_run):
            raise InputError(
                f"{path} exists and is not of the run of {name}: -f overwrites it, -o names another"
            )
    return best


def check_settings(
    options: RunOptions, settings: Settings, name: str, plain: dict[str, Any]
) -> None:
    """RequestError for an option that was given again in another way than the run began with.

    ``plain`` gives what each option that is no setting was; None where it was not given.
    """
    fixed = {each.name for each in fields(Settings)} - set(CHANGEABLE) - {"shards"}
    saved = {key: getattr(settings, key) for key in fixed} | plain
    for key, value in saved.items():
        given = getattr(options, key, None)
        if key == "schedule" and given is not None:
            given = str(parse_schedule(given))
        given = list(given) if isinstance(given, tuple) else given
        if given is not None and given != value:
            raise RequestError(
                f"--{key.replace('_', '-')} is {_text(given)}, and {name} was trained with "
                f"{_text(value)}: leave it out, or train anew"
            )


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "x".join(map(str, value))
    if value is None or value == "":
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def check_epochs(options: RunOptions, model: Model) -> None:
    """RequestError where fewer epochs are asked for than are done."""
    done = len(model.header.history)
    if options.epochs is not None and options.epochs < done:
        raise RequestError(
            f"--epochs is {options.epochs}, and {options.resume} has {done} behind it: name more"
        )


def going_on(plan: Plan, name: str) -> Plan:
    """The plan of a run that goes on; RequestError where it is done."""
    trainer = plan.run.trainer
    if trainer.is_done:
        trainer.__exit__()
        raise RequestError(_done(plan.run, name))
    best = trainer.stopping.best_epoch
    if plan.best is None and best is not None:
        plan.notes += (
            f"{plan.output} does not hold the best epoch of {name}, {best}: the best from here on "
            "counts",
        )
        trainer.stopping.best_loss = trainer.stopping.best_epoch = None
    return plan


def _done(run: Run, name: str) -> str:
    epoch, epochs = run.trainer.place[0], run.trainer.settings.epochs
    if epoch < epochs:
        return (
            f"the run of {name} stopped early, after {counted(epoch, 'epoch')}: --patience "
            f"{run.trainer.stopping.waited + 1} or more goes on"
        )
    return (
        f"the run of {name} is done, {epoch} of {counted(epochs, 'epoch')}: --epochs {2 * epoch} "
        "goes on"
    )

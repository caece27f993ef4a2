"""From what was asked for to a run that can start: what all tasks have in common.

A command reads its data, makes its network and a task of both, and has here what comes before that
(:func:`begin`: settings, places, the run to go on with) and behind it (:meth:`Start.plan`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from cnntool.choices import SIZES
from cnntool.cli.files import check_apart, check_new, last_of, output_of
from cnntool.cli.training.sequence_options import RunOptions
from cnntool.datasets.sequences.feeds import Feed
from cnntool.errors import InputError, RequestError
from cnntool.files.atomic import check_writable
from cnntool.networks.model import load_trained, network_of
from cnntool.networks.model_file import Model
from cnntool.networks.network import Network
from cnntool.training.checkpoint import (
    Kept,
    is_best_of,
    is_of_run,
    kept_of,
    origin_of,
    resumed,
    settings_of,
)
from cnntool.training.footprint import (
    check_least,
    check_run,
    is_large,
    reason_for_one_process,
)
from cnntool.training.loop import Trainer
from cnntool.training.report import Report
from cnntool.training.schedules import parse_schedule
from cnntool.training.settings import Settings, Streams, settings_from
from cnntool.training.task import Task
from cnntool.wording import counted, joined

CHANGEABLE = ("epochs", "patience", "learning_rate", "clip")
"""Settings that a run may go on with in another way: no array depends on them."""


SMALLER = {
    **dict.fromkeys(SIZES, "set a smaller --batch-size, --max-length or --hidden-size"),
    "cnn": "set a smaller --batch-size, --resize or --width",
    "rnn": "set a smaller --seq-length, --batch-size or --hidden-size",
}
"""What helps where a run does not fit into memory."""

PROCESSES = 2
"""That share a batch, whatever the cores, so that the same seed gives the same file anywhere."""

Kind = Literal["cnn", "rnn", "classifier", "tagger", "translator", "captioner"]
"""Of a model file."""


class Beside(NamedTuple):
    """What a model has to beat.

    lead: how to introduce it. values: by name, losses or accuracies, the strongest last; what to
        call that one in a sentence. facts: the same in the results. report: of the model itself,
        where it has one. chance: the name of what knows only how frequent each answer is, by
        default the last but one.
    """

    lead: str
    values: dict[str, float]
    strongest: str
    facts: dict[str, Any]
    report: Report | None = None
    chance: str = ""

    @property
    def by_chance(self) -> float:
        return self.values[self.chance or [*self.values][-2:][0]]


@dataclass
class Start:
    """What is settled before any data is read.

    replaces: whether the run's first model takes the place of another run's.
    trained, best, origin: of the run that goes on, its model by its kind, its best model where that
        is in a file of its own, and where its data came from; None and empty for a new one.
    notes: what there is to say of data and options. log: where it goes, or went, and whether it has
        a line each step.
    """

    options: RunOptions
    output: Path
    settings: Settings
    streams: Streams
    replaces: bool = False
    log: tuple[str, bool] | None = None
    trained: Any = None
    best: Model | None = None
    origin: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The file of the run that goes on; "" of a new one."""
        return self.options.resume or ""

    @property
    def kept(self) -> Kept:
        """What the run's file keeps of its log, also where that is not there now, and of a model
        that gives way to it."""
        log = self.log
        if log is not None:
            with suppress(ValueError):  # of another drive
                log = os.path.relpath(log[0], self.last.parent), log[1]
        return Kept(log, self.replaces)

    @property
    def last(self) -> Path:
        """Where all of the run is written, beside its best model in ``output``."""
        return last_of(self.output)

    def check_apart(self, read: dict[str, str | None]) -> None:
        """RequestError where the log of a run that goes on would overwrite what it reads."""
        best = str(output_of(None, self.name))
        others = {"--resume": self.name, "the best model": best}
        check_apart({"--log": self.options.log}, {**read, **others})

    @contextmanager
    def telling_of_moves(self, what: str, call: str, is_named: bool) -> Iterator[None]:
        """While data is read: where the file of a run says where it is, and no person did, an
        InputError also tells how to name it anew, by ``call`` and --resume."""
        try:
            yield
        except InputError as error:
            if self.trained is None or is_named:
                raise
            raise InputError(
                f"{error}; where the {what} of {self.name} has moved, name it: cnntool {call} "
                f"--resume {self.name}"
            ) from error

    def check_data(self, fingerprint: str, source: str) -> None:
        """InputError where a run would go on with other data than it began with."""
        if self.trained is None or fingerprint == (saved := self.trained.header.fingerprint):
            return
        raise InputError(
            f"{source} is not what {self.name} was trained on: it differs ({fingerprint[:8]}, not "
            f"{saved[:8]}); name the same data, or train anew without --resume"
        )

    def check_validation(self, own: Any, source: str | None) -> None:
        """The same for data of its own to validate on, None where there is none."""
        saved = self.origin.get("validation_fingerprint")
        if saved is not None and (own is None or own.fingerprint != saved):
            raise InputError(
                f"{source} is not what {self.name} was validated on: it differs; name "
                "the same with --valid, or train anew without --resume"
            )

    def share(self, network: Network, batch: int, least: int) -> None:
        """Settle how many processes share a batch, of which each should get ``least`` or more; or
        that there is one. RequestError where more are asked for than the network can have."""
        reason = reason_for_one_process(network)
        asked, before = self.options.processes, self.settings.shards
        if self.trained is not None and asked is None:
            return
        if (asked or 1) > 1 and reason:
            raise RequestError(f"--processes {asked}: {reason}")
        usual = 1 if reason else max(1, min(PROCESSES, batch // least))
        shards = asked or usual
        self.settings = replace(self.settings, shards=shards)
        if self.trained is not None and shards != before:
            self.notes.append(
                f"{counted(shards, 'process')}, not {before}: results differ in rounding"
            )

    def is_reckoned(self, network: Network, samples: int) -> bool:
        """Whether shapes are to tell what a run with a new network takes, which is not drawn: in a
        dry run, where trying a step of so many samples would take long."""
        return self.options.dry_run and is_large(network, samples)

    def plan(self, task: Task, notes: Iterable[str], **said: Any) -> Plan:
        """The plan of a task; said: what else a :class:`Plan` holds. InputError where it would not
        fit into memory."""
        is_drawn = bool(task.network.params)
        memory = (check_run if is_drawn else check_least)(task, SMALLER[task.name])
        make_trainer: Callable[[], Trainer] = partial(Trainer, task, self.streams)
        if self.trained is not None:
            trainer = resumed(self.trained.model, task, self.name)
            self.notes += self._standing(trainer)
            make_trainer = lambda: trainer
        notes = [*notes, *self.notes, *_of_the_warm_up(task)]
        if task.settings.patience and task.held_out is None:
            notes.append(
                "nothing is held out for validation: --patience looks at the loss on the "
                f"{task.feed.unit}s it learns from"
            )
        facts = {**vars(self), "trained": None, "best": None}  # the trainer has the arrays
        facts |= {"notes": notes, "task": task, "make_trainer": make_trainer, "memory": memory}
        return Plan(**facts, **said)

    def _standing(self, trainer: Trainer) -> Iterator[str]:
        """What there is to say of where a run stands; with what no file knows of it settled."""
        if trainer.best is None and self.best is not None:  # format 1 of cnntool 0.1
            network = network_of(self.best)
            trainer.best = network.params | network.buffers
        best = trainer.stopping.best_epoch
        if trainer.best is None and best is not None:
            yield (
                f"{self.output} does not hold the best epoch of {self.name}, {best}: the best from "
                "here on counts"
            )
            trainer.stopping.best_loss = trainer.stopping.best_epoch = None


class Saved(NamedTuple):
    """Epochs and steps of a run that its file has behind it, and whether it had learned anything
    by then."""

    place: tuple[int, int]
    has_learned: bool


@dataclass(kw_only=True)
class Plan(Start):
    """A run that is ready to start.

    task, make_trainer: what is to be learned, and what learns it. memory: the bytes that it takes;
        at least, where it is but reckoned. data: what it learns from, in a line or two. test: what
        the best model is judged on at the end. beside: what it is compared with on what it is
        judged on. more: what else results say, of the best model. saved: what its file has, None
        before there is one.
    """

    task: Task
    make_trainer: Callable[[], Trainer]
    memory: int
    data: tuple[str, ...]
    test: Feed | None
    beside: Callable[[Any, Network], Beside]
    more: Callable[[Model], dict[str, Any]]
    saved: Saved | None = None

    @property
    def judged_on(self) -> dict[str, Feed]:
        """What a model is judged on, by the name of the part."""
        parts = {"validation": self.task.held_out, "test": self.test}
        return {name: feed for name, feed in parts.items() if feed is not None}

    @cached_property
    def trainer(self) -> Trainer:
        return self.make_trainer()

    @property
    def has_arrays(self) -> bool:
        """Whether it can be tried; else it is reckoned."""
        return bool(self.task.network.params)

    @property
    def standing(self) -> str:
        """How far a run that goes on has come, or why it does not."""
        trainer, name, (epoch, step) = self.trainer, self.name, self.trainer.place
        epochs = trainer.settings.epochs
        if not trainer.is_done:
            behind = f"{counted(epoch, 'epoch')} and {counted(step, 'step')}"
            return f"going on from {name}: {behind} are behind it"
        if epoch < epochs:
            more = f"--patience {trainer.stopping.waited + 1} or more"
            return (
                f"the run of {name} stopped early, after {counted(epoch, 'epoch')}: {more} goes on"
            )
        done = f"{epoch} of {counted(epochs, 'epoch')}: --epochs {2 * epoch} goes on"
        return f"the run of {name} is done, {done}"


def _of_the_warm_up(task: Task) -> Iterator[str]:
    """That it takes the whole run, so that the rate never is what it was set to."""
    schedule, settings = parse_schedule(task.settings.schedule), task.settings
    steps = settings.epochs * task.feed.steps
    if schedule.warmup >= steps:
        better, most = schedule.within(steps), schedule(steps - 1, steps)
        yield (
            f"the warm-up of {counted(schedule.warmup, 'step')} is as long as the run of "
            f"{steps:,}, or longer: the learning rate comes to {most * settings.learning_rate:.3g} "
            f"of {settings.learning_rate:g}; a tenth of the run is --schedule {better}"
        )


def begin(
    options: RunOptions,
    read: dict[str, str | None],
    kind: Kind,
) -> Start:
    """The start of a run; InputError or RequestError where it cannot be.

    read: a path, or None, for what each file that is read is called in a message. kind: of task,
    and of model file that a run can go on from.
    """
    _check_together(options)
    if options.resume is None:
        output = output_of(options.output, None)
        _check_places(options, output, read)
        settings = settings_from(vars(options), kind)
        log = (options.log, options.log_steps) if options.log is not None else None
        replaces = options.force and output.exists()
        return Start(options, output, settings, Streams(settings.seed), replaces, log)
    name = options.resume
    trained = load_trained(name, kind)
    model = trained.model
    if not model.state and last_of(Path(name)).is_file():
        last = last_of(Path(name))
        raise InputError(f"{name} is the best of a run, which stands in {last}: --resume {last}")
    settings, output = settings_of(model, name), output_of(options.output, name)
    options, log, notes = _with_log(options, model)
    _check_places(options, output, read)
    found = _models_at({output_of(None, name), output, last_of(output)}, kind)
    replaces = kept_of(model).replaces and output == output_of(None, name)
    owned = _owned(options, model, output, found, replaces)
    best = found.get(output_of(None, name))
    changes = {key: getattr(options, key) for key in CHANGEABLE}
    changes = {key: value for key, value in changes.items() if value is not None}
    settings = replace(settings, **changes)
    if best is not None and not is_best_of(best, model):
        best = None
    replaces |= options.force and output not in owned and output.exists()
    return Start(
        options,
        output,
        settings,
        Streams(settings.seed),
        replaces,
        log,
        trained,
        best,
        origin_of(model),
        notes,
    )


def _with_log(
    options: RunOptions, model: Model
) -> tuple[RunOptions, tuple[str, bool] | None, list[str]]:
    """The options of a run that goes on, in the log that it has had unless another is named; that
    log, which is kept in mind where it is not there; and what there is to say of it."""
    kept = kept_of(model).log
    if options.log is not None:
        return options, (options.log, options.log_steps), []
    if kept is None:
        return options, None, []
    path, has_steps = os.path.normpath(Path(options.resume or "").parent / kept[0]), kept[1]
    if not os.path.isfile(path):
        note = f"{path}, the log of the run, is not there: --log goes on in another"
        return options, (path, has_steps), [note]
    note = f"the log goes on in {path}"
    return replace(options, log=path, log_steps=has_steps), (path, has_steps), [note]


def _check_together(options: RunOptions) -> None:
    """RequestError for options that contradict each other, and for a log that goes nowhere."""
    if options.valid is not None and options.val_split is not None:
        raise RequestError("--valid and --val-split contradict each other: use one of them")
    if options.log_steps and options.log is None:
        raise RequestError("--log-steps needs a log: name one with --log run.jsonl")
    if options.log == "-":
        raise RequestError(
            "--log - would be a file of that name, not stdout: name one such as run.jsonl"
        )


def _check_places(options: RunOptions, output: Path, read: dict[str, str | None]) -> None:
    """InputError or RequestError where the files of the run cannot go where they should."""
    if options.dry_run:
        return
    written = {"-o": output, "the run beside -o,": last_of(output), "--log": options.log}
    check_apart(written, read)
    if options.resume is None:
        check_new(output, options.log, options.force)
    for path in (output, last_of(output)):
        check_writable(path)
    if options.log is not None:
        check_writable(options.log)


def check_agreement(start: Start, options: RunOptions, kept: Iterable[str], **facts: Any) -> None:
    """RequestError for an option that was given again in another way than the run began with, and
    where fewer epochs are asked for than are done.

    kept: the options that its file keeps, beside settings. facts: what others were.
    """
    name, plain = options.resume, {key: start.origin.get(key) for key in kept} | facts
    fixed = {each.name for each in fields(Settings)} - set(CHANGEABLE) - {"shards"}
    saved = {key: getattr(start.settings, key) for key in fixed} | plain
    for key, value in saved.items():
        given = getattr(options, key, None)
        if key == "schedule" and given is not None:
            given = str(parse_schedule(given))
        given = list(given) if isinstance(given, tuple) else given
        if given is not None and given is not False and given != value:
            raise RequestError(
                f"--{key.replace('_', '-')} is {_text(given)}, and {name} was trained with "
                f"{_text(value)}: leave it out, or train anew"
            )
    done = len(start.trained.header.history)
    if options.epochs is not None and options.epochs < done:
        raise RequestError(
            f"--epochs is {options.epochs}, and {name} has {done} behind it: name more"
        )
    had_none = start.origin.get("valid") is start.origin.get("validation_fingerprint") is None
    if options.valid is not None and had_none:
        raise RequestError(
            f"--valid {options.valid}: {name} was trained without one; leave it out, or train anew"
        )


def check_network(start: Start, option: str, network: Network) -> None:
    """RequestError where an option that is given again makes another network than the run's."""
    if network.spec != start.trained.network.spec:
        raise RequestError(
            f"{option} gives another network than that of {start.name}: leave it out, or train anew"
        )


def check_layers(options: RunOptions, *names: str) -> None:
    """RequestError for options, those of these names, of what a text of all layers says, too."""
    if not isinstance(getattr(options, "layers", None), str):
        return
    given = [name for name in names if getattr(options, name, None) not in (None, False)]
    if given:
        words = joined([f"--{name.replace('_', '-')}" for name in given])
        raise RequestError(
            f"{words} beside --layers TEXT: write what you mean into the text, or leave one out"
        )


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "x".join(map(str, value))
    if value is None or value == "":
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _models_at(paths: Iterable[Path], kind: Kind) -> dict[Path, Model]:
    """The models at those of the paths where one is."""
    found: dict[Path, Model] = {}
    for path in paths:
        with suppress(InputError):
            found[path] = load_trained(path, kind).model
    return found


def _owned(
    options: RunOptions, model: Model, output: Path, found: dict[Path, Model], replaces: bool
) -> list[Path]:
    """The files of the run so far where it will have its own; InputError where there are others,
    that may not be overwritten. replaces: whether it began with leave to overwrite a model."""
    name, owned = options.resume or "", []
    for path in (output, last_of(output)):
        if not path.exists():
            continue
        is_own = path in found and is_of_run(found[path], model) and options.output is None
        if is_own or (Path(name).exists() and path.samefile(name)):
            owned.append(path)
        elif not (options.force or options.dry_run or (replaces and path == output)):
            raise InputError(
                f"{path} exists and is not of the run of {name}: -f overwrites it, -o names another"
            )
    return owned

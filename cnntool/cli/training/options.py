"""The options that all training commands have, and the types of their values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import click

from cnntool.cli.help import option
from cnntool.cli.options import LARGEST_NUMBER, FiniteFloat, PathName, WholeNumber

DATA, NETWORK, LEARNING, OUTPUT, RUN = "Data", "Network", "Learning", "Output", "Running"

MOST_EPOCHS, MOST_BATCH, MOST_PROCESSES = 10**6, 1 << 20, 256


class NumberFrom0(click.ParamType):
    """A number from 0 to below ``below``."""

    name = "number"

    def __init__(self, below: float = LARGEST_NUMBER):
        self.below = below

    def convert(self, value, param, ctx) -> float:
        try:
            number = float(value)
        except ValueError:
            self.fail(f"'{value}' is not a number: expected one such as 0.1", param, ctx)
        if not 0 <= number < self.below:
            limits = f"from 0 to below {self.below:g}"
            self.fail(f"'{value}' is out of range: expected a number {limits}", param, ctx)
        return number


class NameType(click.ParamType):
    """One of a few names, with a suggestion where it is misspelt."""

    name = "name"

    def __init__(self, what: str, names: tuple[str, ...]):
        self.what, self.names = what, names

    def convert(self, value, param, ctx) -> str:
        from cnntool.wording import suggestion

        if value.lower() not in self.names:
            hint = suggestion(value, self.names)
            self.fail(f"no {self.what} '{value[:40]}'{hint}", param, ctx)
        return value.lower()

    def shell_complete(self, ctx, param, incomplete: str) -> list:
        from click.shell_completion import CompletionItem

        return [CompletionItem(name) for name in self.names if name.startswith(incomplete)]


OPTIMIZERS = ("sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw")

Decorator = Callable[[Callable], Callable]


def taking(kind: type, decorators: tuple[Decorator, ...]) -> Decorator:
    """Gives a command these options, handed over together as ``options``, a dataclass ``kind``."""

    def decorate(function: Callable) -> Callable:
        def with_options(**values):
            names = {field.name for field in fields(kind)}
            options = kind(**{name: values.pop(name) for name in names})
            return function(options=options, **values)

        with_options.__name__, with_options.__doc__ = function.__name__, function.__doc__
        with_options.__click_params__ = getattr(function, "__click_params__", [])
        for decorator in reversed(decorators):
            with_options = decorator(with_options)
        return with_options

    return decorate


def stepping(optimizer: str, rate: float, decay: float) -> tuple[Decorator, ...]:
    """How a step changes the parameters; with the optimizer taken for granted, its learning rate,
    and the decay that adamw has."""
    return (
        option(
            "--optimizer",
            section=LEARNING,
            type=NameType("optimizer", OPTIMIZERS),
            metavar="NAME",
            help=f"{', '.join(OPTIMIZERS)}.  [default: {optimizer}]",
        ),
        option(
            "--learning-rate",
            "--lr",
            section=LEARNING,
            type=FiniteFloat(above=0),
            metavar="X",
            help="Of the steps, before the schedule.  [default: by the optimizer: "
            f"{optimizer} {rate:g}, sgd 0.1, momentum 0.02]",
        ),
        option(
            "--momentum",
            section=LEARNING,
            type=NumberFrom0(below=1),
            metavar="X",
            help="Of momentum and nesterov (0.9), and rmsprop (0).",
        ),
        option(
            "--weight-decay",
            section=LEARNING,
            type=NumberFrom0(),
            metavar="X",
            help=f"Pulls parameters towards 0.  [default: 0; adamw {decay:g}]",
        ),
    )


def clip(default: float) -> Decorator:
    """How large a gradient may be."""
    return option(
        "--clip",
        section=LEARNING,
        type=NumberFrom0(),
        metavar="X",
        help=f"The largest norm of the gradient, 0 for no limit.  [default: {default:g}]",
    )


def schedule(default: str) -> Decorator:
    """How the learning rate changes."""
    return option(
        "--schedule",
        section=LEARNING,
        metavar="SPEC",
        help="Of the learning rate: cosine, constant, step:every=EPOCHS,factor=0.1, each with "
        f"warmup=STEPS.  [default: {default}]",
    )


def processes(default: str) -> Decorator:
    """How many share a batch."""
    return option(
        "--processes",
        section=RUN,
        type=WholeNumber(1, MOST_PROCESSES),
        metavar="N",
        help=f"Processes that share each batch.  [default: {default}]",
    )


STOPPING: tuple[Decorator, ...] = (
    option(
        "--patience",
        section=LEARNING,
        type=WholeNumber(0, MOST_EPOCHS),
        metavar="N",
        help="Stop after N epochs without a better validation loss; 0: never.  [default: 0]",
    ),
    option(
        "--seed",
        section=LEARNING,
        type=WholeNumber(0, (1 << 63) - 1),
        metavar="N",
        help="Of all random numbers: the same seed gives the same file.  [default: 0]",
    ),
)

FILES: tuple[Decorator, ...] = (
    option(
        "-o",
        "--output",
        section=OUTPUT,
        metavar="FILE.npz",
        type=PathName("a model file, such as model.npz"),
        help="The model with the best validation loss; FILE.last.npz beside it, the run as it "
        "stands, is written each epoch.  [default: model.npz]",
    ),
    option("-f", "--force", section=OUTPUT, is_flag=True, help="Overwrite files that exist."),
    option(
        "--log",
        section=OUTPUT,
        metavar="FILE.jsonl",
        type=PathName("a log, such as run.jsonl"),
        help="Write a line of JSON each epoch.",
    ),
    option("--log-steps", section=OUTPUT, is_flag=True, help="And one each step."),
)
"""What is written."""

RESUME = option(
    "--resume",
    section=RUN,
    metavar="FILE",
    type=PathName("the file of a run, such as model.last.npz"),
    help="Go on with a run from its FILE.last.npz, as if it had never stopped. Settings come "
    "from the file; --epochs, --patience, --learning-rate, --clip and --processes may change.",
)
"""How a run goes on."""

RUNNING: tuple[Decorator, ...] = (
    option(
        "--dry-run",
        section=RUN,
        is_flag=True,
        help="Say what would be trained and how long it would take; write nothing.",
    ),
    option(
        "--json", "as_json", section=RUN, is_flag=True, help="Print the result on stdout as JSON."
    ),
    option(
        "-q", "--quiet", section=RUN, is_flag=True, help="No notes and no progress: only errors."
    ),
)
"""What is said of it."""

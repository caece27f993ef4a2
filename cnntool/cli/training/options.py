"""The options of training, and what was given of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import click

from cnntool.cli.help import option
from cnntool.cli.options import LARGEST_NUMBER, FiniteFloat, PairType, WholeNumber

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
        from cnntool.suggestions import suggestion

        if value.lower() not in self.names:
            hint = suggestion(value, self.names)
            self.fail(f"no {self.what} '{value[:40]}'{hint}", param, ctx)
        return value.lower()

    def shell_complete(self, ctx, param, incomplete: str) -> list:
        from click.shell_completion import CompletionItem

        return [CompletionItem(name) for name in self.names if name.startswith(incomplete)]


NETWORKS = ("small", "lenet", "lenet5", "alexnet")
OPTIMIZERS = ("sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw")
COLOURS = ("auto", "grey", "rgb")


@dataclass(frozen=True)
class TrainOptions:
    """What was asked for; None is what was not."""

    data: str | None
    valid: str | None
    val_split: float | None
    resize: tuple[int, int] | None
    colour: str | None
    strict: bool
    no_cache: bool
    network: str | None
    layers: str | None
    connections: str | None
    width: float | None
    init: str | None
    epochs: int | None
    batch_size: int | None
    optimizer: str | None
    learning_rate: float | None
    momentum: float | None
    weight_decay: float | None
    clip: float | None
    schedule: str | None
    label_smoothing: float | None
    augment: str | None
    patience: int | None
    seed: int | None
    output: str | None
    force: bool
    log: str | None
    log_steps: bool
    resume: str | None
    processes: int | None
    dry_run: bool
    as_json: bool
    quiet: bool


def train_options(function: Callable) -> Callable:
    """Give a command the options of TrainOptions, and hand them over as ``options``."""

    def with_options(**values):
        names = {field.name for field in fields(TrainOptions)}
        options = TrainOptions(**{name: values.pop(name) for name in names})
        return function(options=options, **values)

    with_options.__name__, with_options.__doc__ = function.__name__, function.__doc__
    with_options.__click_params__ = getattr(function, "__click_params__", [])
    for decorator in reversed(_DECORATORS):
        with_options = decorator(with_options)
    return with_options


_DECORATORS = (
    click.argument("data", metavar="DATA", required=False),
    option(
        "--valid",
        section=DATA,
        metavar="PATH",
        help="Validate on these images, of the same classes, instead of some of DATA's.",
    ),
    option(
        "--val-split",
        section=DATA,
        type=NumberFrom0(below=1),
        metavar="FRACTION",
        help="Of DATA's images, class by class, to hold out for validation; 0 for none.  "
        "[default: 0.1, or the validation part that DATA has]",
    ),
    option(
        "--resize",
        section=DATA,
        type=PairType(),
        metavar="HxW",
        help="Resize all images to this height and width; N is NxN.",
    ),
    option(
        "--colour",
        "--color",
        section=DATA,
        type=NameType("colour", COLOURS),
        metavar="HOW",
        help="grey, rgb, or auto: colour where an image has it.  [default: auto]",
    ),
    option(
        "--strict",
        section=DATA,
        is_flag=True,
        help="An image that cannot be read is an error; without it, it is left out.",
    ),
    option(
        "--no-cache",
        section=DATA,
        is_flag=True,
        help="Do not keep the decoded images of a folder in the user's cache.",
    ),
    option(
        "--network",
        section=NETWORK,
        type=NameType("network", NETWORKS),
        metavar="NAME",
        help="small (from 8 pixels, with batch norm), lenet (from 16), lenet5 (as published, from "
        "32) or alexnet (from 32).  [default: small]",
    ),
    option(
        "--layers",
        section=NETWORK,
        metavar="TEXT|FILE",
        help="The layers instead: 'conv 16 5x5 pad 2; relu; max 2; dense 10', or a file of them.",
    ),
    option(
        "--connections",
        section=NETWORK,
        metavar="FILE.csv",
        help="Which maps each filter of the second convolution sees: a row of 0 and 1 a filter, a "
        "column a map.",
    ),
    option(
        "--width",
        section=NETWORK,
        type=FiniteFloat(above=0),
        metavar="X",
        help="Times as many filters and units in a named network.  [default: 1; alexnet 0.25]",
    ),
    option(
        "--init",
        section=NETWORK,
        type=NameType("rule", ("he", "glorot", "lecun")),
        metavar="RULE",
        help="How weights start: he, glorot or lecun.  [default: he before relu, else glorot]",
    ),
    option(
        "--epochs",
        section=LEARNING,
        type=WholeNumber(1, MOST_EPOCHS),
        metavar="N",
        help="Times to go through the images.  [default: 10]",
    ),
    option(
        "--batch-size",
        section=LEARNING,
        type=WholeNumber(1, MOST_BATCH),
        metavar="N",
        help="Images a step.  [default: 64]",
    ),
    option(
        "--optimizer",
        section=LEARNING,
        type=NameType("optimizer", OPTIMIZERS),
        metavar="NAME",
        help=f"{', '.join(OPTIMIZERS)}.  [default: adam]",
    ),
    option(
        "--learning-rate",
        "--lr",
        section=LEARNING,
        type=FiniteFloat(above=0),
        metavar="X",
        help="Of the steps, before the schedule.  [default: by the optimizer: adam 0.002, "
        "sgd 0.1, momentum 0.02]",
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
        help="Pulls parameters towards 0.  [default: 0; adamw 0.01]",
    ),
    option(
        "--clip",
        section=LEARNING,
        type=NumberFrom0(),
        metavar="X",
        help="The largest norm of the gradient, 0 for no limit.  [default: 0]",
    ),
    option(
        "--schedule",
        section=LEARNING,
        metavar="SPEC",
        help="Of the learning rate: cosine, constant, step:every=EPOCHS,factor=0.1, each with "
        "warmup=STEPS.  [default: cosine]",
    ),
    option(
        "--label-smoothing",
        section=LEARNING,
        type=NumberFrom0(below=1),
        metavar="X",
        help="How much of each target goes to all classes alike.  [default: 0]",
    ),
    option(
        "--augment",
        section=LEARNING,
        metavar="SPEC",
        help="Change images at random: shift=2,rotate=10,scale=0.1,shear=5,flip,noise=0.05,"
        "cutout=4.",
    ),
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
    option(
        "-o",
        "--output",
        section=OUTPUT,
        metavar="FILE.npz",
        help="The model with the best validation loss; FILE.last.npz beside it, the run as it "
        "stands, is written each epoch.  [default: model.npz]",
    ),
    option("-f", "--force", section=OUTPUT, is_flag=True, help="Overwrite files that exist."),
    option(
        "--log",
        section=OUTPUT,
        metavar="FILE.jsonl",
        help="Write a line of JSON each epoch.",
    ),
    option("--log-steps", section=OUTPUT, is_flag=True, help="And one each step."),
    option(
        "--resume",
        section=RUN,
        metavar="FILE",
        help="Go on with a run from its FILE.last.npz, as if it had never stopped. Settings come "
        "from the file; --epochs, --patience, --learning-rate, --clip and --processes may change.",
    ),
    option(
        "--processes",
        section=RUN,
        type=WholeNumber(1, MOST_PROCESSES),
        metavar="N",
        help="Processes that share each batch.  [default: one a core, for 16 images each; 1 with "
        "batch norm]",
    ),
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

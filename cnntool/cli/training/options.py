"""What a training command may be asked: each option once, those of all tasks before their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TypeVar

import click

from cnntool import choices
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import argument, flag, option, takes
from cnntool.cli.types import (
    Choice,
    Number,
    OutputName,
    Pair,
    PathName,
    Spec,
    WholeNumber,
    read_duration,
)
from cnntool.wording import joined

MOST_EPOCHS, MOST_BATCH, MOST_PROCESSES = 10**6, 1 << 20, 256
MOST_SIZE, MOST_LAYERS, MOST_TOKENS = 1 << 16, 64, 1 << 20


@dataclass(frozen=True)
class Learning:
    """How a network learns. What is taken for granted differs by the task, which says so again."""

    epochs: int | None = option("--epochs", WholeNumber(1, MOST_EPOCHS), "Times through the data.")
    batch_size: int | None = option("--batch-size", WholeNumber(1, MOST_BATCH), "Samples a step.")
    optimizer: str | None = option(
        "--optimizer",
        Choice(choices.OPTIMIZERS, "optimizer", "NAME"),
        f"{', '.join(choices.OPTIMIZERS)}.",
    )
    learning_rate: float | None = option(
        "--learning-rate --lr", Number(above=0), "Of the steps, before the schedule."
    )
    momentum: float | None = option(
        "--momentum",
        Number(least=0, below=1),
        "Of momentum and nesterov (0.9), and rmsprop (0).",
    )
    weight_decay: float | None = option(
        "--weight-decay", Number(least=0), "Pulls parameters towards 0."
    )
    clip: float | None = option(
        "--clip", Number(least=0), "The largest norm of the gradient, 0 for no limit."
    )
    schedule: str | None = option(
        "--schedule",
        str,
        "Of the learning rate: cosine, constant, step:every=EPOCHS,factor=0.1, each with "
        "warmup=STEPS.",
        metavar="SPEC",
    )
    patience: int | None = option(
        "--patience",
        WholeNumber(0, MOST_EPOCHS),
        "Stop after N epochs without a better validation loss; 0: never.  [default: 0]",
    )
    seed: int | None = option(
        "--seed",
        WholeNumber(0, (1 << 63) - 1),
        "Of all random numbers: the same seed gives the same file.  [default: 0]",
    )


@dataclass(frozen=True)
class Output:
    """What is written."""

    output: str | None = option(
        "-o --output",
        PathName("a model file, such as model.npz"),
        "The model with the best validation loss; FILE.last.npz beside it, with all of the run, "
        "is written each epoch.  [default: model.npz]",
        metavar="FILE.npz",
    )
    save_every: float = option(
        "--save-every",
        Spec("TIME", read_duration),
        "Within an epoch save the run this often, too, as 30s, 10m or 2h; 0: never.  "
        "[default: 10m]",
        default=600.0,
    )
    force: bool = flag("-f --force", "Overwrite files that exist.")
    log: str | None = option(
        "--log",
        OutputName("a log, such as run.jsonl"),
        "Write a line of JSON each epoch; --resume goes on there.",
        metavar="FILE.jsonl",
    )
    log_steps: bool = flag("--log-steps", "And one each step.")


@dataclass(frozen=True)
class Running:
    """How a run goes on, in how many processes, and what is said of it."""

    resume: str | None = option(
        "--resume",
        PathName("the file of a run, such as model.last.npz"),
        "Go on with a run from its FILE.last.npz, as if it had never stopped. Settings come from "
        "the file; --epochs, --patience, --learning-rate, --clip and --processes may change.",
        metavar="FILE",
    )
    processes: int | None = option(
        "--processes",
        WholeNumber(1, MOST_PROCESSES),
        "Processes that share each batch; another number differs in rounding, "
        "and in what dropout leaves out.",
    )
    dry_run: bool = flag(
        "--dry-run",
        "Say what would be trained and how long it would take, of a large network at least; write "
        "nothing.",
    )
    as_json: bool = flag("--json", "Print the result on stdout as JSON.")
    quiet: bool = flag("-q --quiet", "No notes and no progress: only errors.")


def read_layers(text: str) -> int | str:
    """A number of recurrent layers, or the text of all layers."""
    if not text.strip():
        raise ValueError("the layers are empty: write a number, or such as 'embedding ? x 64; ...'")
    if not text.strip().isdecimal():
        return text
    number = int(text)
    if not 1 <= number <= MOST_LAYERS:
        raise ValueError(f"{number} layers: expected 1 to {MOST_LAYERS}, or the text of layers")
    return number


Kind = TypeVar("Kind", bound=type)


def trainer(
    name: str, options: type, data: str, examples: str
) -> Callable[[Callable], click.Command]:
    """The command of a trainer, which takes these options; data, examples: for the end of its help,
    what it learns from and by what layers."""
    words = (
        "Ctrl-C saves the run after its step, and says how to go on; a second one quits at once."
    )
    epilog = f"\b\n{data.strip()}\n\n\b\n{words}\n\n\b\nExamples:\n  {examples.strip()}"

    def decorate(function: Callable) -> click.Command:
        return click.command(name, cls=SectionedCommand, epilog=epilog)(takes(options)(function))

    return decorate


def of_task(task: str, processes: str, **said: str) -> Callable[[Kind], Kind]:
    """Say in the help of a trainer's options what its task takes for granted, with other words for
    some; they keep the places that they have in the help of all.

    processes: of what each is worth one, where nothing is said.
    """
    learning, sizes = choices.LEARNING[task], choices.SIZES.get(task, {})
    usual = {
        name: f"{value:g}" if isinstance(value, float) else f"{value}"
        for name, value in (learning | sizes).items()
    }
    shown = dict.fromkeys((learning["optimizer"], "sgd", "momentum"))
    rates = (f"{each} {choices.rates_of(task, each).learning_rate:g}" for each in shown)
    usual["learning_rate"] = f"by the optimizer: {', '.join(rates)}"
    usual["weight_decay"] = f"0; adamw {choices.rates_of(task, 'adamw').weight_decay:g}"
    usual["processes"] = processes
    if task in WARMED_UP:
        usual["schedule"] += f"{WARMED_UP[task]} with warmup={choices.WARM_UP}, a tenth of the run "
        usual["schedule"] += "at most"

    def decorate(kind: Kind) -> Kind:
        for each in (each for base in kind.__bases__ for each in fields(base)):
            name, attributes = each.name, each.metadata["attributes"]
            if name in vars(kind) or not (name in usual or name in said):
                continue
            owner = next(k for k in kind.__mro__ if name in vars(k).get("__annotations__", ()))
            help = said.get(name, attributes["help"])
            help += f"  [default: {usual[name]}]" if name in usual else ""
            changes = {
                "section": vars(owner).get("section", owner.__name__),
                "attributes": {**attributes, "help": help},
            }
            kind.__annotations__[name] = each.type
            setattr(kind, name, field(default=None, metadata={**each.metadata, **changes}))
        return kind

    return decorate


WARMED_UP = {"classifier": "", "tagger": "; of frames", "captioner": ""}
"""The tasks whose rate grows at the start, and of what."""


@dataclass(frozen=True)
class Pictures:
    """What pictures become."""

    section = "Data"
    resize: tuple[int, int] | None = option(
        "--resize", Pair(), "Resize all images to this height and width; N is NxN.", metavar="HxW"
    )
    colour: str | None = option(
        "--colour --color",
        Choice(choices.COLOURS, "colour", "HOW"),
        "grey, rgb, or auto: colour where an image has it.  [default: auto]",
    )


@dataclass(frozen=True)
class ImageData:
    """Which images are learned from."""

    section = "Data"
    data: str | None = argument("DATA", PathName("a data set, such as digits"), required=False)
    valid: str | None = option(
        "--valid",
        PathName("a data set of the same classes"),
        "Validate on these images, of the same classes, instead of some of DATA's.",
        metavar="PATH",
    )
    val_split: float | None = option(
        "--val-split",
        Number(least=0, below=1),
        "Of DATA's images, class by class, to hold out for validation; 0 for none.  "
        "[default: 0.1, or the validation part that DATA has]",
        metavar="FRACTION",
    )
    test: str | None = option(
        "--test",
        PathName("a data set of the same classes"),
        "Judge the best model on these images at the end, instead of on the test part that DATA "
        "may have.",
        metavar="PATH",
    )


@dataclass(frozen=True)
class ImageNetwork:
    """What learns them."""

    section = "Network"
    network: str | None = option(
        "--network",
        Choice(choices.NETWORKS, "network", "NAME"),
        f"{joined([f'{name} ({what})' for name, what in choices.NETWORKS.items()], 'or')}.  "
        f"[default: {choices.USUAL_NETWORKS}]",
    )
    layers: str | None = option(
        "--layers",
        str,
        "The layers instead: 'conv 16 5x5 pad 2; relu; max 2; dense 10', or a file of them.",
        metavar="TEXT|FILE",
    )
    connections: str | None = option(
        "--connections",
        PathName("a table, such as connections.csv"),
        "Which maps each filter of the second convolution sees: a row of 0 and 1 a filter, a "
        "column a map.",
        metavar="FILE.csv",
    )
    width: float | None = option(
        "--width",
        Number(above=0),
        "Times as many filters and units in a named network.  [default: 1; alexnet 0.25]",
    )
    init: str | None = option(
        "--init",
        Choice(choices.INITIALISATIONS, "rule", "RULE"),
        "How weights start: he, glorot or lecun.  [default: he before relu, else glorot]",
    )


@dataclass(frozen=True)
@of_task(
    "cnn",
    "2, for 16 images each; 1 with batch norm",
    epochs="Times to go through the images.",
    batch_size="Images a step.",
)
class ImageOptions(Running, Output, Learning, ImageNetwork, Pictures, ImageData):
    """All that `cnntool train-cnn` takes."""

    strict: bool = flag(
        "--strict",
        "An image that cannot be read is an error; without it, it is left out.",
        section="Data",
    )
    no_cache: bool = flag(
        "--no-cache",
        "Do not keep the decoded images of a folder in the user's cache.",
        section="Data",
    )
    label_smoothing: float | None = option(
        "--label-smoothing",
        Number(least=0, below=1),
        "How much of each target goes to all classes alike.  [default: 0]",
        section="Learning",
    )
    augment: str | None = option(
        "--augment",
        str,
        "Change images at random: shift=2,rotate=10,scale=0.1,shear=5,flip,noise=0.05,cutout=4.",
        section="Learning",
        metavar="SPEC",
    )


@dataclass(frozen=True)
class Words:
    """Which tokens are known."""

    section = "Data"
    vocab_size: int | None = option(
        "--vocab-size",
        WholeNumber(2, MOST_TOKENS),
        "Know the N most frequent tokens, <unk> for all others being one of them.  [default: all]",
    )
    min_count: int | None = option(
        "--min-count", WholeNumber(1), "Know the tokens that occur N times or more.  [default: 1]"
    )


@dataclass(frozen=True)
class RecurrentNetwork:
    """What learns them."""

    section = "Network"
    cell: str | None = option(
        "--cell", Choice(choices.CELLS, "cell", "NAME"), "lstm, gru or rnn (tanh)."
    )
    embed_size: int | None = option(
        "--embed-size", WholeNumber(1, MOST_SIZE), "Numbers that stand for a token."
    )
    hidden_size: int | None = option(
        "--hidden-size",
        WholeNumber(1, MOST_SIZE),
        "Units of each recurrent layer, in each direction.",
    )
    layers: int | str | None = option(
        "--layers --num-layers",
        Spec("N|TEXT", read_layers),
        "Recurrent layers, one upon the other; or the text of all layers, where ? stands for the "
        "number that the data has.  [default: 1]",
    )
    dropout: float | None = option(
        "--dropout",
        Number(least=0, below=1),
        "Of the units before each layer and the output, in training.",
    )


@dataclass(frozen=True)
class TextData:
    """Which texts are learned from."""

    section = "Data"
    data: tuple[str, ...] = argument(
        "TEXT...", PathName("a text file, or - for stdin"), many=True, required=False
    )
    level: str | None = option(
        "--level",
        Choice(choices.LEVELS, "level", "NAME"),
        "What a token is: word, char or byte.  [default: word]",
    )
    encoding: str | None = option(
        "--encoding", str, "Of the text, such as latin-1.  [default: utf-8]", metavar="NAME"
    )
    val_split: float | None = option(
        "--val-split",
        Number(least=0, below=1),
        "Of the text, its end, to hold out for validation; 0 for none.  [default: 0.1]",
        metavar="FRACTION",
    )
    valid: str | None = option(
        "--valid",
        PathName("a text to validate on"),
        "Validate on this text instead.",
        metavar="FILE",
    )
    test: str | None = option(
        "--test",
        PathName("a text to test on"),
        "Judge the best model on this text at the end.",
        metavar="FILE",
    )


@dataclass(frozen=True)
@of_task(
    "rnn",
    "2, for 8 rows each",
    batch_size="Rows that the text is cut into, read side by side.",
    hidden_size="Units of each recurrent layer.",
)
class TextOptions(Running, Output, Learning, RecurrentNetwork, Words, TextData):
    """All that `cnntool train-lstm` takes."""

    tie_weights: bool = flag(
        "--tie-weights",
        "One table for embedding and output, whose sizes are one then: --embed-size or "
        "--hidden-size, whichever is given.",
        section="Network",
    )
    epochs: int | None = option(
        "--num-epochs --epochs",
        WholeNumber(1, MOST_EPOCHS),
        f"Times to go through the text.  [default: {choices.LEARNING['rnn']['epochs']}]",
        section="Learning",
    )
    seq_length: int | None = option(
        "--seq-length",
        WholeNumber(1, MOST_TOKENS),
        "Tokens of a window: how far the gradient goes back through time.  [default: 30]",
        section="Learning",
    )
    num_samples: int = option(
        "--num-samples",
        WholeNumber(0, 10**6),
        "Tokens to sample from the model and show at the end.  [default: 200]",
        default=200,
        section="Output",
    )

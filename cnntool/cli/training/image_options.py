"""The options of `cnntool train-cnn`, and what was given of them."""

from __future__ import annotations

from dataclasses import dataclass

import click

from cnntool.cli.help import option
from cnntool.cli.options import FiniteFloat, PairType, PathName, WholeNumber
from cnntool.cli.training.options import (
    DATA,
    FILES,
    LEARNING,
    MOST_BATCH,
    MOST_EPOCHS,
    NETWORK,
    RESUME,
    RUNNING,
    STOPPING,
    NameType,
    NumberFrom0,
    clip,
    processes,
    schedule,
    stepping,
    taking,
)

NETWORKS = ("small", "lenet", "lenet5", "alexnet")
COLOURS = ("auto", "grey", "rgb")


@dataclass(frozen=True)
class ImageOptions:
    """What was asked for; None is what was not."""

    data: str | None
    valid: str | None
    val_split: float | None
    test: str | None
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


_OPTIONS = (
    click.argument(
        "data", metavar="DATA", required=False, type=PathName("a data set, such as digits")
    ),
    option(
        "--valid",
        section=DATA,
        type=PathName("a data set of the same classes"),
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
        "--test",
        section=DATA,
        type=PathName("a data set of the same classes"),
        metavar="PATH",
        help="Judge the best model on these images at the end, instead of on the test part that "
        "DATA may have.",
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
        type=PathName("a table, such as connections.csv"),
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
    *stepping("adamw", 0.003, 0.3),
    clip(0),
    schedule("cosine"),
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
    *STOPPING,
    *FILES,
    RESUME,
    processes("one a core, for 16 images each; 1 with batch norm"),
    *RUNNING,
)

image_options = taking(ImageOptions, _OPTIONS)

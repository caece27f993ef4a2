"""The options of `cnntool train-lstm`, and what was given of them."""

from __future__ import annotations

from dataclasses import dataclass

import click

from cnntool.cli.help import option
from cnntool.cli.options import PathName, WholeNumber
from cnntool.cli.training.options import (
    DATA,
    FILES,
    LEARNING,
    MOST_BATCH,
    MOST_EPOCHS,
    NETWORK,
    OUTPUT,
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

LEVELS = ("word", "char", "byte")
CELLS = ("lstm", "gru", "rnn")
MOST_SIZE, MOST_LAYERS, MOST_TOKENS = 1 << 16, 64, 1 << 20


@dataclass(frozen=True)
class TextOptions:
    """What was asked for; None is what was not."""

    texts: tuple[str, ...]
    level: str | None
    encoding: str | None
    vocab_size: int | None
    min_count: int | None
    val_split: float | None
    valid: str | None
    test: str | None
    cell: str | None
    embed_size: int | None
    hidden_size: int | None
    layers: int | None
    dropout: float | None
    tie_weights: bool
    epochs: int | None
    batch_size: int | None
    seq_length: int | None
    optimizer: str | None
    learning_rate: float | None
    momentum: float | None
    weight_decay: float | None
    clip: float | None
    schedule: str | None
    patience: int | None
    seed: int | None
    num_samples: int
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
        "texts",
        metavar="TEXT...",
        nargs=-1,
        type=PathName("a text file, or - for stdin"),
    ),
    option(
        "--level",
        section=DATA,
        type=NameType("level", LEVELS),
        metavar="NAME",
        help="What a token is: word, char or byte.  [default: word]",
    ),
    option(
        "--encoding",
        section=DATA,
        metavar="NAME",
        help="Of the text, such as latin-1.  [default: utf-8]",
    ),
    option(
        "--vocab-size",
        section=DATA,
        type=WholeNumber(2, MOST_TOKENS),
        metavar="N",
        help="Know the N most frequent tokens, <unk> for all others being one of them.  "
        "[default: all]",
    ),
    option(
        "--min-count",
        section=DATA,
        type=WholeNumber(1),
        metavar="N",
        help="Know the tokens that occur N times or more.  [default: 1]",
    ),
    option(
        "--val-split",
        section=DATA,
        type=NumberFrom0(below=1),
        metavar="FRACTION",
        help="Of the text, its end, to hold out for validation; 0 for none.  [default: 0.1]",
    ),
    option(
        "--valid",
        section=DATA,
        type=PathName("a text to validate on"),
        metavar="FILE",
        help="Validate on this text instead.",
    ),
    option(
        "--test",
        section=DATA,
        type=PathName("a text to test on"),
        metavar="FILE",
        help="Judge the best model on this text at the end.",
    ),
    option(
        "--cell",
        section=NETWORK,
        type=NameType("cell", CELLS),
        metavar="NAME",
        help="lstm, gru or rnn (tanh).  [default: lstm]",
    ),
    option(
        "--embed-size",
        section=NETWORK,
        type=WholeNumber(1, MOST_SIZE),
        metavar="N",
        help="Numbers that stand for a token.  [default: 32]",
    ),
    option(
        "--hidden-size",
        section=NETWORK,
        type=WholeNumber(1, MOST_SIZE),
        metavar="N",
        help="Units of each recurrent layer.  [default: 32]",
    ),
    option(
        "--layers",
        "--num-layers",
        section=NETWORK,
        type=WholeNumber(1, MOST_LAYERS),
        metavar="N",
        help="Recurrent layers, one upon the other.  [default: 1]",
    ),
    option(
        "--dropout",
        section=NETWORK,
        type=NumberFrom0(below=1),
        metavar="X",
        help="Of the units before each layer and the output, in training.  [default: 0]",
    ),
    option(
        "--tie-weights",
        section=NETWORK,
        is_flag=True,
        help="One table for embedding and output; --embed-size is --hidden-size then.",
    ),
    option(
        "--num-epochs",
        "--epochs",
        "epochs",
        section=LEARNING,
        type=WholeNumber(1, MOST_EPOCHS),
        metavar="N",
        help="Times to go through the text.  [default: 1]",
    ),
    option(
        "--batch-size",
        section=LEARNING,
        type=WholeNumber(1, MOST_BATCH),
        metavar="N",
        help="Rows that the text is cut into, read side by side.  [default: 20]",
    ),
    option(
        "--seq-length",
        section=LEARNING,
        type=WholeNumber(1, MOST_TOKENS),
        metavar="N",
        help="Tokens of a window: how far the gradient goes back through time.  [default: 30]",
    ),
    *stepping("adam", 0.002, 0.01),
    clip(0.5),
    schedule("constant"),
    *STOPPING,
    option(
        "--num-samples",
        section=OUTPUT,
        type=WholeNumber(0, 10**6),
        default=200,
        metavar="N",
        help="Tokens to sample from the model and show at the end.  [default: 200]",
    ),
    *FILES,
    RESUME,
    processes("one a core, for 8 rows each"),
    *RUNNING,
)

text_options = taking(TextOptions, _OPTIONS)

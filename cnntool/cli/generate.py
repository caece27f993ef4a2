"""`cnntool generate`: have a language model write."""

from __future__ import annotations

import secrets
import sys
from dataclasses import dataclass
from itertools import islice

import click

from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import Model, encoding_option, flag, option, refuse, takes
from cnntool.cli.types import Number, WholeNumber

MOST_LENGTH = 10**9


@dataclass(frozen=True)
class Asked(Model):
    """Which model writes, how its text begins, and how tokens are drawn and shown."""

    section = "Choice"
    length: int = option(
        "-n --length",
        WholeNumber(0, MOST_LENGTH),
        "Tokens to write: words, characters or bytes, as the model knows.  [default: 200]",
        section="Text",
        default=200,
    )
    prime: str | None = option(
        "--prime",
        str,
        "How the text begins; - reads it from stdin.  [default: the beginning of a line]",
        section="Text",
        metavar="TEXT",
    )
    encoding: str | None = encoding_option("Of stdin, where --prime is -", "Text")
    new_only: bool = flag("--new-only", "Print what is new, without --prime.", section="Text")
    temperature: float = option(
        "-t --temperature",
        Number(least=0),
        "Below 1 what is likely comes more often, at 0 always the likeliest; above 1 less.  "
        "[default: 1]",
        default=1.0,
    )
    top_k: int | None = option(
        "--top-k", WholeNumber(1, metavar="K"), "Draw among the K likeliest only."
    )
    top_p: float = option(
        "--top-p",
        Number(above=0, most=1, metavar="P"),
        "Draw among the fewest that have this probability together, such as 0.9.",
        default=1.0,
    )
    seed: int | None = option(
        "--seed",
        WholeNumber(0, (1 << 63) - 1),
        "The same seed writes the same text.  [default: another one each time]",
    )
    why: bool = flag(
        "--why",
        "A line a token: how likely it was, and what else could have come.",
        section="Output",
    )
    as_json: bool = flag("--json", "One line of JSON a token.", section="Running")
    quiet: bool = flag("-q --quiet", "No notes: only the text and errors.", section="Running")


@click.command(
    "generate",
    cls=SectionedCommand,
    epilog="""\b
Examples:
  cnntool generate model.npz
  cnntool generate model.npz --prime 'The king' --length 50 --temperature 0.8
  cnntool generate model.npz --prime 'The king' --temperature 0 --why
  head -c 500 story.txt | cnntool generate model.npz --prime - --new-only
  cnntool generate model.npz --top-p 0.9 --seed 7 --length 1000 > sample.txt""",
)
@takes(Asked)
def command(asked: Asked) -> None:
    """Write a text with a model of `cnntool train-lstm`, token by token as they are drawn.

    Each token is drawn from the probabilities that the model gives to what may come next, and is
    then read by it. Words that the model does not know, in --prime, are read as unknown; it never
    writes one.
    """
    import numpy as np

    from cnntool.cli.console import complain, reading
    from cnntool.cli.writing import name_unknown, typed_text, write_json, write_reasons, write_text
    from cnntool.datasets.texts.text import STDIN
    from cnntool.networks.model import load_text_model
    from cnntool.networks.sampling import Choice, draws, line_start, primed

    if asked.prime != STDIN:
        refuse(asked, ["encoding"], "is that of stdin: give --prime - too, or leave it out")
    trained = load_text_model(asked.model)
    vocabulary = trained.vocabulary
    prime = typed_text(asked.prime or "", trained, asked.encoding)
    if not asked.quiet:
        name_unknown(prime, vocabulary, "--prime")
    seed = secrets.randbits(32) if asked.seed is None else asked.seed
    if asked.seed is None and asked.temperature > 0 and not asked.quiet:
        complain(f"--seed {seed} writes this text again")
    ids = np.concatenate([line_start(vocabulary), vocabulary.encode(prime)])
    with reading("--prime", asked.quiet) as advance:

        def told(done: int) -> None:
            if advance:
                advance(done, len(ids))

        logits, states = primed(trained.network, ids, told)
    banned = () if vocabulary.unknown is None else (vocabulary.unknown,)
    choice = Choice(asked.temperature, asked.top_k, asked.top_p, banned)
    rng = np.random.default_rng(seed)
    drawn = islice(draws(trained.network, logits, states, choice, rng), asked.length)
    if asked.as_json:
        write_json(drawn, vocabulary)
    elif asked.why:
        write_reasons(drawn, vocabulary)
    else:
        write_text(drawn, vocabulary, None if asked.new_only else prime)
    sys.stdout.flush()  # a full disk is an error

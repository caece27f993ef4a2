"""`cnntool generate`: have a language model write."""

from __future__ import annotations

from dataclasses import dataclass

import click

from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import Model, flag, option, takes
from cnntool.cli.types import Number, WholeNumber

MOST_LENGTH = 10**9


@dataclass(frozen=True)
class Text:
    """What is written."""

    length: int = option(
        "-n --length",
        WholeNumber(0, MOST_LENGTH),
        "Tokens to write: words, characters or bytes, as the model knows.  [default: 200]",
        default=200,
    )
    prime: str | None = option(
        "--prime",
        str,
        "How the text begins; - reads it from stdin.  [default: the beginning of a line]",
        metavar="TEXT",
    )
    encoding: str | None = option(
        "--encoding",
        str,
        "Of stdin, where --prime is -.  [default: that of the text it learned from]",
        metavar="NAME",
    )
    new_only: bool = flag("--new-only", "Print what is new, without --prime.")


@dataclass(frozen=True)
class Drawing:
    """How the next token is chosen."""

    section = "Choice"
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


@dataclass(frozen=True)
class Shown:
    """What is printed."""

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
@takes(Model, Text, Drawing, Shown)
def command(model: Model, text: Text, drawing: Drawing, shown: Shown) -> None:
    """Write a text with a model of `cnntool train-lstm`, token by token as they are drawn.

    Each token is drawn from the probabilities that the model gives to what may come next, and is
    then read by it. Words that the model does not know, in --prime, are read as unknown; it never
    writes one.
    """
    from cnntool.cli.writing import Request, write
    from cnntool.networks.model import load_text_model
    from cnntool.networks.sampling import Choice

    trained = load_text_model(model.model)
    unknown = trained.vocabulary.unknown
    choice = Choice(
        drawing.temperature,
        drawing.top_k,
        drawing.top_p,
        () if unknown is None else (unknown,),
    )
    request = Request(
        text.length,
        text.prime,
        text.encoding,
        not text.new_only,
        choice,
        drawing.seed,
        "json" if shown.as_json else "why" if shown.why else "text",
        shown.quiet,
    )
    write(trained, request)

"""`cnntool generate`: have a language model write."""

from __future__ import annotations

import click

from cnntool.cli.help import SectionedCommand, option
from cnntool.cli.options import OUTPUT, RUN, PathName, WholeNumber
from cnntool.cli.types import Number

TEXT, CHOICE = "Text", "Choice"
MOST_LENGTH = 10**9


class Share(click.ParamType):
    """A number above 0, up to 1."""

    name = "number"

    def convert(self, value, param, ctx) -> float:
        try:
            number = float(value)
        except ValueError:
            self.fail(f"'{value}' is not a number: expected one such as 0.9", param, ctx)
        if not 0 < number <= 1:
            self.fail(f"'{value}' is out of range: expected above 0, up to 1", param, ctx)
        return number


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
@click.argument("model", metavar="MODEL", type=PathName("a model file"))
@option(
    "-n",
    "--length",
    section=TEXT,
    type=WholeNumber(0, MOST_LENGTH),
    default=200,
    metavar="N",
    help="Tokens to write: words, characters or bytes, as the model knows.  [default: 200]",
)
@option(
    "--prime",
    section=TEXT,
    metavar="TEXT",
    help="How the text begins; - reads it from stdin.  [default: the beginning of a line]",
)
@option(
    "--encoding",
    section=TEXT,
    metavar="NAME",
    help="Of stdin, where --prime is -.  [default: that of the text it learned from]",
)
@option("--new-only", section=TEXT, is_flag=True, help="Print what is new, without --prime.")
@option(
    "-t",
    "--temperature",
    section=CHOICE,
    type=Number(least=0),
    default=1.0,
    metavar="X",
    help="Below 1 what is likely comes more often, at 0 always the likeliest; above 1 less.  "
    "[default: 1]",
)
@option(
    "--top-k",
    section=CHOICE,
    type=WholeNumber(1),
    metavar="K",
    help="Draw among the K likeliest only.",
)
@option(
    "--top-p",
    section=CHOICE,
    type=Share(),
    default=1.0,
    metavar="P",
    help="Draw among the fewest that have this probability together, such as 0.9.",
)
@option(
    "--seed",
    section=CHOICE,
    type=WholeNumber(0, (1 << 63) - 1),
    metavar="N",
    help="The same seed writes the same text.  [default: another one each time]",
)
@option(
    "--why",
    section=OUTPUT,
    is_flag=True,
    help="A line a token: how likely it was, and what else could have come.",
)
@option("--json", "as_json", section=RUN, is_flag=True, help="One line of JSON a token.")
@option("-q", "--quiet", section=RUN, is_flag=True, help="No notes: only the text and errors.")
def command(model: str, length: int, prime: str | None, **options) -> None:
    """Write a text with a model of `cnntool train-lstm`, token by token as they are drawn.

    Each token is drawn from the probabilities that the model gives to what may come next, and is
    then read by it. Words that the model does not know, in --prime, are read as unknown; it never
    writes one.
    """
    from cnntool.cli.writing import Request, write
    from cnntool.networks.model import load_text_model
    from cnntool.networks.sampling import Choice

    trained = load_text_model(model)
    unknown = trained.vocabulary.unknown
    choice = Choice(
        options["temperature"],
        options["top_k"],
        options["top_p"],
        () if unknown is None else (unknown,),
    )
    shown = "json" if options["as_json"] else "why" if options["why"] else "text"
    request = Request(
        length,
        prime,
        options["encoding"],
        not options["new_only"],
        choice,
        options["seed"],
        shown,
        options["quiet"],
    )
    write(trained, request)

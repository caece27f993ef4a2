"""`cnntool generate`: have a language model write, or a translator or a captioner say a text."""

from __future__ import annotations

import secrets
import sys
from dataclasses import dataclass
from itertools import islice

import click

from cnntool.cli.console import complain, reading
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import Model, argument, encoding_option, flag, option, refuse, takes
from cnntool.cli.types import Number, PathName, WholeNumber
from cnntool.errors import InputError

MOST_LENGTH = 10**9

OF_WRITERS = ("length", "prime", "new_only", "why")
OF_DECODERS = ("text", "count")
"""Options that models of one kind alone have a use for."""


@dataclass(frozen=True)
class Asked(Model):
    """Which model writes, how its text begins, and how tokens are drawn and shown."""

    section = "Choice"
    picture: str | None = argument(
        "[PICTURE]", PathName("a picture, of a captioner"), required=False
    )
    text: str | None = option(
        "--text",
        str,
        "Of a translator: what it is given; - reads it from stdin.",
        section="Text",
        metavar="TEXT",
    )
    count: int = option(
        "--count",
        WholeNumber(1, MOST_LENGTH),
        "Of a translator or a captioner: texts to draw, a line each.  [default: 1]",
        section="Text",
        default=1,
    )
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
    encoding: str | None = encoding_option("Of stdin, where --prime or --text is -", "Text")
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
        "A line a token: how likely it was, and what else could have come; with --temperature 0 at "
        "temperature 1.",
        section="Output",
    )
    as_json: bool = flag(
        "--json",
        "One line of JSON a token, or of a translator or captioner a text.",
        section="Running",
    )
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
  cnntool generate model.npz --top-p 0.9 --seed 7 --length 1000 > sample.txt
  cnntool generate say.npz --text phone --temperature 0.7 --count 5
  cnntool generate shapes.npz picture.png --count 5 --seed 1""",
)
@takes(Asked)
def command(asked: Asked) -> None:
    """Write a text with a model of `cnntool train-lstm`, token by token as they are drawn; or have
    a translator or a captioner say what else it might, of a text or a picture.

    Each token is drawn from the probabilities that the model gives to what may come next, and is
    then read by it. Words that the model does not know, in --prime, are read as unknown; it never
    writes one.
    """
    from cnntool.networks.model_file import KINDS, load_header

    kind = load_header(asked.model).kind
    if kind not in ("rnn", "translator", "captioner"):
        raise InputError(
            f"{asked.model} is {KINDS[kind]}, which writes no text: use cnntool predict"
        )
    others = OF_DECODERS if kind == "rnn" else OF_WRITERS
    reason = f"is of no use here: {asked.model} is {KINDS[kind]}"
    refuse(asked, others, reason)
    if kind == "rnn" and asked.picture is not None:
        raise click.UsageError(f"{asked.picture} {reason}")
    if "-" not in (asked.prime, asked.text):
        option = "--prime" if kind == "rnn" else "--text"
        refuse(asked, ["encoding"], f"is that of stdin: give {option} - too, or leave it out")
    seed = secrets.randbits(32) if asked.seed is None else asked.seed
    if kind == "rnn":
        write(asked, seed)
    else:
        say(asked, seed)
    sys.stdout.flush()  # a full disk is an error


def say(asked: Asked, seed: int) -> None:
    """Print what a decoder says, drawn token by token, a text a line."""
    import numpy as np

    from cnntool.cli.one_input import one_input
    from cnntool.cli.sequence_predictions import Asking
    from cnntool.networks.decoding import said_of
    from cnntool.networks.model import load_sequence_model
    from cnntool.networks.sampling import Choice

    model = load_sequence_model(asked.model)
    given = one_input(model, asked.text, asked.picture, encoding=asked.encoding)
    writer, asking = model.writer, Asking(model, None, None, asked.as_json, asked.quiet)
    assert writer is not None
    for note in () if asked.quiet else given.notes:
        complain(note)
    _tell_seed(asked, seed)
    unknown = writer.vocabulary.unknown
    banned = () if unknown is None else (unknown,)
    choice = Choice(asked.temperature, asked.top_k, asked.top_p, banned)
    rng, network = np.random.default_rng(seed), model.joined
    encoded = network.encoded(given.x, given.lengths)
    for _ in range(asked.count):
        drawn = said_of(network, encoded, writer.end, model.longest, choice, rng)
        asking.count(drawn)
        asking.print(asking.said_line(drawn))
    asking.say_notes()


def _tell_seed(asked: Asked, seed: int) -> None:
    """How to have the same again, where it was left to chance; where nothing is, which options of
    chance do nothing."""
    if asked.quiet:
        return
    if asked.temperature > 0:
        if asked.seed is None:
            complain(f"--seed {seed} writes this text again")
        return
    given = {"--seed": asked.seed is not None, "--top-k": asked.top_k is not None}
    given |= {"--top-p": asked.top_p < 1, "--count": asked.count > 1}
    for name in filter(given.get, given):
        complain(f"{name} does nothing: --temperature 0 takes the likeliest each time")


def write(asked: Asked, seed: int) -> None:
    """Print what a language model writes."""
    import numpy as np

    from cnntool.cli.generated_text import write_json, write_reasons, write_text
    from cnntool.cli.typed_text import name_unknown, typed_text
    from cnntool.networks.model import load_trained
    from cnntool.networks.sampling import Choice, draws, line_start, primed

    trained = load_trained(asked.model, "rnn")
    vocabulary = trained.vocabulary
    prime = typed_text(asked.prime or "", trained, asked.encoding)
    if not asked.quiet:
        name_unknown(prime, vocabulary, "--prime")
    _tell_seed(asked, seed)
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

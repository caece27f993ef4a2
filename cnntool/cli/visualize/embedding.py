"""`cnntool visualize embedding`: which words of a model lie near each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnntool.cli.console import print_json, show, table
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import argument, flag, option, takes
from cnntool.cli.types import PathName, WholeNumber
from cnntool.cli.visualize.options import (
    OUTPUT,
    WHAT,
    Reported,
    picture_path,
    target_of,
)
from cnntool.errors import InputError, RequestError
from cnntool.wording import signed, suggestion

if TYPE_CHECKING:
    import numpy as np

    from cnntool.datasets.texts.vocabulary import Vocabulary
    from cnntool.study.embedding_space import Plane

DEFAULT_WORDS, MOST_WORDS = 120, 2000
NEIGHBOURS, MOST_NEIGHBOURS = 8, 100
MOST_LISTED = 12
"""Words of a vocabulary that a message lists."""

ALONE = "a dot stands alone where there is no room for its name"


@dataclass(frozen=True)
class Words:
    """A model, and which of its words."""

    section = WHAT
    model: str = argument("MODEL", PathName("a model file of text"))
    words: int = option(
        "--words",
        WholeNumber(2, MOST_WORDS),
        f"Draw the N most frequent tokens.  [default: {DEFAULT_WORDS}]",
        default=DEFAULT_WORDS,
    )
    target: bool = flag(
        "--target",
        "Of a translator the tokens that it says.  [default: those that it reads]",
    )
    near: tuple[str, ...] = option(
        "--near",
        str,
        "Give the neighbours of this word; repeat it for more. In a picture they are red.",
        metavar="WORD",
        multiple=True,
    )
    neighbours: int = option(
        "--neighbours --neighbors",
        WholeNumber(1, MOST_NEIGHBOURS, "K"),
        f"How many neighbours of each.  [default: {NEIGHBOURS}]",
        default=NEIGHBOURS,
    )


@dataclass(frozen=True, eq=False)
class Table:
    """Tokens of a level, each with its row of ``rows`` (V, E); name: of the model's file."""

    name: str
    level: str
    vocabulary: Vocabulary
    rows: np.ndarray


@dataclass(frozen=True)
class Map(Reported):
    """A picture that is not drawn where only neighbours are asked for."""

    section = OUTPUT
    output: str | None = picture_path(
        "in this folder, under a name that tells what it shows; none with --near"
    )


@click.command(
    "embedding",
    cls=SectionedCommand,
    epilog="""\b
Examples:
  cnntool visualize embedding words.npz
  cnntool visualize embedding words.npz --words 300 -o words.png
  cnntool visualize embedding words.npz --near king --near cat
  cnntool visualize embedding words.npz --near king -o king.png
  cnntool visualize embedding words.npz --json | jq '.words[0].nearest'
  cnntool visualize embedding say.npz --target""",
)
@takes(Words, Map)
def command(asked: Words, picture: Map) -> None:
    """Draw the words of a model of text in the plane, and say which lie near each other.

    Each word is a point in as many dimensions as --embed-size says; the picture shows the plane in
    which they spread most (principal components). Words are near that point in about the same
    direction, by the cosine of the angle between them in all dimensions: 1 is the same, 0 nothing
    in common. Characters and bytes are drawn alike.
    """
    from cnntool.cli.terminal import draw_words
    from cnntool.study.embedding_space import principal_plane
    from cnntool.visuals.word_map import word_map

    picture.check()
    near, count, as_json = asked.near, asked.neighbours, picture.as_json
    is_drawn = picture.is_asked_for or not (near or as_json)
    if not is_drawn:
        picture.refuse_font()
    which = "target" if asked.target else None
    target = target_of(picture, asked.model, which, "embedding") if is_drawn else None
    trained = table_of(asked.model, asked.target)
    chosen = known_ids(trained, near)
    marked = _with_neighbours(trained, chosen, count)
    drawn = list(dict.fromkeys([*chosen, *marked, *frequent_ids(trained, asked.words)]))
    plane = principal_plane(trained.rows[drawn])
    if as_json:
        print_json(_entry(trained, drawn, plane, chosen or drawn, count))
    elif near and not (target is not None and target.stdout):
        _show(trained, chosen, count)
    if target is not None:
        names, line = _names(trained, drawn), _caption(trained, drawn, plane)
        red = {k for k, word in enumerate(drawn) if word in marked}
        target.deliver(
            word_map(plane.points, names, [f"{line}; {ALONE}"], red),
            print_path=not (as_json or near),
            draw=lambda: draw_words(plane.points, names, [line], red),
        )


def table_of(path: str, of_target: bool) -> Table:
    """The embedding of a model file; RequestError where there is none of those tokens."""
    from cnntool.datasets.sequences.inputs import TextInput
    from cnntool.networks.model import Classifier, SequenceModel, load_trained

    trained = load_trained(path)
    if isinstance(trained, Classifier):
        trained = load_trained(path, "rnn")  # raises
    if not isinstance(trained, SequenceModel):
        if of_target:
            raise RequestError(f"--target is of a translator, and {path} is none: leave it out")
        vocabulary = trained.vocabulary
        return Table(path, vocabulary.level, vocabulary, trained.network.params["embedding.weight"])
    params, reader, writer = trained.network.params, trained.reader, trained.writer
    if writer is not None and (of_target or not isinstance(reader, TextInput)):
        return Table(path, writer.level, writer.vocabulary, params["decoder.embedding.weight"])
    if of_target:
        raise RequestError(f"--target is of a translator, and {path} is none: leave it out")
    if not isinstance(reader, TextInput):
        raise InputError(f"{path} reads no tokens, so it has no embedding: name a model of texts")
    start = "" if writer is None else "encoder."
    return Table(path, reader.level, reader.vocabulary, params[f"{start}embedding.weight"])


def known_ids(trained: Table, words: tuple[str, ...]) -> list[int]:
    """The ids of words; RequestError for one that the model does not know."""
    tokens = trained.vocabulary.tokens
    index = {token: number for number, token in enumerate(tokens)}
    for word in words:
        if word not in index:
            hint = suggestion(word[:40], (t for t in tokens if len(t) <= 40), MOST_LISTED)
            raise RequestError(
                f"--near {word[:40]!r} is none of the tokens of {trained.name}{hint}"
            )
    return list(dict.fromkeys(index[word] for word in words))


def frequent_ids(trained: Table, count: int) -> range:
    """The most frequent tokens, as vocabularies are in that order; all of them for bytes."""
    first = 0 if trained.vocabulary.unknown is None else 1
    return range(first, min(len(trained.vocabulary), first + count))


def _with_neighbours(trained: Table, ids: list[int], count: int) -> dict[int, None]:
    """Words and their neighbours, in this order."""
    from cnntool.study.embedding_space import nearest

    table = trained.rows
    return dict.fromkeys([*ids, *(i for word in ids for i, _ in nearest(table, word, count))])


def _entry(
    trained: Table, drawn: list[int], plane: Plane, asked: list[int], count: int
) -> dict[str, Any]:
    from cnntool.study.embedding_space import nearest

    tokens, table = trained.vocabulary.tokens, trained.rows
    places = dict(zip(drawn, plane.points, strict=True))
    return {
        "model": trained.name,
        "level": trained.level,
        "dimensions": table.shape[1],
        "variance": plane.shares,
        "words": [
            {
                "token": tokens[word],
                "place": places[word],
                "nearest": [
                    {"token": tokens[i], "cosine": cosine}
                    for i, cosine in nearest(table, word, count)
                ],
            }
            for word in asked
        ],
    }


def _show(trained: Table, words: list[int], count: int) -> None:
    from rich.text import Text

    from cnntool.study.embedding_space import nearest

    weights = trained.rows
    for number, word in enumerate(words):
        if number:
            show("")
        near = nearest(weights, word, count)
        rows = table("", names="")
        for name, (_, cosine) in zip(_names(trained, [i for i, _ in near]), near, strict=True):
            rows.add_row(Text(name), signed(cosine))
        show((_names(trained, [word])[0], "bold cyan"), " is near")
        show(rows)


def _names(trained: Table, words: list[int]) -> list[str]:
    from cnntool.cli.generated_text import token_text

    return [token_text(trained.vocabulary, word) for word in words]


def _caption(trained: Table, drawn: list[int], plane: Plane) -> str:
    from cnntool.datasets.texts.tokens import UNITS

    level = f"{UNITS.get(trained.level, trained.level)}s"
    first, second = (f"{share:.0%}" for share in plane.shares)
    return (
        f"{Path(trained.name).name}: {len(drawn):,} {level} in the plane of their first two "
        f"principal components, which hold {first} and {second} of the variance"
    )

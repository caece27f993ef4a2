"""`cnntool visualize embedding`: which words of a language model lie near each other."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnntool.cli.help import SectionedCommand, option
from cnntool.cli.options import PathName, WholeNumber
from cnntool.cli.visualize.options import (
    WHAT,
    PictureOptions,
    check_stdout,
    destination,
    json_option,
    picture_options,
)

if TYPE_CHECKING:
    from cnntool.networks.model import TrainedText
    from cnntool.study.embedding_space import Plane

DEFAULT_WORDS, MOST_WORDS = 120, 2000
NEIGHBOURS, MOST_NEIGHBOURS = 8, 100
MOST_LISTED = 12
"""Words of a vocabulary that a message lists."""

ALONE = "a dot stands alone where there is no room for its name"


@click.command(
    "embedding",
    cls=SectionedCommand,
    epilog="""\b
Examples:
  cnntool visualize embedding words.npz
  cnntool visualize embedding words.npz --words 300 -o words.png
  cnntool visualize embedding words.npz --near king --near cat
  cnntool visualize embedding words.npz --near king -o king.png
  cnntool visualize embedding words.npz --json | jq '.words[0].nearest'""",
)
@click.argument("model", metavar="MODEL", type=PathName("a model file of text"))
@option(
    "--words",
    section=WHAT,
    type=WholeNumber(2, MOST_WORDS),
    default=DEFAULT_WORDS,
    metavar="N",
    help=f"Draw the N most frequent tokens.  [default: {DEFAULT_WORDS}]",
)
@option(
    "--near",
    section=WHAT,
    multiple=True,
    metavar="WORD",
    help="Give the neighbours of this word; repeat it for more. In a picture they are red.",
)
@option(
    "--neighbours",
    "--neighbors",
    section=WHAT,
    type=WholeNumber(1, MOST_NEIGHBOURS),
    default=NEIGHBOURS,
    metavar="K",
    help=f"How many neighbours of each.  [default: {NEIGHBOURS}]",
)
@partial(
    picture_options,
    default="in this folder, under a name that tells what it shows; none with --near",
)
@json_option
def command(
    picture: PictureOptions,
    model: str,
    words: int,
    near: tuple[str, ...],
    neighbours: int,
    as_json: bool,
) -> None:
    """Draw the words of a language model in the plane, and say which lie near each other.

    Each word is a point in as many dimensions as --embed-size says; the picture shows the plane in
    which they spread most (principal components). Words are near that point in about the same
    direction, by the cosine of the angle between them in all dimensions: 1 is the same, 0 nothing
    in common. Characters and bytes are drawn alike.
    """
    from cnntool.cli.console import print_json
    from cnntool.cli.terminal.words import draw_words
    from cnntool.networks.model import load_text_model
    from cnntool.study.embedding_space import principal_plane
    from cnntool.visuals.word_map import word_map

    check_stdout(picture, as_json)
    is_drawn = picture.output is not None or picture.show or not (near or as_json)
    target = destination(picture, model, "embedding") if is_drawn else None
    trained = load_text_model(model)
    chosen = known_ids(trained, near)
    marked = _with_neighbours(trained, chosen, neighbours)
    drawn = list(dict.fromkeys([*chosen, *marked, *frequent_ids(trained, words)]))
    plane = principal_plane(trained.network.params["embedding.weight"][drawn])
    asked = chosen or drawn
    if as_json:
        print_json(_entry(trained, drawn, plane, asked, neighbours))
    elif near and not (target is not None and target.stdout):
        _show(trained, asked, neighbours)
    if target is not None:
        names, line = _names(trained, drawn), _caption(trained, drawn, plane)
        red = {k for k, word in enumerate(drawn) if word in marked}
        target.deliver(
            word_map(plane.points, names, [f"{line}; {ALONE}"], red),
            print_path=not (as_json or near),
            draw=lambda: draw_words(plane.points, names, [line], red),
        )


def known_ids(trained: TrainedText, words: tuple[str, ...]) -> list[int]:
    """The ids of words; RequestError for one that the model does not know."""
    from cnntool.errors import RequestError
    from cnntool.wording import suggestion

    tokens = trained.vocabulary.tokens
    index = {token: number for number, token in enumerate(tokens)}
    for word in words:
        if word not in index:
            hint = suggestion(word[:40], filter(_is_short, tokens), MOST_LISTED)
            raise RequestError(
                f"--near {word[:40]!r} is none of the tokens of {trained.name}{hint}"
            )
    return list(dict.fromkeys(index[word] for word in words))


def _is_short(token: str) -> bool:
    return len(token) <= 40


def frequent_ids(trained: TrainedText, count: int) -> range:
    """The most frequent tokens, as vocabularies are in that order; all of them for bytes."""
    first = 0 if trained.vocabulary.unknown is None else 1
    return range(first, min(len(trained.vocabulary), first + count))


def _with_neighbours(trained: TrainedText, ids: list[int], count: int) -> dict[int, None]:
    """Words and their neighbours, in this order."""
    from cnntool.study.embedding_space import nearest

    table = trained.network.params["embedding.weight"]
    return dict.fromkeys([*ids, *(i for word in ids for i, _ in nearest(table, word, count))])


def _entry(
    trained: TrainedText, drawn: list[int], plane: Plane, asked: list[int], count: int
) -> dict[str, Any]:
    from cnntool.study.embedding_space import nearest

    tokens, table = trained.vocabulary.tokens, trained.network.params["embedding.weight"]
    places = dict(zip(drawn, plane.points.tolist(), strict=True))
    return {
        "model": trained.name,
        "level": trained.vocabulary.level,
        "dimensions": table.shape[1],
        "variance": list(plane.shares),
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


def _show(trained: TrainedText, words: list[int], count: int) -> None:
    from rich.table import Table
    from rich.text import Text

    from cnntool.cli.console import show
    from cnntool.cli.writing import token_text
    from cnntool.study.embedding_space import nearest

    table = trained.network.params["embedding.weight"]
    for number, word in enumerate(words):
        if number:
            show("")
        rows = Table(box=None, pad_edge=False, show_header=False)
        rows.add_column(no_wrap=True)
        rows.add_column(justify="right", no_wrap=True)
        for i, cosine in nearest(table, word, count):
            rows.add_row(Text(token_text(trained.vocabulary, i)), f"{cosine:+.3f}")
        show(Text.assemble((token_text(trained.vocabulary, word), "bold cyan"), " is near"))
        show(rows)


def _names(trained: TrainedText, words: list[int]) -> list[str]:
    from cnntool.cli.writing import token_text

    return [token_text(trained.vocabulary, word) for word in words]


def _caption(trained: TrainedText, drawn: list[int], plane: Plane) -> str:
    from cnntool.cli.text_wording import unit

    level = f"{unit(trained.vocabulary.level)}s"
    first, second = (f"{share:.0%}" for share in plane.shares)
    return (
        f"{Path(trained.name).name}: {len(drawn):,} {level} in the plane of their first two "
        f"principal components, which hold {first} and {second} of the variance"
    )

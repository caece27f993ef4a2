"""`cnntool explain pool`: how one pooled pixel came about, and where its gradient goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cnntool.cli.explain.options import (
    at_option,
    image_argument,
    json_option,
    open_one,
    taken_from,
)
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import takes
from cnntool.cli.pool import Pool, Sizes, Windows, read_pooling
from cnntool.cli.pool import command as pool_command

if TYPE_CHECKING:
    import numpy as np

    from cnntool.explain.pools import PoolFacts


@click.command(
    "pool",
    cls=SectionedCommand,
    epilog="""\b
Examples:
  cnntool explain pool sample_images/coffee.jpg --at 177,121
  cnntool explain pool sample_images/brick.png --mode average --size 3 --padding 1 --at 0,0
  cnntool explain pool sample_images/brick.png --mode gaussian --size 5
  cnntool explain pool sample_images/brick.png --mode lp --p 3 --size 2 --json
  cnntool explain pool sample_images/coffee.jpg --global --gray""",
)
@image_argument
@at_option
@takes(Pool, Windows, Sizes)
@taken_from(pool_command, "depth", "gray", "alpha", "white", "max_pixels")
@json_option
def command(pool, windows, sizes, image, at, depth, as_json, **inputs) -> None:
    """Show the numbers behind one pixel of `cnntool pool`, with the same options.

    The window of pixels and what becomes of it: who wins, or how much each pixel weighs; and the
    gradient, how much the result changes with each of them, which is what goes back to it.
    """
    from cnntool.cli.console import print_json
    from cnntool.explain.pools import pool_facts
    from cnntool.files.pixels import choose_depth

    pooling = read_pooling(pool, windows, sizes)
    picture, name = open_one(image, inputs)
    wanted = choose_depth(picture, picture.format, depth)
    facts = pool_facts(picture, pooling, wanted.dtype, wanted.white, at)
    if as_json:
        print_json({"image": name, "pool": pooling.label, **_entry(facts)})
    else:
        from cnntool.cli.explain.pool_tables import show_pool

        show_pool(facts, name, pooling, picture.white, wanted.white)


def _entry(facts: PoolFacts) -> dict:
    height, width = facts.output_size
    return {
        "at": {"x": facts.x, "y": facts.y},
        "output": {"width": width, "height": height},
        "rows": list(facts.rows),
        "columns": list(facts.columns),
        "pixels": _maps(facts.pixels),
        "alphas": None if facts.alphas is None else _maps(facts.alphas[..., None])[0],
        "gradient": None if facts.gradient is None else _maps(facts.gradient),
        "value": facts.values.tolist(),
        "pixel": facts.result.tolist(),
        "alpha": facts.alpha,
    }


def _maps(values: np.ndarray) -> list:
    """(kh, kw, C) channel by channel; null for what lies outside the picture."""
    return [
        [[None if value != value else value for value in row] for row in channel]
        for channel in values.transpose(2, 0, 1).tolist()
    ]

"""`cnntool explain pool`: how one pooled pixel came about, and where its gradient goes."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import click

from cnntool.cli.console import picked, print_json, show, table
from cnntool.cli.explain import blocks
from cnntool.cli.explain.options import Pixel, Report, open_one
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import Depth, Reading, takes
from cnntool.cli.pool import Pool, Sizes, Windows, read_pooling
from cnntool.wording import counted

if TYPE_CHECKING:
    from rich.table import Table

    from cnntool.cli.explain.blocks import Block
    from cnntool.explain.pools import PoolFacts
    from cnntool.imaging.pooling import Pooling

RANKS, WEIGHTED = ("max", "min", "median"), ("average", "gaussian")
"""Modes that choose pixels, and those that weigh them."""


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
@takes(Pixel, Pool, Windows, Sizes, Depth, Reading, Report)
def command(
    pixel: Pixel,
    pool: Pool,
    windows: Windows,
    sizes: Sizes,
    depth: Depth,
    reading: Reading,
    report: Report,
) -> None:
    """Show the numbers behind one pixel of `cnntool pool`, with the same options.

    The window of pixels and what becomes of it: who wins, or how much each pixel weighs; and the
    gradient, how much the result changes with each of them, which is what goes back to it.
    """
    from cnntool.explain.pools import pool_facts
    from cnntool.files.image import choose_depth

    pooling = read_pooling(pool, windows, sizes)
    picture, name = open_one(pixel.image, reading)
    wanted = choose_depth(picture, picture.format, depth.depth)
    facts = pool_facts(picture, pooling, wanted.dtype, wanted.white, pixel.at)
    if report.as_json:
        print_json({"image": name, "pool": pooling.label, **_entry(facts)})
    else:
        _show(facts, name, pooling, picture.white, wanted.white)


def _entry(facts: PoolFacts) -> dict:
    """Maps (kh, kw, C) channel by channel; null is what lies outside the picture."""
    height, width = facts.output_size
    return {
        "at": picked(facts, "x", "y"),
        "output": {"width": width, "height": height},
        **picked(facts, "rows", "columns"),
        "pixels": facts.pixels.transpose(2, 0, 1),
        "alphas": facts.alphas,
        "gradient": None if facts.gradient is None else facts.gradient.transpose(2, 0, 1),
        "value": facts.values,
        "pixel": facts.result,
        "alpha": facts.alpha,
    }


def _show(facts: PoolFacts, name: str, pooling: Pooling, white: float, new_white: float) -> None:
    """Print how the pixel came about; ``white`` is the picture's, ``new_white`` the result's."""
    height, width = facts.output_size
    show((pooling.label, "bold cyan"), f" over {name}")
    show(f"pixel {facts.x},{facts.y} of {width} x {height}; {_formula(pooling)}")
    if not facts.counts.all():
        show("a dot is outside the picture and does not count")
    if facts.is_filled.any():
        show("( ) is outside the picture and filled up with black")
    if facts.alphas is not None:
        counted = (
            "transparent ones do not count, all others do"
            if pooling.mode in RANKS
            else "every pixel counts as much as its alpha"
        )
        show(f"some pixels are transparent: {counted}; --alpha drop forgets it")
    for channel in blocks.shown_channels(facts.pixels.shape[2]):
        blocks.show_window(
            facts.pixels.shape[:2],
            partial(_window, facts, channel, pooling, white),
            partial(_show_largest, facts, channel),
        )
    show("")
    show(_results(facts, white, new_white))


def _formula(pooling: Pooling) -> str:
    formulas = {
        "max": "y = the largest x of the window, the first of equals",
        "min": "y = the smallest x of the window, the first of equals",
        "median": "y = the middle one of the sorted x, or the mean of the middle two",
        "average": "y = Σ x / n",
        "gaussian": "y = Σ w · x, w falls with the distance from the centre",
    }
    if pooling.mode != "lp":
        return formulas[pooling.mode]
    if math.isinf(pooling.p):
        return "y = the largest |x|"
    total = f"Σ |x|^{pooling.p:g}"
    total = total if pooling.is_sum else f"{total} / n"
    return f"y = ({total})^(1/{pooling.p:g})"


def _window(facts: PoolFacts, channel: int, pooling: Pooling, white: float) -> dict[str, Block]:
    """The window; then what each element weighs, or |x|^p, and the gradient."""
    x = facts.pixels[..., channel]
    gradient = None if facts.gradient is None else facts.gradient[..., channel]
    wins = [False] * x.size
    if gradient is not None and pooling.mode in RANKS:
        wins = (gradient > 0).ravel().tolist()
    marks = [
        "()" if filled else "[]" if won else "  "
        for filled, won in zip(facts.is_filled.ravel(), wins, strict=True)
    ]
    window = blocks.window_block(
        facts.pixels, channel, white, marks=marks, rows=facts.rows, columns=facts.columns
    )
    shaded = blocks.shaded_block
    if facts.alphas is not None:
        return {"": window, " ": shaded(facts.alphas, "alpha")}
    assert gradient is not None
    if pooling.mode in WEIGHTED:
        products = gradient * x
        foot = f"sum {blocks.number_text(products[facts.counts].sum(), blocks.DIGITS)}"
        weights = shaded(gradient, "dy/dx = w")
        return {"": window, "×": weights, "=": shaded(products, "products", foot)}
    if pooling.mode == "lp" and math.isfinite(pooling.p):
        powers = abs(x) ** pooling.p
        total, count = powers[facts.counts].sum(), facts.counts.sum()
        what, value = ("sum", total) if pooling.is_sum else ("mean", total / count)
        foot = f"{what} {blocks.number_text(value, blocks.DIGITS)}"
        terms = shaded(powers, f"|x|^{pooling.p:g}", foot)
        return {"": window, "→": terms, " ": shaded(gradient, "dy/dx")}
    return {"": window, "→": shaded(gradient, "dy/dx")}


def _show_largest(facts: PoolFacts, channel: int) -> None:
    """Of a window that is too large to be shown whole, the elements with the largest gradient."""
    from cnntool.explain.windows import largest_places

    x, counts = facts.pixels[..., channel], facts.counts
    height, width = x.shape
    name = blocks.channel_names(facts.pixels.shape[2])[channel]
    title = f"{name} window of {height} x {width}".strip()
    least, most = blocks.number_texts([x[counts].min(), x[counts].max()])
    mean = blocks.number_text(x[counts].mean(), blocks.DIGITS)
    show(
        (title, "bold"),
        f": {counted(int(counts.sum()), 'pixel')}, from {least} to {most}, mean {mean}",
    )
    if facts.gradient is None:
        return
    gradient = facts.gradient[..., channel]
    known = gradient[counts]
    alike = known.min() == known.max()
    rows, columns = largest_places(gradient, 1 if alike else blocks.MOST_LISTED)
    is_there = abs(gradient[rows, columns]) > 0
    places = rows[is_there], columns[is_there]
    listed = blocks.largest_table(
        ("pixel", "dy/dx"), (x, gradient), places, facts.rows, facts.columns, counts
    )
    others = int((known != 0).sum()) - int(is_there.sum())
    if others and alike:
        listed.add_row(counted(others, "other"), "", "the same")
    elif others:
        rest = known.sum() - gradient[places].sum()
        listed.add_row(counted(others, "other"), "", f"{blocks.number_text(rest)} in all")
    show(listed)


def _pixel_label(facts: PoolFacts, old_white: float, white: float) -> str:
    """What makes a pixel with ``white`` at the top of the value y of a picture with another."""
    steps = [] if white == old_white else [f"y · {white:g} / {old_white:g}"]
    if facts.result.dtype.kind != "f":
        scaled = facts.values * (white / old_white)
        is_within = scaled.min() >= 0 and scaled.max() <= white
        steps += ["rounded"] if is_within else [f"within 0 ... {white:g}", "rounded"]
    return ", ".join(["pixel", *steps])


def _results(facts: PoolFacts, old_white: float, white: float) -> Table:
    """The value and the pixel that is made of it, a column a channel."""
    names = blocks.channel_names(facts.pixels.shape[2])
    results = table(*names, names="")
    results.add_row("y", *blocks.number_texts(facts.values[: len(names)], blocks.DIGITS))
    pixels = blocks.pixel_texts(facts.result[: len(names)], white)
    results.add_row(_pixel_label(facts, old_white, white), *pixels)
    if facts.alpha is not None:
        results.add_row("alpha, from 0 to 1", blocks.number_text(facts.alpha))
    return results

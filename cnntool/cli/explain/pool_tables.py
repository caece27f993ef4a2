"""One pixel of a pooled image as tables: the window, who wins or weighs what, and the gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table
from rich.text import Text

from cnntool.cli.console import show
from cnntool.cli.explain.blocks import (
    Block,
    layout_width,
    matrix_block,
    number_text,
    number_texts,
    pixel_style,
    show_beside,
)
from cnntool.cli.explain.window_tables import DIGITS, channel_names
from cnntool.cli.kernels import shade

if TYPE_CHECKING:
    from cnntool.explain.pools import PoolFacts
    from cnntool.imaging.pooling import Pooling

LARGEST_SHOWN = 9  # elements on a side; of larger windows those that matter most are shown
MOST_ELEMENTS = 12
MOST_CHANNELS = 4
WEIGHTED = ("average", "gaussian")


def show_pool(
    facts: PoolFacts, name: str, pooling: Pooling, white: float, new_white: float
) -> None:
    """Print how the pixel came about; ``white`` is the picture's, ``new_white`` the result's."""
    height, width = facts.output_size
    channels = facts.pixels.shape[2]
    show(Text.assemble((pooling.label, "bold cyan"), f" over {name}"))
    show(f"pixel {facts.x},{facts.y} of {width} x {height}; {_formula(pooling)}")
    if np.isnan(facts.pixels).any():
        show("a dot is outside the picture and does not count")
    if facts.is_filled.any():
        show("( ) is outside the picture and filled up with black")
    if facts.alphas is not None:
        from cnntool.imaging.pooling import RANKS

        counted = (
            "transparent ones do not count, all others do"
            if pooling.mode in RANKS
            else "every pixel counts as much as its alpha"
        )
        show(f"some pixels are transparent: {counted}; --alpha drop forgets it")
    if channels > MOST_CHANNELS:
        show(f"the first {MOST_CHANNELS} of {channels} channels; --json gives all")
    for channel in range(min(channels, MOST_CHANNELS)):
        show("")
        _show_window(facts, channel, pooling, white)
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
    if np.isinf(pooling.p):
        return "y = the largest |x|"
    total = f"Σ |x|^{pooling.p:g}"
    total = total if pooling.is_sum else f"{total} / n"
    return f"y = ({total})^(1/{pooling.p:g})"


def _show_window(facts: PoolFacts, channel: int, pooling: Pooling, white: float) -> None:
    if max(facts.pixels.shape[:2]) <= LARGEST_SHOWN:
        blocks, signs = _blocks(facts, channel, pooling, white)
        if max(block.width for block in blocks) <= layout_width():
            show_beside(blocks, signs)
            return
    _show_most(facts, channel)


def _blocks(
    facts: PoolFacts, channel: int, pooling: Pooling, white: float
) -> tuple[list[Block], list[str]]:
    """The window; then what each element weighs, or |x|^p, and the gradient."""
    x, channels = facts.pixels[..., channel], facts.pixels.shape[2]
    counts = ~np.isnan(x).ravel()
    gradient = None if facts.gradient is None else facts.gradient[..., channel]
    name = channel_names(channels)[channel]
    colour = channel if channels == 3 else None
    wins = np.zeros(x.size, bool)
    if gradient is not None and pooling.mode not in WEIGHTED and pooling.mode != "lp":
        wins = np.nan_to_num(gradient).ravel() > 0
    marks = [
        "()" if filled else "[]" if won else "  "
        for filled, won in zip(facts.is_filled.ravel(), wins, strict=True)
    ]
    tints = [
        pixel_style(value / white, colour) if counted else "dim"
        for value, counted in zip(x.ravel(), counts, strict=True)
    ]
    blocks = [
        matrix_block(
            x,
            title=f"{name} window".strip(),
            styles=tints,
            marks=marks,
            rows=facts.rows,
            columns=facts.columns,
        )
    ]
    if gradient is None:
        return [*blocks, _shaded(facts.alphas, "alpha")], ["", " "]
    if pooling.mode in WEIGHTED:
        foot = f"sum {number_text(np.nansum(gradient * x), DIGITS)}"
        weights, products = _shaded(gradient, "dy/dx = w"), _shaded(gradient * x, "products", foot)
        return [*blocks, weights, products], ["", "×", "="]
    if pooling.mode == "lp" and np.isfinite(pooling.p):
        powers = np.abs(x) ** pooling.p
        total = np.nansum(powers)
        foot = f"sum {number_text(total, DIGITS)}"
        if not pooling.is_sum:
            foot = f"mean {number_text(total / counts.sum(), DIGITS)}"
        blocks.append(_shaded(powers, f"|x|^{pooling.p:g}", foot))
        return [*blocks, _shaded(gradient, "dy/dx")], ["", "→", " "]
    return [*blocks, _shaded(gradient, "dy/dx")], ["", "→"]


def _shaded(values: np.ndarray, title: str, foot: str = "") -> Block:
    """A matrix, positive numbers on green and negative ones on red, none where nothing counts."""
    largest = np.nanmax(np.abs(values)) or 1
    styles = ["dim" if np.isnan(v) else shade(v / largest) for v in values.ravel()]
    return matrix_block(values, title=title, styles=styles, foot=foot)


def _show_most(facts: PoolFacts, channel: int) -> None:
    """Of a window that is too large to be shown whole, the elements with the largest gradient."""
    x = facts.pixels[..., channel]
    height, width = x.shape
    name = channel_names(facts.pixels.shape[2])[channel]
    count = int((~np.isnan(x)).sum())
    title = f"{name} window of {height} x {width}".strip()
    show(Text.assemble((title, "bold"), f": {count:,} pixels, {_statistics(x)}"))
    if facts.gradient is None:
        return
    gradient = facts.gradient[..., channel]
    sizes = np.nan_to_num(np.abs(gradient))
    order = np.argsort(-sizes, axis=None, kind="stable")[:MOST_ELEMENTS]
    order = order[sizes.ravel()[order] > 0]
    if len(order) < 2 or np.ptp(gradient[~np.isnan(gradient)]) == 0:
        order = order[:1]
    rows, columns = np.unravel_index(order, x.shape)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in ("at x,y", "pixel", "dy/dx"):
        table.add_column(head, justify="right", no_wrap=True)
    texts = number_texts(x[rows, columns]), number_texts(gradient[rows, columns])
    for row, column, *cells in zip(rows, columns, *texts, strict=True):
        table.add_row(f"{facts.columns[column]},{facts.rows[row]}", *cells)
    others = int(np.count_nonzero(sizes)) - len(order)
    if len(order) == 1 and others:
        table.add_row(f"{others:,} others", "", "the same")
    elif others:
        rest = np.nansum(gradient) - gradient[rows, columns].sum()
        table.add_row(f"{others:,} others", "", f"{number_text(rest)} in all")
    show(table)


def _statistics(x: np.ndarray) -> str:
    texts = number_texts([np.nanmin(x), np.nanmax(x)])
    return f"from {texts[0]} to {texts[1]}, mean {number_text(np.nanmean(x), DIGITS)}"


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
    names = channel_names(facts.pixels.shape[2])[:MOST_CHANNELS]
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=len(names) > 1)
    table.add_column("")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row("y", *number_texts(facts.values[: len(names)], DIGITS))
    pixels = facts.result[: len(names)]
    colours = range(3) if len(names) == 3 else [None] * len(names)
    table.add_row(
        _pixel_label(facts, old_white, white),
        *(
            Text(text, style=f"bold {pixel_style(float(pixel) / white, colour)}")
            for text, pixel, colour in zip(
                number_texts(pixels, DIGITS), pixels, colours, strict=True
            )
        ),
    )
    if facts.alpha is not None:
        table.add_row("alpha, from 0 to 1", number_text(facts.alpha))
    return table

"""One pixel of a filtered image as tables: window times kernel, and from the sum to the pixel."""

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
from cnntool.cli.kernels import shade

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnntool.explain.windows import WindowFacts
    from cnntool.imaging.filter_pass import Geometry
    from cnntool.imaging.tone import Tone

LARGEST_SHOWN = 9  # weights on a side; of larger kernels the largest products are shown
MOST_PRODUCTS = 12
MOST_KERNELS = 4  # of a larger bank the one that answers most is shown
MOST_CHANNELS = 4


def show_window(
    facts: WindowFacts, name: str, specs: Sequence[str], geometry: Geometry, white: float
) -> None:
    """Print how the pixel came about; ``white`` is the picture's, ``specs`` are of the chain."""
    height, width = facts.output_size
    after = f" after {', '.join(specs[:-1])}" if len(specs) > 1 else ""
    turned = ", turned by 180 degrees" if geometry.flip else ""
    show(Text.assemble((specs[-1], "bold cyan"), f"{turned} over {name}{after}"))
    show(
        f"pixel {facts.x},{facts.y} of {width} x {height}; its window is centred on "
        f"{facts.columns.centre},{facts.rows.centre} of "
        f"{'what comes' + after if after else 'the picture'}"
    )
    if outside := _outside(facts, geometry):
        show(f"( ) is outside the picture: {outside}")
    if facts.alphas is not None:
        show("some pixels are transparent: colours are multiplied by alpha")
    channels = facts.pixels.shape[2]
    if channels > MOST_CHANNELS:
        show(f"the first {MOST_CHANNELS} of {channels} channels; --json gives all")
    kernels = range(len(facts.bank))
    if len(kernels) > MOST_KERNELS:
        kernels = [_strongest(facts)]
        show(f"of {len(facts.bank)} kernels the one that answers most; --json gives all")
    for channel in range(min(channels, MOST_CHANNELS)):
        for kernel in kernels:
            show("")
            _show_products(facts, kernel, channel, white)
    show("")
    show(_steps(facts))


DIGITS = 6
"""Of values on their way to a pixel, so that rounding can be followed."""


def channel_names(count: int) -> list[str]:
    """``red``, ``green``, ``blue`` or ``channel 0`` and so on; a grey picture's has no name."""
    if count == 1:
        return [""]
    return ["red", "green", "blue"] if count == 3 else [f"channel {i}" for i in range(count)]


def _outside(facts: WindowFacts, geometry: Geometry) -> str:
    """What the border rule put where there are no pixels; empty where it had nothing to do."""
    copies = []
    for axis, taps in (("row", facts.rows), ("column", facts.columns)):
        pairs = zip(taps.positions, taps.sources, strict=True)
        moved = [f"{axis} {place} is {axis} {source}" for place, source in pairs if place != source]
        copies += moved[:2] + ["..."] * (len(moved) > 2)
    if copies and geometry.border == "constant":
        return f"the border rule puts {geometry.constant:g} there"
    return f"by the border rule {geometry.border} {', '.join(copies)}" if copies else ""


def _strongest(facts: WindowFacts) -> int:
    responses = facts.responses if facts.combine == "maximum" else np.abs(facts.responses)
    return int(responses.sum(axis=1).argmax())


def _show_products(facts: WindowFacts, kernel: int, channel: int, white: float) -> None:
    """Window x kernel = products, or the largest products where that is too large."""
    if max(facts.bank.shape[1:]) <= LARGEST_SHOWN:
        blocks = _blocks(facts, kernel, channel, white)
        if max(block.width for block in blocks) <= layout_width():
            show_beside(blocks, ("", "×", "="))
            return
    _show_largest(facts, kernel, channel)


def _blocks(facts: WindowFacts, kernel: int, channel: int, white: float) -> list[Block]:
    pixels, weights = facts.pixels[..., channel], facts.bank[kernel]
    products, channels = facts.products[kernel, channel], facts.pixels.shape[2]
    title = f"{channel_names(channels)[channel]} window".strip()
    largest, most = np.abs(weights).max() or 1, np.abs(products).max() or 1
    inside = np.outer(facts.rows.inside, facts.columns.inside).ravel()
    window = matrix_block(
        pixels,
        title=title if facts.alphas is None else f"{title} · alpha",
        styles=[
            pixel_style(pixel / white, channel if channels == 3 else None)
            for pixel in pixels.ravel()
        ],
        marks=["  " if is_inside else "()" for is_inside in inside],
        rows=facts.rows.positions,
        columns=facts.columns.positions,
    )
    styles = [shade(weight / largest) for weight in weights.ravel()]
    by_weights = matrix_block(weights, title=facts.names[kernel], styles=styles)
    styles = [shade(product / most) for product in products.ravel()]
    foot = Text.assemble("sum ", (_sum_text(facts, kernel, channel), "bold"))
    by_products = matrix_block(products, title="products", styles=styles, foot=foot)
    return [window, by_weights, by_products]


def _show_largest(facts: WindowFacts, kernel: int, channel: int) -> None:
    """The largest products of a kernel that is too large to be shown whole."""
    pixels, weights = facts.pixels[..., channel], facts.bank[kernel]
    products = facts.products[kernel, channel]
    order = np.argsort(-np.abs(products), axis=None, kind="stable")[:MOST_PRODUCTS]
    rows, columns = np.unravel_index(order, products.shape)
    height, width = weights.shape
    name = channel_names(facts.pixels.shape[2])[channel]
    title = f"{facts.names[kernel]}, {height} x {width}" + (f", {name}" if name else "")
    show(Text.assemble((title, "bold"), f": the {len(order)} largest of {products.size} products"))
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in ("at x,y", "pixel", "weight", "product"):
        table.add_column(head, justify="right", no_wrap=True)
    texts = [number_texts(each[rows, columns]) for each in (pixels, weights, products)]
    for row, column, *cells in zip(rows, columns, *texts, strict=True):
        is_inside = facts.rows.inside[row] and facts.columns.inside[column]
        place = f"{facts.columns.positions[column]},{facts.rows.positions[row]}"
        table.add_row(place if is_inside else f"({place})", *cells)
    if products.size > len(order):
        rest = products.sum() - products[rows, columns].sum()
        table.add_row("", "", f"{products.size - len(order)} others", number_text(rest, DIGITS))
    table.add_row("", "", "sum", Text(_sum_text(facts, kernel, channel), style="bold"))
    show(table)


def _sum_text(facts: WindowFacts, kernel: int, channel: int) -> str:
    """The engine's own sum, in float32, where what it sums is what is shown."""
    if facts.alphas is None:
        return number_text(facts.responses[kernel, channel], DIGITS)
    return number_text(facts.products[kernel, channel].sum(), DIGITS)


def _steps(facts: WindowFacts) -> Table:
    """From the sums to the pixel: a row a step, a column a channel."""
    names = channel_names(facts.pixels.shape[2])[:MOST_CHANNELS]
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=len(names) > 1)
    table.add_column("")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    if facts.alphas is not None:
        for name, kernel, products in zip(facts.names, facts.bank, facts.products, strict=True):
            sums = number_texts(products.sum(axis=(1, 2)), DIGITS)[: len(names)]
            table.add_row(f"{name}: sum of weight · colour · alpha", *sums)
            alpha = number_text((kernel * facts.alphas).sum(), DIGITS)
            table.add_row(f"{name}: sum of weight · alpha", *[alpha] * len(names))
    for name, sums in zip(facts.names, facts.responses, strict=True):
        label = f"{name}: sum" if facts.alphas is None else f"{name}: response, {_seen(facts)}"
        table.add_row(label, *number_texts(sums, DIGITS)[: len(names)])
    if facts.combine != "none":
        table.add_row(_combination(facts), *number_texts(facts.combined[0], DIGITS)[: len(names)])
    results = facts.names if len(facts.result) > 1 else [""]
    for name, values, tone, pixels in zip(
        results, facts.values, facts.tones, facts.result, strict=True
    ):
        prefix = f"{name} " if name else ""
        if (facts.scale, facts.bias) != (1, 0):
            label = f"{prefix}times {facts.scale:g} plus {facts.bias:g}"
            table.add_row(label, *number_texts(values, DIGITS)[: len(names)])
        label = f"{prefix}pixel: {range_text(tone)}"
        table.add_row(label, *_pixel_texts(pixels[: len(names)], tone))
    if facts.alpha is not None:
        table.add_row("alpha", number_text(facts.alpha))
    return table


def _seen(facts: WindowFacts) -> str:
    """What :class:`~cnntool.imaging.filter_pass.Unweighting` makes of the two sums."""
    if facts.bank.min() >= 0:
        return "Σ w · first sum / second sum"
    return "transparent pixels as the centre"


def _combination(facts: WindowFacts) -> str:
    if facts.combine == "magnitude":
        if facts.responses.size > 3:  # more than one channel, or many kernels
            return "magnitude: √(sum of the squares)"
        squares = " + ".join(
            f"({text})²" if text.startswith("-") else f"{text}²"
            for text in number_texts(facts.responses, DIGITS)
        )
        return f"magnitude: √({squares})"
    if facts.combine == "orientation":
        return "orientation in degrees, counterclockwise from the right"
    return f"maximum of the {len(facts.bank)}"


def range_text(tone: Tone) -> str:
    """What the range does to a value v, with its numbers."""
    white, is_float = tone.white, tone.dtype.kind == "f"
    middle = white / 2 if is_float else (white + 1) / 2
    within = f"within 0 ... {white:g}"
    steps = {
        "clip": f"clip, {within}",
        "raw": "raw, as it is" if is_float else f"raw, {within}",
        "abs": f"abs, |v| {within}",
        "offset": f"offset, v + {middle:g} {within}",
        "stretch": f"stretch, {tone.low:.6g} ... {tone.high:.6g} becomes 0 ... {white:g}",
        "angle": f"angle, (v + 180) · {white:g} / 360",
    }
    return steps[tone.range] + ("" if is_float else ", rounded")


def _pixel_texts(pixels: np.ndarray, tone: Tone) -> list[Text]:
    """The pixel's values on its own brightness."""
    colours = range(3) if len(pixels) == 3 else [None] * len(pixels)
    return [
        Text(text, style=f"bold {pixel_style(float(pixel) / tone.white, colour)}")
        for text, pixel, colour in zip(number_texts(pixels, DIGITS), pixels, colours, strict=True)
    ]

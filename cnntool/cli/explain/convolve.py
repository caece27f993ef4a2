"""`cnntool explain convolve`: how one pixel of a filtered image came about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cnntool.cli.console import show, table
from cnntool.cli.convolve import BORDER_RULES, Kernels, Pixels, Windows, read_filters
from cnntool.cli.explain.blocks import (
    DIGITS,
    LARGEST_SHOWN,
    MOST_CHANNELS,
    MOST_LISTED,
    Block,
    channel_colour,
    channel_names,
    fits,
    number_text,
    number_texts,
    pixel_texts,
    shaded_block,
    show_beside,
    window_block,
)
from cnntool.cli.explain.options import Pixel, Report, open_one
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import Depth, Reading, takes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from rich.table import Table

    from cnntool.explain.windows import Taps, WindowFacts
    from cnntool.imaging.filter_pass import Geometry
    from cnntool.imaging.kernels import Filter
    from cnntool.imaging.tone import Tone

MOST_KERNELS = 4  # of a larger bank the one that answers most is shown


@click.command(
    "convolve",
    cls=SectionedCommand,
    epilog=BORDER_RULES
    + """\b
Examples:
  cnntool explain convolve sample_images/brick.png --kernel sobel --at 149,190
  cnntool explain convolve sample_images/cat.jpg -k gaussian:size=3 --at 0,0 --border mirror
  cnntool explain convolve sample_images/cat.jpg -k '1 0 -1; 2 0 -2; 1 0 -1' --flip --gray
  cnntool explain convolve sample_images/brick.png -k sobel-x --at 40,19 --range stretch --json""",
)
@takes(Pixel, Kernels, Windows, Pixels, Depth, Reading, Report)
def command(
    pixel: Pixel,
    kernels: Kernels,
    windows: Windows,
    pixels: Pixels,
    depth: Depth,
    reading: Reading,
    report: Report,
) -> None:
    """Show the numbers behind one pixel of `cnntool convolve`, with the same options.

    The window of pixels, the kernel, their products and the sum of those; for a bank every kernel
    and how the responses are combined; and how --range made a pixel of the value. In a chain of
    kernels the last one is explained, and of an animation the first frame. The pixel is the one
    that `cnntool convolve` writes, before JPEG compresses it.
    """
    from cnntool.cli.console import print_json
    from cnntool.explain.windows import window_facts
    from cnntool.files.image import choose_depth
    from cnntool.imaging.filter_pass import Geometry
    from cnntool.imaging.filtering import Rendering

    filters = read_filters(kernels)
    check_not_colour(filters[-1])
    picture, name = open_one(pixel.image, reading)
    wanted = choose_depth(picture, picture.format, depth.depth)
    geometry = Geometry(
        windows.stride, windows.dilation, windows.padding, *windows.border, kernels.flip
    )
    rendering = Rendering(pixels.shown, pixels.scale, pixels.bias, wanted.dtype, wanted.white)
    facts = window_facts(picture, filters, geometry, rendering, pixel.at)
    specs = [kernel.spec for kernel in filters]
    if report.as_json:
        print_json({"image": name, "kernel": specs[-1], "after": specs[:-1], **_entry(facts)})
    else:
        _show(facts, name, specs, geometry, picture.white)


def check_not_colour(kernel: Filter) -> None:
    """RequestError where responses of several channels are summed: a table shows one."""
    from cnntool.errors import RequestError

    if kernel.is_colour:
        raise RequestError(
            f"{kernel.spec} sums three channels: name one of them, as in "
            f"{kernel.spec}{'' if kernel.count == 1 else '/0'}/0"
        )


def _entry(facts: WindowFacts) -> dict:
    height, width = facts.output_size
    return {
        "at": {"x": facts.x, "y": facts.y},
        "output": {"width": width, "height": height},
        "centre": {"x": facts.columns.centre, "y": facts.rows.centre},
        "rows": _axis_entry(facts.rows),
        "columns": _axis_entry(facts.columns),
        "pixels": facts.pixels.transpose(2, 0, 1).tolist(),
        "alphas": None if facts.alphas is None else facts.alphas.tolist(),
        "kernels": [
            {"name": name, "weights": w.tolist(), "products": p.tolist(), "sums": s.tolist()}
            for name, w, p, s in zip(
                facts.names, facts.bank, facts.products, facts.responses, strict=True
            )
        ],
        "combine": facts.combine,
        "scale": facts.scale,
        "bias": facts.bias,
        "results": [
            {
                "combined": combined.tolist(),
                "value": value.tolist(),
                "range": tone.range,
                "white": tone.white,
                **({"low": tone.low, "high": tone.high} if tone.range == "stretch" else {}),
                "pixel": pixel.tolist(),
            }
            for combined, value, tone, pixel in zip(
                facts.combined, facts.values, facts.tones, facts.result, strict=True
            )
        ],
        "alpha": facts.alpha,
    }


def _axis_entry(taps: Taps) -> dict:
    """``sources`` are the pixels that stand at the positions; null is the border's constant."""
    sources = [None if source < 0 else source for source in taps.sources]
    return {"positions": list(taps.positions), "sources": sources}


def _show(
    facts: WindowFacts, name: str, specs: Sequence[str], geometry: Geometry, white: float
) -> None:
    """Print how the pixel came about; ``white`` is the picture's, ``specs`` are of the chain."""
    from rich.text import Text

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
    kernels: Sequence[int] = range(len(facts.bank))
    if len(kernels) > MOST_KERNELS:
        kernels = [facts.strongest]
        show(f"of {len(facts.bank)} kernels the one that answers most; --json gives all")
    for channel in range(min(channels, MOST_CHANNELS)):
        for kernel in kernels:
            show("")
            _show_products(facts, kernel, channel, white)
    show("")
    show(_steps(facts))


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


def _show_products(facts: WindowFacts, kernel: int, channel: int, white: float) -> None:
    """Window x kernel = products, or the largest products where that is too large."""
    if max(facts.bank.shape[1:]) <= LARGEST_SHOWN:
        blocks = _blocks(facts, kernel, channel, white)
        if fits(blocks):
            show_beside(blocks, ("", "×", "="))
            return
    _show_largest(facts, kernel, channel)


def _blocks(facts: WindowFacts, kernel: int, channel: int, white: float) -> list[Block]:
    from rich.text import Text

    channels = facts.pixels.shape[2]
    title = f"{channel_names(channels)[channel]} window".strip()
    window = window_block(
        facts.pixels[..., channel],
        title if facts.alphas is None else f"{title} · alpha",
        white,
        channel_colour(channel, channels),
        ["  " if is_inside else "()" for is_inside in facts.is_inside.ravel()],
        facts.rows.positions,
        facts.columns.positions,
    )
    foot = Text.assemble("sum ", (_sum_text(facts, kernel, channel), "bold"))
    weights = shaded_block(facts.bank[kernel], facts.names[kernel])
    return [window, weights, shaded_block(facts.products[kernel, channel], "products", foot)]


def _show_largest(facts: WindowFacts, kernel: int, channel: int) -> None:
    """The largest products of a kernel that is too large to be shown whole."""
    from rich.text import Text

    from cnntool.explain.windows import largest_places

    pixels, weights = facts.pixels[..., channel], facts.bank[kernel]
    products = facts.products[kernel, channel]
    rows, columns = largest_places(products, MOST_LISTED)
    height, width = weights.shape
    name = channel_names(facts.pixels.shape[2])[channel]
    title = f"{facts.names[kernel]}, {height} x {width}" + (f", {name}" if name else "")
    show(Text.assemble((title, "bold"), f": the {len(rows)} largest of {products.size} products"))
    listed = table("at x,y", "pixel", "weight", "product", style="dim")
    texts = [number_texts(each[rows, columns]) for each in (pixels, weights, products)]
    for row, column, *cells in zip(rows, columns, *texts, strict=True):
        place = f"{facts.columns.positions[column]},{facts.rows.positions[row]}"
        listed.add_row(place if facts.is_inside[row, column] else f"({place})", *cells)
    if products.size > len(rows):
        rest = products.sum() - products[rows, columns].sum()
        listed.add_row("", "", f"{products.size - len(rows)} others", number_text(rest, DIGITS))
    listed.add_row("", "", "sum", Text(_sum_text(facts, kernel, channel), style="bold"))
    show(listed)


def _sum_text(facts: WindowFacts, kernel: int, channel: int) -> str:
    """The engine's own sum, in float32, where what it sums is what is shown."""
    if facts.alphas is None:
        return number_text(facts.responses[kernel, channel], DIGITS)
    return number_text(facts.products[kernel, channel].sum(), DIGITS)


def _steps(facts: WindowFacts) -> Table:
    """From the sums to the pixel: a row a step, a column a channel."""
    names = channel_names(facts.pixels.shape[2])
    steps = table(*names, names="")

    def add(label: str, values: np.ndarray) -> None:
        steps.add_row(label, *number_texts(values, DIGITS)[: len(names)])

    if facts.alphas is not None:
        for name, kernel, products in zip(facts.names, facts.bank, facts.products, strict=True):
            add(f"{name}: sum of weight · colour · alpha", products.sum(axis=(1, 2)))
            alpha = number_text((kernel * facts.alphas).sum(), DIGITS)
            steps.add_row(f"{name}: sum of weight · alpha", *[alpha] * len(names))
    for name, sums in zip(facts.names, facts.responses, strict=True):
        add(f"{name}: sum" if facts.alphas is None else f"{name}: response, {_seen(facts)}", sums)
    if facts.combine != "none":
        add(_combination(facts), facts.combined[0])
    results = facts.names if len(facts.result) > 1 else [""]
    for name, values, tone, pixels in zip(
        results, facts.values, facts.tones, facts.result, strict=True
    ):
        prefix = f"{name} " if name else ""
        if (facts.scale, facts.bias) != (1, 0):
            add(f"{prefix}times {facts.scale:g} plus {facts.bias:g}", values)
        label = f"{prefix}pixel: {range_text(tone)}"
        steps.add_row(label, *pixel_texts(pixels[: len(names)], tone.white))
    if facts.alpha is not None:
        steps.add_row("alpha", number_text(facts.alpha))
    return steps


def _seen(facts: WindowFacts) -> str:
    """What :class:`~cnntool.imaging.transparency.Unweighting` makes of the two sums."""
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

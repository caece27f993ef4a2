"""`cnntool explain convolve`: how one pixel of a filtered image came about."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from cnntool.cli.console import picked, print_json, show, styled, table
from cnntool.cli.convolve import BORDER_RULES, Kernels, Pixels, Windows, read_filters
from cnntool.cli.explain import blocks
from cnntool.cli.explain.options import Pixel, Report, open_one
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import Depth, Reading, takes
from cnntool.errors import RequestError
from cnntool.wording import counted, without_noise

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from rich.table import Table

    from cnntool.cli.explain.blocks import Block
    from cnntool.explain.windows import Taps, WindowFacts
    from cnntool.imaging.filter_plan import Geometry
    from cnntool.imaging.kernels import Filter
    from cnntool.imaging.tone import Tone

SINGLE = 2.0**-22
"""What float32 leaves of a sum that is 0, beside its terms."""
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
    from cnntool.explain.windows import window_facts
    from cnntool.files.image import choose_depth
    from cnntool.imaging.filter_plan import Geometry
    from cnntool.imaging.filtering import Rendering

    filters = read_filters(kernels, [pixel.image])
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
    if kernel.is_colour:
        raise RequestError(
            f"{kernel.spec} sums three channels: name one of them, as in "
            f"{kernel.spec}{'' if kernel.count == 1 else '/0'}/0"
        )


def _entry(facts: WindowFacts) -> dict:
    height, width = facts.output_size
    kernels = zip(facts.names, facts.bank, facts.products, facts.responses, strict=True)
    results = zip(facts.combined, facts.values, facts.tones, facts.result, strict=True)
    return {
        "at": picked(facts, "x", "y"),
        "output": {"width": width, "height": height},
        "centre": {"x": facts.columns.centre, "y": facts.rows.centre},
        "rows": _axis_entry(facts.rows),
        "columns": _axis_entry(facts.columns),
        "pixels": facts.pixels.transpose(2, 0, 1),
        "alphas": facts.alphas,
        "kernels": [
            {"name": name, "weights": weights, "products": products, "sums": sums}
            for name, weights, products, sums in kernels
        ],
        **picked(facts, "combine", "scale", "bias"),
        "results": [
            {
                "combined": combined,
                "value": value,
                "range": tone.range,
                "white": tone.white,
                **({"low": tone.low, "high": tone.high} if tone.range == "stretch" else {}),
                "pixel": pixel,
            }
            for combined, value, tone, pixel in results
        ],
        "alpha": facts.alpha,
    }


def _axis_entry(taps: Taps) -> dict:
    """``sources`` are the pixels that stand at the positions; null is the border's constant."""
    sources = [None if source < 0 else source for source in taps.sources]
    return {"positions": taps.positions, "sources": sources}


def _show(
    facts: WindowFacts, name: str, specs: Sequence[str], geometry: Geometry, white: float
) -> None:
    """Print how the pixel came about; ``white`` is the picture's, ``specs`` are of the chain."""
    height, width = facts.output_size
    after = f" after {', '.join(specs[:-1])}" if len(specs) > 1 else ""
    turned = ", turned by 180 degrees" if geometry.flip else ""
    show((specs[-1], "bold cyan"), f"{turned} over {name}{after}")
    show(
        f"pixel {facts.x},{facts.y} of {width} x {height}; its window is centred on "
        f"{facts.columns.centre},{facts.rows.centre} of "
        f"{'what comes' + after if after else 'the picture'}"
    )
    if outside := _outside(facts, geometry):
        show(f"( ) is outside the picture: {outside}")
    if facts.alphas is not None:
        show("some pixels are transparent: colours are multiplied by alpha")
    channels = blocks.shown_channels(facts.pixels.shape[2])
    kernels: Sequence[int] = range(len(facts.bank))
    if len(kernels) > MOST_KERNELS:
        kernels = [facts.strongest]
        show(f"of {len(facts.bank)} kernels the one that answers most; --json gives all")
    for channel in channels:
        for kernel in kernels:
            blocks.show_window(
                facts.bank.shape[1:],
                partial(_products, facts, kernel, channel, white),
                partial(_show_largest, facts, kernel, channel),
            )
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


def _products(facts: WindowFacts, kernel: int, channel: int, white: float) -> dict[str, Block]:
    """Window x kernel = products."""
    window = blocks.window_block(
        facts.pixels,
        channel,
        white,
        marks=["  " if is_inside else "()" for is_inside in facts.is_inside.ravel()],
        rows=facts.rows.positions,
        columns=facts.columns.positions,
        more="" if facts.alphas is None else " · alpha",
    )
    foot = styled("sum ", (_sum_text(facts, kernel, channel), "bold"))
    return {
        "": window,
        "×": blocks.shaded_block(facts.bank[kernel], facts.names[kernel]),
        "=": blocks.shaded_block(facts.products[kernel, channel], "products", foot),
    }


def _show_largest(facts: WindowFacts, kernel: int, channel: int) -> None:
    """The largest products of a kernel that is too large to be shown whole."""
    from cnntool.explain.windows import largest_places

    weights, products = facts.bank[kernel], facts.products[kernel, channel]
    places = largest_places(products, blocks.MOST_LISTED)
    height, width = weights.shape
    name = blocks.channel_names(facts.pixels.shape[2])[channel]
    title = f"{facts.names[kernel]}, {height} x {width}" + (f", {name}" if name else "")
    count = len(places[0])
    show((title, "bold"), f": the {count} largest of {products.size} products")
    listed = blocks.largest_table(
        ("pixel", "weight", "product"),
        (facts.pixels[..., channel], weights, products),
        places,
        facts.rows.positions,
        facts.columns.positions,
        facts.is_inside,
    )
    if products.size > count:
        rest = blocks.number_text(products.sum() - products[places].sum(), blocks.DIGITS)
        listed.add_row("", "", counted(products.size - count, "other"), rest)
    listed.add_row("", "", "sum", styled(_sum_text(facts, kernel, channel), style="bold"))
    show(listed)


def _sum_text(facts: WindowFacts, kernel: int, channel: int) -> str:
    """The engine's own sum, in float32, where what it sums is what is shown."""
    if facts.alphas is None:
        return blocks.number_text(_sums(facts, kernel)[channel], blocks.DIGITS)
    return blocks.number_text(facts.products[kernel, channel].sum(), blocks.DIGITS)


def _sums(facts: WindowFacts, kernel: int) -> list[float]:
    """The responses of all channels, 0 where only rounding is left of the products."""
    sizes = abs(facts.products[kernel]).sum(axis=(1, 2)).tolist()
    sums = facts.responses[kernel].tolist()
    return [without_noise(*each, SINGLE) for each in zip(sums, sizes, strict=True)]


def _steps(facts: WindowFacts) -> Table:
    """From the sums to the pixel: a row a step, a column a channel."""
    names = blocks.channel_names(facts.pixels.shape[2])
    steps = table(*names, names="")

    def add(label: str, values: np.ndarray | Sequence[float]) -> None:
        steps.add_row(label, *blocks.number_texts(values, blocks.DIGITS)[: len(names)])

    if facts.alphas is not None:
        for name, kernel, products in zip(facts.names, facts.bank, facts.products, strict=True):
            add(f"{name}: sum of weight · colour · alpha", products.sum(axis=(1, 2)))
            alpha = blocks.number_text((kernel * facts.alphas).sum(), blocks.DIGITS)
            steps.add_row(f"{name}: sum of weight · alpha", *[alpha] * len(names))
    for kernel, name in enumerate(facts.names):
        what = "sum" if facts.alphas is None else f"response, {_seen(facts)}"
        add(f"{name}: {what}", _sums(facts, kernel))
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
        steps.add_row(label, *blocks.pixel_texts(pixels[: len(names)], tone.white))
    if facts.alpha is not None:
        steps.add_row("alpha", blocks.number_text(facts.alpha))
    return steps


def _seen(facts: WindowFacts) -> str:
    """What :func:`~cnntool.imaging.transparency.unweighting` makes of the two sums."""
    if facts.bank.min() >= 0:
        return "Σ w · first sum / second sum"
    return "transparent pixels as the centre"


def _combination(facts: WindowFacts) -> str:
    if facts.combine == "magnitude":
        if facts.responses.size > 3:  # more than one channel, or many kernels
            return "magnitude: √(sum of the squares)"
        squares = " + ".join(
            f"({text})²" if text.startswith("-") else f"{text}²"
            for text in blocks.number_texts(facts.responses, blocks.DIGITS)
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

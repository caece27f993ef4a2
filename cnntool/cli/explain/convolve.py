"""`cnntool explain convolve`: how one pixel of a filtered image came about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cnntool.cli.convolve import BORDER_RULES
from cnntool.cli.convolve import command as convolve
from cnntool.cli.explain.options import (
    at_option,
    image_argument,
    json_option,
    open_one,
    taken_from,
)
from cnntool.cli.help import SectionedCommand

if TYPE_CHECKING:
    from cnntool.explain.windows import Taps, WindowFacts
    from cnntool.imaging.kernels import Filter


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
@image_argument
@at_option
@taken_from(convolve, "specs", "size", "sigma", "angle", "combine", "normalize", "flip")
@taken_from(convolve, "stride", "dilation", "padding", "border")
@taken_from(convolve, "scale", "bias", "shown", "depth", "gray", "alpha", "white", "max_pixels")
@json_option
def command(
    image, at, specs, size, sigma, angle, combine, normalize, shown, depth, as_json, **settings
) -> None:
    """Show the numbers behind one pixel of `cnntool convolve`, with the same options.

    The window of pixels, the kernel, their products and the sum of those; for a bank every kernel
    and how the responses are combined; and how --range made a pixel of the value. In a chain of
    kernels the last one is explained, and of an animation the first frame. The pixel is the one
    that `cnntool convolve` writes, before JPEG compresses it.
    """
    from cnntool.cli.console import print_json
    from cnntool.cli.convolve import read_filters
    from cnntool.explain.windows import window_facts
    from cnntool.files.pixels import choose_depth
    from cnntool.imaging.filter_pass import Geometry
    from cnntool.imaging.filtering import Rendering, normalized

    filters = read_filters(specs, combine, size=size, sigma=sigma, angle=angle)
    check_not_colour(filters[-1])
    if normalize:
        filters = [normalized(kernel) for kernel in filters]
    picture, name = open_one(image, settings)
    wanted = choose_depth(picture, picture.format, depth)
    scale, bias = settings.pop("scale"), settings.pop("bias")
    border, constant = settings.pop("border")
    geometry = Geometry(**settings, border=border, constant=constant)
    rendering = Rendering(shown, scale, bias, wanted.dtype, wanted.white)
    facts = window_facts(picture, filters, geometry, rendering, at)
    specs = [kernel.spec for kernel in filters]
    if as_json:
        print_json({"image": name, "kernel": specs[-1], "after": specs[:-1], **_entry(facts)})
    else:
        from cnntool.cli.explain.window_tables import show_window

        show_window(facts, name, specs, geometry, picture.white)


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

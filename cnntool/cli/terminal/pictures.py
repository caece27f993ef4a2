"""Pictures and grids of filters in the terminal: two pixels a character, as half blocks.

On stderr, below lines that say what they are: letters within a picture would be too small to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

from cnntool.cli.console import complain, console, shows_colour
from cnntool.files.image import Frame, Image
from cnntool.visuals.filter_grid import filter_grid, limit_of, plan_grid, shades

if TYPE_CHECKING:
    from cnntool.visuals.filter_sheet import Panel

SHADES = " .:-=+*#%@"


def say(lines: Sequence[str]) -> None:
    """Print lines above a picture on stderr, cut between words where the terminal is narrower."""
    screen = console(stderr=True)
    for line in lines:
        for piece in wrap(line, max(20, screen.width - 1)) if screen.is_terminal else [line]:
            complain(piece)


def draw(image: Image, lines: int | None = None) -> None:
    """Draw an image's first frame on stderr, as large as the terminal, or so many lines, allow.

    In a terminal without colour (NO_COLOR, TERM=dumb, a pipe) it is drawn in ten characters.
    """
    screen = console(stderr=True)
    lines = lines or max(4, screen.height - 4)  # room for a note and the prompt
    pixels = _fit(image, screen.width - 1, 2 * lines)
    if not has_colour():
        for row in pixels[::2].mean(axis=2):
            shades = (SHADES[int(v * (len(SHADES) - 1) / 255 + 0.5)] for v in row)
            screen.print("".join(shades), markup=False)
        return
    from rich.segment import Segment, Segments
    from rich.style import Style

    if len(pixels) % 2:
        pixels = np.concatenate([pixels, pixels[-1:]])
    segments = []
    for upper, lower in zip(pixels[::2], pixels[1::2], strict=True):
        for top, bottom in zip(upper, lower, strict=True):
            style = Style(color=_colour(top), bgcolor=_colour(bottom))
            segments.append(Segment("▀", style))
        segments.append(Segment.line())
    screen.print(Segments(segments), end="")


def draw_pixels(pixels: np.ndarray, lines: int | None = None, white: float = 255.0) -> None:
    """Draw pixels (H, W, C), as :func:`draw` does an image of them."""
    draw(Image((Frame(pixels),), white, "PNG"), lines)


def draw_below(lines: Sequence[str], pixels: np.ndarray) -> None:
    """Print lines, and below them draw pixels (H, W, C)."""
    say(lines)
    draw_pixels(pixels)


def has_colour() -> bool:
    """Whether pictures are drawn in colours on stderr."""
    screen = console(stderr=True)
    return shows_colour(screen) and "utf" in screen.encoding.lower()


def _colour(pixel: np.ndarray) -> str:
    return f"rgb({pixel[0]},{pixel[1]},{pixel[2]})"


def _fit(image: Image, width: int, height: int) -> np.ndarray:
    """(h, w, 3) uint8 within the given size, its proportions kept, alpha over black."""
    from PIL import Image as Pillow

    frame = image.frames[0]
    rows, columns, _ = frame.pixels.shape
    step = max(1, min(rows // (4 * height), columns // (4 * width)))  # enough to average over
    values = frame.pixels[::step, ::step].astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if frame.pixels.dtype.kind == "f" and (low < 0 or high > image.white):
        values = (values - low) * (255 / ((high - low) or 1))
    else:
        values *= 255 / image.white
    if frame.alpha is not None:
        values *= (frame.alpha[::step, ::step] / image.white)[..., None]
    values = np.repeat(values[..., :1], 3, axis=2) if values.shape[2] < 3 else values[..., :3]
    rows, columns = values.shape[:2]
    factor = min(width / columns, height / rows, 1.0)
    size = max(1, round(columns * factor)), max(1, round(rows * factor))
    picture = Pillow.fromarray(np.clip(values + 0.5, 0, 255).astype(np.uint8))
    return np.asarray(picture.resize(size, Pillow.Resampling.BOX))


def draw_grids(
    panels: Sequence[Panel],
    words: str,
    scale: str = "bank",
    columns: int | None = None,
    lines: int | None = None,
) -> None:
    """Draw grids on stderr, one below the other, without letters, which would be too small.

    A weight is a few of the terminal's pixels where that fits, so that the grid stays sharp. All
    are on one scale. ``lines`` that each of them may take.  [default: all of the screen]
    """
    limit = limit_of([panel.bank for panel in panels])
    say([words])
    for panel in panels:
        if panel.heading:
            say([", ".join(filter(None, (panel.heading, panel.note)))])
        draw_grid(panel.bank, scale, limit, columns, lines)


def draw_grid(
    bank: np.ndarray,
    scale: str = "bank",
    limit: float | None = None,
    columns: int | None = None,
    lines: int | None = None,
) -> None:
    """Draw a bank (F, C, kh, kw) on stderr."""
    screen = console(stderr=True)
    room = 2 * (lines or max(4, screen.height - 4)), screen.width - 1
    grid = plan_grid(bank.shape, columns, room, least=1)
    draw_pixels(filter_grid(shades(bank, scale, limit), grid), lines)

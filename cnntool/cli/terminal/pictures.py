"""A picture drawn with half blocks in the terminal: two pixels a character, in its colours."""

from __future__ import annotations

import numpy as np

from cnntool.cli.console import console, shows_colour
from cnntool.files.image import Image

SHADES = " .:-=+*#%@"


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

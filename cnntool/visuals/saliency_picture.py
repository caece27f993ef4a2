"""What an answer rests on, in colour over the picture that it is about."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from cnntool.visuals.lettering import (
    FAINT,
    INK,
    PAPER,
    font,
    line_height,
    shortened,
    text_width,
    wrapped,
)

PANEL = 384
"""Pixels that a picture has at most on either side."""

LETTERS, SMALL = 14, 12
MARGIN, GAP = 18, 16
LEAST_TEXT = 440
BAR_HEIGHT = 12
LINES = (205, 205, 205)

MOST_OPAQUE = 0.9


def saliency_picture(
    picture: np.ndarray,
    heat: np.ndarray,
    lines: Sequence[str],
    ends: tuple[str, str] = ("nothing", "most"),
) -> np.ndarray:
    """A picture (H, W, 3) uint8 as it is, and beside it with ``heat`` over it, as (H, W, 3) uint8.

    heat: (h, w) from 0 to 1 for equal parts of the picture. lines: of text below; the first is
        darkest. ends: what 0 and 1 are called beside the scale of colours.
    """
    from PIL import Image, ImageDraw

    plain, hot = panels(picture, heat)
    height, width = plain.shape[:2]
    across = 2 * width + GAP
    text = max(across, LEAST_TEXT)
    words = [
        (piece, FAINT if number else INK)
        for number, line in enumerate(lines)
        for piece in wrapped(line, LETTERS, text)
    ]
    scale_top = MARGIN + height + 10
    words_top = scale_top + line_height(SMALL) + 8
    bottom = words_top + len(words) * line_height(LETTERS) + MARGIN // 2
    used = max([across, *(text_width(line, LETTERS) for line, _ in words)])
    sheet = Image.new("RGB", (used + 2 * MARGIN, bottom), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, pixels in enumerate((plain, hot)):
        left = MARGIN + number * (width + GAP)
        sheet.paste(Image.fromarray(pixels), (left, MARGIN))
        box = left - 1, MARGIN - 1, left + width, MARGIN + height
        draw.rectangle(box, outline=LINES)
    _draw_scale(sheet, draw, ends, MARGIN, scale_top, used)
    for number, (line, colour) in enumerate(words):
        at = MARGIN, words_top + number * line_height(LETTERS)
        draw.text(at, line, colour, font(LETTERS))
    return np.asarray(sheet)


def panels(picture: np.ndarray, heat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The picture as it is and with ``heat`` over it, of one size, without words."""
    plain = fitted(picture)
    return plain, overlaid(plain, stretched(heat, plain.shape[:2], picture.shape[:2]))


def fitted(picture: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3) enlarged by a whole factor, or made smaller, to at most PANEL."""
    from PIL import Image

    longest = max(picture.shape[:2])
    if longest <= PANEL:
        factor = PANEL // longest
        return picture.repeat(factor, axis=0).repeat(factor, axis=1)
    image = Image.fromarray(np.ascontiguousarray(picture))
    size = [max(1, round(side * PANEL / longest)) for side in (image.width, image.height)]
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS))


def stretched(heat: np.ndarray, size: tuple[int, int], picture_size: tuple[int, int]) -> np.ndarray:
    """The heat (h, w) as large as the panel: in squares where each is a pixel of the picture, else
    with even passages between them."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(heat, np.float32))
    is_its_pixels = heat.shape == tuple(picture_size) and size[0] >= heat.shape[0]
    way = Image.Resampling.NEAREST if is_its_pixels else Image.Resampling.BILINEAR
    return np.asarray(image.resize((size[1], size[0]), way))


def overlaid(picture: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """The picture in pale grey with the colours of ``heat`` (H, W) over it: the hotter, the less of
    the picture shows through."""
    grey = picture @ np.array([0.299, 0.587, 0.114])
    pale = np.repeat((96 + grey * (159 / 255))[..., None], 3, axis=2)
    opacity = MOST_OPAQUE * np.clip(heat, 0, 1)[..., None] ** 0.7
    return np.rint(pale + (coloured(heat) - pale) * opacity).astype(np.uint8)


def _draw_scale(sheet, draw, ends: tuple[str, str], left: int, top: int, width: int) -> None:
    """The colours from 0 to 1 over mid grey, as they stand in the picture, between two words."""
    from PIL import Image

    room = (width - 120) // 2
    low, high = (shortened(end, SMALL, room) for end in ends)
    start = left + text_width(low, SMALL) + 8
    length = min(200, width - (start - left) - 8 - text_width(high, SMALL))
    grey = np.full((BAR_HEIGHT, length, 3), 128, np.uint8)
    bar = overlaid(grey, np.tile(np.linspace(0, 1, length), (BAR_HEIGHT, 1)))
    sheet.paste(Image.fromarray(bar), (start, top + 2))
    middle = top + 2 + BAR_HEIGHT / 2
    draw.text((left, middle), low, FAINT, font(SMALL), anchor="lm")
    draw.text((start + length + 8, middle), high, FAINT, font(SMALL), anchor="lm")


STEPS = 256

DARKEST, LIGHTEST = 0.24, 0.95
FIRST_HUE, LAST_HUE = 295.0, 460.0  # degrees: violet, and yellow a turn further
MOST_CHROMA = 0.19

_TO_CUBED_LMS = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_TO_LINEAR_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def coloured(values: np.ndarray) -> np.ndarray:
    """Values of any shape as (..., 3) uint8; those below 0 as 0, those above 1 as 1."""
    places = np.rint(np.clip(values, 0, 1) * (STEPS - 1)).astype(int)
    return colour_table()[places]


@lru_cache
def colour_table() -> np.ndarray:
    """(STEPS, 3) uint8, read-only."""
    lab = even_path()
    table = np.rint(255 * np.clip(oklab_to_srgb(lab), 0, 1)).astype(np.uint8)
    table.setflags(write=False)
    return table


def even_path() -> np.ndarray:
    """(STEPS, 3): lightness, a and b in Oklab, all steps equally long."""
    t = np.linspace(0, 1, 16 * STEPS)
    hue = np.radians(FIRST_HUE + (LAST_HUE - FIRST_HUE) * t)
    chroma = MOST_CHROMA * np.sin(np.pi * (0.12 + 0.76 * t))
    lightness = DARKEST + (LIGHTEST - DARKEST) * t
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=1)
    lengths = np.sqrt(np.square(np.diff(lab, axis=0)).sum(axis=1))
    along = np.concatenate([[0], np.cumsum(lengths)])
    wanted = np.linspace(0, along[-1], STEPS)
    return np.stack([np.interp(wanted, along, axis) for axis in lab.T], axis=1)


def oklab_to_srgb(lab: np.ndarray) -> np.ndarray:
    """(..., 3) in Oklab as sRGB, from 0 to 1 where it can be shown."""
    linear = (lab @ _TO_CUBED_LMS.T) ** 3 @ _TO_LINEAR_RGB.T
    low = np.clip(linear, 0, None)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * low ** (1 / 2.4) - 0.055)
    return curved

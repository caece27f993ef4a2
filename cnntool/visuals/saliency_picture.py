"""What an answer rests on, in colour over the picture that it is about."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from cnntool.visuals import paper

PANEL = 384
"""Pixels that a picture has at most on either side."""

SMALL, GAP = 12, 16
LEAST_TEXT = 440
BAR_HEIGHT = 12

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
    plain, hot = panels(picture, heat)
    height, width = plain.shape[:2]
    scale = height + 10  # the top of the scale of colours
    size = 2 * width + GAP, scale + paper.line_height(SMALL) + 8
    sheet = paper.captioned_sheet(*size, lines, least_text=LEAST_TEXT)
    for number, pixels in enumerate((plain, hot)):
        sheet.paste(pixels, paper.MARGIN + number * (width + GAP), paper.MARGIN, paper.FRAME)
    _draw_scale(sheet, ends, paper.MARGIN + scale)
    return sheet.pixels


def panels(picture: np.ndarray, heat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The picture as it is and with ``heat`` over it, of one size, without words."""
    plain = paper.fitted(picture, PANEL)
    return plain, overlaid(plain, stretched(heat, picture.shape[:2]))


def stretched(heat: np.ndarray, picture_size: tuple[int, int]) -> np.ndarray:
    """The heat (h, w) as large as the panel of the picture: in squares where each is a pixel of the
    picture, else with even passages between them."""
    from PIL import Image

    height, width = paper.fitted_size(picture_size, PANEL)
    image = Image.fromarray(np.ascontiguousarray(heat, np.float32))
    is_its_pixels = heat.shape == tuple(picture_size) and height >= heat.shape[0]
    way = Image.Resampling.NEAREST if is_its_pixels else Image.Resampling.BILINEAR
    return np.asarray(image.resize((width, height), way))


def overlaid(picture: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """The picture in pale grey with the colours of ``heat`` (H, W) over it: the hotter, the less of
    the picture shows through."""
    grey = picture @ np.array([0.299, 0.587, 0.114])
    pale = np.repeat((96 + grey * (159 / 255))[..., None], 3, axis=2)
    opacity = MOST_OPAQUE * np.clip(heat, 0, 1)[..., None] ** 0.7
    return np.rint(pale + (coloured(heat) - pale) * opacity).astype(np.uint8)


def _draw_scale(sheet: paper.Sheet, ends: tuple[str, str], top: int) -> None:
    """The colours from 0 to 1 over mid grey, as they stand in the picture, between two words."""
    width = sheet.width - 2 * paper.MARGIN
    low, high = (paper.shortened(end, SMALL, (width - 120) // 2) for end in ends)
    start = paper.MARGIN + paper.text_width(low, SMALL) + 8
    length = min(200, width - (start - paper.MARGIN) - 8 - paper.text_width(high, SMALL))
    grey = np.full((BAR_HEIGHT, length, 3), 128, np.uint8)
    bar = overlaid(grey, np.tile(np.linspace(0, 1, length), (BAR_HEIGHT, 1)))
    sheet.paste(bar, start, top + 2)
    middle = top + 2 + BAR_HEIGHT / 2
    sheet.write((paper.MARGIN, middle), low, SMALL, paper.FAINT, anchor="lm")
    sheet.write((start + length + 8, middle), high, SMALL, paper.FAINT, anchor="lm")


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

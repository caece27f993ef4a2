"""What an answer rests on, in colour over the picture that it is about."""

from __future__ import annotations

from collections.abc import Sequence

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

ANCHORS = """
    22163c 2c1846 361a4f 411a57 4d1b5e 591b63 651c67 711c6a 7e1c6c 8b1d6c 971e6b
    a32069 af2466 ba2863 c52e5e cf3559 d83e53 e0474d e75147 ee5c41 f3673b f77337
    fa7f35 fc8b37 fd983d fea446 fdb053 fcbc61 fbc771 fad282 f9dd94 f8e7a7 f9f0ba
"""
"""From violet over red to yellow, equally far apart for the eye.

With t from 0 to 1 they lie, in steps of one length, on the curve of lightness 0.24 + 0.71 t, chroma
0.19 sin(π (0.12 + 0.76 t)) and hue 295° + 165° t in Oklab. Source: B. Ottosson, "A perceptual color
space for image processing", 2020.
"""

_anchors = np.array([list(bytes.fromhex(colour)) for colour in ANCHORS.split()])
_places = np.linspace(0, len(_anchors) - 1, STEPS)
_channels = [np.interp(_places, range(len(_anchors)), channel) for channel in _anchors.T]
COLOURS = np.rint(_channels).astype(np.uint8).T
"""(STEPS, 3): from the first anchor to the last."""


def coloured(values: np.ndarray) -> np.ndarray:
    """Values of any shape as (..., 3) uint8; those below 0 as 0, those above 1 as 1."""
    return COLOURS[np.rint(np.clip(values, 0, 1) * (STEPS - 1)).astype(int)]

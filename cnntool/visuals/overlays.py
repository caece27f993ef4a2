"""What an answer rests on, in colour over the picture that it is about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnntool.visuals import paper
from cnntool.visuals.heat import AGAINST, FOR, tinted
from cnntool.visuals.tiles import TILE, Captioned, contact_sheet

PANEL = 384
"""Pixels that a picture has at most on either side."""

SMALL, GAP = 12, 16
LEAST_TEXT = 440

MOST_OPAQUE = 0.9
DARKEST, DARKEST_OF_SIGNS = 96, 200
"""What black is below the colours of a map: paler where these are two, for and against."""


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
    sheet.draw_scale(ends, paper.MARGIN + scale, _over_grey)
    return sheet.pixels


def _over_grey(shares: np.ndarray) -> np.ndarray:
    """The colours of shares (n,) as they stand in a picture of mid grey, (n, 3)."""
    return overlaid(np.full((1, len(shares), 3), 128, np.uint8), shares[None])[0]


def panels(picture: np.ndarray, heat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The picture as it is and with ``heat`` over it, of one size, without words."""
    plain = paper.fitted(picture, PANEL)
    return plain, overlaid(plain, stretched(heat, picture.shape[:2]))


def attention_maps(
    picture: np.ndarray, maps: np.ndarray, words: Sequence[str], title: str
) -> np.ndarray:
    """A picture (H, W, 3) uint8 as it is, and once for each word with the map of it over it,
    (T, h, w) for equal parts of the picture, as (H', W', 3) uint8.

    All are on one scale, so that a word that looked nowhere in particular is pale; how much it
    looked where it did most is said below it.
    """
    plain = paper.fitted(picture, PANEL)
    tiles = [Captioned(plain, ("the picture", f"hottest {maps.max():.0%}"))]
    for pixels, heat, word in zip(attended(picture, maps), maps, words, strict=True):
        tiles.append(Captioned(pixels, (word, f"most {heat.max():.0%}")))
    is_long = max(plain.shape[:2]) >= 2 * min(plain.shape[:2])
    return contact_sheet(tiles, title=title, most=2 * TILE if is_long else TILE)


def attended(picture: np.ndarray, maps: np.ndarray) -> list[np.ndarray]:
    """The picture with each of the maps over it, on one scale, without words."""
    return [panels(picture, heat)[1] for heat in maps / (float(maps.max()) or 1.0)]


LABEL, NUMBER, BAR = 150, 90, 15
"""Pixels of the names and the numbers beside bars, and of the height of a bar."""

LIMIT = 99.5
"""Percentile of the sizes that has the fullest colour."""


def prediction_picture(
    picture: np.ndarray,
    maps: Sequence[tuple[str, np.ndarray]],
    bars: Sequence[tuple[str, float]],
    ends: tuple[str, str],
    lines: Sequence[str],
    turned: tuple[str, np.ndarray] | None = None,
) -> np.ndarray:
    """The sum that an answer is: a picture (H, W, 3) uint8, beside it each map (h, w) over it in
    pale grey, and bars below, as (H, W, 3) uint8.

    maps: with the words above them; above 0 in one colour, below in the other. bars: names and
    numbers, the last of which is the sum. ends: what the colours below and above 0 say. lines: of
    text at the end. turned: words, and another picture (h, w, 3) that stands last.
    """
    plain = paper.fitted(picture, PANEL)
    height, width = plain.shape[:2]
    panels = [("the image", plain)]
    panels += [(words, _tinted_over(plain, picture.shape[:2], values)) for words, values in maps]
    if turned is not None:
        panels.append((turned[0], paper.resized(turned[1], (height, width))))
    wide = max(width, 190)
    across = len(panels) * (wide + GAP) - GAP
    head, pitch = paper.line_height(SMALL) + 4, BAR + 5
    below = head + height + 8 + paper.line_height(SMALL) + 12
    sheet = paper.captioned_sheet(across, below + len(bars) * pitch + 14, lines)
    for number, (words, pixels) in enumerate(panels):
        left = paper.MARGIN + number * (wide + GAP)
        shown = paper.shortened(words, SMALL, wide)
        sheet.write((left, paper.MARGIN), shown, SMALL, paper.FAINT)
        sheet.paste(pixels, left, paper.MARGIN + head, paper.FRAME)
    sheet.draw_scale(ends, paper.MARGIN + head + height + 8, lambda t: tinted(2 * t - 1, -1))
    _draw_bars(sheet, bars, paper.MARGIN + below, pitch)
    return sheet.pixels


def _tinted_over(plain: np.ndarray, size: tuple[int, int], values: np.ndarray) -> np.ndarray:
    """The picture in pale grey below the colours of values (h, w)."""
    sizes = np.abs(values)
    limit = float(np.percentile(sizes[sizes > 0], LIMIT)) if sizes.any() else 1.0
    share = stretched(values / limit, size)
    colours = np.where(share[..., None] < 0, np.array(AGAINST), np.array(FOR))
    return overlaid(plain, np.abs(share), colours, DARKEST_OF_SIGNS)


def _draw_bars(sheet: paper.Sheet, bars: Sequence[tuple[str, float]], top: int, pitch: int) -> None:
    """A bar for each number, to the right of a common zero or to its left."""
    largest = max((abs(value) for _, value in bars), default=0.0) or 1.0
    left, room = paper.MARGIN + LABEL, sheet.width - 2 * paper.MARGIN - LABEL - NUMBER
    least = min(0.0, *(value for _, value in bars)) if bars else 0.0
    most = max(0.0, *(value for _, value in bars)) if bars else 0.0
    scale = room / ((most - least) or largest)
    zero = left - least * scale
    for number, (name, value) in enumerate(bars):
        y = top + number * pitch
        is_sum = number == len(bars) - 1
        ink = paper.INK if is_sum else paper.FAINT
        shown = paper.shortened(name, SMALL, LABEL - 10)
        sheet.write((paper.MARGIN, y + BAR / 2), shown, SMALL, ink, anchor="lm")
        ends = sorted((zero, zero + value * scale))
        sheet.draw.rectangle((ends[0], y, ends[1], y + BAR - 1), FOR if value >= 0 else AGAINST)
        end = sheet.width - paper.MARGIN
        sheet.write((end, y + BAR / 2), f"{value:+.4g}", SMALL, ink, anchor="rm")
    sheet.draw.line([(zero, top - 3), (zero, top + len(bars) * pitch - 2)], paper.INK)


def stretched(heat: np.ndarray, picture_size: tuple[int, int]) -> np.ndarray:
    """The heat (h, w) as large as the panel of the picture: in squares where each is a pixel of the
    picture, else with even passages between them."""
    height, width = paper.fitted_size(picture_size, PANEL)
    is_its_pixels = heat.shape == tuple(picture_size) and height >= heat.shape[0]
    way = "NEAREST" if is_its_pixels else "BILINEAR"
    return paper.resized(heat.astype(np.float32), (height, width), way)


def overlaid(
    picture: np.ndarray,
    heat: np.ndarray,
    colours: np.ndarray | None = None,
    darkest: int = DARKEST,
) -> np.ndarray:
    """The picture in pale grey with the colours of ``heat`` (H, W), or these (H, W, 3), over it:
    the hotter, the less of the picture shows through. darkest: what black becomes below them."""
    grey = picture @ np.array([0.299, 0.587, 0.114])
    pale = np.repeat((darkest + grey * ((255 - darkest) / 255))[..., None], 3, axis=2)
    opacity = MOST_OPAQUE * np.clip(heat, 0, 1)[..., None] ** 0.7
    colours = coloured(heat) if colours is None else colours
    return np.rint(pale + (colours - pale) * opacity).astype(np.uint8)


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

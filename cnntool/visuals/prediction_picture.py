"""The sum that an answer is: the picture, what counts for the answer and against it in two colours,
its product with the picture, and bars of what each layer adds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnntool.visuals import paper
from cnntool.visuals.heat import AGAINST, FOR
from cnntool.visuals.saliency_picture import PANEL, stretched

GAP = 16
SMALL = 12
BAR = 15
LABEL, NUMBER = 150, 90
"""Pixels of the names and the numbers beside bars."""

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
    """A picture (H, W, 3) uint8, beside it each map (h, w) over it in pale grey, and bars below, as
    (H, W, 3) uint8.

    maps: with the words above them; above 0 in one colour, below in the other. bars: names and
    numbers, the last of which is the sum. ends: what the colours below and above 0 say. lines: of
    text at the end. turned: words, and another picture (h, w, 3) that stands last.
    """
    plain = paper.fitted(picture, PANEL)
    height, width = plain.shape[:2]
    wide = max(width, 190)
    count = len(maps) + 1 + (turned is not None)
    across = count * wide + (count - 1) * GAP
    head = paper.line_height(SMALL) + 4
    pitch = BAR + 5
    below = head + height + 8 + paper.line_height(SMALL) + 12
    sheet = paper.captioned_sheet(across, below + len(bars) * pitch + 14, lines)
    panels = [("the image", plain)]
    panels += [(words, _tinted_over(plain, picture.shape[:2], values)) for words, values in maps]
    if turned is not None:
        panels.append((turned[0], _as_large(turned[1], (height, width))))
    for number, (words, pixels) in enumerate(panels):
        left = paper.MARGIN + number * (wide + GAP)
        shown = paper.shortened(words, SMALL, wide)
        sheet.write((left, paper.MARGIN), shown, SMALL, paper.FAINT)
        sheet.paste(pixels, left, paper.MARGIN + head, paper.FRAME)
    _draw_ends(sheet, ends, paper.MARGIN + head + height + 8)
    _draw_bars(sheet, bars, paper.MARGIN + below, pitch)
    return sheet.pixels


def _tinted_over(plain: np.ndarray, size: tuple[int, int], values: np.ndarray) -> np.ndarray:
    """The picture in pale grey below the colours of values (h, w)."""
    sizes = np.abs(values)
    limit = float(np.percentile(sizes[sizes > 0], LIMIT)) if sizes.any() else 1.0
    share = np.clip(stretched(values / limit, size), -1, 1)[..., None]
    grey = plain @ np.array([0.299, 0.587, 0.114])
    pale = np.repeat((200 + grey * (55 / 255))[..., None], 3, axis=2)
    ends = np.where(share < 0, np.array(AGAINST, float), np.array(FOR, float))
    return np.rint(pale + (ends - pale) * np.abs(share) ** 0.7 * 0.95).astype(np.uint8)


def _as_large(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    from PIL import Image

    way = Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(pixels).resize((size[1], size[0]), way))


def _draw_ends(sheet: paper.Sheet, ends: tuple[str, str], top: int) -> None:
    left = paper.MARGIN
    for words, colour in zip(ends, (AGAINST, FOR), strict=True):
        sheet.draw.rectangle((left, top + 2, left + 12, top + 13), colour)
        sheet.write((left + 18, top + 8), words, SMALL, paper.FAINT, anchor="lm")
        left += 18 + paper.text_width(words, SMALL) + 24


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

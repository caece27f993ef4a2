"""What every layer makes of one image, from left to right as the data flows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cnntool.visuals import fonts, paper
from cnntool.visuals.filter_sheet import LINE, legend_of, shades

LETTERS = 13
GAP = 22
WIDEST_SHEET = 1500
COLUMN_HEIGHT, COLUMN_WIDTH = 400, 240
LEAST_COLUMN, WIDEST_WORDS = 64, 170
LARGEST_MAP, LARGEST_CELL, BAR = 120, 16, 90

LEFT_OVER = 0.85
"""What a grid whose last row is not full is worth beside one that is."""

MOST_MAPS = 64
"""Of a layer that stand on the sheet; of layers without maps four times as many numbers."""

MOST_CLASSES = 10


@dataclass(frozen=True, eq=False)
class Stage:
    """What one layer makes of the image.

    values: maps (C, H, W) or features (D,). is_picture: the image itself, from 0 to 1, grey or
        colour. names: of the features, where they are probabilities of classes.
    """

    name: str
    words: str
    shape: str
    values: np.ndarray
    is_picture: bool = False
    names: tuple[str, ...] = ()


def map_sheet(stages: Sequence[Stage], caption: str, scale: str = "bank") -> np.ndarray:
    """A column a stage, row by row, as (H, W, 3) uint8 on white.

    Above each column stand the layer's name, what it is, and the shape of what comes out. Maps are
    enlarged by a whole factor or made smaller, so that a column has one size whatever theirs. With
    the scale 'bank' a layer has one, on which 0 is mid grey.
    """
    stages = [_with_count(stage) for stage in stages]
    columns = [_column(stage, scale) for stage in stages]
    head = 3 * paper.line_height(LETTERS) + 6
    rows = _rows([column.shape[1] for column in columns])
    width = max(sum(columns[i].shape[1] + GAP for i in row) - GAP for row in rows)
    heights = [head + max(columns[i].shape[0] for i in row) + GAP for row in rows]
    words = caption, legend_of(scale, None, "map")
    size = {"letters": LETTERS, "least_text": 0, "below": paper.MARGIN}
    sheet = paper.captioned_sheet(width, sum(heights) - GAP + 10, words, **size)
    top = paper.MARGIN
    for row, tall in zip(rows, heights, strict=True):
        left = paper.MARGIN
        for index in row:
            stage, column = stages[index], columns[index]
            lines = (stage.name, paper.INK), (stage.words, paper.FAINT), (stage.shape, paper.FAINT)
            sheet.write_lines(left, top, lines, LETTERS, column.shape[1] + GAP - 6)
            sheet.paste(column, left, top + head)
            left += column.shape[1] + GAP
        top += tall
    return sheet.pixels


def _with_count(stage: Stage) -> Stage:
    """The stage with a word of what is left out."""
    most = _most(stage)
    if stage.names or stage.is_picture or len(stage.values) <= most:
        return stage
    return replace(stage, shape=f"{stage.shape}: first {most}")


def _most(stage: Stage) -> int:
    """Maps, or numbers where there are no maps, that stand on the sheet."""
    return MOST_MAPS if stage.values.ndim == 3 else 4 * MOST_MAPS


def _rows(widths: Sequence[int]) -> list[list[int]]:
    """The columns in rows, as many in each as fit into a sheet."""
    room = WIDEST_SHEET - 2 * paper.MARGIN
    rows: list[list[int]] = [[]]
    for index, width in enumerate(widths):
        used = sum(widths[i] + GAP for i in rows[-1])
        if rows[-1] and used + width > room:
            rows.append([])
        rows[-1].append(index)
    return rows


def _column(stage: Stage, scale: str) -> np.ndarray:
    """The maps of a stage as one picture, at least as wide as the words above it need."""
    needed = max(
        paper.text_width(paper.drawable(text), LETTERS)
        for text in (stage.name, stage.words, stage.shape)
    )
    least = max(LEAST_COLUMN, min(needed, WIDEST_WORDS))
    if stage.names:
        picture = _class_bars(stage)
    elif stage.is_picture:
        pixels = np.rint(np.clip(stage.values, 0, 1) * 255).astype(np.uint8)
        picture = _tiles(pixels.transpose(1, 2, 0)[None] if len(pixels) == 3 else pixels)
    else:
        maps = stage.values if stage.values.ndim == 3 else stage.values[:, None, None]
        picture = _tiles(shades(maps[:, None], scale)[: _most(stage), 0])
    missing = max(0, least - picture.shape[1])
    return np.pad(picture, ((0, 0), (0, missing), (0, 0)), constant_values=255)


def _tiles(tiles: np.ndarray) -> np.ndarray:
    """Pictures (N, h, w) or (N, h, w, 3) in a grid of at most COLUMN_HEIGHT x COLUMN_WIDTH."""
    count, height, width = tiles.shape[:3]
    largest = LARGEST_CELL if height == width == 1 else LARGEST_MAP
    sides = {
        n: max(1, min(largest, COLUMN_WIDTH // n - 1, COLUMN_HEIGHT // -(-count // n) - 1))
        for n in range(1, count + 1)
    }
    columns = max(sides, key=lambda n: sides[n] * (1 if count % n == 0 else LEFT_OVER))
    side = sides[columns]
    shown = [paper.fitted(tile, side, averages=True) for tile in tiles]
    h, w, _ = shown[0].shape
    rows = -(-count // columns)
    grid = np.full((rows * (h + 1) + 1, columns * (w + 1) + 1, 3), paper.PAPER, np.uint8)
    for index, tile in enumerate(shown):
        top, left = (index // columns) * (h + 1) + 1, (index % columns) * (w + 1) + 1
        grid[top - 1 : top + h + 1, left - 1 : left + w + 1] = LINE
        grid[top : top + h, left : left + w] = tile
    return grid


def _class_bars(stage: Stage) -> np.ndarray:
    """The likeliest classes, a bar and a name each."""
    best = np.argsort(-stage.values, kind="stable")[:MOST_CLASSES].tolist()
    names = fonts.drawable_names([stage.names[i] for i in best], best)
    lines = [f"{stage.values[i]:.1%}  {name}" for i, name in zip(best, names, strict=True)]
    words = [paper.shortened(line, LETTERS, WIDEST_WORDS) for line in lines]
    pitch = paper.line_height(LETTERS) + 4
    width = BAR + 8 + max(paper.text_width(line, LETTERS) for line in words)
    sheet = paper.Sheet(width, pitch * len(best))
    for row, (index, line) in enumerate(zip(best, words, strict=True)):
        top, filled = row * pitch, round(float(stage.values[index]) * (BAR - 1))
        sheet.draw.rectangle((0, top + 2, BAR - 1, top + pitch - 4), outline=LINE)
        sheet.draw.rectangle((0, top + 2, filled, top + pitch - 4), fill=paper.BLUE)
        sheet.write((BAR + 8, top + pitch / 2 - 1), line, LETTERS, anchor="lm")
    return sheet.pixels

"""Render the test card, a grey picture of what each kind of kernel finds.

    python tests/render_test_card.py [OUTPUT]      (default: sample_images/test-card.png)

Each panel is a function that returns a float array of shape (PANEL_HEIGHT, PANEL_WIDTH) with
values from 0 (black) to 255 (white). Shapes are averaged over several samples a pixel; lines one
pixel wide, bars, checkers, the ramp and the impulse are exact.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

PANEL_WIDTH, PANEL_HEIGHT = 150, 134
CAPTION_HEIGHT = 16
COLUMNS, GAP, BOTTOM_GAP = 4, 8, 10
SAMPLES = 8  # a pixel of a smooth shape is the mean of SAMPLES x SAMPLES points

BACKGROUND, CAPTION = 56, 216
BLACK, DARK, GREY, LIGHT, WHITE = 0, 40, 128, 224, 255

DEFAULT_OUTPUT = Path(__file__).resolve().parent.parent / "sample_images" / "test-card.png"


# --- coordinates ---------------------------------------------------------------------------


def pixels() -> tuple[np.ndarray, np.ndarray]:
    """Column x, shape (1, W), and row y, shape (H, 1), of every pixel, from the top left."""
    return np.arange(PANEL_WIDTH)[None, :], np.arange(PANEL_HEIGHT)[:, None]


def antialiased(shape: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """Average `shape(x, y)` over each pixel; (0, 0) is the middle of the panel and y points down.

    The samples are spread evenly over the pixel, so a straight edge has the grey of its coverage.
    """
    x = (np.arange(PANEL_WIDTH * SAMPLES) + 0.5) / SAMPLES - PANEL_WIDTH / 2
    y = (np.arange(PANEL_HEIGHT * SAMPLES) + 0.5) / SAMPLES - PANEL_HEIGHT / 2
    fine = np.asarray(shape(x[None, :], y[:, None]), float)
    return fine.reshape(PANEL_HEIGHT, SAMPLES, PANEL_WIDTH, SAMPLES).mean(axis=(1, 3))


# --- panels: lines and edges ---------------------------------------------------------------


def clock() -> np.ndarray:
    """Thin rays every 15 degrees: a line kernel keeps those that run along it."""

    def rays(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        radius = np.hypot(x, y)
        nearest = np.radians(15) * np.round(np.arctan2(y, x) / np.radians(15))
        distance = np.abs(x * np.sin(nearest) - y * np.cos(nearest))
        return np.where((distance < 0.7) & (radius > 14) & (radius < 62), WHITE, BLACK)

    return antialiased(rays)


def exact_lines() -> np.ndarray:
    """Horizontal, vertical and both diagonal directions, one pixel wide, one to a quarter."""
    x, y = pixels()
    left, top = x < PANEL_WIDTH // 2, y < PANEL_HEIGHT // 2
    inside = (np.abs(x - 37) < 31) | (np.abs(x - 112) < 31)
    inside = inside & ((np.abs(y - 33) < 27) | (np.abs(y - 100) < 27))
    lines = np.select(
        [left & top, top, left],
        [y % 9 == 6, x % 9 == 4, (x - y) % 12 == 9],
        default=(x + y) % 12 == 8,
    )
    return np.where(lines & inside, WHITE, BLACK)


def step_edges() -> np.ndarray:
    """An upright square, a tilted square, a disc and squares of falling contrast."""

    def shapes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        def square(centre_x: float, centre_y: float, half: float, degrees: float) -> np.ndarray:
            cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
            along = (x - centre_x) * cos + (y - centre_y) * sin
            across = (y - centre_y) * cos - (x - centre_x) * sin
            return np.maximum(np.abs(along), np.abs(across)) < half

        disc = np.hypot(x + 37, y - 33) < 25
        return np.select(
            [
                square(-37, -33, 22, 0),
                square(37, -33, 20, 25),
                disc,
                square(37, 33, 8, 0),
                square(37, 33, 16, 0),
                square(37, 33, 24, 0),
            ],
            [LIGHT, LIGHT, LIGHT, LIGHT, 144, 88],
            default=DARK,
        )

    return antialiased(shapes)


def blobs() -> np.ndarray:
    """Gaussian spots of standard deviation 1, 2, 4 and 8, bright above and dark below."""
    x, y = pixels()
    panel = np.full((PANEL_HEIGHT, PANEL_WIDTH), float(GREY))
    for row, amplitude in ((34, 120), (100, -120)):
        for sigma, column in ((1, 11), (2, 28), (4, 58), (8, 111)):
            squared_distance = (x - column) ** 2 + (y - row) ** 2
            panel += amplitude * np.exp(-squared_distance / (2 * sigma**2))
    return panel


# --- panels: frequencies and texture -------------------------------------------------------


def siemens_star() -> np.ndarray:
    """Wedges of 24 periods: the frequency rises towards the middle, in every direction."""

    def wedges(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        bright = np.cos(24 * np.arctan2(y, x)) > 0
        return np.where(np.hypot(x, y) < 62, np.where(bright, WHITE, BLACK), GREY)

    return antialiased(wedges)


def zone_plate() -> np.ndarray:
    """cos(k r^2): the frequency rises outwards, to half a cycle a pixel in the corners."""
    x, y = pixels()
    squared_radius = (x - PANEL_WIDTH / 2) ** 2 + (y - PANEL_HEIGHT / 2) ** 2
    corner = np.hypot(PANEL_WIDTH / 2, PANEL_HEIGHT / 2)
    return GREY + 127 * np.cos(np.pi * squared_radius / (2 * corner))


def stripes() -> np.ndarray:
    """Bars 1, 2, 3, 5 and 15 pixels wide, upright above and lying below."""
    x, y = pixels()
    width = np.repeat([1, 2, 3, 5, 15], PANEL_WIDTH // 5)[None, :]
    middle = PANEL_HEIGHT // 2
    bar = np.where(y < middle, x % (PANEL_WIDTH // 5), y - middle) // width
    return np.where(bar % 2 == 0, LIGHT, DARK)


def checkerboards() -> np.ndarray:
    """Squares of 1, 2, 4 and 8 pixels, one size to a quarter."""
    x, y = pixels()
    x, left = x % (PANEL_WIDTH // 2), x < PANEL_WIDTH // 2
    y, top = y % (PANEL_HEIGHT // 2), y < PANEL_HEIGHT // 2
    size = np.select([left & top, top, left], [1, 2, 4], default=8)
    return np.where((x // size + y // size) % 2 == 0, LIGHT, DARK)


# --- panels: impulse, ramp, noise and text -------------------------------------------------


def impulse() -> np.ndarray:
    """One white pixel: the result is the kernel itself."""
    panel = np.full((PANEL_HEIGHT, PANEL_WIDTH), float(BLACK))
    panel[PANEL_HEIGHT // 2, PANEL_WIDTH // 2] = WHITE
    return panel


def ramp_and_steps() -> np.ndarray:
    """A slope of exactly one grey level a pixel (a Laplacian gives 0), then ten even steps."""
    x, y = pixels()
    return np.where(y < 90, x + (256 - PANEL_WIDTH) // 2, x // 15 * 28)


def noise() -> np.ndarray:
    """Gaussian noise of standard deviation 10 and 40, then salt and pepper."""
    # RandomState, because its stream is frozen: that of a Generator may change with NumPy
    random = np.random.RandomState(1)
    third = (PANEL_HEIGHT, PANEL_WIDTH // 3)
    speckle = random.uniform(size=third)
    return np.hstack(
        [
            random.normal(GREY, 10, third),
            random.normal(GREY, 40, third),
            np.select([speckle < 0.05, speckle > 0.95], [BLACK, WHITE], default=GREY),
        ]
    )


def text() -> np.ndarray:
    """Letters in two sizes, dark on light."""
    panel = Image.new("L", (PANEL_WIDTH, PANEL_HEIGHT), LIGHT)
    draw = ImageDraw.Draw(panel)
    large, small = ImageFont.load_default(size=42), ImageFont.load_default(size=12)
    middle = PANEL_WIDTH // 2
    draw.text((middle, 56), "Edges", fill=DARK, font=large, anchor="ms")
    draw.text((middle, 84), "The quick brown fox", fill=DARK, font=small, anchor="ms")
    draw.text((middle, 102), "jumps over the lazy dog", fill=DARK, font=small, anchor="ms")
    draw.text((middle, 120), "0123456789", fill=DARK, font=small, anchor="ms")
    return np.asarray(panel, float)


PANELS = [
    ("lines every 15 degrees", clock),
    ("lines one pixel wide", exact_lines),
    ("step edges", step_edges),
    ("blobs", blobs),
    ("Siemens star", siemens_star),
    ("zone plate", zone_plate),
    ("stripes", stripes),
    ("checkerboards", checkerboards),
    ("impulse", impulse),
    ("ramp and steps", ramp_and_steps),
    ("noise", noise),
    ("text", text),
]


# --- the card ------------------------------------------------------------------------------


def panel_corner(index: int) -> tuple[int, int]:
    """Column and row on the card of the top left pixel of a panel."""
    row, column = divmod(index, COLUMNS)
    return (
        GAP + column * (PANEL_WIDTH + GAP),
        CAPTION_HEIGHT + row * (PANEL_HEIGHT + CAPTION_HEIGHT + BOTTOM_GAP) + BOTTOM_GAP // 2,
    )


def render() -> Image.Image:
    """Draw all panels, each under its caption, as one 8-bit grey picture."""
    rows = -(-len(PANELS) // COLUMNS)
    size = (
        GAP + COLUMNS * (PANEL_WIDTH + GAP),
        rows * (PANEL_HEIGHT + CAPTION_HEIGHT + BOTTOM_GAP),
    )
    card = Image.new("L", size, BACKGROUND)
    draw = ImageDraw.Draw(card)
    font = ImageFont.load_default(size=12)
    for index, (caption, panel) in enumerate(PANELS):
        left, top = panel_corner(index)
        levels = np.clip(np.round(panel()), 0, 255).astype(np.uint8)
        card.paste(Image.fromarray(levels), (left, top))
        draw.text((left, top - 5), caption, fill=CAPTION, font=font, anchor="ls")
    return card


def main() -> None:
    if len(sys.argv) > 2 or sys.argv[1:2] in (["-h"], ["--help"]):
        sys.exit(__doc__)
    output = Path(sys.argv[1]) if len(sys.argv) == 2 else DEFAULT_OUTPUT
    render().save(output, optimize=True)
    print(output)


if __name__ == "__main__":
    main()

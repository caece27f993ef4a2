"""Numbers from 0 to 1 as colours whose steps look even, from dark violet over red to pale yellow.

The path is drawn in Oklab, a space of colours in which equal distances look equal, with lightness
that always grows: so it reads the same in grey, and for eyes that do not tell red from green.
Source: B. Ottosson, "A perceptual color space for image processing", 2020.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

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

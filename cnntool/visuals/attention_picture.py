"""What each word of a caption looked at, over the picture that it is of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnntool.visuals.saliency_picture import overlaid, panels, stretched
from cnntool.visuals.tiles import TILE, Captioned, contact_sheet


def attention_maps(
    picture: np.ndarray, maps: np.ndarray, words: Sequence[str], title: str
) -> np.ndarray:
    """A picture (H, W, 3) uint8 as it is, and once for each word with the map of it over it,
    (T, h, w) for equal parts of the picture, as (H', W', 3) uint8.

    All are on one scale, so that a word that looked nowhere in particular is pale; how much it
    looked where it did most is said below it.
    """
    plain, shown = overlays(picture, maps)
    tiles = [Captioned(plain, ("the picture", f"hottest {maps.max():.0%}"))]
    for pixels, heat, word in zip(shown, maps, words, strict=True):
        tiles.append(Captioned(pixels, (word, f"most {heat.max():.0%}")))
    is_strip = max(plain.shape[:2]) >= 2 * min(plain.shape[:2])
    return contact_sheet(tiles, title=title, most=2 * TILE if is_strip else TILE)


def overlays(picture: np.ndarray, maps: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """The picture as it is, and with each of the maps over it, all of one size, without words."""
    plain = panels(picture, maps[0])[0]
    shares = maps / (float(maps.max()) or 1.0)
    return plain, [overlaid(plain, stretched(share, picture.shape[:2])) for share in shares]

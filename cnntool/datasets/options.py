"""How a data set is to be read."""

from __future__ import annotations

from dataclasses import dataclass

from cnntool.errors import RequestError

COLOUR_MODES = ("auto", "grey", "rgb")
LARGEST_SIDE = 1 << 16


@dataclass(frozen=True)
class LoadOptions:
    """What to make of the images of a source; RequestError for values that make no sense.

    resize: (height, width) that every image is resized to; None keeps the size they have.
    colour: ``grey``, ``rgb``, or ``auto``: as they are, colour where an image of a folder has it.
    strict: an image that cannot be read is an error; without it, it is left out and named.
    cache: keep the decoded images of a folder in the user's cache folder.
    """

    resize: tuple[int, int] | None = None
    colour: str = "auto"
    strict: bool = False
    cache: bool = True

    def __post_init__(self) -> None:
        if self.colour not in COLOUR_MODES:
            raise RequestError(
                f"colour is {self.colour!r}, expected one of {', '.join(COLOUR_MODES)}"
            )
        if self.resize and not all(1 <= side <= LARGEST_SIDE for side in self.resize):
            height, width = self.resize
            raise RequestError(
                f"resize is {height}x{width}, expected a height and a width from 1 to "
                f"{LARGEST_SIDE:,}"
            )

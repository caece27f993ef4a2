"""How much memory is free, and what does not fit into it."""

from __future__ import annotations

import math

from cnntool.errors import InputError
from cnntool.files.limits import address_space_left, free_memory
from cnntool.wording import bytes_text, counted


def check_fits(name: str, count: int, shape: tuple[int, ...], item_size: int) -> None:
    """InputError when ``count`` arrays of ``shape`` with items of so many bytes exceed the memory
    that is free, before any of it is asked for."""
    sizes = " x ".join(f"{size:,}" for size in shape)  # not steps of features: no network's shape
    images = f"{counted(count, 'image')} of {sizes}" if shape else counted(count, "value")
    needed = count * math.prod(shape) * item_size
    text = f"{name} would need {bytes_text(needed)} for {images}"
    check_free(needed, text, "use smaller images (--resize) or fewer")


def check_text_fits(name: str, size: int, factor: float) -> None:
    """InputError for a text of so many bytes, each of which takes ``factor`` bytes of memory."""
    needed = int(factor * size)
    text = f"{name} has {bytes_text(size)} and would need {bytes_text(needed)}"
    check_free(needed, text, "name a part of it")


def check_free(needed: int, text: str, remedy: str) -> None:
    """InputError where so many bytes are not free; ``text`` says what needs them, and how many."""
    free, left = free_memory(), address_space_left()
    if free is None or needed <= free:
        return
    there = f"{bytes_text(free)} of memory is free"
    if left is not None and left <= free:
        there = f"{bytes_text(left)} is left under the limit of ulimit -v"
    raise InputError(f"{text}, and {there}: {remedy}")

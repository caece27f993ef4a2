"""What the tests of pictures row by row share."""

from dataclasses import replace

import numpy as np
import pytest

from cnntool.errors import InputError
from cnntool.files.image import Frame, Image, Metadata
from cnntool.files.images import open_image
from cnntool.files.layout import layout_of
from cnntool.files.rows import open_rows, save_rows

HEIGHT, WIDTH = 41, 23


def noise(*shape, dtype="uint8", seed=0):
    random = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return random.normal(size=shape).astype(dtype)
    return random.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def picture(channels=3, dtype="uint8", alpha=False, height=HEIGHT, width=WIDTH, metadata=None):
    mask = noise(height, width, dtype=dtype, seed=1) if alpha else None
    frame = Frame(noise(height, width, channels, dtype=dtype), mask)
    white = {"uint8": 255.0, "uint16": 65535.0}.get(dtype, 1.0)
    return Image((frame,), white, "PNG", metadata or Metadata())


def layout_in(path, **options):
    """What the rows of a file are."""
    with open_rows(path, **options) as (found, _):
        return found


def read_back(path, start=0, **options):
    """The layout, and the strips put together."""
    with open_rows(path, **options) as (found, strips):
        frames = list(strips(start))
        for frame in frames:
            assert frame.pixels.flags.c_contiguous
        alphas = [frame.alpha for frame in frames]
        assert len({alpha is None for alpha in alphas}) == 1
        alpha = None if alphas[0] is None else np.concatenate(alphas)
        return found, Frame(np.concatenate([frame.pixels for frame in frames]), alpha)


def assert_same_frame(frame, expected):
    assert frame.pixels.dtype == expected.pixels.dtype
    np.testing.assert_array_equal(frame.pixels, expected.pixels)
    assert (frame.alpha is None) == (expected.alpha is None)
    if frame.alpha is not None:
        assert frame.alpha.dtype == expected.alpha.dtype
        np.testing.assert_array_equal(frame.alpha, expected.alpha)


def assert_as_a_whole(path, **options):
    """That the rows of a file are those of `open_image`: all, from the middle on, and grey."""
    whole = open_image(path, **options)
    expected = whole.frames[0]
    found, frame = read_back(path, **options)
    assert_same_frame(frame, expected)
    assert found.metadata.__dict__ == whole.metadata.__dict__
    same = replace(layout_of(whole), metadata=found.metadata)
    assert found.__dict__ == same.__dict__
    for start in (1, len(expected.pixels) // 2, len(expected.pixels) - 1):
        alpha = None if expected.alpha is None else expected.alpha[start:]
        _, frame = read_back(path, start, **options)
        assert_same_frame(frame, Frame(expected.pixels[start:], alpha))


def said(read, path, **options):
    """The error of reading a file."""
    with pytest.raises(InputError) as caught:
        read(path, **options)
    return str(caught.value)


def write_rows(path, image, counts=(1,), **options):
    """Write an image in strips of so many rows, again and again."""
    frame, top, turn = image.frames[0], 0, 0
    with save_rows(path, layout_of(image), **options) as writer:
        while top < len(frame.pixels):
            rows = slice(top, top + counts[turn % len(counts)])
            alpha = None if frame.alpha is None else frame.alpha[rows]
            writer.write(Frame(frame.pixels[rows], alpha))
            top, turn = rows.stop, turn + 1

"""Pooling of pictures against brute force over windows, and what alpha, depth and edges do."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntool.engine import medians
from cnntool.engine.fast import median_counts
from cnntool.engine.max_pooling import max_pool2d
from cnntool.errors import InputError
from cnntool.files.image import Frame, Image
from cnntool.imaging.pooling import (
    Pooling,
    pool_frame,
    pool_picture,
    pooled_sides,
    pyramid_features,
)
from cnntool.imaging.tone import LARGEST_VALUE
from cnntool.imaging.winners import mark_winners, winners


def image_of(pixels, alpha=None, white=255.0):
    pixels = np.asarray(pixels)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    return Image((Frame(pixels, alpha),), white, "PNG")


def starts(side, size, stride, padding, dilation, edge):
    """Where windows start: a last one that reaches over the end only if pixels would be left."""
    extent = (size - 1) * dilation + 1
    found = [at for at in range(-padding, side + padding, stride) if at + extent <= side + padding]
    after = found[-1] + stride if found else -padding
    if edge == "partial" and not found:
        return [-padding]
    if edge == "partial" and after < side and found[-1] + extent < side + padding:
        found.append(after)
    return found


def windows(height, width, pooling):
    """The pixels of every window by the definition: lists of (row, column), row by row."""
    size, edge = pooling.kernel_size, pooling.edge
    stride, padding, dilation = pooling.stride or size, pooling.padding, pooling.dilation
    tops = starts(height, size[0], stride[0], padding[0], dilation[0], edge)
    lefts = starts(width, size[1], stride[1], padding[1], dilation[1], edge)
    reach = [range(0, k * d, d) for k, d in zip(size, dilation, strict=True)]
    return [
        [
            [
                (top + i, left + j)
                for i in reach[0]
                for j in reach[1]
                if 0 <= top + i < height and 0 <= left + j < width
            ]
            for left in lefts
        ]
        for top in tops
    ]


SUMMARIES = {
    "max": np.max,
    "min": np.min,
    "average": np.mean,
    "lp": lambda values: np.mean(np.abs(values) ** 3.0) ** (1 / 3),
}


@given(
    shape=st.tuples(st.integers(3, 14), st.integers(3, 14), st.sampled_from([1, 3])),
    mode=st.sampled_from(sorted(SUMMARIES)),
    size=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.one_of(st.none(), st.tuples(st.integers(1, 4), st.integers(1, 4))),
    padding=st.booleans(),
    edge=st.sampled_from(["partial", "drop"]),
    dtype=st.sampled_from([np.uint8, np.uint16, np.float32]),
    seed=st.integers(0, 2**16),
)
def test_every_window_is_summed_up_as_defined(
    shape, mode, size, stride, padding, edge, dtype, seed
):
    pads = tuple(side // 2 for side in size) if padding else (0, 0)
    pooling = Pooling(mode, size, stride, pads, edge=edge, p=3.0)
    white = {np.uint8: 255.0, np.uint16: 65535.0}.get(dtype, 1.0)
    pixels = (np.random.default_rng(seed).random(shape) * white).astype(dtype)
    result, losses = pool_picture(image_of(pixels, white=white), pooling)
    found = result.frames[0].pixels
    expected = windows(*shape[:2], pooling)
    assert found.shape[:2] == (len(expected), len(expected[0])) == pooled_sides(*shape[:2], pooling)
    assert found.dtype == dtype
    for i, line in enumerate(expected):
        for j, places in enumerate(line):
            for channel in range(shape[2]):
                values = [float(pixels[place][channel]) for place in places]
                value = SUMMARIES[mode](np.array(values))
                room = 0.5 if dtype != np.float32 else 0
                assert abs(found[i, j, channel] - value) <= room + 1e-5 * white
    assert not losses


def test_a_partial_window_is_not_darkened_unless_asked():
    pixels = np.full((5, 5), 200, np.uint8)
    for mode in ("average", "gaussian", "lp", "median", "min", "max"):
        pooled = pool_picture(image_of(pixels), Pooling(mode))[0].frames[0].pixels
        assert pooled.shape == (3, 3, 1)
        assert np.unique(pooled).tolist() == [200], mode
    padded = pool_picture(image_of(pixels), Pooling("average", edge="pad"))[0].frames[0].pixels
    assert padded[..., 0].tolist() == [[200, 200, 100], [200, 200, 100], [100, 100, 50]]
    dropped = pool_picture(image_of(pixels), Pooling("average", edge="drop"))[0].frames[0].pixels
    assert dropped.shape == (2, 2, 1)


@pytest.mark.parametrize("mode", ["average", "gaussian", "lp", "max", "min", "median"])
def test_hidden_colours_do_not_show(mode):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (8, 8, 3), np.uint8)
    alpha = np.where(rng.random((8, 8)) < 0.5, 0, 255).astype(np.uint8)
    alpha[:2, :2] = 0
    other = np.where(alpha[..., None] == 0, 255 - pixels, pixels)
    results = [
        pool_picture(image_of(p, alpha), Pooling(mode))[0].frames[0] for p in (pixels, other)
    ]
    seen = results[0].alpha > 0
    np.testing.assert_array_equal(results[0].pixels[seen], results[1].pixels[seen])
    share = alpha.reshape(4, 2, 4, 2).astype(float).mean(axis=(1, 3))
    np.testing.assert_allclose(results[0].alpha, share, atol=0.5)
    assert results[0].alpha[0, 0] == 0


@pytest.mark.parametrize("mode", ["average", "lp", "max", "min", "median"])
def test_transparent_pixels_are_left_out_of_the_window(mode):
    pixels = np.array([[10, 250], [30, 90]], np.uint8)
    alpha = np.array([[255, 0], [255, 255]], np.uint8)
    result = pool_picture(image_of(pixels, alpha), Pooling(mode, p=1.0))[0].frames[0]
    expected = {"average": 43, "lp": 43, "max": 90, "min": 10, "median": 30}[mode]
    assert abs(int(result.pixels[0, 0, 0]) - expected) <= 1 + 30 * (mode == "median")
    assert result.alpha[0, 0] == 191


def test_half_transparent_pixels_count_half():
    pixels = np.array([[[200], [50]]], np.uint8)
    alpha = np.array([[51, 255]], np.uint8)  # a fifth, and all
    result = pool_picture(image_of(pixels, alpha), Pooling("average", (1, 2)))[0].frames[0]
    assert result.pixels[0, 0, 0] == round((200 * 0.2 + 50) / 1.2)
    assert result.alpha[0, 0] == 153


def test_the_plain_norm_is_clipped_and_the_loss_is_told():
    pixels = np.full((2, 2), 200, np.uint8)
    result, losses = pool_picture(image_of(pixels), Pooling("lp", is_sum=True))
    assert result.frames[0].pixels.item() == 255
    assert losses.above == 1


def test_another_depth_keeps_the_brightness():
    pixels = np.array([[0, 255]], np.uint8)
    for dtype, white in ((np.uint16, 65535.0), (np.float32, 1.0)):
        result, _ = pool_picture(image_of(pixels), Pooling("average", (1, 2)), dtype, white)
        value = result.frames[0].pixels.item()
        assert value == pytest.approx(white / 2, abs=0.5 if dtype == np.uint16 else 1e-6)
        assert result.white == white


@pytest.mark.parametrize(
    ("pooling", "message"),
    [
        (Pooling(kernel_size=(9, 9), edge="drop"), "does not fit"),
        (Pooling(padding=(2, 2)), "at most half the window, 1"),
    ],
)
def test_windows_that_do_not_fit_are_named_with_the_picture(pooling, message):
    with pytest.raises(InputError, match=f"{message}.*picture has 7 x 5 pixels"):
        pool_picture(image_of(np.zeros((5, 7), np.uint8)), pooling)


@pytest.mark.parametrize("mode", ["max", "average", "min", "lp"])
@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (40, 64), (7, 200)])
def test_a_pyramid_has_one_length_for_pictures_of_any_size(mode, shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    features = pyramid_features(Frame(pixels), 255.0, (1, 2, 4), Pooling(mode, p=3))
    assert features.shape == (1 + 4 + 16, 3)
    summary = SUMMARIES[mode]
    whole = [summary(pixels[..., channel]) for channel in range(3)]
    np.testing.assert_allclose(features[0], whole, rtol=1e-5)
    for index, (i, j) in enumerate(np.ndindex(4, 4)):
        rows = slice(i * shape[0] // 4, -(-(i + 1) * shape[0] // 4))
        columns = slice(j * shape[1] // 4, -(-(j + 1) * shape[1] // 4))
        for channel in range(3):
            value = summary(pixels[rows, columns, channel])
            assert features[5 + index, channel] == pytest.approx(value, rel=1e-5)


@given(
    shape=st.tuples(st.integers(2, 12), st.integers(2, 12), st.sampled_from([1, 3])),
    size=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    edge=st.sampled_from(["partial", "drop", "pad"]),
    mode=st.sampled_from(["max", "min"]),
    seed=st.integers(0, 2**16),
)
def test_winners_are_the_first_extreme_of_each_window(shape, size, stride, edge, mode, seed):
    pixels = np.random.default_rng(seed).integers(1, 6, shape).astype(np.uint8)
    pooling = Pooling(mode, size, stride, edge=edge)
    if edge == "drop" and any(k > n for k, n in zip(size, shape, strict=False)):
        return
    expected = np.zeros(shape, bool)
    by_definition = Pooling(mode, size, stride, edge="drop" if edge == "drop" else "partial")
    for line in windows(*shape[:2], by_definition):
        for places in line:
            is_whole = len(places) == size[0] * size[1]
            for channel in range(shape[2]):
                values = [int(pixels[place][channel]) for place in places]
                best = max(values) if mode == "max" else min(values)
                if edge == "pad" and mode == "min" and not is_whole:
                    continue  # the black that fills it up is the smallest
                expected[(*places[values.index(best)], channel)] = True
    found = winners(Frame(pixels), 255.0, pooling)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("mode", ["max", "min"])
def test_transparent_pixels_do_not_win(dtype, mode):
    """As in what is pooled; a window without a visible pixel has no winner."""
    pixels = np.array([[0, 0, 7, 7], [0, 0, 7, 7]], dtype)[..., None]
    alpha = np.array([[0, 0, 0, 0], [0, 255, 0, 0]], dtype)
    found = winners(Frame(pixels, alpha), 255.0, Pooling(mode))
    assert np.argwhere(found[..., 0]).tolist() == [[1, 1]]
    extreme = np.array([[9, 1], [0, 5]], dtype)[..., None]
    alpha = np.array([[0, 255], [0, 255]], dtype)
    found = winners(Frame(extreme, alpha), 255.0, Pooling(mode))
    assert np.argwhere(found[..., 0]).tolist() == [[1, 1] if mode == "max" else [0, 1]]


def test_winners_are_marked_in_the_picture():
    pixels = np.array([[10, 20, 30], [40, 50, 90]], np.uint8)
    marked, share = mark_winners(image_of(pixels), Pooling(kernel_size=(2, 3)))
    frame = marked.frames[0].pixels
    assert frame.shape == (2, 3, 3)
    assert frame[1, 2].tolist() == [255, 0, 0]
    assert frame[0, 0].tolist() == [4, 4, 4]
    assert share == pytest.approx(1 / 6)
    two = replace(image_of(pixels), frames=(Frame(pixels[..., None]), Frame(pixels[..., None])))
    assert mark_winners(two, Pooling(kernel_size=(2, 3)))[1] == pytest.approx(1 / 6)  # the mean


def test_winners_of_a_window_as_large_as_the_picture_take_no_step_for_each_of_its_taps(monkeypatch):
    """Each tap is a call of its own, so that 3000 x 3000 of them take half a minute."""
    pixels = np.zeros((400, 600, 1), np.uint8)
    pixels[[7, 7, 8], [9, 10, 3]] = 200
    taps = []

    def counted(x, kernel_size, *args, **settings):
        taps.append(np.prod(kernel_size))
        return max_pool2d(x, kernel_size, *args, **settings)

    monkeypatch.setattr("cnntool.imaging.winners.max_pool2d", counted)
    won = winners(Frame(pixels), 255.0, Pooling(kernel_size=(3000, 3000)))
    assert np.argwhere(won).tolist() == [[7, 9, 0]]
    assert sum(taps) <= 3000 + 3000


@pytest.mark.parametrize(
    "pooling",
    [
        Pooling("median", (3, 3), (2, 2)),
        Pooling("median", (3, 2), (1, 1), (1, 1), (2, 1)),
        Pooling("median", (4, 4), edge="drop"),
        Pooling("median", output_size=(3, 4)),
        Pooling("median", output_size=(1, 1)),
        Pooling("median", (15, 23), padding=(7, 11)),  # more padding than picture
    ],
)
@pytest.mark.parametrize("gathered", [1 << 20, 40, 1])
def test_a_median_is_that_of_the_pixels_that_show(pooling, gathered, monkeypatch):
    monkeypatch.setattr(medians, "MOST_GATHERED", gathered)
    monkeypatch.setattr(median_counts, "FEWEST_TAPS", 4 if gathered == 1 else 1 << 20)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (9, 11, 2)).astype(np.uint8)
    alpha = rng.choice([0, 90, 255], (9, 11), p=[0.5, 0.2, 0.3]).astype(np.uint8)
    values, _ = pool_frame(Frame(pixels, alpha), 255.0, pooling, keep_halves=True)
    if pooling.output_size:
        sides = [
            [(i * n // k, -(-(i + 1) * n // k)) for i in range(k)]
            for n, k in zip((9, 11), pooling.output_size, strict=True)
        ]
        places = [
            [[(y, x) for y in range(*down) for x in range(*across)] for across in sides[1]]
            for down in sides[0]
        ]
    else:
        places = windows(9, 11, pooling)
    for found, line in zip(values, places, strict=True):
        for value, window in zip(found, line, strict=True):
            seen = [pixels[place].astype(float) for place in window if alpha[place]]
            np.testing.assert_allclose(value, np.median(seen, axis=0) if seen else 0)


def test_halves_of_whole_numbers_round_up_whether_a_pixel_is_hidden_or_not():
    pixels = np.array([[1, 2, 5, 5], [3, 10, 5, 5]], np.uint8)
    for alpha in (None, np.array([[255, 255, 0, 255], [255] * 4], np.uint8)):
        result = pool_picture(image_of(pixels, alpha), Pooling("median"))[0].frames[0]
        assert result.pixels[0, :, 0].tolist() == [3, 5]


@pytest.mark.parametrize("mode", ["average", "gaussian", "lp"])
def test_sums_of_pixels_that_are_too_large_are_refused(mode):
    largest = np.full((4, 4), LARGEST_VALUE, np.float32)
    assert np.isfinite(pool_picture(image_of(largest), Pooling(mode))[0].frames[0].pixels).all()
    with pytest.raises(InputError, match="more than sums"):
        pool_picture(image_of(2 * largest), Pooling(mode))

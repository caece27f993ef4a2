"""A picture that goes by in strips gives the bytes that it gives whole."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnntool.choices import EDGES, POOLS
from cnntool.files.image import Frame, Image
from cnntool.imaging.filter_pass import FilterPass
from cnntool.imaging.filter_plan import Geometry, plan_chain
from cnntool.imaging.filtering import Rendering, chain_over, run_chains
from cnntool.imaging.kernels import Filter, parse_kernel
from cnntool.imaging.pooling import Pooling, pool_picture, pool_rows
from cnntool.imaging.pooling import bytes_in_strips as pooling_bytes
from cnntool.imaging.rows import Rows, View, cut, rows_of
from cnntool.imaging.strips import bytes_in_strips
from cnntool.imaging.tone import Losses

WHITES = {"uint8": 255.0, "uint16": 65535.0, "float32": 255.0, "float64": 1.0}


def going_by(frame: Frame, height: int, calls: list[int] | None = None) -> Rows:
    """The frame as it comes from a file, so many rows at a time."""

    def strips(start):
        if calls is not None:
            calls.append(start)
        for top in range(start, len(frame.pixels), height):
            yield cut(frame, slice(top, top + height))

    return rows_of(frame)._replace(strips=strips)


def picture(kind="uint8", size=(90, 61), channels=1, alpha="", seed=0) -> Image:
    random = np.random.default_rng(seed)
    white = WHITES[kind]
    values = random.random((*size, channels)) * white
    pixels = (values if kind[0] == "f" else np.rint(values)).astype(kind)
    hidden = None
    if alpha:
        hidden = np.full(size, white, kind)
        if alpha == "spot":  # which a stride may step over
            hidden[31, 17] = 0
        elif alpha == "mixed":
            hidden = np.rint(random.random(size) * 255).astype(kind)
            hidden[: size[0] // 2] = white
    return Image((Frame(pixels, hidden),), white, "PNG")


def in_strips(image, filters, geometry, rendering, height, rows=7):
    """The results of a chain in strips, put together, with their losses."""
    frame = image.frames[0]
    plans = plan_chain(frame.pixels.shape, filters, geometry)
    chain = chain_over(going_by(frame, rows), image.white, plans, rendering, height=height)
    strips, tallies = zip(*chain.strips(), strict=True)
    joined = [
        (
            np.concatenate([strip[i].pixels for strip in strips]),
            None if frame.alpha is None else np.concatenate([s[i].alpha for s in strips]),
        )
        for i in range(len(chain.survey.tones))
    ]
    return joined, sum(tallies[1:], tallies[0]).losses, len(strips)


def check(image, filters, geometry, rendering, height, rows=7):
    plans = plan_chain(image.frames[0].pixels.shape, filters, geometry)
    expected = run_chains(image, [plans], rendering)
    found, losses, count = in_strips(image, filters, geometry, rendering, height, rows)
    assert len(found) == len(expected)
    for (pixels, alpha), lost, whole in zip(found, losses, expected, strict=True):
        frame = whole.image.frames[0]
        assert pixels.dtype == frame.pixels.dtype
        np.testing.assert_array_equal(pixels, frame.pixels)
        if frame.alpha is not None:
            np.testing.assert_array_equal(alpha, frame.alpha)
        assert lost == whole.losses
    return count


BLUR = Filter("blur", "blur", np.full((1, 5, 5), 1 / 25))
CHAINS = [
    ["sobel"],
    ["gaussian:sigma=1.5"],
    ["kirsch"],
    ["sobel", "gaussian:sigma=1"],
    ["box:size=4", "sharpen"],
    ["gabor"],
    ["motion:length=9,angle=30", "laplacian", "box:size=3"],
]


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_strips_give_the_bytes_of_the_whole(data):
    draw = data.draw
    filters = [parse_kernel(spec) for spec in draw(st.sampled_from(CHAINS))]
    if draw(st.booleans()):
        filters[-1] = replace(filters[-1], combine="none")
    border = draw(st.sampled_from(["reflect", "mirror", "edge", "wrap", "constant"]))
    geometry = Geometry(
        stride=draw(st.sampled_from([(1, 1), (2, 1), (3, 2)])),
        dilation=draw(st.sampled_from([(1, 1), (2, 1), (3, 3)])),
        padding=draw(st.sampled_from(["same", "full", 30])),
        border=border,
        constant=draw(st.sampled_from([0.0, 7.5, -1.0])) if border == "constant" else 0.0,
        flip=draw(st.booleans()),
    )
    kind = draw(st.sampled_from(["uint8", "uint16", "float32", "float64"]))
    channels = draw(st.sampled_from([1, 3]))
    alpha = draw(st.sampled_from(["", "opaque", "spot", "mixed"]))
    image = picture(kind, channels=channels, alpha=alpha)
    depth = draw(st.sampled_from([None, np.uint8, np.uint16, np.float32]))
    white = None if depth is None else WHITES[np.dtype(depth).name]
    shown = draw(st.sampled_from(["auto", "clip", "abs", "offset", "stretch"]))
    rendering = Rendering(shown, 1.5, 2.0, depth and np.dtype(depth), white)
    check(image, filters, geometry, rendering, draw(st.integers(1, 70)), draw(st.integers(1, 70)))


def test_a_result_that_goes_by_begins_with_the_row_that_is_asked_for():
    """As the next filter asks for it, where a cluster's worker begins in the middle."""
    frame = picture().frames[0]
    (plan,) = plan_chain(frame.pixels.shape, [parse_kernel("box")], Geometry())
    ((whole,),) = [FilterPass(rows_of(frame), 255.0, plan).result.strips(0)]
    for start in (0, 8, 37, 89):
        passing = FilterPass(going_by(frame, 7), 255.0, plan, height=11).result
        found = np.concatenate([strip.pixels for strip in passing.strips(start)])
        np.testing.assert_array_equal(found, whole.pixels[start:])


def test_the_largest_of_a_picture_is_that_of_all_its_strips():
    kernel, tallies = parse_kernel("box"), []
    pixels = np.arange(90 * 61, dtype=np.float32).reshape(90, 61, 1)
    for frame in (Frame(pixels), Frame(pixels[::-1].copy())):
        plans = plan_chain(pixels.shape, [kernel], Geometry())
        chain = chain_over(going_by(frame, 7), 255.0, plans, Rendering(), height=11)
        tallies.append([tally for _, tally in chain.strips()])
    for each in tallies:
        assert sum(each[1:], each[0]).largest == pixels.max()


def test_a_strip_is_as_high_as_asked_for_where_blocks_are_lower():
    image = picture(size=(1500, 1000))
    counts = [
        check(image, [parse_kernel("gaussian:sigma=2")], Geometry(), Rendering(), height, 64)
        for height in (1500, 700, 1)
    ]
    assert counts[0] == 1 < counts[1] < counts[2]


@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_large_kernels_of_full_rank_in_strips(kind):
    """Those go by the Fourier transform, and of floats that span much in float64."""
    random = np.random.default_rng(3)
    kernel = Filter("noise", "noise", random.standard_normal((1, 25, 25)))
    image = picture(kind, size=(700, 300))
    check(image, [kernel], Geometry(), Rendering("raw", dtype=np.dtype("f4")), 50)
    check(image, [BLUR, kernel], Geometry(), Rendering("raw", dtype=np.dtype("f4")), 50)
    if kind == "float32":
        image.frames[0].pixels[600, 200] = 1e12
        found, *_ = in_strips(image, [kernel], Geometry(), Rendering("raw"), 50)
        assert np.abs(found[0][0][:300] / 1e3).max() < 100  # the one pixel is nowhere else
        check(image, [kernel], Geometry(), Rendering("raw"), 50)


def test_what_alpha_hides_is_not_what_makes_floats_span_much():
    """As in a picture that is there whole, where the same bytes come out by the faster way."""
    image = picture("float32", size=(200, 150), alpha="spot")
    image.frames[0].pixels[31, 17] = 1e9
    kernel = np.random.default_rng(3).standard_normal((1, 41, 41))
    check(image, [Filter("noise", "noise", kernel)], Geometry(), Rendering("raw"), 50)


def test_rows_come_once_each_but_those_of_a_border_that_wraps():
    frame, kernel = picture(size=(1500, 1000)).frames[0], parse_kernel("box:size=9")
    for border, expected in (("reflect", [0]), ("wrap", [0, 1496, 0])):  # all, bottom, top
        calls: list[int] = []
        plans = plan_chain(frame.pixels.shape, [kernel], Geometry(border=border))
        chain = chain_over(going_by(frame, 50, calls), 255.0, plans, Rendering(), height=1)
        assert len(list(chain.strips())) > 2
        assert calls == expected


def test_a_view_holds_no_more_rows_than_are_read():
    frame = Frame(np.arange(100, dtype=np.uint8).reshape(100, 1, 1))
    view = View(going_by(frame, 4))
    for start in range(0, 90, 5):
        part = view.frame([range(start, start + 10)], start)
        np.testing.assert_array_equal(
            part.pixels[start : start + 10][:, 0, 0], range(start, start + 10)
        )
        assert sum(len(each.pixels) for each in view._held) <= 10 + 4
    far = view.frame([range(20, 30), range(90, 100)], 95)  # back, and on
    np.testing.assert_array_equal(far.pixels[np.array([99, 20, 91])][:, 0, 0], [99, 20, 91])


def test_a_picture_with_alpha_is_planned_without_a_weighted_copy_of_the_whole():
    shape = 2000, 3000, 3
    plans = plan_chain(shape, [parse_kernel("gaussian:sigma=2")], Geometry())
    rows = Rows(shape, np.dtype(np.uint8), True, lambda start: iter(()))
    tracemalloc.start()
    try:
        assert any(FilterPass(rows, 255.0, plans[0], height=64, is_weighted=True).bands())
        assert tracemalloc.get_traced_memory()[1] < np.prod(shape)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("alpha", ["", "mixed"])
@pytest.mark.parametrize("kind", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("work", ["chain", "noise", "average"])
def test_strips_take_no_more_memory_than_is_told(kind, alpha, work):
    """Of the wider types neither: all that there is between is twice as wide."""
    image = picture(kind, size=(1300, 400), channels=3, alpha=alpha)
    frame, dtype, height = image.frames[0], np.dtype(kind), 40
    rows = going_by(frame, 16)
    row_bytes = 400 * (3 + bool(alpha)) * dtype.itemsize
    if work == "average":
        pooling = Pooling("average", (9, 9), stride=(1, 1), padding=(4, 4))
        told = 8_000_000 + pooling_bytes(rows, pooling, height, row_bytes)
        strips = pool_rows(rows, image.white, pooling, dtype, image.white, height=height, threads=1)
    else:
        noise = np.random.default_rng(3).standard_normal((1, 25, 25))
        chain = [parse_kernel(name) for name in ("gaussian:sigma=3", "laplacian")]
        filters = chain if work == "chain" else [Filter("noise", "noise", noise)]
        plans = plan_chain(frame.pixels.shape, filters, Geometry())
        told = bytes_in_strips(rows, plans, height, 1, row_bytes)
        settings = {"height": height, "threads": 1}
        rendering = Rendering("raw", dtype=dtype)
        strips = chain_over(rows, image.white, plans, rendering, **settings).strips()
    tracemalloc.start()
    try:
        assert sum(1 for _ in strips) > 1
        assert tracemalloc.get_traced_memory()[1] < told
    finally:
        tracemalloc.stop()


def test_rows_that_are_stepped_over_are_no_reason_to_begin_anew():
    calls: list[int] = []
    view = View(going_by(Frame(np.arange(100, dtype=np.uint8).reshape(100, 1, 1)), 4, calls))
    for start in (3, 20, 21, 77):
        assert view.run(range(start, start + 2)).pixels[:, 0, 0].tolist() == [start, start + 1]
    assert calls == [3]


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_pools_in_strips_give_the_bytes_of_the_whole(data):
    draw = data.draw
    mode = draw(st.sampled_from(POOLS))
    size = draw(st.sampled_from([(2, 2), (3, 4), (5, 1)]))
    edge = draw(st.sampled_from(EDGES))
    pooling = Pooling(
        mode,
        size,
        stride=draw(st.sampled_from([None, (1, 1), (2, 3)])),
        padding=(0, 0) if edge == "pad" else draw(st.sampled_from([(0, 0), (1, 0)])),
        dilation=draw(st.sampled_from([(1, 1), (2, 1)])),
        edge=edge,
        p=draw(st.sampled_from([2.0, 3.0, np.inf])) if mode == "lp" else 2.0,
        is_sum=mode == "lp" and draw(st.booleans()),
    )
    kind = draw(st.sampled_from(["uint8", "uint16", "float32", "float64"]))
    alpha = draw(st.sampled_from(["", "opaque", "spot", "mixed"]))
    image = picture(kind, channels=draw(st.sampled_from([1, 3])), alpha=alpha)
    dtype = np.dtype(draw(st.sampled_from([kind, "uint8", "float32"])))
    white = WHITES[dtype.name] if dtype.name != kind else image.white
    whole, losses = pool_picture(image, pooling, dtype, white)
    rows = going_by(image.frames[0], draw(st.integers(1, 70)))
    height = draw(st.integers(1, 70))
    strips = list(pool_rows(rows, image.white, pooling, dtype, white, height=height))
    (frame,) = whole.frames
    np.testing.assert_array_equal(np.concatenate([s.pixels for s, _ in strips]), frame.pixels)
    if frame.alpha is not None:
        np.testing.assert_array_equal(np.concatenate([s.alpha for s, _ in strips]), frame.alpha)
    assert sum((lost for _, lost in strips), Losses()) == losses

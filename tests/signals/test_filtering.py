"""Kernels over signals in blocks, against SciPy over the whole signal, and against theorems."""

from contextlib import ExitStack
from unittest.mock import patch

import numpy as np
import pytest
from borders import NUMPY_MODE, SCIPY_MODE
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from scipy import signal as scipy_signal
from scipy.stats import norm

from cnntool.errors import InputError, RequestError
from cnntool.files.signal import Signal
from cnntool.signals import filtering
from cnntool.signals.filtering import Geometry, plan_pass, run_pass, with_borders
from cnntool.signals.kernels import LARGEST_KERNEL, Kernel, parse_signal_kernel


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def in_blocks(x: np.ndarray, *cuts: int, knows_length: bool = False) -> Signal:
    blocks = np.split(x, sorted({cut for cut in cuts if 0 < cut < x.shape[1]}), axis=1)
    length = x.shape[1] if knows_length else None
    return Signal("test", "text", len(x), iter(blocks), length, columns=("a", "b")[: len(x)])


def run(
    x: np.ndarray,
    weights,
    cuts=(),
    method: str = "direct",
    live: bool = False,
    outputs: int | None = None,
    **geometry,
) -> np.ndarray:
    x, weights = np.atleast_2d(x).astype(float), np.atleast_2d(weights).astype(float)
    plan = plan_pass(len(x), Kernel("k", weights), Geometry(**geometry), method)
    with ExitStack() as small:
        if outputs:  # so many samples at a time, not as many as fit the cache
            values = outputs * plan.geometry.stride * max(len(x), len(weights))
            small.enter_context(patch.object(filtering, "BLOCK", values))
            small.enter_context(patch.object(filtering, "block_length", lambda extent: outputs))
        result = run_pass(in_blocks(x, *cuts, knows_length=bool(cuts)), plan, live)
        y = np.concatenate(list(result.blocks), axis=1)
    assert result.length in (None, y.shape[1])
    assert y.shape[0] == result.channels
    return y


def expected(x, weights, stride, dilation, padding, border, constant, flip) -> np.ndarray:
    """The definition: NumPy pads, SciPy slides a kernel that zeros spread."""
    spread = np.zeros((len(weights) - 1) * dilation + 1)
    spread[::dilation] = weights
    extent = len(spread)
    centre = len(weights) // 2 * dilation  # of the kernel; convolution turns the window around it
    before = {
        "same": extent - 1 - centre if flip else centre,
        "valid": 0,
        "full": extent - 1,
    }.get(padding, padding)
    after = extent - 1 - before if padding == "same" else before
    settings = {"constant_values": constant} if border == "constant" else {}
    padded = np.pad(x, (before, after), NUMPY_MODE[border], **settings)
    slide = scipy_signal.convolve if flip else scipy_signal.correlate
    return slide(padded, spread, "valid", "direct")[::stride]


geometries = st.fixed_dictionaries(
    {
        "stride": st.integers(1, 9),
        "dilation": st.integers(1, 4),
        "padding": st.sampled_from(["same", "valid", "full", 0, 1, 7]),
        "border": st.sampled_from(sorted(NUMPY_MODE)),
        "constant": st.sampled_from([0.0, -2.5]),
        "flip": st.booleans(),
    }
)


@given(
    length=st.integers(1, 120),
    size=st.integers(1, 12),
    geometry=geometries,
    cuts=st.lists(st.integers(1, 119), max_size=8),
    method=st.sampled_from(["direct", "fft"]),
    outputs=st.sampled_from([None, 1, 2, 5, 30]),
    live=st.booleans(),
)
def test_blocks_of_any_size_give_what_scipy_gives(
    length, size, geometry, cuts, method, outputs, live
):
    x, weights = noise(length), noise(size, seed=1)
    extent = (size - 1) * geometry["dilation"] + 1
    padding = geometry["padding"]
    if padding not in ("same", "full"):
        pads = 0 if padding == "valid" else padding
        if length + 2 * pads < extent:
            with pytest.raises(InputError, match="does not fit"):
                run(x, weights, cuts, method, live, outputs, **geometry)
            return
    ours = run(x, weights, cuts, method, live, outputs, **geometry)
    np.testing.assert_allclose(ours[0], expected(x, weights, **geometry), atol=1e-12)


@pytest.mark.parametrize("method", ["direct", "fft"])
@pytest.mark.parametrize("border", sorted(SCIPY_MODE))
@pytest.mark.parametrize("size", [1, 4, 5, 70])
def test_same_is_scipy_ndimage(method, border, size):
    x, weights = noise(300), noise(size, seed=1)
    for flip, scipys in ((True, ndimage.convolve1d), (False, ndimage.correlate1d)):
        ours = run(x, weights, (90, 200), method, border=border, constant=2, flip=flip, outputs=64)
        theirs = scipys(x, weights, mode=SCIPY_MODE[border], cval=2)
        np.testing.assert_allclose(ours[0], theirs, atol=1e-12)


@pytest.mark.parametrize("method", ["direct", "fft"])
def test_full_is_numpys_convolve_and_correlate(method):
    x, weights = noise(50), noise(8, seed=1)
    np.testing.assert_allclose(
        run(x, weights, method=method, padding="full")[0], np.convolve(x, weights), atol=1e-13
    )
    np.testing.assert_allclose(
        run(x, weights, method=method, padding="full", flip=False)[0],
        np.correlate(x, weights, "full"),
        atol=1e-13,
    )


def test_small_whole_numbers_come_out_exact():
    np.testing.assert_array_equal(run([1, 2, 3], [0, 1, 2], padding="full")[0], [0, 1, 4, 7, 6])


@pytest.mark.parametrize("method", ["direct", "fft"])
def test_convolution_commutes(method):
    f, g = noise(40), noise(13, seed=1)
    np.testing.assert_allclose(
        run(f, g, method=method, padding="full", outputs=7),
        run(g, f, method=method, padding="full", outputs=7),
        atol=1e-13,
    )


@pytest.mark.parametrize("method", ["direct", "fft"])
def test_a_delta_gives_back_the_kernel_turned_by_correlation(method):
    x = np.zeros(21)
    x[10] = 1
    weights = np.arange(1.0, 6)
    np.testing.assert_allclose(run(x, weights, method=method)[0, 8:13], weights, atol=1e-15)
    turned = run(x, weights, method=method, flip=False)[0, 8:13]
    np.testing.assert_allclose(turned, weights[::-1], atol=1e-15)


@pytest.mark.parametrize("method", ["direct", "fft"])
def test_the_integral_of_two_gaussians_is_a_gaussian_of_summed_variances(method):
    dt, sigma = 0.05, 1.2
    t = dt * np.arange(-400, 401)
    f = norm.pdf(t, loc=0.5, scale=0.9)
    plan = plan_pass(1, parse_signal_kernel(f"gaussian:sigma={sigma}", dt), Geometry(), method)
    (y,) = np.concatenate(list(run_pass(in_blocks(f[None], 300), plan).blocks), axis=1)
    np.testing.assert_allclose(y, norm.pdf(t, 0.5, np.hypot(0.9, sigma)), atol=2e-5)


def test_exponential_is_the_recursive_low_pass_filter():
    x = noise(400)
    decay = np.exp(-1 / 6)
    theirs = scipy_signal.lfilter([1 - decay], [1, -decay], x)
    plan = plan_pass(1, parse_signal_kernel("exponential:tau=6,size=300"), Geometry())
    (y,) = np.concatenate(list(run_pass(in_blocks(x[None], 100), plan).blocks), axis=1)
    np.testing.assert_allclose(y, theirs, atol=1e-13)


@pytest.mark.parametrize("flip", [True, False])
@pytest.mark.parametrize("anchor", [0, 1, 4])
def test_an_anchor_moves_the_result(anchor, flip):
    x, weights = noise(30), noise(5, seed=1)
    ours = run(x, weights, flip=flip, anchor=anchor)[0]
    padded = np.pad(x, 10)
    for t in range(30):
        sign = -1 if flip else 1
        total = sum(weights[i] * padded[10 + t + sign * (i - anchor)] for i in range(5))
        assert ours[t] == pytest.approx(total)


@pytest.mark.parametrize("method", ["direct", "fft"])
@pytest.mark.parametrize(("channels", "rows"), [(3, 1), (1, 3), (3, 3)])
def test_channels_meet_one_kernel_or_one_each(method, channels, rows):
    x, weights = noise(channels, 50), noise(rows, 6, seed=1)
    ours = run(x, weights, (20,), method, padding="full")
    for c in range(3):
        theirs = np.convolve(x[c % channels], weights[c % rows])
        np.testing.assert_allclose(ours[c], theirs, atol=1e-13)


def test_as_many_channels_are_needed_on_both_sides():
    with pytest.raises(
        InputError, match=r"2 channels and the signal to convolve it with has 3.*--column"
    ):
        plan_pass(2, Kernel("k", noise(3, 4)), Geometry())


def test_auto_takes_the_transform_for_long_kernels_alone():
    def method(taps: int, **geometry) -> str:
        return plan_pass(1, Kernel("k", np.ones((1, taps))), Geometry(**geometry)).method

    assert method(5) == "direct"
    assert method(2000) == "fft"
    assert method(2000, stride=1000) == "direct"
    assert method(5, dilation=1000) == "direct"


def test_both_methods_agree_over_many_blocks():
    x, weights = noise(2, 300_000), noise(1, 999, seed=1)
    cuts = range(0, 300_000, 7919)
    direct, fft = (run(x, weights, cuts, method) for method in ("direct", "fft"))
    np.testing.assert_allclose(fft, direct, atol=1e-11)


def test_results_do_not_depend_on_how_the_signal_arrives():
    x, weights = noise(1, 200_000), noise(1, 33, seed=1)
    for method in ("direct", "fft"):
        whole = run(x, weights, (), method)
        np.testing.assert_array_equal(run(x, weights, range(0, 200_000, 4321), method), whole)


def test_results_come_before_the_signal_ends():
    def endless():
        while True:
            yield np.ones((1, 1000))

    for method in ("direct", "fft"):
        plan = plan_pass(1, Kernel("k", np.ones((1, 9))), Geometry(border="reflect"), method)
        blocks = run_pass(Signal("endless", "text", 1, endless()), plan).blocks
        assert next(blocks)[0, 0] == pytest.approx(9)


def test_a_live_result_comes_with_its_last_sample():
    arrived = []

    def slow():
        for value in (3.0, 6.0, 9.0, 12.0):
            arrived.append(value)
            yield np.array([[value]])

    plan = plan_pass(1, Kernel("k", np.full((1, 3), 1 / 3)), Geometry(padding="valid"))
    blocks = run_pass(Signal("slow", "text", 1, slow()), plan, live=True).blocks
    assert next(blocks)[0, 0] == pytest.approx(6)
    assert arrived == [3, 6, 9]


def test_what_is_known_of_a_signal_stays_known():
    x = Signal("x", "wav", 2, iter([np.ones((2, 100))]), 100, 8000, "16", ("left", "right"))
    plan = plan_pass(2, Kernel("k", np.ones((1, 5))), Geometry(stride=4, padding="valid"))
    y = run_pass(x, plan)
    assert (y.length, y.rate, y.depth, y.columns) == (24, 2000, "16", ("left", "right"))


def test_a_signal_too_short_is_named_with_its_length():
    for cuts in ((), (2,)):  # of unknown length, of known length
        with pytest.raises(InputError, match="test: a kernel that spans 9 does not fit into 4"):
            run(np.ones(4), np.ones(9), cuts, padding="valid")


@pytest.mark.parametrize("method", ["direct", "fft"])
def test_a_result_beyond_float64_is_an_error(method, recwarn):
    with pytest.raises(InputError, match="beyond the range of float64"):
        run(np.full(50, 1e308), np.ones(9), method=method)
    assert not recwarn.list


def test_impossible_requests_are_named():
    kernel = Kernel("k", np.ones((1, 3)))
    with pytest.raises(RequestError, match="anchor 3 is outside k: expected 0 to 2"):
        plan_pass(1, kernel, Geometry(anchor=3))
    with pytest.raises(RequestError, match=r"spans .* at most 8,388,608"):
        plan_pass(1, kernel, Geometry(dilation=LARGEST_KERNEL))


def whole(blocks) -> np.ndarray:
    return np.concatenate(list(blocks), axis=1)


@given(
    length=st.integers(1, 40),
    before=st.integers(0, 60),
    after=st.integers(0, 60),
    cuts=st.lists(st.integers(1, 39), max_size=5),
    border=st.sampled_from(sorted(NUMPY_MODE)),
    channels=st.integers(1, 2),
)
def test_blocks_with_borders_are_numpys_padded_signal(
    length, before, after, cuts, border, channels
):
    x = np.random.default_rng(length).normal(size=(channels, length))
    blocks = np.split(x, sorted(cut for cut in cuts if cut < length), axis=1)
    ours = whole(with_borders((b for b in blocks if b.shape[1]), before, after, border, 3.5))
    settings = {"constant_values": 3.5} if border == "constant" else {}
    expected = np.pad(x, ((0, 0), (before, after)), NUMPY_MODE[border], **settings)
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("border", NUMPY_MODE)
@pytest.mark.parametrize("sides", [1, 2, 5, 12, 13, 30])
def test_blocks_of_one_sample_have_the_same_borders(border, sides):
    x = np.random.default_rng(0).normal(size=(1, 13))
    ours = whole(with_borders(iter(np.split(x, 13, axis=1)), sides, sides, border))
    np.testing.assert_array_equal(ours, np.pad(x, ((0, 0), (sides, sides)), NUMPY_MODE[border]))


@pytest.mark.parametrize(("before", "after"), [(3, 2), (150, 140)])
def test_wrap_reads_long_signals_back_from_disk(monkeypatch, before, after):
    monkeypatch.setattr(filtering, "BLOCK", 8)
    x = np.arange(200.0).reshape(2, 100)
    ours = whole(with_borders(iter(np.split(x, 10, axis=1)), before, after, "wrap"))
    np.testing.assert_array_equal(ours, np.pad(x, ((0, 0), (before, after)), "wrap"))


@pytest.mark.parametrize("border", ["constant", "edge", "reflect", "mirror"])
def test_only_what_the_borders_repeat_is_read_ahead(border):
    taken = 0

    def blocks():
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield np.ones((1, 10))

    first = next(with_borders(blocks(), 25, 25, border))
    assert first.shape == (1, 25)
    assert taken <= 3


def test_nothing_has_no_borders():
    assert list(with_borders(iter([]), 3, 3)) == []
    assert list(with_borders(iter([]), 3, 3, "wrap")) == []

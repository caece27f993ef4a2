"""Overlap-add against NumPy's plain sums, however the signal is cut into blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntool.engine.filters.spectral import block_length, overlap_add, transform_is_faster


def signal(channels: int, length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(channels, length))


def convolved(x: np.ndarray, kernels: np.ndarray, cuts: list[int]) -> np.ndarray:
    blocks = np.split(x, sorted(cuts), axis=1)
    return np.concatenate(list(overlap_add((b for b in blocks if b.shape[1]), kernels)), axis=1)


@given(
    length=st.integers(1, 200),
    size=st.integers(1, 80),
    cuts=st.lists(st.integers(0, 200), max_size=6),
)
def test_any_cut_into_blocks_gives_numpys_convolution(length, size, cuts):
    x, kernel = signal(1, length), signal(1, size, 1)
    ours = convolved(x, kernel, [min(cut, length) for cut in cuts])
    np.testing.assert_allclose(ours[0], np.convolve(x[0], kernel[0])[:length], atol=1e-13)


def test_zeros_at_the_end_bring_out_the_full_convolution():
    x, kernel = signal(1, 50), signal(1, 9, 1)
    ours = convolved(np.pad(x, ((0, 0), (0, 8))), kernel, [13, 14, 40])
    np.testing.assert_allclose(ours[0], np.convolve(x[0], kernel[0]), atol=1e-13)


@pytest.mark.parametrize(("channels", "kernels"), [(3, 1), (1, 3), (3, 3)])
def test_one_kernel_serves_all_channels_and_as_many_go_pairwise(channels, kernels):
    x, weights = signal(channels, 60), signal(kernels, 7, 1)
    ours = convolved(x, weights, [20, 25])
    for row in range(3):
        expected = np.convolve(x[row % channels], weights[row % kernels])[:60]
        np.testing.assert_allclose(ours[row], expected, atol=1e-13)


def test_the_blocks_are_not_written_to():
    x = signal(2, 40)
    before = x.copy()
    convolved(x, signal(1, 5), [17])
    np.testing.assert_array_equal(x, before)


def test_silence_beside_a_loud_sample_stays_silent():
    x = np.zeros((1, 5000))
    x[0, 100] = 1
    kernel = np.hanning(301)[None]
    ours = convolved(x, kernel, [4000])
    assert not ours[0, 500:].any()
    np.testing.assert_allclose(ours[0, 100:401], kernel[0], atol=1e-15)


def test_what_is_small_but_no_rounding_error_stays():
    x = np.full((1, 5000), 1e-13)
    x[0, 100] = 1
    ours = convolved(x, np.ones((1, 3)), [])
    np.testing.assert_allclose(ours[0, 500:], 3e-13, rtol=0.01)


def test_large_numbers_keep_their_size_and_too_large_ones_are_infinite():
    x = np.full((1, 50), 1e200)
    np.testing.assert_allclose(convolved(x, np.ones((1, 3)), [])[0, 2:], 3e200, rtol=1e-12)
    assert not np.isfinite(convolved(np.full((1, 50), 1e308), np.ones((1, 9)), [])).all()


@pytest.mark.parametrize("size", [1, 65, 1000, 4096, 4097, 300_000])
def test_a_block_and_its_overlap_fill_a_power_of_two(size):
    length = block_length(size) + size - 1
    assert length & (length - 1) == 0
    assert block_length(size) >= size


def test_the_transforms_of_very_long_kernels_save_memory():
    assert block_length(1 << 17) + (1 << 17) - 1 == 4 << 17
    assert block_length(1 << 20) + (1 << 20) - 1 == 2 << 20


def test_long_kernels_go_by_transform_and_short_or_sparse_ones_do_not():
    assert not transform_is_faster(5, 5)
    assert transform_is_faster(500, 500)
    assert not transform_is_faster(500, 500, stride=20)
    assert not transform_is_faster(5, 100_001)


@pytest.mark.parametrize("spike", [1e9, 1e20])
def test_faint_samples_keep_their_digits_beside_a_spike(spike):
    """A transform would round them, or silence them, by a share of the spike."""
    x, kernels = np.ones((1, 2000)), signal(2, 301)
    x[0, 700] = spike
    ours = convolved(x, kernels, [900])
    for result, kernel in zip(ours, kernels, strict=True):
        sums = np.convolve(x[0].astype(np.longdouble), kernel.astype(np.longdouble))[:2000]
        sizes = np.convolve(x[0], abs(kernel))[:2000]
        assert (abs(result - sums) <= 64 * np.finfo(float).eps * sizes).all()

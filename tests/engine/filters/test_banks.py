"""Filter banks against scipy.ndimage over random geometry, and against theorems."""

import tracemalloc

import numpy as np
import pytest
from borders import SCIPY_MODE, reference
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, signal

from cnntool.engine.filters import banks, direct
from cnntool.engine.filters.banks import filter_bank, plan_filter_bank
from cnntool.engine.filters.direct import Direct
from cnntool.engine.filters.separable import Separable

pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(max_examples=150)
@given(
    shape=st.tuples(st.integers(1, 24), st.integers(1, 24), st.integers(1, 3)),
    size=st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)),
    stride=pairs,
    dilation=pairs,
    border=st.sampled_from(sorted(SCIPY_MODE)),
    flip=st.booleans(),
    separable=st.booleans(),
    dtype=st.sampled_from(["uint8", "uint16", "float32", "float64"]),
    seed=st.integers(0, 2**16),
)
def test_every_geometry_agrees_with_scipy(
    shape, size, stride, dilation, border, flip, separable, dtype, seed
):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, shape).astype(dtype)
    bank = rng.normal(size=size)
    if separable:
        bank = np.stack(
            [np.outer(rng.normal(size=size[1]), rng.normal(size=size[2])) for _ in bank]
        )
    bank[rng.random(size) < 0.2 * (not separable)] = 0
    options = {"stride": stride, "dilation": dilation, "border": border, "flip": flip}
    responses = filter_bank(image, bank, constant=7.5, **options)
    is_double = dtype == "float64"
    assert responses.dtype == (np.float64 if is_double else np.float32)
    rounding = (1e-13 if is_double else 2e-6) * 256 * max(1, np.abs(bank).sum(axis=(1, 2)).max())
    for response, kernel in zip(responses, bank, strict=True):
        expected = reference(image, kernel, stride, dilation, border, 7.5, flip)
        np.testing.assert_allclose(response, expected, rtol=0, atol=rounding)


@pytest.mark.parametrize(
    "kernel_shape", [(1, 1), (1, 15), (15, 1), (2, 2), (15, 15), (31, 5), (40, 60)]
)
@pytest.mark.parametrize("kind", ["full rank", "rank 1", "rank 2"])
def test_large_and_odd_shaped_kernels_on_images_of_many_blocks(kernel_shape, kind, monkeypatch):
    # Small blocks, so that block edges, the last strip and tap chunks are all crossed.
    monkeypatch.setattr(banks, "plan_spectral", lambda *_: None)
    monkeypatch.setattr(direct, "MATRIX_BYTES", 1 << 15)
    monkeypatch.setattr(direct, "BLOCK_ELEMENTS", 1 << 10)
    rng = np.random.default_rng(3)
    image = rng.normal(size=(83, 1100, 1))
    if kind == "full rank":
        kernel = rng.normal(size=kernel_shape)
    else:
        rank = int(kind[-1])
        kernel = rng.normal(size=(kernel_shape[0], rank)) @ rng.normal(size=(rank, kernel_shape[1]))
    plan = plan_filter_bank(image.shape, kernel[None], dtype=image.dtype)
    assert len(plan.blocks) > 8
    responses = filter_bank(image, kernel[None], threads=2)
    expected = ndimage.correlate(image[..., 0], kernel)
    np.testing.assert_allclose(responses[0, ..., 0], expected, atol=1e-9 * np.abs(kernel).sum())


@pytest.mark.parametrize("stride", [(1, 1), (3, 1), (2, 1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_row_goes_along_the_rows_alone_at_every_stride(stride, channels):
    rng = np.random.default_rng(4)
    image, kernel = rng.normal(size=(150, 170, channels)), rng.normal(size=(1, 101))
    plan = plan_filter_bank(image.shape, kernel[None], stride, dtype=image.dtype)
    assert isinstance(plan.method, Separable)
    found = filter_bank(image, kernel[None], stride=stride)[0]
    for channel in range(channels):
        expected = ndimage.correlate(image[..., channel], kernel)[:: stride[0], :: stride[1]]
        np.testing.assert_allclose(found[..., channel], expected, atol=1e-12 * np.abs(kernel).sum())


def test_low_rank_kernels_go_the_separable_way_and_others_do_not():
    gaussian = np.outer(*[np.exp(-(np.linspace(-2, 2, 15) ** 2))] * 2)
    shape = (500, 500, 1)
    assert isinstance(plan_filter_bank(shape, gaussian[None]).method, Separable)
    noise = np.random.default_rng(0).normal(size=(1, 7, 7))
    assert isinstance(plan_filter_bank(shape, noise).method, Direct)


@pytest.mark.parametrize(
    ("column", "row"),
    [
        ([1, 6, 15, 20, 15, 6, 1], [1, 6, 15, 20, 15, 6, 1]),
        ([-2, -4, -2], [6, 9, 15, 9, 6]),
        ([3, 0, -3], [7, 11, 13, 13, 11, 7, 5, 3]),
    ],
)
def test_whole_numbers_that_are_separable_are_summed_exactly(column, row):
    kernel = np.outer(column, row).astype(float)
    image = np.random.default_rng(0).integers(0, 256, (90, 110, 1)).astype(np.uint8)
    assert isinstance(plan_filter_bank(image.shape, kernel[None], dtype=np.uint8).method, Separable)
    expected = ndimage.correlate(image[..., 0].astype(np.int64), kernel.astype(np.int64))
    np.testing.assert_array_equal(filter_bank(image, kernel[None])[0, ..., 0], expected)


def test_faint_weights_of_a_separable_kernel_are_not_lost_for_whole_numbers():
    column = np.where(np.arange(9) == 4, 1, 1e-10)
    kernel = np.outer(column, [4, 8, 12, 16, 20, 16, 12, 8, 4])
    image = np.zeros((60, 70, 1))
    image[30, 30] = 1e12
    plan = plan_filter_bank(image.shape, kernel[None], dtype=np.float64)
    assert isinstance(plan.method, Separable)
    expected = ndimage.correlate(image[..., 0], kernel)
    np.testing.assert_allclose(filter_bank(image, kernel[None])[0, ..., 0], expected, rtol=1e-12)


@pytest.mark.parametrize("faint", [1e-7, 1e-5])
def test_many_faint_weights_around_a_large_one_are_not_lost(faint):
    kernel = np.full((201, 201), faint)
    kernel[100, 100] += 1
    flat = np.full((40, 40, 1), 100, np.uint8)
    np.testing.assert_allclose(filter_bank(flat, kernel[None]), 100 * kernel.sum(), rtol=1e-5)


@pytest.mark.parametrize("kind", ["gaussian", "full rank"])
def test_the_memory_of_a_plan_does_not_grow_with_the_kernels_area(kind):
    size = 1001
    row = np.exp(-(np.linspace(-3, 3, size) ** 2))
    kernel = np.outer(row, row)
    if kind == "full rank":
        kernel = kernel + np.random.default_rng(0).normal(size=kernel.shape)
    tracemalloc.start()
    filter_bank(np.ones((30, 40, 1), np.uint8), kernel[None], threads=1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * kernel.nbytes + 40e6


def test_a_large_dilation_reads_no_more_than_it_needs():
    image = np.random.default_rng(1).integers(0, 256, (600, 500, 1), dtype=np.uint8)
    bank = np.random.default_rng(2).normal(size=(2, 3, 3))
    plan = plan_filter_bank(image.shape, bank, dilation=3000)
    assert plan.scratch_bytes < 40e6
    responses = filter_bank(image, bank, dilation=(3000, 1), border="wrap")
    rows = [np.roll(image, -shift, axis=0) for shift in (-3000, 0, 3000)]
    padded = [np.pad(row, ((0, 0), (1, 1), (0, 0)), "wrap").astype(float) for row in rows]
    for response, kernel in zip(responses, bank, strict=True):
        expected = sum(kernel[k, j] * padded[k][:, j : j + 500] for k in range(3) for j in range(3))
        np.testing.assert_allclose(response, expected, atol=1e-3)


@pytest.mark.parametrize("padding", ["valid", "full", 0, 2, 7])
@pytest.mark.parametrize("flip", [False, True])
def test_paddings_agree_with_scipy_signal(padding, flip):
    rng = np.random.default_rng(4)
    image, kernel = rng.normal(size=(12, 9)), rng.normal(size=(4, 3))
    ours = filter_bank(
        image[..., None], kernel[None], padding=padding, border="constant", flip=flip
    )[0, ..., 0]
    operation = signal.convolve2d if flip else signal.correlate2d
    pad = padding if isinstance(padding, int) else 0
    mode = "full" if padding == "full" else "valid"
    np.testing.assert_allclose(ours, operation(np.pad(image, pad), kernel, mode), atol=1e-12)


def test_a_constant_may_differ_by_channel():
    image = np.zeros((3, 3, 2))
    ours = filter_bank(image, np.ones((1, 3, 3)), border="constant", constant=np.array([1.0, 10.0]))
    np.testing.assert_allclose(ours[0, 0, 0], [5, 50])


def test_a_delta_gives_back_the_kernel():
    delta = np.zeros((9, 9, 1))
    delta[4, 4] = 1
    kernel = np.random.default_rng(5).normal(size=(5, 5))
    convolved = filter_bank(delta, kernel[None], flip=True)[0, 2:7, 2:7, 0]
    np.testing.assert_allclose(convolved, kernel)
    correlated = filter_bank(delta, kernel[None])[0, 2:7, 2:7, 0]
    np.testing.assert_allclose(correlated, kernel[::-1, ::-1])


@given(seed=st.integers(0, 999))
def test_convolution_commutes(seed):
    rng = np.random.default_rng(seed)
    f, g = rng.normal(size=rng.integers(1, 9, 2)), rng.normal(size=rng.integers(1, 9, 2))
    options = {"padding": "full", "border": "constant", "flip": True}
    np.testing.assert_allclose(
        filter_bank(f[..., None], g[None], **options)[0],
        filter_bank(g[..., None], f[None], **options)[0],
        atol=1e-12,
    )


@given(seed=st.integers(0, 999), a=st.floats(-5, 5), b=st.floats(-5, 5))
def test_filtering_is_linear(seed, a, b):
    rng = np.random.default_rng(seed)
    x, y, bank = rng.normal(size=(8, 7, 1)), rng.normal(size=(8, 7, 1)), rng.normal(size=(2, 3, 4))
    np.testing.assert_allclose(
        filter_bank(a * x + b * y, bank),
        a * filter_bank(x, bank) + b * filter_bank(y, bank),
        atol=1e-11,
    )


@given(down=st.integers(0, 8), right=st.integers(0, 8))
def test_a_shifted_image_gives_a_shifted_response(down, right):
    rng = np.random.default_rng(6)
    image, bank = rng.normal(size=(9, 9, 1)), rng.normal(size=(1, 3, 5))
    shifted = np.roll(image, (down, right), axis=(0, 1))
    response = filter_bank(image, bank, border="wrap")
    np.testing.assert_allclose(
        filter_bank(shifted, bank, border="wrap"),
        np.roll(response, (down, right), axis=(1, 2)),
        atol=1e-12,
    )


def test_the_image_is_not_written_to():
    image = np.random.default_rng(7).normal(size=(20, 20, 3))
    before = image.copy()
    image.setflags(write=False)
    filter_bank(image, np.ones((2, 3, 3)))
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_number_of_threads_changes_nothing(threads):
    image = np.random.default_rng(8).integers(0, 256, (700, 900, 3), dtype=np.uint8)
    bank = np.random.default_rng(9).normal(size=(2, 5, 5))
    one = filter_bank(image, bank, threads=1)
    np.testing.assert_array_equal(filter_bank(image, bank, threads=threads), one)


def test_a_kernel_that_does_not_fit_is_named():
    with pytest.raises(ValueError, match="spans 5 does not fit into 3"):
        filter_bank(np.zeros((3, 9, 1)), np.ones((1, 5, 5)), padding="valid")


@pytest.mark.parametrize("shape", [(3, 9), (0, 9, 1), (3, 9, 0)])
def test_an_image_of_the_wrong_shape_is_named(shape):
    with pytest.raises(ValueError, match=r"an image has shape \(H, W, C\), not"):
        filter_bank(np.zeros(shape), np.ones((1, 3, 3)))


def test_very_many_channels_work():
    image = np.random.default_rng(3).random((3, 4, 300_000), np.float32)
    np.testing.assert_allclose(filter_bank(image, np.ones((1, 1, 1)))[0], image)


def test_a_bank_of_the_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"shape \(F, kh, kw\), not \(3, 3\)"):
        filter_bank(np.zeros((3, 9, 1)), np.ones((3, 3)))

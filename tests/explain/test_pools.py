"""The numbers behind a pooled pixel: its window, its weights, its gradient, the pixel itself."""

from dataclasses import replace

import numpy as np
import pytest

from cnntool.choices import POOLS
from cnntool.errors import RequestError
from cnntool.explain.pools import pool_facts
from cnntool.files.image import Frame, Image
from cnntool.imaging.pooling import Pooling, pool_picture


def picture(shape=(13, 17, 3), dtype=np.uint8, alpha=False, levels=256):
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, levels, shape).astype(dtype)
    values = rng.choice([0, 100, 255], shape[:2]).astype(dtype) if alpha else None
    return Image((Frame(pixels, values),), 255.0, "PNG")


def small(rows) -> Image:
    return Image((Frame(np.array(rows, np.uint8)[..., None]),), 255.0, "PNG")


def explain(image, pooling, at=None):
    return pool_facts(image, pooling, image.frames[0].pixels.dtype, image.white, at)


SQUARE = [[1, 5, 2, 2], [7, 3, 2, 2], [0, 8, 4, 6], [8, 0, 5, 9]]


@pytest.mark.parametrize(
    ("pooling", "at", "gradient", "value"),
    [
        (Pooling("max"), (0, 0), [[0, 0], [1, 0]], 7),
        (Pooling("max"), (1, 0), [[1, 0], [0, 0]], 2),  # of equals the first
        (Pooling("max"), (0, 1), [[0, 1], [0, 0]], 8),
        (Pooling("min"), (0, 1), [[1, 0], [0, 0]], 0),
        (Pooling("average"), (0, 0), [[0.25, 0.25], [0.25, 0.25]], 4),
        (Pooling("median"), (0, 0), [[0, 0.5], [0, 0.5]], 4),
        (Pooling("lp", p=1), (1, 1), [[0.25, 0.25], [0.25, 0.25]], 6),
        (
            Pooling("lp", p=2, is_sum=True, kernel_size=(1, 2)),
            (0, 1),
            [[7 / 58**0.5, 3 / 58**0.5]],
            58**0.5,
        ),
        (Pooling("max", output_size=(1, 2)), (1, 0), [[0, 0], [0, 0], [0, 0], [0, 1]], 9),
    ],
)
def test_windows_by_hand(pooling, at, gradient, value):
    facts = explain(small(SQUARE), pooling, at)
    np.testing.assert_allclose(facts.gradient[..., 0], gradient, rtol=1e-6)
    assert facts.values.item() == pytest.approx(value, rel=1e-6)


def test_gaussian_weights_by_hand():
    """3 x 3 with sigma 1: exp(-d^2 / 2) over their sum."""
    facts = explain(small(np.eye(3) * 90), Pooling("gaussian", (3, 3), sigma=1.0))
    weights = np.exp(-np.array([[2, 1, 2], [1, 0, 1], [2, 1, 2]]) / 2)
    np.testing.assert_allclose(facts.gradient[..., 0], weights / weights.sum(), rtol=1e-6)


def test_what_is_outside_does_not_count():
    facts = explain(small(SQUARE), Pooling("average", (3, 3), (2, 2), (1, 1)), (0, 0))
    assert facts.rows == facts.columns == (-1, 0, 1)
    outside = np.isnan(facts.pixels[..., 0])
    assert outside.tolist() == [[True] * 3, [True, False, False], [True, False, False]]
    np.testing.assert_allclose(facts.gradient[1:, 1:, 0], 0.25)
    assert np.isnan(facts.gradient[0]).all()
    assert not facts.is_filled.any()


def test_a_last_window_may_be_filled_up_with_black():
    facts = explain(small(SQUARE), Pooling("average", (3, 3), edge="pad"), (1, 1))
    assert facts.pixels[..., 0].tolist() == [[9, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert facts.is_filled.tolist() == [[False, True, True], [True] * 3, [True] * 3]
    assert facts.values.item() == pytest.approx(1)


GEOMETRIES = [
    {},
    {"kernel_size": (3, 2), "stride": (2, 3), "padding": (1, 1)},
    {"kernel_size": (4, 3), "stride": (3, 1), "edge": "drop"},
    {"kernel_size": (2, 3), "dilation": (2, 3), "stride": (1, 2), "padding": (1, 2)},
    {"kernel_size": (5, 5), "edge": "pad"},
    {"kernel_size": (20, 20)},
]


@pytest.mark.parametrize("mode", POOLS)
@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("alpha", [False, True])
def test_the_pixel_is_the_one_that_is_written(mode, geometry, alpha):
    rng = np.random.default_rng(len(mode))
    image, pooling = picture(alpha=alpha), Pooling(mode, **geometry)
    written = pool_picture(image, pooling)[0].frames[0].pixels
    for _ in range(5):
        y, x = (int(rng.integers(size)) for size in written.shape[:2])
        facts = explain(image, pooling, (x, y))
        np.testing.assert_array_equal(facts.result, written[y, x])
        if facts.alphas is not None:
            assert facts.gradient is None
            continue
        explained = recomputed(facts, pooling)
        rounding = 0.5 if mode == "median" else 1e-3  # of integers, half up
        np.testing.assert_allclose(facts.values, explained, atol=rounding)


def recomputed(facts, pooling):
    """The value from what is shown: gradients are weights, or point at the winners."""
    if pooling.mode == "lp":  # homogeneous of degree 1: Euler, y = sum of x dy/dx
        return np.nansum(facts.gradient * facts.pixels, axis=(0, 1))
    np.testing.assert_allclose(np.nansum(facts.gradient, axis=(0, 1)), 1, rtol=1e-5)
    return np.nansum(facts.gradient * facts.pixels, axis=(0, 1))


@pytest.mark.parametrize("mode", ["max", "average"])
@pytest.mark.parametrize("geometry", GEOMETRIES[:3])
def test_the_gradient_is_pytorchs(mode, geometry):
    torch = pytest.importorskip("torch")
    image, pooling = picture(levels=6), Pooling(mode, **geometry)  # few levels: many ties
    x = torch.tensor(image.frames[0].pixels.transpose(2, 0, 1)[None].astype(float))
    x.requires_grad = True
    settings = pooling.kernel_size, pooling.stride, pooling.padding
    if mode == "max":
        y = torch.nn.functional.max_pool2d(x, *settings, ceil_mode=pooling.edge == "partial")
    else:
        ceil = pooling.edge == "partial"
        y = torch.nn.functional.avg_pool2d(x, *settings, ceil, count_include_pad=False)
    rng = np.random.default_rng(4)
    for _ in range(8):
        row, column = (int(rng.integers(size)) for size in y.shape[2:])
        facts = explain(image, pooling, (column, row))
        (gradient,) = torch.autograd.grad(y[0, :, row, column].sum(), x, retain_graph=True)
        whole = np.zeros(image.frames[0].pixels.shape)
        for i, r in enumerate(facts.rows):
            for j, c in enumerate(facts.columns):
                if not np.isnan(facts.gradient[i, j, 0]):
                    whole[r, c] = facts.gradient[i, j]
        np.testing.assert_allclose(whole, gradient[0].numpy().transpose(1, 2, 0), rtol=1e-12)


@pytest.mark.parametrize(
    "how", [{"mode": "max"}, {"mode": "average"}, {"mode": "min"}, {"mode": "lp", "p": 3}]
)
def test_bins_of_an_adaptive_pool(how):
    image, pooling = picture(), Pooling(**how, output_size=(4, 5))
    written = pool_picture(image, pooling)[0].frames[0].pixels
    facts = explain(image, pooling, (3, 2))
    assert facts.rows == (6, 7, 8, 9)  # floor(2 * 13 / 4) up to ceil(3 * 13 / 4)
    assert facts.columns == (10, 11, 12, 13)  # floor(3 * 17 / 5) up to ceil(4 * 17 / 5)
    np.testing.assert_array_equal(facts.result, written[2, 3])
    np.testing.assert_allclose(recomputed(facts, pooling), facts.values, rtol=1e-5)


@pytest.mark.parametrize(
    "pooling",
    [
        *map(Pooling, ("max", "min", "average")),
        *(Pooling("lp", p=p, is_sum=s) for p in (1, 2, 3, np.inf) for s in (False, True)),
    ],
)
def test_the_gradient_of_a_bin_is_that_of_the_same_window(pooling):
    image = small(SQUARE)
    window = explain(image, pooling, (1, 1))
    one_bin = explain(image, replace(pooling, output_size=(2, 2)), (1, 1))
    assert (one_bin.rows, one_bin.columns) == (window.rows, window.columns)
    np.testing.assert_allclose(one_bin.gradient, window.gradient, rtol=1e-12)
    np.testing.assert_allclose(one_bin.values, window.values, rtol=1e-6)


def test_a_huge_window_holds_only_what_is_inside():
    facts = explain(picture(), Pooling("average", (4096, 4096)))
    assert facts.rows == tuple(range(13))
    assert facts.pixels.shape == facts.gradient.shape == (13, 17, 3)


@pytest.mark.parametrize(
    ("mode", "gradient"),
    [
        ("max", lambda x: x == x.max()),
        ("min", lambda x: x == x.min()),
        ("average", lambda x: np.full(x.shape, 1 / x.size)),
        ("lp", lambda x: x / x.size / np.sqrt((x**2).mean())),
    ],
)
def test_a_huge_window_costs_no_more_than_its_part_of_the_picture(mode, gradient):
    """Each tap is a call of its own, and 4096 x 4096 of them do not end."""
    x = np.random.default_rng(0).permutation(30 * 20).reshape(30, 20, 1).astype(np.float32)
    image = Image((Frame(x),), 255.0, "NPY")
    facts = explain(image, Pooling(mode, (4096, 4096)))
    np.testing.assert_allclose(facts.gradient, gradient(x.astype(float)), rtol=1e-6)
    facts = explain(image, Pooling(mode, (4096, 2), padding=(0, 1)), (0, 0))
    assert facts.columns == (-1, 0)
    assert np.isnan(facts.gradient[:, 0]).all()
    np.testing.assert_allclose(facts.gradient[:, 1:], gradient(x[:, :1].astype(float)), rtol=1e-6)


def test_a_position_outside_names_the_size():
    with pytest.raises(RequestError, match="position 9,0 is outside the result, which has 9 x 7"):
        explain(picture(), Pooling("max"), (9, 0))

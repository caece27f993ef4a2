"""The kernel that made one picture of another, found again: of our own filters and of others'."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageFilter
from render_test_card import render
from scipy import ndimage

from cnntool.choices import BORDERS
from cnntool.files.image import Frame, Image
from cnntool.imaging.filter_plan import Geometry
from cnntool.imaging.filtering import Rendering, filter_image
from cnntool.imaging.kernels import CATALOGUE, parse_kernel
from cnntool.study.recovery.kernel_recovery import placements_of, recover
from cnntool.study.recovery.picture_guesses import guesses
from cnntool.study.recovery.window_equations import Pair, Placement, equations

SAMPLES = Path(__file__).parents[3] / "sample_images"
SINGLE = [name for name, entry in CATALOGUE.items() if entry.combine == "none"]


@cache
def photograph(size: int = 160) -> np.ndarray:
    with Pillow.open(SAMPLES / "brick.png") as picture:
        return np.asarray(picture)[100 : 100 + size, 60 : 60 + size, None]


def pair_of(before, after):
    is_integer = after.dtype.kind == "u"
    used = (after > 0) & (after < 255) if is_integer else np.ones(after.shape, bool)
    return Pair(before, after.astype(float), used, float(is_integer))


def made(before, spec, geometry=None, shown="clip", depth="uint8", bias=0.0):
    rendering = Rendering(shown, 1.0, bias, np.dtype(depth), 255.0)
    image = Image((Frame(before),), 255.0, "PNG")
    (found,) = filter_image(image, [parse_kernel(spec)], geometry or Geometry(), rendering)
    return found.image.frames[0].pixels


def found_in(before, after, size=None):
    return recover(pair_of(before, after), placements_of(before.shape, after.shape), size)


@pytest.mark.parametrize("name", [name for name in SINGLE if name != "gabor"])
def test_every_kernel_of_the_catalogue_is_found_again(name):
    border = list(BORDERS)[SINGLE.index(name) % len(BORDERS)]
    before = photograph()
    is_float = SINGLE.index(name) % 2
    shown, depth = ("raw", "float32") if is_float else ("clip", "uint8")
    found = found_in(before, made(before, name, Geometry(border=border), shown, depth))
    assert found.is_explained
    assert found.exact > 0.98
    assert border in (found.border.rule, *found.border.alike)
    if is_float:
        assert (found.spec, found.scale, found.exact) == (name, 1.0, 1.0)


def test_a_wave_is_found_with_its_direction():
    before = photograph()
    after = made(before, "gabor:wavelength=3,angle=30", shown="raw", depth="float32")
    found = found_in(before, after)
    assert (found.spec, found.scale, found.exact) == ("gabor:wavelength=3,angle=30", 1.0, 1.0)


@pytest.mark.parametrize("border", BORDERS)
def test_the_border_is_told(border):
    before = photograph()
    after = made(before, "gaussian:sigma=1.497", Geometry(border=border, constant=40))
    found = found_in(before, after)
    assert (found.spec, found.border.rule) == ("gaussian:sigma=1.497", border)
    assert found.exact == 1
    if border == "constant":
        assert found.border.constant == 40


@pytest.mark.parametrize("name", ["sobel-x", "sharpen", "box"])
def test_the_test_card_will_do(name):
    before = np.asarray(render(), np.uint8)[..., None]
    found = found_in(before, made(before, name))
    assert (found.spec, found.exact) == (name, 1.0)


@pytest.mark.parametrize("name", ["sobel-x", "roberts-x", "laplacian"])
def test_absolute_values_are_seen_through(name):
    before = photograph(200)
    found = found_in(before, made(before, name, shown="abs"))
    assert (found.spec, found.shown, found.exact) == (name, "abs", 1.0)


def test_mid_grey_is_a_bias():
    before = photograph()
    found = found_in(before, made(before, "scharr-y", shown="offset"))
    assert (found.spec, found.bias, found.exact) == ("scharr-y", 128, 1.0)


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("padding", ["same", "valid", "full"])
def test_smaller_and_larger_pictures_tell_stride_and_padding(stride, padding):
    if padding == "full" and stride > 1:
        return
    before = photograph(161)
    after = made(
        before, "3 1 4; 1 5 9; 2 6 5", Geometry((stride,) * 2, padding=padding), "raw", "f4"
    )
    found = found_in(before, after)
    assert found.exact == 1
    assert found.placement.stride == stride
    if stride == 1:
        assert found.placement.padding == padding


def test_whole_numbers_over_one_denominator():
    before = photograph()
    found = found_in(before, made(before, "0 1/7 0; 2/7 3/7 0; 0 0 1/7"))
    assert found.fractions.denominator == 7
    assert found.fractions.numerators.tolist() == [[0, 1, 0], [2, 3, 0], [0, 0, 1]]
    assert found.exact == 1


def test_rounding_leaves_what_theory_says():
    before = photograph()
    found = found_in(before, made(before, "0.21 0.13; 0.3 0.36"))
    assert found.residual == pytest.approx(12**-0.5, abs=0.005)


def test_clipped_pixels_are_left_out():
    before = photograph()
    found = found_in(before, made(before, "4 0 -3", bias=60))
    assert found.clipped > 0.05
    assert (found.kernel.tolist(), found.bias, found.exact) == ([[4, 0, -3]], 60, 1.0)


def test_the_solution_is_that_of_least_squares():
    rng = np.random.default_rng(0)
    before = rng.random((40, 50, 1))
    after = rng.random((40, 50, 1))
    sums = equations(pair_of(before, after), Placement(), (3, 5), 10**9)
    fit = sums.solve()
    windows = np.lib.stride_tricks.sliding_window_view(before[..., 0], (3, 5)).reshape(-1, 15)
    rows = np.column_stack([windows, np.ones(len(windows))])
    wanted = after[1:-1, 2:-2, 0].ravel()
    theirs, squares, *_ = np.linalg.lstsq(rows, wanted, rcond=None)
    np.testing.assert_allclose(fit.kernel.ravel(), theirs[:-1], atol=1e-10)
    assert fit.bias == pytest.approx(theirs[-1])
    assert fit.residual == pytest.approx(np.sqrt(squares[0] / len(rows)))
    singular = np.linalg.svd(windows - windows.mean(axis=0), compute_uv=False)
    assert sums.condition((slice(0, 3), slice(0, 5)))[0] == pytest.approx(
        singular[0] / singular[-1]
    )


@pytest.mark.parametrize("name", ["SHARPEN", "EMBOSS", "FIND_EDGES", "SMOOTH"])
def test_filters_of_pillow(name):
    filter = getattr(ImageFilter, name)
    (width, height), scale, offset, weights = filter.filterargs
    before = photograph()
    after = np.asarray(Pillow.fromarray(before[..., 0]).filter(filter))[..., None]
    found = found_in(before, after)
    kernel = found.scale * found.kernel
    theirs = np.array(weights, float).reshape(height, width)[::-1] / scale  # from below
    placed = np.zeros((height, width))
    top, left = (a // 2 - b // 2 for a, b in zip(placed.shape, kernel.shape, strict=True))
    placed[top : top + kernel.shape[0], left : left + kernel.shape[1]] = kernel
    np.testing.assert_allclose(placed, theirs, atol=1e-9)
    assert found.bias == offset
    assert found.border.rule == "copied"


@pytest.mark.parametrize("mode", ["reflect", "mirror", "nearest", "constant", "wrap"])
def test_gaussians_of_scipy(mode):
    before = photograph()
    after = ndimage.gaussian_filter(before.astype(float), 0.7, mode=mode, axes=(0, 1))
    found = found_in(before, after)
    assert found.spec == "gaussian:sigma=0.7"
    assert found.border.rule == {"nearest": "edge"}.get(mode, mode)
    assert found.exact == 1


def test_filters_of_opencv():
    cv2 = pytest.importorskip("cv2")
    before = photograph()
    weights = np.array([[0, 1, 2], [-1, 0, 1], [-2, -1, 0]]) / 2
    after = cv2.filter2D(before[..., 0], -1, weights, borderType=cv2.BORDER_REPLICATE)
    found = found_in(before, after[..., None])
    np.testing.assert_allclose(found.kernel * found.scale, weights, atol=1e-9)
    assert found.border.rule in ("edge", "reflect")
    blurred = cv2.GaussianBlur(before[..., 0], (5, 5), 1.1)
    found = found_in(before, blurred[..., None])
    assert found.spec == "gaussian:size=5"
    assert found.border.rule == "mirror"


def test_a_median_a_curve_and_a_magnitude_are_no_convolutions():
    before = photograph(200)
    plane = before[..., 0]
    cases = {
        "the median of 3x3": ndimage.median_filter(plane, 3),
        "a curve": np.rint(255 * np.sqrt(plane / 255)).astype(np.uint8),
        "sobel, the magnitude": made(before, "sobel")[..., 0],
        "moved by about 7 right, 23 down": np.roll(plane, (23, 7), (0, 1)),
    }
    for what, after in cases.items():
        pair = pair_of(before, after[..., None])
        found = recover(pair, [Placement()], (7, 7))
        assert not found.is_explained
        best = guesses(pair, found.residual)[0]
        assert what in best.what
        assert best.residual < 2


def test_blurs_rounded_in_between_are_no_single_convolution():
    before = photograph(200)
    after = np.asarray(Pillow.fromarray(before[..., 0]).filter(ImageFilter.GaussianBlur(2)))
    found = recover(pair_of(before, after[..., None]), [Placement()], (15, 15))
    assert not found.is_explained
    assert found.nearest.spec.startswith("gaussian:sigma=2")


def test_half_a_pixel_by_splines_is_a_convolution_that_cubic_weights_make():
    before = photograph().astype(float)
    after = 0.5 * (before + np.roll(before, 1, axis=0))
    found = found_in(before, after)
    assert found.kernel.tolist() == [[0.5], [0.5]]
    assert found.border.rule == "wrap"


def test_channels_share_a_kernel_where_they_agree():
    with Pillow.open(SAMPLES / "coffee.jpg") as picture:
        before = np.ascontiguousarray(np.asarray(picture)[:120, :140])
    found = found_in(before, made(before, "binomial"))
    assert (found.spec, found.exact) == ("binomial", 1.0)
    mixed = made(before, "binomial").copy()
    mixed[..., 1] = made(before, "sharpen")[..., 1]
    pair = pair_of(before, mixed)
    assert not recover(pair, [Placement()], (3, 3)).is_explained
    green = replace(
        pair,
        before=np.ascontiguousarray(pair.before[..., 1:2]),
        after=pair.after[..., 1:2],
        used=pair.used[..., 1:2],
    )
    assert recover(green, [Placement()], None).spec == "sharpen"


def test_what_a_picture_does_not_tell_is_counted():
    before = np.tile(np.random.default_rng(0).random(60), (50, 1))[..., None]
    after = ndimage.uniform_filter(before, (3, 3, 1))
    found = recover(pair_of(before, after), [Placement()], (3, 3))
    assert found.unknown == 6
    assert found.exact == 1


def test_what_is_looked_at_is_told_as_the_search_goes_on():
    before = photograph(60)
    after = np.median([np.roll(before, shift, 0) for shift in (-1, 0, 1)], axis=0).astype(np.uint8)
    told = []
    recover(pair_of(before, after), placements_of(before.shape, after.shape), None, told.append)
    assert told[0] == "windows of 7x7"
    assert len(set(told)) == len(told) > 1

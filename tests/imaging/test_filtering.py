"""Filters over whole images: chains, alpha, ranges, maps, depth; against SciPy and by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from cnntool.engine.filters import direct, shifting
from cnntool.errors import InputError, RequestError
from cnntool.files.image import Frame, Image
from cnntool.imaging.filter_plan import Geometry, plan_chain
from cnntool.imaging.filtering import Rendering, filter_image, normalized
from cnntool.imaging.kernels import Filter, parse_kernel

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (40, 50, 1), dtype=np.uint8)
RAW = Rendering(range="raw", dtype=np.dtype(np.float32))


def image_of(pixels, alpha=None, white=255.0):
    return Image((Frame(pixels, alpha),), white, "PNG")


def run(image, *specs, geometry=None, rendering=RAW, **combine):
    filters = [parse_kernel(spec) for spec in specs]
    filters[-1] = replace(filters[-1], **combine)
    return filter_image(image, filters, geometry, rendering)


def pixels_of(results, index=0):
    return results[index].image.frames[0].pixels


def test_sobel_is_scipys_gradient_magnitude():
    grey = GREY[..., 0].astype(float)
    expected = np.hypot(ndimage.sobel(grey, 0), ndimage.sobel(grey, 1))
    np.testing.assert_allclose(pixels_of(run(image_of(GREY), "sobel"))[..., 0], expected, rtol=1e-5)


def test_gaussian_is_scipys():
    expected = ndimage.gaussian_filter(GREY[..., 0].astype(float), 2)
    found = pixels_of(run(image_of(GREY), "gaussian:sigma=2"))[..., 0]
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_eight_bits_are_the_rounded_and_clipped_result():
    expected = np.clip(np.rint(ndimage.correlate(GREY[..., 0].astype(float), SHARPEN)), 0, 255)
    results = run(image_of(GREY), "sharpen", rendering=Rendering())
    np.testing.assert_array_equal(pixels_of(results)[..., 0], expected)
    assert pixels_of(results).dtype == np.uint8
    losses = results[0].losses
    exact = ndimage.correlate(GREY[..., 0].astype(float), SHARPEN)
    assert (losses.below, losses.above) == ((exact < -0.5).sum(), (exact > 255.5).sum())
    assert losses.total == GREY.size


SHARPEN = np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], float)


def test_colours_are_filtered_one_by_one():
    colour = RNG.integers(0, 256, (30, 20, 3), dtype=np.uint8)
    found = pixels_of(run(image_of(colour), "sobel"))
    for channel in range(3):
        alone = pixels_of(run(image_of(colour[..., channel : channel + 1].copy()), "sobel"))
        np.testing.assert_allclose(found[..., channel], alone[..., 0], rtol=1e-5)


def test_sixteen_bits_stay_sixteen():
    deep = RNG.integers(0, 65536, (20, 20, 1), dtype=np.uint16)
    results = run(image_of(deep, white=65535.0), "box", rendering=Rendering())
    expected = np.rint(ndimage.uniform_filter(deep[..., 0].astype(float), 3))
    assert pixels_of(results).dtype == np.uint16
    assert np.abs(pixels_of(results)[..., 0] - expected).max() <= 1


def test_a_chain_does_not_round_between_its_filters():
    found = pixels_of(run(image_of(GREY), "gaussian:sigma=2", "laplacian"))[..., 0]
    blurred = ndimage.gaussian_filter(GREY[..., 0].astype(float), 2)
    np.testing.assert_allclose(found, ndimage.laplace(blurred), atol=2e-3)


def test_stride_and_padding_apply_to_every_filter_of_a_chain():
    geometry = Geometry(stride=(2, 2), padding="valid")
    results = run(image_of(GREY), "box", "box", geometry=geometry)
    assert pixels_of(results).shape == (9, 11, 1)


def test_feature_maps_are_the_single_kernels():
    maps = run(image_of(GREY), "sobel", combine="none")
    assert [result.name for result in maps] == ["sobel-x", "sobel-y"]
    for index, spec in enumerate(["sobel-x", "sobel-y"]):
        np.testing.assert_allclose(
            pixels_of(maps, index), pixels_of(run(image_of(GREY), spec)), atol=1e-4
        )


def test_signed_responses_are_shown_by_size_and_said_so():
    (result,) = run(image_of(GREY), "sobel-x", rendering=Rendering())
    assert result.range == "abs"
    exact = ndimage.sobel(GREY[..., 0].astype(float), 1)
    expected = np.minimum(np.abs(exact), 255)
    np.testing.assert_array_equal(pixels_of([result])[..., 0], expected)
    assert result.losses.negative == (exact < 0).sum()
    assert result.losses.above == (np.abs(exact) > 255).sum()


def test_stretch_spans_black_to_white():
    (result,) = run(image_of(GREY), "sobel-x", rendering=Rendering(range="stretch"))
    pixels = pixels_of([result])
    assert (pixels.min(), pixels.max()) == (0, 255)
    exact = ndimage.sobel(GREY[..., 0].astype(float), 1)
    span = (exact - exact.min()) / (exact.max() - exact.min()) * 255
    assert np.abs(pixels[..., 0] - span).max() <= 0.51


def test_scale_and_bias():
    plain = pixels_of(run(image_of(GREY), "box"))
    scaled = pixels_of(run(image_of(GREY), "box", rendering=RAW._replace(scale=2.0, bias=-3.0)))
    np.testing.assert_allclose(scaled, 2 * plain - 3, rtol=1e-5, atol=1e-4)


def test_a_kernels_own_bias_is_scaled_with_its_values():
    plain = pixels_of(run(image_of(GREY), "box"))
    rendering = RAW._replace(scale=2.0, bias=-3.0)
    found = pixels_of(run(image_of(GREY), "box", rendering=rendering, bias=10.0))
    np.testing.assert_allclose(found, 2 * (plain + 10) - 3, rtol=1e-5, atol=1e-4)


def test_angles_are_neither_scaled_nor_shifted():
    plain = pixels_of(run(image_of(GREY), "sobel", combine="orientation"))
    rendering = RAW._replace(scale=2.0, bias=-3.0)
    found = run(image_of(GREY), "sobel", rendering=rendering, combine="orientation")
    np.testing.assert_array_equal(pixels_of(found), plain)


def test_a_magnitude_of_several_whites_is_clipped():
    """sqrt(2) * 255, of kernels that alone go nowhere beyond white."""
    kernel = Filter("k", "", np.ones((2, 1, 1)), "magnitude", ("a", "b"))
    (result,) = filter_image(image_of(np.full((3, 4, 1), 255, np.uint8)), [kernel])
    assert np.unique(pixels_of([result])).tolist() == [255]
    assert result.losses.above == 12


def test_what_is_said_of_frames_is_that_of_all():
    dark, light = (Frame(np.full((3, 4, 1), value, np.uint8)) for value in (10, 200))
    clear = replace(light, alpha=np.zeros((3, 4), np.uint8))
    image = Image((dark, clear), 255.0, "PNG")
    (result,) = run(image, "2", rendering=Rendering())
    assert result.losses.above == result.losses.total // 2 == 12
    assert (result.brightest, result.is_weighted) == (255, True)
    floats = [replace(each, pixels=each.pixels.astype(np.float32)) for each in (dark, light)]
    (result,) = run(Image(tuple(floats), 255.0, "TIFF"), "1")
    assert result.largest == 200


@given(data=st.data())
def test_whole_numbers_are_the_rounded_and_clipped_floats(data):
    """Nothing is skipped wrongly: bounds, blocks, depth, alpha and borders included."""
    draw = data.draw
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    dtype, white = draw(st.sampled_from([("uint8", 255.0), ("uint16", 65535.0)]))
    pixels = rng.integers(0, int(white) + 1, (23, 31, draw(st.sampled_from([1, 3])))).astype(dtype)
    alpha = None
    if draw(st.booleans()):
        alpha = rng.integers(0, int(white) + 1, pixels.shape[:2]).astype(dtype)
    size = draw(st.integers(1, 3))
    bank = rng.normal(size=(size, 3, draw(st.integers(1, 4)))) * draw(st.sampled_from([0.1, 1]))
    if draw(st.booleans()):
        bank = np.abs(bank)
    if draw(st.booleans()):
        bank = np.rint(4 * bank) * draw(st.sampled_from([1, 0.25]))
    combine = draw(st.sampled_from(["none", "magnitude", "maximum"]))
    names = tuple(f"k{i}" for i in range(size))
    kernel = Filter("k", "", bank, combine, names)
    geometry = Geometry(
        border=draw(st.sampled_from(["reflect", "constant"])),
        constant=draw(st.sampled_from([0.0, -300.0, 999.0])),
        flip=draw(st.booleans()),
        padding=draw(st.sampled_from(["same", "full"])),
    )
    shown = draw(st.sampled_from(["clip", "abs", "offset", "stretch", "raw"]))
    scale, bias = draw(st.sampled_from([1.0, -2.0, 0.3])), draw(st.sampled_from([0.0, 40.0, -90.0]))
    depth = draw(st.sampled_from([(np.uint8, 255.0), (np.uint16, 65535.0)]))
    image = image_of(pixels, alpha, white)
    with pytest.MonkeyPatch.context() as patch:
        for module in (direct, shifting):
            patch.setattr(module, "BLOCK_ELEMENTS", 64)
        patch.setattr(direct, "MATRIX_BYTES", 1 << 12)
        raw = Rendering("raw", scale, bias, np.dtype(np.float32), white)
        floats = filter_image(image, [kernel], geometry, raw)
        rendering = Rendering(shown, scale, bias, np.dtype(depth[0]), depth[1])
        results = filter_image(image, [kernel], geometry, rendering)
    for result, unshown in zip(results, floats, strict=True):
        values = unshown.image.frames[0].pixels.astype(float) * (depth[1] / white)
        if shown == "abs":
            values = np.abs(values)
        elif shown == "offset":
            values = values + (depth[1] + 1) / 2
        elif shown == "stretch":
            values = (values - values.min()) / (np.ptp(values) or 1) * depth[1]
        expected = np.clip(values, 0, depth[1])
        found = result.image.frames[0].pixels
        assert np.abs(found - expected).max() <= 0.5 + 1e-5 * max(depth[1], np.abs(values).max())


@pytest.mark.parametrize("spec", ["sobel", "roberts", "kirsch"])
@pytest.mark.parametrize("flip", [False, True])
def test_orientation_is_the_pictures_own_however_the_kernel_is_turned(spec, flip):
    ramp = np.tile(np.arange(0, 90, 3, dtype=np.uint8), (20, 1))[..., None]
    results = run(image_of(ramp), spec, geometry=Geometry(flip=flip), combine="orientation")
    np.testing.assert_allclose(pixels_of(results)[2:-2, 2:-2], 0, atol=1e-4)
    flat = run(image_of(np.full((9, 9, 1), 80, np.uint8)), spec, combine="orientation")
    np.testing.assert_array_equal(pixels_of(flat), 0)


def test_a_flat_picture_loses_nothing_to_rounding_noise():
    flat = image_of(np.full((30, 30, 1), 123, np.uint8))
    for spec in ("log", "dog", "laplacian", "sobel-x"):
        (result,) = run(flat, spec, rendering=Rendering())
        assert not result.losses


def test_values_beyond_float32_are_refused():
    image = image_of(np.array([[[1e14], [-1e14]]], np.float32))
    with pytest.raises(InputError, match="beyond float32"):
        run(image, "1e12 -1e12", "1e12 -1e12", "1e12 -1e12")
    with pytest.raises(InputError, match="more than sums of pixels can take"):
        run(image_of(np.full((2, 2, 1), 1e30, np.float32)), "box")


@pytest.mark.parametrize(
    ("spec", "divisor"), [("1 1 2", 4), ("-1 0 1", 1), ("1 -3 2", 3), ("-1 -1", -2), ("0 0", 1)]
)
def test_normalize_divides_by_the_sum_or_the_positive_part(spec, divisor):
    kernel = parse_kernel(spec)
    np.testing.assert_allclose(normalized(kernel).bank * divisor, kernel.bank)


class TestAlpha:
    """Red hidden under full transparency, beside opaque green."""

    colour = np.zeros((20, 30, 3), np.uint8)
    alpha = np.zeros((20, 30), np.uint8)
    colour[:, :15] = (255, 0, 0)
    colour[:, 15:] = (0, 200, 0)
    alpha[:, 15:] = 255

    def test_hidden_colours_do_not_bleed_into_a_blur(self):
        blurred = pixels_of(run(image_of(self.colour, self.alpha), "gaussian:sigma=3"))
        np.testing.assert_allclose(blurred[:, 15:], self.colour[:, 15:], atol=1e-3)

    @pytest.mark.parametrize("spec", ["sobel", "laplacian", "kirsch"])
    def test_hidden_colours_make_no_edges(self, spec):
        edges = pixels_of(run(image_of(self.colour, self.alpha), spec))
        np.testing.assert_allclose(edges[:, 15:], 0, atol=1e-3)

    def test_sharpening_does_not_see_hidden_colours(self):
        sharp = pixels_of(run(image_of(self.colour, self.alpha), "sharpen"))
        np.testing.assert_allclose(sharp[:, 15:], self.colour[:, 15:], atol=1e-3)

    def test_a_blur_is_the_weighted_mean(self):
        colour = RNG.integers(0, 256, (12, 12, 1), dtype=np.uint8)
        alpha = RNG.integers(1, 256, (12, 12), dtype=np.uint8)
        a = alpha / 255
        expected = ndimage.uniform_filter(colour[..., 0] * a, 3) / ndimage.uniform_filter(a, 3)
        found = pixels_of(run(image_of(colour, alpha), "box"))[..., 0]
        np.testing.assert_allclose(found, expected, rtol=1e-4)

    def test_a_constant_border_is_opaque(self):
        """Nine pixels, of which the one in the middle cannot be seen."""
        image = image_of(np.full((1, 1, 1), 90, np.uint8), np.zeros((1, 1), np.uint8))
        geometry = Geometry(border="constant", constant=50.0)
        assert pixels_of(run(image, "box", geometry=geometry)).item() == pytest.approx(50)

    def test_alpha_is_kept(self):
        (result,) = run(image_of(self.colour, self.alpha), "gaussian:sigma=3")
        np.testing.assert_array_equal(result.image.frames[0].alpha, self.alpha)

    def test_alpha_is_sampled_where_the_windows_are(self):
        alpha = RNG.integers(0, 256, (20, 30), dtype=np.uint8)
        image = image_of(self.colour, alpha)
        (result,) = run(image, "box", geometry=Geometry(stride=(2, 3)))
        np.testing.assert_array_equal(result.image.frames[0].alpha, alpha[::2, ::3])
        (result,) = run(image, "box:size=5", geometry=Geometry(padding="valid"))
        np.testing.assert_array_equal(result.image.frames[0].alpha, alpha[2:-2, 2:-2])
        (result,) = run(image, "box", geometry=Geometry(padding="full"))
        np.testing.assert_array_equal(
            result.image.frames[0].alpha, np.pad(alpha, 1, mode="symmetric")
        )

    def test_alpha_follows_the_depth(self):
        alpha = RNG.integers(0, 256, (20, 30), dtype=np.uint8)
        deep = Rendering(dtype=np.dtype(np.uint16), white=65535.0)
        (result,) = run(image_of(self.colour, alpha), "box", rendering=deep)
        np.testing.assert_array_equal(result.image.frames[0].alpha, alpha.astype(int) * 257)

    def test_opaque_alpha_changes_nothing(self):
        opaque = np.full((20, 30), 255, np.uint8)
        np.testing.assert_array_equal(
            pixels_of(run(image_of(self.colour, opaque), "sobel")),
            pixels_of(run(image_of(self.colour), "sobel")),
        )

    def test_a_chain_keeps_hidden_colours_hidden(self):
        found = pixels_of(run(image_of(self.colour, self.alpha), "gaussian:sigma=2", "sobel"))
        np.testing.assert_allclose(found[:, 15:], 0, atol=1e-2)


def test_every_frame_is_filtered():
    frames = tuple(
        Frame(RNG.integers(0, 256, (8, 9, 1), dtype=np.uint8), None, 40 * i) for i in (1, 2)
    )
    (result,) = run(Image(frames, 255.0, "GIF"), "box")
    assert [frame.duration for frame in result.image.frames] == [40, 80]
    for before, after in zip(frames, result.image.frames, strict=True):
        expected = ndimage.uniform_filter(before.pixels[..., 0].astype(float), 3)
        np.testing.assert_allclose(after.pixels[..., 0], expected, rtol=1e-5)


def test_one_pixel_images_work():
    assert pixels_of(run(image_of(np.full((1, 1, 1), 7, np.uint8)), "gaussian:sigma=3"))[
        0, 0, 0
    ] == pytest.approx(7)


def test_a_kernel_that_does_not_fit_is_an_input_error():
    with pytest.raises(InputError, match=r"box-size9: a kernel that spans 9 does not fit into 5"):
        run(
            image_of(np.zeros((5, 20, 1), np.uint8)),
            "box:size=9",
            geometry=Geometry(padding="valid"),
        )


def test_a_dilation_without_bounds_is_refused():
    with pytest.raises(RequestError, match="dilation 100000"):
        run(image_of(GREY), "box", geometry=Geometry(dilation=(100000, 1)))


def test_the_plan_of_a_chain_tells_the_sizes():
    filters = [parse_kernel("sobel"), parse_kernel("box:size=5")]
    plans = plan_chain((100, 80, 3), filters, Geometry(padding="valid"))
    assert [(plan.count, *plan.shape) for plan in plans] == [(1, 98, 78, 3), (1, 94, 74, 3)]
    assert [plan.blocks(3).shape for plan in plans] == [(2, 98, 78, 3), (1, 94, 74, 3)]

"""Orientation is applied once; colour profile, resolution and EXIF come along."""

import io

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms, ImageOps

from cnntool.files.image import Frame, Image, Metadata
from cnntool.files.images import open_image, probe_image, save_image

ORIENTATION, MAKE, SOFTWARE, EXPOSURE = 0x0112, 0x010F, 0x0131, 0x829A
IMAGE_DESCRIPTION = 0x010E
RGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GRAY_PROFILE = RGB_PROFILE[:16] + b"GRAY" + RGB_PROFILE[20:]
CARRIERS = ("JPEG", "PNG", "WEBP", "TIFF")


def card():
    """Four corners of different greys, wider than high."""
    pixels = np.full((48, 80), 100, np.uint8)
    pixels[:24, :40], pixels[:24, 40:], pixels[24:, :40] = 0, 200, 250
    return pixels


def exif_block(orientation=None, description="a card"):
    exif = Pillow.Exif()
    exif[MAKE] = "Camera Works"
    if orientation is not None:
        exif[ORIENTATION] = orientation
    exif[SOFTWARE] = "v1"
    exif[0x8769] = {EXPOSURE: 0.5}
    exif[IMAGE_DESCRIPTION] = description
    return exif.tobytes()


def pillow_bytes(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def saved(image, format):
    buffer = io.BytesIO()
    save_image(image, buffer, format=format)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", CARRIERS)
def test_each_orientation_is_applied_once_and_not_kept(format, orientation):
    options = {"quality": 100, "lossless": True} if format == "WEBP" else {}
    stored = Pillow.fromarray(card())
    data = pillow_bytes(stored, format, exif=exif_block(orientation), **options)
    expected = np.asarray(ImageOps.exif_transpose(Pillow.open(io.BytesIO(data))).convert("L"))
    image = open_image(data, gray=True)
    pixels = image.frames[0].pixels[..., 0]
    assert pixels.shape == ((80, 48) if orientation >= 5 else (48, 80))
    assert pixels.flags.c_contiguous
    assert np.abs(pixels.astype(int) - expected).max() <= 2
    info = probe_image(data)
    assert (info.height, info.width) == pixels.shape
    again = saved(image, format)
    assert np.array_equal(open_image(again).frames[0].pixels.shape[:2], pixels.shape)
    exif = Pillow.open(io.BytesIO(again)).getexif()
    assert ORIENTATION not in exif
    assert exif[MAKE] == "Camera Works"


def test_orientation_of_16_bit_tiff_colour():
    pytest.importorskip("imagecodecs")
    tifffile = pytest.importorskip("tifffile")
    pixels = np.arange(2 * 3 * 3, dtype=np.uint16).reshape(2, 3, 3) * 1000
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, photometric="rgb", extratags=[(274, 3, 1, 6, True)])
    image = open_image(buffer.getvalue())
    np.testing.assert_array_equal(image.frames[0].pixels, np.rot90(pixels, -1))


@pytest.mark.parametrize("block", [b"Exif\0\0", b"nonsense", b"II*\0\xff\xff\xff\xff", b"MM\0*"])
def test_malformed_exif_is_dropped(block):
    image = open_image(pillow_bytes(Pillow.fromarray(card()), "PNG", exif=block))
    assert image.metadata.exif is None


@pytest.mark.parametrize("format", CARRIERS)
def test_profile_resolution_and_exif_are_kept(format):
    color = Pillow.fromarray(card()).convert("RGB")
    dpi = {} if format == "WEBP" else {"dpi": (300, 150)}
    data = pillow_bytes(color, format, icc_profile=RGB_PROFILE, exif=exif_block(), **dpi)
    image = open_image(data)
    for back in (image, open_image(saved(image, format))):
        assert back.metadata.icc_profile == RGB_PROFILE
        if dpi:
            assert back.metadata.dpi == pytest.approx((300, 150), abs=0.02)
        exif = Pillow.Exif()
        exif.load(back.metadata.exif)
        assert exif[MAKE] == "Camera Works"
        assert exif.get_ifd(0x8769)[EXPOSURE] == 0.5


@pytest.mark.parametrize("target", CARRIERS)
@pytest.mark.parametrize("source", CARRIERS)
def test_exif_passes_between_formats(source, target):
    color = Pillow.fromarray(card()).convert("RGB")
    image = open_image(pillow_bytes(color, source, exif=exif_block(8)))
    exif = Pillow.open(io.BytesIO(saved(image, target))).getexif()
    assert exif[MAKE] == "Camera Works"
    assert ORIENTATION not in exif
    assert exif.get_ifd(0x8769)[EXPOSURE] == 0.5


def test_resolution_turns_with_the_picture():
    data = pillow_bytes(Pillow.fromarray(card()), "JPEG", dpi=(300, 150), exif=exif_block(6))
    assert open_image(data).metadata.dpi == (150, 300)


@pytest.mark.parametrize("format", CARRIERS)
def test_a_colour_profile_is_not_put_on_grey_nor_a_grey_one_on_colour(format):
    color = Pillow.fromarray(card()).convert("RGB")
    image = open_image(pillow_bytes(color, format, icc_profile=RGB_PROFILE), gray=True)
    assert image.metadata.icc_profile is None
    for channels, profile in ((1, RGB_PROFILE), (3, GRAY_PROFILE)):
        frame = Frame(np.zeros((9, 9, channels), np.uint8))
        file = saved(Image((frame,), 255.0, "PNG", Metadata(icc_profile=profile)), format)
        assert "icc_profile" not in Pillow.open(io.BytesIO(file)).info
    frame = Frame(np.zeros((9, 9, 1), np.uint8))
    file = saved(Image((frame,), 255.0, "PNG", Metadata(icc_profile=GRAY_PROFILE)), format)
    assert ("icc_profile" in Pillow.open(io.BytesIO(file)).info) == (format != "WEBP")


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_colour_keeps_profile_and_resolution(format):
    pytest.importorskip("imagecodecs")
    pytest.importorskip("tifffile")
    frame = Frame(np.full((5, 6, 3), 40000, np.uint16))
    metadata = Metadata(icc_profile=RGB_PROFILE, dpi=(300.0, 150.0))
    back = open_image(saved(Image((frame,), 65535.0, "PNG", metadata), format)).metadata
    assert back.icc_profile == RGB_PROFILE
    assert back.dpi == pytest.approx((300, 150), abs=0.02)


def test_png_exif_after_the_pixels_counts_too():
    data = pillow_bytes(Pillow.fromarray(card()), "PNG", exif=exif_block(6))
    start = data.index(b"eXIf") - 4
    length = int.from_bytes(data[start : start + 4], "big") + 12
    chunk, end = data[start : start + length], len(data) - 12
    moved = data[:start] + data[start + length : end] + chunk + data[end:]
    assert open_image(moved).frames[0].pixels.shape == (80, 48, 1)


@pytest.mark.parametrize("dpi", [(0, 0), (float("nan"), 72), (-1, 1), (1e9, 1), "ab", None])
def test_a_senseless_resolution_is_dropped(dpi):
    frame = Frame(np.zeros((2, 2, 1), np.uint8))
    image = Image((frame,), 255.0, "PNG", Metadata(dpi=dpi))
    assert open_image(saved(image, "PNG")).metadata.dpi is None


def test_exif_too_long_for_jpeg_is_left_out():
    exif = exif_block(description="x" * 70000)
    data = pillow_bytes(Pillow.fromarray(card()), "PNG", exif=exif)
    assert open_image(saved(open_image(data), "JPEG")).metadata.exif is None

"""Every format and depth there and back, and the pixel layouts that files come in."""

import io
import itertools
import os
import struct
import sys
import threading
import tracemalloc
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms
from tiffs import tiff

from cnntool.errors import InputError, RequestError
from cnntool.files.formats import EXTENSIONS, FORMATS, can_hold, format_for
from cnntool.files.image import Frame, Image
from cnntool.files.images import open_image, probe_image, save_image

WHITE = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}
EXTENSION = {name: able.extensions[0] for name, able in FORMATS.items()}


def picture(dtype="uint8", channels=3, alpha=False, height=70, width=33, seed=0):
    """Noise over the whole range, higher than one strip."""
    random = np.random.default_rng(seed)

    def noise(shape):
        if dtype == "float32":
            return random.normal(0, 2, shape).astype(np.float32)
        return random.integers(0, int(WHITE[dtype]) + 1, shape).astype(dtype)

    frame = Frame(noise((height, width, channels)), noise((height, width)) if alpha else None)
    return Image((frame,), WHITE[dtype], "PNG")


def smooth(channels=3, height=64, width=80):
    """What lossy formats keep well."""
    y, x = np.mgrid[:height, :width]
    planes = [60 + x + (k + 1) * y // 2 for k in range(3)]
    pixels = np.stack(planes[:channels], axis=2).clip(0, 255).astype(np.uint8)
    return Image((Frame(pixels),), 255.0, "PNG")


def saved(image, format, **options):
    buffer = io.BytesIO()
    save_image(image, buffer, format=format, **options)
    return buffer.getvalue()


def from_pillow(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def handmade_png(rows, width, height, depth, color_type, extra=b""):
    """A PNG from its raw rows, unfiltered, made without the code under test."""
    packed = zlib.compress(b"".join(b"\0" + row for row in rows))
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    chunks = png_chunk(b"IHDR", header) + extra + png_chunk(b"IDAT", packed)
    return b"\x89PNG\r\n\x1a\n" + chunks + png_chunk(b"IEND", b"")


def png16(samples, color_type, extra=b""):
    height, width = samples.shape[:2]
    rows = [row.astype(">u2").tobytes() for row in samples]
    return handmade_png(rows, width, height, 16, color_type, extra)


def assert_same(first, second):
    assert first.pixels.dtype == second.pixels.dtype
    np.testing.assert_array_equal(first.pixels, second.pixels)
    assert (first.alpha is None) == (second.alpha is None)
    if first.alpha is not None:
        np.testing.assert_array_equal(first.alpha, second.alpha)


LOSSLESS = [
    (format, dtype, channels, alpha)
    for format, dtype, channels, alpha in itertools.product(
        ("PNG", "TIFF", "BMP", "PPM", "JPEG2000"), WHITE, (1, 3), (False, True)
    )
    if can_hold(format, dtype=dtype, alpha=alpha, samples=channels + alpha)
]


@pytest.mark.parametrize(("format", "dtype", "channels", "alpha"), LOSSLESS)
def test_lossless_formats_give_back_exactly_what_was_saved(
    tmp_path, monkeypatch, format, dtype, channels, alpha
):
    for missing in ("tifffile", "imagecodecs"):
        monkeypatch.setitem(sys.modules, missing, None)
    image = picture(dtype, channels, alpha)
    path = tmp_path / f"image{EXTENSION[format]}"
    save_image(image, path)
    back = open_image(path, float_white=1.0)
    assert (back.format, back.white, len(back.frames)) == (format, WHITE[dtype], 1)
    assert_same(back.frames[0], image.frames[0])
    assert back.frames[0].pixels.flags.c_contiguous


KEPT_CLOSELY = [("JPEG", 1), ("JPEG", 3), ("WEBP", 3), ("AVIF", 1), ("AVIF", 3)]


@pytest.mark.parametrize(("format", "channels"), KEPT_CLOSELY)
def test_lossy_formats_stay_close(format, channels):
    image = smooth(channels)
    back = open_image(saved(image, format, quality=95)).frames[0].pixels
    assert back.shape == image.frames[0].pixels.shape
    assert np.abs(back.astype(int) - image.frames[0].pixels).max() <= 12


def test_quality_makes_a_difference_and_is_checked():
    image = picture()
    assert len(saved(image, "JPEG", quality=30)) < len(saved(image, "JPEG"))
    for quality, format in ((0, "JPEG"), (101, "WEBP"), (50, "PNG")):
        with pytest.raises(RequestError, match="quality"):
            saved(image, format, quality=quality)


@pytest.mark.parametrize(
    "stored",
    [np.uint8, np.uint16, np.int16, np.int64, np.float16, np.float32, np.float64, bool, ">f4"],
)
@pytest.mark.parametrize("shape", [(70, 9), (70, 9, 1), (70, 9, 3), (70, 9, 7)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_of_any_real_dtype_shape_and_order_is_read(stored, shape, order):
    array = np.random.default_rng(3).integers(0, 200, shape).astype(stored)
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array, order=order))
    image = open_image(buffer.getvalue(), float_white=200.0)
    pixels = image.frames[0].pixels
    keeps = array.dtype in (np.uint8, np.uint16)
    floats = np.float64 if stored in (np.int64, np.float64) else np.float32
    assert pixels.dtype == (array.dtype if keeps else floats)
    assert image.white == (WHITE[array.dtype.name] if keeps else 200.0)
    np.testing.assert_array_equal(pixels, array.reshape(*shape[:2], -1).astype(pixels.dtype))


def test_npy_of_another_type_is_converted_as_it_is_read(tmp_path):
    values = np.arange(1_000_000, dtype=np.int64).reshape(1000, 1000)
    np.save(tmp_path / "a.npy", values)
    tracemalloc.start()
    try:
        image = open_image(tmp_path / "a.npy")
        assert tracemalloc.get_traced_memory()[1] < 1.5 * values.nbytes
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(image.frames[0].pixels[..., 0], values)
    whole = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(whole[:-10])
    with pytest.raises(InputError, match="7,999,990 of 8,000,000 bytes of pixels are there"):
        open_image(tmp_path / "a.npy")
    (tmp_path / "a.npy").write_bytes(whole + b"more")
    with pytest.raises(InputError, match="more than the 1,000 x 1,000 x 1 values"):
        open_image(tmp_path / "a.npy")


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_npy_is_written_as_float32_that_numpy_reads(tmp_path, channels):
    image = picture("float32", channels)
    save_image(image, tmp_path / "a.npy")
    array = np.load(tmp_path / "a.npy", allow_pickle=False)
    assert array.dtype == np.float32
    assert array.shape == ((70, 33) if channels == 1 else (70, 33, channels))
    np.testing.assert_array_equal(array.reshape(70, 33, channels), image.frames[0].pixels)


def test_npy_takes_alpha_as_its_last_channel_and_integers_as_they_are():
    image = picture("uint16", 3, alpha=True)
    array = np.load(io.BytesIO(saved(image, "NPY")))
    np.testing.assert_array_equal(array[..., :3], image.frames[0].pixels)
    np.testing.assert_array_equal(array[..., 3], image.frames[0].alpha)


def test_npy_with_nan_says_how_many():
    array = np.zeros((4, 5), np.float32)
    array[0, :3] = np.nan
    array[1, 0] = np.inf
    buffer = io.BytesIO()
    np.save(buffer, array)
    with pytest.raises(InputError, match="4 values that are NaN or infinite"):
        open_image(buffer.getvalue())


@pytest.mark.parametrize(
    "array",
    [np.zeros(5), np.zeros((2, 2, 2, 2)), np.zeros((0, 4)), np.zeros((2, 2), complex),
     np.array([["a"]]), np.array([[None]])],
)  # fmt: skip
def test_npy_that_is_no_image_is_refused(array):
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    with pytest.raises(InputError):
        open_image(buffer.getvalue())


def test_one_bit_images_become_black_and_white(tmp_path):
    bits = np.random.default_rng(1).integers(0, 2, (9, 13)).astype(bool)
    for format in ("PNG", "TIFF", "BMP", "PPM"):
        data = from_pillow(Pillow.fromarray(bits), format)
        pixels = open_image(data).frames[0].pixels
        np.testing.assert_array_equal(pixels[..., 0], bits * np.uint8(255))
        assert probe_image(data).depth == "1-bit"


def test_palettes_become_colour_and_their_transparency_alpha():
    indices = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
    image = Pillow.fromarray(indices).convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    colors = np.array([[10, 20, 30], [40, 50, 60], [70, 80, 90]], np.uint8)
    frame = open_image(from_pillow(image, "PNG")).frames[0]
    np.testing.assert_array_equal(frame.pixels, colors[indices])
    assert frame.alpha is None
    frame = open_image(from_pillow(image, "PNG", transparency=bytes([255, 0, 99]))).frames[0]
    np.testing.assert_array_equal(frame.pixels, colors[indices])
    np.testing.assert_array_equal(frame.alpha, np.array([255, 0, 99], np.uint8)[indices])


def test_one_transparent_colour_becomes_alpha():
    samples = np.random.default_rng(5).integers(0, 256, (6, 7, 3)).astype(np.uint8)
    key = png_chunk(b"tRNS", samples[2, 3].astype(">u2").tobytes())
    data = handmade_png([row.tobytes() for row in samples], 7, 6, 8, 2, key)
    frame = open_image(data).frames[0]
    np.testing.assert_array_equal(frame.pixels, samples)
    expected = np.full((6, 7), 255)
    expected[2, 3] = 0
    np.testing.assert_array_equal(frame.alpha, expected)
    grey = open_image(data, gray=True).frames[0]
    np.testing.assert_array_equal(grey.alpha, expected)


@pytest.mark.parametrize("depth", [1, 2, 4, 16])
def test_one_transparent_grey_becomes_alpha_at_any_depth(depth):
    levels = np.arange(1 << min(depth, 4)) * (1 if depth < 16 else 4000)
    if depth == 16:
        row, white = levels.astype(">u2").tobytes(), 65535
    else:
        bits = "".join(f"{level:0{depth}b}" for level in levels)
        row = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
        white = 255
    key = png_chunk(b"tRNS", struct.pack(">H", levels[1]))
    frame = open_image(handmade_png([row], len(levels), 1, depth, 0, key)).frames[0]
    scale = 1 if depth == 16 else 255 // ((1 << depth) - 1)
    np.testing.assert_array_equal(frame.pixels[0, :, 0], levels * scale)
    np.testing.assert_array_equal(frame.alpha[0], np.where(levels == levels[1], 0, white))


def test_16_bit_grey_png_is_read_at_full_depth():
    samples = np.random.default_rng(2).integers(0, 65536, (70, 9, 1)).astype(np.uint16)
    image = open_image(png16(samples, 0))
    assert (image.white, probe_image(png16(samples, 0)).depth) == (65535.0, "16-bit")
    np.testing.assert_array_equal(image.frames[0].pixels, samples)


DEEP = [(2, 3, 0), (6, 3, 1), (4, 1, 1)]  # colour type, channels, alpha


@pytest.mark.parametrize(("color_type", "channels", "alpha"), DEEP)
def test_16_bit_colour_png_is_never_reduced(color_type, channels, alpha):
    samples = np.random.default_rng(2).integers(0, 65536, (8, 9, channels + alpha))
    samples = samples.astype(np.uint16)
    image = open_image(png16(samples, color_type))
    assert image.white == 65535.0
    np.testing.assert_array_equal(image.frames[0].pixels, samples[..., :channels])
    if alpha:
        np.testing.assert_array_equal(image.frames[0].alpha, samples[..., -1])


def test_16_bit_transparent_colour_becomes_alpha():
    samples = np.random.default_rng(2).integers(0, 65536, (8, 9, 3)).astype(np.uint16)
    key = png_chunk(b"tRNS", samples[1, 1].astype(">u2").tobytes())
    frame = open_image(png16(samples, 2, key)).frames[0]
    np.testing.assert_array_equal(frame.pixels, samples)
    assert frame.alpha[1, 1] == 0
    assert (frame.alpha == 65535).sum() == 8 * 9 - 1


@pytest.mark.parametrize("missing", ["tifffile", "imagecodecs"])
def test_16_bit_colour_tiff_without_the_extra_is_refused_by_name(monkeypatch, missing):
    pytest.importorskip("imagecodecs")
    pytest.importorskip("tifffile")
    data = from_tifffile(picture("uint16").frames[0].pixels, photometric="rgb", compression="zlib")
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(InputError, match=r"16 bits per colour channel.*cnntool\[deep\]"):
        open_image(data, name="scan.tif")


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "I;16", "F"])
def test_tiff_compressions(compression, mode):
    random = np.random.default_rng(4)
    if mode == "I;16":
        image = Pillow.fromarray(random.integers(0, 65536, (40, 30)).astype(np.uint16))
    elif mode == "F":
        image = Pillow.fromarray(random.normal(size=(40, 30)).astype(np.float32))
    else:
        rgba = Pillow.fromarray(random.integers(0, 256, (40, 30, 4)).astype(np.uint8))
        image = rgba.convert("RGB").convert(mode) if mode != "RGBA" else rgba
    frame = open_image(from_pillow(image, "TIFF", compression=compression)).frames[0]
    shown = {"P": image.convert("RGB"), "1": image.convert("L")}.get(mode, image)
    expected = np.asarray(shown).reshape(40, 30, -1)
    np.testing.assert_array_equal(frame.pixels, expected[..., : frame.pixels.shape[2]])
    assert (frame.alpha is not None) == (mode == "RGBA")


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_tiff_of_either_byte_order(order):
    pixels = np.random.default_rng(4).integers(0, 65536, (70, 5)).astype(order + "u2")
    frame = open_image(tiff(pixels, {258: 16, 262: 1, 277: 1}, order)).frames[0]
    assert frame.pixels.dtype == np.uint16
    np.testing.assert_array_equal(frame.pixels[..., 0], pixels)


def test_16_bit_tiff_that_counts_from_white_is_turned_around():
    pixels = np.array([[0, 65535, 1000]], "<u2")
    frame = open_image(tiff(pixels, {258: 16, 262: 0, 277: 1})).frames[0]
    np.testing.assert_array_equal(frame.pixels[0, :, 0], [65535, 0, 64535])


def test_12_bit_tiff_has_its_white_at_65535():
    packed = np.array([[0xFF, 0xF0, 0x00, 0x80, 0x00, 0x01]], np.uint8)  # 4095 0 2048 1
    data = tiff(packed, {256: 4, 258: 12, 262: 1, 277: 1})
    frame = open_image(data).frames[0]
    np.testing.assert_array_equal(frame.pixels[0, :, 0], [65535, 0, 32776, 16])


@pytest.mark.parametrize(
    ("tags", "dtype", "said"),
    [
        ({258: 32, 262: 1, 277: 1}, "<u4", "32-bit integers"),
        ({258: 16, 262: 1, 277: 1, 339: 2}, "<i2", "signed 16-bit"),
        ({258: 8, 262: 1, 277: 1, 339: 2}, "i1", "signed 8-bit"),
        ({258: 8, 262: 8, 277: 1}, "u1", "L\\*a\\*b\\*"),
    ],
)
def test_tiffs_of_kinds_not_read_are_refused_by_name(tags, dtype, said):
    with pytest.raises(InputError, match=said):
        open_image(tiff(np.zeros((3, 4), dtype), tags))


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("JPEG", {"quality": 95}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
@pytest.mark.parametrize("gray", [False, True])
def test_cmyk_becomes_the_light_that_its_inks_let_through(format, options, gray):
    """Each ink takes its share of one colour, and black its share of what is left."""
    inks = np.random.default_rng(0).integers(0, 256, (4, 3, 4)).astype(np.uint8)
    inks = inks.repeat(16, axis=0).repeat(16, axis=1)  # blocks that a JPEG keeps as they are
    light = 255 * (1 - inks[..., :3] / 255) * (1 - inks[..., 3:] / 255)
    if gray:
        light = (light @ [0.299, 0.587, 0.114])[..., None]
    data = from_pillow(Pillow.frombytes("CMYK", (48, 64), inks.tobytes()), format, **options)
    image = open_image(data, gray=gray)
    assert image.frames[0].alpha is None
    np.testing.assert_allclose(image.frames[0].pixels, light, atol=1.5)
    info = probe_image(data)
    assert (info.channels, info.depth, info.mode) == (3, "8-bit", "CMYK")


def test_a_colour_profile_of_inks_does_not_stay_with_light():
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[16:20] = b"CMYK"
    for format in ("JPEG", "TIFF"):
        data = from_pillow(Pillow.new("CMYK", (9, 9)), format, icc_profile=bytes(profile))
        assert open_image(data).metadata.icc_profile is None


def needs_deep():
    pytest.importorskip("imagecodecs")
    pytest.importorskip("tifffile")


def test_16_bit_cmyk_tiff_lets_light_through_as_8_bits_do():
    needs_deep()
    inks = np.random.default_rng(3).integers(0, 256, (3, 4, 4), np.uint8)
    expected = np.asarray(Pillow.frombytes("CMYK", (4, 3), inks.tobytes()).convert("RGB"))
    frame = open_image(tiff(inks.astype("<u2") * 257, {258: 16, 262: 5, 277: 4})).frames[0]
    assert np.abs(frame.pixels / 257 - expected).max() <= 0.5


def packed(values, bits):
    """Rows of whole numbers of so many bits, the highest bit first, as TIFF 6.0 lays them."""
    places = values[..., None] >> np.arange(bits)[::-1] & 1
    return np.packbits(places.reshape(len(values), -1).astype(np.uint8), axis=1)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [2, 4, 6, 10, 12, 14])
@pytest.mark.parametrize("photometric", [0, 1])
def test_grey_tiff_of_any_number_of_bits(bits, order, photometric):
    needs_deep()
    white = (1 << bits) - 1
    values = np.random.default_rng(bits).integers(0, white + 1, (5, 16))
    data = tiff(packed(values, bits), {256: 16, 258: bits, 262: photometric, 277: 1}, order)
    frame = open_image(data).frames[0]
    light = values if photometric else white - values
    full = 255 if bits <= 8 else 65535
    assert frame.pixels.dtype == (np.uint8 if bits <= 8 else np.uint16)
    np.testing.assert_array_equal(frame.pixels[..., 0], np.rint(light * full / white))
    assert probe_image(data).depth == ("8-bit" if bits <= 8 else "16-bit")


def test_12_bit_rgb_tiff():
    needs_deep()
    values = np.random.default_rng(0).integers(0, 4096, (5, 8, 3))
    data = tiff(packed(values.reshape(5, -1), 12), {256: 8, 258: 12, 262: 2, 277: 3})
    np.testing.assert_array_equal(open_image(data).frames[0].pixels, np.rint(values * 65535 / 4095))


def test_pages_of_deep_colour_need_no_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "tifffile", None)
    color, grey = picture("uint16", alpha=True), picture("uint16", 1, height=7, seed=1)
    pages = replace(color, frames=(*color.frames, *grey.frames), format="TIFF")
    for page, back in zip(pages.frames, open_image(saved(pages, "TIFF")).frames, strict=True):
        assert_same(back, page)


@pytest.mark.parametrize("order", ["<", ">"])
def test_deep_colour_of_either_byte_order_is_turned_upright_without_an_extra(monkeypatch, order):
    monkeypatch.setitem(sys.modules, "tifffile", None)
    pixels = np.random.default_rng(7).integers(0, 65536, (7, 5, 2)).astype(np.uint16)
    tags = {258: 16, 262: 1, 274: 6, 277: 2, 338: 2}  # 6: the first column is the top row
    frame = open_image(tiff(pixels.astype(order + "u2"), tags, order)).frames[0]
    np.testing.assert_array_equal(frame.pixels[..., 0], np.rot90(pixels[..., 0], -1))
    np.testing.assert_array_equal(frame.alpha, np.rot90(pixels[..., 1], -1))


def from_tifffile(pixels, **options):
    needs_deep()
    import tifffile

    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **options)
    return buffer.getvalue()


def test_bigtiff_of_either_byte_order():
    pixels = picture().frames[0].pixels
    for order in "<>":
        data = from_tifffile(pixels, photometric="rgb", bigtiff=True, byteorder=order)
        np.testing.assert_array_equal(open_image(data).frames[0].pixels, pixels)


def test_a_tiff_palette_of_16_bits():
    random = np.random.default_rng(1)
    places = random.integers(0, 65536, (7, 9)).astype(np.uint16)
    palette = random.integers(0, 65536, (3, 65536)).astype(np.uint16)
    data = from_tifffile(places, photometric="palette", colormap=palette)
    expected = np.moveaxis(palette[:, places], 0, -1)
    np.testing.assert_array_equal(open_image(data).frames[0].pixels, expected)


@pytest.mark.parametrize("alpha", ["unassalpha", "assocalpha"])
def test_cmyk_tiff_with_alpha(alpha):
    samples = np.random.default_rng(1).integers(0, 256, (7, 9, 5), np.uint8)
    samples[..., 4] = 255
    inks = Pillow.frombytes("CMYK", (9, 7), samples[..., :4].tobytes())
    frame = open_image(
        from_tifffile(samples, photometric="separated", extrasamples=[alpha])
    ).frames[0]
    assert np.abs(frame.pixels.astype(int) - np.asarray(inks.convert("RGB"))).max() <= 1
    assert (frame.alpha == 255).all()


@pytest.mark.parametrize("compression", ["webp", "zstd", "jpeg2000"])
def test_compressions_that_pillow_does_not_know(compression):
    pixels = smooth().frames[0].pixels
    data = from_tifffile(pixels, photometric="rgb", compression=compression)
    assert np.abs(open_image(data).frames[0].pixels.astype(int) - pixels).max() <= 20


def test_png_within_a_tiff_is_read():
    needs_deep()
    pixels = np.random.default_rng(0).integers(0, 1 << 16, (24, 37, 3), np.uint16)
    data = from_tifffile(pixels, photometric="rgb", compression="png")
    np.testing.assert_array_equal(open_image(data).frames[0].pixels, pixels)


def test_lerc_within_a_tiff_is_read_where_it_is_not_packed_again():
    needs_deep()
    values = np.random.default_rng(0).random((24, 37), np.float32)
    data = from_tifffile(values, compression="lerc")
    np.testing.assert_array_equal(open_image(data).frames[0].pixels[..., 0], values)
    with pytest.raises(InputError, match="in a way that is not read"):
        open_image(data.replace(b"Lerc2 ", b"packed"))


def test_a_long_piece_of_webp_within_a_tiff_is_whole():
    needs_deep()
    pixels = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    args = {"lossless": True}
    data = from_tifffile(pixels, photometric="rgb", compression="webp", compressionargs=args)
    assert len(data) > 1 << 17
    np.testing.assert_array_equal(open_image(data).frames[0].pixels, pixels)


@pytest.mark.parametrize(("bits", "channels"), [(12, 1), (12, 3), (10, 3)])
def test_deep_avif_and_jpeg_2000_keep_8_bits_and_say_so(bits, channels):
    needs_deep()
    import imagecodecs

    pixels = smooth(channels).frames[0].pixels.astype(np.uint16) << bits - 8
    if bits == 10:
        data = imagecodecs.avif_encode(pixels, bitspersample=10, level=90)
    else:
        data = imagecodecs.jpeg2k_encode(pixels.squeeze(), level=0, bitspersample=12)
    image = open_image(data)
    read = image.frames[0].pixels
    if channels == 1:
        assert image.left_out == ()
        np.testing.assert_array_equal(read, np.rint(pixels * (65535 / 4095)))
    else:
        assert image.left_out == (f"{bits - 8} of its {bits} bits per channel",)
        assert np.abs(read.astype(int) - (pixels >> bits - 8)).max() <= 4


def test_a_format_that_the_installed_pillow_lacks_is_named(monkeypatch):
    from PIL import features

    data = saved(smooth(), "AVIF")
    monkeypatch.setattr(features, "check", lambda part: False)
    for act in (lambda: open_image(data), lambda: saved(smooth(), "AVIF")):
        with pytest.raises(InputError, match="which the installed Pillow cannot do: pip install"):
            act()


def test_samples_beside_colour_and_alpha_are_told_of():
    samples = np.random.default_rng(1).integers(0, 256, (7, 9, 6), np.uint8)
    extra = ["unspecified", "unassalpha", "unspecified"]
    image = open_image(from_tifffile(samples, photometric="rgb", extrasamples=extra))
    np.testing.assert_array_equal(image.frames[0].alpha, samples[..., 4])
    assert image.left_out == ("2 more samples a pixel",)


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({262: 6, 277: 3, 258: 8}, "uncompressed YCbCr of fewer colours than pixels, which is not"),
        ({262: 1, 277: 1, 258: 8, 32997: 16}, "a volume of 16 slices, which is not read"),
        ({262: 1, 277: 1, 258: 32}, "32-bit integers, which are not read"),
        ({262: 34892, 277: 3, 258: 8}, "linear raw, which is not read"),
        ({262: 1, 277: 1, 258: 8, 259: 65000}, "in a way that is not read"),
    ],
)
def test_kinds_of_tiff_that_are_not_read_are_named(tags, said):
    needs_deep()
    with pytest.raises(InputError, match=said):
        open_image(tiff(np.zeros((3, 40, 4), np.uint8), {256: 8, **tags}))


def test_tiff_pages_keep_their_order_and_sizes():
    images = [picture(channels=c, height=h).frames[0] for c, h in ((1, 20), (3, 30), (1, 25))]
    image = Image(tuple(images), 255.0, "TIFF")
    back = open_image(saved(image, "TIFF"))
    for before, after in zip(image.frames, back.frames, strict=True):
        assert_same(after, before)


PNM = [
    (b"P1\n# a comment\n3 2\n1 0 1\n0 # another\n1 0\n", "uint8", [[0, 255, 0], [255, 0, 255]]),
    (b"P1 3 2 101010", "uint8", [[0, 255, 0], [255, 0, 255]]),
    (b"P4 3 2\n\xa0\x40", "uint8", [[0, 255, 0], [255, 0, 255]]),
    (b"P2 2 1 15 0 15", "uint8", [[0, 255]]),
    (b"P5 3 1 3\n\x00\x01\x03", "uint8", [[0, 85, 255]]),
    (b"P2 2 1 1023 0 1023", "uint16", [[0, 65535]]),
    (b"P5 3 1 1023\n\x00\x00\x02\x00\x03\xff", "uint16", [[0, 32800, 65535]]),
    (b"P6 1 1 255\nabc", "uint8", [[[97, 98, 99]]]),
    (b"P6 1 1 65535\nabcdef", "uint16", [[[0x6162, 0x6364, 0x6566]]]),
    (b"P3 1 1 4095 4095 0 1", "uint16", [[[65535, 0, 16]]]),
]


@pytest.mark.parametrize(("data", "dtype", "expected"), PNM)
def test_pnm_of_every_kind_and_maxval(data, dtype, expected):
    pixels = open_image(data).frames[0].pixels
    assert pixels.dtype == dtype
    np.testing.assert_array_equal(pixels, np.reshape(expected, pixels.shape))


def test_plain_pnm_longer_than_a_block():
    values = np.random.default_rng(8).integers(0, 256, (300, 400, 3))
    for separator in (" ", "\n"):
        text = separator.join(map(str, values.ravel()))
        data = f"P3\n400 300\n255\n{text}".encode()
        np.testing.assert_array_equal(open_image(data).frames[0].pixels, values)


@pytest.mark.parametrize(
    "data",
    [b"P5 2 2 255\nabc", b"P5 2 2 255\nabcd+", b"P5 2 2 255\nabcdP5 2 2 255\nabcd",
     b"P5 2 2 3\n\x00\x01\x02\x04", b"P2 2 1 3 1 4", b"P2 2 1 3 1", b"P2 2 1 3 1 1 1",
     b"P2 2 1 3 1 x", b"P2 2 1 3 1 -1", b"P5 2 2 0\nabcd", b"P5 2 2 65536\nabcdabcd",
     b"P5 -2 2 255\nabcd", b"P5 2", b"P5 0 2 255\n", b"P1 2 2 1 0 1 2", b"P1 2 2 101"],
)  # fmt: skip
def test_pnm_that_belies_its_header_is_refused(data):
    with pytest.raises(InputError):
        open_image(data)


def test_pnm_names_are_kept_to():
    for name, channels in (("a.pgm", 3), ("a.pbm", 1)):
        with pytest.raises(RequestError, match="name it"):
            save_image(picture(channels=channels), name)


def test_grey_is_pillows_luminance_and_keeps_alpha(tmp_path):
    image = picture(alpha=True)
    save_image(image, tmp_path / "a.png")
    frame = open_image(tmp_path / "a.png", gray=True).frames[0]
    expected = np.asarray(Pillow.fromarray(image.frames[0].pixels).convert("L"))
    np.testing.assert_array_equal(frame.pixels[..., 0], expected)
    np.testing.assert_array_equal(frame.alpha, image.frames[0].alpha)


def test_grey_at_16_bits_and_in_floats():
    weights = np.array([0.299, 0.587, 0.114])
    image = picture("uint16")
    grey = open_image(saved(image, "PPM"), gray=True).frames[0].pixels
    assert grey.dtype == np.uint16
    assert np.abs(grey[..., 0] - image.frames[0].pixels @ weights).max() <= 1.5
    image = picture("float32")
    grey = open_image(saved(image, "NPY"), gray=True).frames[0].pixels
    np.testing.assert_allclose(grey[..., 0], image.frames[0].pixels @ weights, rtol=0, atol=1e-6)
    with pytest.raises(InputError, match="5 channels"):
        open_image(saved(picture("float32", 5), "NPY"), gray=True)


@pytest.mark.parametrize("format", FORMATS)
def test_the_content_decides_not_the_name(tmp_path, format):
    path = tmp_path / "misnamed.dat"
    path.write_bytes(saved(smooth(), format))
    assert open_image(path).format == format
    info = probe_image(path)
    assert (info.format, info.width, info.height, info.channels, info.frames) == (
        format, 80, 64, 3, 1,
    )  # fmt: skip


@pytest.mark.parametrize("format", FORMATS)
def test_pipes_are_read_and_written(format):
    image = smooth()
    read_end, write_end = os.pipe()

    def feed():
        with os.fdopen(write_end, "wb") as pipe:
            save_image(image, pipe, format=format)

    feeder = threading.Thread(target=feed)
    feeder.start()
    with os.fdopen(read_end, "rb") as pipe:
        back = open_image(pipe)
    feeder.join()
    assert back.format == format
    difference = back.frames[0].pixels.astype(int) - image.frames[0].pixels
    assert np.abs(difference).max() <= (16 if format in ("JPEG", "WEBP", "GIF", "AVIF") else 0)


def test_a_path_to_a_pipe_is_read(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("no FIFOs here")
    path = tmp_path / "pipe"
    os.mkfifo(path)
    data = saved(smooth(), "PNG")
    feeder = threading.Thread(target=path.write_bytes, args=(data,))
    feeder.start()
    assert_same(open_image(path).frames[0], smooth().frames[0])
    feeder.join()


@pytest.mark.parametrize("format", FORMATS)
def test_what_a_format_cannot_hold_is_refused(format):
    for dtype, alpha, frames in itertools.product(WHITE, (False, True), (1, 2)):
        if not can_hold(format, dtype=dtype, alpha=alpha, frames=frames):
            image = picture(dtype, 3, alpha)
            image = Image(image.frames * frames, image.white, "PNG")
            with pytest.raises(RequestError, match=format):
                saved(image, format)


def test_channels_and_sizes_out_of_reach_are_refused():
    with pytest.raises(RequestError, match=r"not 5: save it as \.npy"):
        saved(picture(channels=5), "PNG")
    wide = Image((Frame(np.zeros((1, 16384, 1), np.uint8)),), 255.0, "PNG")
    with pytest.raises(RequestError, match="at most 16383"):
        saved(wide, "WEBP")


def test_format_names_and_extensions():
    assert format_for("out/a.JPG") == "JPEG"
    assert {EXTENSIONS[e] for e in EXTENSIONS} == set(FORMATS)
    with pytest.raises(RequestError, match=r"did you mean \.jpg"):
        format_for("a.jgp")
    with pytest.raises(RequestError, match="no extension"):
        format_for("folder.d/image")
    with pytest.raises(RequestError, match="--format"):
        save_image(picture(), io.BytesIO())
    assert saved(picture(), "jpg")[:2] == b"\xff\xd8"
    with pytest.raises(RequestError, match="webm"):
        saved(picture(), "webm")


def test_drawings_are_compressed_well_and_exactly():
    drawing = np.full((600, 900, 3), 255, np.uint8)
    drawing[::20, ::3] = 0
    drawing[100:300, 200:500] = (20, 90, 200)
    drawing[:, 600:] = np.tile(np.arange(100, dtype=np.uint8), 3)[None, :, None]
    image = Image((Frame(drawing),), 255.0, "PNG")
    data = saved(image, "PNG")
    assert len(data) < drawing.nbytes / 100
    assert_same(open_image(data).frames[0], image.frames[0])

"""Orientation is applied once; colour profile, resolution and EXIF come along."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms, ImageOps, PngImagePlugin, TiffImagePlugin

from cnntool.files.image import Frame, Image, Metadata
from cnntool.files.images import left_out, open_image, probe_image, save_image

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
    image = open_image(data)
    assert open_image(saved(image, "JPEG")).metadata.exif is None
    assert left_out(image, "JPEG", np.dtype(np.uint8)) == ("EXIF",)


def xmp(orientation):
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="{orientation}"/></x:xmpmeta>'


def raw_profile(block):
    """An EXIF block as ImageMagick puts it into a PNG."""
    lines = [block.hex()[start : start + 72] for start in range(0, 2 * len(block), 72)]
    return "\nexif\n" + f"{len(block):8}\n" + "\n".join(lines) + "\n"


def png_text(**texts):
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_text(key.replace("_", " "), text, zip=True)
    return info


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("carrier", ["PNG XMP", "PNG raw profile", "JPEG XMP", "WEBP XMP"])
def test_an_orientation_in_xmp_or_a_raw_profile_is_applied(carrier, orientation):
    format = carrier.split()[0]
    options = {"quality": 100, "lossless": True} if format == "WEBP" else {}
    if carrier == "PNG raw profile":
        block = exif_block(orientation)
        options["pnginfo"] = png_text(Raw_profile_type_exif=raw_profile(block))
    elif format == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp(orientation))
    else:
        options["xmp"] = xmp(orientation).encode()
    data = pillow_bytes(Pillow.fromarray(card()), format, **options)
    expected = np.asarray(ImageOps.exif_transpose(Pillow.open(io.BytesIO(data))).convert("L"))
    image = open_image(data, gray=True)
    pixels = image.frames[0].pixels[..., 0]
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).max() <= 2
    info = probe_image(data)
    assert (info.height, info.width) == pixels.shape
    if carrier == "PNG raw profile":
        exif = Pillow.Exif()
        exif.load(image.metadata.exif)
        assert exif[MAKE] == "Camera Works"
        assert ORIENTATION not in exif
    else:
        assert image.left_out == ("XMP",)


def test_exif_tells_the_orientation_before_xmp_does():
    options = {"exif": exif_block(1), "xmp": xmp(6).encode()}
    data = pillow_bytes(Pillow.fromarray(card()), "JPEG", **options)
    assert open_image(data).frames[0].pixels.shape == (48, 80, 1)


def test_what_no_result_keeps_is_named():
    picture = Pillow.fromarray(card())
    texts = png_text(Title="a card", Author="who", Raw_profile_type_iptc="\niptc\n 2\n0102\n")
    assert open_image(pillow_bytes(picture, "PNG", pnginfo=texts)).left_out == ("text", "IPTC")
    assert open_image(pillow_bytes(picture, "GIF", comment=b"hi")).left_out == ("the comment",)
    assert open_image(pillow_bytes(picture, "PNG", pnginfo=png_text(Software="s"))).left_out == ()
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[700], tags[33723], tags[33550] = b"<xmp/>", b"\x1c\2", (1.0, 1.0, 0.0)
    tags.tagtype |= {700: 1, 33723: 7, 33550: 12}
    image = open_image(pillow_bytes(picture, "TIFF", tiffinfo=tags))
    assert image.left_out == ("XMP", "IPTC", "GeoTIFF tags")
    block = b"Photoshop 3.0\0" + b"8BIM\4\4\0\0\0\0\0\2\x1c\2"
    data = pillow_bytes(picture, "JPEG")
    segment = b"\xff\xed" + (len(block) + 2).to_bytes(2, "big") + block
    assert open_image(data[:2] + segment + data[2:]).left_out == ("IPTC",)
    twice = pillow_bytes(picture, "MPO", save_all=True, append_images=[picture])
    assert open_image(twice).left_out == ("1 more picture",)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP"])
def test_what_a_file_goes_on_with_behind_its_picture_is_named(format):
    """As of ``cat a.png b.png``, or of a photograph that a short video follows."""
    data = pillow_bytes(Pillow.fromarray(card()), format)
    alone = open_image(data)
    assert alone.left_out == ()
    for more, name in (
        (data, f"another {format} behind it"),
        (b"\0\0" + data, f"another {format} behind it"),
        (b"video", "5 bytes behind it"),
        (bytes(99), None),
        (b"\r\n", None),
        (b"\xff\xff", None),
    ):
        image = open_image(data + more)
        assert image.left_out == (() if name is None else (name,))
        np.testing.assert_array_equal(image.frames[0].pixels, alone.frames[0].pixels)


@pytest.mark.parametrize(
    ("format", "dtype", "lost"),
    [
        ("PNG", np.uint8, ()),
        ("TIFF", np.uint8, ()),
        ("TIFF", np.uint16, ()),
        ("WEBP", np.uint8, ()),
        ("BMP", np.uint8, ("EXIF", "the colour profile")),
        ("NPY", np.float32, ("EXIF", "the colour profile")),
    ],
)
def test_what_a_format_does_not_keep_is_named(format, dtype, lost):
    color = Pillow.fromarray(card()).convert("RGB")
    data = pillow_bytes(color, "JPEG", icc_profile=RGB_PROFILE, exif=exif_block())
    assert left_out(open_image(data), format, np.dtype(dtype)) == lost


@pytest.mark.parametrize("big", [False, True])
def test_exif_of_a_tiff_of_deep_grey_with_alpha_is_kept(big):
    """Pillow does not know such pixels."""
    tifffile = pytest.importorskip("tifffile")
    pixels, stream = np.arange(40, dtype=np.uint16).reshape(4, 5, 2) * 1000, io.BytesIO()
    tifffile.imwrite(stream, pixels, photometric="minisblack", extrasamples=["unassalpha"],
                     description="a card", metadata=None, bigtiff=big)  # fmt: skip
    image = open_image(stream.getvalue())
    again = [open_image(saved(image, format)) for format in ("TIFF", "PNG")]
    for each in (image, *again):
        assert left_out(each, "TIFF", np.dtype(np.uint16)) == ()
        exif = Pillow.Exif()
        exif.load(each.metadata.exif)
        assert exif[IMAGE_DESCRIPTION] == "a card"


def test_exif_that_pillow_does_not_read_is_named():
    tifffile = pytest.importorskip("tifffile")
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.zeros((4, 5, 3), np.uint16), photometric="rgb",
                     description="a card", metadata=None, bigtiff=True, byteorder=">")  # fmt: skip
    image = open_image(stream.getvalue())
    assert (image.metadata.exif is None) == bool(image.left_out)


ODD_CHUNKS = {
    "a profile of 3 MB": (b"iCCP", b"x\0\0" + zlib.compress(bytes(3 << 20))),
    "a profile packed by no known method": (b"iCCP", b"x\0\1abc"),
    "a profile without a name": (b"iCCP", b"xyz"),
    "a text of 3 MB": (b"iTXt", b"key\0\1\0\0\0" + zlib.compress(bytes(3 << 20))),
    "a text packed by no known method": (b"zTXt", b"key\0\7abc"),
    "a resolution cut short": (b"pHYs", b"\0"),
    "a gamma cut short": (b"gAMA", b""),
    "primaries cut short": (b"cHRM", b"\0"),
}


@pytest.mark.parametrize("odd", ODD_CHUNKS)
def test_what_is_odd_beside_the_pixels_of_a_png_leaves_them_as_they_are(odd):
    data = pillow_bytes(Pillow.fromarray(card()), "PNG")
    kind, content = ODD_CHUNKS[odd]
    checksum = zlib.crc32(kind + content).to_bytes(4, "big")
    chunk = len(content).to_bytes(4, "big") + kind + content + checksum
    for place in (33, len(data) - 12):
        odd_data = data[:place] + chunk + data[place:]
        assert probe_image(odd_data).width == 80
        np.testing.assert_array_equal(open_image(odd_data).frames[0].pixels[..., 0], card())


def test_odd_chunks_of_deep_pngs_are_left_out_as_well():
    pytest.importorskip("imagecodecs")
    frame = Frame(np.arange(30, dtype=np.uint16).reshape(2, 5, 3) * 2000)
    data = saved(Image((frame,), 65535.0, "PNG"), "PNG")
    checksum = zlib.crc32(b"a1Zzq").to_bytes(4, "big")
    odd = data[:33] + b"\0\0\0\1a1Zzq" + checksum + data[33:]
    np.testing.assert_array_equal(open_image(odd).frames[0].pixels, frame.pixels)

"""Broken files end in one plain line: never another exception, never part of a picture."""

import io
import itertools
import os
import struct
import warnings
import zlib
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image as Pillow
from tiffs import tiff

from cnntool.errors import InputError
from cnntool.files import png
from cnntool.files.formats import FORMATS, can_hold
from cnntool.files.image import Frame, Image
from cnntool.files.images import open_image, probe_image, save_image

HEIGHT, WIDTH = 24, 37


def shades(channels, seed):
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    ramps = np.stack([(5 * x + 3 * y * (k + 1)) % 200 for k in range(channels)], axis=2)
    return (ramps + random.integers(1, 20, ramps.shape)).astype(np.uint8)


def made(format, dtype="uint8", channels=3, alpha=False, frames=1):
    """A file written by save_image."""
    scale = 257 if dtype == "uint16" else 1
    pictures = []
    for seed in range(frames):
        pixels = shades(channels, seed).astype(dtype) * np.array(scale, dtype)
        mask = shades(1, seed + 9)[..., 0].astype(dtype) * np.array(scale, dtype)
        pictures.append(Frame(pixels, mask if alpha else None, 40))
    buffer = io.BytesIO()
    save_image(Image(tuple(pictures), 255.0, "PNG"), buffer, format=format)
    return buffer.getvalue()


def by_pillow(format, channels=3, **options):
    pixels = shades(channels, 1)
    buffer = io.BytesIO()
    mode = {1: "L", 3: "RGB", 4: "CMYK"}[channels]
    picture = Pillow.frombytes(mode, pixels.shape[1::-1], pixels.tobytes())
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def deep(*arguments):
    pytest.importorskip("imagecodecs")
    pytest.importorskip("tifffile")
    return made(*arguments)


FILES = {
    "png rgba": lambda: made("PNG", alpha=True),
    "png grey": lambda: made("PNG", channels=1),
    "png palette": lambda: palette_png(),
    "png 16": lambda: made("PNG", "uint16", 1),
    "png 16 rgb": lambda: made("PNG", "uint16", 3),
    "apng": lambda: made("PNG", frames=3),
    "jpeg": lambda: made("JPEG"),
    "jpeg progressive": lambda: by_pillow("JPEG", progressive=True),
    "jpeg cmyk": lambda: by_pillow("JPEG", channels=4),
    "jpeg restarts": lambda: by_pillow("JPEG", restart_marker_blocks=2),
    "tiff": lambda: made("TIFF"),
    "tiff pages": lambda: made("TIFF", channels=1, frames=2),
    "tiff 16": lambda: made("TIFF", "uint16", 1),
    "tiff 16 rgba": lambda: deep("TIFF", "uint16", 3, True),
    "tiff float": lambda: made("TIFF", "float32", 1),
    "tiff lzw": lambda: by_pillow("TIFF", compression="tiff_lzw"),
    "tiff deflate": lambda: by_pillow("TIFF", compression="tiff_adobe_deflate"),
    "tiff packbits": lambda: by_pillow("TIFF", compression="packbits"),
    "tiff cmyk": lambda: by_pillow("TIFF", channels=4),
    "tiff jpeg": lambda: by_pillow("TIFF", compression="jpeg"),
    "webp": lambda: made("WEBP", alpha=True),
    "webp lossless": lambda: by_pillow("WEBP", lossless=True),
    "webp animation": lambda: made("WEBP", frames=3),
    "bmp": lambda: made("BMP"),
    "bmp grey": lambda: made("BMP", channels=1),
    "ppm": lambda: made("PPM"),
    "pgm 16": lambda: made("PPM", "uint16", 1),
    "gif": lambda: made("GIF"),
    "gif animation": lambda: made("GIF", channels=1, alpha=True, frames=3),
    "avif": lambda: made("AVIF", alpha=True),
    "jp2": lambda: made("JPEG2000", alpha=True),
    "npy": lambda: made("NPY", "float32"),
    "npy columns first": lambda: npy(np.asfortranarray(shades(3, 1))),
}


def palette_png():
    buffer = io.BytesIO()
    Pillow.fromarray(shades(3, 1)).quantize(64).save(buffer, "PNG", transparency=3)
    return buffer.getvalue()


def opened(data):
    """The image, or None when it is refused; anything else fails the test."""
    with suppress(InputError):
        probe_image(data)
    try:
        return open_image(data, name="file", max_pixels=10**6)
    except InputError as error:
        text = str(error)
        assert text.startswith("file ")
        assert "\n" not in text
        assert len(text) < 250
        assert "object at 0x" not in text
        return None


def is_same(image, reference):
    return len(image.frames) == len(reference.frames) and all(
        np.array_equal(one.pixels, other.pixels)
        for one, other in zip(image.frames, reference.frames, strict=True)
    )


@pytest.mark.parametrize("kind", FILES)
def test_a_cut_file_is_refused_or_whole(kind, capfd):
    data = FILES[kind]()
    reference = open_image(data)
    cuts = {*range(0, len(data), max(1, len(data) // 100)), *range(len(data) - 40, len(data))}
    with warnings.catch_warnings(record=True) as caught:
        for cut in sorted(cuts):
            image = opened(data[:cut])
            assert image is None or is_same(image, reference), f"cut at {cut} of {len(data)}"
    assert caught == []
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", FILES)
def test_flipped_bits_never_cause_another_exception(kind, capfd):
    data = FILES[kind]()
    reference = open_image(data)
    random = np.random.default_rng(5)
    with warnings.catch_warnings(record=True) as caught:
        for attempt in range(100):
            broken = bytearray(data)
            reach = len(data) if attempt % 2 else min(len(data), 120)  # headers above all
            for place in random.integers(0, reach, random.integers(1, 4)):
                broken[place] ^= 1 << random.integers(0, 8)
            image = opened(bytes(broken))
            if "png" in kind:  # which has checksums
                assert image is None or is_same(image, reference)
    assert caught == []
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", FILES)
def test_a_file_whose_end_is_zeros_does_not_pass_for_whole_in_formats_with_an_end_mark(kind):
    data = FILES[kind]()
    broken = data[: 3 * len(data) // 4] + bytes(len(data) - 3 * len(data) // 4)
    image = opened(broken)
    if kind.split()[0] in ("png", "apng", "jpeg", "gif"):
        assert image is None


def png_chunks(data):
    at = 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big") + 12
        yield at, data[at : at + length]
        at += length


@pytest.mark.parametrize("kind", ["png rgba", "apng", "png palette"])
def test_png_without_one_of_its_chunks_or_with_a_wrong_checksum(kind):
    data = FILES[kind]()
    reference = open_image(data)
    for at, chunk in png_chunks(data):
        assert opened(data[:at]) is None
        wrong = data[: at + len(chunk) - 1] + bytes([data[at + len(chunk) - 1] ^ 1])
        assert opened(wrong + data[at + len(chunk) :]) is None
        image = opened(data[:at] + data[at + len(chunk) :])
        if chunk[4:8] in (b"IHDR", b"IDAT", b"IEND", b"PLTE", b"fdAT"):
            assert image is None
        elif chunk[4:8] not in (b"tRNS", b"acTL", b"fcTL"):
            assert is_same(image, reference)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def grey_png(rows, height, interlace=0, depth=8, color_type=0):
    header = struct.pack(">IIBBBBB", 30, height, depth, color_type, 0, 0, interlace)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress((b"\0" + bytes(30)) * rows))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["tRNS", "acTL", "fcTL"])
def test_a_chunk_that_is_too_short_does_not_make_a_whole_png_cut_short(kind):
    data = grey_png(8, 8, color_type=0)
    before = chunk(b"acTL", struct.pack(">II", 1, 0)) if kind == "fcTL" else b""
    with pytest.raises(InputError, match=f"is damaged: its chunk '{kind}' is too short for what"):
        open_image(data[:33] + before + chunk(kind.encode(), b"\0") + data[33:])


@pytest.mark.parametrize(
    ("kind", "start"),
    [
        (b"iCCP", b"profile\0\0"),
        (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0"),
        (b"zTXt", b"Raw profile type exif\0\0"),
        (b"zTXt", b"Comment\0\0"),
    ],
)
def test_packed_notes_of_a_png_are_unpacked_to_so_much_in_all(kind, start):
    note = chunk(kind, start + zlib.compress(bytes(png.LARGEST_NOTE * 3 // 4), 1))
    data = grey_png(4, 4)
    with_notes = data[:33] + note * 5 + data[33:]
    contents, _ = png.read_contents(io.BytesIO(with_notes), "a.png")
    assert contents.room >= -5  # of notes beyond it a byte each, to see that there is more
    assert is_same(open_image(with_notes), open_image(data))


def test_png_with_well_ended_data_of_too_few_rows_is_cut_short():
    assert opened(grey_png(20, 20)) is not None
    for rows in (0, 1, 10, 19):
        with pytest.raises(InputError, match="cut short"):
            open_image(grey_png(rows, 20))
    assert opened(grey_png(2, 20, interlace=1)) is None
    assert opened(grey_png(2, 20, depth=16, color_type=2)) is None


def jpeg_frame_header(data):
    return max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))


@pytest.mark.parametrize("kind", ["jpeg", "jpeg progressive", "jpeg cmyk", "jpeg restarts"])
def test_jpeg_with_too_little_data_but_an_end_mark_is_cut_short(kind):
    data = FILES[kind]()
    start = data.find(b"\xff\xda") + 14
    for part in (0.1, 0.5, 0.7):
        cut = start + int(part * (len(data) - start))
        assert opened(data[:cut].rstrip(b"\xff") + b"\xff\xd9") is None
    tall = bytearray(data)
    at = jpeg_frame_header(data) + 5
    tall[at : at + 2] = struct.pack(">H", 100)
    assert opened(bytes(tall)) is None


def noisy_jpeg(**options):
    """A photograph's kind of picture: shades and noise, in colour."""
    random = np.random.default_rng(7)
    y, x = np.mgrid[:160, :200]
    planes = [90 + 60 * np.sin(x / 23 + k) + 40 * np.cos(y / 17 * k) for k in (1, 2, 3)]
    pixels = np.stack(planes, 2) + random.normal(0, 9, (160, 200, 3))
    buffer = io.BytesIO()
    Pillow.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"restart_marker_blocks": 4}])
def test_a_progressive_jpeg_cut_anywhere_with_an_end_mark_is_cut_short(options):
    data = noisy_jpeg(progressive=True, **options)
    assert opened(data) is not None
    start = data.find(b"\xff\xda") + 14
    for cut in np.linspace(start, len(data) - 12, 60).astype(int):
        assert opened(data[:cut].rstrip(b"\xff") + b"\xff\xd9") is None, f"cut at {cut}"


@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"restart_marker_blocks": 30}])
def test_a_jpeg_with_zeros_in_its_data_is_damaged(options):
    data = noisy_jpeg(**options)
    start = data.find(b"\xff\xda") + 14
    for place in np.linspace(start, len(data) - 70, 40).astype(int):
        assert opened(data[:place] + bytes(64) + data[place + 64 :]) is None


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_lost_one_of_its_restart_markers_is_damaged(progressive):
    data = noisy_jpeg(restart_marker_blocks=4, progressive=progressive)
    places = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xd3"]
    assert len(places) >= 4
    for at in places[::2]:
        with pytest.raises(InputError, match=r"is damaged: its restart marker \d+ is missing"):
            open_image(data[:at] + data[at + 2 :])


def test_zeros_that_leave_data_of_a_progressive_jpeg_over_are_found():
    data = noisy_jpeg(progressive=True)
    start = data.find(b"\xff\xda") + 14
    places = np.linspace(start, len(data) - 70, 40).astype(int)
    refused = [opened(data[:at] + bytes(64) + data[at + 64 :]) is None for at in places]
    assert sum(refused) >= 24  # zeros after which a decoder is in step again cannot be found


@pytest.mark.parametrize("progressive", [False, True])
def test_zeros_that_fill_up_a_jpeg_before_its_end_mark_are_no_damage(progressive):
    data = by_pillow("JPEG", progressive=progressive, optimize=True)
    padded = data[:-2] + bytes(64) + data[-2:]
    assert is_same(open_image(padded), open_image(data))


def test_zeros_in_place_of_the_last_third_of_a_jpeg_are_damage():
    data = by_pillow("JPEG", optimize=True)
    lost = len(data) // 3
    assert opened(data[: -lost - 2] + bytes(lost) + data[-2:]) is None


def test_flat_jpegs_whose_data_are_mostly_zeros_are_whole():
    for shade, quality in itertools.product(((255, 255, 255), (250, 3, 7)), (50, 90, 100)):
        for options in ({"optimize": True}, {"progressive": True}, {"restart_marker_blocks": 90}):
            picture = Pillow.new("RGB", (640, 480), shade)
            picture.paste((0, 0, 0), (200, 100, 300, 260))
            buffer = io.BytesIO()
            picture.save(buffer, "JPEG", quality=quality, **options)
            assert opened(buffer.getvalue()) is not None


def test_a_jpeg_of_very_many_scans_is_refused_before_decoding():
    data = noisy_jpeg(progressive=True)
    start = data.find(b"\xff\xda")
    scan = data[start : data.find(b"\xff\xc4", start)]
    with pytest.raises(InputError, match=r"a JPEG of 310 scans, and 100 are the most"):
        open_image(data[:start] + scan * 300 + data[start:])


@pytest.mark.parametrize(
    ("marker", "bits", "kind"),
    [(0xC1, 12, "12 bits per channel"), (0xC3, 16, "a lossless"), (0xC5, 8, "a hierarchical")],
)
def test_kinds_of_jpeg_that_are_not_read_are_named(marker, bits, kind):
    data = bytearray(made("JPEG"))
    at = data.find(b"\xff\xc0")
    data[at + 1], data[at + 4] = marker, bits
    with pytest.raises(InputError, match=f"{kind}.*, which is not read: convert it to PNG first$"):
        open_image(bytes(data))


def test_a_mid_grey_jpeg_is_still_whole():
    for mode, shade in (("L", 128), ("RGB", (128, 128, 128))):
        for options in ({}, {"progressive": True}):
            buffer = io.BytesIO()
            Pillow.new(mode, (50, 40), shade).save(buffer, "JPEG", **options)
            image = open_image(buffer.getvalue())
            assert (image.frames[0].pixels == 128).all()
    inks = Pillow.new("CMYK", (50, 40), (127, 127, 127, 127))  # as where data are missing
    buffer = io.BytesIO()
    inks.save(buffer, "JPEG")
    assert (open_image(buffer.getvalue()).frames[0].pixels == 64).all()


@pytest.mark.parametrize(
    ("kind", "place", "format"),
    [("bmp", 22, "<i"), ("gif", None, "<H"), ("tiff", None, "<I"), ("pgm 16", None, None)],
)
def test_files_with_fewer_rows_than_the_header_says(kind, place, format):
    data = bytearray(FILES[kind]())
    if kind == "gif":
        place = data.find(b"," + struct.pack("<HHHH", 0, 0, WIDTH, HEIGHT)) + 7
        data[8:10] = struct.pack("<H", 30)
    if kind == "tiff":
        place = data.find(struct.pack("<HHI", 257, 4, 1)) + 8
        if place < 8:
            place, format = data.find(struct.pack("<HHI", 257, 3, 1)) + 8, "<H"
    if format is None:
        data = data.replace(b"%d %d" % (WIDTH, HEIGHT), b"%d 30" % WIDTH)
    else:
        data[place : place + struct.calcsize(format)] = struct.pack(format, 30)
    assert opened(bytes(data)) is None


HUGE = 100_000
BOMBS = {
    "png": b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", struct.pack(">IIBBBBB", HUGE, HUGE, 8, 2, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(bytes(1000)))
    + chunk(b"IEND", b""),
    "bmp": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, HUGE, HUGE, 1, 24, *[0] * 6),
    "ppm": b"P6\n%d %d\n255\nabc" % (HUGE, HUGE),
    "npy": npy(np.zeros((2, 2)))[:10]
    + f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({HUGE}, {HUGE})}}".ljust(117).encode()
    + b"\n",
    "tiff": tiff(np.zeros((1, 9), np.uint8), {256: HUGE, 257: HUGE, 258: 8, 262: 1, 277: 1}),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_header_that_claims_too_much_is_refused_before_decoding(kind):
    with pytest.raises(InputError, match=r"100000 x 100000 .*500,000,000: .*--max-pixels"):
        open_image(BOMBS[kind])


@pytest.mark.parametrize("read", [open_image, probe_image])
def test_a_canvas_is_refused_before_a_decoder_makes_room_for_it(read):
    webp = bytearray(made("WEBP", alpha=True, frames=2))
    assert webp[12:16] == b"VP8X"
    webp[24:30] = b"\xff\x3f\0" * 2  # 16384 x 16384
    gif = bytearray(made("GIF", frames=2))
    gif[6:10] = struct.pack("<HH", 65535, 65535)
    for data, size in ((webp, "16384 x 16384"), (gif, "65535 x 65535")):
        with pytest.raises(InputError, match=f"{size}.* over the limit of 1,000,000"):
            read(bytes(data), max_pixels=10**6)


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exact": True, "icc_profile": b"x"}])
def test_the_canvas_of_every_kind_of_webp_is_known_beforehand(options):
    data = by_pillow("WEBP", **options)
    with pytest.raises(InputError, match=f"is {WIDTH} x {HEIGHT} = "):
        open_image(data, max_pixels=100)


def test_channels_of_an_array_count_towards_the_limit():
    header = io.BytesIO()
    fields = {"descr": "<f4", "fortran_order": False, "shape": (10, 10, 10**9)}
    np.lib.format.write_array_header_1_0(header, fields)
    with pytest.raises(InputError, match=r"10 x 10 with 1,000,000,000 channels, four .*--max-pix"):
        open_image(header.getvalue())


class Endless(io.RawIOBase):
    """A pipe that goes on for ever after its first bytes."""

    def __init__(self, start, rest):
        self.start, self.rest, self.given = start, rest, 0

    def readable(self):
        return True

    def readinto(self, room):
        taken, self.start = self.start[: len(room)], self.start[len(room) :]
        taken = taken or (self.rest * (len(room) // len(self.rest) + 1))[: len(room)]
        room[: len(taken)] = taken
        self.given += len(taken)
        return len(taken)


@pytest.mark.parametrize(
    ("start", "rest"),
    [
        (b"\x89PNG\r\n\x1a\n", b"\0"),
        (b"\xff\xd8\xff\xe0", b"\0"),
        (b"P5 # ", b"comment "),
        (b"P2 2 2 255 1 2 # ", b"comment "),
        (b"P2 2 2 255 1 2 ", b" \n"),
    ],
)
def test_a_stream_that_never_ends_is_refused(start, rest):
    stream = io.BufferedReader(Endless(start, rest))
    with pytest.raises(InputError) as refusal:
        open_image(stream, max_pixels=1000, name="stdin")
    assert str(refusal.value).startswith("stdin ")
    assert stream.raw.given < 1 << 28


def test_pages_that_share_a_huge_tag_are_refused_before_it_is_read():
    shared = struct.pack("<H", 5) * 100_000
    data, entries = b"II*\0" + struct.pack("<I", 8 + len(shared)) + shared, 11
    for _ in range(100):
        at = len(data) + 2 + 12 * entries + 4
        tags = [(256, 4, 1, 1), (257, 4, 1, 1), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
        tags += [(273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, 1), (279, 4, 1, 1)]
        tags += [(65000, 3, 100_000, 8), (65001, 3, 100_000, 8)]
        data += struct.pack("<H", entries)
        data += b"".join(struct.pack("<HHII", *tag) for tag in tags) + struct.pack("<I", at)
    with pytest.raises(InputError, match="its tags hold more bytes than the file has"):
        open_image(data)


@pytest.mark.parametrize("compression", [7, 34712, 50001, 50002])
def test_a_piece_of_a_tiff_that_unpacks_to_more_than_its_room_is_refused(compression):
    pytest.importorskip("imagecodecs")
    pytest.importorskip("tifffile")
    wide = Pillow.new("L", (3000, 2000))
    kind = {7: "JPEG", 34712: "JPEG2000", 50001: "WEBP"}.get(compression, "PNG")
    buffer = io.BytesIO()
    wide.save(buffer, kind)
    tags = {256: 16, 257: 16, 258: 12, 259: compression, 262: 1, 277: 1, 278: 16}
    file = tiff(np.frombuffer(buffer.getvalue(), np.uint8)[None], tags)
    said = "in a way that is not read" if kind == "PNG" else "16 x 16 says that it is 3000 x 2000"
    with pytest.raises(InputError, match=said):
        open_image(file)


def test_a_piece_of_lerc_is_held_to_its_room():
    pytest.importorskip("imagecodecs")
    tifffile, buffer = pytest.importorskip("tifffile"), io.BytesIO()
    tifffile.imwrite(buffer, np.zeros((16, 16), np.float32), compression="lerc")
    data = buffer.getvalue()
    at = data.index(b"Lerc2 ") + 14
    said = data[:at] + struct.pack("<2i", 60_000, 50_000) + data[at + 8 :]
    with pytest.raises(InputError, match="16 x 16 says that it is 50000 x 60000"):
        open_image(said)


def test_the_limit_is_the_callers():
    data = made("PNG")
    assert open_image(data, max_pixels=HEIGHT * WIDTH)
    said = f"over the limit of {HEIGHT * WIDTH - 1}: raise .* none, cnntool pool has"
    with pytest.raises(InputError, match=said):
        open_image(data, max_pixels=HEIGHT * WIDTH - 1)


@pytest.mark.parametrize("format", FORMATS)
def test_the_limit_holds_for_every_format(format):
    data = made(format, "uint8" if can_hold(format) else "float32")
    with pytest.raises(InputError, match="--max-pixels"):
        open_image(data, max_pixels=100)


def test_gif_and_webp_bombs_are_refused(tmp_path):
    data = bytearray(made("GIF"))
    data[6:10] = struct.pack("<HH", 65535, 65535)
    with pytest.raises(InputError, match="65535 x 65535"):
        open_image(bytes(data))


def test_a_gif_picture_beyond_its_canvas_counts_towards_the_limit():
    data = made("GIF", frames=2)
    at = data.rfind(b"," + struct.pack("<HHHH", 0, 0, WIDTH, HEIGHT))
    broken = data[: at + 5] + struct.pack("<HH", 60000, 60000) + data[at + 9 :]
    with pytest.raises(InputError, match=r"60000 x 60000 x 2 frames.*--max-pixels"):
        open_image(broken)


@pytest.mark.parametrize("side", [5008, 40000])
def test_a_tiff_tile_far_beyond_its_picture_is_refused(side):
    tifffile = pytest.importorskip("tifffile")
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, shades(1, 1)[..., 0], tile=(16, 16), compression=None)
    data = buffer.getvalue()
    assert opened(data) is not None
    for tag in (322, 323):
        place = struct.pack("<HHI", tag, 4, 1)
        assert data.count(place) == 1
        data = data.replace(place + struct.pack("<I", 16), place + struct.pack("<I", side))
    with pytest.raises(InputError, match=rf"tiles of {side} x {side} for a picture of 37 x 24: "):
        open_image(data)


def test_colours_that_are_infinite_once_divided_by_their_alpha_are_refused(capfd):
    pytest.importorskip("imagecodecs")
    tifffile = pytest.importorskip("tifffile")
    buffer = io.BytesIO()
    pixels = np.full((3, 4, 4), (1, 1, 1, 1e-40), np.float32)
    tifffile.imwrite(buffer, pixels, photometric="rgb", extrasamples=["assocalpha"])
    with pytest.raises(InputError, match="36 values that are NaN or infinite"):
        open_image(buffer.getvalue())
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"just some text, not an image\n", "is not an image this tool reads: PNG, JPEG"),
        (b"%PDF-1.7\n", "is a PDF document, not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is an SVG drawing"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "is a HEIC"),
        (b"PK\x03\x04" + bytes(20), "is a ZIP archive"),
        (b"\0" * 100, "is not an image"),
        (b"\x89PNG", "is not an image"),
        (b"", "is empty"),
    ],
)
@pytest.mark.parametrize("read", [open_image, probe_image])
def test_what_is_no_image_is_said_by_name(tmp_path, content, said, read):
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read(path)
    assert str(error.value).startswith(f"{path} {said}")
    with pytest.raises(InputError, match="stdin"):
        read(io.BytesIO(content))


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(InputError, match=r"no\.png does not exist"):
        open_image(tmp_path / "no.png")
    with pytest.raises(InputError, match=r"^\S+ is a folder, not an image: name the images in it$"):
        open_image(tmp_path)
    with pytest.raises(InputError):
        open_image("a\0b.png")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read")
def test_a_file_without_permission_is_named(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(made("PNG"))
    path.chmod(0)
    with pytest.raises(InputError, match="permission"):
        open_image(path)


def test_images_without_pixels_are_refused():
    for width, height in ((0, 5), (5, 0)):
        header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
        body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
        with pytest.raises(InputError):
            open_image(b"\x89PNG\r\n\x1a\n" + body)


def test_npy_headers_that_are_no_headers():
    good = npy(np.zeros((4, 5), np.float32))
    for old, new in itertools.product(
        (b"(4, 5)", b"<f4", b"False"), (b"(((((", b"|O", b"None", b"-9", b"'\\d'", b"1d")
    ):
        assert opened(good.replace(old, new.ljust(len(old)))) is None
    assert opened(good + b"\0") is None
    assert opened(good[:6] + b"\x09" + good[7:]) is None
    pickled = io.BytesIO()
    np.save(pickled, np.array([[{}]]), allow_pickle=True)
    assert opened(pickled.getvalue()) is None


def test_a_tiff_whose_pages_go_round_in_circles_is_refused():
    data = bytearray(made("TIFF", channels=1))
    start = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, start)[0]
    struct.pack_into("<I", data, start + 2 + 12 * count, start)
    with pytest.raises(InputError, match="back to each other"):
        open_image(bytes(data))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"P6 4 3 255\n" + bytes(30), "is cut short: 30 of 36 bytes of pixels are there"),
        (npy(np.zeros((3, 4), np.uint8))[:-5], "is cut short: 7 of 12 bytes of pixels are there"),
        (
            npy(np.zeros((3, 4), np.complex64)),
            "holds complex64 values, and only bool, integers and floats are read: save whole or "
            "real numbers",
        ),
    ],
)
def test_what_an_image_lacks_or_is_not_is_named(data, message):
    with pytest.raises(InputError, match=message):
        open_image(io.BytesIO(data))

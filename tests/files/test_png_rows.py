"""PNG row by row: every kind that is read, every filter, and what is written."""

import io
import itertools
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow
from rows_of import (
    HEIGHT,
    WIDTH,
    assert_as_a_whole,
    layout_in,
    noise,
    picture,
    read_back,
    said,
    write_rows,
)

from cnntool.files import png, png_encoder
from cnntool.files.image import Frame, Image, Metadata
from cnntool.files.images import open_image, save_image
from cnntool.files.layout import layout_of
from cnntool.files.rows import NotInRows, open_rows, save_rows

KINDS = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4), (3, 8)]
KINDS += [(4, 8), (4, 16), (6, 8), (6, 16)]


def packed_rows(color_type, depth, height=HEIGHT, width=WIDTH):
    """Rows with each of the filters: whatever bytes follow are pixels."""
    size = -(-width * depth * png.SAMPLES[color_type] // 8)
    rows = np.concatenate([noise(height, 1) % 5, noise(height, size, seed=2)], axis=1)
    return rows.astype(np.uint8).tobytes()


def made(color_type, depth, *others, data=None, interlaced=0, after=()):
    """A PNG of noise with these other chunks before its pixels, and after."""
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, color_type, 0, 0, interlaced)
    if data is None:
        data = zlib.compress(packed_rows(color_type, depth))
    chunks = [(b"IHDR", header), *others]
    if color_type == 3 and b"PLTE" not in dict(others):
        chunks.insert(1, (b"PLTE", noise(1 << depth, 3, seed=3).tobytes()))
    chunks += [(b"IDAT", data[k : k + 100]) for k in range(0, len(data), 100)]
    chunks += [*after, (b"IEND", b"")]
    return png.SIGNATURE + b"".join(png.chunk(*each) for each in chunks)


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize(("color_type", "depth"), KINDS)
def test_rows_of_every_kind_and_filter(tmp_path, strip_bytes, color_type, depth, gray):
    (tmp_path / "a.png").write_bytes(made(color_type, depth))
    assert_as_a_whole(tmp_path / "a.png", gray=gray)


def passes():
    """Height and width of those of Adam7, by the pattern that the specification shows."""
    pattern = ["16462646", "77777777", "56565656", "77777777"]
    pattern += ["36463646", "77777777", "56565656", "77777777"]
    numbers = np.array([[int(each) for each in row] for row in pattern])
    numbers = np.tile(numbers, (HEIGHT // 8 + 1, WIDTH // 8 + 1))[:HEIGHT, :WIDTH]
    for number in range(1, 8):
        rows, columns = np.nonzero(numbers == number)
        yield len(set(rows)), len(set(columns))


@pytest.mark.parametrize("interlaced", [0, 1])
@pytest.mark.parametrize("color_type", [2, 4, 6])
def test_16_bit_colour_is_that_of_libpng(strip_bytes, color_type, interlaced):
    imagecodecs = pytest.importorskip("imagecodecs")
    sides = list(passes()) if interlaced else [(HEIGHT, WIDTH)]
    rows = b"".join(packed_rows(color_type, 16, *each) for each in sides)
    data = made(color_type, 16, data=zlib.compress(rows), interlaced=interlaced)
    frame = open_image(data).frames[0]
    expected = imagecodecs.png_decode(data)
    channels = 1 if color_type == 4 else 3
    np.testing.assert_array_equal(frame.pixels, expected[..., :channels])
    if color_type > 2:
        np.testing.assert_array_equal(frame.alpha, expected[..., channels])


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize(("color_type", "depth"), [kind for kind in KINDS if kind[0] < 4])
def test_rows_of_see_through_colours(tmp_path, strip_bytes, color_type, depth, gray):
    first = png.SIGNATURE + made(color_type, depth)[8:]
    if color_type == 3:
        see_through = (b"tRNS", bytes([0, 99][: 1 << depth]))
    else:
        (tmp_path / "plain.png").write_bytes(first)
        _, frame = read_back(tmp_path / "plain.png")
        samples = (
            frame.pixels[3, 4].astype(int) * ((1 << depth) - 1) // np.iinfo(frame.pixels.dtype).max
        )
        see_through = (b"tRNS", samples.astype(">u2").tobytes())
    (tmp_path / "a.png").write_bytes(made(color_type, depth, see_through))
    assert_as_a_whole(tmp_path / "a.png", gray=gray)
    assert read_back(tmp_path / "a.png")[1].alpha.min() == 0


def test_rows_of_a_palette_that_is_too_short(tmp_path, strip_bytes):
    palette = (b"PLTE", noise(9, 3).tobytes())
    (tmp_path / "a.png").write_bytes(made(3, 8, palette))
    assert_as_a_whole(tmp_path / "a.png")


def test_what_stands_beside_the_pixels_comes_along(tmp_path):
    exif = Pillow.Exif()
    exif[0x010F] = "Camera Works"
    others = [
        (b"pHYs", struct.pack(">IIB", 3000, 4000, 1)),
        (b"tEXt", b"Title\0a title"),
        (b"eXIf", exif.tobytes()[6:]),
    ]
    for before, after in ([others, []], [others[:1], others[1:]]):
        (tmp_path / "a.png").write_bytes(made(2, 8, *before, after=after))
        assert_as_a_whole(tmp_path / "a.png")
        layout = layout_in(tmp_path / "a.png")
        assert layout.metadata.exif
        assert layout.left_out == ("text",)


def turned():
    exif = Pillow.Exif()
    exif[0x0112] = 6
    return made(2, 8, (b"eXIf", exif.tobytes()[6:]))


def animated():
    buffer = io.BytesIO()
    frames = [Pillow.fromarray(noise(5, 6, seed=seed)) for seed in (0, 1)]
    frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (made(2, 8, interlaced=1), "is an interlaced PNG"),
        (turned(), "is turned by its EXIF orientation"),
        (animated(), "is an animated PNG"),
    ],
)
def test_pictures_without_rows_say_so(tmp_path, data, reason):
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(NotInRows) as caught:
        layout_in(tmp_path / "a.png")
    assert caught.value.reason == reason


def changed_files():
    """By what is wrong: a whole file with one thing changed."""
    whole = made(2, 8)
    rows = packed_rows(2, 8)
    at = whole.index(b"IDAT") + 300
    checksum = whole[: at + 40] + bytes([whole[at + 40] ^ 1]) + whole[at + 41 :]
    return {
        "cut in the pixels": whole[: len(whole) // 2],
        "without its end": whole[:-12],
        "a wrong checksum": checksum,
        "rows are missing": made(2, 8, data=zlib.compress(rows[: len(rows) // 2])),
        "the last byte is missing": made(2, 8, data=zlib.compress(rows[:-1])),
        "data are missing": made(2, 8, data=zlib.compress(rows)[:1000]),
        "data are damaged": made(2, 8, data=zlib.compress(rows)[:800] + b"\xff" * 3000),
        "an unknown filter": made(2, 8, data=zlib.compress(b"\5" + rows[1:])),
        "no pixels": made(2, 8, data=b""),
        "a depth that is none": made(2, 4),
        "too large": made(2, 8).replace(struct.pack(">I", HEIGHT), struct.pack(">I", 10**8), 1),
    }


@pytest.mark.parametrize("kind", changed_files())
def test_files_that_are_not_whole_are_refused(tmp_path, strip_bytes, kind):
    (tmp_path / "a.png").write_bytes(changed_files()[kind])
    expected = said(open_image, tmp_path / "a.png", max_pixels=10**6)
    found = said(read_back, tmp_path / "a.png", max_pixels=10**6)
    assert found == expected


def test_a_checksum_after_the_last_row_counts(tmp_path):
    rows = packed_rows(2, 8)
    data = bytearray(made(2, 8, data=zlib.compress(rows) + b"more" * 100))
    data[-20] ^= 1
    (tmp_path / "a.png").write_bytes(data)
    assert said(read_back, tmp_path / "a.png") == said(open_image, tmp_path / "a.png")


def test_every_cut_file_is_refused(tmp_path):
    path, whole = tmp_path / "a.png", made(2, 8)
    for size in range(8, len(whole), 97):
        path.write_bytes(whole[:size])
        assert said(read_back, path) == said(open_image, path)


def undone(stored, above):
    """Rows without their filters by the formulas of the specification, byte by byte, of pixels of
    3 bytes."""
    rows = []
    for number, *differences in stored.tolist():
        row = []
        for k, value in enumerate(differences):
            a, b, c = (row[k - 3], above[k], above[k - 3]) if k >= 3 else (0, above[k], 0)
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            row.append((value + [0, a, b, (a + b) // 2, paeth][number]) % 256)
        rows.append(row)
        above = row
    return rows


def smooth_and_noisy():
    rows = np.cumsum(noise(50, 60) % 9, axis=1).astype(np.uint8)
    rows[8:16], rows[16:24] = noise(8, 60), 7
    return rows


@pytest.mark.parametrize("number", range(5))
def test_filters_are_those_of_the_specification(monkeypatch, number):
    def only(x, *_):
        return np.full(len(x), number)

    monkeypatch.setattr(png_encoder, "_best_filters", only)
    rows, above = smooth_and_noisy(), noise(60, seed=5)
    stored = png_encoder.filtered(rows, above, 3)
    assert (stored[:, 0] == number).all()
    np.testing.assert_array_equal(undone(stored, above.tolist()), rows)


def test_eight_rows_have_the_filter_that_suits_the_first_of_them(monkeypatch):
    rows, above = smooth_and_noisy(), noise(60, seed=5)
    stored = png_encoder.filtered(rows, above, 3)
    np.testing.assert_array_equal(undone(stored, above.tolist()), rows)
    assert set(stored[:, 0]) > {2, 4}
    costs = []
    for number in range(5):
        monkeypatch.setattr(png_encoder, "_best_filters", lambda x, *_, n=number: [n] * len(x))
        differences = png_encoder.filtered(rows, above, 3)[::8, 1:].view(np.int8).astype(int)
        costs.append(np.abs(differences).sum(axis=1))
    np.testing.assert_array_equal(stored[:, 0], np.repeat(np.argmin(costs, axis=0), 8)[:50])


@pytest.mark.parametrize(
    ("dtype", "channels", "alpha"),
    list(itertools.product(["uint8", "uint16"], [1, 3], [False, True])),
)
def test_what_is_written_is_read_back_by_others(tmp_path, strip_bytes, dtype, channels, alpha):
    image = picture(channels, dtype, alpha)
    write_rows(tmp_path / "a.png", image, [7, 3])
    frame = image.frames[0]
    _, found = read_back(tmp_path / "a.png")
    np.testing.assert_array_equal(found.pixels, frame.pixels)
    samples = frame.pixels
    if alpha:
        np.testing.assert_array_equal(found.alpha, frame.alpha)
        samples = np.concatenate([samples, frame.alpha[..., None]], axis=2)
    if dtype == "uint8" or samples.shape[2] == 1:
        by_pillow = np.asarray(Pillow.open(tmp_path / "a.png"))
        np.testing.assert_array_equal(by_pillow.reshape(samples.shape), samples)
    else:
        imagecodecs = pytest.importorskip("imagecodecs")
        decoded = imagecodecs.png_decode((tmp_path / "a.png").read_bytes())
        np.testing.assert_array_equal(decoded, samples)


def test_the_bytes_do_not_depend_on_how_rows_come(tmp_path, strip_bytes):
    files = []
    for counts in ([1], [5, 11], [HEIGHT]):
        write_rows(tmp_path / "a.png", picture(alpha=True), counts, overwrite=True)
        files.append((tmp_path / "a.png").read_bytes())
    assert files[0] == files[1] == files[2]


def test_metadata_are_written_as_of_images(tmp_path):
    exif = Pillow.Exif()
    exif[0x010F] = "Camera Works"
    profile = bytes(16) + b"RGB " + bytes(200)
    metadata = Metadata(profile, (300.0, 150.0), exif.tobytes())
    image = picture(metadata=metadata)
    write_rows(tmp_path / "rows.png", image)
    save_image(image, tmp_path / "whole.png")
    found, expected = (open_image(tmp_path / f"{name}.png").metadata for name in ("rows", "whole"))
    assert found.__dict__ == expected.__dict__
    assert found.exif
    assert found.icc_profile == profile


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_bytes_are_those_of_images(tmp_path, dtype):
    image = picture(3, dtype, alpha=True, height=300, width=2000)
    write_rows(tmp_path / "rows.png", image, [10])
    save_image(image, tmp_path / "whole.png")
    assert (tmp_path / "rows.png").read_bytes() == (tmp_path / "whole.png").read_bytes()


def test_drawings_are_packed_by_their_repeats(tmp_path):
    drawing = np.zeros((600, 800, 3), np.uint8)
    drawing[::9, ::7] = 255
    write_rows(tmp_path / "a.png", Image((Frame(drawing),), 255.0, "PNG"), [10])
    Pillow.fromarray(drawing).save(tmp_path / "b.png")
    sizes = [(tmp_path / f"{name}.png").stat().st_size for name in "ab"]
    assert sizes[0] < 1.5 * sizes[1]


def test_a_large_picture_takes_little_memory(tmp_path):
    image = Image((Frame(np.tile(noise(1000, 170, 3) % 9, (1, 100, 1))),), 255.0, "PNG")
    tracemalloc.start()
    try:
        with save_rows(tmp_path / "a.png", layout_of(image)) as writer:
            for top in range(0, 1000, 20):
                writer.write(Frame(image.frames[0].pixels[top : top + 20]))
        with open_rows(tmp_path / "a.png") as (_, strips):
            assert sum(len(frame.pixels) for frame in strips(0)) == 1000
        assert tracemalloc.get_traced_memory()[1] < 25_000_000
    finally:
        tracemalloc.stop()

"""TIFF row by row: strips, tiles, every packing and kind, and what is written."""

import io
import itertools
import sys
import tracemalloc

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
from tiffs import tiff

from cnntool.errors import InputError
from cnntool.files import layout, tiff_rows
from cnntool.files import tiff as tiff_files
from cnntool.files.image import Frame, Image, Metadata
from cnntool.files.images import open_image, save_image
from cnntool.files.rows import NotInRows, open_rows


def by_tifffile(path, samples, **options):
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("imagecodecs")
    tifffile.imwrite(path, samples, **options)


@pytest.mark.parametrize("packing", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "RGBA", "1", "P", "LA", "YCbCr", "I;16", "F"])
def test_rows_of_what_pillow_writes(tmp_path, strip_bytes, mode, packing):
    if packing == "jpeg" and mode not in ("L", "RGB", "YCbCr"):
        pytest.skip("JPEG has no such pixels")
    stored = Pillow.fromarray(noise(HEIGHT, WIDTH, 3))
    if mode in ("I;16", "F"):
        stored = Pillow.fromarray(noise(HEIGHT, WIDTH, dtype={"F": "float32"}.get(mode, "uint16")))
    else:
        stored = stored.convert(mode)
    strip_size = {} if packing is None else {"strip_size": 500}
    stored.save(tmp_path / "a.tif", compression=packing, dpi=(300, 200), **strip_size)
    assert_as_a_whole(tmp_path / "a.tif", gray=mode in ("P", "CMYK"))


LAYOUTS = {
    "one strip": {},
    "strips": {"rowsperstrip": 7},
    "big": {"bigtiff": True},
    "the other byte order": {"byteorder": ">"},
    "tiles": {"tile": (16, 16)},
    "deflate": {"compression": "zlib", "rowsperstrip": 7},
    "lzw": {"compression": "lzw", "rowsperstrip": 5},
    "differences": {"compression": "zlib", "rowsperstrip": 5, "predictor": True},
    "deflated tiles": {"compression": "zlib", "tile": (16, 16)},
    "planes": {"planarconfig": "separate", "rowsperstrip": 9},
    "deflated planes": {"planarconfig": "separate", "rowsperstrip": 9, "compression": "zlib"},
    "tiled planes": {"planarconfig": "separate", "tile": (16, 16), "byteorder": ">"},
}


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("kind", LAYOUTS)
def test_rows_of_what_tifffile_writes(tmp_path, monkeypatch, kind, dtype, channels):
    monkeypatch.setattr(layout, "STRIP_BYTES", 1000)
    samples = noise(HEIGHT, WIDTH, channels, dtype=dtype)
    options = {"photometric": "rgb" if channels > 1 else "minisblack", **LAYOUTS[kind]}
    if "planarconfig" in options:
        if channels == 1:
            pytest.skip("one plane is no planes")
        samples = np.moveaxis(samples, -1, 0)
    if channels == 1:
        samples = samples[..., 0]
    if channels == 4:
        options["extrasamples"] = ["unassalpha"]
    if options.get("predictor"):
        options["predictor"] = 3 if dtype == "float32" else 2
    by_tifffile(tmp_path / "a.tif", samples, **options)
    assert_as_a_whole(tmp_path / "a.tif", gray=channels == 4)


@pytest.mark.parametrize(
    ("samples", "options"),
    [
        (noise(HEIGHT, WIDTH), {"photometric": "miniswhite"}),
        (noise(HEIGHT, WIDTH, dtype="uint16"), {"photometric": "miniswhite", "rowsperstrip": 4}),
        (noise(HEIGHT, WIDTH, 4), {"photometric": "rgb", "extrasamples": ["assocalpha"]}),
        (noise(HEIGHT, WIDTH, 4), {"photometric": "rgb", "extrasamples": ["unspecified"]}),
        (noise(HEIGHT, WIDTH, 2), {"photometric": "minisblack", "extrasamples": ["unassalpha"]}),
        (noise(HEIGHT, WIDTH, 2), {"photometric": "minisblack", "planarconfig": "contig"}),
        (noise(HEIGHT, WIDTH, dtype="float32").astype("float64"), {}),
        (noise(HEIGHT, WIDTH, dtype="float32").astype("float16"), {}),
    ],
)
def test_rows_of_other_kinds(tmp_path, strip_bytes, samples, options):
    by_tifffile(tmp_path / "a.tif", samples, **options)
    assert_as_a_whole(tmp_path / "a.tif")


def test_rows_of_bytes_whose_bits_are_turned_around(tmp_path, strip_bytes):
    tags = {258: 8, 259: 1, 262: 1, 266: 2, 277: 1, 278: HEIGHT}
    (tmp_path / "a.tif").write_bytes(tiff(noise(HEIGHT, WIDTH), tags))
    assert_as_a_whole(tmp_path / "a.tif")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [1, 4, 8, 12, 16])
def test_rows_of_grey_of_every_depth(tmp_path, strip_bytes, bits, order):
    data = noise(HEIGHT, -(-WIDTH * bits // 8))
    tags = {256: WIDTH, 258: bits, 259: 1, 262: 1, 277: 1, 278: HEIGHT}
    (tmp_path / "a.tif").write_bytes(tiff(data, tags, order))
    try:
        open_image(tmp_path / "a.tif")
    except ValueError:
        assert said(layout_in, tmp_path / "a.tif") == said(open_image, tmp_path / "a.tif")
    else:
        assert_as_a_whole(tmp_path / "a.tif")


def test_plain_samples_need_no_extra(tmp_path, monkeypatch):
    samples = noise(HEIGHT, WIDTH, 3, dtype="float32")
    by_tifffile(tmp_path / "a.tif", samples, photometric="rgb", rowsperstrip=4)
    monkeypatch.setattr(tiff_rows, "read_frames", None)
    assert_as_a_whole(tmp_path / "a.tif")


def test_files_without_rows_say_so(tmp_path, monkeypatch):
    path = tmp_path / "a.tif"
    reasons = []
    pages = [Pillow.fromarray(noise(5, 6, seed=seed)) for seed in (0, 1)]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    for change in (
        lambda: None,
        lambda: pages[0].save(path, tiffinfo={274: 6}),
        lambda: pages[0].save(path, compression="tiff_lzw"),
    ):
        change()
        with pytest.raises(NotInRows) as caught:
            layout_in(path)
        reasons.append(caught.value.reason)
        monkeypatch.setattr(tiff_rows, "_LARGEST_PIECE", 20)
    assert reasons == [
        "has 2 pages",
        "is turned by its orientation",
        "has strips or tiles of 5 rows",
    ]


def test_a_file_that_says_its_height_twice_is_not_read_in_rows(tmp_path):
    data = tiff(noise(HEIGHT, WIDTH), {258: 8, 259: 1, 262: 1, 277: 1, 278: HEIGHT, 300: 9})
    other, height = (number.to_bytes(2, "little") + b"\4\0\1\0\0\0" for number in (300, 257))
    (tmp_path / "a.tif").write_bytes(data.replace(other, height))
    with pytest.raises(NotInRows, match="contradict"):
        layout_in(tmp_path / "a.tif")


@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_values_that_are_not_finite_are_counted_over_the_whole_picture(tmp_path, monkeypatch, tile):
    monkeypatch.setattr(layout, "STRIP_BYTES", 500)
    samples = noise(HEIGHT, WIDTH, 3, dtype="float32")
    samples[5, 3], samples[5, 20, 1], samples[30, 1, 2] = np.nan, np.inf, np.nan
    by_tifffile(tmp_path / "a.tif", samples, photometric="rgb", tile=tile)
    assert "5 values that are NaN" in said(open_image, tmp_path / "a.tif")
    assert said(read_back, tmp_path / "a.tif") == said(open_image, tmp_path / "a.tif")


@pytest.mark.parametrize("packing", [None, "tiff_lzw", "tiff_adobe_deflate"])
def test_every_cut_file_is_refused(tmp_path, packing):
    buffer = io.BytesIO()
    stored = Pillow.fromarray(noise(HEIGHT, WIDTH, 3))
    stored.save(buffer, "TIFF", compression=packing, **({"strip_size": 500} if packing else {}))
    path = tmp_path / "a.tif"
    for size in range(8, len(buffer.getvalue()), 97):
        path.write_bytes(buffer.getvalue()[:size])
        assert said(read_back, path) == said(open_image, path)


def test_damaged_pieces_are_refused_when_they_are_read(tmp_path, capfd):
    path = tmp_path / "a.tif"
    stored = Pillow.fromarray(noise(HEIGHT, WIDTH, 3))
    stored.save(path, compression="tiff_adobe_deflate", strip_size=500)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)
    path.write_bytes(data)
    assert said(read_back, path) == said(open_image, path)
    assert capfd.readouterr().err == ""


KINDS = list(itertools.product(["uint8", "uint16", "float32"], [1, 3], [False, True]))


def with_metadata():
    exif = Pillow.Exif()
    exif[0x010F] = "Camera Works"
    exif[0x8769] = {0x829A: 0.5}
    return Metadata(bytes(16) + b"RGB " + bytes(200), (300.0, 150.0), exif.tobytes())


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(("dtype", "channels", "alpha"), KINDS)
def test_files_written_by_rows_are_those_of_images(
    tmp_path, monkeypatch, dtype, channels, alpha, big
):
    if big:
        monkeypatch.setattr(tiff_files, "MOST_BYTES", 100)
    image = picture(channels, dtype, alpha, metadata=with_metadata())
    write_rows(tmp_path / "rows.tif", image, [5, 8])
    save_image(image, tmp_path / "whole.tif")
    whole = (tmp_path / "whole.tif").read_bytes()
    assert whole[2] == (43 if big else 42)
    assert (tmp_path / "rows.tif").read_bytes() == whole
    monkeypatch.setitem(sys.modules, "tifffile", None)
    assert_as_a_whole(tmp_path / "rows.tif")
    back = open_image(tmp_path / "whole.tif", float_white=1.0)
    np.testing.assert_array_equal(back.frames[0].pixels, image.frames[0].pixels)
    assert (back.metadata.dpi, back.left_out) == ((300.0, 150.0), ())
    exif = Pillow.Exif()
    exif.load(back.metadata.exif)
    assert (exif[0x010F], exif.get_ifd(0x8769)[0x829A]) == ("Camera Works", 0.5)


def test_a_height_beyond_16_bits_is_written(tmp_path):
    image = picture(1, height=70_000, width=1)
    write_rows(tmp_path / "a.tif", image, [10_000])
    np.testing.assert_array_equal(
        np.asarray(Pillow.open(tmp_path / "a.tif")), image.frames[0].pixels[..., 0]
    )


def test_the_head_of_a_file_beyond_4_gigabytes(tmp_path):
    """Without its pixels, for which no test has room."""
    big = layout.Layout(50_000, 40_000, 3, np.dtype("uint8"), 255.0, False, "TIFF")
    head = io.BytesIO()
    tiff_rows.write_rows(head, big, 90, "a.tif")
    (page,) = tiff_files.read_pages(head, "a.tif")
    assert (page.width, page.height, page.piece) == (40_000, 50_000, (40_000, 50_000))
    assert page.counts.tolist() == [50_000 * 40_000 * 3]
    assert page.offsets.tolist() == [len(head.getvalue())]


def test_a_pillow_without_large_files_is_named(monkeypatch):
    monkeypatch.delattr("PIL.TiffImagePlugin.ImageFileDirectory_v2._get_ifh")
    big = layout.Layout(50_000, 40_000, 3, np.dtype("uint8"), 255.0, False, "TIFF")
    with pytest.raises(InputError, match="pip install -U pillow"):
        tiff_rows.write_rows(io.BytesIO(), big, 90, "a.tif")


@pytest.mark.parametrize("options", [{}, {"tile": (64, 64), "compression": "zlib"}])
def test_a_large_picture_takes_little_memory(tmp_path, options):
    image = Image((Frame(np.tile(noise(500, 340, 3), (1, 100, 1))),), 255.0, "PNG")
    if options:
        by_tifffile(tmp_path / "a.tif", image.frames[0].pixels, photometric="rgb", **options)
    tracemalloc.start()
    try:
        if not options:
            write_rows(tmp_path / "a.tif", image, [20])
        with open_rows(tmp_path / "a.tif") as (_, strips):
            assert sum(len(frame.pixels) for frame in strips(0)) == 500
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()

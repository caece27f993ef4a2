"""JPEG row by row: the pixels and the refusals of the whole, and data between restart markers."""

import io
import tracemalloc

import numpy as np
import pytest
from PIL import Image as Pillow
from rows_of import assert_as_a_whole, layout_in, noise, picture, read_back, said, write_rows

from cnntool.files import jpeg, jpeg_rows, layout
from cnntool.files.image import Frame, Image, Metadata
from cnntool.files.images import open_image, save_image
from cnntool.files.layout import layout_of
from cnntool.files.rows import NotInRows, address_space, open_rows, save_rows

HEIGHT, WIDTH = 75, 53


def smooth(channels=3, height=HEIGHT, width=WIDTH):
    slopes = np.add.outer(np.arange(height) * 2, np.arange(width) * 3)[..., None]
    return ((slopes + np.arange(channels) * 40) % 200 + noise(height, width, channels) % 40).astype(
        np.uint8
    )


def made(mode="RGB", pixels=None, **options):
    buffer = io.BytesIO()
    stored = Pillow.fromarray(smooth() if pixels is None else pixels).convert(mode)
    stored.save(buffer, "JPEG", **options)
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def piecewise(monkeypatch):
    """Small pictures as large ones."""
    monkeypatch.setattr(jpeg_rows, "_SMALL", 0)


@pytest.fixture(params=[1, 5000], ids=["small pieces", "large pieces"])
def pieces(request, monkeypatch):
    monkeypatch.setattr(jpeg_rows, "_PIECE", request.param)


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"quality": 20},
        {"quality": 100, "subsampling": 0},
        {"subsampling": 1},
        {"optimize": True},
        {"restart_marker_blocks": 3},
        {"comment": b"a comment", "dpi": (300, 200)},
    ],
)
def test_rows_of_every_sampling(tmp_path, strip_bytes, pieces, options, gray):
    (tmp_path / "a.jpg").write_bytes(made(**options))
    assert_as_a_whole(tmp_path / "a.jpg", gray=gray)


@pytest.mark.parametrize("gray", [False, True])
def test_rows_of_greys(tmp_path, strip_bytes, pieces, gray):
    (tmp_path / "a.jpg").write_bytes(made("L"))
    assert_as_a_whole(tmp_path / "a.jpg", gray=gray)


def test_rows_are_those_that_pillow_decodes(tmp_path, strip_bytes, pieces):
    (tmp_path / "a.jpg").write_bytes(made())
    _, frame = read_back(tmp_path / "a.jpg")
    np.testing.assert_array_equal(frame.pixels, np.asarray(Pillow.open(tmp_path / "a.jpg")))


def test_flat_rows_come_many_at_a_time(tmp_path, strip_bytes):
    (tmp_path / "a.jpg").write_bytes(made(pixels=np.full((3000, 16, 3), 77, np.uint8)))
    assert_as_a_whole(tmp_path / "a.jpg")


def test_black_and_white_rows_are_seen_to_be_there(tmp_path, strip_bytes):
    pixels = np.zeros((64, 50, 3), np.uint8)
    pixels[20:40] = 255
    (tmp_path / "a.jpg").write_bytes(made(pixels=pixels))
    assert_as_a_whole(tmp_path / "a.jpg")


def turned():
    exif = Pillow.Exif()
    exif[0x0112] = 8
    return made(exif=exif.tobytes())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (made(progressive=True), "is a progressive JPEG"),
        (made("CMYK"), "is a JPEG of printing inks"),
        (turned(), "is turned by its EXIF orientation"),
    ],
)
def test_pictures_without_rows_say_so(tmp_path, data, reason):
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(NotInRows) as caught:
        layout_in(tmp_path / "a.jpg")
    assert caught.value.reason == reason


def noisy(**options):
    return made(pixels=noise(HEIGHT, WIDTH, 3), **options)


def test_every_cut_file_is_refused(tmp_path, strip_bytes):
    whole = noisy()
    (tmp_path / "b.jpg").write_bytes(whole)
    read_back(tmp_path / "b.jpg")
    for end in (b"", b"\xff\xd9"):
        for size in range(20, len(whole) - 20, 331):
            (tmp_path / "a.jpg").write_bytes(whole[:size] + end)
            assert said(read_back, tmp_path / "a.jpg") == said(open_image, tmp_path / "a.jpg")


@pytest.mark.parametrize("options", [{}, {"restart_marker_blocks": 4}])
def test_zeros_in_its_data_are_found(tmp_path, options):
    whole = noisy(**options)
    for start, count in ((-500, 60), (-3000, 900), (-60, 58)):
        changed = bytearray(whole)
        changed[start : start + count] = bytes(count)
        (tmp_path / "a.jpg").write_bytes(changed)
        assert said(read_back, tmp_path / "a.jpg") == said(open_image, tmp_path / "a.jpg")


def test_a_mid_grey_picture_is_still_whole(tmp_path):
    (tmp_path / "a.jpg").write_bytes(made(pixels=np.full((40, 30, 3), 128, np.uint8)))
    assert_as_a_whole(tmp_path / "a.jpg")


def with_metadata():
    exif = Pillow.Exif()
    exif[0x010F] = "Camera Works"
    return Metadata(bytes(16) + b"RGB " + bytes(200), (300.0, 150.0), exif.tobytes())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(75, 53), (64, 48), (1, 1), (16, 400), (300, 3)])
def test_what_is_written_decodes_to_what_pillow_writes(
    tmp_path, strip_bytes, channels, height, width
):
    image = Image((Frame(smooth(channels, height, width)),), 255.0, "PNG", with_metadata())
    write_rows(tmp_path / "rows.jpg", image, [7, 2], quality=83)
    save_image(image, tmp_path / "whole.jpg", quality=83)
    assert (tmp_path / "rows.jpg").read_bytes() == (tmp_path / "whole.jpg").read_bytes()
    stored = Pillow.fromarray(
        image.frames[0].pixels.squeeze(2) if channels == 1 else image.frames[0].pixels
    )
    stored.save(tmp_path / "whole.jpg", quality=83)
    rows, whole = (open_image(tmp_path / f"{name}.jpg") for name in ("rows", "whole"))
    np.testing.assert_array_equal(rows.frames[0].pixels, whole.frames[0].pixels)
    assert rows.metadata.dpi == (300.0, 150.0)
    assert rows.metadata.exif


@pytest.mark.parametrize("channels", [1, 3])
def test_bytes_are_those_of_an_encoder_that_sets_restart_markers(tmp_path, monkeypatch, channels):
    pixels = smooth(channels, 500)
    unit = 8 if channels == 1 else 16
    monkeypatch.setattr(layout, "STRIP_BYTES", 2 * unit * WIDTH * channels)
    write_rows(tmp_path / "rows.jpg", Image((Frame(pixels),), 255.0, "PNG"), [9])
    stored = Pillow.fromarray(pixels if channels == 3 else pixels[..., 0])
    stored.save(tmp_path / "whole.jpg", quality=90, restart_marker_rows=2)
    assert (tmp_path / "rows.jpg").read_bytes() == (tmp_path / "whole.jpg").read_bytes()


def test_the_bytes_do_not_depend_on_how_rows_come(tmp_path, strip_bytes):
    files = []
    for counts in ([1], [5, 11], [HEIGHT]):
        write_rows(tmp_path / "a.jpg", picture(), counts, overwrite=True)
        files.append((tmp_path / "a.jpg").read_bytes())
    assert files[0] == files[1] == files[2]


def test_an_interval_is_no_longer_than_its_marker_can_say(tmp_path):
    image = Image((Frame(np.zeros((2000, 3000, 1), np.uint8)),), 255.0, "PNG")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "STRIP_BYTES", 10**9)
        write_rows(tmp_path / "a.jpg", image, [2000])
    structure = jpeg.check((tmp_path / "a.jpg").read_bytes(), "a.jpg")
    assert structure.has_restarts
    assert Pillow.open(tmp_path / "a.jpg").getextrema() == (0, 0)


def test_a_large_picture_takes_little_memory(tmp_path):
    image = Image((Frame(np.tile(smooth(3, 500, 1000), (1, 34, 1))),), 255.0, "PNG")
    tracemalloc.start()
    try:
        with save_rows(tmp_path / "a.jpg", layout_of(image)) as writer:
            for top in range(0, 500, 20):
                writer.write(Frame(image.frames[0].pixels[top : top + 20]))
        with open_rows(tmp_path / "a.jpg") as (found, strips):
            assert sum(len(frame.pixels) for frame in strips(0)) == 500
            assert address_space(found) == 4 * 500 * 34_000
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()

"""Pictures row by row are the pictures as a whole."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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

from cnntool.errors import InputError, RequestError
from cnntool.files import layout
from cnntool.files.image import Frame
from cnntool.files.images import open_image, save_image
from cnntool.files.layout import layout_of
from cnntool.files.rows import Layout, NotInRows, open_rows, save_rows, why_not_in_rows


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize(
    "dtype",
    ["bool", "uint8", ">u2", "uint16", "int64", "float16", "float32", ">f4", "float64"],
)
@pytest.mark.parametrize("channels", [None, 1, 3])
def test_rows_of_arrays(tmp_path, strip_bytes, dtype, channels, gray):
    shape = (HEIGHT, WIDTH) if channels is None else (HEIGHT, WIDTH, channels)
    np.save(tmp_path / "a.npy", (noise(*shape) / 2).astype(dtype))
    assert_as_a_whole(tmp_path / "a.npy", gray=gray, float_white=1.0)


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("maxval", [255, 65535, 9, 1000])
@pytest.mark.parametrize("kind", ["P5", "P6"])
def test_rows_of_raw_pixmaps(tmp_path, strip_bytes, kind, maxval, gray):
    values = noise(HEIGHT, WIDTH, 3 if kind == "P6" else 1, dtype="uint32") % (maxval + 1)
    stored = values.astype("u1" if maxval < 256 else ">u2").tobytes()
    header = f"{kind}\n# a comment\n{WIDTH} {HEIGHT}\n{maxval}\n".encode()
    (tmp_path / "a.ppm").write_bytes(header + stored)
    assert_as_a_whole(tmp_path / "a.ppm", gray=gray)


def test_rows_of_bitmaps(tmp_path, strip_bytes):
    packed = np.packbits(noise(HEIGHT, WIDTH) > 99, axis=1)
    (tmp_path / "a.pbm").write_bytes(b"P4 %d %d\n" % (WIDTH, HEIGHT) + packed.tobytes() + b"\n")
    assert_as_a_whole(tmp_path / "a.pbm")


def files_of_values(tmp_path):
    save_image(picture(3, "float32"), tmp_path / "a.npy")
    save_image(picture(3, "uint16"), tmp_path / "a.ppm")
    return [tmp_path / "a.npy", tmp_path / "a.ppm"]


def test_files_cut_short_or_too_long_are_refused_at_once(tmp_path):
    for path in files_of_values(tmp_path):
        data = path.read_bytes()
        for changed in (data[:-1], data[:-1000], data[:9], data + b"more"):
            path.write_bytes(changed)
            assert said(layout_in, path) == said(open_image, path)


def test_values_that_are_not_finite_are_counted_over_the_whole_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "STRIP_BYTES", 500)
    pixels = noise(HEIGHT, WIDTH, dtype="float32")
    pixels[5, 3] = pixels[30, 1] = np.nan
    pixels[30, 2] = np.inf
    np.save(tmp_path / "a.npy", pixels)
    assert "3 values that are NaN" in said(open_image, tmp_path / "a.npy")
    assert said(read_back, tmp_path / "a.npy") == said(open_image, tmp_path / "a.npy")
    assert said(read_back, tmp_path / "a.npy", start=20) == said(open_image, tmp_path / "a.npy")


def test_values_that_no_32_bits_hold_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.full((3, 4), 1e300))
    assert said(read_back, tmp_path / "a.npy") == said(open_image, tmp_path / "a.npy")


def test_limits_hold(tmp_path):
    for path in files_of_values(tmp_path):
        assert said(layout_in, path, max_pixels=900) == said(open_image, path, max_pixels=900)
    np.save(path.with_suffix(".npy"), noise(3, 4, 400))
    assert "channels" in said(layout_in, path.with_suffix(".npy"), max_pixels=1000)


@pytest.mark.parametrize("extension", ["gif", "webp", "bmp"])
def test_formats_without_rows_say_so(tmp_path, extension):
    path = tmp_path / f"a.{extension}"
    save_image(picture(), path)
    with pytest.raises(NotInRows, match=r"is a .*: it is read only as a whole") as caught:
        layout_in(path)
    assert caught.value.reason.startswith("is a ")
    assert "is written whole" in why_not_in_rows(open_image(path).format)
    with (
        pytest.raises(RequestError, match="is written whole: use PNG"),
        save_rows(path, layout_of(picture())),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.ppm", b"P3 1 1 255\n1 2 3\n", "is a P3, whose pixels are text"),
        ("a.npy", np.asfortranarray(noise(3, 4)), "is an array stored by columns"),
    ],
)
def test_files_without_rows_say_so(tmp_path, name, data, reason):
    path = tmp_path / name
    if isinstance(data, bytes):
        path.write_bytes(data)
    else:
        np.save(path, data)
    with pytest.raises(NotInRows) as caught:
        layout_in(path)
    assert caught.value.reason == reason
    assert str(caught.value) == f"{path} {reason}: it is read only as a whole"


def test_what_is_no_file_is_said_as_of_images(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    for path in (tmp_path, tmp_path / "none.png", tmp_path / "text.png"):
        assert said(layout_in, path) == said(open_image, path)


WRITTEN = [
    *[("npy", dtype, 1, False) for dtype in ("uint8", "float32", "float64")],
    *[("npy", dtype, 5, True) for dtype in ("uint8", "float32", "float64")],
    *[("ppm", dtype, channels, False) for dtype in ("uint8", "uint16") for channels in (1, 3)],
]


@pytest.mark.parametrize("counts", [(1,), (7, 2), (HEIGHT,)])
@pytest.mark.parametrize(("extension", "dtype", "channels", "alpha"), WRITTEN)
def test_files_written_by_rows_are_those_of_images(
    tmp_path, extension, dtype, channels, alpha, counts
):
    image = picture(channels, dtype, alpha)
    write_rows(tmp_path / f"rows.{extension}", image, counts)
    save_image(image, tmp_path / f"whole.{extension}")
    whole = (tmp_path / f"whole.{extension}").read_bytes()
    assert (tmp_path / f"rows.{extension}").read_bytes() == whole


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.integers(1, 30), st.integers(1, 9), st.sampled_from([1, 3])),
    st.sampled_from(["uint8", "uint16"]),
    st.lists(st.integers(1, 12), min_size=1),
    st.integers(0, 29),
    st.integers(1, 300),
)
def test_what_is_written_by_rows_is_read_by_rows(
    tmp_path_factory, shape, dtype, counts, start, strip
):
    height, width, channels = shape
    image = picture(channels, dtype, height=height, width=width)
    path = tmp_path_factory.mktemp("rows") / "a.ppm"
    write_rows(path, image, counts)
    start = min(start, height - 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "STRIP_BYTES", strip)
        _, frame = read_back(path, start)
    np.testing.assert_array_equal(frame.pixels, image.frames[0].pixels[start:])


def test_nothing_is_written_of_what_ends_early(tmp_path):
    image = picture()

    def write(then):
        with save_rows(tmp_path / "a.ppm", layout_of(image)) as writer:
            writer.write(Frame(image.frames[0].pixels[:40]))
            then()

    with pytest.raises(ZeroDivisionError):
        write(lambda: 1 / 0)
    with pytest.raises(ValueError, match="1 rows are missing"):
        write(lambda: None)
    assert not list(tmp_path.iterdir())


def test_rows_of_another_kind_are_refused(tmp_path):
    image, frame = picture(), picture().frames[0]
    others = [
        Frame(frame.pixels[:, :5]),
        Frame(frame.pixels.astype(np.uint16)),
        Frame(frame.pixels, frame.pixels[..., 0]),
        Frame(np.concatenate([frame.pixels, frame.pixels])),
    ]
    for other in others:
        with (
            pytest.raises(ValueError, match="rows"),
            save_rows(tmp_path / "a.ppm", layout_of(image)) as writer,
        ):
            writer.write(other)


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("a.ppm", picture(alpha=True)),
        ("a.ppm", picture(dtype="float32")),
        ("a.pgm", picture()),
        ("a.pbm", picture(1)),
        ("a.ppm", picture(2)),
        ("a.xyz", picture()),
    ],
)
def test_what_images_refuse_is_refused(tmp_path, name, image):
    with pytest.raises(RequestError) as expected:
        save_image(image, tmp_path / name)
    with (
        pytest.raises(RequestError) as found,
        save_rows(tmp_path / name, layout_of(image)),
    ):
        pass
    assert str(found.value) == str(expected.value)
    assert not list(tmp_path.iterdir())


def test_files_that_exist_are_refused_unless_told(tmp_path):
    path = tmp_path / "a.ppm"
    write_rows(path, picture())
    with pytest.raises(InputError, match="exists"):
        write_rows(path, picture())
    write_rows(path, picture(1), overwrite=True)
    assert open_image(path).frames[0].pixels.shape[2] == 1


def test_a_blank_image_of_a_layout_takes_no_memory():
    big = Layout(10**6, 10**6, 3, np.dtype("uint8"), 255.0, True, "PNG")
    assert big.blank().frames[0].pixels.shape == (10**6, 10**6, 3)
    assert big.blank(rows=2).frames[0].alpha.shape == (2, 10**6)


LARGE = [("npy", "float32", 1), ("npy", "float64", 3), ("ppm", "uint8", 3), ("ppm", "uint16", 1)]


@pytest.mark.parametrize(("extension", "dtype", "channels"), LARGE)
def test_a_large_picture_takes_little_memory(tmp_path, extension, dtype, channels):
    width = 50_000_000 // (400 * channels * np.dtype(dtype).itemsize)
    image = picture(channels, dtype, height=400, width=width)
    tracemalloc.start()
    try:
        write_rows(tmp_path / f"a.{extension}", image, [16])
        with open_rows(tmp_path / f"a.{extension}") as (_, strips):
            top = 0
            for frame in strips(0):
                count = len(frame.pixels)
                assert np.array_equal(frame.pixels, image.frames[0].pixels[top : top + count])
                top += count
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()

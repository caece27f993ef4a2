"""`cnntool pool` end to end, from files and pipes: pictures, tables, winners and errors."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image
from processes import pixels


def one_line(text: str) -> str:
    """The only line of a text; fails where there are none or several."""
    (line,) = text.splitlines()
    return line


def blocks(grey: np.ndarray, size: int) -> np.ndarray:
    """A picture whose sides are multiples of ``size`` as windows (oh, ow, size * size)."""
    height, width = (side // size for side in grey.shape)
    return grey.reshape(height, size, width, size).swapaxes(1, 2).reshape(height, width, -1)


def test_the_main_job(cnntool):
    done = cnntool("pool", "grey.png", "-q")
    assert (done.code, done.lines, done.err) == (0, ["grey-max-pool-2.png"], "")
    np.testing.assert_array_equal(
        pixels("grey-max-pool-2.png"), blocks(pixels("grey.png"), 2).max(axis=2)
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--mode", "average", "--size", "5"], lambda x: blocks(x, 5).mean(axis=2)),
        (["--mode", "min", "--size", "10"], lambda x: blocks(x, 10).min(axis=2)),
        (["--mode", "median", "--size", "5"], lambda x: np.median(blocks(x, 5), axis=2)),
        (
            ["--mode", "lp", "--p", "3"],
            lambda x: (blocks(x.astype(float), 2) ** 3).mean(axis=2) ** (1 / 3),
        ),
        (
            ["--mode", "lp", "--sum"],
            lambda x: np.sqrt((blocks(x.astype(float), 2) ** 2).sum(axis=2)),
        ),
        (["--mode", "lp", "--p", "inf"], lambda x: blocks(x, 2).max(axis=2)),
        (["--mode", "gaussian", "--sigma", "1e6"], lambda x: blocks(x, 2).mean(axis=2)),
        (["--global"], lambda x: x.max(keepdims=True)),
        (["--output-size", "3x4", "-m", "average"], lambda x: blocks(x, 10).mean(axis=2)),
        (["--output-size", "3x4", "-m", "median"], lambda x: np.median(blocks(x, 10), axis=2)),
        (["--output-size", "3x4", "-m", "min"], lambda x: blocks(x, 10).min(axis=2)),
        (
            ["--global", "-m", "lp", "--p", "4"],
            lambda x: (x.astype(float) ** 4).mean(keepdims=True) ** (1 / 4),
        ),
    ],
)
def test_modes_and_sizes(cnntool, arguments, expected):
    done = cnntool("pool", "grey.png", *arguments, "-q", "-o", "out.npy")
    assert done.code == 0, done.err
    np.testing.assert_allclose(np.load("out.npy"), expected(pixels("grey.png")), rtol=1e-5)


def test_names_tell_what_was_done(cnntool):
    arguments = ["--mode", "average", "--size", "3x2", "--stride", "1"]
    assert cnntool("pool", "grey.png", *arguments).lines == ["grey-average-pool-3x2-stride-1.png"]
    lp = ["pool", "grey.png", "--mode", "lp"]
    assert cnntool(*lp).lines == ["grey-lp-pool-2.png"]
    assert cnntool(*lp, "--p", "3").lines == ["grey-lp-pool-2-p-3.png"]
    assert cnntool(*lp, "--p", "inf", "--sum").lines == ["grey-lp-pool-2-sum-p-inf.png"]
    weighted = ["--mode", "gaussian", "--sigma", "1.5", "--stride", "1"]
    done = cnntool("pool", "grey.png", *weighted)
    assert done.lines == ["grey-gaussian-pool-2-sigma-1.5-stride-1.png"]
    assert cnntool("pool", "photo.jpg", "--global").lines == ["photo-max-pool-global.jpg"]
    assert cnntool("pool", "photo.jpg", "--output-size", "8").lines == ["photo-max-pool-to-8.jpg"]


def test_a_pipe_through_convolve_and_pool(cnntool):
    edges = cnntool("convolve", "grey.png", "-k", "sobel", "-q", "-o", "-")
    done = cnntool("pool", "-", "--size", "3", stdin=edges.out)
    found = np.asarray(Image.open(io.BytesIO(done.out)))
    whole = np.asarray(Image.open(io.BytesIO(edges.out)))
    assert found.shape == (10, 14)  # 40 columns: the last window is one wide
    np.testing.assert_array_equal(found[:, :13], blocks(whole[:, :39], 3).max(axis=2))
    np.testing.assert_array_equal(found[:, 13], whole[:, 39].reshape(10, 3).max(axis=1))


@pytest.mark.parametrize(
    ("edge", "shape"), [("partial", (5, 6)), ("drop", (4, 5)), ("pad", (5, 6))]
)
def test_the_last_window(cnntool, edge, shape):
    Image.fromarray(np.full((30, 40), 210, np.uint8)).save("flat.png")
    done = cnntool(
        "pool", "flat.png", "-m", "average", "--size", "7", "--edge", edge, "-o", "o.png"
    )
    assert done.code == 0, done.err
    found = pixels("o.png")
    assert found.shape == shape
    assert (found.min() < 210) == (edge == "pad")


def test_16_bits_stay_16_bits(cnntool):
    deep = np.arange(0, 65536, 16, np.uint16).reshape(64, 64)
    Image.fromarray(deep).save("deep.png")
    assert cnntool("pool", "deep.png", "-o", "out.png").code == 0
    np.testing.assert_array_equal(pixels("out.png"), blocks(deep, 2).max(axis=2))


def test_many_pictures_and_one_bad_file(cnntool, folder):
    (folder / "bad.png").write_bytes(b"no picture")
    done = cnntool("pool", "grey.png", "bad.png", "colour.png", "-o", "out/")
    assert done.code == 1
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        "colour-max-pool-2.png",
        "grey-max-pool-2.png",
    ]
    assert "bad.png" in one_line(done.err)


def test_winners(cnntool):
    done = cnntool("pool", "grey.png", "--size", "10", "--show-winners", "-o", "won.png")
    assert done.code == 0
    marked = (pixels("won.png") == (255, 0, 0)).all(axis=2)
    grey = pixels("grey.png")
    assert marked.sum() == 12
    largest = np.kron(blocks(grey, 10).max(axis=2), np.ones((10, 10), np.uint8))
    assert (grey == largest)[marked].all()
    assert "won a window" in done.err


def test_a_pyramid_is_a_table_of_one_row_a_picture(cnntool, folder):
    done = cnntool("pool", "grey.png", "photo.jpg", "--gray", "--pyramid", "1,2,4", "-o", "f.csv")
    assert (done.code, done.lines) == (0, ["f.csv"])
    with open("f.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert header[:4] == ["image", "max-1x1-0-0", "max-2x2-0-0", "max-2x2-0-1"]
    assert [row[0] for row in rows] == ["grey.png", "photo.jpg"]
    assert {len(row) for row in rows} == {1 + 21}
    assert float(rows[0][1]) == pixels("grey.png").max()
    cnntool("pool", "grey.png", "photo.jpg", "--gray", "--pyramid", "1,2,4", "-o", "f.npy")
    table = np.load("f.npy")
    assert table.shape == (2, 21)
    np.testing.assert_allclose(table, [[float(v) for v in row[1:]] for row in rows])
    cnntool("pool", "grey.png", "photo.jpg", "--gray", "--pyramid", "1,2,4", "-o", "f.json")
    content = json.loads((folder / "f.json").read_text())
    np.testing.assert_allclose([row["features"] for row in content["rows"]], table)


def test_a_pyramid_goes_to_stdout_without_a_name(cnntool):
    done = cnntool("pool", "colour.png", "-m", "average", "--pyramid", "2")
    header, row = csv.reader(io.StringIO(done.out.decode()))
    assert header[1] == "average-2x2-0-0-red"
    colour = pixels("colour.png").astype(float)
    assert float(row[1]) == pytest.approx(colour[:15, :20, 0].mean(), rel=1e-6)
    done = cnntool("pool", "colour.png", "-m", "average", "--pyramid", "2", "--json")
    assert len(json.loads(done.out)["features"]) == 12
    done = cnntool("pool", "grey.png", "-m", "lp", "--p", "inf", "--pyramid", "1", "--json")
    assert json.loads(done.out)["features"] == [pixels("grey.png").max()]


def test_a_table_leaves_out_what_does_not_fit_and_says_so(cnntool):
    done = cnntool("pool", "grey.png", "colour.png", "missing.png", "--pyramid", "1")
    assert done.code == 1
    assert len(done.lines) == 2  # the header and grey.png
    errors = done.err.splitlines()
    assert any("missing.png" in line for line in errors)
    assert any("colour.png has 3 channels, grey.png has 1" in line for line in errors)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--size", "0"], 2, "'0' is out of range"),
        (["--size", "x"], 2, "'x' is not a size"),
        (["--output-size", "0"], 2, "'0' is out of range"),
        (["--mode", "lp", "--p", "0.5"], 2, "'0.5' is no norm"),
        (["--mode", "lp", "--p", "nan"], 2, "'nan' is no norm"),
        (["--p", "3"], 2, "--p is for --mode lp, not for max"),
        (["--sigma", "3"], 2, "--sigma is for --mode gaussian"),
        (["--padding", "2"], 2, "--padding 2 is more than half a window that spans 2: use at most"),
        (["--padding", "0x3", "-s", "5x3", "--dilation", "1x2"], 2, "spans 5: use at most 2"),
        (["--size", "50", "--edge", "drop"], 1, "does not fit"),
        (["--mode", "median", "--size", "182"], 2, "at most 32,767 pixels"),
        (["--global", "--size", "3"], 2, "--size lays windows, --global cuts bins"),
        (["--global", "--output-size", "3"], 2, "use one of them"),
        (["--edge", "pad", "--size", "16384"], 1, "16384 x 16384, nearly all black: use a smaller"),
        (["--ceil", "--edge", "drop"], 2, "--ceil keeps the last window"),
        (["--mode", "average", "--show-winners"], 2, "--show-winners needs --mode max or min"),
        (["--pyramid", "1,0"], 2, "'1,0' is no list of levels"),
        (["--pyramid", "9" * 5000], 2, "expected numbers from 1 to 256"),
        (["--pyramid", "1,2", "-o", "table.xls"], 2, "name a .csv, .npy or .json"),
        (["--pyramid", "1,2", "--depth", "8"], 2, "--depth is for pictures"),
        (["--mode", "mean"], 2, "'mean'"),
    ],
)
def test_mistakes_get_one_line_and_the_right_code(cnntool, folder, arguments, code, message):
    before = sorted(folder.iterdir())
    done = cnntool("pool", "grey.png", *arguments)
    assert done.code == code
    assert message in done.err.splitlines()[-1]
    assert done.out == b""
    assert sorted(folder.iterdir()) == before


def test_an_existing_table_is_kept(cnntool, folder):
    (folder / "f.csv").write_text("precious")
    done = cnntool("pool", "grey.png", "--pyramid", "1", "-o", "f.csv")
    assert done.code == 1
    assert "f.csv exists" in one_line(done.err)
    assert (folder / "f.csv").read_text() == "precious"


def test_a_dry_run_says_what_would_come_out(cnntool, folder):
    before = sorted(folder.iterdir())
    done = cnntool("pool", "colour.png", "--size", "3", "--dry-run")
    line = one_line(done.out.decode())
    assert "colour-max-pool-3.png: 14x10 by max windows, on " in line
    done = cnntool("pool", "colour.png", "--pyramid", "1", "--dry-run", "--max-pixels", "9")
    assert done.code == 1
    assert "raise the limit with --max-pixels" in one_line(done.err)
    done = cnntool("pool", "colour.png", "--pyramid", "1,2", "--dry-run")
    assert "15 numbers" in one_line(done.out.decode())
    assert sorted(folder.iterdir()) == before


def test_a_median_keeps_its_halves_where_the_result_has_room_for_them(cnntool):
    np.save("four.npy", np.array([[1, 2], [3, 10]], np.uint8))
    for depth, expected in (("float", 2.5), ("16", 2.5 * 257)):
        words = ("--mode", "median", "--depth", depth, "-f", "-o", "out.npy")
        assert cnntool("pool", "four.npy", *words).code == 0
        assert np.load("out.npy").item() == pytest.approx(expected, abs=0.5 * (depth == "16"))
    assert cnntool("pool", "four.npy", "-m", "median", "--pyramid", "1").lines[1] == "four.npy,2.5"


def test_pixels_too_large_to_be_added_up_are_refused(cnntool):
    np.save("big.npy", np.full((4, 4), 1e38, np.float32))
    done = cnntool("pool", "big.npy", "--mode", "average", "-o", "out.npy")
    assert (done.code, "beyond 1e+15" in one_line(done.err)) == (1, True)
    assert cnntool("pool", "big.npy", "-o", "out.npy").code == 0  # a maximum adds nothing up


def test_values_beyond_32_bit_floats_are_named_as_such(cnntool):
    np.save("huge.npy", np.full((4, 4), 1e300))
    assert "beyond 3.4e+38" in one_line(cnntool("pool", "huge.npy", "-o", "out.npy").err)


def test_padding_and_black_do_not_mix(cnntool):
    done = cnntool("pool", "grey.png", "--size", "3", "--padding", "1", "--edge", "pad")
    assert done.code == 2
    assert "use one" in done.err


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["--size", "3", "--padding", "1"], "grey-max-pool-3-padding-1.png"),
        (["--size", "3", "--padding", "0x1"], "grey-max-pool-3-padding-0x1.png"),
        (["--size", "3", "--stride", "3"], "grey-max-pool-3.png"),
        (["--size", "3", "--dilation", "1x2"], "grey-max-pool-3-dilation-1x2.png"),
        (["--size", "7", "--edge", "drop"], "grey-max-pool-7-edge-drop.png"),
        (
            ["--mode", "lp", "--p", "3", "--sum", "--output-size", "2"],
            "grey-lp-pool-to-2-sum-p-3.png",
        ),
    ],
)
def test_whatever_changes_the_result_is_in_its_name(cnntool, words, name):
    assert cnntool("pool", "grey.png", *words).lines == [name]


def test_a_table_of_different_depths_says_so(cnntool):
    Image.fromarray(np.full((4, 4), 128, np.uint8)).save("same8.png")
    Image.fromarray(np.full((4, 4), 32896, np.uint16)).save("same16.png")
    done = cnntool("pool", "same8.png", "same16.png", "--pyramid", "1")
    assert done.code == 0
    assert "white is 255 here and 65535 there" in one_line(done.err)
    assert cnntool("pool", "same8.png", "same8.png", "--pyramid", "1").err == ""
    assert cnntool("pool", "same8.png", "same16.png", "--pyramid", "1", "-q").err == ""
    np.save("colour16.npy", np.zeros((4, 4, 3), np.uint16))  # is left out
    assert "white" not in cnntool("pool", "same8.png", "colour16.npy", "--pyramid", "1").err


def test_a_level_is_named_once(cnntool):
    done = cnntool("pool", "grey.png", "--pyramid", "1,2,2")
    assert (done.code, "level 2 stands twice" in done.err) == (2, True)


@pytest.mark.parametrize("dtype", [np.int64, np.uint32, np.float64, ">f8"])
@pytest.mark.parametrize("mode", ["max", "min", "median", "average"])
def test_wide_numbers_of_an_array_keep_all_their_digits(cnntool, dtype, mode):
    """2^24 + 1 is the first whole number that float32 does not have."""
    np.save("wide.npy", np.full((2, 4), 2**24 + 1).astype(dtype))
    assert cnntool("pool", "wide.npy", "--mode", mode, "-o", "out.npy").err == ""
    assert np.load("out.npy").dtype == np.float64
    assert np.load("out.npy").tolist() == [[2**24 + 1] * 2]
    table = cnntool("pool", "wide.npy", "--mode", mode, "--pyramid", "1").lines
    assert table[1] == "wide.npy,16777217"
    np.save("narrow.npy", np.ones((2, 4), np.float32))
    cnntool("pool", "narrow.npy", "-o", "narrow-out.npy")
    assert np.load("narrow-out.npy").dtype == np.float32


def test_whole_numbers_that_no_float_has_are_refused(cnntool):
    np.save("huge.npy", np.array([[2**60 + 1]]))
    done = cnntool("pool", "huge.npy")
    assert done.code == 1
    assert "whole numbers beyond 9,007,199,254,740,992" in done.err


def test_a_median_that_takes_minutes_is_told_before(cnntool, folder, monkeypatch):
    monkeypatch.setattr("cnntool.cli.pool.LONG", 1e-6)
    np.save("floats.npy", np.random.default_rng(0).random((60, 70)).astype(np.float32))
    counted = ["--mode", "median", "--size", "31", "--stride", "1"]
    done = cnntool("pool", "floats.npy", *counted)
    assert done.code == 0
    assert one_line(done.err).startswith("floats.npy: the median of 961 pixels around each takes")
    assert cnntool("pool", "floats.npy", *counted, "-fq").err == ""
    apart = cnntool("pool", "floats.npy", "--mode", "median", "--size", "9", "-f")  # partitioned
    assert one_line(apart.err).startswith("floats.npy: the median of 81 pixels around each takes")
    monkeypatch.setattr("cnntool.cli.pool.LONG", 0.1)
    assert cnntool("pool", "floats.npy", *counted, "-f").err == ""


def test_jpeg_2000_keeps_16_bits_of_grey_and_says_what_it_loses_of_colour(cnntool):
    deep = np.random.default_rng(3).integers(0, 65536, (8, 6, 3)).astype(np.uint16)
    Image.fromarray(deep[..., 0]).save("deep.png")
    done = cnntool("pool", "deep.png", "--size", "1", "-o", "grey.jp2")
    assert (done.code, done.err) == (0, "")
    np.testing.assert_array_equal(pixels("grey.jp2"), deep[..., 0])
    np.save("deep.npy", deep)
    done = cnntool("pool", "deep.npy", "--white", "65535", "--size", "1", "-o", "color.jp2")
    assert done.code == 0
    assert pixels("color.jp2").dtype == np.uint8
    done = cnntool("pool", "deep.npy", "--white", "65535", "--depth", "16", "-o", "no.jp2")
    assert done.code == 1
    assert "cannot hold 16 bits but in grey without alpha: use PNG" in one_line(done.err)


@pytest.mark.parametrize("name", ["marked.jpg", "marked.jp2"])
def test_winners_of_a_deep_picture_are_marked_at_the_depth_of_the_result(cnntool, name):
    deep = np.arange(24, dtype=np.uint16).reshape(4, 6) * 2000
    Image.fromarray(deep).save("deep.png")
    done = cnntool("pool", "deep.png", "--show-winners", "-o", name)
    assert done.code == 0, done.err
    assert (pixels(name).dtype, pixels(name).shape) == (np.uint8, (4, 6, 3))


@pytest.mark.parametrize("options", [[], ["--pyramid", "1,2"]])
def test_a_white_that_no_pixel_heeds_is_noted(cnntool, options):
    done = cnntool("pool", "grey.png", "--white", "7", *options)
    assert "--white 7 is for floats, and does nothing: these are 8 bits" in one_line(done.err)
    np.save("floats.npy", np.ones((4, 4), np.float32))
    assert cnntool("pool", "floats.npy", "--white", "7", *options).err == ""


def test_the_help_tells_the_largest_median_and_the_folder_of_a_named_file(cnntool):
    said = " ".join(cnntool("pool", "--help").out.decode().split())
    assert "median, of windows of 32,767 pixels at the most" in said
    assert "or that a file was named with, a/b of a/b/cat.png" in said

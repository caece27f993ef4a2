"""`cnntool convolve` end to end, from files and pipes: results, places, reports and errors."""

import io
import json
import os

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from processes import pixels
from scipy import ndimage

from cnntool.imaging.kernels import build


def one_line(text: str) -> str:
    """The only line of a text; fails where there are none or several."""
    (line,) = text.splitlines()
    return line


def test_the_main_job(cnntool):
    done = cnntool("convolve", "grey.png", "--kernel", "sobel", "-q")
    assert (done.code, done.lines, done.err) == (0, ["grey-sobel.png"], "")
    grey = pixels("grey.png").astype(float)
    expected = np.hypot(ndimage.sobel(grey, 0), ndimage.sobel(grey, 1))
    np.testing.assert_array_equal(pixels("grey-sobel.png"), np.minimum(np.rint(expected), 255))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-k", "1/9 1/9 1/9; 1/9 1/9 1/9; 1/9 1/9 1/9"], lambda x: ndimage.uniform_filter(x, 3)),
        (["-k", "gaussian", "--sigma", "2"], lambda x: ndimage.gaussian_filter(x, 2)),
        (
            ["-k", "gaussian:sigma=2", "--border", "symmetric"],
            lambda x: ndimage.gaussian_filter(x, 2),
        ),
        (
            ["-k", "gaussian:sigma=2", "--border", "constant:50"],
            lambda x: ndimage.gaussian_filter(x, 2, mode="constant", cval=50),
        ),
        (["-k", "box", "--stride", "2x3"], lambda x: ndimage.uniform_filter(x, 3)[::2, ::3]),
        (["-k", "box", "--padding", "valid"], lambda x: ndimage.uniform_filter(x, 3)[1:-1, 1:-1]),
        (
            ["-k", "1 2 3 4", "--normalize", "--flip", "--border", "mirror"],
            lambda x: ndimage.convolve(x, np.array([[1, 2, 3, 4]]) / 10, mode="mirror"),
        ),
        (
            ["-k", "box", "--dilation", "2"],
            lambda x: ndimage.correlate(x, np.kron(np.ones((3, 3)), [[1, 0], [0, 0]])[:5, :5] / 9),
        ),
        (
            ["-k", "gaussian", "-k", "laplacian", "--scale", "2", "--bias", "100"],
            lambda x: 2 * ndimage.laplace(ndimage.gaussian_filter(x, 1)) + 100,
        ),
    ],
)
def test_options_do_what_scipy_does(cnntool, arguments, expected):
    done = cnntool("convolve", "grey.png", *arguments, "-q", "-o", "out.npy")
    assert done.code == 0, done.err
    found = np.load("out.npy")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected(pixels("grey.png").astype(float)), atol=2e-3)


@pytest.mark.parametrize("depth", [[], ["--depth", "16"], ["--depth", "float", "--scale", "2"]])
def test_scale_and_offset_of_a_kernel_are_those_of_the_picture(cnntool, folder, depth):
    data = {"width": 3, "height": 3, "kernel": [-1, 0, 1, -2, 0, 2, -1, 0, 1]}
    (folder / "k.json").write_text(json.dumps(data | {"scale": 8, "offset": 128}))
    done = cnntool("convolve", "grey.png", "-k", "k.json", *depth, "-o", "out.tiff")
    assert done.code == 0, done.err
    sobel = ndimage.sobel(pixels("grey.png").astype(float), 1) / 8 + 128
    times = {"16": 257, "float": 2}.get((depth or ["", "8"])[1], 1)
    expected = times * sobel if "float" in depth else np.rint(times * sobel)
    np.testing.assert_allclose(pixels("out.tiff"), expected, atol=1e-3)
    between = cnntool("convolve", "grey.png", "-k", "k.json", "-k", "1/2", "-o", "half.npy")
    assert between.code == 0, between.err
    np.testing.assert_allclose(np.load("half.npy"), sobel / 2, atol=1e-3)


def test_a_kernel_file(cnntool, folder):
    (folder / "my kernel.csv").write_text("0,1,0\n1,-4,1\n0,1,0\n")
    done = cnntool("convolve", "grey.png", "-k", "my kernel.csv", "-q")
    assert done.lines == ["grey-my kernel.png"]
    expected = np.minimum(np.abs(ndimage.laplace(pixels("grey.png").astype(float))), 255)
    np.testing.assert_array_equal(pixels("grey-my kernel.png"), expected)


class TestPlaces:
    """Names, folders, templates, and what is refused before any work."""

    def test_a_file_that_exists_is_kept_unless_forced(self, cnntool, folder):
        (folder / "out.png").write_bytes(b"precious")
        done = cnntool("convolve", "grey.png", "-k", "box", "-o", "out.png")
        assert done.code == 1
        assert one_line(done.err) == "grey.png: out.png exists: -f overwrites it"
        assert (folder / "out.png").read_bytes() == b"precious"
        assert cnntool("convolve", "grey.png", "-k", "box", "-o", "out.png", "-f").code == 0
        assert pixels("out.png").shape == (30, 40)

    def test_a_folder(self, cnntool, folder):
        done = cnntool("convolve", "grey.png", "photo.jpg", "-k", "box", "-o", "out/")
        assert done.lines == ["out/grey-box.png", "out/photo-box.jpg"]

    def test_a_template(self, cnntool):
        done = cnntool(
            "convolve",
            "grey.png",
            "photo.jpg",
            "-k",
            "box",
            "-o",
            "new/{number}-{stem}-{kernel}.webp",
        )
        assert done.lines == ["new/1-grey-box.webp", "new/2-photo-box.webp"]

    def test_an_explicit_name_is_kept_and_others_tell_what_was_done(self, cnntool):
        arguments = ["convolve", "grey.png", "-q", "-k", "sobel", "--combine"]
        assert cnntool(*arguments, "orientation").lines == ["grey-sobel-orientation.png"]
        assert cnntool(*arguments, "orientation", "-o", "a.png").lines == ["a.png"]
        assert cnntool(*arguments, "none").lines == ["grey-sobel-x.png", "grey-sobel-y.png"]
        assert cnntool(*arguments, "none", "-o", "b.png").lines == [
            "b-sobel-x.png",
            "b-sobel-y.png",
        ]

    def test_a_tree_keeps_its_folders(self, cnntool, folder):
        for place in ("in/a/x.png", "in/b/x.png", "in/b/notes.txt"):
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).write_bytes((folder / "grey.png").read_bytes())
        done = cnntool("convolve", "in", "-r", "-k", "box", "-o", "out/")
        assert done.lines == ["out/a/x-box.png", "out/b/x-box.png"]

    @pytest.mark.parametrize(
        ("name", "template", "written"),
        [
            ("...png", "o/p/{stem}/x.png", "o/p/__/x.png"),
            ("..png", "o/p/{stem}/x.png", "o/p/_/x.png"),
            ("...png", "../here/o/{stem}/x.png", "../here/o/__/x.png"),
        ],
    )
    def test_a_name_from_data_leads_to_no_other_folder(
        self, cnntool, folder, monkeypatch, name, template, written
    ):
        (folder / "here").mkdir()
        os.rename("grey.png", f"here/{name}")
        monkeypatch.chdir("here")
        done = cnntool("convolve", name, "-k", "box", "-o", template)
        assert (done.code, done.lines) == (0, [written])
        assert sorted(path.name for path in folder.iterdir()) == ["colour.png", "here", "photo.jpg"]

    def test_the_folder_of_a_named_file_is_the_one_it_was_named_with(self, cnntool, folder):
        for place in ("a/b/x.png", "c/x.png", "x.png"):
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).write_bytes((folder / "grey.png").read_bytes())
        names = ["a/b/x.png", "./c/x.png", "x.png"]
        done = cnntool("convolve", *names, "-k", "box", "-o", "o/{folder}/{stem}.png")
        assert done.lines == ["o/a/b/x.png", "o/c/x.png", "o/x.png"]
        outside = f"a/../../{folder.name}/c/x.png"
        done = cnntool("convolve", outside, "-k", "box", "-o", "p/{folder}/{stem}.png")
        assert done.lines == [f"p/a/{folder.name}/c/x.png"]
        done = cnntool("convolve", folder / "c/x.png", "-k", "box", "-o", "p/{folder}/{stem}.png")
        assert done.lines == [f"p{folder / 'c/x.png'}"]

    def test_two_results_in_one_place_are_refused_before_any_work(self, cnntool, folder):
        (folder / "sub").mkdir()
        (folder / "sub" / "grey.png").write_bytes((folder / "grey.png").read_bytes())
        done = cnntool("convolve", "grey.png", "sub/grey.png", "-k", "box")
        assert done.code == 2
        assert "would both be written to grey-box.png" in one_line(done.err)
        assert not (folder / "grey-box.png").exists()

    def test_overwriting_another_input_is_refused(self, cnntool, folder):
        done = cnntool(
            "convolve", "grey.png", "colour.png", "-k", "box", "-f", "-o", "{number}.png"
        )
        assert done.code == 0
        done = cnntool("convolve", "1.png", "grey.png", "-k", "box", "-f", "-o", "{number}.png")
        assert done.code == 0  # 1.png becomes 1.png, in place
        done = cnntool("convolve", "grey.png", "1.png", "-k", "box", "-f", "-o", "{number}.png")
        assert (done.code, "which is an input too" in done.err) == (2, True)

    def test_a_single_file_for_several_images_is_refused(self, cnntool):
        done = cnntool("convolve", "grey.png", "colour.png", "-k", "box", "-o", "out.png")
        assert (done.code, "several images" in one_line(done.err)) == (2, True)

    def test_an_unknown_template_field_is_named(self, cnntool):
        done = cnntool("convolve", "grey.png", "-k", "box", "-o", "{steam}.png")
        assert (done.code, "{stem}" in one_line(done.err)) == (2, True)

    def test_an_unknown_extension_is_refused_before_any_work(self, cnntool):
        done = cnntool("convolve", "missing.png", "-k", "box", "-o", "out.pngg")
        assert (done.code, "did you mean .png" in one_line(done.err)) == (2, True)

    def test_skip_existing_goes_on_where_it_stopped(self, cnntool, folder):
        assert cnntool("convolve", "grey.png", "-k", "box", "-o", "out/").code == 0
        before = (folder / "out/grey-box.png").stat().st_mtime_ns
        done = cnntool(
            "convolve", "grey.png", "colour.png", "-k", "box", "-o", "out/", "--skip-existing"
        )
        assert (done.code, done.lines) == (0, ["out/colour-box.png"])
        assert (folder / "out/grey-box.png").stat().st_mtime_ns == before

    def test_names_with_spaces_and_other_letters(self, cnntool, folder):
        name = "ein Bild – 写真.png"
        (folder / name).write_bytes((folder / "grey.png").read_bytes())
        done = cnntool("convolve", name, "-k", "box")
        assert done.lines == ["ein Bild – 写真-box.png"]
        assert (folder / done.lines[0]).exists()

    def test_a_folder_without_recursive_is_named_and_the_rest_is_done(self, cnntool, folder):
        (folder / "sub").mkdir()
        done = cnntool("convolve", "sub", "grey.png", "-k", "box")
        assert (done.code, done.lines) == (1, ["grey-box.png"])
        assert one_line(done.err) == "sub is a folder: -r goes through it"


class TestManyImages:
    def test_one_bad_file_does_not_stop_the_others(self, cnntool, folder):
        (folder / "bad.png").write_bytes((folder / "grey.png").read_bytes()[:200])
        done = cnntool("convolve", "bad.png", "missing.png", "grey.png", "-k", "box", "-j", "2")
        assert (done.code, done.lines) == (1, ["grey-box.png"])
        first, second = done.err.splitlines()
        assert first.startswith("bad.png is cut short")
        assert second.startswith("missing.png")
        assert not list(folder.glob("bad-box*"))

    @pytest.mark.parametrize("jobs", [1, 3])
    def test_reports_come_in_the_order_of_the_inputs(self, cnntool, folder, jobs):
        names = [f"{i:02}.png" for i in range(12)]
        for i, name in enumerate(names):
            size = (400, 400) if i % 3 == 0 else (8, 8)
            Image.new("L", size, i).save(folder / name)
        done = cnntool("convolve", *names, "-k", "box", "-o", "out/", "--jobs", jobs)
        assert done.lines == [f"out/{i:02}-box.png" for i in range(12)]

    def test_json_is_one_line_an_image(self, cnntool):
        done = cnntool("convolve", "grey.png", "missing.png", "-k", "sobel-x", "-q", "--json")
        good, bad = map(json.loads, done.lines)
        assert good["outputs"][0]["path"] == "grey-sobel-x.png"
        assert good["outputs"][0]["lost"]["negative"] > 0
        assert (good["error"], bad["outputs"]) == (None, [])
        assert bad["error"].startswith("missing.png")

    def test_notes_of_one_kind_are_summed_up(self, cnntool, folder):
        for index in range(8):
            pixels_ = np.full((10, 10), 40, np.uint8)
            pixels_[:, : index + 1] = 200  # of 100 values so many tens are clipped
            Image.fromarray(pixels_).save(f"{index}.png")
        names = [f"{index}.png" for index in range(8)]
        arguments = ["-k", "identity", "--scale", "2", "-o", "out/"]
        done = cnntool("convolve", *names, *arguments)
        clipped = "of the values were above white and clipped (-o out.npy keeps everything)"
        assert done.err.splitlines() == [
            f"0.png: identity: 10% {clipped}",
            f"1.png: identity: 20% {clipped}",
            f"2.png: identity: 30% {clipped}",
            f"5 more: identity: 40 to 80% {clipped}",
        ]
        assert cnntool("convolve", *names, *arguments, "-f", "-q").err == ""

    def test_a_dry_run_writes_nothing(self, cnntool, folder):
        before = sorted(folder.iterdir())
        done = cnntool("convolve", "grey.png", "photo.jpg", "-k", "box:size=5", "--dry-run")
        assert done.code == 0
        assert done.lines[0].startswith(
            "grey.png: PNG 40x30, 1 x 8-bit -> grey-box-size5.png: 40x30 by "
        )
        assert "MB" in done.lines[1]
        assert sorted(folder.iterdir()) == before

    def test_a_dry_run_tells_the_fate_of_files_that_exist(self, cnntool, folder):
        (folder / "grey-box.png").write_bytes(b"")
        arguments = ["convolve", "grey.png", "-k", "box", "--dry-run"]
        for option, fate in ([], "refused"), (["-f"], "overwritten"), (["--skip-existing"], "kept"):
            assert f"(exists: {fate})" in cnntool(*arguments, *option).lines[0]
            (output,) = json.loads(cnntool(*arguments, *option, "--json").out)["outputs"]
            assert (output["path"], output["exists"]) == ("grey-box.png", fate)
        (output,) = json.loads(cnntool(*arguments, "-o", "new.png", "--json").out)["outputs"]
        assert (output["path"], output["exists"]) == ("new.png", None)

    def test_json_says_what_was_skipped(self, cnntool):
        assert cnntool("convolve", "grey.png", "-k", "box").code == 0
        done = cnntool("convolve", "grey.png", "-k", "box", "--skip-existing", "--json")
        assert json.loads(done.lines[0])["skipped"] is True

    def test_results_in_a_folder_are_no_inputs_of_the_next_run(self, cnntool, folder):
        arguments = ["convolve", ".", "-r", "-k", "box", "-o", "out/"]
        first = cnntool(*arguments)
        assert (first.code, len(first.lines)) == (0, 3)
        assert cnntool(*arguments, "-f").lines == first.lines

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
    def test_a_folder_with_a_fifo_in_it_does_not_hang(self, cnntool, folder):
        (folder / "in").mkdir()
        os.mkfifo(folder / "in" / "x.png")
        done = cnntool("convolve", "in", "-r", "-k", "box")
        assert (done.code, done.err.splitlines()) == (
            1,
            ["in holds no images that this tool reads", "in/x.png is no regular file: left out"],
        )
        (folder / "in" / "a.png").write_bytes((folder / "grey.png").read_bytes())
        done = cnntool("convolve", "in", "-r", "-k", "box")
        assert (done.code, done.lines) == (0, ["a-box.png"])
        assert one_line(done.err) == "in/x.png is no regular file: left out"


class TestPipes:
    def test_stdin_goes_to_stdout_as_png(self, cnntool, folder):
        done = cnntool("convolve", "-", "-k", "identity", stdin=(folder / "grey.png").read_bytes())
        assert done.code == 0
        np.testing.assert_array_equal(pixels(io.BytesIO(done.out)), pixels("grey.png"))

    def test_npy_between_two_commands_loses_nothing(self, cnntool, folder):
        data = (folder / "grey.png").read_bytes()
        first = cnntool(
            "convolve", "-", "-k", "gaussian:sigma=2", "-o", "-", "--format", "npy", stdin=data
        )
        second = cnntool("convolve", "-", "-k", "laplacian", "-q", "-o", "b.npy", stdin=first.out)
        assert second.code == 0, second.err
        both = cnntool(
            "convolve", "grey.png", "-k", "gaussian:sigma=2", "-k", "laplacian", "-q", "-o", "c.npy"
        )
        assert both.code == 0
        np.testing.assert_array_equal(np.load("b.npy"), np.load("c.npy"))

    def test_an_animation_keeps_its_frames_on_stdout(self, cnntool):
        frames = [Image.new("L", (10, 10), 60 * i) for i in range(4)]
        frames[0].save("a.gif", save_all=True, append_images=frames[1:], duration=50)
        done = cnntool("convolve", "a.gif", "-k", "box", "-o", "-", "--format", "gif")
        with Image.open(io.BytesIO(done.out)) as result:
            assert result.n_frames == 4

    def test_feature_maps_stack_into_one_npy_on_stdout(self, cnntool):
        done = cnntool(
            "convolve",
            "grey.png",
            "-k",
            "sobel",
            "--combine",
            "none",
            "-q",
            "-o",
            "-",
            "--format",
            "npy",
        )
        assert np.load(io.BytesIO(done.out)).shape == (30, 40, 2)

    def test_feature_maps_do_not_fit_into_a_png_on_stdout(self, cnntool):
        done = cnntool("convolve", "grey.png", "-k", "sobel", "--combine", "none", "-q", "-o", "-")
        assert (done.code, done.out) == (2, b"")
        assert "--format npy" in one_line(done.err)

    @pytest.mark.parametrize("data", [b"", b"hello", b"\x89PNG\r\n\x1a\n"])
    def test_what_is_no_image_is_said_in_a_line(self, cnntool, data):
        done = cnntool("convolve", "-", "-k", "box", stdin=data)
        assert (done.code, done.out) == (1, b"")
        assert one_line(done.err).startswith("stdin")

    def test_json_and_the_image_cannot_share_stdout(self, cnntool, folder):
        done = cnntool(
            "convolve", "-", "-k", "box", "--json", stdin=(folder / "grey.png").read_bytes()
        )
        assert (done.code, "--json" in one_line(done.err)) == (2, True)

    def test_stdin_twice_is_refused(self, cnntool):
        done = cnntool("convolve", "-", "-", "-k", "box", "-o", "out/")
        assert (done.code, "once" in one_line(done.err)) == (2, True)


class TestWhatIsSaid:
    def test_losses_are_reported(self, cnntool):
        done = cnntool("convolve", "grey.png", "-k", "sobel-x")
        loss = one_line(done.err)
        assert loss.startswith("sobel-x: ")
        assert "of the values were negative and are shown as their absolute value" in loss
        assert loss.endswith("(--range offset keeps the sign, -o out.npy keeps everything)")

    @pytest.mark.parametrize(
        ("arguments", "noted"),
        [
            (["-k", "emboss"], True),
            (["-k", "emboss", "--flip"], False),
            (["-k", "emboss", "-q"], False),
            (["-k", "sobel"], False),
            (["-k", "sobel-x"], False),  # its absolute value is shown
            (["-k", "sobel-x", "--range", "offset"], True),
            (["-k", "gaussian"], False),
            (["-k", "kirsch"], False),
            (["-k", "1 2 3"], True),
        ],
    )
    def test_correlation_is_mentioned_where_convolution_differs(self, cnntool, arguments, noted):
        done = cnntool("convolve", "grey.png", *arguments, "-o", "out.png")
        assert ("--flip gives true convolution" in done.err) == noted

    def test_an_almost_black_result_is_remarked_on(self, cnntool):
        done = cnntool("convolve", "grey.png", "-k", "box", "--scale", "0.05")
        assert "almost black (--range stretch uses all levels)" in one_line(done.err)

    def test_a_float_image_up_to_one_gets_a_hint(self, cnntool):
        np.save("unit.npy", np.random.default_rng(0).random((9, 9), np.float32))
        done = cnntool("convolve", "unit.npy", "-k", "box", "-o", "unit.png")
        assert "--white 1" in one_line(done.err)
        done = cnntool("convolve", "unit.npy", "-k", "box", "-o", "unit.png", "-f", "--white", "1")
        assert (done.code, done.err) == (0, "")
        assert pixels("unit.png").max() > 100

    @pytest.mark.parametrize("flip", [(), ("--flip",)])
    @pytest.mark.parametrize(
        ("kernel", "dilation", "said"),
        [
            ("1;0.5", "3x1", "its window reaches {} above and {} below, 0 left and 0 right of"),
            ("1 1 1 1", "1x3", "its window reaches 0 above and 0 below, {} left and {} right of"),
            ("1;0.5", "2x1", None),  # taps at -1 and +1
            ("1 2 3", "2", None),
        ],
    )
    def test_the_reach_of_a_dilated_even_kernel_is_where_an_impulse_shows(
        self, cnntool, kernel, dilation, said, flip
    ):
        impulse = np.zeros((41, 41), np.float32)
        impulse[20, 20] = 1
        np.save("dot.npy", impulse)
        options = ("-k", kernel, "--dilation", dilation, *flip, "-o", "out.npy")
        done = cnntool("convolve", "dot.npy", *options)
        assert ("even size" in done.err) == (said is not None)
        if said:
            rows, columns = np.nonzero(np.load("out.npy"))
            along = rows if "x1" in dilation else columns
            # the impulse lies before the pixels that see it with their last taps
            reach = along.max() - 20, 20 - along.min()
            assert said.format(*reach) in done.err

    def test_the_anchor_is_not_stated_where_nothing_is_centred(self, cnntool):
        assert (
            "anchor" not in cnntool("convolve", "grey.png", "-k", "1 1", "--padding", "valid").err
        )

    def test_the_anchor_of_an_even_kernel_is_stated(self, cnntool):
        done = cnntool("convolve", "grey.png", "-k", "1 1; 1 1")
        assert "anchor is row 1, column 1" in done.err

    def test_show_draws_and_writes_nothing(self, cnntool, folder):
        before = sorted(folder.iterdir())
        done = cnntool("convolve", "grey.png", "-k", "box", "--show")
        assert (done.code, done.out) == (0, b"")
        assert len(done.err.splitlines()) >= 10
        assert sorted(folder.iterdir()) == before


class TestDepths:
    def test_sixteen_bits_stay(self, cnntool):
        deep = np.random.default_rng(1).integers(0, 65536, (20, 20), dtype=np.uint16)
        Image.fromarray(deep).save("deep.png")
        assert cnntool("convolve", "deep.png", "-k", "identity", "-o", "out.png").code == 0
        np.testing.assert_array_equal(pixels("out.png"), deep)

    def test_sixteen_bits_into_jpeg_are_scaled_and_said_so(self, cnntool):
        Image.fromarray(np.full((8, 8), 0x8080, np.uint16)).save("deep.png")
        done = cnntool("convolve", "deep.png", "-k", "identity", "-o", "out.jpg")
        assert done.code == 0
        assert "8 bits" in one_line(done.err)
        assert np.abs(pixels("out.jpg").astype(int) - 128).max() <= 1

    def test_depth_converts_both_ways(self, cnntool):
        assert (
            cnntool(
                "convolve", "grey.png", "-k", "identity", "--depth", "16", "-o", "deep.png"
            ).code
            == 0
        )
        np.testing.assert_array_equal(pixels("deep.png"), pixels("grey.png").astype(int) * 257)
        assert (
            cnntool("convolve", "deep.png", "-k", "identity", "--depth", "8", "-o", "back.png").code
            == 0
        )
        np.testing.assert_array_equal(pixels("back.png"), pixels("grey.png"))

    def test_grey_is_pillows(self, cnntool):
        assert (
            cnntool("convolve", "colour.png", "-k", "identity", "--gray", "-o", "out.png").code == 0
        )
        with Image.open("colour.png") as colour:
            np.testing.assert_array_equal(pixels("out.png"), np.asarray(colour.convert("L")))

    def test_raw_values_beyond_the_format_are_clipped_and_counted(self, cnntool):
        done = cnntool("convolve", "grey.png", "-k", "sobel-x", "--range", "raw", "-o", "out.png")
        assert "negative and clipped to black" in done.err

    def test_alpha_into_jpeg_is_refused_by_name(self, cnntool):
        pixels_ = np.random.default_rng(2).integers(0, 256, (8, 8, 4), dtype=np.uint8)
        Image.fromarray(pixels_).save("clear.png")
        done = cnntool("convolve", "clear.png", "-k", "box", "-o", "out.jpg")
        assert done.code != 0
        assert "JPEG" in one_line(done.err)

    def test_opaque_alpha_goes_into_jpeg(self, cnntool):
        Image.new("RGBA", (8, 8), (10, 20, 30, 255)).save("opaque.png")
        assert cnntool("convolve", "opaque.png", "-k", "box", "-o", "out.jpg").code == 0

    def test_alpha_survives_a_pipe_of_npy(self, cnntool, folder):
        rgba = np.random.default_rng(3).integers(0, 256, (8, 8, 4), dtype=np.uint8)
        Image.fromarray(rgba).save("clear.png")
        first = cnntool("convolve", "clear.png", "-k", "box", "-o", "-", "--format", "npy")
        second = cnntool(
            "convolve", "-", "-k", "identity", "--alpha", "last", "-o", "b.png", stdin=first.out
        )
        assert second.code == 0, second.err
        assert cnntool("convolve", "clear.png", "-k", "box", "-o", "a.png").code == 0
        np.testing.assert_array_equal(pixels("b.png"), pixels("a.png"))
        done = cnntool("convolve", "grey.png", "-k", "box", "--alpha", "last")
        assert (done.code, "needs 2" in one_line(done.err)) == (1, True)

    def test_animations_keep_their_frames_and_times(self, cnntool):
        frames = [Image.new("L", (10, 10), 60 * i) for i in range(4)]
        frames[0].save(
            "a.gif", save_all=True, append_images=frames[1:], duration=[50, 100, 150, 200], loop=0
        )
        assert cnntool("convolve", "a.gif", "-k", "box").lines == ["a-box.gif"]
        with Image.open("a-box.gif") as result:
            times = []
            for index in range(result.n_frames):
                result.seek(index)
                times.append(result.info["duration"])
                assert np.asarray(result.convert("L"))[5, 5] == 60 * index
        assert times == [50, 100, 150, 200]

    def test_max_pixels_names_the_limit_and_the_flag(self, cnntool):
        done = cnntool("convolve", "grey.png", "-k", "box", "--max-pixels", "1k")
        assert done.code == 1
        assert "--max-pixels" in one_line(done.err)
        assert "1,000" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-k", "sobol"], "did you mean 'sobel'?"),
        (
            ["-k", "1 2; 3"],
            "kernel row 2 has 1 number, row 1 has 2: every row needs the same count",
        ),
        (["-k", "gaussian:sigma=0"], "sigma is 0"),
        (["-k", "gaussian:sigm=2"], "did you mean 'sigma'?"),
        (["-k", "nan 1"], "must be a finite number"),
        (["-k", ""], "the kernel is empty"),
        (["-k", "box", "-k", "box", "--size", "3"], "say which one it is for"),
        (["-k", "box", "--combine", "magnitude"], "nothing to combine"),
        (["-k", "box", "--stride", "0"], "expected 1 to 16384"),
        (["-k", "box", "--stride", "2x"], "expected N or HxW"),
        (
            ["-k", "box", "--border", "mirrored"],
            "did you mean 'mirror'?",
        ),
        (["-k", "box", "--border", "constant:x"], "'x' is not a number"),
        (["-k", "box", "--border", "miror"], "no border rule 'miror': did you mean 'mirror'?"),
        (
            ["-k", "box", "--border", "zap"],
            "no border rule 'zap': expected reflect, mirror, edge, wrap, constant",
        ),
        (["-k", "box", "--padding", "half"], "expected same, valid, full"),
        (["-k", "box", "--scale", "nan"], "out of range"),
        (["-k", "box", "--stride", "9" * 5000], "expected 1 to 16384"),
        (["-k", "box", "--padding", "9" * 5000], "expected 0 to 16384"),
        (["-k", "box", "--max-pixels", "9" * 400], "is not a number of pixels"),
        (["-k", "box", "--quality", "50", "-o", "x.png"], "PNG has none"),
        (["-k", "box", "-f", "--skip-existing"], "contradict"),
        (["-k", "box", "--jobs", "0"], "'0' is out of range: expected 1 to 256"),
        (["-k", "box", "--jobs", "x"], "'x' is not a whole number: expected 1 to 256"),
        (["-k", "box", "--combin", "none"], "Did you mean '--combine'?"),
        ([], "Missing option '-k' / '--kernel'"),
    ],
)
def test_mistakes_get_one_line_and_exit_code_2(cnntool, folder, arguments, message):
    before = sorted(folder.iterdir())
    done = cnntool("convolve", "grey.png", *arguments)
    assert (done.code, done.out) == (2, b"")
    assert message in one_line(done.err)
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "{stem:>99}.png"], "'{stem:>99}' is no field: expected one of {stem}"),
        (["-o", "{stem.__class__}.png"], "'{stem.__class__}' is no field: expected one of"),
        (["-o", "{.png"], "'{' is a brace alone: write it twice"),
        (["-o", "{stem:03}.png"], "'{stem:03}' is no field: expected one of"),
        (["-o", ""], "'-o' / '--output': the name is empty: name a file, a folder or -"),
        (["-o", "http://a.b/x.png"], "is an address: name a file, a folder or - here"),
        (["-o", "x.png", "--format", "jpeg"], "contradicts the name"),
        (["-o", "x.png", "--depth", "float"], "does not fit into x.png"),
        (["--stride", "99999"], "expected 1 to 16384"),
        (["--padding", "99999"], "expected 0 to 16384"),
        (["--scale", "1e38"], "out of range"),
        (["--white", "nan"], "out of range"),
        (["--white", "0"], "above 0"),
        (["--border", "constant:1e20"], "out of range"),
    ],
)
def test_wrong_values_get_one_line_and_exit_code_2(cnntool, arguments, message):
    done = cnntool("convolve", "grey.png", "-k", "box", *arguments)
    assert (done.code, done.out) == (2, b"")
    assert message in one_line(done.err)


def test_the_same_image_twice_is_named(cnntool):
    done = cnntool("convolve", "grey.png", "grey.png", "-k", "box")
    assert (done.code, "named twice" in one_line(done.err)) == (2, True)


def test_one_note_names_what_the_result_does_not_have(cnntool, folder):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "stripes")
    texts.add_itxt("XML:com.adobe.xmp", "<x/>")
    with Image.open(folder / "grey.png") as picture:
        picture.save(folder / "said.png", pnginfo=texts)
    done = cnntool("convolve", "said.png", "-k", "box", "-o", "out.png")
    assert one_line(done.err).endswith("left out of the result: text and XMP")


def test_transparency_that_is_kept_is_told(cnntool, folder):
    Image.new("RGBA", (9, 9), (200, 0, 0, 100)).save(folder / "clear.png")
    kept = cnntool("convolve", "clear.png", "-k", "box", "-o", "kept.png")
    assert "transparency stays as it is" in one_line(kept.err)
    dropped = cnntool("convolve", "clear.png", "-k", "box", "--alpha", "drop", "-o", "dropped.png")
    assert dropped.err == ""


def test_braces_and_digits_in_templates(cnntool):
    done = cnntool("convolve", "grey.png", "-k", "box", "-o", "{{{number:03}}}-{name}")
    assert done.lines == ["{001}-grey.png"]


def test_a_result_beyond_max_pixels_is_refused_before_any_work(cnntool):
    done = cnntool("convolve", "grey.png", "-k", "box", "--padding", "9000", "--max-pixels", "1M")
    assert done.code == 1
    assert "over the limit of 1,000,000" in one_line(done.err)


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_an_animation_into_jpeg_is_refused_before_any_work(cnntool, dry):
    frames = [Image.new("L", (10, 10), 60 * i) for i in range(4)]
    frames[0].save("a.gif", save_all=True, append_images=frames[1:], duration=50)
    done = cnntool("convolve", "a.gif", "-k", "box", "-o", "a.jpg", *dry)
    assert done.code == 1
    assert "holds one picture, not 4 frames" in one_line(done.err)


def test_pages_of_a_tiff_are_kept(cnntool):
    pages = [Image.new("L", (10, 10), 60 * i) for i in range(3)]
    pages[0].save("a.tif", save_all=True, append_images=pages[1:])
    assert cnntool("convolve", "a.tif", "-k", "box").lines == ["a-box.tif"]
    with Image.open("a-box.tif") as result:
        assert result.n_frames == 3


def test_a_kernel_larger_than_the_picture_fails_for_that_picture(cnntool):
    done = cnntool("convolve", "grey.png", "-k", "box:size=35", "--padding", "valid")
    assert done.code == 1
    assert "spans 35 does not fit into 30" in one_line(done.err)


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["convolve", "URL", "-k", "box"], "curl -L URL | cnntool convolve - reads"),
        (["predict", "m.npz", "URL"], "curl -L URL | cnntool predict - reads"),
        (["explain", "pool", "URL"], "curl -L URL | cnntool explain pool - reads"),
        (["train-cnn", "URL"], "curl -LO URL fetches"),
        (["train-lstm", "URL"], "curl -L URL | cnntool train-lstm - reads"),
        (["info", "URL"], "curl -LO URL fetches"),
    ],
)
def test_an_address_is_answered_with_what_reads_it(cnntool, arguments, remedy):
    address = "https://example.org/a.png?size=3&kind=b"
    done = cnntool(*(word.replace("URL", address) for word in arguments))
    assert (done.code, done.out) == (2, b"")
    assert f"{address} is an address: " in one_line(done.err)
    assert remedy.replace("URL", f"'{address}'") in done.err


@pytest.mark.parametrize(
    ("dtype", "kernel"), [("float64", "gaussian"), ("float64", "log"), ("int64", "sobel-x")]
)
def test_wide_numbers_of_an_array_are_computed_to_their_own_digits(cnntool, dtype, kernel):
    values = (np.random.default_rng(0).normal(size=(40, 50)) * 1e9).astype(dtype)
    np.save("wide.npy", values)
    (weights,) = build(kernel).bank
    cnntool("convolve", "wide.npy", "-k", kernel, "-o", "out.npy")
    out = np.load("out.npy")
    assert out.dtype == np.float64
    expected = ndimage.correlate(values.astype(float), weights, mode="reflect")
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-13 * np.abs(expected).max())


def test_one_pixel_far_above_all_others_changes_none_but_those_around_it(cnntool):
    """A disc of 41 x 41 over ones is 1 where it does not reach the hot pixel, in every type."""
    y, x = np.mgrid[-20:21, -20:21]
    disc = (x * x + y * y <= 400).astype(float)
    np.save("disc.npy", disc / disc.sum())
    hot = np.ones((90, 80))
    hot[20, 30] = 1e9
    expected = ndimage.correlate(hot, disc / disc.sum(), mode="reflect")
    for dtype, digits in ((np.float32, 1e-6), (np.float64, 1e-12)):
        np.save("hot.npy", hot.astype(dtype))
        cnntool("convolve", "hot.npy", "-k", "disc.npy", "-o", "out.npy", "-f")
        np.testing.assert_allclose(np.load("out.npy"), expected, rtol=digits)


def test_values_of_64_bits_lose_none_in_silence(cnntool):
    tifffile = pytest.importorskip("tifffile")
    values = np.random.default_rng(0).random((6, 7))
    tifffile.imwrite("wide.tif", values)
    np.save("wide.npy", values)
    for given, made in (("wide.tif", "made.npy"), ("wide.npy", "made.tif")):
        done = cnntool("convolve", given, "-k", "identity", "-o", made)
        assert "left out of the result: what of its 64-bit values no 32 bits hold" in done.err
    done = cnntool("convolve", "wide.npy", "-k", "identity", "-o", "same.npy")
    assert done.err == ""
    np.testing.assert_array_equal(np.load("same.npy").reshape(6, 7), values)


@pytest.mark.parametrize(
    ("options", "notes"),
    [
        ("--padding valid --border wrap", ["--border wrap does nothing: --padding valid"]),
        ("--padding 0 --border constant:9", ["--border constant does nothing: --padding 0"]),
        ("--white 100", ["--white 100 is for floats, and does nothing: these are 8 bits"]),
        (
            "--scale 2 --bias 1 --range stretch",
            ["--scale does nothing: --range stretch", "--bias does nothing: --range stretch"],
        ),
        ("--padding valid", []),
        ("--scale -1 --range stretch", []),
        ("--white 255", []),
    ],
)
def test_options_without_effect_are_noted(cnntool, options, notes):
    done = cnntool("convolve", "grey.png", "-k", "gaussian", *options.split())
    assert done.code == 0
    said = done.err.splitlines()
    assert len(said) == len(notes)
    assert all(map(str.startswith, said, notes)), said


def test_a_dry_run_counts_one_block_as_one(cnntool):
    assert (
        ", 1 block on " in cnntool("convolve", "grey.png", "-k", "sobel", "--dry-run").out.decode()
    )

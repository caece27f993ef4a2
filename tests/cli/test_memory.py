"""``--memory``: pictures in strips, by the bytes of the whole, within a limit that holds."""

from __future__ import annotations

import json
import subprocess
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from processes import COMMAND

from cnntool.cli.options import Reading
from cnntool.cli.strips import PictureFile, write_strips
from cnntool.files.formats import EXTENSIONS, FORMATS
from cnntool.files.image import Frame, Image
from cnntool.files.images import open_image, save_image

resource = pytest.importorskip("resource", reason="without limits of the address space")

IN_ROWS = ["npy", "ppm", "png", "tif", "jpg"]
WORK = {
    "sobel": ["convolve", "-k", "sobel"],
    "chain": ["convolve", "-k", "gaussian:sigma=2", "-k", "laplacian", "--range", "stretch"],
    "wrapped": ["convolve", "-k", "box:size=7", "--border", "wrap", "--stride", "2"],
    "bank": ["convolve", "-k", "kirsch", "--combine", "none"],
    "pool": ["pool", "--size", "3", "--stride", "2", "--mode", "average"],
    "filled": ["pool", "--size", "7", "--edge", "pad", "--mode", "median"],
}


@pytest.fixture
def limited(monkeypatch):
    """Strips, as low as blocks are, for what else would be whole: a list of what they make."""
    written: list = []

    def write(paths, *others, **settings):
        written.extend(paths)
        return write_strips(paths, *others, **settings)

    monkeypatch.setattr("cnntool.cli.image_job.write_strips", write)
    monkeypatch.setattr("cnntool.cli.image_route.EASY_BYTES", 0)
    monkeypatch.setattr("cnntool.cli.strips.GOOD_BYTES", 0)
    return written


@pytest.fixture(params=IN_ROWS)
def picture(request, folder) -> str:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (500, 613, 3), dtype=np.uint8)
    alpha = None
    if FORMATS[EXTENSIONS[f".{request.param}"]].alpha:
        alpha = random.integers(0, 256, (500, 613), dtype=np.uint8)
    name = f"photo.{request.param}"
    save_image(Image((Frame(pixels, alpha),), 255.0, "PNG"), name, overwrite=True)
    return name


def results(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@pytest.mark.parametrize("work", WORK)
def test_strips_give_the_pictures_and_words_of_the_whole(cnntool, picture, limited, work):
    command, *options = WORK[work]
    whole = cnntool(command, picture, *options, "-o", "whole/", "--json")
    assert whole.code == 0, whole.err
    strips = cnntool(command, picture, *options, "-o", "strips/", "--json", "--memory", "1G")
    assert (strips.code, strips.err) == (0, whole.err)
    assert {path.name for path in limited} == {path.name for path in Path("strips").iterdir()}
    assert strips.out.replace(b"strips/", b"whole/") == whole.out
    found, expected = results("strips"), results("whole")
    assert found.keys() == expected.keys()
    for name in expected:
        assert found[name] == expected[name]
        a, b = (open_image(f"{where}/{name}") for where in ("strips", "whole"))
        np.testing.assert_array_equal(a.frames[0].pixels, b.frames[0].pixels)
        if b.frames[0].alpha is not None:
            np.testing.assert_array_equal(a.frames[0].alpha, b.frames[0].alpha)
        assert a.metadata.dpi == b.metadata.dpi


@pytest.mark.parametrize("output", ["npy", "ppm", "png", "tif"])
@pytest.mark.parametrize("work", ["sobel", "pool"])
def test_a_hard_limit_of_the_address_space_is_kept(folder, output, work):
    """The picture and its result take twice as much and more."""
    side = 9000
    pixels = np.lib.format.open_memmap("large.npy", "w+", np.uint8, (side, side, 3))
    pixels[::8] = np.arange(side, dtype=np.uint8)[:, None]
    del pixels
    command, *options = WORK[work]
    limit = 350_000_000
    done = subprocess.run(
        [*COMMAND, command, "large.npy", *options, "-o", f"small.{output}", "--memory", "300M"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "OPENBLAS_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, f"small.{output}\n"), done.stderr
    Path("large.npy").unlink()
    assert Path(f"small.{output}").stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["photo.bmp", "-o", "out.png"], "photo.bmp is a BMP"),
        (["photo.ppm", "-o", "out.bmp"], "a BMP is written whole"),
        (["photo.ppm", "--show"], "--show draws the whole of it"),
        (["photo.ppm", "-o", "-"], "stdout takes it whole"),
    ],
)
def test_what_cannot_be_cut_is_refused_with_its_need(cnntool, folder, arguments, reason):
    pixels = np.zeros((3000, 4000, 3), np.uint8)
    Pillow.fromarray(pixels).save(arguments[0])
    done = cnntool("convolve", *arguments, "-k", "sobel", "--memory", "101M")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert (
        f"{arguments[0]} needs about 244.0 MB of memory as a whole, more than the 101.0" in done.err
    )
    assert reason in done.err
    assert not Path("out.png").exists()
    assert cnntool("convolve", *arguments, "-k", "sobel", "--memory", "1G", "-q").code in (0, 2)


def test_the_need_of_a_whole_counts_floats_of_npy(cnntool, folder):
    Pillow.new("RGB", (4000, 3000)).save("photo.webp")
    done = cnntool("convolve", "photo.webp", "-k", "box", "-o", "out.npy", "--memory", "101M")
    assert (done.code, "needs about 460.0 MB" in done.err) == (1, True), done.err  # 6 + 2 * 3 * 4


@pytest.mark.parametrize(
    ("work", "kind", "need"),
    [
        (["convolve", "-k", "box:size=3"], "RGB", 6 + 6),
        (["convolve", "-k", "kirsch", "--combine", "none"], "RGB", 6 + 27),  # 8 results
        (["convolve", "-k", "box:size=3"], "RGBA", 8 + 8 + 28),  # as floats, and their products
        (["pool", "--mode", "median", "--size", "3", "--stride", "1"], "RGB", 6 + 6),
        (["pool", "--mode", "average", "--size", "3", "--stride", "1"], "RGB", 6 + 6 + 24),
        (["pool", "--mode", "average", "--size", "2"], "RGB", 6 + 6 + 6),
    ],
)
def test_the_need_of_a_whole_counts_alpha_results_and_means(cnntool, folder, work, kind, need):
    """Bytes a pixel, beside the program; none of which was more when it was measured."""
    Pillow.new(kind, (4000, 3000)).save("photo.webp")
    done = cnntool(work[0], "photo.webp", *work[1:], "-o", "out/", "--memory", "101M")
    assert done.code == 1
    assert f"needs about {100 + 12 * need}.0 MB of memory as a whole" in done.err


def test_bins_are_refused_where_the_whole_is_too_large(cnntool, folder):
    Pillow.fromarray(np.zeros((3000, 4000, 3), np.uint8)).save("photo.ppm")
    done = cnntool("pool", "photo.ppm", "--global", "--memory", "101M")
    assert done.code == 1
    assert "bins are parts of the whole" in done.err


def test_too_little_for_a_strip_is_told_with_what_it_needs(cnntool, picture):
    done = cnntool("convolve", picture, "-k", "sobel", "--memory", "1M")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert f"{picture} needs about " in done.err
    assert "even in strips, more than the 1.0 MB that it may take: raise --memory" in done.err
    assert cnntool("convolve", picture, "-k", "sobel", "--memory", "much").code == 2


def test_several_at_a_time_share_it(cnntool, picture, limited):
    two = ["convolve", picture, "-k", "box:size=3", "--memory", "150M", "-o"]
    assert cnntool(*two, "out/", "--jobs", "1").code == 0
    Path("second").mkdir()
    Path(f"second/{picture}").write_bytes(Path(picture).read_bytes())
    two.insert(1, f"second/{picture}")
    done = cnntool(*two, "{number}.npy", "--jobs", "2")
    assert done.code == 1
    assert "more than the 75.0 MB" in done.err


def test_a_damaged_picture_leaves_nothing_half_written(cnntool, folder, limited):
    pixels = np.zeros((400, 500, 1), np.float32)
    pixels[390, 0] = np.nan
    np.save("nan.npy", pixels)
    done = cnntool("convolve", "nan.npy", "-k", "sobel", "-o", "out.npy", "--memory", "1G")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert not [path for path in Path().iterdir() if path.name.startswith(("out", ".cnntool"))]


def test_notes_are_those_of_the_whole(cnntool, folder, limited):
    """Alpha that is kept, dark results, clipped values: what is known of the whole alone."""
    dark = np.full((300, 300, 1), 3, np.uint8)
    np.save("dark.npy", dark / np.float32(255))
    for options in (["-o", "a.npy"], ["-o", "a.ppm"], ["-o", "a.ppm", "--range", "clip"]):
        said = [
            cnntool("convolve", "dark.npy", "-k", "box:size=3", *options, "-f", *memory).err
            for memory in ([], ["--memory", "1G"])
        ]
        assert said[0] == said[1]
    assert json.loads(cnntool("convolve", "dark.npy", "-k", "sobel", "--json", "-f").out)


@pytest.mark.parametrize("command", [["convolve", "-k", "box"], ["pool", "--pyramid", "1"]])
def test_a_pipe_is_within_it_or_refused(cnntool, folder, command):
    """A pipe is read whole: refused by its own bytes, or by those of the picture in them."""
    Pillow.fromarray(np.zeros((3000, 4000, 3), np.uint8)).save("photo.ppm")
    Pillow.fromarray(np.zeros((3000, 4000, 3), np.uint8)).save("photo.png")
    output = ["-o", "out.png" if command[0] == "convolve" else "out.csv"]
    for name, reason in (("photo.ppm", "a pipe goes not in strips"), ("photo.png", "as a whole")):
        piped = Path(name).read_bytes()
        done = cnntool(*command, "-", "--memory", "110M", *output, stdin=piped)
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert done.err.startswith("stdin ")
        assert reason in done.err
        assert not Path(output[1]).exists()
    assert cnntool(*command, "-", "--memory", "1G", *output, stdin=piped).code == 0
    within = Path(output[1]).read_bytes()
    assert cnntool(*command, "-", "-f", *output, stdin=piped).code == 0
    assert Path(output[1]).read_bytes() == within


def test_a_table_takes_no_more_than_that(cnntool, folder):
    Pillow.fromarray(np.zeros((3000, 4000, 3), np.uint8)).save("photo.png")
    done = cnntool("pool", "photo.png", "--pyramid", "1,2", "--memory", "110M")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "bins are parts of the whole" in done.err


@pytest.mark.parametrize("work", WORK)
def test_a_dry_run_tells_what_strips_take_and_what_is_refused(cnntool, folder, work):
    command, *options = WORK[work]
    Pillow.fromarray(np.zeros((3000, 4000, 3), np.uint8)).save("photo.ppm")
    told = [command, "photo.ppm", *options, "-o", "out/", "--dry-run"]
    assert ", in strips" in cnntool(*told).out.decode()  # which take less time than the whole
    found = cnntool(*told, "--memory", "200M", "--json")
    assert found.code == 0, found.err
    for output in json.loads(found.out)["outputs"]:
        assert output["in_strips"]
        assert 100 < output["megabytes"] <= 200
    assert ", in strips, about " in cnntool(*told, "--memory", "200M").out.decode()
    for words in (told, told[:-1]):
        done = cnntool(*words, "--memory", "1M", "-q")
        assert (done.code, done.out) == (1, b"")
        assert "even in strips, more than the 1.0 MB" in done.err
    assert not Path("out").exists()


def test_what_a_picture_is_like_is_told_without_its_pixels(folder):
    """Also where its last channel becomes alpha, which parts each pixel."""
    pixels = np.lib.format.open_memmap("photo.npy", "w+", np.float32, (3000, 2000, 4))
    tracemalloc.start()
    try:
        file = PictureFile(Path("photo.npy"), "photo.npy", Reading(alpha="last"))
        assert tracemalloc.get_traced_memory()[1] < pixels.nbytes // 10
    finally:
        tracemalloc.stop()
    layout = file.layout
    assert (layout.height, layout.width, layout.channels, layout.has_alpha) == (3000, 2000, 3, True)

"""`cnntool visualize`: each command from file to picture, its help, and what it refuses."""

import json
import re
import shlex
import shutil
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image
from processes import imported_by_help, pixels, run_here
from sequence_models import write_example_models
from text_models import write_text_models
from trained_models import darkness_model

from cnntool.cli.visualize import SUBJECTS, command
from cnntool.study.learned_kernels import load_banks
from cnntool.visuals import fonts
from cnntool.visuals.filter_sheet import LINE

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def here(folder, digits_run):
    """A folder with images, ``digits.npz`` and its log, ``colour.npy`` and ``plain.npz``."""
    for suffix in (".npz", ".jsonl"):
        shutil.copy(digits_run.with_suffix(suffix), f"digits{suffix}")
    np.save("colour.npy", np.random.default_rng(0).normal(size=(6, 3, 5, 5)))
    darkness_model(folder / "plain.npz")
    return folder


def lit(path) -> np.ndarray:
    """Where the lines between kernels are."""
    return (pixels(path) == LINE).all(axis=2)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("filters digits.npz", "digits-filters.png"),
        ("filters digits.npz --layer conv2", "digits-conv2-filters.png"),
        ("filters digits.npz --before", "digits-filters-before.png"),
        ("filters colour.npy --scale each", "colour-filters.png"),
        ("filters colour.npy --columns 2 -o out.jpg", "out.jpg"),
        ("evolution digits.npz", "digits-evolution.gif"),
        ("evolution digits.npz --scale minmax -o strip.png", "strip.png"),
        ("evolution digits.npz -o moving.webp", "moving.webp"),
        ("maps digits.npz grey.png", "digits-grey-maps.png"),
        ("maps digits.npz colour.png --layer conv2", "digits-colour-conv2-maps.png"),
        ("maps digits.npz photo.jpg --layer dense1", "digits-photo-dense1-maps.png"),
    ],
)
def test_a_picture_is_written_and_its_path_is_the_one_line(here, cnntool, words, name):
    done = cnntool("visualize", *words.split())
    assert (done.code, done.err) == (0, "")
    assert done.lines == [name]
    with Image.open(name) as picture:
        assert picture.width < 1700
        assert picture.height < 1700


def test_an_existing_picture_is_kept(here, cnntool):
    assert cnntool("visualize", "filters", "digits.npz").code == 0
    done = cnntool("visualize", "filters", "digits.npz")
    assert (done.code, done.out) == (1, b"")
    assert done.err == "cnntool: digits-filters.png exists: -f overwrites it\n"
    assert cnntool("visualize", "filters", "digits.npz", "-f").code == 0


def test_a_picture_goes_to_stdout_as_png(here, cnntool):
    for words in ("filters colour.npy", "evolution digits.npz", "maps digits.npz grey.png"):
        done = cnntool("visualize", *words.split(), "-o", "-")
        assert done.out.startswith(b"\x89PNG")


def test_the_grid_has_a_tile_for_every_filter(here, cnntool):
    cnntool("visualize", "filters", "digits.npz", "--columns", "4", "-o", "f.png")
    bank = load_banks("digits.npz").bank()
    columns = np.flatnonzero(lit("f.png").all(axis=0) | (lit("f.png").sum(axis=0) > 100))
    assert len(np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)) == len(bank) + 1


def test_an_evolution_has_a_frame_for_the_start_and_every_epoch(here, cnntool):
    cnntool("visualize", "evolution", "digits.npz")
    with Image.open("digits-evolution.gif") as moving:
        assert moving.n_frames == 4
        assert moving.info["loop"] == 0


def test_show_draws_in_the_terminal_and_writes_no_file(here, cnntool):
    for words in (
        "filters digits.npz --before",
        "evolution digits.npz",
        "maps digits.npz grey.png",
    ):
        before = set(here.iterdir())
        done = cnntool("visualize", *words.split(), "--show")
        assert (done.code, done.out) == (0, b"")
        assert len(done.err.splitlines()) > 20
        assert max(map(len, done.err.splitlines())) <= 80
        assert set(here.iterdir()) == before


def test_maps_in_the_terminal_end_in_the_likeliest_classes(here):
    done = run_here("visualize", "maps", "digits.npz", "grey.png", "--show")
    lines = done.err.splitlines()
    start = lines.index("output: softmax, probabilities")
    shares = [line.split("%")[0] for line in lines[start + 1 : -1]]
    assert len(shares) == 10
    assert sum(map(float, shares)) == pytest.approx(100, abs=0.6)
    likeliest = lines[start + 1].split()
    assert lines[-1] == f"grey.png through digits.npz: {likeliest[1]}, {likeliest[0]}"


def test_show_and_a_file_go_together(here, cnntool):
    done = cnntool("visualize", "maps", "digits.npz", "grey.png", "--show", "-o", "m.png")
    assert done.lines == ["m.png"]
    assert "conv2: conv 6 3x3, 6 x 2 x 2" in done.err


def test_maps_say_what_the_image_is_taken_for(here, cnntool):
    done = cnntool("visualize", "maps", "digits.npz", "grey.png", "--show")
    label, share = re.search(r"grey.png through digits.npz: (\d), ([\d.]+)%", done.err).groups()
    found = cnntool("predict", "digits.npz", "grey.png").lines[0].split("\t")
    assert label == found[1]
    assert float(share) == pytest.approx(100 * float(found[2]), abs=0.06)


def test_maps_take_stdin(here, cnntool):
    done = cnntool("visualize", "maps", "digits.npz", "-", stdin=(here / "grey.png").read_bytes())
    assert done.lines == ["digits-stdin-maps.png"]


def test_curves_without_a_file_are_drawn_on_stdout(here, cnntool):
    done = cnntool("visualize", "curves", "digits.npz", "digits.jsonl", "--measure", "loss")
    assert (done.code, done.err) == (0, "")
    assert done.lines[0] == "loss"
    assert sum("validation: " in line for line in done.lines) == 2


def test_curves_as_json_are_the_log(here, cnntool):
    done = cnntool("visualize", "curves", "digits.npz", "--json")
    (run,) = json.loads(done.out)
    rows = [json.loads(line) for line in Path("digits.jsonl").read_text().splitlines()]
    assert [each["epoch"] for each in run["epochs"]] == [1, 2, 3]
    for each, row in zip(run["epochs"], rows, strict=True):
        assert each["validation_accuracy"] == row["validation_accuracy"]
        assert each["training_loss"] == row["loss"]


def test_curves_go_to_a_file_with_matplotlib(here, cnntool):
    pytest.importorskip("matplotlib")
    done = cnntool("visualize", "curves", "digits.npz", "-o", "c.png")
    assert done.lines == ["c.png"]
    assert pixels("c.png").shape[0] > 300
    assert cnntool("visualize", "curves", "digits.npz", "-o", "c.svg", "--json").code == 0
    assert Path("c.svg").read_text().startswith("<?xml")


def test_curves_without_matplotlib_name_the_extra(here, cnntool, monkeypatch):
    for name in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, name, None)
    done = cnntool("visualize", "curves", "digits.npz", "-o", "c.png")
    assert done.code == 1
    assert "pip install 'cnntool[charts]'" in done.err
    assert not Path("c.png").exists()


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        ("filters digits.npz --layer conv3", 2, "only in conv1, conv2: did you mean 'conv2'?"),
        ("filters digits.npz --layer pool1", 2, "only in conv1, conv2: name one of those"),
        ("filters plain.npz", 1, "plain.npz has no convolution layer, so no filters"),
        ("filters colour.npy --before", 1, "colour.npy does not hold the random start"),
        ("filters digits.npz --before --layer conv2", 2, "--before is for conv1"),
        ("filters none.npz", 1, "none.npz does not exist: name a model file or weights"),
        ("filters grey.png", 1, "grey.png holds no weights"),
        ("filters digits.npz -o f.npy", 2, "-o f.npy: name a picture such as filters.png"),
        ("filters digits.npz -o f.txt", 2, "writes: use .png .apng .jpg .jpeg .jpe .jfif .tif"),
        ("filters digits.npz -o f.txt", 2, ".ppm .pnm .gif .avif .jp2 .j2k\n"),
        ("filters digits.npz -o f.pgm", 2, "-o f.pgm: .pgm has no colour: end it in .ppm or .png"),
        ("filters digits.npz -o digits.npz/f.png", 1, "digits.npz is no folder"),
        ("filters digits.npz --columns 0", 2, "'0' is out of range"),
        ("evolution colour.npy", 1, "colour.npy holds no filters of single epochs"),
        ("evolution plain.npz", 1, "plain.npz has no convolution layer"),
        ("maps digits.npz none.png", 1, "none.png"),
        ("maps digits.npz .", 1, ". is a folder: name one image"),
        ("maps digits.npz digits.jsonl", 1, "digits.jsonl"),
        ("maps colour.npy grey.png", 1, "colour.npy is no model file"),
        ("maps digits.npz grey.png --layer conv9", 2, "only of conv1, relu1, pool1, conv2"),
        ("maps digits.npz grey.png --own-size", 2, "leave out --own-size"),
        ("maps digits.npz grey.png colour.png", 2, "colour.png"),
        ("curves digits.npz -o - --json", 2, "--json and -o - both write to stdout: name a file"),
        ("curves digits.npz -o - --show", 2, "--show and -o - both write to stdout: name a file"),
        ("curves none.npz", 1, "none.npz does not exist: name a model file or a log"),
        ("filters .", 1, ". is a folder, not weights: name a file in it"),
        ("curves .", 1, ". is a folder, not a model file or a log: name one in it"),
        ("filters -", 1, "- is no file, and stdin cannot be read here: name a model file or w"),
        ("maps - grey.png", 1, "- is no file, and stdin cannot be read here: name a model file"),
        ("curves -", 1, "- is no file, and stdin cannot be read here: name a model file or a log"),
        ("curves grey.png", 1, "grey.png line 1 is no JSON object"),
        ("curves digits.npz -o c.gif", 2, "-o c.gif: end it in one of .png"),
        ("filtres digits.npz", 2, "no command 'filtres': did you mean 'filters'?"),
    ],
)
def test_what_is_wrong_is_one_line(here, cnntool, words, code, expected):
    before = set(here.iterdir())
    done = cnntool("visualize", *words.split())
    assert (done.code, done.out) == (code, b"")
    assert expected in done.err
    assert len(done.err.splitlines()) == 1
    assert set(here.iterdir()) == before


def test_convolve_takes_a_learned_filter(here, cnntool):
    done = cnntool("convolve", "colour.png", "-k", "digits.npz:conv1/2", "-q")
    assert done.lines == ["colour-conv1-2.png"]
    assert pixels("colour-conv1-2.png").min() == 0  # stretched from its least to its greatest
    assert pixels("colour-conv1-2.png").max() == 255
    done = cnntool("convolve", "grey.png", "-k", "digits.npz:conv1", "--combine", "none", "-q")
    assert done.lines == [f"grey-conv1-{index}.png" for index in range(4)]


def test_convolve_sums_the_channels_of_a_colour_filter(here, cnntool):
    done = cnntool("convolve", "colour.png", "-k", "colour.npy:conv1/1", "-q", "-o", "r.npy")
    assert done.code == 0
    assert np.load("r.npy").squeeze().shape == (30, 40)


@pytest.mark.parametrize(
    ("kernel", "code", "expected"),
    [
        (
            "digits.npz:conv1/4",
            2,
            "conv1 has 4 filters, and '4' is none of them: expected a number",
        ),
        ("digits.npz:conv3/0", 2, "only in conv1, conv2: did you mean 'conv2'?"),
        ("digits.npz:conv2/0", 2, "sees 4 maps of the layer before, not an image"),
        ("plain.npz:conv1/0", 1, "has no convolution layer"),
        ("none.npz:conv1/0", 1, "none.npz does not exist: name a model file"),
        ("colour.npy", 2, "or name FILE:conv1/0"),
    ],
)
def test_a_learned_filter_that_is_not_there_is_one_line(here, cnntool, kernel, code, expected):
    for words in (("convolve", "grey.png", "-k", kernel), ("kernels", kernel)):
        done = cnntool(*words)
        assert (done.code, done.out) == (code, b"")
        assert expected in done.err
        assert len(done.err.splitlines()) == 1


def test_other_commands_know_learned_filters(here, cnntool):
    assert "size" in cnntool("kernels", "digits.npz:conv1/0").out.decode()
    names = [
        each["name"]
        for each in json.loads(cnntool("kernels", "colour.npy:/0", "--json").out)["kernels"]
    ]
    assert names == ["conv1-0-red", "conv1-0-green", "conv1-0-blue"]
    assert cnntool("explain", "convolve", "grey.png", "-k", "digits.npz:conv1/0").code == 0
    done = cnntool("explain", "convolve", "colour.png", "-k", "colour.npy:/0")
    assert done.err.endswith("sums three channels: name one of them, as in colour.npy:conv1/0/0\n")
    assert cnntool("explain", "convolve", "colour.png", "-k", "colour.npy:conv1/0/0").code == 0


def examples(subject: str) -> list[str]:
    epilog = command.get_command(click.Context(command), subject).epilog
    return re.findall(r"^  cnntool (visualize .*)$", epilog, re.MULTILINE)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_example_in_the_help_works(here, subject):
    shutil.copytree(ROOT / "sample_images", "sample_images")
    shutil.copy("digits.jsonl", "shifted.jsonl")
    shutil.copy("digits.npz", "shifted.npz")
    write_text_models(here)
    write_example_models(here)
    assert len(examples(subject)) >= 4
    for example in examples(subject):
        if "curves.png" in example and not _has_matplotlib():
            continue
        done = run_here(*shlex.split(example.partition(" | ")[0]))
        assert done.code == 0, done.err
        assert f"visualize {subject} " in example


def _has_matplotlib() -> bool:
    try:
        import matplotlib
    except ImportError:
        return False
    return bool(matplotlib)


@pytest.mark.parametrize("words", [[], *([subject] for subject in SUBJECTS)])
def test_help_needs_neither_numpy_nor_pillow_nor_rich(words):
    assert imported_by_help("visualize", *words) == []


def test_a_layer_s_name_leads_to_no_other_folder(cnntool, folder):
    np.savez("w.npz", **{"../../x": np.random.default_rng(0).normal(size=(4, 1, 3, 3))})
    assert cnntool("visualize", "filters", "w.npz", "--layer", "../../x").lines == [
        "w-.._.._x-filters.png"
    ]
    template = "out/{kernel}/x.png"
    done = cnntool("convolve", "grey.png", "-k", "w.npz:../../x/0", "-o", template, "-q")
    assert done.code == 0
    assert (folder / "out").resolve() in (folder / done.lines[0]).resolve().parents


@pytest.fixture
def no_fonts(monkeypatch):
    """A system without fonts of its own, and that is forgotten afterwards."""
    monkeypatch.setattr(fonts, "_by_fontconfig", lambda letter: set())
    monkeypatch.setattr(fonts, "_of_charts", list)
    fonts._fonts_of_system.cache_clear()
    yield
    monkeypatch.undo()
    fonts._fonts_of_system.cache_clear()
    fonts.use(None)


def test_names_that_no_font_can_write_are_numbers_and_a_table_says_which(
    cnntool, here, no_fonts, monkeypatch
):
    darkness_model(here / "animals.npz", labels=("\u72ac", "\u043a\u043e\u0442"))
    done = cnntool("visualize", "maps", "animals.npz", "grey.png")
    first, *table = done.err.splitlines()
    assert first.startswith("no font here has the letters of ")
    assert "(CJK and cyrillic): name a font file that has them with --font FILE" in first
    assert ["#0", "is", "\u72ac"] in [line.split() for line in table]
    assert ["#1", "is", "\u043a\u043e\u0442"] in [line.split() for line in table]
    assert cnntool("visualize", "maps", "animals.npz", "grey.png", "-f", "-q").err == ""
    assert cnntool("visualize", "maps", "digits.npz", "grey.png").err == ""
    (here / "set" / "\u72ac").mkdir(parents=True)
    (here / "set" / "\u043a\u043e\u0442").mkdir()
    for name, shade in (("\u72ac", 0), ("\u043a\u043e\u0442", 250)):
        Image.new("L", (4, 4), shade).save(here / "set" / name / "a.png")
    words = ["evaluate", "animals.npz", "set", "--part", "all", "--confusion", "c.png"]
    done = cnntool(*words)
    assert "no font here has the letters of 2 texts" in done.err
    assert "no font" not in cnntool(*words, "-f", "-q").err


def test_a_font_file_writes_names(cnntool, here, no_fonts):
    pytest.importorskip("matplotlib")
    font = Path(pytest.importorskip("matplotlib").get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
    darkness_model(here / "animals.npz", labels=("\u043f\u0451\u0441", "\u043a\u043e\u0442"))
    words = ["visualize", "maps", "animals.npz", "grey.png", "--font", str(font)]
    assert cnntool(*words).err == ""
    done = cnntool("visualize", "filters", "digits.npz", "--font", "grey.png")
    assert (done.code, done.out) == (1, b"")
    assert done.err == (
        "cnntool: --font grey.png: no font: name a file of letters, such as one that ends in .ttf, "
        ".otf or .ttc\n"
    )

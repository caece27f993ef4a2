"""`cnntool predict`: a line an image, in order, whatever the image is like."""

import json
import os
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from labelled_images import save_picture
from PIL import Image
from processes import COMMAND
from trained_models import darkness_model, train_digits

from cnntool.networks.model_file import load_model, save_model


@pytest.fixture
def model(folder):
    return darkness_model(folder / "m.npz")


@pytest.mark.parametrize(
    "command",
    [
        ["predict", "m.npz", "several"],
        ["visualize", "maps", "m.npz", "several", "-o", "maps.png"],
        ["explain", "prediction", "m.npz", "several"],
        ["explain", "convolve", "several", "-k", "sobel"],
        ["explore", "m.npz", "several", "-o", "page.html"],
        ["explore", "several", "--kernel", "sobel", "-o", "page.html"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("kind", ["gif", "tif"])
def test_where_one_of_several_pictures_is_taken_that_is_said(model, cnntool, command, kind):
    grey = np.linspace(0, 120, 16, dtype=np.uint8).reshape(4, 4)
    frames = [Image.fromarray(each + grey) for each in np.array([1, 50, 100], np.uint8)]
    frames[0].save(f"several.{kind}", save_all=True, append_images=frames[1:])
    done = cnntool(*(f"several.{kind}" if word == "several" else word for word in command))
    assert done.code == 0, done.err
    what = "pages" if kind == "tif" else "frames"
    assert f"several.{kind} has 3 {what}: the first one is taken\n" in done.err


def test_deep_pictures_that_are_nearly_black_are_told_once(model, cnntool):
    for number in range(3):
        Image.fromarray(np.full((4, 4), 4000 + number, np.uint16)).save(f"{number}.png")
    first, more = cnntool("predict", model, "0.png", "1.png", "2.png").err.splitlines()
    assert first.startswith("0.png: 65535 is taken for white, and its values end at 4000: ")
    assert more.startswith("2 more: 65535 is taken for white, and its values end at 4001 to 4002: ")


def light(grey: float) -> float:
    return 1 / (1 + np.exp(-8 * (grey - 0.5)))


def test_a_line_has_path_label_and_probability(cnntool, model, folder):
    save_picture(folder / "a.png", np.full((4, 4), 204, np.uint8))
    save_picture(folder / "b.png", np.full((4, 4), 51, np.uint8))
    done = cnntool("predict", "m.npz", "b.png", "a.png")
    assert (done.code, done.err) == (0, "")
    p = f"{light(0.8):.4f}"
    assert done.lines == [f"b.png\tdark\t{p}", f"a.png\tlight\t{p}"]


def test_top_gives_pairs_and_no_more_than_there_are(cnntool, model, folder):
    save_picture(folder / "a.png", np.full((4, 4), 204, np.uint8))
    p = light(0.8)
    line = f"a.png\tlight\t{p:.4f}\tdark\t{1 - p:.4f}"
    assert cnntool("predict", "m.npz", "a.png", "--top", "2").lines == [line]
    assert cnntool("predict", "m.npz", "a.png", "--top", "9").lines == [line]


def test_json_has_one_line_an_image(cnntool, model, folder):
    for index, grey in enumerate((0, 255)):
        save_picture(folder / f"{index}.png", np.full((4, 4), grey, np.uint8))
    done = cnntool("predict", "m.npz", "0.png", "1.png", "--json", "--top", "2")
    first, second = map(json.loads, done.lines)
    assert (first["image"], first["label"]) == ("0.png", "dark")
    assert [pair["label"] for pair in second["top"]] == ["light", "dark"]
    assert second["probability"] == pytest.approx(light(1), abs=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("mode", "colour", "grey"),
    [
        ("L", 204, 0.8),
        ("RGB", (204, 204, 204), 0.8),
        ("LA", (0, 0), 1.0),  # transparent: white
        ("RGBA", (204, 204, 204, 255), 0.8),
        ("P", 0, 0.0),
        ("1", 1, 1.0),
        ("I;16", 52428, 0.8),
    ],
)
def test_every_kind_of_image_is_prepared(cnntool, folder, channels, mode, colour, grey):
    darkness_model(folder / "m.npz", channels=channels)
    Image.new(mode, (50, 33), colour).save("a.png")
    done = cnntool("predict", "m.npz", "a.png", "--json", "--top", "2")
    assert done.code == 0, done.err
    found = {pair["label"]: pair["probability"] for pair in json.loads(done.out)["top"]}
    assert found["light"] == pytest.approx(light(grey), abs=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("name", "options"),
    [("a.jpg", {"quality": 95}), ("a.tif", {}), ("a.tif", {"compression": "tiff_lzw"})],
)
def test_pictures_for_print_are_seen_in_light(cnntool, folder, channels, name, options):
    darkness_model(folder / "m.npz", channels=channels)
    Image.new("CMYK", (50, 33), (0, 0, 0, 51)).save(name, **options)
    done = cnntool("predict", "m.npz", name, "--json", "--top", "2")
    assert (done.code, done.err) == (0, "")
    found = {pair["label"]: pair["probability"] for pair in json.loads(done.out)["top"]}
    assert found["light"] == pytest.approx(light(0.8), abs=1e-3)


@pytest.mark.parametrize(
    ("pixels", "options", "grey", "said"),
    [
        (np.full((5, 5), 204, np.float32), [], 0.8, ""),
        (np.full((5, 5), 0.8, np.float32), ["--white", "1"], 0.8, ""),
        (np.full((5, 5), 0.8, np.float64), [], 0.8 / 255, "end at 0.8: --white 1 takes 1 for it"),
        (np.full((5, 5), 52428, np.uint16), [], 0.8, ""),
        (np.full((5, 5), 600, np.float32), ["--white", "750"], 0.8, ""),
        (np.full((5, 5), 600, np.float32), [], 600 / 255, "up to 600: --white 600 takes that"),
        (np.zeros((5, 5), np.float32), [], 0.0, ""),
    ],
)
def test_floats_that_white_hardly_fits_are_remarked(
    cnntool, model, folder, pixels, options, grey, said
):
    np.save("a.npy", pixels)
    done = cnntool("predict", "m.npz", "a.npy", *options, "--json", "--top", "2")
    found = {pair["label"]: pair["probability"] for pair in json.loads(done.out)["top"]}
    assert found["light"] == pytest.approx(light(grey), abs=1e-3)
    assert (done.code, bool(done.err)) == (0, bool(said))
    assert said in done.err
    assert cnntool("predict", "m.npz", "a.npy", *options, "-q").err == ""


@pytest.mark.parametrize(
    ("mean", "grey", "is_said"),
    [(0.13, 0.9, True), (0.31, 0.65, True), (0.13, 0.4, False), (0.45, 0.95, False)],
)
def test_dark_on_light_is_remarked_where_light_on_dark_was_learned(
    cnntool, folder, mean, grey, is_said
):
    model = load_model(darkness_model(folder / "m.npz"))
    model.header.preprocessing["mean"] = [mean]
    save_model("m.npz", model, overwrite=True)
    save_picture(folder / "a.png", np.full((9, 9), round(255 * grey), np.uint8))
    done = cnntool("predict", "m.npz", "a.png")
    assert (done.code, bool(done.err)) == (0, is_said)
    assert cnntool("predict", "m.npz", "a.png", "-q").err == ""
    if is_said:
        assert f"a.png is light, {grey:.2f} of white" in done.err
        command = done.err.partition("cnntool ")[2].partition(" turns")[0]
        assert cnntool(*command.replace("IMAGE", "a.png").split(), "-o", "b.png").code == 0
        assert np.asarray(Image.open("b.png"))[0, 0] == 255 - round(255 * grey)


def test_light_on_dark_is_remarked_once_where_dark_on_light_was_learned(cnntool, folder):
    model = load_model(darkness_model(folder / "m.npz"))
    model.header.preprocessing.update(mean=[0.74], levels=[-1.0, 1.0], brightness=[0.7, 0.95])
    save_model("m.npz", model, overwrite=True)
    for index in range(3):
        save_picture(folder / f"{index}.png", np.full((9, 9), 51, np.uint8))
    done = cnntool("predict", "m.npz", "0.png", "1.png", "2.png")
    note, more = done.err.splitlines()
    assert note.startswith("0.png is dark, 0.20 of white on average, and the network learned from ")
    assert note.endswith(
        "light images, 0.87: cnntool convolve IMAGE -k -1 --bias 255 turns light on dark around"
    )
    assert more.startswith("2 more, 1.png, 2.png: each is dark, 0.20 of white on average, and the")
    _, another = cnntool("predict", "m.npz", "0.png", "1.png").err.splitlines()
    assert another.startswith("1.png is dark, 0.20 of white on average, and the network learned")
    assert cnntool("convolve", "0.png", "-k", "-1", "--bias", "255", "-o", "n.png").code == 0
    assert cnntool("predict", "m.npz", "n.png").err == ""


def test_pictures_get_the_levels_that_the_network_learned(cnntool, folder):
    """Its values were -1 and 1 where pictures have 0 and 255: grey g is 2 g - 1, less 0.5."""
    model = load_model(darkness_model(folder / "m.npz"))
    model.header.preprocessing.update(levels=[-1.0, 1.0])
    save_model("m.npz", model, overwrite=True)
    save_picture(folder / "a.png", np.full((4, 4), 153, np.uint8))
    assert cnntool("predict", "m.npz", "a.png").lines == [f"a.png\tdark\t{1 - light(0.2):.4f}"]
    model.header.preprocessing.update(levels=None, mean=[-0.5])
    save_model("m.npz", model, overwrite=True)
    done = cnntool("predict", "m.npz", "a.png", "a.png")
    assert done.lines == [f"a.png\tlight\t{light(0.6 + 1):.4f}"] * 2
    note, more = done.err.splitlines()
    assert more == note
    assert note.startswith(
        "a.png has values from 0 to 1, and the network learned from others, -0.5"
    )


def test_deep_pictures_that_are_nearly_black_are_remarked(cnntool, model, folder):
    Image.fromarray(np.full((4, 4), 3276, np.uint16)).save("a.png")
    done = cnntool("predict", "m.npz", "a.png")
    taken = "a.png: 65535 is taken for white, and its values end at 3276: cnntool convolve IMAGE -k"
    assert done.err == f"{taken} 16 makes 4095 white\n"
    assert cnntool("convolve", "a.png", "-k", "16", "-o", "b.png").code == 0
    done = cnntool("predict", "m.npz", "b.png")
    assert (done.lines, done.err) == ([f"b.png\tlight\t{light(16 * 3276 / 65535):.4f}"], "")


def test_of_an_animation_the_first_frame_counts_and_one_pixel_is_an_image(cnntool, model, folder):
    frames = [Image.new("L", (9, 7), grey) for grey in (204, 0, 0)]
    for name in ("a.gif", "a.png"):
        frames[0].save(name, save_all=True, append_images=frames[1:])
    Image.new("RGB", (1, 1), (204, 204, 204)).save("one.png")
    Image.new("L", (2000, 1), 204).save("line.png")
    done = cnntool("predict", "m.npz", "a.gif", "a.png", "one.png", "line.png")
    p = f"{light(0.8):.4f}"
    assert [line.split("\t")[1:] for line in done.lines] == [["light", p]] * 4


def test_a_photo_is_turned_upright_first(cnntool, folder):
    """The upper half is light; the camera was held sideways."""
    header = load_model(darkness_model(folder / "m.npz"))
    header.params["dense1.weight"][8:] = 0
    save_model("top.npz", header)
    upright = np.zeros((40, 40), np.uint8)
    upright[:20] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # its first row is the right side
    Image.fromarray(np.rot90(upright)).save("sideways.jpg", exif=exif, quality=95)
    Image.fromarray(upright).save("upright.png")
    one, two = cnntool("predict", "top.npz", "sideways.jpg", "upright.png", "--json").lines
    assert json.loads(one)["label"] == json.loads(two)["label"]
    assert json.loads(one)["probability"] == pytest.approx(json.loads(two)["probability"], abs=0.01)


def test_stdin_is_an_image(cnntool, model, folder):
    done = cnntool("predict", "m.npz", "-", stdin=(folder / "photo.jpg").read_bytes())
    assert done.lines[0].split("\t")[0] == "stdin"


def test_bad_images_are_named_and_the_others_predicted(cnntool, model, folder):
    (folder / "bad.png").write_bytes((folder / "grey.png").read_bytes()[:100])
    (folder / "text.png").write_text("no picture")
    np.save("four.npy", np.zeros((4, 4, 2), np.uint8))
    names = ["grey.png", "bad.png", "text.png", "none.png", "four.npy", ".", "colour.png"]
    done = cnntool("predict", "m.npz", *names)
    assert done.code == 1
    assert [line.split("\t")[0] for line in done.lines] == ["grey.png", "colour.png"]
    errors = done.err.splitlines()
    assert len(errors) == 5
    for name in ("bad.png", "text.png", "none.png", ". is a folder"):
        assert any(error.startswith(name) for error in errors)
    assert "four.npy has 2 channels, expected 1: grey has 1, colour 3" in errors


def test_the_order_is_that_of_the_inputs_whatever_their_size(cnntool, model, folder):
    rng = np.random.default_rng(0)
    greys = rng.integers(0, 256, 150)
    for index, grey in enumerate(greys):
        side = 300 if index % 40 == 7 else 4
        save_picture(folder / "many" / f"{index:03}.png", np.full((side, side), grey, np.uint8))
    done = cnntool("predict", "m.npz", "many", "-r")
    rows = [line.split("\t") for line in done.lines]
    assert [row[0] for row in rows] == [os.path.join("many", f"{i:03}.png") for i in range(150)]
    for row, grey in zip(rows, greys, strict=True):
        p = light(grey / 255)
        assert float(row[2]) == pytest.approx(max(p, 1 - p), abs=2e-4)


def test_images_keep_their_size_on_request(cnntool, folder):
    train_digits(folder / "any.npz")
    assert cnntool("predict", "any.npz", "photo.jpg", "--own-size").code == 0
    Image.new("L", (2, 2)).save("tiny.png")
    done = cnntool("predict", "any.npz", "tiny.png", "--own-size")
    assert done.code == 1
    assert done.err == (
        "tiny.png, 1 x 2 x 2, is too small for layer 4 (conv 16 3x3): enlarge it, or leave out "
        "--own-size\n"
    )


def test_a_tab_in_a_name_is_no_separator(cnntool, folder):
    darkness_model(folder / "m.npz", labels=("dark\there", "light"))
    os.rename("grey.png", "a\tb.png")
    (line,) = cnntool("predict", "m.npz", "a\tb.png", "--top", "2").lines
    assert line.startswith("a\\tb.png\t")
    assert len(line.split("\t")) == 5


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_a_closed_pipe_ends_quietly(model, folder):
    read, write = os.pipe()
    os.close(read)
    command = [*COMMAND, "predict", "m.npz", *["grey.png"] * 40]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["none.npz", "grey.png"], 1, "cnntool: none.npz does not exist: name a model file"),
        (["grey.png", "grey.png"], 1, "cnntool: grey.png is no model file"),
        (["m.npz"], 2, "cnntool predict: Missing argument 'INPUT...'"),
        (["m.npz", "-", "-"], 2, "cnntool: - stands for stdin, which can be read once"),
        (["m.npz", "empty", "-r"], 1, "empty holds no images"),
        (["m.npz", "grey.png", "--own-size"], 2, "cnntool: the network of m.npz takes images of"),
        (["m.npz", "grey.png", "--max-pixels", "10"], 1, "grey.png"),
    ],
)
def test_what_is_wrong_is_one_line(cnntool, model, folder, arguments, code, message):
    (folder / "empty").mkdir()
    done = cnntool("predict", *arguments)
    assert (done.code, done.out) == (code, b"")
    assert done.err.startswith(message)
    assert len(done.err.splitlines()) == 1


def test_a_model_whose_numbers_overflow_is_named(cnntool, model, folder):
    loaded = load_model(model)
    weight = np.full_like(loaded.params["dense1.weight"], 3e38)
    params = {**loaded.params, "dense1.weight": weight}
    save_model("huge.npz", replace(loaded, params=params))
    save_picture(folder / "a.png", np.full((4, 4), 255, np.uint8))
    done = cnntool("predict", "huge.npz", "a.png")
    assert (done.code, done.out) == (1, b"")
    assert "huge.npz: its network gives numbers that are not finite" in done.err
    assert len(done.err.splitlines()) == 1

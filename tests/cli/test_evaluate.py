"""`cnntool evaluate`: figures, tables, pictures, parts, and what it refuses."""

import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from browser import computed, needs_browser
from labelled_images import save_picture
from PIL import Image
from processes import pixels, report
from trained_models import darkness_model, train_digits

from cnntool.networks.model_file import load_model, save_model


@pytest.fixture(scope="session")
def digits_model(tmp_path_factory):
    return train_digits(tmp_path_factory.mktemp("models") / "digits.npz")


@pytest.fixture
def greys(folder):
    """A folder of 8 grey squares: 1 of 4 dark ones, and 2 of 4 light ones, look like the others."""
    darkness_model(folder / "m.npz")
    for name, values in {"light": (255, 200, 10, 40), "dark": (0, 20, 90, 250)}.items():
        for index, value in enumerate(values):
            save_picture(folder / "greys" / name / f"{index}.png", np.full((9, 7), value, np.uint8))
    return folder / "greys"


def test_the_figures_are_those_counted_by_hand(cnntool, greys):
    found = report(cnntool("evaluate", "m.npz", "greys", "--json", "--top", "2"))
    assert (found["images"], found["accuracy"], found["part"]) == (8, 5 / 8, "all")
    assert found["top_k"] == {"k": 2, "accuracy": 1.0}
    assert found["confusion"] == [[3, 1], [2, 2]]  # dark, light: in the model's order
    dark, light = found["classes"]
    assert dark == {
        "label": "dark",
        "precision": pytest.approx(3 / 5),
        "recall": pytest.approx(3 / 4),
        "f1": pytest.approx(2 / 3),
        "support": 4,
    }
    assert light["precision"] == pytest.approx(2 / 3)
    assert found["macro"]["recall"] == pytest.approx((3 / 4 + 2 / 4) / 2)
    surest = found["mistakes"][0]
    assert (surest["true"], surest["predicted"]) == ("dark", "light")
    assert surest["probability"] == pytest.approx(
        1 / (1 + np.exp(-8 * (250 / 255 - 0.5))), rel=1e-5
    )
    assert len(found["mistakes"]) == 3
    assert surest["file"] == str(Path("greys", "dark", "3.png"))


def test_the_table_has_every_figure(cnntool, greys):
    done = cnntool("evaluate", "m.npz", "greys")
    assert (done.code, done.err) == (0, "")
    rows = [line.split() for line in done.lines]
    assert "averages are over" not in done.out.decode()
    assert ["accuracy", "62.50%", "5", "right,", "3", "wrong"] in rows
    assert ["dark", "60.0%", "75.0%", "66.7%", "4"] in rows
    assert ["dark", "3", "1"] in rows
    assert ["light", "2", "2"] in rows


def test_mistakes_are_named_by_their_files_where_they_have_some(cnntool, greys, folder):
    done = cnntool("evaluate", "m.npz", "greys")
    rows = [line.split() for line in done.lines]
    assert [str(Path("greys", "dark", "3.png")), "dark", "light", "97.9%"] in rows
    assert "all 3 mistakes, the surest first" in done.lines
    np.savez("set.npz", x=np.full((1, 4, 4), 255, np.uint8), y=[0], labels=["dark", "light"])
    done = cnntool("evaluate", "m.npz", "set.npz")
    assert ["0", "dark", "light", "98.2%"] in [line.split() for line in done.lines]
    assert "the only mistake; images count from 0" in done.lines
    assert report(cnntool("evaluate", "m.npz", "set.npz", "--json"))["mistakes"][0]["file"] is None


def test_the_reading_of_a_folder_is_shown_unless_quiet(cnntool, greys, monkeypatch):
    told = []

    @contextmanager
    def spy(source, quiet):
        yield None if quiet else lambda done, total: told.append((source, done, total))

    monkeypatch.setattr("cnntool.cli.evaluate.reading", spy)
    assert cnntool("evaluate", "m.npz", "greys", "-q").code == 0
    assert told == []
    (greys / "dark" / "0.png").touch()  # so that it is not known from the first reading
    assert cnntool("evaluate", "m.npz", "greys").code == 0
    assert told == [("greys", done, 8) for done in range(1, 9)]


def test_colour_is_made_grey_and_grey_colour(cnntool, greys, folder):
    darkness_model(folder / "rgb.npz", channels=3)
    grey = report(cnntool("evaluate", "m.npz", "greys", "--json"))
    assert (
        report(cnntool("evaluate", "rgb.npz", "greys", "--json"))["confusion"] == grey["confusion"]
    )
    for path in greys.rglob("*.png"):
        Image.open(path).convert("RGB").save(path)
    assert report(cnntool("evaluate", "m.npz", "greys", "--json"))["confusion"] == grey["confusion"]


def test_pictures_are_written_and_kept_unless_forced(cnntool, greys):
    arguments = ["evaluate", "m.npz", "greys", "--confusion", "c.png", "--mistakes", "s.png"]
    assert cnntool(*arguments).code == 0
    for name in ("c.png", "s.png"):
        assert pixels(name).ndim == 3
    done = cnntool(*arguments)
    assert (done.code, done.out) == (1, b"")
    assert done.err == "cnntool: c.png exists: -f overwrites it\n"
    assert cnntool(*arguments, "-f").code == 0


def test_without_mistakes_there_is_no_sheet(cnntool, folder):
    darkness_model(folder / "m.npz")
    x = np.repeat(np.array([0, 255], np.uint8), 16).reshape(2, 4, 4)
    np.savez("sure.npz", x=x, y=np.array(["dark", "light"]))
    done = cnntool("evaluate", "m.npz", "sure.npz", "--mistakes", "s.png")
    assert (done.code, done.err) == (0, "s.png is not written: there are no mistakes\n")
    assert not (folder / "s.png").exists()


def test_negatives_of_what_was_learned_are_remarked(cnntool, folder):
    model = load_model(darkness_model(folder / "m.npz"))
    model.header.preprocessing.update(mean=[0.1])
    save_model("m.npz", model, overwrite=True)
    for name, value in (("dark", 204), ("light", 230)):
        for index in range(2):
            save_picture(folder / "set" / name / f"{index}.png", np.full((4, 4), value, np.uint8))
    done = cnntool("evaluate", "m.npz", "set")
    (note,) = done.err.splitlines()
    assert note.startswith(
        "set: 4 of 4 images are light, 0.85 of white on average, and the network "
    )
    command = shlex.split(note.partition("cnntool ")[2].partition(" turns")[0])
    assert cnntool(*command).code == 0
    done = cnntool("evaluate", "m.npz", "negatives", "--json")
    assert (report(done)["images"], done.err) == (4, "")
    assert cnntool("evaluate", "m.npz", "set", "-q").err == ""


def test_arrays_get_the_levels_that_the_network_learned(cnntool, folder):
    """Of a network of values from 0 to 1: -1 is black, 4095 of 65535 white, as of 12 bits."""
    model = load_model(darkness_model(folder / "m.npz"))
    model.header.preprocessing.update(levels=[0.0, 1.0])
    save_model("m.npz", model, overwrite=True)
    light = np.repeat([0.0, 0.25, 0.75, 1.0], 16).reshape(4, 4, 4)
    y = np.array(["dark", "dark", "light", "light"])
    np.savez("plain.npz", x=light, y=y)
    np.savez("signed.npz", x=2 * light - 1, y=y)
    np.savez("bits.npz", x=np.rint(4095 * light).astype(np.uint16), y=y)
    loss = report(cnntool("evaluate", "m.npz", "plain.npz", "--json"))["loss"]
    for name, levels in (("signed.npz", "-1 is taken for black, 1"), ("bits.npz", "black, 4095")):
        done = cnntool("evaluate", "m.npz", name, "--json")
        assert report(done)["loss"] == pytest.approx(loss, rel=1e-3)
        assert f"{levels} for white" in done.err


def test_what_training_held_out_is_found_again(cnntool, digits_model):
    done = cnntool("evaluate", digits_model, "digits", "--json")
    found = report(done)
    assert (found["part"], found["learned_from"]) == ("validation", False)
    assert 150 < found["images"] < 200
    assert "held out" in done.err
    history = json.loads(cnntool("info", digits_model, "--json").out)["history"]
    assert found["accuracy"] == history[-1]["validation_accuracy"]


def test_all_of_what_it_learned_from_gets_a_note(cnntool, digits_model):
    done = cnntool("evaluate", digits_model, "digits", "--part", "all", "--json")
    assert report(done)["images"] == 1797
    assert "the network learned from these images" in done.err
    assert cnntool("evaluate", digits_model, "digits", "--part", "all", "-q").err == ""


def test_the_parts_of_a_set(cnntool, folder):
    darkness_model(folder / "m.npz")
    x, y = np.zeros((6, 4, 4), np.uint8), np.array([0, 1] * 3)
    labels = np.array(["dark", "light"])
    np.savez(
        "set.npz", x=x, y=y, x_test=x[:4], y_test=y[:4], x_val=x[:2], y_val=y[:2], labels=labels
    )
    counts = {
        part: report(cnntool("evaluate", "m.npz", "set.npz", "--json", "--part", part))["images"]
        for part in ("train", "validation", "test", "all")
    }
    assert counts == {"train": 6, "validation": 2, "test": 4, "all": 12}
    assert report(cnntool("evaluate", "m.npz", "set.npz", "--json"))["part"] == "test"


def test_many_classes_are_summed_up_by_the_pairs_that_are_confused(cnntool, folder):
    labels = tuple(f"class{index:02}" for index in range(70))
    darkness_model(folder / "m.npz", labels=labels, classes=70)
    x, y = np.zeros((70, 4, 4), np.uint8), np.arange(70)
    np.savez("set.npz", x=x, y=y, labels=np.array(labels))
    done = cnntool("evaluate", "m.npz", "set.npz")
    assert done.code == 0
    assert any(line.split()[:3] == ["class01", "class00", "1"] for line in done.lines)
    assert max(map(len, done.lines)) < 100


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["none.npz", "digits"], 1, "cnntool: none.npz does not exist"),
        (["grey.png", "digits"], 1, "cnntool: grey.png is no model file"),
        (
            ["m.npz", "digits"],
            1,
            "cnntool: digits has the class 0, which m.npz has not",
        ),
        (["m.npz", "none"], 1, "cnntool: none does not exist"),
        (["m.npz", "."], 1, "cnntool: . holds 3 images but no class folders"),
        (["m.npz", "m.npz"], 1, "cnntool: m.npz is a model, and "),
        (
            ["m.npz", "set.npz", "--part", "test"],
            2,
            "cnntool: set.npz has no test part: use",
        ),
        (["m.npz", "set.npz", "--part", "most"], 2, "cnntool evaluate: Invalid value for '--part'"),
        (["m.npz", "set.npz", "--confusion", "c"], 2, "cnntool: c has no extension"),
        (["m.npz", "set.npz", "--confusion", "c.npy"], 2, "cnntool evaluate: --confusion c.npy"),
        (["m.npz", "set.npz", "--mistakes", "m.npz/c.png"], 1, "cnntool: m.npz is no folder"),
    ],
)
def test_what_is_wrong_is_one_line(cnntool, folder, arguments, code, message):
    darkness_model(folder / "m.npz")
    np.savez("set.npz", x=np.zeros((2, 4, 4), np.uint8), y=np.array(["dark", "light"]))
    done = cnntool("evaluate", *arguments)
    assert done.code == code
    assert done.err.startswith(message)
    assert len(done.err.splitlines()) == 1


def test_what_is_for_the_other_kind_of_model_is_refused(cnntool, folder):
    darkness_model(folder / "text.npz", kind="rnn")
    darkness_model(folder / "image.npz")
    for option in (["--strict"], ["--top", "2"], ["--confusion", "c.png"], ["--mistakes", "c.png"]):
        done = cnntool("evaluate", "text.npz", "a.txt", *option)
        assert done.code == 2
        assert "text.npz is a text model" in done.err
    done = cnntool("evaluate", "image.npz", "digits", "--tokens")
    assert done.code == 2
    assert "image.npz is an image model" in done.err


@pytest.mark.parametrize("picture", ["--confusion", "--mistakes"])
def test_a_place_that_takes_no_picture_is_named_before_any_work(cnntool, greys, picture):
    done = cnntool("evaluate", "m.npz", "greys", picture, "m.npz/picture.png")
    assert (done.code, done.out) == (1, b"")
    assert "m.npz is no folder" in done.err
    assert len(done.err.splitlines()) == 1


def test_images_of_one_class_alone_are_measured(cnntool, greys):
    for path in (greys / "dark").iterdir():
        path.unlink()
    (greys / "dark").rmdir()
    found = report(cnntool("evaluate", "m.npz", "greys", "--json"))
    assert (found["images"], found["accuracy"]) == (4, 2 / 4)
    assert found["confusion"] == [[0, 0], [2, 2]]
    classes = {"precision": 2, "recall": 1, "f1": 2}
    light = pytest.approx(2 / 3)
    assert found["macro"] == {"precision": 1 / 2, "recall": 1 / 2, "f1": 1 / 3, "classes": classes}
    assert (found["classes"][0]["recall"], found["classes"][1]["f1"]) == (None, light)
    remark = "averages are over the classes that have a figure: precision 2, recall 1, F1 2"
    assert remark in cnntool("evaluate", "m.npz", "greys").lines


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_a_reader_that_has_enough_costs_no_picture(cnntool, greys):
    command = [sys.executable, "-m", "cnntool", "evaluate", "m.npz", "greys", "-q"]
    console, writing = os.pipe()
    os.close(console)
    done = subprocess.run(
        [*command, "--confusion", "c.png"], stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    assert done.stderr == b""
    assert Path("c.png").is_file()


def test_what_is_left_out_beside_the_part_that_is_measured_is_said(cnntool, folder):
    darkness_model(folder / "m.npz")
    for part in ("train", "val", "valid"):
        for name, value in (("dark", 0), ("light", 255)):
            save_picture(folder / "set" / part / name / "0.png", np.full((4, 4), value, np.uint8))
    note = "set: valid/ left out, beside train/ and val/\n"
    for part in ("validation", "train", "all"):
        assert cnntool("evaluate", "m.npz", "set", "--part", part).err == note


@needs_browser
def test_the_page_of_a_report_opens_every_mistake(cnntool, digits_run, tmp_path):
    done = cnntool("evaluate", digits_run, "digits", "--part", "all", "--html", "report.html")
    assert done.code == 0, done.err
    facts = json.loads(cnntool("evaluate", digits_run, "digits", "--part", "all", "--json").out)
    text = Path("report.html").read_text(encoding="utf-8")
    (data,) = re.findall(r'<script type="application/json" id="data">(.*)</script>', text)
    report = json.loads(data)["report"]
    assert report["confusion"] == facts["confusion"]
    assert report["wrong"] == len(facts["mistakes"])
    first, mistake = report["mistakes"][0], facts["mistakes"][0]
    assert report["classes"][first["target"]]["label"] == mistake["true"]
    assert json.loads(data)["inputs"][0]["label"] == mistake["true"]
    assert computed(tmp_path, text.encode())


def test_a_page_of_a_report_is_not_written_over_a_file(cnntool, digits_run):
    Path("report.html").write_text("mine")
    done = cnntool("evaluate", digits_run, "digits", "--html", "report.html")
    assert done.code == 1
    assert "report.html exists: -f overwrites it" in done.err
    assert Path("report.html").read_text() == "mine"

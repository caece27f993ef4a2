"""Model files of format 1 answer as the cnntool that wrote them did, and go on.

``tests/networks/format_1`` holds a model of images and one of text, after two epochs each, with
what cnntool 0.1 said of them.
"""

import json
import shutil
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "networks" / "format_1"
ANSWERS = json.loads((FOLDER / "answers.json").read_text())
DATA = {"images": "digits", "text": "sayings.txt"}


@pytest.fixture
def cnntool(cnntool, tmp_path):
    for file in ("images.npz", "text.npz", "sayings.txt"):
        shutil.copy(FOLDER / file, tmp_path)
    return cnntool


@pytest.mark.parametrize("name", DATA)
def test_it_is_shown_as_ever(cnntool, name):
    shown, wanted = json.loads(cnntool("info", f"{name}.npz", "--json").out), ANSWERS[name]
    assert shown["spec"] == wanted["spec"]
    assert shown["totals"] == wanted["totals"]
    if name == "text":
        assert [[each["name"], each["shape"]] for each in shown["arrays"]] == wanted["arrays"]
    else:
        keys = "name", "output_shape", "receptive_field"
        assert [[each[key] for key in keys] for each in shown["layers"]] == wanted["layers"]


def measured(cnntool, model, name):
    found = json.loads(cnntool("evaluate", model, DATA[name], "--json", "-q").out)
    return {key: found[key] for key in ("part", "accuracy", "loss")}


@pytest.mark.parametrize("name", DATA)
def test_it_is_as_good_as_ever(cnntool, name):
    found, wanted = measured(cnntool, f"{name}.npz", name), ANSWERS[name]["evaluate"]
    assert found == {**wanted, "loss": pytest.approx(wanted["loss"], rel=1e-5)}


def test_it_writes_the_same_text(cnntool):
    done = cnntool("generate", "text.npz", "--seed", "3", "-n", "60", "-q")
    assert done.out.decode() == ANSWERS["text"]["generate"]


@pytest.mark.parametrize("name", DATA)
def test_it_goes_on_to_where_it_would_have_gone(cnntool, name):
    command = "train-cnn" if name == "images" else "train-lstm"
    done = cnntool(command, "--resume", f"{name}.npz", "--epochs", "3", "-o", "on.npz", "-q")
    assert done.code == 0, done.err
    found, wanted = measured(cnntool, "on.npz", name), ANSWERS[name]["after 3 epochs"]
    assert found["part"] == wanted["part"]
    assert found["accuracy"] == pytest.approx(wanted["accuracy"], abs=1.01 / 179)
    assert found["loss"] == pytest.approx(wanted["loss"], rel=1e-3)

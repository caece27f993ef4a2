"""What docs/contributing.md says one writes to add a thing works once it is written."""

import json
import re
import sys
from pathlib import Path
from types import ModuleType
from unittest import mock

import numpy as np
import pytest
from PIL import Image
from processes import run_here
from scipy import ndimage

from cnntool.cli.main import COMMANDS
from cnntool.errors import InputError
from cnntool.imaging.kernel_catalogue import CATALOGUE
from cnntool.networks.spec import LAYERS

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def tables_as_they_were():
    with mock.patch.dict(CATALOGUE), mock.patch.dict(LAYERS), mock.patch.dict(COMMANDS):
        yield


def written(thing: str) -> ModuleType:
    """The module that the recipe's code makes."""
    section = re.search(rf"^## Add a {thing}\n(.*?)(?=^## )", TEXT, re.MULTILINE | re.DOTALL)
    (code,) = re.findall(r"^```python\n(.*?)^```", section[1], re.MULTILINE | re.DOTALL)
    module = ModuleType(f"added_{thing.replace(' ', '_')}")
    with mock.patch.dict(sys.modules, {module.__name__: module}):  # where dataclasses look
        exec(compile(code, f"contributing.md, {thing}", "exec"), vars(module))
    return module


def test_a_kernel_added_as_the_recipe_says_filters_and_is_listed(tmp_path):
    written("kernel")
    response = tmp_path / "response.npy"
    picture = str(ROOT / "sample_images" / "brick.png")
    assert run_here("convolve", picture, "-k", "cross:arm=2", "-q", "-o", str(response)).code == 0
    assert b"cross" in run_here("kernels").out
    shape = np.zeros((5, 5))
    shape[2] = shape[:, 2] = 1 / 9
    pixels = np.asarray(Image.open(picture)).astype(float)
    expected = ndimage.correlate(pixels, shape, mode="reflect")
    np.testing.assert_allclose(np.load(response).squeeze(), expected, atol=1e-2)


def test_a_layer_added_as_the_recipe_says_trains_is_saved_and_has_true_gradients(tmp_path):
    written("layer")
    model = str(tmp_path / "scaled.npz")
    layers = "conv 4 3x3; scale 0.5; relu; global-max; scale 2; dense 10"
    trained = run_here(
        "train-cnn", "digits", "-q", "-o", model, "--epochs", "1", "--layers", layers
    )
    assert trained.code == 0, trained.err
    with np.load(model) as arrays:
        assert arrays["params/scale1.weight"].shape == (4,)
        assert (arrays["params/scale1.weight"] != 0.5).all()
    for command in ("info", "gradcheck"):
        done = run_here(command, model)
        assert done.code == 0, done.err
        assert b"scale2" in done.out
    assert run_here("evaluate", model, "digits").code == 0


def test_a_data_set_read_as_the_recipe_says_has_images_and_classes(tmp_path):
    load = written("data set").load_lines
    (tmp_path / "set.csv").write_text("0,1,2,3,4\n1,5,6,7,8\n")
    data = load(tmp_path / "set.csv").train
    assert data.x.tolist() == [[[[1, 2], [3, 4]]], [[[5, 6], [7, 8]]]]
    assert data.y.tolist() == [0, 1]
    (tmp_path / "set.csv").write_text("0,1,2,3\n")
    with pytest.raises(InputError, match="has 4 columns"):
        load(tmp_path / "set.csv")


def test_a_command_added_as_the_recipe_says_runs_and_has_help(monkeypatch):
    monkeypatch.setitem(sys.modules, "cnntool.cli.size", written("command"))
    COMMANDS["size"] = "Say how wide and how high an image is."
    assert "how wide" in run_here("--help").out.decode()
    assert "cnntool size photo.jpg" in run_here("size", "--help").out.decode()
    picture = str(ROOT / "sample_images" / "cat.jpg")
    assert run_here("size", picture).lines == ["451 x 300"]
    assert json.loads(run_here("size", picture, "--json").out) == {"width": 451, "height": 300}
    assert run_here("size", "no.jpg").code == 1

"""The sample images: the test card is what its script renders, and every licence is stated."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

TESTS = Path(__file__).resolve().parent
SAMPLES = TESTS.parent / "sample_images"
LICENCES = ("CC0 1.0", "public domain", "MIT")

SCRIPT = runpy.run_path(str(TESTS / "render_test_card.py"))
CAPTIONS = [caption for caption, _ in SCRIPT["PANELS"]]


@pytest.fixture(scope="module")
def rendered() -> np.ndarray:
    return np.asarray(SCRIPT["render"](), int)


@pytest.fixture(scope="module")
def committed() -> np.ndarray:
    with Image.open(SAMPLES / "test-card.png") as card:
        assert card.mode == "L"
        return np.asarray(card, int)


def panel(card: np.ndarray, caption: str) -> np.ndarray:
    left, top = SCRIPT["panel_corner"](CAPTIONS.index(caption))
    return card[top : top + SCRIPT["PANEL_HEIGHT"], left : left + SCRIPT["PANEL_WIDTH"]]


@pytest.mark.parametrize("caption", [caption for caption in CAPTIONS if caption != "text"])
def test_panel_is_what_the_script_renders(caption, rendered, committed):
    # one grey level for a cosine that rounds the other way on another processor
    np.testing.assert_allclose(panel(committed, caption), panel(rendered, caption), atol=1, rtol=0)


def test_text_and_captions_are_what_the_script_renders(rendered, committed):
    # the same in Pillow's own wheels; a system's FreeType may place and shade letters differently
    assert committed.shape == rendered.shape
    assert np.abs(committed - rendered).mean() < 1


def test_impulse_is_a_single_white_pixel_with_room_around_it(committed):
    impulse = panel(committed, "impulse")
    [[row, column]] = np.argwhere(impulse)
    assert impulse[row, column] == 255
    assert min(row, column, impulse.shape[0] - row, impulse.shape[1] - column) > 60


def test_ramp_rises_by_one_level_a_pixel(committed):
    assert (np.diff(panel(committed, "ramp and steps")[:90], axis=1) == 1).all()


def test_readme_states_a_licence_for_every_file():
    rows = {
        row.split("`")[1]: row.rstrip(" |").rsplit("|", 1)[1]
        for row in (SAMPLES / "README.md").read_text(encoding="utf-8").splitlines()
        if row.startswith("| `")
    }
    files = {path.name for path in SAMPLES.iterdir() if path.name != "README.md"}
    assert set(rows) == files
    for name, licence in rows.items():
        assert any(known in licence for known in LICENCES), name


def test_sample_images_stay_small():
    assert sum(path.stat().st_size for path in SAMPLES.iterdir()) < 1_500_000


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.[jp][pn]g")), ids=lambda path: path.name)
def test_sample_image_decodes_in_full(path):
    with Image.open(path) as image:
        image.load()
        assert image.mode in ("L", "RGB")

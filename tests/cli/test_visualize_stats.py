"""`cnntool visualize stats`: the table, the summary, JSON and the picture of directions."""

import io
import json
import re

import numpy as np
import pytest
from processes import pixels
from rich.console import Console
from trained_models import darkness_model

from cnntool.cli import console as console_module
from cnntool.cli.visualize import stats
from cnntool.imaging.kernels import build
from cnntool.study.filter_statistics import filter_facts
from cnntool.study.learned_kernels import load_banks
from cnntool.visuals.polar import CLEAR, SECTOR


@pytest.fixture
def known(folder):
    """Eight kernels of which all is known: two waves, noise, and five dead ones."""
    rng = np.random.default_rng(0)
    waves = [build("gabor", angle=a, wavelength=4, sigma=1.5).bank[0] for a in (45, 90)]
    noise = rng.standard_normal((11, 11))
    dead = [0.01 * waves[0], np.ones((11, 11)), np.full((11, 11), np.nan)]
    bank = np.stack([50 * waves[0], 50 * waves[1], noise, noise.T, noise[::-1], *dead])[:, None]
    np.save("known.npy", bank)
    return "known.npy"


def test_the_summary_answers_with_a_number(cnntool, known):
    done = cnntool("visualize", "stats", known)
    assert (done.code, done.err) == (0, "")
    assert done.lines[0] == "known.npy, conv1"
    summary = done.lines[-1]
    assert summary.startswith("2 of 8 filters are oriented edges (R² > 0.8, strength > 0.5), at 2 ")
    assert "at 2 of 16 directions; 0% of random 11x11 kernels pass; 3 are dead" in summary


def test_a_row_a_filter(cnntool, known):
    rows = [line.split() for line in cnntool("visualize", "stats", known).lines[2:-2]]
    assert rows[0][:4] == ["filter", "is", "angle", "freq"]
    assert rows[1][:4] == ["0", "edge", "45°", "0.25"]
    assert rows[1][-2].startswith("gabor")
    assert rows[2][:3] == ["1", "edge", "90°"]
    assert rows[3][1] != "edge"
    states = [" ".join(row[1:]) for row in rows[6:]]
    assert states == ["dead, faint", "dead, constant", "dead, not finite"]


def test_json_has_every_number(cnntool, known):
    found = json.loads(cnntool("visualize", "stats", known, "--json").out)
    assert found["shape"] == [8, 1, 11, 11]
    assert found["summary"]["oriented"] == 2
    assert found["summary"]["before"] is None
    assert found["summary"]["directions"] == [0] * 4 + [1] + [0] * 3 + [1] + [0] * 7
    first, *_, last = found["filters"]
    assert first["gabor"]["orientation"] == pytest.approx(45, abs=0.01)
    assert first["gabor"]["frequency"] == pytest.approx(0.25, rel=1e-3)
    assert first["oriented"] is True
    assert (last["state"], last["norm"], last["gabor"]) == ("not finite", None, None)


def test_a_trained_layer_is_held_against_its_random_start(cnntool, digits_run):
    found = json.loads(cnntool("visualize", "stats", digits_run, "--json").out)
    assert found["layer"] == "conv1"
    assert 0 <= found["summary"]["before"] <= found["summary"]["filters"] == 4
    norms = [each["norm"] for each in found["filters"]]
    bank = load_banks(digits_run).bank()
    np.testing.assert_allclose(norms, np.linalg.norm(bank.reshape(4, -1), axis=1), rtol=1e-6)
    assert "before training" in cnntool("visualize", "stats", digits_run).lines[-1]
    deeper = json.loads(cnntool("visualize", "stats", digits_run, "--layer", "conv2", "--json").out)
    assert deeper["summary"]["before"] is None
    assert all(0 < each["pattern_share"] < 1 for each in deeper["filters"])


def test_colour_is_shared_out_for_three_channels_only(cnntool, digits_run, folder):
    np.save("colour.npy", np.random.default_rng(0).normal(size=(6, 3, 5, 5)))
    assert "colour" in cnntool("visualize", "stats", "colour.npy").lines[2].split()
    assert "colour" not in cnntool("visualize", "stats", digits_run).lines[2].split()


def test_the_directions_are_drawn_where_that_is_asked_for(cnntool, known, folder):
    before = set(folder.iterdir())
    assert cnntool("visualize", "stats", known).code == 0
    assert set(folder.iterdir()) == before
    done = cnntool("visualize", "stats", known, "-o", "d.png")
    assert done.lines[-1].startswith("2 of 8")
    picture = pixels("d.png")
    left, right = np.array_split(picture, 2, axis=1)
    assert (left == SECTOR).all(axis=2).sum() > 1000
    assert (right == SECTOR).all(axis=2).sum() == 0
    assert (right == CLEAR).all(axis=2).sum() > 4 * 40  # two filters, on both sides
    assert cnntool("visualize", "stats", known, "-o", "d.png").code == 1


def test_the_picture_goes_to_stdout_without_the_table(cnntool, known):
    done = cnntool("visualize", "stats", known, "-o", "-")
    assert done.out.startswith(b"\x89PNG")
    assert done.err.startswith("2 of 8 filters")
    assert cnntool("visualize", "stats", known, "-o", "-", "-q").err == ""


def test_show_draws_a_bar_a_direction(cnntool, known, folder):
    before = set(folder.iterdir())
    done = cnntool("visualize", "stats", known, "--show")
    bars = done.err.splitlines()
    assert len(bars) == 16
    assert re.fullmatch(r" 45.00°  \S 1", bars[4])
    assert bars[5].split() == ["56.25°", "0"]
    assert set(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["DIGITS", "--layer", "conv3"], 2, "only in conv1, conv2: did you mean 'conv"),
        (["DIGITS", "--layer", "dense1"], 2, "has no filters in a layer 'dense1', only in conv1"),
        (["ones.npy"], 2, "single weights, which have no direction: name another model"),
        (["mixed.npz"], 2, "single weights, which have no direction: choose --layer b or d"),
        (["wide.npy"], 2, "are 3x65: filters are measured up to 64x64"),
        (["plain.npz"], 1, "plain.npz has no convolution layer"),
        (["missing.npz"], 1, "missing.npz"),
        (["DIGITS", "--json", "-o", "-"], 2, "both write to stdout"),
        (["DIGITS", "-o", "d.npy"], 2, "name a picture such as directions.png"),
    ],
)
def test_what_cannot_be_measured_is_one_clear_line(
    cnntool, folder, digits_run, arguments, code, message
):
    darkness_model(folder / "plain.npz")
    np.save("wide.npy", np.ones((1, 1, 3, 65)))
    point, wide = np.ones((4, 1, 1, 1)), np.ones((4, 1, 1, 3))
    np.save("ones.npy", point)
    np.savez("mixed.npz", a=point, b=wide, c=point, d=wide)
    given = [str(digits_run) if word == "DIGITS" else word for word in arguments]
    done = cnntool("visualize", "stats", *given)
    assert (done.code, done.out) == (code, b"")
    assert message in done.err
    assert "Traceback" not in done.err


def test_in_a_narrow_terminal_names_of_kernels_stay_whole(monkeypatch):
    screen = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    monkeypatch.setattr(console_module, "console", lambda stderr=False: screen)
    monkeypatch.setattr(stats, "console", lambda stderr=False: screen)
    bank = np.random.default_rng(0).normal(size=(40, 3, 5, 5))
    facts = filter_facts(bank)
    stats.show_facts("m.npz, conv1", facts, "a summary")
    text = screen.file.getvalue()
    assert max(len(each.nearest.name) for each in facts) > 20
    assert all(each.nearest.name in text for each in facts)
    assert max(map(len, text.splitlines())) <= 80

"""`cnntool explore`: a page is written whole, or one line says why not."""

import re
from pathlib import Path

from trained_models import darkness_model, train_digits


def test_a_page_is_written_and_its_path_and_size_are_said(cnntool, digits_run):
    done = cnntool("explore", digits_run, "grey.png", "photo.jpg")
    assert (done.code, done.lines) == (0, ["digits-explore.html"])
    assert re.fullmatch(r"digits-explore.html: [\d.]+ kB, opens in any browser\n", done.err)
    text = Path("digits-explore.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert re.findall('"name":"([a-z.]+)","planes"', text) == ["grey.png", "photo.jpg"]
    again = cnntool("explore", digits_run)
    assert again.code == 1
    assert "digits-explore.html exists: add --force to overwrite it" in again.err
    assert cnntool("explore", digits_run, "-f", "-q").err == ""


def test_without_input_a_model_of_the_digits_shows_one_of_each(cnntool, tmp_path):
    model = train_digits(tmp_path / "own.npz")
    done = cnntool("explore", model, "-o", "-")
    labels = re.findall(rb'"label":"(\d)"', done.out)
    assert labels == [b"%d" % digit for digit in range(10)]
    other = darkness_model(tmp_path / "dark.npz")
    assert b'"inputs":[]' in cnntool("explore", other, "-o", "-").out


def test_what_cannot_be_shown_is_said_in_one_line(cnntool, digits_run):
    for arguments, code, words in (
        ((digits_run, "--layers", "conv7"), 2, "has no layer 'conv7', only conv1, relu1"),
        ((digits_run, "none.png"), 1, "none.png"),
        ((digits_run, "."), 1, ". is a folder: name images"),
        (("grey.png",), 1, "grey.png"),
        ((digits_run, "-o", "nowhere/page.html"), 1, "there is no folder"),
        ((), 2, "Missing argument"),
    ):
        done = cnntool("explore", *arguments)
        assert (done.code, done.out) == (code, b""), done.err
        assert words in done.err
        assert len(done.err.splitlines()) == 1

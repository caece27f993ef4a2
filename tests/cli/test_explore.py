"""`cnntool explore`: a page is written whole, or one line says why not."""

import re
from pathlib import Path

from sequence_models import write_sequence_models
from text_models import write_text_models
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
    assert "digits-explore.html exists: -f overwrites it" in again.err
    assert cnntool("explore", digits_run, "-f", "-q").err == ""


def test_without_input_a_model_of_the_digits_shows_one_of_each(cnntool, tmp_path):
    model = train_digits(tmp_path / "own.npz")
    done = cnntool("explore", model, "-o", "-")
    labels = re.findall(rb'"label":"(\d)"', done.out)
    assert labels == [b"%d" % digit for digit in range(10)]
    other = darkness_model(tmp_path / "dark.npz")
    assert b'"inputs":[]' in cnntool("explore", other, "-o", "-").out


def test_pages_of_one_filter_one_pool_and_one_convolution_are_written(cnntool):
    for arguments, name in (
        (("--kernel", "sobel", "photo.jpg"), "photo-sobel-explore.html"),
        (("--pool", "max:2", "photo.jpg"), "photo-max-2-explore.html"),
        (("--signal", "1,2,3", "--kernel", "1,0,-1"), "signal-explore.html"),
    ):
        done = cnntool("explore", *arguments)
        assert (done.code, done.lines) == (0, [name]), done.err
        assert Path(name).read_text(encoding="utf-8").endswith("</html>\n")


def test_a_model_of_texts_takes_texts_and_files_of_them(cnntool, tmp_path):
    write_sequence_models(tmp_path, "classifier")
    Path("moods.txt").write_text("a good film\n\nso bad\n", encoding="utf-8")
    done = cnntool("explore", "classifier.npz", "moods.txt", "--text", "good fun")
    assert (done.code, done.lines) == (0, ["classifier-explore.html"]), done.err
    page = Path("classifier-explore.html").read_text(encoding="utf-8")
    assert '"texts":["good fun","a good film","so bad"]' in page
    write_sequence_models(tmp_path, "captioner", "series")
    done = cnntool("explore", "captioner.npz", "grey.png", "-o", "-")
    assert (done.code, done.err) == (0, "")
    write_text_models(tmp_path)
    done = cnntool("explore", "chars.npz", "text.txt", "-o", "-")
    assert b'"texts":["' in done.out
    for arguments, code, words in (
        (("chars.npz", "--layers", "lstm1"), 2, "--layers is for models of images"),
        (("chars.npz", "none.txt"), 1, "none.txt"),
        (("captioner.npz", "--text", "a"), 2, "--text is of no use here"),
        (("series.npz",), 1, "explore shows models of images and of texts"),
    ):
        done = cnntool("explore", *arguments)
        assert done.code == code
        assert words in done.err


def test_what_shows_a_model_of_series_or_frames_is_named_and_does(cnntool, tmp_path):
    """Whatever it is asked to read, of which nothing is said before."""
    write_sequence_models(tmp_path, "series", "frames")
    Path("clip").mkdir()
    for number in range(3):
        Path(f"clip/{number}.png").write_bytes(Path("grey.png").read_bytes())
    for name in ("series", "frames"):
        for more in ([], ["--text", ""], ["none.txt"], ["--layers", "lstm1"]):
            done = cnntool("explore", f"{name}.npz", *more)
            assert (done.code, done.out, done.err.count("\n")) == (1, b"", 1)
        words = done.err.split("texts; cnntool ")[1].split(" shows")[0].split()
        shown = cnntool(*("clip" if word == "CLIP" else word for word in words))
        assert shown.code == 0, shown.err


def test_what_cannot_be_shown_is_said_in_one_line(cnntool, digits_run):
    for arguments, code, words in (
        ((digits_run, "--layers", "conv7"), 2, "has no layer 'conv7', only conv1, relu1"),
        ((digits_run, "none.png"), 1, "none.png"),
        ((digits_run, "--text", "good"), 2, "--text is for models of texts"),
        ((digits_run, "."), 1, ". is a folder: name images"),
        (("grey.png",), 1, "grey.png"),
        ((digits_run, "-o", "grey.png/page.html"), 1, "grey.png is no folder"),
        ((), 2, "Missing argument"),
        (("--kernel", "sobel"), 2, "--kernel is shown over one image, and 0 files are named"),
        (("--kernel", "sobell", "grey.png"), 2, "did you mean 'sobel'"),
        (("--pool", "max:99", "grey.png"), 2, "'99' is no window: expected 1 to 16"),
        (("--pool", "maxx", "grey.png"), 2, "no pool 'maxx': did you mean 'max'"),
        (("--signal", "1,2"), 2, "--signal needs a kernel: add --kernel 1,0,-1"),
        (("--signal", "1,2", "-k", "sobel"), 2, "--kernel with --signal: "),
        (("--signal", "1,2", "-k", "1,2,3"), 2, "does not fit into 2"),
        (("--signal", "1,2", "-k", "1", "grey.png"), 2, "--signal takes no file"),
        (("--pool", "max", "-k", "sobel", "grey.png"), 2, "are two pages"),
        (("--pool", "max", "--layers", "conv1", "grey.png"), 2, "--layers is for a model"),
    ):
        done = cnntool("explore", *arguments)
        assert (done.code, done.out) == (code, b""), done.err
        assert words in done.err
        assert len(done.err.splitlines()) == 1

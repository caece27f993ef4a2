"""`cnntool visualize embedding`: from a model of text to a picture, a table and JSON."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from text_models import write_text_models
from trained_models import darkness_model

from cnntool.networks.model import load_trained


@pytest.fixture
def here(folder):
    write_text_models(folder)
    return folder


def test_a_picture_is_written_and_its_path_is_the_one_line(here, cnntool):
    done = cnntool("visualize", "embedding", "words.npz")
    assert (done.code, done.err, done.lines) == (0, "", ["words-embedding.png"])
    with Image.open("words-embedding.png") as picture:
        assert picture.width < 1700
    assert cnntool("visualize", "embedding", "chars.npz", "-o", "c.jpg").lines == ["c.jpg"]
    assert cnntool("visualize", "embedding", "words.npz").code == 1


def test_neighbours_are_a_table_and_no_picture_unless_asked(here, cnntool):
    done = cnntool("visualize", "embedding", "words.npz", "--near", "king", "--neighbours", "3")
    assert done.code == 0
    assert len(done.lines) == 4
    assert not list(here.glob("*embedding.png"))
    drawn = cnntool("visualize", "embedding", "words.npz", "--near", "king", "-o", "k.png")
    assert drawn.code == 0
    assert (here / "k.png").exists()


def test_json_gives_cosines_that_are_right(here, cnntool):
    done = cnntool("visualize", "embedding", "words.npz", "--near", "cat", "--json")
    (word,) = json.loads(done.out)["words"]
    assert word["token"] == "cat"
    trained = load_trained("words.npz", "rnn")
    rows = trained.network.params["embedding.weight"].astype(float)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    index = trained.vocabulary.tokens.index("cat")
    products = np.delete(rows @ rows[index], index)
    found = [each["cosine"] for each in word["nearest"]]
    np.testing.assert_allclose(found, np.sort(products)[::-1][:8], rtol=1e-5)


def test_what_cannot_be_is_one_line(here, cnntool):
    darkness_model(here / "image.npz")
    for words, code, message in [
        (["image.npz"], 1, "image.npz is an image model: expected a text model"),
        (["words.npz", "--near", "kng"], 2, "did you mean 'king'"),
        (["words.npz", "--words", "1"], 2, "--words"),
        (["text.txt"], 1, "text.txt"),
        (["words.npz", "--json", "-o", "-"], 2, "--json and -o -"),
    ]:
        done = cnntool("visualize", "embedding", *words)
        assert (done.code, done.out) == (code, b""), done.err
        assert message in done.err
        assert done.err.count("\n") == 1


def test_show_writes_the_words_as_letters(here, cnntool):
    done = cnntool("visualize", "embedding", "words.npz", "--show")
    assert (done.code, done.out) == (0, b"")
    assert not list(here.glob("*embedding.png"))
    tokens = load_trained("words.npz", "rnn").vocabulary.tokens
    lines = done.err.splitlines()[1:]
    assert len(lines) > 5
    assert sum(token in done.err for token in tokens) > len(tokens) / 2


def test_of_a_large_vocabulary_a_few_words_are_listed(here, cnntool):
    done = cnntool("visualize", "embedding", "words.npz", "--near", "xyzzyqq")
    assert done.code == 2
    assert done.err.endswith(", ...\n")
    assert done.err.count(", ") == 12


def test_on_stdout_a_picture_stands_alone(here, cnntool):
    for words in ([], ["--near", "king"], ["--near", "king", "--show"]):
        done = cnntool("visualize", "embedding", "words.npz", "-o", "-", *words)
        assert done.code == 0
        with Image.open(io.BytesIO(done.out)) as picture:
            assert picture.format == "PNG"
        assert done.out.endswith(b"IEND\xaeB`\x82")

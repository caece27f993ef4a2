"""Models whose parameters are numbers, and whose answers are none: each command says so."""

from pathlib import Path

import numpy as np
import pytest
from labelled_images import save_picture
from sequence_models import write_sequence_models
from text_models import write_text_models

from cnntool.networks.model_file import load_model, save_model


def break_model(path) -> None:
    """Let its first layers overflow, whatever they are given."""
    model = load_model(path, kind=None)
    for array in model.params.values():
        array[...] = np.where(np.arange(array.size).reshape(array.shape) % 3, 3e38, -3e38)
    save_model(path, model, overwrite=True)


def check_refused(done) -> None:
    assert (done.code, done.out) == (1, b"")
    assert len(done.err.splitlines()) == 1, done.err
    assert "not finite" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "MODEL", "grey.png", "--top", "3"],
        ["evaluate", "MODEL", "digits", "--json"],
        ["explore", "MODEL", "grey.png"],
        ["explore", "MODEL", "--layers", "conv2"],
        ["visualize", "maps", "MODEL", "grey.png"],
        ["visualize", "saliency", "MODEL", "grey.png"],
        ["visualize", "best", "MODEL", "--data", "digits", "--layer", "conv2"],
        ["explain", "prediction", "MODEL", "grey.png"],
    ],
    ids=" ".join,
)
def test_a_model_of_images_answers_nothing(cnntool, digits_run, arguments):
    Path("broken.npz").write_bytes(digits_run.read_bytes())
    break_model("broken.npz")
    check_refused(cnntool(*(word.replace("MODEL", "broken.npz") for word in arguments), "-q"))
    assert not list(Path().glob("*.html"))


@pytest.fixture
def broken(tmp_path):
    """``words.npz``, and models of sequences, all broken; ``said.txt`` and ``square.png`` to ask
    them."""
    write_text_models(tmp_path)
    write_sequence_models(tmp_path, "classifier", "tagger", "translator", "captioner")
    for name in ("words", "classifier", "tagger", "translator", "captioner"):
        break_model(f"{name}.npz")
    Path("moods.tsv").write_text("good\ta good film\nbad\ta bad film\n", encoding="utf-8")
    Path("tags.conll").write_text("12 number\nMain street\n", encoding="utf-8")
    Path("pairs.tsv").write_text("abc\tcba\nba\tab\n", encoding="utf-8")
    save_picture(tmp_path / "square.png", np.eye(8, dtype=np.uint8) * 255)


COMMANDS = """\
evaluate words.npz text.txt
explore words.npz text.txt
evaluate classifier.npz moods.tsv
explore classifier.npz --text good
visualize states classifier.npz --text good
visualize saliency classifier.npz --text good
evaluate tagger.npz tags.conll
explore tagger.npz --text Main
visualize states tagger.npz --text Main
visualize saliency tagger.npz --text Main --word 1
evaluate translator.npz pairs.tsv
explore translator.npz --text abc
visualize attention translator.npz abc
explain attention translator.npz --text abc
explain beam translator.npz --text abc
generate translator.npz --text abc
predict captioner.npz square.png
predict captioner.npz square.png --beam 3
explore captioner.npz square.png
visualize maps captioner.npz square.png
visualize attention captioner.npz square.png
generate captioner.npz square.png
"""


def test_a_model_of_sequences_answers_nothing(cnntool, broken):
    for line in COMMANDS.splitlines():
        quiet = [] if line.startswith("explain") else ["-q"]
        check_refused(cnntool(*line.split(), *quiet))
    for name, text in (("classifier", "good"), ("tagger", "Main"), ("translator", "abc")):
        Path("said.txt").write_text(f"{text}\n", encoding="utf-8")
        check_refused(cnntool("predict", f"{name}.npz", "said.txt", "-q"))
    assert not list(Path().glob("*-explore.html"))


def test_a_language_model_writes_no_more(cnntool, broken):
    done = cnntool("generate", "words.npz", "--prime", "the cat sat on the", "-q", "--new-only")
    assert done.code == 1
    assert done.err.endswith("smaller learning rate\n")
    assert len(done.err.splitlines()) == 1

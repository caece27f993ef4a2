"""No result goes over what it is made of, by -f either; and no option is passed over in silence."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sequence_models import write_sequence_models
from trained_models import darkness_model


@pytest.fixture
def inputs(folder, digits_run):
    """A model, its log and one of texts, pictures, texts and a kernel, all with any suffix."""
    write_sequence_models(folder, "classifier", "captioner")
    Path("mood.tsv").write_text("a good film\tgood\na bad one\tbad\n")
    np.save("kernel.npy", np.ones((1, 3), np.float32))
    Path("row.csv").write_text("1,0,-1\n")
    for name, source in (
        ("model.png", digits_run),
        ("model.html", digits_run),
        ("log.png", digits_run.with_suffix(".jsonl")),
        ("grey.html", "grey.png"),
        ("mood.html", "mood.tsv"),
    ):
        shutil.copy(source, name)
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save("small.png")
    return folder


OVER = [
    ("explain prediction model.png small.png -o small.png", "IMAGE"),
    ("explain prediction model.png small.png -o model.png", "MODEL"),
    ("visualize saliency model.png small.png -o small.png", "IMAGE"),
    ("visualize maps model.png small.png -o small.png", "IMAGE"),
    ("visualize attention captioner.npz small.png -o small.png", "INPUT"),
    ("visualize filters model.png -o model.png", "MODEL"),
    ("visualize stats model.png -o model.png", "MODEL"),
    ("visualize best model.png --data digits -o model.png", "MODEL"),
    ("visualize curves log.png -o log.png", "MODEL|LOG"),
    ("explore model.html -o model.html", "an input"),
    ("explore model.png grey.html -o grey.html", "an input"),
    ("explore --kernel sobel grey.html -o grey.html", "an input"),
    ("explore classifier.npz mood.html -o mood.html", "an input"),
    ("evaluate model.html digits --html model.html", "MODEL"),
    ("evaluate model.png digits --confusion model.png", "MODEL"),
    ("evaluate classifier.npz mood.tsv --mistakes mood.tsv", "DATA"),
    ("evaluate classifier.npz mood.html --html mood.html", "DATA"),
    ("kernels --from grey.png kernel.npy -o kernel.npy", "AFTER"),
    ("convolve grey.png -k kernel.npy -o kernel.npy", "--kernel"),
    ("convolve1d mood.tsv -k row.csv -o row.csv", "--kernel"),
    ("convolve1d mood.tsv --with row.csv -o row.csv", "--with"),
]


@pytest.mark.parametrize(("words", "what"), OVER, ids=[words for words, _ in OVER])
def test_what_is_read_is_not_written_over(cnntool, inputs, words, what):
    option, path = words.split()[-2:]
    before = Path(path).read_bytes()
    done = cnntool(*words.split(), "-f")
    said = f"cnntool: {option} {path} would overwrite {what}, which is read: name another file\n"
    assert (done.code, done.err) == (2, said)
    assert Path(path).read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "explore --kernel sobel grey.png --text a",
            "--text is for a model of texts, and --kernel",
        ),
        ("explore --pool max grey.png --text a", "--text is for a model of texts, and --pool"),
        ("explore --signal 1,2 --kernel 1 --white 3", "--white is for images, and --signal gives"),
        ("explore --kernel sobel grey.png --encoding utf-16", "--encoding is for a model of texts"),
        ("explore model.png grey.png --encoding utf-16", "--encoding is for models of texts"),
        ("explore captioner.npz grey.png --text a", "--text is of no use here: captioner.npz is a"),
        ("explore classifier.npz --text a --white 3", "--white is for images, and classifier.npz"),
        ("explain prediction classifier.npz a --own-size", "--own-size is for images, and"),
        ("visualize saliency classifier.npz --text a --white 3", "--white is for images, and"),
        ("explain prediction model.png small.png --font x", "--font is for a picture in a file"),
        ("visualize stats model.png --font x", "--font is for a picture in a file"),
        ("visualize filters model.png --show --font x", "--font is for a picture in a file"),
        ("visualize curves log.png --font x", "--font is for a picture in a file"),
        ("evaluate model.png digits --font x", "none is drawn: add --confusion or --mistakes"),
        ("evaluate classifier.npz mood.tsv --font x", "none is drawn: add --confusion"),
    ],
)
def test_an_option_that_can_do_nothing_is_refused(cnntool, inputs, words, said):
    done = cnntool(*words.split())
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert said in done.err


def test_more_answers_than_there_are_classes_are_told_of(cnntool, folder, image):
    darkness_model(folder / "dark.npz")
    done = cnntool("predict", "dark.npz", image, "--top", "3")
    assert len(done.lines[0].split("\t")) == 5
    assert done.err == "--top 3: dark.npz has 2 classes, and all of them are told\n"
    assert cnntool("predict", "dark.npz", image, "--top", "3", "-q").err == ""


def test_evaluation_counts_all_classes_where_more_are_asked_for_as_prediction_does(cnntool, inputs):
    done = cnntool("evaluate", "model.png", "digits", "--top", "11", "--json")
    assert done.code == 0
    assert done.err.startswith("--top 11: model.png has 10 classes, and all of them are told\n")
    assert json.loads(done.out)["top_k"] == {"k": 10, "accuracy": 1.0}
    done = cnntool("predict", "model.png", "small.png", "--top", "11")
    assert (done.code, len(done.lines[0].split("\t"))) == (0, 21)
    assert done.err == "--top 11: model.png has 10 classes, and all of them are told\n"


@pytest.mark.parametrize(
    "words",
    [
        "predict model.png",
        "explore model.png",
        "explain prediction model.png",
        "visualize saliency model.png",
        "visualize maps model.png",
        "explain attention captioner.npz",
        "predict captioner.npz",
    ],
)
def test_a_text_in_the_place_of_an_image_is_told_what_is_wanted(cnntool, inputs, words):
    done = cnntool(*words.split(), "hello world")
    assert done.code == 1
    assert done.err.removeprefix("cnntool: ") == (
        "'hello world' is no file, and the model takes images: name one\n"
    )


def test_a_name_of_a_file_that_is_read_as_a_text_is_told_of(cnntool, inputs):
    done = cnntool("explain", "prediction", "classifier.npz", "mood.tsv")
    assert done.code == 0
    assert "mood.tsv is read as a text, and not the file: - reads stdin\n" in done.err


CAFE = "un café noir\n".encode("cp1252") * 20


def test_remedies_name_options_that_the_command_has(cnntool, inputs):
    Path("cafe.txt").write_bytes(CAFE)
    assert "set --encoding cp1252" in cnntool("explore", "classifier.npz", "cafe.txt").err
    options = ("--encoding", "cp1252", "-o", "cafe.html")
    assert cnntool("explore", "classifier.npz", "cafe.txt", *options).code == 0
    assert r"un caf\u00e9 noir" in Path("cafe.html").read_text(encoding="utf-8")
    picture = cnntool("explore", "classifier.npz", "grey.png").err
    assert picture.endswith("and NUL; a text takes its --encoding\n")
    for given in (CAFE, Path("grey.png").read_bytes()):
        done = cnntool("explain", "prediction", "classifier.npz", "-", stdin=given)
        assert done.code == 1
        assert done.err.startswith("cnntool: stdin")
        assert done.err.endswith(" convert it to UTF-8 with iconv\n")
        assert " at offset " in done.err


@pytest.mark.parametrize("command", ["convolve {} small.png -k box -o out/", "pool {} small.png"])
def test_a_path_that_the_system_refuses_does_not_stop_the_others(cnntool, inputs, command):
    """Whether it is a folder cannot be told, of a name that is too long no more than of one in a
    folder that may not be read."""
    done = cnntool(*command.format("a" * 300 + ".png").split())
    assert done.code == 1
    assert (done.err.count("\n"), len(done.lines)) == (1, 1)
    assert "cannot be opened: File name too long" in done.err


def test_pages_tell_of_texts_that_are_empty(cnntool, inputs):
    Path("none.txt").write_bytes(b" \n")
    Path("some.txt").write_text("a good film\n")
    given = ["none.txt", "some.txt", "--text", "", "--text", "so bad", "-o", "page.html"]
    done = cnntool("explore", "classifier.npz", *given)
    assert done.code == 0
    assert done.err.splitlines()[:2] == [
        "--text is empty: it is left out",
        "none.txt is empty: it is left out",
    ]
    assert '"texts":["so bad","a good film"]' in Path("page.html").read_text(encoding="utf-8")


def test_an_encoding_of_no_file_is_refused(cnntool, inputs):
    done = cnntool("explore", "classifier.npz", "--text", "so bad", "--encoding", "cp1252")
    assert done.code == 2
    assert "--encoding is that of files, and none is named: leave it out" in done.err

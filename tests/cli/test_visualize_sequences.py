"""`cnntool visualize` of models of sequences: from a text or a picture to a picture and JSON."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from processes import pixels, report
from sequence_models import pictures, videos, write_sequence_models

from cnntool.networks.model import load_sequence_model
from cnntool.study.saliency import token_saliency


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_sequence_models(folder)
    return folder


@pytest.fixture
def visualize(cnntool, folder, trained):
    for path in trained.iterdir():
        (folder / path.name).symlink_to(path)
    Image.fromarray(pictures()[0][0][0]).save("square.png")
    frames = [Image.fromarray(frame[0]) for frame in videos()[0][0]]
    (folder / "clip").mkdir()
    (folder / "empty").mkdir()
    for number, frame in enumerate(frames):
        frame.save(folder / "clip" / f"{number:02}.png")
    frames[0].save("clip.gif", save_all=True, append_images=frames[1:], duration=50)
    return lambda *words, **stdin: cnntool("visualize", *words, **stdin)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["attention", "translator.npz", "cab"], "translator-cab-attention.png"),
        (["attention", "captioner.npz", "square.png"], "captioner-square-attention.png"),
        (
            ["saliency", "classifier.npz", "--text", "a good film"],
            "classifier-a-good-film-gradient.png",
        ),
        (
            ["saliency", "classifier.npz", "--text", "a good film", "--class", "bad"],
            "classifier-a-good-film-gradient-bad.png",
        ),
    ],
)
def test_a_picture_is_written_and_its_path_is_the_one_line(visualize, words, name):
    done = visualize(*words)
    assert (done.code, done.err, done.lines) == (0, "", [name])
    assert pixels(name).ndim == 3
    assert visualize(*words).code == 1  # it exists
    if words[0] == "saliency":
        assert "has no class 'x'" in visualize(*words[:4], "--class", "x", "-o", name).err
    assert visualize(*words, "-o", "-").out.startswith(b"\x89PNG")
    shown = visualize(*words, "--show", "-q")
    assert (shown.code, shown.out) == (0, b"")
    assert len(shown.err.splitlines()) >= 2


def test_rows_of_attention_are_tokens_and_add_up(visualize):
    found = report(visualize("attention", "translator.npz", "cab", "--json"))
    assert found["columns"] == ["c", "a", "b", "(end)"]
    sums = [sum(each["weights"]) for each in found["tokens"]]
    np.testing.assert_allclose(sums, 1, rtol=1e-6)
    found = report(visualize("attention", "captioner.npz", "square.png", "--json"))
    assert np.shape(found["tokens"][0]["weights"]) == (2, 2)


def test_a_text_from_stdin_is_read_as_one_that_is_typed(visualize):
    piped = report(visualize("attention", "translator.npz", "-", "--json", stdin=b"cab\n"))
    typed = report(visualize("attention", "translator.npz", "cab", "--json", "-f"))
    assert piped["tokens"] == typed["tokens"]


def test_the_words_have_the_numbers_of_the_function(visualize):
    words = ["saliency", "classifier.npz", "--text", "A good, film", "--json"]
    found = report(visualize(*words, "--class", "bad"))
    assert [each["token"] for each in found["tokens"]] == ["A", "good", ",", "film", "(end)"]
    model = load_sequence_model("classifier.npz")
    x, lengths = model.reader.rows(["A good, film"]).take(np.array([0]))
    values = [each["value"] for each in found["tokens"]]
    expected = token_saliency(model.network, x, lengths, model.labels.index("bad"))
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    assert found["class"]["label"] == "bad"
    assert report(visualize(*words, "-f"))["class"] == found["likeliest"]


def test_states_have_a_number_for_each_step_and_unit_and_a_tag_a_frame(visualize):
    found = report(visualize("states", "frames.npz", "clip", "--json"))
    video, tags = (each[0] for each in videos())
    assert len(found["answers"]) == len(found["steps"]) == len(video) == len(tags)
    for direction in found["directions"]:
        assert {np.shape(values) for values in direction.values()} == {(len(video), 8)}
    animated = report(visualize("states", "frames.npz", "clip.gif", "--json", "-f"))
    assert animated["answers"] == found["answers"]
    model = load_sequence_model("frames.npz")
    x, lengths = model.reader.rows([video]).take(np.array([0]))
    answers = model.network.forward(x, lengths=lengths)[0][:, 0].argmax(axis=1)
    assert found["answers"] == [model.labels[answer] for answer in answers]


def test_the_embedding_is_that_of_the_tokens_that_are_read_or_said(visualize):
    for name, words, path, tokens in [
        ("tagger", [], "embedding", lambda model: model.reader.vocabulary.tokens),
        ("translator", [], "encoder.embedding", lambda model: model.reader.vocabulary.tokens),
        ("translator", ["--target"], "decoder.embedding", lambda model: model.labels),
        ("captioner", [], "decoder.embedding", lambda model: model.labels),
    ]:
        found = report(visualize("embedding", f"{name}.npz", "--json", *words))
        model = load_sequence_model(f"{name}.npz")
        rows = model.network.params[f"{path}.weight"].astype(float)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        first, known = found["words"][0], list(tokens(model))
        products = rows @ rows[known.index(first["token"])]
        for each in first["nearest"]:
            expected = products[known.index(each["token"])]
            assert each["cosine"] == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["attention", "translator.npz", ""], 2, "the name is empty: name a text"),
        (["attention", "translator.npz", "a" * 101], 2, "the text has 101 characters"),
        (["attention", "captioner.npz", "missing.png"], 1, "missing.png"),
        (["attention", "tagger.npz", "a"], 1, "is a tagger, which says no text"),
        (["saliency", "classifier.npz"], 2, "give --text with what the model reads"),
        (["saliency", "series.npz"], 1, "series.npz is a classifier of sequences, of series: sal"),
        (["saliency", "frames.npz"], 1, "frames.npz is a tagger, of clips: saliency takes image"),
        (["saliency", "translator.npz"], 1, "translator.npz is a translator: saliency takes image"),
        (["saliency", "missing.npz"], 1, "missing.npz"),
        (["saliency", "classifier.npz", "--text", ""], 2, "--text has 0 words"),
        (["saliency", "classifier.npz", "a.png", "--text", "a"], 2, "a.png is for an image"),
        (
            ["saliency", "classifier.npz", "--text", "a", "--patch", "2"],
            2,
            "--patch is for an image",
        ),
        (["saliency", "classifier.npz", "--text", "a", "--class", "god"], 2, "did you mean 'good'"),
        (["saliency", "tagger.npz", "--text", "a"], 2, "which word's tag is asked for with --word"),
        (["saliency", "tagger.npz", "--text", "a", "--word", "2"], 2, "the text has 1 word"),
        (["saliency", "classifier.npz", "--text", "a", "--word", "1"], 2, "--word is for a tagger"),
        (["saliency", "classifier.npz", "a.png", "--word", "1"], 2, "--word is for a tagger"),
        (["saliency", "translator.npz", "--text", "a"], 2, "translator.npz is a translator"),
        (["saliency", "series.npz", "--text", "a"], 2, "takes series of numbers, not 'a'"),
        (["states", "tagger.npz"], 2, "takes sentences: give one with --text"),
        (["states", "tagger.npz", "--text", "a " * 201], 2, "--text has 201 words"),
        (["states", "tagger.npz", "--text", "a", "--layer", "lstm2"], 2, "only lstm1"),
        (["states", "frames.npz"], 2, "takes clips: name a folder of frames, or an animation"),
        (["states", "frames.npz", "missing"], 1, "missing"),
        (["states", "frames.npz", "empty"], 1, "empty has 0 frames: name a clip of pictures"),
        (["states", "captioner.npz", "square.png"], 1, "without a recurrent layer"),
        (["embedding", "tagger.npz", "--target"], 2, "--target is of a translator"),
        (["embedding", "frames.npz"], 1, "frames.npz reads no tokens, so it has no embedding"),
        (["filters", "translator.npz"], 1, "has no convolution layer, so no filters"),
        (
            ["maps", "tagger.npz", "square.png"],
            1,
            "tagger.npz is a tagger: expected an image model",
        ),
        (["maps", "captioner.npz", "square.png", "--own-size"], 2, "leave out --own-size"),
        (["maps", "captioner.npz", "square.png", "--layer", "conv4"], 2, "did you mean 'conv"),
        (["saliency", "classifier.npz", "square.png"], 1, "classifier.npz is a classifier of"),
    ],
)
def test_what_makes_no_sense_is_one_line(visualize, words, code, message):
    done = visualize(*words)
    assert (done.code, done.out) == (code, b""), done.err
    assert message in done.err
    assert done.err.count("\n") == 1


def test_letters_of_any_script_are_drawn_or_told(visualize):
    done = visualize("attention", "translator.npz", "aλ水")
    assert done.code == 0
    assert "2 characters of the text unknown to the model: λ, 水" in done.err

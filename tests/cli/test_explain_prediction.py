"""`cnntool explain prediction`: the sum that an answer is, from file to table and picture."""

import numpy as np
import pytest
from PIL import Image
from processes import pixels, report
from sequence_models import write_sequence_models
from text_models import write_text_models
from trained_models import darkness_model


def test_the_sum_of_a_network_whose_answers_are_known(cnntool, folder):
    darkness_model(folder / "dark.npz")
    Image.new("L", (4, 4), 204).save("light.png")
    found = report(cnntool("explain", "prediction", "dark.npz", "light.png", "--json"))
    assert (found["class"], found["exact"]) == ("light", True)
    assert found["score"] == pytest.approx(8 * 0.3, rel=1e-5)
    assert found["pixels"] == pytest.approx(found["score"])
    np.testing.assert_allclose(np.ravel(found["filter"]), 0.5)
    assert found["turn"]["to"] == "dark"
    assert found["turn"]["levels"] == pytest.approx(0.3 * 255, rel=1e-4)


def test_the_sum_by_layer_is_printed_beside_the_score(cnntool, digits_run, image):
    done = cnntool("explain", "prediction", digits_run, image)
    said = done.out.decode()
    assert done.code == 0
    for words in ("pixels", "conv1", "conv2", "dense1", "total", "the network", "turning"):
        assert words in said
    found = report(cnntool("explain", "prediction", digits_run, image, "--json"))
    assert found["error"] < 1e-9
    assert found["total"] == pytest.approx(found["pixels"] + sum(found["layers"].values()))


def test_the_difference_of_two_classes(cnntool, digits_run, image):
    one, other, both = (
        report(cnntool("explain", "prediction", digits_run, image, "--json", *options))
        for options in (("--class", "1"), ("--class", "7"), ("--class", "1", "--against", "7"))
    )
    assert both["score"] == pytest.approx(one["score"] - other["score"])
    for layer, value in both["layers"].items():
        assert value == pytest.approx(one["layers"][layer] - other["layers"][layer])


def test_the_sheet_is_drawn(cnntool, digits_run, image):
    done = cnntool("explain", "prediction", digits_run, image, "-o", "sheet.png")
    assert (done.code, done.lines[-1]) == (0, "sheet.png")
    drawn = pixels("sheet.png")
    assert drawn.shape[1] > 900
    assert np.ptp(drawn.astype(int), axis=2).max() > 100
    assert cnntool("explain", "prediction", digits_run, image, "-o", "sheet.png").code == 1


def test_texts_have_shares_of_tokens(cnntool, folder):
    write_sequence_models(folder, "classifier", "tagger")
    found = report(cnntool("explain", "prediction", "classifier.npz", "a b", "--json"))
    total = sum(token["share"] for token in found["tokens"])
    assert total == pytest.approx(found["score"] - found["baseline"], rel=2e-3, abs=1e-6)
    done = cnntool("explain", "prediction", "tagger.npz", "a b", "--word", "2", "-o", "t.png")
    assert done.code == 0, done.err
    assert "completeness error" in done.out.decode()
    assert done.lines[-1] == "t.png"


def test_mistakes_are_one_line(cnntool, folder, digits_run, image):
    write_text_models(folder)
    text = next(folder.glob("*lstm*.npz"), None) or next(
        path for path in folder.glob("*.npz") if path.name != "dark.npz"
    )
    write_sequence_models(folder, "classifier", "tagger", "captioner")
    likeliest = report(cnntool("explain", "prediction", digits_run, image, "--json"))["class"]
    cases = [
        ((digits_run, image, "--class", "x"), "no class 'x'"),
        (
            (digits_run, image, "--class", "3", "--against", "3"),
            "that of --class, whose score is explained",
        ),
        ((digits_run, image, "--against", "12"), "--against: "),
        ((digits_run, image, "--against", "12"), "no class '12', only 0, 1, 2, 3, 4, 5, 6, 7, 8"),
        ((digits_run, image, "--against", ""), "no class '', only 0"),
        ((digits_run, image, "--against", likeliest), f"--against {likeliest} is the likeliest"),
        (("classifier.npz", "a b", "--against", "x"), "no class 'x', only bad, good"),
        (("tagger.npz", "a b", "--word", "1", "--against", "x"), "no class 'x', only box"),
        ((digits_run, image, "--word", "3"), "for a tagger"),
        ((digits_run, "none.png"), "none.png"),
        (("tagger.npz", "a b"), "--word"),
        ((text, "abc"), "generate"),
        (("captioner.npz", image), "explain attention"),
    ]
    for arguments, message in cases:
        done = cnntool("explain", "prediction", *arguments)
        assert done.code in (1, 2)
        assert message in done.err
        assert [done.err.count(line) for line in ("cnntool: ", "Traceback")] == [1, 0]


def test_maps_that_do_not_fit_into_memory_are_refused(cnntool, digits_run, image, monkeypatch):
    monkeypatch.setattr("cnntool.cli.explain.image_prediction.free_memory", lambda: 1000)
    done = cnntool("explain", "prediction", digits_run, image)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "small.png: the maps of 8 x 8 pixels need about " in done.err
    assert "1.0 kB are free: leave out --own-size" in done.err

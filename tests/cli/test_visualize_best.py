"""`cnntool visualize best`: the patches that excite each filter most, from data to picture."""

import numpy as np
import pytest
from labelled_images import save_picture
from processes import pixels, report
from trained_models import darkness_model

from cnntool.datasets.images.dataset import load_digits
from cnntool.networks.model import load_trained


def test_a_picture_is_written_and_its_path_is_the_one_line(cnntool, digits_run):
    done = cnntool("visualize", "best", digits_run, "--data", "digits")
    assert (done.code, done.lines) == (0, ["digits-best.png"])
    done = cnntool("visualize", "best", digits_run, "--data", "digits", "--layer", "conv2")
    assert (done.code, done.lines) == (0, ["digits-conv2-best.png"])
    assert done.err == ""


@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_the_places_are_those_of_a_search_of_all_maps(cnntool, digits_run, layer):
    words = ["visualize", "best", digits_run, "--data", "digits", "--layer", layer, "--top", "3"]
    found = report(cnntool(*words, "--filters", "1..2", "--json"))
    classifier, data = load_trained(digits_run, "cnn"), load_digits()
    network = classifier.network
    x = classifier.preprocessing.normalized(data.x, data.white)
    maps = np.ascontiguousarray(network.outputs(x)[network.names.index(layer)])
    assert [each["filter"] for each in found["filters"]] == [1, 2]
    for each in found["filters"]:
        most = maps[:, each["filter"]].reshape(len(x), -1).max(axis=1)
        order = np.argsort(-most, kind="stable")[:3]
        assert [patch["image"] for patch in each["best"]] == order.tolist()
        for patch in each["best"]:
            row, column = patch["place"]
            answer = maps[patch["image"], each["filter"], row, column]
            assert patch["answer"] == pytest.approx(float(answer), rel=1e-5)
            assert patch["answer"] == pytest.approx(float(most[patch["image"]]), rel=1e-5)
            assert patch["label"] == data.labels[data.y[patch["image"]]]


def test_the_receptive_field_is_told_and_may_leave_the_image(cnntool, digits_run):
    words = ["visualize", "best", digits_run, "--data", "digits", "--top", "20", "--json"]
    patches = [p for each in report(cnntool(*words))["filters"] for p in each["best"]]
    for patch in patches:  # conv 3x3 pad 1
        row, column = patch["place"]
        assert patch["rows"] == [row - 1, row + 2]
        assert patch["columns"] == [column - 1, column + 2]


def test_files_are_named_where_images_have_some(cnntool, digits_run, folder):
    rng = np.random.default_rng(0)
    for label in "01":
        for index in range(3):
            save_picture(
                folder / "set" / label / f"{index}.png", rng.integers(0, 256, (9, 9), np.uint8)
            )
    words = ["visualize", "best", digits_run, "--data", "set", "--filters", "2", "--json"]
    found = report(cnntool(*words))
    assert found["images"] == 6
    assert len(found["filters"]) == 2
    for each in found["filters"]:
        assert len(each["best"]) == 6
        assert {patch["file"][-5:] for patch in each["best"]} == {"0.png", "1.png", "2.png"}


def test_more_filters_than_there_are_is_said(cnntool, digits_run):
    words = ["visualize", "best", digits_run, "--data", "digits", "--json"]
    done = cnntool(*words, "--filters", "99")
    assert done.err == "conv1 has 4 filters, fewer than 99: all are shown\n"
    assert [each["filter"] for each in report(done)["filters"]] == [0, 1, 2, 3]
    assert cnntool(*words, "--filters", "99", "-q", "-f").err == ""
    assert cnntool(*words, "--filters", "4", "-f").err == ""
    assert cnntool(*words, "-f").err == ""  # nobody asked for the 16 of the default


def test_the_data_that_is_shown_can_be_a_part(cnntool, digits_run):
    done = cnntool("visualize", "best", digits_run, "--data", "digits", "--part", "test")
    assert done.code == 2
    assert "digits has no test part: use --part train, or all" in done.err


def test_show_says_the_words_and_draws(cnntool, digits_run, folder):
    before = set(folder.iterdir())
    done = cnntool("visualize", "best", digits_run, "--data", "digits", "--show")
    assert (done.code, done.out) == (0, b"")
    assert done.err.startswith("digits.npz, conv1: 4 filters and the patches that excite them most")
    assert len(done.err.splitlines()) > 6
    assert set(folder.iterdir()) == before


def test_colour_stays_colour(cnntool, folder):
    from cnntool.networks.model_file import Header, Model, save_model
    from cnntool.networks.network import Network
    from cnntool.networks.spec import parse_layers

    network = Network(parse_layers("conv 2 3x3; flatten; dense 2"), (3, 6, 6))
    network.initialise(np.random.default_rng(0))
    prepared = {"channels": 3, "size": [6, 6], "mean": [0.5] * 3, "std": [1.0] * 3}
    header = Header(network.spec, network.input_shape, prepared, ("a", "b"), 0)
    save_model("colour.npz", Model(header, network.params))
    x = np.random.default_rng(1).integers(0, 256, (5, 3, 6, 6), dtype=np.uint8)
    np.savez("set.npz", x=x, y=[0, 1, 0, 1, 1], labels=["a", "b"])
    done = cnntool("visualize", "best", "colour.npz", "--data", "set.npz", "-o", "c.png")
    assert done.code == 0
    picture = pixels("c.png")
    assert (np.ptp(picture.astype(int), axis=2) > 60).sum() > 1000


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--data", "digits", "--layer", "conv7"], 2, "only in conv1, conv2: did you mean"),
        (["--data", "digits", "--layer", "dense1"], 2, "no filters in a layer 'dense1'"),
        (
            ["--data", "digits", "--filters", "2..4"],
            2,
            "names 4, and conv1 has 4 filters: expected 0",
        ),
        (["--data", "digits", "--filters", "9,2"], 2, "names 9"),
        (["--data", "digits", "--filters", "4..2"], 2, "names no filters"),
        (["--data", "digits", "--filters", "0"], 2, "expected 1 to 256"),
        (["--data", "digits", "--filters", "two"], 2, "names no filters"),
        (["--data", "digits", "--top", "0"], 2, "out of range"),
        (["--data", "nothing"], 1, "nothing does not exist"),
        (["--data", "digits", "--json", "-o", "-"], 2, "both write to stdout"),
        ([], 2, "--data"),
    ],
)
def test_what_makes_no_sense_is_one_clear_line(cnntool, digits_run, arguments, code, message):
    done = cnntool("visualize", "best", digits_run, *arguments)
    assert (done.code, done.out) == (code, b"")
    assert message in done.err
    assert "Traceback" not in done.err


def test_a_model_without_convolutions_is_refused(cnntool, folder):
    darkness_model(folder / "m.npz")
    done = cnntool("visualize", "best", "m.npz", "--data", "digits")
    assert done.code == 1
    assert "m.npz has no convolution layer, so no filters" in done.err

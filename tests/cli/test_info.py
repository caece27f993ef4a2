"""`cnntool info`: layers and sums, how a model came about, and what is no network."""

import json

import numpy as np
import pytest
from sequence_models import write_sequence_models
from trained_models import darkness_model, train_digits

from cnntool.networks.model import load_trained
from cnntool.networks.zoo import ZOO


def test_lenet5_as_a_table(cnntool):
    done = cnntool("info", "lenet5")
    rows = [line.split() for line in done.lines]
    (first,) = [row for row in rows if row[:1] == ["conv1"]]
    assert first[-6:] == ["156", "122,304", "117,600", "5", "x", "5"]
    assert ["total", "60,850", "340,918", "328,096"] in rows


def test_lenet5_as_json(cnntool):
    found = json.loads(cnntool("info", "lenet5", "--json").out)
    layers = {layer["name"]: layer for layer in found["layers"]}
    assert layers["conv2"]["parameters"] == 1516
    assert layers["conv2"]["receptive_field"] == [14, 14]
    assert found["totals"]["parameters"] == 60_850
    assert found["any_size"] is False


@pytest.mark.parametrize("name", ZOO)
def test_every_network_of_the_zoo_has_an_input_that_fits(cnntool, name):
    found = json.loads(cnntool("info", name, "--json").out)
    assert found["layers"][-1]["output_shape"] == [10]


def test_layers_from_a_text_and_from_a_file(cnntool, folder):
    text = "conv 4 3x3; relu; dense 7"
    (folder / "layers.txt").write_text(text.replace("; ", "\n"))
    shape = ["--input", "3x9x8", "--json"]
    found = cnntool("info", text, *shape)
    assert json.loads(found.out)["layers"][0]["output_shape"] == [4, 7, 6]
    assert cnntool("info", "layers.txt", *shape).out == found.out


def test_a_model_tells_how_it_was_trained(cnntool, folder):
    train_digits(folder / "d.npz")
    text = cnntool("info", "d.npz").out.decode()
    facts = dict(line.split("  ", 1) for line in text.splitlines() if "  " in line)
    assert facts["labels"].strip() == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    assert facts["trained on"].strip() == "digits, 0.1 of it held out"
    assert "learning rate 0.005" in facts["settings"]
    assert "processes 1" in facts["settings"]  # as --processes, which sets it
    assert facts["seed"].strip() == "3"
    assert f"{(folder / 'd.npz').stat().st_size:,} bytes" in facts["file"]
    assert "█" in facts["validation loss"]
    found = json.loads(cnntool("info", "d.npz", "--json").out)
    assert [epoch["epoch"] for epoch in found["history"]] == [1, 2]
    assert (found["bytes"], found["resumable"]) == ((folder / "d.npz").stat().st_size, False)


def test_a_model_says_what_it_was_validated_and_tested_on(cnntool, folder):
    training = {"data": "train", "valid": "v", "val_split": None, "test": "t"}
    darkness_model(folder / "m.npz", training=training)
    text = cnntool("info", "m.npz").out.decode()
    assert "train, validated on v, tested on t" in text
    assert "settings" not in text


def test_a_network_of_any_size_shows_others(cnntool, folder):
    train_digits(folder / "d.npz")
    found = json.loads(cnntool("info", "d.npz", "--input", "1x20x30", "--json").out)
    assert found["layers"][0]["output_shape"] == [8, 20, 30]


def test_a_model_with_a_bare_header_is_shown(cnntool, folder):
    darkness_model(folder / "m.npz", history=({"epoch": 1, "loss": None}, {"loss": "?"}))
    done = cnntool("info", "m.npz")
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["lenett"], 2, "cnntool: 'lenett' is no network of the zoo"),
        (["none.npz"], 1, "cnntool: none.npz does not exist"),
        (["grey.png"], 1, "cnntool: grey.png is no model file"),
        (["conv 3"], 2, "cnntool: layer 'conv 3': "),
        (["lenet5", "--input", "1x20x20"], 2, "cnntool: --input 1x20x20 is too small for lenet5"),
        (["lenet5", "--input", "32"], 2, "cnntool info: Invalid value for '--input'"),
        (["lenet5", "--input", "1x0x9"], 2, "cnntool info: Invalid value for '--input'"),
        (["dense 3", "--width", "2"], 2, "cnntool info: --width is for named networks"),
        (["dense 3", "--classes", "2"], 2, "cnntool: the last layer (dense 3) gives"),
        (["m.npz", "--classes", "2"], 2, "cnntool info: --classes is for named networks"),
        (["m.npz", "--input", "1x9x9"], 2, "cnntool: --input 1x9x9: m.npz takes images of"),
    ],
)
def test_what_is_wrong_is_one_line(cnntool, folder, arguments, code, message):
    darkness_model(folder / "m.npz")
    done = cnntool("info", *arguments)
    assert (done.code, done.out) == (code, b"")
    assert done.err.startswith(message)
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("embedding 9 x 4; gru 8 => ", "nothing stands behind '=>': expected a decoder, such as"),
        ("=> embedding 9 x 4; gru 8", "nothing stands before '=>': expected an encoder, such as"),
        ("embedding ? x 4; gru 8; last; dense ?", "layer 'embedding ? x 4': ? is known from data "),
        ("embedding 9 x 4; gru 8 => embedding 7 x 4; gru 8; dense ?", "let train-translator or "),
    ],
)
def test_layers_that_say_too_little_get_a_remedy(cnntool, text, message):
    done = cnntool("info", text)
    assert (done.code, done.out, done.err.count("\n")) == (2, b"", 1)
    assert message in done.err


def test_a_question_mark_in_a_comment_is_none_of_data(cnntool):
    assert cnntool("info", "conv 8 3x3; dense 10  # or dense ?").code == 0


def test_layers_of_tokens_are_shown_as_the_arrays_of_a_step(cnntool):
    done = cnntool("info", "embedding 9 x 4; gru 5; dense 9", "--json")
    shown = json.loads(done.out)
    assert [(array["name"], array["shape"]) for array in shown["arrays"]][:3] == [
        ("input", [None, 9]),
        ("embed", [9, 4]),
        ("ih", [4, 15]),
    ]
    assert shown["totals"] == {"parameters": 9 * 4 + (4 + 5 + 2) * 15 + 6 * 9, "multiply_adds": 180}
    table = cnntool("info", "embedding 9 x 4; gru 5; dense 9").out.decode()
    assert "hidden x 3 hidden" in table
    assert "180 multiply-adds a token" in table


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["lstmm"], "'lstmm' is no network of the zoo, no layers and no file of them: expected"),
        (["lstm"], "layer 'lstm': it needs its number of units, such as 10"),
        (["lstm 8; dense 3"], "it takes steps, not 1 x 28 x 28: put columns before it"),
        (["xyzzy 3; dense 3"], "layer 'xyzzy' is not known: expected conv, local, max"),
        (["embedding 9 x 4; dense 9", "--input", "1x8x8"], "it takes tokens of a text, and images"),
    ],
)
def test_typed_layers_are_those_of_images_unless_an_embedding_begins_them(cnntool, asked, message):
    found = cnntool("info", *asked)
    assert found.code == 2
    assert message in found.err
    assert ", embedding" not in found.err
    assert cnntool("info", "# tokens\nembedding 9 x 4; lstm 8; dense 9").code == 0


ARRAYS = {
    "features.0.weight": np.ones((8, 3, 5, 5), np.float32),
    "features.0.bias": np.ones(8, np.float32),
    "classifier.weight": np.ones((10, 128), np.float16),
}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_weights_of_other_tools_are_listed(cnntool, save):
    save("weights.npz", **ARRAYS)
    shown = cnntool("info", "weights.npz")
    rows = [line.split() for line in shown.out.decode().splitlines()]
    assert ["features.0.weight", "8", "x", "3", "x", "5", "x", "5", "float32", "600"] in rows
    assert ["classifier.weight", "10", "x", "128", "float16", "1,280"] in rows
    assert ["total", "1,888"] in rows
    listed = json.loads(cnntool("info", "weights.npz", "--json").out)["arrays"]
    assert listed[1] == {"name": "features.0.bias", "shape": [8], "dtype": "float32"}
    done = cnntool("info", "weights.npz", "--input", "3x8x8")
    assert (done.code, done.out) == (2, b"")
    assert "--input is for networks: weights.npz holds weights alone" in done.err


def test_one_array_is_listed_too(cnntool):
    np.save("weights.npy", ARRAYS["features.0.weight"])
    assert json.loads(cnntool("info", "weights.npy", "--json").out)["arrays"] == [
        {"name": "conv1", "shape": [8, 3, 5, 5], "dtype": "float32"}
    ]


def shown(cnntool, model: str) -> dict[str, str]:
    """What info says below its table, by name."""
    lines = [line.split("  ", 1) for line in cnntool("info", model).lines if "  " in line]
    return {name: text.strip() for name, text in lines}


def test_models_of_sequences_say_what_they_take_and_give(cnntool, folder):
    write_sequence_models(folder)
    facts = shown(cnntool, "classifier.npz")
    assert facts["takes"] == "texts of words, in lower case"
    assert facts["labels"] == "bad, good"
    assert facts["dense1"].split() == ["dense", "2", "2", "features", "34", "32"]
    assert shown(cnntool, "series.npz")["takes"] == "series of 2 numbers a step"
    facts = shown(cnntool, "tagger.npz")
    assert facts["takes"] == "words given one by one, in lower case, and their 24 letters"
    assert facts["tags"] == "box, number, state, street"
    assert shown(cnntool, "frames.npz")["takes"].startswith("videos, frames grey, 8 x 8 pixels")
    facts = shown(cnntool, "translator.npz")
    assert facts["says"] == "texts of characters, at most 12 tokens"
    assert facts["validation perplexity"].endswith("at best, given the right beginning")
    assert "accuracy" not in facts
    facts = shown(cnntool, "captioner.npz")
    assert facts["takes"].startswith("pictures grey, 8 x 8 pixels")
    assert facts["encoder.conv1"].split()[-3:] == ["3", "x", "3"]
    assert facts["words said"] == "<unk>, a, square, <eos>, right, left"


def test_all_parameters_of_an_encoder_and_a_decoder_are_counted(cnntool, folder):
    write_sequence_models(folder, "captioner")
    network = load_trained("captioner.npz").network
    count = sum(array.size for array in network.params.values())
    found = json.loads(cnntool("info", "captioner.npz", "--json").out)
    assert found["totals"]["parameters"] == count
    assert (found["kind"], found["spec"]) == ("captioner", network.spec)
    text = "embedding 9 x 4; gru 5 => embedding 7 x 4; gru 6; attend; dense 7"
    found = json.loads(cnntool("info", text, "--json").out)
    assert [layer["name"] for layer in found["layers"]][1:3] == [
        "encoder.gru1",
        "decoder.embedding",
    ]
    assert found["layers"][3]["parameters"] == (4 + 6 + 2) * 18 + 5 * 6 + 6
    start = "a decoder's start state, made once a text, is counted with its recurrence"
    assert start in cnntool("info", text).out.decode()
    assert start not in cnntool("info", text.replace("gru 6", "gru 5")).out.decode()
    done = cnntool("info", "captioner.npz", "--input", "1x9x9")
    assert (done.code, done.out) == (2, b"")
    assert "--input is for networks of images: captioner.npz is a captioner" in done.err

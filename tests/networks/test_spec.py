"""Networks as text: what is printed parses to the same layers, and what is wrong is named."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_texts import EVERY_LAYER, OF_SEQUENCES
from layer_texts import LAYERS as ANY_LAYER

from cnntool.errors import RequestError
from cnntool.networks.layers.convolutions import LENET5_TABLE, Convolution, Window
from cnntool.networks.layers.core import Activation, Dense, Dropout
from cnntool.networks.layers.layer import LARGEST
from cnntool.networks.layers.pools import AdaptivePool, PyramidPool, SlidingPool
from cnntool.networks.spec import LAYERS, filled, parse_layers


@given(st.lists(ANY_LAYER, min_size=1, max_size=4))
@settings(max_examples=200)
def test_what_is_printed_parses_to_the_same_layers(layers):
    assert parse_layers("; ".join(map(str, layers))) == layers
    assert parse_layers("\n".join(map(str, layers))) == layers


@pytest.mark.parametrize("text", EVERY_LAYER + OF_SEQUENCES)
def test_short_texts_print_as_they_are(text):
    assert str(parse_layers(text)[0]) == text


def test_every_layer_stands_in_a_text():
    assert {text.split()[0] for text in EVERY_LAYER + OF_SEQUENCES} == set(LAYERS)


def test_settings_come_in_any_order():
    one = parse_layers("conv 8 5x3 no-bias dilation 2 groups 4 pad 1x2 stride 2")
    assert one == parse_layers("conv 8 5x3 stride 2 pad 1x2 dilation 2 groups 4 no-bias")
    window = Window((5, 3), (2, 2), (1, 2), (2, 2))
    assert one == [Convolution(8, window, groups=4, has_bias=False)]


def test_one_number_is_height_and_width():
    assert parse_layers("max 3 stride 2") == [SlidingPool("max", (3, 3), (2, 2))]
    assert parse_layers("max 3x2") == [SlidingPool("max", (3, 2))]


def test_comments_blank_lines_and_empty_parts_are_nothing():
    text = "# a network; of two layers\n\n conv 4 3 # ; relu\r\n;;\trelu ;\n#dense 10\n"
    assert parse_layers(text) == [Convolution(4, Window((3, 3))), Activation("relu")]


@pytest.mark.parametrize("text", ["", "  \n", ";", "# conv 3 3x3"])
def test_a_text_without_a_layer_is_none(text):
    with pytest.raises(RequestError, match="no layer: expected such as 'conv 16 5x5"):
        parse_layers(text)


def test_a_global_pool_is_an_adaptive_one_of_one_element():
    assert parse_layers("global-max; adaptive-max 1") == [AdaptivePool("max", (1, 1))] * 2


def test_the_norm_of_an_lp_pool_may_be_the_largest():
    assert parse_layers("lp 2 p inf") == [SlidingPool("lp", (2, 2), p=float("inf"))]


def test_the_largest_number_is_taken():
    assert parse_layers(f"dense {LARGEST}") == [Dense(LARGEST)]
    assert parse_layers("pyramid 999") == [PyramidPool((999,))]
    assert parse_layers("dropout 0") == [Dropout(0.0)]


WRONG = {
    "cnv 16 5x5": "layer 'cnv' is not known: did you mean 'conv'?",
    "batchnorm": "layer 'batchnorm' is not known: did you mean 'batch-norm'?",
    "scaled_tanh": "layer 'scaled_tanh' is not known: did you mean 'scaled-tanh'?",
    "xyzzy": "layer 'xyzzy' is not known: expected conv, local,",
    "conv 16 5x5 strde 2": "layer 'conv 16 5x5 strde 2': 'strde' is no setting of it: "
    "did you mean 'stride'?",
    "conv 16 5x5 7": "'7' is no setting of it: expected stride, pad, dilation, groups",
    "max 2 groups 2": "'groups' is no setting of it: expected stride, pad",
    "max 2 sigma 1": "'sigma' is no setting of it",
    "gaussian 3 p 2": "'p' is no setting of it",
    "local 3 3x3 no-bias": "'no-bias' is no setting of it",
    "relu 3": "layer 'relu 3': '3' is no setting of it: it takes nothing more",
    "dense 10 20": "'20' is no setting of it: expected tied",
    "lstm": "it needs its number of units, such as 10",
    "lstm 8 9": "'9' is no setting of it: expected both",
    "embedding 9": "it needs its 'x', such as x",
    "embedding 9 by 4": "'by' stands where 'x' is expected",
    "embedding 0 x 4": "number of tokens is 0: expected 1 to 1,048,576",
    "pyramid 1,2 averge": "'averge' is no setting of it: did you mean 'average'?",
    "conv 4 3x3 pad 1 pad 2": "'pad' stands twice: leave one of them out",
    "conv": "layer 'conv': it needs its number of filters, such as 10",
    "conv 16": "it needs its kernel size, such as 5 or 5x3",
    "conv 16 5x5 pad": "it needs its pad, such as",
    "conv 16 5x5 connections": "it needs its connection table, such as lenet5",
    "max": "it needs its window size, such as",
    "dense": "it needs its number of outputs, such as",
    "dropout": "it needs its rate, such as 0.5",
    "lp 2 p": "it needs its p, such as",
    "pyramid": "it needs its levels, such as 1,2,4",
    "adaptive-max": "it needs its output size, such as",
    "conv 0 3x3": "number of filters is 0: expected 1 to 1,048,576",
    "conv -3 3x3": "number of filters '-3': expected a whole number from 1",
    "conv 1.5 3x3": "number of filters '1.5': expected a whole number",
    "conv ² 3x3": "number of filters '²': expected a whole number",
    "conv 1048577 3x3": "number of filters is 1,048,577: expected 1 to 1,048,576",
    "conv 999999999999999999 3x3": "expected a whole number from 1 to 1,048,576",
    "conv 4 3x": "kernel size '3x': expected a number, or height x width such as 5x3",
    "conv 4 x": "kernel size 'x': expected a number",
    "conv 4 3x3x3": "kernel size '3x3x3': expected a number, or height x width",
    "conv 4 3*3": "kernel size '3*3': expected a whole number",
    "conv 4 3x3 stride 0": "stride is 0: expected 1",
    "conv 4 3x3 pad sme": "pad 'sme': expected a whole number from 0",
    "conv 4 3x3 dilation 0x1": "dilation is 0: expected 1",
    "conv 4 3x3 groups 0": "groups is 0: expected 1",
    "dropout 1": "rate '1': expected a number from 0 to below 1",
    "dropout half": "rate 'half': expected a number from 0 to below 1",
    "dropout nan": "rate 'nan': expected a number from 0 to below 1",
    "dropout -0.1": "rate '-0.1': expected a number from 0 to below 1",
    "lp 2 p 0.5": "p '0.5': expected a number from 1 to inf",
    "gaussian 3 sigma 0": "sigma '0': expected a number from 0.001 to 1e+06",
    "pyramid 1,,2": "levels '1,,2': expected up to 16 whole numbers",
    "pyramid 0": "levels '0': expected",
    "pyramid 1000": "levels '1000': expected up to 16 whole numbers from 1 to 999",
    "pyramid 00012345": "levels '00012345': expected",
    "pyramid " + ",".join("1" * 17): "expected up to 16 whole numbers",
    "conv 2 3x3 connections 12/11": "connection table '12/11': expected lenet5, or rows of 0 and 1",
    "conv 2 3x3 connections 11/1": "connection table '11/1': expected lenet5, or rows of 0 and 1",
    "conv 2 3x3 connections /": "connection table '/': expected lenet5",
    "conv 2 3x3 connections lenet": "connection table 'lenet': expected lenet5",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_named_in_one_line_with_what_would_be_right(text):
    with pytest.raises(RequestError, match=re.escape(WRONG[text])) as caught:
        parse_layers(f"relu\n{text}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        *("{}", "conv {} 3x3", "conv 3 {}", "conv 3 3x3 {}", "dropout {}", "pyramid {}"),
        *("conv 3 3x3 connections {}", "conv 3 3x3 pad {}"),
    ],
)
@pytest.mark.parametrize("word", ["x" * 100_000, "9" * 100_000, "1," * 50_000])
def test_an_error_is_short_whatever_the_text(text, word):
    with pytest.raises(RequestError) as caught:
        parse_layers(text.format(word))
    assert len(str(caught.value)) < 500


@given(st.text(max_size=60))
def test_any_text_is_layers_or_a_request_that_makes_no_sense(text):
    try:
        layers = parse_layers(text)
    except RequestError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017
    else:
        assert parse_layers("; ".join(map(str, layers))) == layers


@given(st.lists(st.sampled_from([*LAYERS, "3", "5x5", "pad", "same", "1,2", "stride"]), max_size=6))
def test_any_words_are_layers_or_a_request_that_makes_no_sense(words):
    text = " ".join(words)
    try:
        layers = parse_layers(text)
    except RequestError:
        return
    assert parse_layers("; ".join(map(str, layers))) == layers


def test_lenet5_is_connected_as_in_table_i():
    """LeCun, Bottou, Bengio, Haffner, Proc. IEEE 86, 1998: columns of the table are rows here."""
    table_i = """
        X . . . X X X . . X X X X . X X
        X X . . . X X X . . X X X X . X
        X X X . . . X X X . . X . X X X
        . X X X . . X X X X . . X . X X
        . . X X X . . X X X X . X X . X
        . . . X X X . . X X X X . X X X
    """
    rows = [line.split() for line in table_i.strip().splitlines()]
    assert [[seen == "X" for seen in column] for column in zip(*rows, strict=True)] == [
        list(row) for row in LENET5_TABLE
    ]
    assert [sum(row) for row in LENET5_TABLE] == [3] * 6 + [4] * 9 + [6]
    assert sum(map(sum, LENET5_TABLE)) == 60
    assert len(set(LENET5_TABLE)) == 16


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("median 3", "layer 'median' is not known: expected conv, local, max, average, lp"),
        ("each relu", "layer 'each relu': it takes steps of maps or features, and images come in"),
        ("embedding 300 x 4", "it takes tokens of a text, and images come in: train-lstm trains"),
        ("dense 3 tied", "layer 'dense 3 tied': 'tied' is no setting of it: it takes nothing more"),
        ("dense 3 no-bias", "'no-bias' is no setting of it: it takes nothing more"),
    ],
)
def test_layers_of_texts_are_no_layers_of_images_and_not_offered_there(text, message):
    with pytest.raises(RequestError, match=re.escape(message)) as caught:
        parse_layers(f"relu; {text}; dense 3", for_images=True)
    offered = str(caught.value).partition("expected")[2].split(", ")
    assert not {"embedding", "each", "tied"} & set(offered)


def test_question_marks_are_filled_by_what_stands_before_them():
    text = "embedding ? x 64 letters ? x 24; lstm 8 both; dense ?"
    filled_in = "embedding 500 x 64 letters 30 x 24; lstm 8 both; dense 17"
    assert filled(text, 500, 30, 17) == filled_in
    pair = "embedding ? x 8; dense 5; gru 9 => embedding ? x 8; gru 9; dense ?"
    assert filled(pair, 60, 0, 45) == (
        "embedding 60 x 8; dense 5; gru 9 => embedding 45 x 8; gru 9; dense 45"
    )
    assert filled("lstm ?; max ?", 60, 0, 45) == "lstm ?; max ?"

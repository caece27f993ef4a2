"""Numbers, names and layers in sentences, and what is said of names that are not known."""

import json

import numpy as np
import pytest

from cnntool.wording import (
    bar,
    bytes_text,
    counted,
    did_you_mean,
    duration,
    evenly,
    figures,
    instead,
    joined,
    nan_count,
    nearest,
    plain,
    readable,
    short_names,
    shown_layer,
    signed,
    span,
    sparkline,
    suggestion,
    valid_json,
    without_noise,
    without_sign,
)

NAMES = ("max_pool2d", "scaled-tanh", ".JPG")


def test_one_is_not_several():
    assert counted(1, "epoch") == "1 epoch"
    assert [counted(n, "class") for n in (0, 1, 2)] == ["0 classes", "1 class", "2 classes"]
    assert counted(1797, "image") == "1,797 images"


def test_one_value_is_and_two_are():
    assert nan_count(1, "value") == "1 value that is NaN or infinite"
    assert nan_count(1200, "weight") == "1,200 weights that are NaN or infinite"


def test_times_have_the_units_that_fit_them():
    assert [duration(seconds) for seconds in (0.5, 45, 59.6, 60, 200, 3599.9, 7500)] == [
        *("0.5 s", "45 s", "59.6 s", "1 min 0 s", "3 min 20 s", "1 h 0 min", "2 h 5 min")
    ]
    assert [duration(seconds) for seconds in (0, 0.00035, 0.03145, 0.09999, 31, 59.97)] == [
        *("0 ms", "0.35 ms", "31.4 ms", "0.1 s", "31 s", "1 min 0 s")
    ]


def test_what_rounds_to_nothing_has_no_sign():
    assert [without_sign(text) for text in ("-0%", "-0.00", "-0.01", "0.3", "-10%")] == [
        *("0%", "0.00", "-0.01", "0.3", "-10%")
    ]


def test_what_is_more_than_rounding_leaves_stays():
    assert without_noise(0.1 + 0.2 - 0.3, 0.6) == without_noise(-8e-16, 1.0) == 0
    for value, size in (2e-15, 1.0), (-2e-15, 1.0), (1e-20, 1e-20):
        assert without_noise(value, size) == value


def test_of_a_long_connection_table_the_beginning_is_shown():
    short = "conv 16 5x5 connections " + "0110/" * 8
    assert shown_layer(short) == short
    assert shown_layer(short + "1001/" * 60 + " no-bias") == short + "... no-bias"


def test_a_curve_runs_from_the_least_to_the_greatest():
    assert sparkline([0, 1, 2, 3.5, 7], 40) == "▁▂▃▅█"
    assert sparkline([2, 2], 40) == "▁▁"
    assert len(sparkline(list(range(1000)), 40)) == 40
    assert sparkline(list(range(1000)), 40)[::39] == "▁█"
    assert sparkline([], 40) == ""


def test_json_gets_names_that_are_text_and_numbers_that_are_numbers():
    assert readable("a\udcff.png") == "a\\xff.png"
    assert readable(None) is None
    assert plain({"a": float("nan"), "b": {"c": -float("inf"), "d": 1}}) == {
        "a": None,
        "b": {"c": None, "d": 1},
    }


def test_words_are_joined_as_in_a_sentence():
    assert [joined(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        *("", "a", "a and b", "a, b and c")
    ]


def test_the_nearest_name_is_given_as_it_is_written():
    assert nearest("Max-Pool2D", NAMES) == "max_pool2d"
    assert nearest("scaled_tahn", NAMES) == "scaled-tanh"
    assert nearest(".jgp", NAMES) == ".JPG"
    assert nearest("zzz", NAMES) == nearest("", NAMES) == nearest("max", ()) == ""


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("softmax", ["max", "min"], ""),
        ("padding", ["embedding"], ""),
        ("attention", ["flatten"], ""),
        ("outline", ["motion"], ""),
        ("train-rnn", ["train-cnn", "train-lstm"], "train-lstm"),
        ("train-gru", ["train-cnn", "train-lstm"], "train-lstm"),
        ("train-rnn", ["train-cnn"], "train-cnn"),
        ("Linear", ["dense", "conv"], "dense"),
        ("convolve2d", ["convolve", "convolve1d"], "convolve"),
        ("conv", ["convolve1d", "convolve"], "convolve"),
        ("sharp", ["unsharp", "sharpen"], "sharpen"),
        ("maxpool2d", ["max", "min"], "max"),
        ("max-suppression", ["max"], ""),
        ("eval", ["evaluate", "explain"], "evaluate"),
        ("jpeg2000", ["jpeg"], "jpeg"),
        ("sobelx", ["sobel", "sobel-x"], "sobel-x"),
        ("explian", ["explain"], "explain"),
    ],
)
def test_what_only_sounds_alike_is_not_offered(word, known, meant):
    assert nearest(word, known) == meant


def test_where_none_is_near_nothing_is_asked_and_all_are_listed():
    assert did_you_mean("max_pool", NAMES) == "did you mean 'max_pool2d'?"
    assert did_you_mean("zzz", NAMES) == ""
    assert suggestion("max_pool", NAMES) == ": did you mean 'max_pool2d'?"
    assert suggestion("zzz", NAMES) == ": expected max_pool2d, scaled-tanh, .JPG"


def test_of_many_names_the_first_are_listed():
    known = map(str, range(30000))
    assert suggestion("zzz", known, 3) == ": expected 0, 1, 2, ..."
    assert suggestion("zzz", NAMES, 3) == suggestion("zzz", NAMES)


@pytest.mark.parametrize(
    ("word", "there", "said"),
    [
        ("cnv1", ["conv1", "pool2"], "conv1, pool2: did you mean 'conv1'?"),
        ("x", ["conv1", "conv2"], "conv1, conv2: name one of those"),
        ("x", [str(n) for n in range(20)], "0, 1, 2, ...: name one of those"),
    ],
)
def test_what_is_there_is_said_instead_of_what_is_not(word, there, said):
    assert instead(word, there, most=3) == said


@pytest.mark.parametrize(("count", "most"), [(1, 5), (5, 5), (6, 5), (100, 7), (23, 2)])
def test_items_are_evenly_apart_and_have_the_ends(count, most):
    found = evenly(range(count), most)
    assert len(found) == min(count, most)
    assert (found[0], found[-1]) == (0, count - 1)
    assert np.ptp(np.diff(found)) <= 1 if len(found) > 1 else True


def test_a_bar_is_full_at_a_share_of_one():
    assert [bar(share, 2) for share in (0, 1 / 16, 0.5, 1, 7)] == ["", "▏", "█", "██", "██"]
    assert bar(0.5, -3) == ""


def test_figures_have_no_exponent_below_a_million_and_no_minus_before_zero():
    assert [figures(value) for value in (31_000.4, 2580, 999_999, 0.00123456, 1e-5, 12, -0.5)] == [
        "31000",
        "2580",
        "1e+06",
        "0.00123",
        "1e-05",
        "12",
        "-0.5",
    ]
    assert figures(-0.0) == "0"
    assert figures(9.0e-07, 2) == "9e-07"
    assert [signed(value) for value in (-0.0001, 0.0, -1.5)] == ["+0.000", "+0.000", "-1.500"]


def test_short_names_are_unlike_each_other():
    long = "conv 8 3x3; relu; "
    for texts in (["a", "b"], [long + "max 2", long + "dense 9"], [long, long + "max 2", "x" * 40]):
        names = short_names([*texts, texts[0]], 16)
        assert list(names) == texts
        assert len({*names.values()}) == len(texts)
        assert all(len(name) <= 16 for name in names.values())


def test_a_count_of_one_is_no_plural():
    assert (bytes_text(1), bytes_text(2)) == ("1 byte", "2 bytes")
    assert (span(1, 1), span(1, 3), span(0, 1200)) == ("1", "1 to 3", "0 to 1,200")
    assert (span(1, 1, "layer"), span(1, 2, "layer")) == ("layer 1", "layers 1 to 2")


@pytest.mark.parametrize("indent", [None, 2])
def test_json_is_valid_whatever_bytes_a_name_has(indent):
    smile = "\xe9 \N{GRINNING FACE}"
    text = valid_json({"a": ["caf\udce9.png", "\ud800", smile]}, indent)
    assert json.loads(text.encode()) == {"a": ["caf\\xe9.png", "\\ud800", smile]}

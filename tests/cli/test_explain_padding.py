"""`cnntool explain padding`: formulas with their numbers, drawings and chains."""

import click
import pytest
from explaining import explain, explain_json, rows_of

from cnntool.errors import RequestError


def test_the_formula_and_every_window_drawn():
    text = explain("padding", 7, "--kernel", 3, "--stride", 2, "--padding", "same")
    assert "= ⌊(7 + 1 + 1 - 3) / 2⌋ + 1 = 4" in text
    lines = text.splitlines()
    drawing = [line.split() for line in lines[lines.index("") + 1 :][:7]]
    assert drawing[0] == [str(position) for position in range(-1, 8)]
    assert drawing[1] == ["input", "□", *"■■■■■■■", "□"]
    assert [row[0] for row in drawing[2:6]] == ["y0", "y1", "y2", "y3"]
    assert drawing[2][1:] == ["○", "●", "●"]
    assert drawing[5][1:] == ["●", "●", "○"]
    assert drawing[6] == ["used", *"1212121"]


def test_marks_stand_under_their_positions():
    lines = explain("padding", 12, "-k", 3, "--dilation", 2, "--stride", 3).splitlines()
    ruler = next(line for line in lines if line.strip().startswith("0"))
    second = next(line for line in lines if line.startswith("y1"))
    marks = {int(ruler[at - 1 : at + 1]): mark for at, mark in enumerate(second) if mark in "●·"}
    assert marks == {3: "●", 4: "·", 5: "●", 6: "·", 7: "●"}


def test_elements_that_no_window_reads_are_counted_as_0():
    lines = explain("padding", 8, "-k", 2, "--stride", 3).splitlines()
    used = next(line for line in lines if line.startswith("used"))
    assert used.split() == ["used", *"11011011"]


def test_ceil_mode():
    text = explain("padding", 8, "--kernel", 3, "--stride", 2, "--ceil")
    assert "⌈(8 - 3) / 2⌉ + 1 = 4" in text
    assert explain_json("padding", 8, "-k", 3, "--stride", 2, "--ceil")["windows"][-1] == [6, 7, 8]


def test_json_lists_the_windows():
    facts = explain_json("padding", 5, "-k", 2, "--dilation", 3, "--padding", 1)
    assert facts["extent"] == 4
    assert facts["windows"] == [[-1, 2], [0, 3], [1, 4], [2, 5]]
    assert facts["output"] == 4


def test_an_axis_that_is_too_wide_is_not_drawn():
    assert "too wide to draw" in explain("padding", 1000)
    assert len(explain("padding", 100, "-k", 1).splitlines()) < 40


def test_a_chain_of_layers():
    text = explain("padding", 32, "conv:5", "max:2", "conv:5", "max:2", "conv:5")
    rows = rows_of(text, "layer")
    assert [row[0] for row in rows] == ["input", "conv:5", "max:2", "conv:5", "max:2", "conv:5"]
    assert "".join(rows[2][1:]).startswith("⌊(28-2)/2⌋+1=142" + "6" + "0..5")
    facts = explain_json("padding", 32, "conv:5", "max:2", "conv:5", "max:2", "conv:5")
    assert [layer["receptive_field"] for layer in facts["layers"]] == [5, 6, 14, 16, 32]
    assert [layer["output"] for layer in facts["layers"]] == [28, 14, 10, 5, 1]


def test_every_setting_of_a_layer():
    (layer,) = explain_json("padding", 20, "max:3,stride=2,padding=1,dilation=2,ceil")["layers"]
    assert (layer["stride"], layer["padding"], layer["dilation"]) == (2, [1, 1], 2)
    assert layer["output"] == 10
    (layer,) = explain_json("padding", 20, "conv:4,padding=same")["layers"]
    assert (layer["padding"], layer["output"], layer["centre"]) == ([2, 1], 20, -0.5)
    (layer,) = explain_json("padding", 20, "average:global")["layers"]
    assert (layer["kernel"], layer["output"]) == (20, 1)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("conv", "layer 'conv': the size of its window is missing: write conv:3$"),
        ("conv:stride=2", "the size of its window is missing: write conv:3$"),
        ("conv:3,", "'conv:3,' has an empty place: write it like 'conv:3,stride=2,padding=1,dil"),
        ("conv:3,4", "'4' in 'conv:3,4' is no setting: write it like 'conv:3,stride=2,padding=1"),
        ("conv:x", "size is 'x', but must be a whole number from 1 to 16384: for example conv:3$"),
        ("conv:3,stride=0", "stride is 0, but must be a whole .*: for example conv:3,stride=5$"),
        ("conv:0,stride=x", "stride is 'x', but must .*: for example conv:3,stride=5$"),
        ("conv:stride=", "'stride=' in 'conv:stride=' is no setting: write 'conv:3,stride=NUMBER'"),
        ("max:2,padding=x", "padding is 'x', but must .*: for example max:2,padding=same$"),
        ("max:2,ceil=x", "ceil is 'x', but must be 1: for example max:2,ceil=1$"),
        ("max:2,stride=", "write 'max:2,stride=NUMBER', a whole number from 1 to 16384$"),
        (
            "gaussian:3,sigma=x",
            "sigma is 'x', but must be a number above 0: for example gaussian:3,s",
        ),
        ("gaussian:3,sigma=1e400", "sigma is 'inf', but must be a number above 0: for example"),
        ("foo:3", "no kind 'foo': expected conv, max, average"),
        ("maxpool:3", r"no kind 'maxpool': did you mean 'max'\?"),
        ("conv:0", "conv: size is 0, but must be a whole number from 1 to 16384"),
        ("conv:2.5", "conv: size is 2.5, but must be a whole number from 1 to 16384"),
        ("conv:3,step=2", "conv has no parameter 'step': .*it takes size, stride, padding and dil"),
        ("conv:3,stride=x", "conv: stride is 'x', but must be a whole number from 1 to 16384: for"),
        (
            "conv:3,padding=sane",
            "padding is 'sane', but must be a whole number .* or same or",
        ),
        (
            "conv:3,stride=1,stride=2",
            "stride is given twice in 'conv:3,stride=1,stride=2': keep one",
        ),
        ("conv:3,ceil", "conv has no parameter 'ceil': .*it takes size, stride, padding and dil"),
        (
            "max:2,p=3",
            "max has no parameter 'p': it takes size, stride, padding, dilation and",
        ),
        ("lp:2,p=0.5", "p is 0.5, but must be a number from 1 on or inf"),
        ("gaussian:2,sigma=0", "sigma is 0, but must be a number above 0"),
        ("lp:global", "global goes with max and average, not with lp"),
        ("global,stride=2", "leave its settings out"),
        ("median:65", "median: size is 65, but must be a whole number from 1 to 64"),
    ],
)
def test_a_layer_that_makes_no_sense(layer, message):
    with pytest.raises(click.BadParameter, match=message):
        explain("padding", 100, layer)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((3, "--kernel", 5), "a kernel that spans 5 does not fit into 3"),
        ((4, "conv:3", "conv:3"), "layer 2: a kernel that spans 3 does not fit into 2"),
        ((9, "max:2,padding=2"), "layer 1: padding is 2: it must be at most half the window, 1"),
    ],
)
def test_what_does_not_fit_is_refused(words, message):
    with pytest.raises(RequestError, match=message):
        explain("padding", *words)


@pytest.mark.parametrize(("option", "value"), [("--stride", 2), ("--padding", 0)])
def test_layers_and_options_for_one_layer_do_not_mix(option, value):
    said = f"{option} is for one layer: write it into the LAYER"
    with pytest.raises(click.UsageError, match=said):
        explain("padding", 9, "conv:3", option, value)

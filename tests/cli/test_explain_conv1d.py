"""`cnntool explain conv1d`: tables worked by hand."""

import re

import click
import pytest
from explaining import explain, explain_json, rows_of

from cnntool.errors import RequestError

EXAMPLE = ("conv1d", "--signal", "1,2,3,4,5", "--kernel", "1,0,-1", "--stride", 1, "--padding", 1)


def test_the_tables_of_one_to_five_under_1_0_minus_1():
    text = explain(*EXAMPLE)
    assert "outputs = ⌊(5 + 1 + 1 - 3) / 1⌋ + 1 = 5" in text
    forward = [" ".join(row) for row in rows_of(text, "i  reads")]
    assert forward[:5] == [
        "0 ( ) x0 x1 1·(0) + 0·1 - 1·2 -2",
        "1 x0 x1 x2 1·1 + 0·2 - 1·3 -2",
        "2 x1 x2 x3 1·2 + 0·3 - 1·4 -2",
        "3 x2 x3 x4 1·3 + 0·4 - 1·5 -2",
        "4 x3 x4 ( ) 1·4 + 0·5 - 1·(0) 4",
    ]
    by_weights = [" ".join(row) for row in rows_of(text, "k  w[k]")]
    assert by_weights == [
        "0 1 1·(0) + 1·1 + 1·2 + 1·3 + 1·4 10 10",
        "1 0 1·1 + 1·2 + 1·3 + 1·4 + 1·5 15 15",
        "2 -1 1·2 + 1·3 + 1·4 + 1·5 + 1·(0) 14 14",
    ]
    by_inputs = [" ".join(row) for row in rows_of(text, "j  x[j]")]
    assert by_inputs[0] == "0 1 y0 y1 1·0 + 1·1 1 1"
    assert by_inputs[2] == "2 3 y1 y2 y3 1·(-1) + 1·0 + 1·1 0 0"
    assert by_inputs[4] == "4 5 y3 y4 1·(-1) + 1·0 -1 -1"


def test_numbers_may_stand_in_brackets():
    plain = explain_json("conv1d", "--signal", "1,2,3", "--kernel", "1 0 -1")
    assert explain_json("conv1d", "--signal", "[1, 2, 3]", "--kernel", " [1 0 -1]") == plain


def test_no_line_of_a_small_example_is_wider_than_a_terminal():
    text = explain("conv1d", "--signal", "1,2,3,4,5", "--kernel", "1,0,-1", "--padding", 1)
    assert max(map(len, text.splitlines())) <= 80


def test_json_has_the_same_numbers():
    steps = explain_json(*EXAMPLE, "--bias", 2, "--grad", "1,2,3,4,5")
    assert [row["y"] for row in steps["forward"]] == [0, 0, 0, 0, 6]
    assert steps["forward"][0] == {"reads": [None, 0, 1], "products": [0, 0, -2], "y": 0}
    assert steps["dweight"] == [40, 55, 40]  # 2+6+12+20, 1+4+9+16+25, 2+6+12+20
    assert steps["dx"] == [2, 2, 2, 2, -4]  # dy[j+1] - dy[j-1]
    assert steps["dbias"] == 15
    for name in ("dweight", "dx", "dbias"):
        assert steps["numeric"][name] == pytest.approx(steps[name], abs=1e-7)
    assert steps["largest_difference"] < 1e-7


def test_true_convolution_turns_the_kernel():
    text = explain("conv1d", "--signal", "1,2,3", "--kernel", "1,10", "--flip")
    assert "x[i + (1 - k)]" in text
    assert [row[-1] for row in rows_of(text, "i  reads")] == ["12", "23"]  # 2+10, 3+20


def test_a_bias_and_inputs_that_no_window_reads():
    text = explain("conv1d", "--signal", "1,2,3,4", "--kernel", "1,2", "--stride", 3, "--bias", 0.5)
    assert "1·1 + 2·2 + 0.5" in text
    assert text.count("no window reads it") == 2
    assert rows_of(text, "b  sum")[0] == ["0.5", "1·1", "1", "1"]


def test_long_lists_are_cut_and_json_has_all():
    words = ("conv1d", "--signal", ",".join(["1"] * 300), "--kernel", "1,1")
    text = explain(*words)
    assert len(text.splitlines()) < 75
    assert "275 rows more; --json gives all" in text
    assert "290 more" in text
    assert len(explain_json(*words)["forward"]) == 299


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("1,2", "1,2,3"), "a kernel that spans 3 does not fit into 2 .*: give a longer signal"),
        (("1,2", "1", "--grad", "1,2,3"), "--grad has 3 numbers, the result has 2"),
        (("1,2", "1", "--padding", "1000"), "the result would have 2,002 numbers: at most 2,000"),
    ],
)
def test_numbers_that_do_not_fit_together(words, message):
    signal, kernel, *more = words
    with pytest.raises(RequestError, match=message):
        explain("conv1d", "--signal", signal, "--kernel", kernel, *more)


@pytest.mark.parametrize(
    ("signal", "kernel", "message"),
    [
        ("1,2,x", "1", "'--signal': signal number 3, 'x', is not a number"),
        ("1,,2", "1", "'--signal': signal number 2 is missing"),
        ("1,2", "nan", "'--kernel': kernel number 1 is 'nan': it must be a finite number"),
        ("", "1", "the signal is empty"),
        ("1e300", "1", "signal number 1 is 1e[+]300: expected numbers below 1e[+]12"),
        (",".join("1" * 1001), "1", "the signal has 1,001 numbers: at most 1,000"),
    ],
)
def test_mistakes_name_the_number(signal, kernel, message):
    with pytest.raises(click.BadParameter) as error:
        explain("conv1d", "--signal", signal, "--kernel", kernel)
    assert re.search(message, error.value.format_message())


def test_one_kernel_is_explained_at_a_time():
    with pytest.raises(click.UsageError, match="2 kernels are given"):
        explain("conv1d", "--signal", "1,2,3", "-k", "1,2", "-k", "3,4")


def test_sums_of_which_only_rounding_is_left_are_0():
    given = ("conv1d", "--signal", "0.1,0.2,0.3,0.4", "--kernel", "1,-2,1")
    forward = rows_of(explain(*given), "i  reads")
    assert [row[-1] for row in forward[:2]] == ["0", "0"]
    assert explain_json(*given)["forward"][0]["y"] != 0

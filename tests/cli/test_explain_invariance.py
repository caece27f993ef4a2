"""`cnntool explain invariance`: the table and what may be asked."""

import click
import numpy as np
import pytest
from explaining import explain, explain_json, rows_of

from cnntool.errors import InputError


def test_a_row_a_shift_and_a_column_a_map(folder):
    words = ("invariance", "grey.png", "-k", "sobel", "--pool", "max:2", "--pool", "global")
    text = explain(*words, "--shifts", "0..2")
    rows = rows_of(text, "shift")
    assert [row[0] for row in rows] == ["0", "1", "2"]
    assert rows[0][1:] == ["0.0%", "0.0%", "0.0%"]
    assert "the feature map changes by 0.0%: convolution is equivariant" in text
    facts = explain_json(*words, "--shifts", "0,2")
    assert [row["shift"] for row in facts["shifts"]] == [0, 2]
    assert list(facts["shifts"][1]["pools"]) == ["max:2", "global"]
    assert facts["shifts"][1]["feature_map"] > facts["shifts"][1]["pools"]["global"]


def test_the_numbers_of_a_small_picture_by_hand(folder):
    """Rows 3 4 0 and 0 3 4 are cuts of 0 3 4 0; their pools by 1 x 1 are themselves."""
    np.save("row.npy", np.array([[0, 3, 4, 0]] * 2, np.float32))
    words = ("-k", "1", "--pool", "max:2", "--pool", "average:global", "--shifts", "1")
    (row,) = explain_json("invariance", "row.npy", *words)["shifts"]
    assert row["feature_map"] == pytest.approx((9 + 1 + 16) ** 0.5 / 5)
    assert row["pools"] == {"max:2": pytest.approx(1 / 4), "average:global": 0}
    assert row["moved_back"] == 0


def test_every_kind_of_pool(folder):
    pools = ["lp:2,p=3", "gaussian:4,sigma=1", "min:2", "median:3,stride=1", "max:3,padding=1,ceil"]
    words = [word for pool in pools for word in ("--pool", pool)]
    (row,) = explain_json("invariance", "grey.png", "-k", "box", *words, "--shifts", "1")["shifts"]
    assert list(row["pools"]) == pools
    assert all(0 < value < 2 for value in row["pools"].values())


def test_a_map_that_is_zero_has_no_relative_change(folder):
    np.save("spot.npy", np.array([[5, 0, 0, 0]] * 2, np.float32))
    (row,) = explain_json("invariance", "spot.npy", "-k", "1", "--shifts", "1")["shifts"]
    assert row["feature_map"] is None
    assert (
        rows_of(explain("invariance", "spot.npy", "-k", "1", "--shifts", "1"), "shift")[0][1] == "-"
    )


def test_strides_break_equivariance(folder):
    words = ("invariance", "grey.png", "-k", "sobel", "--stride", "2", "--shifts", "1,2")
    first, second = explain_json(*words)["shifts"]
    assert first["moved_back"] is None
    assert second["moved_back"] == pytest.approx(0, abs=1e-6)
    assert "moved back where whole steps bring it back, the feature map changes by" in explain(
        *words
    )


@pytest.mark.parametrize(
    ("shifts", "message"),
    [
        ("4..0", "'4..0' runs backwards: write 0..4"),
        ("1,x", "shift number 2 is 'x'"),
        ("-1", "shift number 1 is '-1'"),
        ("0..100", "at most 65 shifts"),
    ],
)
def test_shifts_that_make_no_sense(folder, shifts, message):
    with pytest.raises(click.BadParameter, match=message):
        explain("invariance", "grey.png", "-k", "sobel", "--shifts", shifts)


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        (
            "max:2x3",
            "size is '2x3', but must be a whole number from 1 to 16384: for example max:2$",
        ),
        ("max:2,stride=x", "stride is 'x', but must be a whole .*: for example max:2,stride=5$"),
    ],
)
def test_a_pool_that_makes_no_sense(folder, pool, message):
    with pytest.raises(click.BadParameter, match=message):
        explain("invariance", "grey.png", "-k", "sobel", "--pool", pool)


def test_a_shift_larger_than_the_picture(folder):
    with pytest.raises(InputError, match="a shift by 40 leaves nothing of a picture of 40 x 30"):
        explain("invariance", "grey.png", "-k", "sobel", "--shifts", "40")

"""Settings of a sweep: which values an option has, which combinations run, and their names."""

from __future__ import annotations

import math

import click
import pytest

from cnntool.cli.sweeps.settings import (
    Axis,
    Range,
    Several,
    axis,
    drawn,
    grid,
    name_of,
    words_of,
)
from cnntool.cli.types import Choice, Number, Pair, Spec, WholeNumber, read_duration

RATE = Range("1e-4..1e-1", 1e-4, 1e-1, is_whole=False)


@pytest.mark.parametrize(
    ("kind", "text", "values"),
    [
        (Number(), "0.001,1e-2,1/4", ("0.001", "0.01", "0.25")),
        (Number(), "1/3", ("0.3333333333333333",)),
        (Number(), "1e-4..1e-1", (RATE,)),
        (WholeNumber(0), "7,0..4", ("7", Range("0..4", 0, 4, is_whole=True))),
        (Choice(["light", "small"]), "SMALL,light", ("small", "light")),
        (Pair(), "8,16x12", ("8", "16x12")),
        (click.STRING, "shift=1,rotate=0..10", ("shift=1,rotate=0..10",)),
        (Spec("TIME", read_duration), "10m", ("600",)),
    ],
)
def test_commas_part_numbers_sizes_and_words_alone(kind, text, values):
    assert Several(kind).convert(text, None, None) == values


def test_every_value_is_checked():
    for text in ("0.1,-1", "0.1,,0.2", "2..1", "1..x"):
        with pytest.raises(click.BadParameter):
            Several(Number(above=0)).convert(text, None, None)


def test_whole_numbers_from_one_to_another_are_each_a_value_and_each_counts_once():
    found = axis("seed", ["7", Range("0..3", 0, 3, is_whole=True), "2"], is_drawn=True)
    assert found == Axis("seed", ("7", "0", "1", "2", "3"))


def test_a_grid_is_every_combination_the_last_option_fastest():
    axes = [Axis("lr", ("0.1", "0.2")), Axis("epochs", ("5",)), Axis("seed", ("0", "1", "2"))]
    assert [(*each.values(),) for each in grid(axes)] == [
        ("0.1", "5", "0"), ("0.1", "5", "1"), ("0.1", "5", "2"),
        ("0.2", "5", "0"), ("0.2", "5", "1"), ("0.2", "5", "2"),
    ]  # fmt: skip
    assert grid([]) == [{}]


def test_what_is_drawn_lies_in_its_range_and_each_decade_is_as_likely():
    size = Range("16..128", 16, 128, is_whole=True)
    axes = [
        Axis("lr", (), RATE),
        Axis("dropout", (), Range("0..0.5", 0, 0.5, is_whole=False)),
        Axis("size", (), Range("2..5", 2, 5, is_whole=True)),
        Axis("cell", ("lstm", "gru")),
    ]
    found = drawn(axes, 600, seed=3)
    rates = [float(each["lr"]) for each in found]
    assert all(1e-4 <= rate <= 1e-1 for rate in rates)
    assert all(float(f"{rate:.3g}") == rate for rate in rates)
    decades = [math.floor(math.log10(rate)) for rate in rates]
    for decade in (-4, -3, -2):
        assert 160 < decades.count(decade) < 240  # of 200, four standard deviations
    below = sum(float(each["dropout"]) < 0.25 for each in found)
    assert 240 < below < 360
    for size in "2345":
        assert 108 < sum(each["size"] == size for each in found) < 192
    assert 240 < sum(each["cell"] == "gru" for each in found) < 360


def test_the_first_of_many_draws_are_those_of_few_and_each_has_every_seed():
    axes = [Axis("lr", (), RATE), Axis("seed", ("0", "1"))]
    few, many = (drawn(axes, count, seed=1) for count in (2, 5))
    assert many[:4] == few
    assert [each["seed"] for each in few] == ["0", "1", "0", "1"]
    assert few[0]["lr"] == few[1]["lr"] != few[2]["lr"]
    assert drawn(axes, 2, seed=2) != few
    with_more = drawn([Axis("epochs", ("5",)), *axes], 2, seed=1)
    assert [each["lr"] for each in with_more] == [each["lr"] for each in few]


def test_no_setting_is_drawn_twice_and_there_may_be_no_more():
    found = drawn([Axis("cell", ("lstm", "gru", "rnn"))], 20, seed=0)
    assert sorted(each["cell"] for each in found) == ["gru", "lstm", "rnn"]


def test_options_are_written_as_a_command_takes_them():
    setting = {"lr": "0.1", "one-way": "on", "strict": "off", "layers": "conv 2 3x3; dense 2"}
    words = ["--lr", "0.1", "--one-way", "--layers", "conv 2 3x3; dense 2"]
    assert words_of(setting) == words


def test_names_are_readable_and_told_apart_where_they_cannot_be():
    assert name_of({"epochs": "3", "lr": "0.001", "seed": "2"}, ["lr", "seed"]) == "lr=0.001,seed=2"
    assert name_of({}, []) == "run"
    assert name_of({"epochs": "3", "lr": "0.1"}, []) == "epochs=3,lr=0.1"
    texts = ["conv 2 3x3; dense 2", "conv 2 3x3: dense 2", "a/../b", "A", "a", "x" * 300, "."]
    names = [name_of({"layers": text}, ["layers"]) for text in texts]
    assert names[0].startswith("layers=conv_2_3x3_dense_2-")
    assert len({name.casefold() for name in names}) == len(texts)
    assert all(len(name) <= 80 and not set(name) & set('/\\:*?"<>| ;') for name in names)
    assert names[4] == "layers=a"

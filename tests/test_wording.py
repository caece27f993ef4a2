"""Numbers and layers in sentences."""

from cnntool.wording import counted, duration, shown_layer


def test_one_is_not_several():
    assert counted(1, "epoch") == "1 epoch"
    assert [counted(n, "class") for n in (0, 1, 2)] == ["0 classes", "1 class", "2 classes"]
    assert counted(1797, "image") == "1,797 images"


def test_times_have_the_units_that_fit_them():
    assert [duration(seconds) for seconds in (0.5, 45, 59.6, 60, 200, 3599.9, 7500)] == [
        *("0.5 s", "45 s", "59.6 s", "1 min 0 s", "3 min 20 s", "1 h 0 min", "2 h 5 min")
    ]


def test_of_a_long_connection_table_the_beginning_is_shown():
    short = "conv 16 5x5 connections " + "0110/" * 8
    assert shown_layer(short) == short
    assert shown_layer(short + "1001/" * 60 + " no-bias") == short + "... no-bias"

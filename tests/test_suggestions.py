"""What is said of names that are not known."""

from cnntool.wording import did_you_mean, nearest, suggestion

NAMES = ("max_pool2d", "scaled-tanh", ".JPG")


def test_the_nearest_name_is_given_as_it_is_written():
    assert nearest("Max-Pool2D", NAMES) == "max_pool2d"
    assert nearest("scaled_tahn", NAMES) == "scaled-tanh"
    assert nearest(".jgp", NAMES) == ".JPG"
    assert nearest("zzz", NAMES) == nearest("", NAMES) == nearest("max", ()) == ""


def test_where_none_is_near_nothing_is_asked_and_all_are_listed():
    assert did_you_mean("max_pool", NAMES) == "did you mean 'max_pool2d'?"
    assert did_you_mean("zzz", NAMES) == ""
    assert suggestion("max_pool", NAMES) == ": did you mean 'max_pool2d'?"
    assert suggestion("zzz", NAMES) == ": expected max_pool2d, scaled-tanh, .JPG"


def test_of_many_names_the_first_are_listed():
    known = map(str, range(30000))
    assert suggestion("zzz", known, 3) == ": expected 0, 1, 2, ..."
    assert suggestion("zzz", NAMES, 3) == suggestion("zzz", NAMES)

"""Specs of every kind: read, filled up, written, and answered in one line where they are wrong."""

import doctest
import math

import pytest

from cnntool import specs, wording
from cnntool.errors import RequestError
from cnntool.specs import Form, Parameter, number_text, read_number

FORM = Form(
    "step",
    (
        Parameter("every", None, minimum=1, kind=int, noun="whole epochs", is_required=True),
        Parameter("factor", 0.1, minimum=0, maximum=1, exclusive_minimum=True),
        Parameter("flip", 0.0, maximum=1, minimum=0, alone=0.5),
    ),
    owner="schedule step",
)


@pytest.mark.parametrize("module", [specs, wording])
def test_the_examples_are_true(module):
    assert doctest.testmod(module).failed == 0


def test_what_is_read_is_filled_up_and_written_as_it_reads_back():
    given = FORM.read(" flip , every = 1e1, factor=1/4")
    assert given == {"flip": 0.5, "every": 10, "factor": 0.25}
    values = FORM.filled(given | {"factor": None})
    assert values == {"every": 10, "factor": 0.1, "flip": 0.5}
    assert type(values["every"]) is int
    assert FORM.text(values) == "step:every=10,factor=0.1,flip=0.5"
    assert FORM.filled(FORM.read("every=10,factor=0.1,flip=0.5")) == values
    assert Form("constant", ()).text({}) == "constant"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("evry=2", "schedule step has no parameter 'evry': did you mean 'every'? it takes every, "
         "factor and flip"),
        ("every=2,every=3", "schedule step: every is given twice in 'step:every=2,every=3': keep "
         "one"),
        ("every", "'every' in 'step:every' is no setting: write 'step:every=NUMBER', whole epochs "
         "from 1 on"),
        ("factor=1", "schedule step does not say every: write 'step:every=NUMBER', whole epochs "
         "from 1 on"),
        ("every=1.5", "schedule step: every is 1.5, but must be whole epochs from 1 on: for "
         "example step:every=5"),
        ("every=x", "schedule step: every is 'x', but must be whole epochs from 1 on: for example "
         "step:every=5"),
        ("every=2,factor=0", "schedule step: factor is 0, but must be a number above 0 and at most "
         "1: for example step:every=2,factor=0.1"),
        ("every=2,factor=x", "schedule step: factor is 'x', but must be a number above 0 and at "
         "most 1: for example step:every=2,factor=0.1"),
        ("every=2,flip=x", "schedule step: flip, 'x', is not a number: write 0.5, -1e-3 or a "
         "fraction such as 1/9"),
    ],
)  # fmt: skip
def test_a_mistake_names_what_was_given_what_was_expected_and_the_remedy(settings, message):
    with pytest.raises(RequestError) as raised:
        FORM.filled(FORM.read(settings))
    assert str(raised.value) == message


def test_what_is_quoted_of_a_long_spec_is_cut():
    for settings in (
        "every=" + "9" * 5000 + "x",
        "every" + "," * 5000,
        "every=1," * 5000,
        "=" * 99,
    ):
        with pytest.raises(RequestError) as raised:
            FORM.filled(FORM.read(settings))
        assert len(str(raised.value)) < 250


@pytest.mark.parametrize("value", [0, 2, -0.5, 0.1, 1 / 3, 1e-5, 123456789, 1e300, -1e12])
def test_a_number_reads_back_as_it_was_written(value):
    assert read_number(number_text(value), "it") == value


@pytest.mark.parametrize("value", [True, math.nan, "3"])
def test_what_is_no_number_is_no_value(value):
    with pytest.raises(RequestError, match="every is"):
        FORM.filled({"every": value})


def test_a_parameter_may_be_a_word_beside_a_number():
    form = Form("conv", (Parameter("padding", 0, minimum=0, kind=int, words=("same", "full")),))
    for text, value in (("padding=same", "same"), ("padding=2", 2)):
        assert form.filled(form.read(text)) == {"padding": value}
    with pytest.raises(RequestError, match=r"padding is 'sane', but must be a whole .* or same or"):
        form.read("padding=sane")

"""Sums against Python's own, dates against dateutil's notion of a date where it is there."""

import re
from collections import Counter
from datetime import date

import pytest

from cnntool.datasets.sequences.builtin import load_built_in
from cnntool.datasets.sequences.made_pairs import PATTERNS, written
from cnntool.errors import RequestError


def test_sums_are_right_and_no_pair_comes_twice():
    data = load_built_in("sums")["train"]
    assert (len(data), data.form) == (40_000, "text")
    pairs = [tuple(map(int, text.split("+"))) for text in data.inputs]
    assert [(str(a + b),) for a, b in pairs] == list(data.answers)
    assert len({tuple(sorted(pair)) for pair in pairs}) == 40_000
    assert max(map(max, pairs)) == 999
    assert all(f"{a}+{b}" == text for (a, b), text in zip(pairs, data.inputs, strict=True))
    lengths = Counter(len(str(a)) for a, _ in pairs)
    assert lengths[2] > 12_000
    assert lengths[1] > 2_000


def test_of_short_numbers_half_of_all_pairs_are_to_be_had():
    assert len(load_built_in("sums:digits=1")["train"]) == 27
    assert len(load_built_in("sums:digits=2")["train"]) == 2525
    with pytest.raises(RequestError, match=r"^sums: count is 28, but of numbers of 1 digit half"):
        load_built_in("sums:digits=1,count=28")
    assert max(map(len, load_built_in("sums:digits=9,count=99")["train"].inputs)) == 19


@pytest.mark.parametrize("spec", ["sums:digits=2,count=50", "dates:count=50"])
def test_the_seed_tells_what_is_made(spec):
    one, same, other = (load_built_in(spec, seed)["train"] for seed in (1, 1, 2))
    assert one.inputs == same.inputs
    assert one.answers == same.answers
    assert one.inputs != other.inputs
    assert len(one) == 50


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("sums:digits=0", "sums: digits is 0, but must be a whole number from 1 to 9: for example"),
        ("sums:digit=3", "sums has no parameter 'digit': did you mean 'digits'?"),
        (
            "sums:count=3",
            "sums: count is 3, but must be a whole number from 10 to 500000: for example "
            "sums:count=10",
        ),
        ("dates:count=3", "dates: count is 3, but must be a whole number from 10 to 500000"),
        ("dates:", "'' in 'dates:' is no setting: write 'dates:count=NUMBER'"),
    ],
)
def test_wrong_settings_are_one_line(spec, message):
    with pytest.raises(RequestError, match=f"^{re.escape(message)}"):
        load_built_in(spec)


def test_a_date_is_written_in_every_pattern():
    assert [written(date(2024, 3, 1), pattern) for pattern in PATTERNS] == [
        "1 March 2024",
        "Mar 1 '24",
        "March 1, 2024",
        "Mar 1st, 2024",
        "Friday, March 1, 2024",
        "the 1st of March 2024",
        "01-MAR-24",
        "3/1/2024",
        "1.3.2024",
        "20240301",
        "1. März 2024",
        "vendredi 1er mars 2024",
        "1 de marzo de 2024",
        "2024年3月1日",
    ]
    ordinals = [written(date(2024, 1, day), "{ordinal}") for day in (2, 3, 4, 11, 12, 13, 21, 22)]
    assert ordinals == ["2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd"]


def test_dates_have_one_answer_each_and_come_once():
    data = load_built_in("dates")["train"]
    assert len(set(data.inputs)) == len(data) == 12_000
    days = [date.fromisoformat(answer) for (answer,) in data.answers]
    assert (min(days).year, max(days).year) == (1950, 2049)
    for text, day in zip(data.inputs[:4000], days, strict=False):
        assert sum(written(day, pattern) == text for pattern in PATTERNS) == 1
    parse = pytest.importorskip("dateutil.parser").parse
    english = re.compile(r"[A-Z][a-z]{2,8} \d+, \d{4}")  # March 5, 2024
    checked = [(t, d) for t, d in zip(data.inputs, days, strict=True) if english.fullmatch(t)]
    assert len(checked) > 500
    assert all(parse(text).date() == day for text, day in checked[:200])

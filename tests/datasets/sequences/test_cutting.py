"""Words and signs: what they are in several scripts, and that a text can be had of them again."""

import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cnntool.datasets.sequences.cutting import _marks, cut, written
from cnntool.datasets.sequences.inputs import TextInput

TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("ab3 _'’\".,-()@\u0301"))


@given(TEXTS)
@example("well-known $10, 3.5 (or \"la\") a@b __'_ ''tis' _'a a_'_b İ")
@example("\u0301a \u200c_ '\u0301_ ❤\ufe0f\U0001f469\u200d\U0001f4bb.")
def test_what_is_cut_can_be_written_again(text):
    writer = TextInput.of([text, "x y"], "text", "word", folds=False)
    said = writer.text(writer.ids(text))
    assert said == " ".join(unicodedata.normalize("NFC", text).split())


@given(st.sampled_from(["film", "don't", "3", "a_b"]), st.text('.,-()"@$ ', max_size=4))
def test_a_word_is_the_same_token_wherever_it_stands(word, signs):
    assert cut(f"{signs}{word}{signs}").count(word) == 1


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ('Well-known (by "us")!', 'Well _-_ known (_ by "_ us _" _) _!'),
        ("It's $3.50 , ok...", "It's $_ 3 _._ 50 , ok _. _. _."),
        ("हिन्दी में फ़िल्म।", "हिन्दी में फ़िल्म _।"),
        (unicodedata.normalize("NFD", "tiếng Việt"), "tiếng Việt"),
        ("مُحَمَّد", "مُحَمَّد"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("x\u0331\u0304y\u0331", "x\u0331\u0304y\u0331"),
    ],
)
def test_words_keep_their_marks_and_signs_say_what_they_touch(text, tokens):
    assert cut(unicodedata.normalize("NFC", text)) == tokens.split(" ")


def test_marks_are_all_that_unicode_has():
    every = {c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c)[0] == "M"}
    assert set(_marks()) == every | {"\u200c", "\u200d"}


def test_signs_in_an_odd_order_are_written_too():
    assert written(["_,", "(_", "_)", "a", "_-_", "_-_", "b", "<unk>", "_"]) == ", () a--b <unk> _"


@pytest.mark.parametrize("has_letters", [False, True])
def test_a_word_is_cut_before_it_is_folded(has_letters):
    reader = TextInput.of(["İstanbul film", "x y"], "text", "word", has_letters)
    assert reader.tokens("İstanbul film") == ["i\u0307stanbul", "film"]
    ids, lengths = reader.rows(["İstanbul film", "film"]).take([0, 1])
    assert ids.shape == (3, 2)
    assert lengths.tolist() == [3, 2]


@pytest.mark.parametrize("level", ["word", "symbol", "char", "byte"])
def test_white_space_around_a_text_is_none_of_it(level):
    reader = TextInput.of(["through it", "x y"], "text", level)
    assert reader.ids(" through it \n").tolist() == reader.ids("through it").tolist()


def test_people_are_shown_signs_without_marks():
    reader = TextInput.of(["a, b_ _"], "text", "word")
    assert [reader.shown(token) for token in reader.tokens("a, b_ _ (c)")] == [
        *("a", ",", "b_", "_", "(", "c", ")")
    ]
    assert TextInput.of([["_,", "a"]], "words", "word").shown("_,") == "_,"

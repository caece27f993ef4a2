"""Tokens and ids: what is counted, in which order, and that all of it comes back."""

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntool.datasets.texts import tokens
from cnntool.datasets.texts.tokens import id_dtype, whole_words
from cnntool.datasets.texts.vocabulary import Vocabulary
from cnntool.errors import InputError, RequestError

HARD = "né e\u0301 漢字\n\n😀👩\u200d👩\u200d👧 \u202eab\u00a0c\tx\n"
CHARACTERS = st.characters(blacklist_categories=("Cs",))
TEXTS = st.text(CHARACTERS, max_size=60)


def fed(vocabulary, ids):
    return list(vocabulary.decoded(map(int, ids)))


def test_words_are_ranked_by_frequency_and_then_by_appearance():
    vocabulary = Vocabulary.of(["b a\nc a", " b d\n"], "word")
    assert vocabulary.tokens == ("<unk>", "b", "a", "<eos>", "c", "d")
    assert vocabulary.encode("d b\nzebra\n").tolist() == [5, 1, 3, 0, 3]


def test_characters_are_ranked_by_frequency_and_then_by_appearance():
    vocabulary = Vocabulary.of(["zya", "zay漢😀b\n"], "char")
    assert vocabulary.tokens == ("<unk>", "z", "y", "a", "漢", "😀", "b", "\n")


@given(st.lists(TEXTS, max_size=5))
def test_any_text_is_ranked_as_a_counter_ranks_it(chunks):
    """Python's Counter.most_common keeps equal counts in the order of their first appearance."""
    counts = Counter("".join(chunks))
    if len(set(counts) - {"\n"}) < 2:
        return
    expected = tuple(token for token, _ in counts.most_common())
    assert Vocabulary.of(chunks, "char").tokens == ("<unk>", *expected)


@given(st.lists(st.text("ab \n", max_size=9), max_size=6))
def test_words_that_run_over_pieces_are_whole(chunks):
    assert " ".join(whole_words(chunks)).split() == "".join(chunks).split()
    assert "".join(whole_words(chunks)) == "".join(chunks)


def test_many_counts_at_a_time_are_the_same(monkeypatch):
    text = [f"w{i * i % 97} w{i % 7} w{i}\n" for i in range(300)]
    whole = Vocabulary.of(text, "word")
    monkeypatch.setattr(tokens, "COUNTED_AT_ONCE", 5)
    assert Vocabulary.of(text, "word") == whole


def test_size_counts_unk_and_eos_and_eos_always_stays():
    text = ["a a a a b b b c c d\n"]
    assert Vocabulary.of(text, "word", size=4).tokens == ("<unk>", "a", "b", "<eos>")
    assert Vocabulary.of(text, "word", size=3).tokens == ("<unk>", "a", "<eos>")
    assert Vocabulary.of(text, "char", size=3).tokens == ("<unk>", " ", "a")
    assert Vocabulary.of(text, "word", size=5).tokens == ("<unk>", "a", "b", "c", "<eos>")
    assert len(Vocabulary.of(text, "word", size=100)) == 6
    assert Vocabulary.of(["a b"], "word").tokens == ("<unk>", "a", "b", "<eos>")


def test_more_words_than_16_bits_count_have_numbers_of_their_own():
    count = (1 << 16) + 9
    numbers = tokens.WordTally().add(" ".join(map(str, range(count))))
    np.testing.assert_array_equal(numbers, np.arange(count))


def test_min_count_cuts_rare_words_but_not_eos():
    vocabulary = Vocabulary.of(["a a a b b c\n"], "word", min_count=2)
    assert vocabulary.tokens == ("<unk>", "a", "b", "<eos>")
    ids = vocabulary.encode("a b c d\n")
    assert (vocabulary.unknown, vocabulary.count_unknown(ids)) == (0, 2)


def test_unk_and_eos_in_the_text_are_the_tokens_of_these_names():
    """As in the files of the Penn Treebank that go round."""
    vocabulary = Vocabulary.of(["the <unk> of <unk> <eos> the\n"], "word")
    assert vocabulary.tokens == ("<unk>", "the", "<eos>", "of")
    assert vocabulary.encode("<unk> <eos>").tolist() == [0, 2]
    assert vocabulary.unknown_tokens("the cat of cat dog <unk>") == ("cat", "dog")


@pytest.mark.parametrize(
    ("level", "size", "dtype"),
    [("char", 256, "uint8"), ("char", 257, "uint16"), ("word", 257, "uint16")],
)
def test_ids_are_as_narrow_as_they_can_be(level, size, dtype):
    tokens = [chr(0x4E00 + i) for i in range(size - 2)]
    special = ["<unk>", "<eos>"] if level == "word" else ["<unk>", " "]
    vocabulary = Vocabulary(level, (*special, *tokens))
    text = " ".join(tokens)
    assert vocabulary.encode(text).dtype == vocabulary.dtype == dtype
    assert vocabulary.decode(vocabulary.encode(text)) == text
    assert vocabulary.encode("zz ").dtype == dtype
    assert vocabulary.encode("zz ").tolist() == ([0] if level == "word" else [0, 0, 1])
    assert id_dtype(65536) == "uint16"
    assert id_dtype(65537) == "int32"


@given(TEXTS)
def test_characters_and_bytes_come_back(text):
    vocabulary = Vocabulary("char", ("<unk>", *dict.fromkeys(text)))
    assert vocabulary.decode(vocabulary.encode(text)) == text
    octets = Vocabulary.of_bytes()
    assert octets.encode(text).tolist() == list(text.encode())
    assert octets.decode(octets.encode(text)) == text


@given(TEXTS)
def test_words_come_back_but_for_white_space(text):
    vocabulary = Vocabulary("word", tuple(dict.fromkeys(("<unk>", "<eos>", *text.split()))))
    decoded = vocabulary.decode(vocabulary.encode(text))
    lines = [" ".join(line.split()) for line in text.split("\n")]
    expected = "\n".join(lines)
    if "<eos>" not in text:
        assert decoded == expected


@given(st.binary(max_size=30))
def test_bytes_that_come_one_by_one_decode_as_all_at_once(data):
    octets = Vocabulary.of_bytes()
    assert "".join(fed(octets, data)) == octets.decode(octets.encode(data))
    assert octets.decode(octets.encode(data)) == data.decode("utf-8", "replace")


@pytest.mark.parametrize("level", ["word", "char"])
def test_tokens_that_come_one_by_one_decode_as_all_at_once(level):
    vocabulary = Vocabulary.of([HARD], level)
    ids = np.random.default_rng(0).integers(0, len(vocabulary), 500)
    assert "".join(fed(vocabulary, ids)) == vocabulary.decode(ids)


def test_a_character_is_held_back_until_its_bytes_are_there():
    octets = Vocabulary.of_bytes()
    assert fed(octets, "a😀é".encode()) == ["a", "", "", "", "😀", "", "é", ""]
    assert fed(octets, "😀".encode()[:3]) == ["", "", "", "\ufffd"]
    assert fed(octets, b"\xf0\x9fa") == ["", "", "\ufffda", ""]


def test_words_are_shown_with_their_spaces_as_they_come():
    vocabulary = Vocabulary.of(["the king\nis dead\n"], "word")
    ids = vocabulary.encode("the king\n\nis what\n")
    assert fed(vocabulary, ids) == ["the", " king", "\n", "\n", "is", " <unk>", "\n"]


def test_an_unknown_character_is_shown_as_unicode_does():
    vocabulary = Vocabulary.of(["abc\n"], "char")
    assert vocabulary.decode(vocabulary.encode("axé漢😀b")) == "a\ufffd\ufffd\ufffd\ufffdb"
    assert vocabulary.unknown_tokens("axéxb") == ("x", "é")


def test_half_a_pair_from_a_shell_is_unknown_or_its_byte():
    assert Vocabulary.of(["abc\n"], "char").encode("a\udcff").tolist() == [1, 0]
    assert Vocabulary.of_bytes().encode("a\udcff").tolist() == [97, 255]
    assert Vocabulary.of_bytes().encode("\ud83d").tolist() == [63]


@pytest.mark.parametrize("level", ["word", "char", "byte"])
def test_labels_pass_through_json(level):
    vocabulary = Vocabulary.of([HARD], level)
    labels = json.loads(json.dumps(vocabulary.tokens))
    assert Vocabulary.from_labels(level, labels) == vocabulary


@pytest.mark.parametrize(
    ("level", "labels", "reason"),
    [
        ("letter", ["<unk>"], "its level is 'letter', not one of word, char, byte"),
        ("byte", ["a", "b"], "its 2 tokens are not the 256 bytes"),
        ("char", [], "the first of its 0 tokens is not <unk>"),
        ("char", ["<unk>", "a", "a"], "a token stands twice"),
        ("char", ["<unk>", "ab"], "'ab' in its vocabulary is no character"),
        ("char", ["<unk>", "\ud800"], "'\\ud800' in its vocabulary is no character"),
        ("char", ["<unk>", ""], "'' in its vocabulary is no character"),
        ("word", ["<unk>", "a"], "its vocabulary of words has no <eos>"),
        ("word", ["<unk>", "<eos>", "a b"], "'a b' in its vocabulary is no word"),
        ("word", ["<unk>", "<eos>", "a\n"], "'a\\n' in its vocabulary is no word"),
        ("word", ["<unk>", "<eos>", ""], "'' in its vocabulary is no word"),
        ("word", ["<unk>", "<eos>", "a\udfff"], "holds half a surrogate pair"),
    ],
)
def test_labels_that_are_no_vocabulary_are_refused(level, labels, reason):
    with pytest.raises(InputError) as raised:
        Vocabulary.from_labels(level, labels, "m.npz")
    assert str(raised.value).startswith("m.npz is damaged: ")
    assert reason in str(raised.value)
    with pytest.raises(ValueError, match=r".") as plain:
        Vocabulary(level, tuple(labels))
    assert not isinstance(plain.value, InputError)


@pytest.mark.parametrize(
    ("text", "level", "options", "message"),
    [
        ("aaaa\n", "char", {}, "5 characters but a vocabulary of one, 'a', besides the ends"),
        ("no no\nno\n", "word", {}, "5 words but a vocabulary of one, 'no', besides the ends"),
        ("\n\n", "word", {}, "2 words but a vocabulary of none, besides the ends of lines"),
        (
            "a b a c\n",
            "word",
            {"min_count": 9},
            "3 different words, and --min-count 9 leaves none: the most frequent occurs 2 times",
        ),
    ],
)
def test_a_vocabulary_of_one_is_refused_with_its_numbers(text, level, options, message):
    with pytest.raises(InputError) as raised:
        Vocabulary.of([text], level, **options, name="t.txt")
    assert str(raised.value).startswith("t.txt has ")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("level", "options", "message"),
    [
        ("word", {"size": 2}, "--vocab-size is 2, expected at least 3: <unk>, <eos> and a word"),
        ("char", {"size": 1}, "--vocab-size is 1, expected at least 2"),
        ("char", {"min_count": 0}, "--min-count is 0, expected 1 or more"),
        ("byte", {"size": 100}, "of bytes there are always 256"),
        ("byte", {"min_count": 2}, "of bytes there are always 256"),
        ("wrod", {}, "--level 'wrod' is no level: did you mean 'word'?"),
    ],
)
def test_cuts_that_make_no_sense_are_refused(level, options, message):
    with pytest.raises(RequestError) as raised:
        Vocabulary.of(["a b\n"], level, **options)
    assert message in str(raised.value)


def test_a_vocabulary_too_large_for_a_model_file_is_refused(monkeypatch):
    monkeypatch.setattr(tokens, "LARGEST_VOCABULARY", 2000)
    text = [" ".join(f"word{i:06d}" for i in range(1000)) + "\n"]
    with pytest.raises(InputError, match=r"1,001 different words, .* set a smaller --vocab-size"):
        Vocabulary.of(text, "word")
    assert len(Vocabulary.of(text, "word", size=50)) == 50

"""Texts as ids, and their parts."""

import hashlib
import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from cnntool.datasets import memory
from cnntool.datasets.texts import corpus as corpora
from cnntool.datasets.texts import text as texts
from cnntool.datasets.texts import tokens
from cnntool.datasets.texts.corpus import load_corpus, split
from cnntool.datasets.texts.vocabulary import Vocabulary
from cnntool.errors import InputError, RequestError

TEXT = "The king, the 漢字 😀\n\nthe queen e\u0301nd\n"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(TEXT.encode())
    return path


def loaded(data: bytes | str, level="word", **options):
    data = data.encode() if isinstance(data, str) else data
    return load_corpus(io.BytesIO(data), level, **options)


def test_words_with_their_line_ends(path):
    corpus = load_corpus(path, "word")
    found = " ".join(corpus.vocabulary.tokens[i] for i in corpus.ids)
    assert found == "The king, the 漢字 😀 <eos> <eos> the queen e\u0301nd <eos>"
    assert corpus.vocabulary == Vocabulary.of([TEXT], "word")
    assert (corpus.name, corpus.characters, corpus.unknown_rate) == (str(path), len(TEXT), 0)
    assert repr(corpus) == f"<{path}: 11 words of 9>"


def test_characters(path):
    corpus = load_corpus(path, "char")
    assert "".join(corpus.vocabulary.tokens[i] for i in corpus.ids) == TEXT
    assert corpus.vocabulary == Vocabulary.of([TEXT], "char")
    assert corpus.characters == len(corpus) == len(TEXT)


def test_bytes_are_as_they_are(tmp_path):
    path = tmp_path / "any.bin"
    data = b"\xef\xbb\xbfa\r\nb\r\0\xff" + "é漢😀".encode()
    path.write_bytes(data)
    corpus = load_corpus(path, "byte", "utf-16")
    assert corpus.ids.tobytes() == data
    assert corpus.vocabulary == Vocabulary.of_bytes()
    assert loaded(TEXT, "byte").characters == len(TEXT)


@pytest.mark.parametrize("level", ["word", "char", "byte"])
@pytest.mark.parametrize("chunk", [1, 3, 7])
def test_pieces_of_any_length_give_the_same(path, level, chunk, monkeypatch):
    whole = load_corpus(path, level)
    monkeypatch.setattr(texts, "CHUNK", chunk)
    monkeypatch.setattr(tokens, "COUNTED_AT_ONCE", 2)
    monkeypatch.setattr(corpora, "COUNTED_AT_ONCE", 2)
    pieces = load_corpus(path, level)
    again = load_corpus(path, level, vocabulary=whole.vocabulary)
    for other in (pieces, again):
        np.testing.assert_array_equal(other.ids, whole.ids)
        assert other.vocabulary == whole.vocabulary
        assert other.characters == whole.characters
        assert other.fingerprint == whole.fingerprint
        assert other.ids.dtype == whole.ids.dtype


@pytest.mark.parametrize("level", ["word", "char"])
def test_line_ends_marks_encodings_and_stdin_change_no_fingerprint(path, level, monkeypatch):
    expected = load_corpus(path, level).fingerprint
    variants = [
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        ("\ufeff" + TEXT[:-1]).encode(),
    ]
    assert {loaded(data, level).fingerprint for data in variants} == {expected}
    assert loaded(TEXT.encode("utf-16"), level, encoding="utf-16").fingerprint == expected
    stdin = SimpleNamespace(buffer=io.BytesIO(TEXT.encode()), isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", stdin)
    corpus = load_corpus("-", level)
    assert (corpus.name, corpus.fingerprint) == ("stdin", expected)
    assert loaded(TEXT + "x", level).fingerprint != expected
    assert loaded(TEXT.replace("king", "gink"), level).fingerprint != expected


def test_the_fingerprint_is_that_of_these_bytes_on_every_system():
    corpus = loaded("b a b\n")
    assert corpus.vocabulary.tokens == ("<unk>", "b", "a", "<eos>")
    data = b"word\n\n<unk>\n\nb\n\na\n\n<eos>" + bytes([1, 2, 1, 3])
    assert corpus.fingerprint == hashlib.sha256(data).hexdigest()[:32]


def test_wide_ids_have_the_fingerprint_of_little_ends():
    text = " ".join(f"w{i}" for i in range(300)) + "\n"
    corpus = loaded(text)
    assert corpus.ids.dtype == np.uint16
    facts = "\n\n".join(["word", "<unk>", *(f"w{i}" for i in range(300)), "<eos>"]).encode()
    ids = b"".join(i.to_bytes(2, "little") for i in range(1, 302))
    assert corpus.fingerprint == hashlib.sha256(facts + ids).hexdigest()[:32]


def test_several_files_are_one_text_and_no_word_runs_over(tmp_path):
    paths = [tmp_path / name for name in ("a", "b")]
    for path, text in zip(paths, ("one tw", "o three\n"), strict=True):
        path.write_text(text)
    corpus = load_corpus(paths, "word")
    assert corpus.vocabulary.decode(corpus.ids) == "one tw\no three\n"
    assert corpus.name == f"{paths[0]} and 1 more"


def test_cuts_give_unknown_words_and_their_rate():
    corpus = loaded("a a a b b c d\n", size=4)
    assert corpus.vocabulary.tokens == ("<unk>", "a", "b", "<eos>")
    assert corpus.ids.tolist() == [1, 1, 1, 2, 2, 0, 0, 3]
    assert corpus.unknown_rate == 2 / 8
    assert loaded("a a a b b c d\n", min_count=3).unknown_rate == 4 / 8


@pytest.mark.parametrize("chunk", [3, 1 << 18])
def test_the_unk_of_a_text_itself_is_told_from_what_is_unknown(chunk, monkeypatch):
    monkeypatch.setattr(texts, "CHUNK", chunk)
    corpus = loaded("a <unk> b a <unk>\nc <unk> a b <unk>\n", size=4)  # c is cut
    assert corpus.own_unknown.tolist() == [1, 4, 7, 10]
    assert (corpus.unknown_rate, corpus.own_unknown_rate) == (1 / 12, 4 / 12)
    train, held = split(corpus, 0.5)
    assert (train.own_unknown.tolist(), held.own_unknown.tolist()) == ([1, 4], [1, 4])
    assert (train.unknown_rate, held.unknown_rate) == (0, 1 / 6)
    other = loaded("<unk> z\n", vocabulary=corpus.vocabulary)
    assert (other.own_unknown.tolist(), other.unknown_rate) == ([0], 1 / 3)
    assert loaded("a<unk>b <unk\n" * 2).own_unknown.tolist() == []


def test_a_text_is_read_with_the_vocabulary_of_another():
    vocabulary = loaded("a b\n").vocabulary
    corpus = loaded("b zebra zebra\n", vocabulary=vocabulary)
    assert (corpus.ids.tolist(), corpus.unknown_rate) == ([2, 0, 0, 3], 0.5)
    same = loaded("zzzz\n", vocabulary=vocabulary)  # of one word: it need not be learned from
    assert same.ids.tolist() == [0, 3]


@pytest.mark.parametrize("level", ["word", "char", "byte"])
def test_an_empty_text_and_white_space_are_refused(level):
    with pytest.raises(InputError, match="stdin is empty: name a text to read"):
        loaded("", level)
    with pytest.raises(InputError, match="stdin holds nothing but white space"):
        loaded(" \n\t\r\n", level)
    with pytest.raises(InputError, match=r"stdin is empty|nothing but white space"):
        loaded("", level, vocabulary=Vocabulary.of(["ab c\n"], level))


@pytest.mark.parametrize("level", ["word", "char", "byte"])
def test_a_text_with_one_kind_of_token_cannot_be_learned(level):
    with pytest.raises(InputError, match=r"a vocabulary of one, .* two or more to choose between"):
        loaded("a\na\r\na\n", level)


def test_a_text_larger_than_memory_is_refused_before_it_is_read(path, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 10)
    with pytest.raises(InputError, match=r"would need .* and 10 bytes of memory is free"):
        load_corpus(path, "char")
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    load_corpus(path, "char")


def test_the_end_is_held_out():
    corpus = loaded("abcdefghij" * 10, "char")
    assert len(corpus) == 101
    train, held = split(corpus, 0.1)
    assert (len(train), len(held)) == (91, 10)
    np.testing.assert_array_equal(np.concatenate([train.ids, held.ids]), corpus.ids)
    assert held.name == "stdin (held out)"
    assert train.vocabulary is held.vocabulary is corpus.vocabulary
    assert (train.characters, held.characters) == (91, 10)
    assert len({part.fingerprint for part in (train, held, corpus)}) == 3
    assert split(corpus, 0) == (corpus, None)
    assert [len(split(corpus, part)[1]) for part in (0.147, 0.153)] == [15, 15]


def test_parts_count_their_characters_where_that_can_be_known():
    assert [part.characters for part in split(loaded("é漢😀ab\n", "byte"), 0.3)] == [3, 3]
    assert [part.characters for part in split(loaded("a b c d e\n"), 0.4)] == [None, None]


@pytest.mark.parametrize("fraction", [-0.1, 1, 2, float("nan")])
def test_what_is_no_fraction_is_refused(fraction):
    with pytest.raises(RequestError, match="expected a fraction from 0 to below 1"):
        split(loaded("a b\n"), fraction)


def test_a_part_needs_two_tokens():
    with pytest.raises(InputError, match=r"has 5 tokens: to hold out 0.2 .* 4 and 1, and each"):
        split(loaded("a b c d\n"), 0.2)


class Endless:
    """A stream of one byte again and again, of no size, that counts what was read."""

    def __init__(self, byte: bytes) -> None:
        self.byte, self.count = byte, 0

    def read(self, size: int) -> bytes:
        self.count += size
        return self.byte * size


@pytest.mark.parametrize("level", ["byte", "char"])
def test_a_text_without_end_is_refused_before_memory_is_full(monkeypatch, level):
    stream = Endless(b"a")
    monkeypatch.setattr(corpora, "CHECKED_EACH", 1_000_000)
    monkeypatch.setattr(memory, "free_memory", lambda: 10_000_000 - stream.count)
    with pytest.raises(InputError, match=r"stdin has brought [78]\.\d MB and has not ended"):
        load_corpus(stream, level)

"""Edit distances worked by hand, by their laws, against the textbook's table, and jiwer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntool.training import edit_distance as module
from cnntool.training.edit_distance import edits

words = st.text("abc", max_size=7)
pairs = st.lists(st.tuples(words, words), max_size=9)


def edit_distance(answer, reference):
    return int(edits([answer], [reference]).distances[0])


def table(answer, reference):
    """(edits, substitutions), the least of all ways: a cell at a time, as the textbook has it."""
    cells = {}
    for i in range(len(reference) + 1):
        for j in range(len(answer) + 1):
            ways = [(0, 0)] if i == j == 0 else []
            if i:
                ways.append((cells[i - 1, j][0] + 1, cells[i - 1, j][1]))
            if j:
                ways.append((cells[i, j - 1][0] + 1, cells[i, j - 1][1]))
            if i and j:
                differ = reference[i - 1] != answer[j - 1]
                ways.append(tuple(cost + differ for cost in cells[i - 1, j - 1]))
            cells[i, j] = min(ways)
    return cells[len(reference), len(answer)]


@pytest.mark.parametrize(
    ("answer", "reference", "insertions", "deletions", "substitutions"),
    [
        ("kitten", "sitting", 0, 1, 2),
        ("", "abc", 0, 3, 0),
        ("abc", "", 3, 0, 0),
        ("", "", 0, 0, 0),
        ("abc", "abc", 0, 0, 0),
        ("bc", "ab", 1, 1, 0),  # two substitutions would do as well, with no token right
        (["the", "cat"], ["the", "black", "cat"], 0, 1, 0),
        (b"\xff\x00", b"\x00", 1, 0, 0),
    ],
)
def test_edits_by_hand(answer, reference, insertions, deletions, substitutions):
    found = edits([answer], [reference])
    assert found.insertions.tolist() == [insertions]
    assert found.deletions.tolist() == [deletions]
    assert found.substitutions.tolist() == [substitutions]
    assert edit_distance(answer, reference) == insertions + deletions + substitutions


@given(pairs)
def test_edits_are_those_of_the_textbooks_table(pairs):
    answers, references = [a for a, _ in pairs], [b for _, b in pairs]
    found = edits(answers, references)
    expected = [table(a, b) for a, b in pairs]
    assert list(zip(found.distances, found.substitutions, strict=True)) == expected
    surplus = [len(a) - len(b) for a, b in pairs]
    assert (found.insertions - found.deletions).tolist() == surplus


@given(words, words, words)
def test_the_distance_is_a_metric(a, b, c):
    assert edit_distance(a, b) == edit_distance(b, a)
    assert (edit_distance(a, b) == 0) == (a == b)
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)


def test_blocks_of_any_size_give_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    texts = [rng.integers(0, 3, rng.integers(0, 30)).tolist() for _ in range(80)]
    whole = edits(texts, texts[::-1]).distances
    monkeypatch.setattr(module, "CELLS", 50)
    assert edits(texts, texts[::-1]).distances.tolist() == whole.tolist()


def test_sequences_of_many_thousand_tokens_do_not_overflow():
    assert edit_distance([0] * 40_000, [1]) == 40_000


def test_there_is_a_reference_for_each_answer():
    with pytest.raises(ValueError, match="1 answers and 2 references"):
        edits(["a"], ["a", "b"])


def test_distances_are_jiwers():
    jiwer = pytest.importorskip("jiwer")
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(list("abcd"), rng.integers(1, 12))) for _ in range(200)]
    found = edits([text.split() for text in texts[::-1]], [text.split() for text in texts])
    theirs = jiwer.process_words(texts, texts[::-1])
    total = theirs.insertions + theirs.deletions + theirs.substitutions
    assert found.distances.sum() == total

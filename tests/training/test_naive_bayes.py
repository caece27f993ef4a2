"""Naive Bayes by hand, and against scikit-learn on the same counts."""

import math

import numpy as np
import pytest

from cnntool.training import naive_bayes
from cnntool.training.naive_bayes import NaiveBayes, letters

TEXTS = [["Chinese", "Beijing", "Chinese"], ["Chinese", "Chinese", "Shanghai"]]
TEXTS += [["Chinese", "Macao"], ["Tokyo", "Japan", "Chinese"]]
CLASSES = ["c", "c", "c", "j"]


def test_scores_are_those_of_the_textbook():
    # Manning, Raghavan & Schütze, Introduction to Information Retrieval, example 13.1
    fitted = NaiveBayes.fit(TEXTS, CLASSES, order=1)
    assert fitted.labels == ("c", "j")
    text = [*["Chinese"] * 3, "Tokyo", "Japan", "unheard-of"]
    (scores,) = np.exp(fitted.scores([text]))
    expected = [3 / 4 * (3 / 7) ** 3 * (1 / 14) ** 2, 1 / 4 * (2 / 9) ** 3 * (2 / 9) ** 2]
    np.testing.assert_allclose(scores, expected)
    assert fitted.answers([text]) == ["c"]


def test_of_a_text_without_a_known_word_the_most_frequent_class_is_said():
    fitted = NaiveBayes.fit(TEXTS, CLASSES, order=2)
    assert fitted.answers([["Oslo"], []]) == ["c", "c"]
    np.testing.assert_allclose(fitted.scores([[]]), [[math.log(3 / 4), math.log(1 / 4)]])


def test_nothing_at_all_may_be_learned():
    assert NaiveBayes.fit([[], []], ["a", "a"], order=3).answers([["x"]]) == ["a"]


def test_pairs_do_not_reach_into_the_next_text():
    ngrams = NaiveBayes.fit(["ab", "cd"], ["x", "x"], order=3).ngrams
    assert len(ngrams) == 6
    numbers, owners = ngrams.numbers(["cda", "b", "xab€"])
    assert owners.tolist() == [0, 0, 0, 1, 2, 2, 0, 2]
    assert len(set(numbers.tolist())) == 6  # c, d, a, b, cd, ab


def test_letters_are_the_same_in_a_text_and_in_a_list():
    texts = ["añb€", "b😀", "", "aab"]
    lists = [list(text) for text in texts]
    one, other = (NaiveBayes.fit(each, ["x", "y", "y", "x"], 3) for each in (texts, lists))
    assert one.ngrams.codes.tolist() == other.ngrams.codes.tolist()
    assert one.scores(["a😀b", "ż"]).tolist() == other.scores([list("a😀b"), ["ż"]]).tolist()


def test_letters_are_marked_where_words_begin_and_end():
    assert letters("to\t be\n") == " to be "
    assert letters("") == "  "


@pytest.mark.parametrize("at_once", [7, 1 << 19])
@pytest.mark.parametrize("order", [2, 4])
def test_scores_are_scikit_learns(order, at_once, monkeypatch):
    text = pytest.importorskip("sklearn.feature_extraction.text")
    bayes = pytest.importorskip("sklearn.naive_bayes")
    monkeypatch.setattr(naive_bayes, "AT_ONCE", at_once)
    rng = np.random.default_rng(0)
    texts = [rng.choice(list("abcdefgh"), rng.integers(0, 9)).tolist() for _ in range(60)]
    classes = [str(each) for each in rng.choice(list("xyz"), 40, p=[0.6, 0.3, 0.1])]
    counter = text.CountVectorizer(
        analyzer=lambda tokens: [
            tuple(tokens[i : i + n])
            for n in range(1, order + 1)
            for i in range(len(tokens) - n + 1)
        ]
    )
    theirs = bayes.MultinomialNB().fit(counter.fit_transform(texts[:40]), classes)
    ours = NaiveBayes.fit(texts[:40], classes, order)
    held_out = counter.transform(texts)
    np.testing.assert_allclose(
        ours.scores(texts), theirs.predict_joint_log_proba(held_out), rtol=1e-12
    )
    assert ours.answers(texts) == theirs.predict(held_out).tolist()

"""BLEU and chrF: by hand, by their laws, with figures of sacrebleu 2.6, and against it."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntool.training import translation_scores
from cnntool.training.translation_scores import bleu, chrf, tokenize_13a

SYSTEM = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
REFERENCES = [  # sacrebleu's README
    ("The dog bit the man.", "The dog had bit the man."),
    ("It was not unexpected.", "No one was surprised."),
    ("The man bit him first.", "The man had bitten the dog."),
]
PIECES = ["the", "a", "cat,", "dog.", "3.5", "1,000", "mr-x", "9-4", "it's", "&amp;", "<b>"]
PIECES += ["sat", "sat", "mat", "über", "...", "!?", "[x]"]


def test_figures_of_sacrebleus_readme():
    score = bleu(SYSTEM, REFERENCES)
    assert score.value == pytest.approx(48.530827, abs=1e-6)
    assert score.signature == "nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp"
    score = chrf(SYSTEM, REFERENCES)
    assert score.value == pytest.approx(59.73, abs=5e-3)
    assert score.signature == "nrefs:2|case:mixed|eff:yes|nc:6|nw:0|space:no"


def test_bleu_by_hand():
    # 5 of 6 words, 3 of 5 pairs, 1 of 4 triples, none of 3 fours: that counts as half a one
    score = bleu(["the cat sat on the mat"], [("the cat lay on the mat",)])
    expected = 100 * math.prod([5 / 6, 3 / 5, 1 / 4, 0.5 / 3]) ** (1 / 4)
    assert score.value == pytest.approx(expected)


def test_short_answers_pay_for_their_brevity():
    score = bleu(["the cat sat on"], [("the cat sat on the mat",)])
    assert score.value == pytest.approx(100 * math.exp(1 - 6 / 4))


def test_an_ngram_counts_as_often_as_one_reference_has_it(monkeypatch):
    monkeypatch.setattr(translation_scores, "WORD_ORDER", 1)
    score = bleu(["the the the the"], [("the cat the dog", "the")])
    assert score.value == pytest.approx(50)


def test_of_equally_near_references_the_shorter_gives_the_length(monkeypatch):
    monkeypatch.setattr(translation_scores, "WORD_ORDER", 1)
    assert bleu(["a b c"], [("a b c d", "a b")]).value == pytest.approx(100)


def test_chrf_by_hand():
    # one letter of two each way, and no pair: the means over n of 1 and 2 are a quarter
    assert chrf(["ab"], [("a c",)]).value == pytest.approx(25)
    assert chrf(["a b"], [("ab",)]).value == 100


@pytest.mark.parametrize("score", [bleu, chrf])
def test_what_shares_nothing_scores_nothing(score):
    for answer, reference in (("", "a b c d"), ("a b c d", ""), ("", ""), ("a b c d", "w x y z")):
        assert score([answer], [(reference,)]).value == 0
    assert score([], []).value == 0


def test_bleu_of_texts_with_too_few_tokens_is_nothing(monkeypatch):
    assert bleu(["a b"], [("a b",)]).value == 0
    monkeypatch.setattr(translation_scores, "WORD_ORDER", 2)
    assert bleu(["a b"], [("a b",)]).value == pytest.approx(100)


@given(st.lists(st.text("ab .,", min_size=1), min_size=1))
def test_what_is_right_scores_100(texts):
    references = [(text, "x" + text) for text in texts]
    assert chrf(texts, references).value == pytest.approx(100 * any(map(str.strip, texts)))
    longest = max(len(tokenize_13a(text)) for text in texts)
    assert bleu(texts, references).value == pytest.approx(100 * (longest >= 4))


def test_punctuation_is_cut_off_but_in_numbers():
    assert tokenize_13a("Mr. X's 1,000-2.5 &quot;a&quot; e.g.,") == [
        *("Mr", ".", "X's", "1,000", "-", "2.5", '"', "a", '"', "e", ".", "g", ".", ",")
    ]


@pytest.mark.parametrize("tokenizer", ["13a", "none", "char"])
def test_scores_are_sacrebleus(tokenizer):
    metrics = pytest.importorskip("sacrebleu.metrics")
    rng = random.Random(0)
    for round_number in range(60):
        size = rng.randint(1, 6)
        references = [tuple(_sentence(rng) for _ in range(rng.randint(1, 3))) for _ in range(size)]
        is_near = round_number % 3 == 0
        answers = [right[0][3:] if is_near else _sentence(rng) for right in references]
        most = max(map(len, references))
        streams = [[(*right, *[None] * most)[i] for right in references] for i in range(most)]
        theirs = metrics.BLEU(tokenize=tokenizer), metrics.CHRF()
        for ours, metric in zip(
            (bleu(answers, references, tokenizer=tokenizer), chrf(answers, references)),
            theirs,
            strict=True,
        ):
            score = metric.corpus_score(answers, streams).score
            assert ours.value == pytest.approx(score, abs=1e-9)
            assert str(metric.get_signature()).startswith(ours.signature + "|version:")


def _sentence(rng):
    return " ".join(rng.choices(PIECES, k=rng.randint(0, 9)))

"""Reports on models of sequences, worked by hand: every figure, line and mistake of small cases."""

import json
import math

import numpy as np
import pytest

from cnntool.training.decoded_report import DecodedReport
from cnntool.training.report import ClassifierReport, Share, WrongAnswer
from cnntool.training.tagger_report import TaggerReport


def test_a_share_says_how_sure_it_is():
    share = Share(842, 1000)
    assert share.sure_text == "84.2% (81.8 to 86.3)"
    assert share.facts() == {"share": 0.842, "right": 842, "count": 1000}
    assert share.sure_facts()["interval_95"] == pytest.approx((0.8181, 0.8633), abs=1e-4)
    assert math.isnan(Share(0, 0).value)


def test_a_classifiers_report():
    report = ClassifierReport(
        ("bad", "good", "odd"),
        targets=np.array([0, 0, 1, 1]),
        predicted=np.array([0, 1, 1, 0]),
        probabilities=np.array([0.9, 0.6, 0.8, 0.7]),
        texts=["a", "b", "c", "d"],
        places=["x:1", "x:2", "x:3", "x:4"],
    ).against({"most frequent class": ["good"] * 4})
    assert report.score.name == "accuracy"
    assert report.score.value == 0.5
    assert report.lines() == [
        "accuracy 50.0% (15.0 to 85.0), macro F1 0.500 over 2 of 3 classes",
        "beside it: most frequent class 50.0%",
    ]
    assert report.mistakes == (
        WrongAnswer(3, None, "x:4", "d", "good", "bad", 0.7),
        WrongAnswer(1, None, "x:2", "b", "bad", "good", 0.6),
    )
    facts = json.loads(json.dumps(report.facts()))
    assert facts["accuracy"]["right"] == 2
    assert facts["classes"][2] == {
        **{"label": "odd", "precision": None, "recall": None, "f1": None, "support": 0}
    }
    assert facts["confusions"][0] == {
        **{"true": "bad", "predicted": "good", "count": 1, "share": 0.5}
    }
    assert facts["macro"]["classes"]["recall"] == 2
    assert facts["beside"]["most frequent class"]["macro_f1"] == pytest.approx((0 + 2 / 3) / 2)


def test_series_have_no_text_and_need_no_probabilities():
    report = ClassifierReport(("a", "b"), np.array([0, 1]), np.array([1, 1]))
    assert report.mistakes == (WrongAnswer(0, None, "", "", "a", "b", None),)
    assert report.lines() == ["accuracy 50.0% (9.5 to 90.5), macro F1 0.333"]


def test_a_taggers_report():
    report = TaggerReport(
        ("D", "N", "V"),
        true=[("D", "N", "V"), ("N", "X")],
        predicted=[("D", "N", "N"), ("N", "V")],
        words=[("the", "dog", "barks"), ("dogs", "bark")],
        is_unknown=[[False, False, True], [True, False]],
        probabilities=[[1, 1, 0.5], [1, 0.8]],
        places=["x:1", "x:5"],
    ).against({"most frequent tag": [("N",) * 3, ("N",) * 2]})
    assert report.score.name == "accuracy"
    assert report.score.value == 0.6
    assert report.lines() == [
        "words 60.0%, unknown words 50.0%, whole 0.0% (0.0 to 65.8)",
        "beside it: most frequent tag 40.0%",
    ]
    assert report.mistakes == (
        WrongAnswer(1, 1, "x:5", "bark", "X", "V", 0.8),
        WrongAnswer(0, 2, "x:1", "barks", "V", "N", 0.5),
    )
    facts = json.loads(json.dumps(report.facts()))
    assert facts["unknown_words"] == {"share": 0.5, "right": 1, "count": 2}
    assert facts["scheme"] == "none"
    assert [each["label"] for each in facts["tags"]] == ["D", "N", "V", "X"]
    assert facts["tags"][1]["precision"] == 2 / 3
    assert "spans" not in facts
    assert facts["beside"]["most frequent tag"]["unknown_words"]["share"] == 0.5


def test_a_tagger_of_spans_is_judged_by_them():
    true, said = [("B-a", "I-a", "O", "B-b")], [("B-a", "O", "O", "B-b")]
    report = TaggerReport(("B-a", "I-a", "B-b", "O"), true, said).against({"same": true})
    assert report.score.name == "span F1"
    assert report.score.value == 0.5
    assert report.lines() == [
        "words 75.0%, whole 0.0% (0.0 to 79.3)",
        "spans (IOB2, conlleval's rule) F1 50.0%, precision 50.0%, recall 50.0%, macro F1 50.0%",
        "beside it: same 100.0%",
    ]
    spans = report.facts()["spans"]
    assert spans["rule"] == "conlleval"
    assert spans["types"][0] == {
        **{"label": "a", "precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1}
    }


def test_frames_are_named_so():
    report = TaggerReport(("0", "1"), [("0", "1"), ()], [("0", "1"), ()], unit="frame")
    assert report.lines() == ["frames 100.0%, whole 100.0% (34.2 to 100.0)"]
    assert report.facts()["frames"]["count"] == 2
    assert report.mistakes == ()


def test_a_translators_report_on_pronunciations():
    report = DecodedReport(
        "translator",
        references=[("K AE T",), ("D AO G", "D AA G"), ("HH AW S",)],
        answers=["K AE T", "D AA G", "HH OW Z EH"],
        level="symbol",
        sources=["cat", "dog", "house"],
        odds=[0.9, 0.8, 0.2],
    ).against({"copy": ["cat", "dog", "house"]})
    assert report.score.name == "exact"
    assert report.score.value == 2 / 3
    text, beside = report.lines()
    assert text.startswith("exact 66.7% (20.8 to 93.9), WER 33.3%, PER 33.3%, BLEU ")
    assert beside == "beside it: copy 0.0%"
    assert report.mistakes == (WrongAnswer(2, None, "", "house", "HH AW S", "HH OW Z EH", 0.2),)
    facts = json.loads(json.dumps(report.facts()))
    assert facts["error_rate"] == {
        **{"name": "PER", "rate": 3 / 9, "tokens": 9},
        **{"insertions": 1, "deletions": 0, "substitutions": 2},
    }
    assert facts["bleu"]["signature"] == "nrefs:var|case:mixed|eff:no|tok:none|smooth:exp"
    assert facts["chrf"]["signature"].endswith("|nc:6|nw:0|space:no")
    assert facts["beside"]["copy"]["error_rate"]["rate"] == 1


@pytest.mark.parametrize(
    ("level", "reference", "tokenizer", "score"),
    [
        ("word", "ein Hund bellt im Hof", "13a", "BLEU"),
        ("char", "ein Hund bellt im Hof", "char", "BLEU"),
        ("word", "ein Hund", "13a", "exact"),
        ("char", "2024-03-05", "char", "exact"),
        ("byte", "März", "char", "exact"),
        ("symbol", "a b c d e", "none", "exact"),
    ],
)
def test_bleu_counts_tokens_of_the_models_level(level, reference, tokenizer, score):
    report = DecodedReport("translator", [(reference,)], [reference], level)
    assert report.tokenizer == tokenizer
    assert report.score.name == score
    assert report.score.text in ("100.0", "100.0%")
    assert report.errors.rate == 0


@pytest.mark.parametrize(("level", "right"), [("symbol", 1), ("word", 1), ("char", 0), ("byte", 0)])
def test_more_than_one_space_counts_where_it_is_a_token(level, right):
    report = DecodedReport("translator", [("HH  AH",)], ["HH AH"], level)
    assert report.against({"copy": ["HH   AH"]}).beside["copy"].exact.value == right
    assert report.exact.value == right


def test_a_captioners_report_counts_different_captions():
    captions = ["a red circle above a square", "a blue square", "a red circle above a square"]
    report = DecodedReport("captioner", [(text,) for text in captions], captions[:1] * 3, "word")
    assert report.score.name == "exact"
    first, second = report.lines()
    assert first.startswith("exact 66.7% (20.8 to 93.9), WER 26.7%, BLEU ")
    assert first.endswith(" (tok:13a)")
    assert second == "1 different caption for 3 pictures"
    assert report.facts()["different_answers"] == 1
    assert "chrf" not in report.facts()


def test_nothing_said_is_all_wrong():
    report = DecodedReport("translator", [("abc",), ("de",)], ["", ""], "char")
    assert report.errors.rate == 1
    assert report.bleu.value == report.chrf.value == report.exact.value == 0
    assert [wrong.reference for wrong in report.mistakes] == ["abc", "de"]

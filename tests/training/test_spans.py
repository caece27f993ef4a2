"""Spans of tags: by hand, cases that users of seqeval and conlleval ask of, and against seqeval."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntool.training.measures import Averages
from cnntool.training.spans import Span, scheme, span_scores, spans

TAGS = ["O", *(f"{prefix}-{kind}" for prefix in "BIES" for kind in ("PER", "LOC-X"))]
sequences = st.lists(st.lists(st.sampled_from(TAGS), max_size=8), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("IOB2", "B-a I-a O B-a B-a"),
        ("IOB2", "B-a O B-b"),
        ("IOB2", "B-a I-a O I-a"),  # with a mistake
        ("IOB1", "I-a I-a B-a O I-b"),
        ("IOB1", "I-a O I-b"),
        ("IOBES", "B-a I-a E-a S-b O"),
        ("IOBES", "S-a O"),
        ("BILOU", "B-a L-a U-b O"),
        ("IOB2", "B I O"),
        ("IOBES", "B I E S"),
        ("none", "B-a E-a U-b"),  # of two schemes
        ("none", "I-a E-a O"),  # IOE
        ("none", "DT NN VB O"),
        ("none", "B-a I-a x"),
        ("none", "B O A"),
        ("none", "S"),
        ("none", "O O"),
        ("none", ""),
        ("none", "b-a i-a o"),
    ],
)
def test_schemes_are_told_by_their_tags(name, tags):
    assert scheme([tags.split()]) == name


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("O B-a I-a B-a O", [("a", 1, 2), ("a", 3, 3)]),
        ("I-a I-a O I-a", [("a", 0, 1), ("a", 3, 3)]),  # a wrong I starts a span
        ("B-a I-b I-b", [("a", 0, 0), ("b", 1, 2)]),  # and so where the type changes
        ("B-a E-a E-a I-a", [("a", 0, 1), ("a", 2, 2), ("a", 3, 3)]),
        ("S-a I-a E-a B-b", [("a", 0, 0), ("a", 1, 2), ("b", 3, 3)]),
        ("B-a I-a L-a U-a U-a", [("a", 0, 2), ("a", 3, 3), ("a", 4, 4)]),
        ("B-a x I-a", [("a", 0, 0), ("a", 2, 2)]),
        ("B-I-a I-I-a", [("I-a", 0, 1)]),
        ("B I O I", [("", 0, 1), ("", 3, 3)]),
        ("", []),
    ],
)
def test_spans_by_conllevals_rule(tags, expected):
    assert spans(tags.split()) == [Span(*each) for each in expected]


def test_span_scores_by_hand():
    true = [["O", "O", "O", "B-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]
    said = [["O", "O", "B-MISC", "I-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]
    found = span_scores(said, true)
    assert (found.scheme, found.types) == ("IOB2", ("MISC", "PER"))
    assert found.by_type.f1.tolist() == [0, 1]
    assert found.by_type.support.tolist() == [1, 1]
    assert found.micro == (0.5, 0.5, 0.5)
    assert found.macro == Averages(0.5, 0.5, 0.5, {"precision": 2, "recall": 2, "f1": 2})


def test_the_type_and_both_ends_make_a_span_right():
    true = [["B-a", "I-a", "O", "B-b"]]
    for said, right in (("B-a I-a O B-b", 2), ("B-a O O B-b", 1), ("B-b I-b O B-a", 0)):
        assert span_scores([said.split()], true).right.sum() == right


def test_a_span_does_not_go_on_in_the_next_sequence():
    assert span_scores([["B-a"], ["I-a"]], [["B-a"], ["B-a"]]).micro.f1 == 1


def test_micro_and_macro_differ_where_types_are_not_as_frequent():
    found = span_scores([["B-a", "B-a", "B-a", "B-c"]], [["B-a", "B-a", "B-a", "B-b"]])
    assert found.types == ("a", "b", "c")
    assert found.micro == (0.75, 0.75, 0.75)
    assert (found.macro.precision, found.macro.recall) == (0.5, 0.5)  # of b none is said, c is none
    assert found.macro.f1 == pytest.approx(1 / 3)
    assert found.macro.classes == {"precision": 2, "recall": 2, "f1": 3}
    assert found.by_type.undefined["precision"].tolist() == [False, True, False]


def test_where_there_are_no_spans_scores_are_nothing():
    found = span_scores([["O"], []], [["O"], []])
    assert (found.scheme, found.types) == ("none", ())
    assert found.micro == (0, 0, 0)
    assert found.macro.f1 == 0


@given(sequences)
def test_scores_of_the_true_tags_are_1(sequences):
    found = span_scores(sequences, sequences)
    assert found.micro.f1 == found.macro.f1 == bool(found.types)


@given(sequences)
def test_bilou_is_iobes_by_other_names(sequences):
    renamed = [[tag.replace("E-", "L-").replace("S-", "U-") for tag in tags] for tags in sequences]
    assert [spans(tags) for tags in renamed] == [spans(tags) for tags in sequences]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("prefixes", ["BI", "I", "BIES"])
def test_scores_are_seqevals(prefixes):
    labeling = pytest.importorskip("seqeval.metrics.sequence_labeling")
    rng = np.random.default_rng(0)
    tags = ["O", *(f"{prefix}-{kind}" for prefix in prefixes for kind in ("x", "y-z"))]
    for _ in range(40):
        lengths = rng.integers(1, 9, 6)
        true = [rng.choice(tags, length).tolist() for length in lengths]
        said = [
            [tag if rng.random() < 0.7 else str(rng.choice(tags)) for tag in row] for row in true
        ]
        for row in true:
            assert [tuple(span) for span in spans(row)] == labeling.get_entities(row)
        found = span_scores(said, true)
        theirs = labeling.precision_recall_fscore_support(true, said, average="micro")
        np.testing.assert_allclose(found.micro, theirs[:3], atol=1e-12)
        theirs = labeling.precision_recall_fscore_support(true, said, average="macro")
        assert found.macro.f1 == pytest.approx(theirs[2])
        precision, recall, f1, support = labeling.precision_recall_fscore_support(true, said)
        np.testing.assert_allclose(found.by_type.precision, precision)
        np.testing.assert_allclose(found.by_type.recall, recall)
        np.testing.assert_allclose(found.by_type.f1, f1)
        assert found.support.tolist() == support.tolist()

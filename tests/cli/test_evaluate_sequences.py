"""`cnntool evaluate` of models of sequences: scores, what stands beside them, mistakes, parts."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from browser import computed, needs_browser
from processes import report
from sequence_models import MOODS, write_sequence_models

from cnntool.networks.model import load_trained
from cnntool.networks.model_file import load_model, save_model
from cnntool.networks.sequence_answers import class_odds

NETWORK = ["--epochs", 2, "--hidden-size", 4, "--embed-size", 4, "--batch-size", 8]


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_sequence_models(folder)
    return folder


@pytest.fixture
def moods(folder) -> str:
    lines = [f"{text} {index}\t{label}\n" for index, (text, label) in enumerate(MOODS)]
    (folder / "moods.tsv").write_text("".join(lines))
    return "moods.tsv"


def test_what_training_held_out_is_found_again_with_all_that_was_said_of_it(cnntool, moods):
    trained = report(
        cnntool("train-classifier", moods, "-o", "m.npz", "--seed", 3, "--json", "-q", *NETWORK)
    )
    done = cnntool("evaluate", "m.npz", moods, "--json")
    found = report(done)
    assert (found["part"], found["samples"], found["learned_from"]) == ("validation", 4, False)
    for key in ("accuracy", "macro_f1", "confusions", "beside"):
        assert found[key] == trained[key]
    assert "these are the samples that training held out" in done.err
    table = cnntool("evaluate", "m.npz", moods).out.decode()
    assert "Naive Bayes on words and pairs" in table
    done = cnntool("evaluate", "m.npz", moods, "--part", "train", "--json")
    assert report(done)["samples"] == len(MOODS) - 4
    assert "learned from these, new ones may be harder; --part validation" in done.err


def test_other_data_is_judged_beside_what_the_training_data_says(cnntool, moods, folder):
    cnntool("train-classifier", moods, "-o", "m.npz", "-q", *NETWORK)
    (folder / "new.tsv").write_text("good thing\tgood\nbad thing\tbad\na bad film 2\tbad\n")
    done = cnntool("evaluate", "m.npz", "new.tsv", "--json")
    found = report(done)
    assert (found["part"], found["samples"]) == ("all", 3)
    assert set(found["beside"]) == {"most frequent class", "Naive Bayes on words and pairs"}
    assert "new.tsv: 1 of 3 inputs stands in moods.tsv too" in done.err
    (folder / moods).write_text("good\tgood\nbad\tbad\n")
    done = cnntool("evaluate", "m.npz", "new.tsv", "--json")
    assert report(done)["beside"] == {}
    assert "is not there any more, or has changed" in done.err


def test_texts_that_are_right_are_scored_as_they_stand(cnntool, folder):
    pairs = [f'w{k}\twell-known  "la" (no. {k}), $10.5 !\n' for k in range(12)]
    (folder / "pairs.tsv").write_text("".join(pairs))
    options = ["--target-level", "word", "--val-split", 0, "-o", "m.npz", "-q"]
    report(cnntool("train-translator", "pairs.tsv", *options, "--json", *NETWORK))
    (folder / "other.tsv").write_text("".join([*pairs[:3], "w1\tw-1\n"]))
    found = report(cnntool("evaluate", "m.npz", "other.tsv", "--json"))
    assert found["beside"]["nearest source"]["exact"]["right"] == 3
    assert 'well-known  "la" (no. 0), $10.5 !' in {each["reference"] for each in found["mistakes"]}


def test_a_part_that_was_learned_from_in_place_of_another_is_found_again(cnntool, folder):
    (folder / "set").mkdir()
    for part, count in (("dev", len(MOODS)), ("test", 6)):
        lines = [f"{text} {part} {k}\t{label}\n" for k, (text, label) in enumerate(MOODS[:count])]
        (folder / "set" / f"{part}.tsv").write_text("".join(lines))
    done = cnntool("train-classifier", "set", "-o", "m.npz", *NETWORK)
    assert "there is no training part, so that the validation part is learned" in done.err
    done = cnntool("evaluate", "m.npz", "set", "--part", "validation", "--json")
    assert report(done)["samples"] == 4
    assert "these are the samples that training held out" in done.err
    found = report(cnntool("evaluate", "m.npz", "set", "--part", "train", "--json"))
    assert (found["learned_from"], found["samples"]) == (True, len(MOODS) - 4)
    assert report(cnntool("evaluate", "m.npz", "set", "--json"))["part"] == "test"


def test_options_of_training_are_those_of_its_data_alone(cnntool, moods, folder):
    lines = [f'"{text} {index}",{label}\n' for index, (text, label) in enumerate(MOODS)]
    (folder / "own.csv").write_text("what,how\n" + "".join(lines))
    named = "--text-column", "what", "--label-column", "how"
    done = cnntool("train-classifier", "own.csv", *named, "-o", "m.npz", "-q", *NETWORK)
    assert done.code == 0, done.err
    assert report(cnntool("evaluate", "m.npz", "./own.csv", "--json"))["samples"] == 4
    (folder / "new.csv").write_text("text,label\na good film,good\n")
    done = cnntool("evaluate", "m.npz", "new.csv", "--json")
    assert report(done)["samples"] == 1
    assert "new.csv: read as it looks, not with the --text-column what and --label-col" in done.err
    done = cnntool("evaluate", "m.npz", moods, "--json", "-q")
    assert (report(done)["samples"], done.err) == (4, "")  # the same, and the same held out


def test_figures_are_those_counted_by_hand(cnntool, models, folder):
    path = models / "classifier.npz"
    texts = [("a good film", "good"), ("so bad", "good"), ("bad film", "bad")]
    (folder / "three.tsv").write_text("".join(f"{text}\t{label}\n" for text, label in texts))
    done = cnntool("evaluate", path, "three.tsv", "--json", "--mistakes", "wrong.tsv")
    found, model = report(done), load_trained(path)
    odds = class_odds(model.network, model.reader.rows([text for text, _ in texts]))
    assert (found["accuracy"]["right"], found["accuracy"]["count"]) == (2, 3)
    assert [each["given"] for each in found["mistakes"]] == ["so bad"]
    assert found["mistakes"][0]["probability"] == pytest.approx(odds[1].max(), rel=1e-5)
    assert Path("wrong.tsv").read_text().splitlines() == [
        "place\tinput\tright\tanswer\tprobability",
        f"three.tsv:2\tso bad\tgood\tbad\t{odds[1].max():.6g}",
    ]
    cnntool("evaluate", path, "three.tsv", "--confusion", "c.png", "-q")
    assert Path("c.png").stat().st_size > 1000


def test_tags_are_counted_word_by_word(cnntool, models, folder):
    lines = ["12 number", "Main street", "Zyx street", "", "9 number", "Elm state", ""]
    (folder / "tags.txt").write_text("\n".join(lines))
    done = cnntool("evaluate", models / "tagger.npz", "tags.txt", "--json", "--mistakes", "w.tsv")
    found = report(done)
    assert found["words"]["count"] == 5
    assert found["unknown_words"]["count"] == 1
    assert found["whole"]["count"] == 2
    rows = [line.split("\t") for line in Path("w.tsv").read_text().splitlines()[1:]]
    assert ["tags.txt:5 word 2", "Elm", "state"] in [row[:3] for row in rows]
    out = cnntool("evaluate", models / "tagger.npz", "tags.txt").out.decode()
    assert "unknown words" in out


def test_a_tag_that_a_tagger_has_not_counts_as_wrong_and_is_said(cnntool, models, folder):
    (folder / "tags.txt").write_text("12 number\nMain odd\n\n9 number\nElm odd\n")
    done = cnntool("evaluate", models / "tagger.npz", "tags.txt", "--json")
    found = report(done)
    assert found["words"]["count"] == 4
    assert found["words"]["right"] <= 2
    assert "tags.txt: 1 tag (odd), that " in done.err
    assert "is never answered: 2 of its tags count as wrong" in done.err


def test_spans_are_shown_where_tags_have_a_scheme(cnntool, models, folder):
    renamed = {"number": "B-a", "street": "I-a", "state": "O", "box": "B-b"}
    model = load_model(models / "tagger.npz", kind=None)
    labels = tuple(renamed[label] for label in model.header.labels)
    save_model(folder / "iob.npz", replace(model, header=replace(model.header, labels=labels)))
    (folder / "tags.txt").write_text("12 B-a\nMain I-a\n\n9 B-b\n")
    out = cnntool("evaluate", "iob.npz", "tags.txt").out.decode()
    assert "spans: IOB2, by conlleval's rule" in out
    assert "span precision" in out


def test_texts_are_judged_as_they_were_said(cnntool, models, folder):
    (folder / "pairs.tsv").write_text("abc\tcba\nba\tab\nb\tb\n")
    path = models / "translator.npz"
    said = cnntool("predict", path, "-", "--beam", 3, stdin=b"abc\nba\nb\n").lines
    found = report(cnntool("evaluate", path, "pairs.tsv", "--beam", 3, "--json"))
    right = sum(a == b for a, b in zip(said, ["cba", "ab", "b"], strict=True))
    assert (found["exact"]["right"], found["exact"]["count"]) == (right, 3)
    assert found["error_rate"]["name"] == "CER"
    assert found["perplexity_given_the_right_beginning"] > 1
    out = cnntool("evaluate", path, "pairs.tsv").out.decode()
    assert "perplexity, given the right beginning: " in out
    (folder / "a").write_text("abc\nba\n")
    (folder / "b").write_text("cba\nab\n")
    assert report(cnntool("evaluate", path, "a", "b", "--json"))["samples"] == 2


@pytest.mark.parametrize(
    ("model", "arguments", "code", "message"),
    [
        ("classifier", ["x.tsv"], 1, "x.tsv does not exist"),
        ("classifier", ["t.tsv"], 1, "has the label 'odd', which"),
        ("classifier", ["t.tsv", "t.tsv"], 2, "2 DATA: "),
        ("classifier", ["t.tsv", "--part", "test"], 2, "t.tsv has no test part: use --part train"),
        ("classifier", ["t.tsv", "--beam", "2"], 2, "--beam is of no use here"),
        ("classifier", ["t.tsv", "--tokens"], 2, "--tokens is of no use here"),
        ("classifier", ["t.tsv", "--mistakes", "w.png"], 2, "end it in .tsv"),
        ("classifier", ["t.tsv", "--mistakes", "old.tsv"], 1, "old.tsv exists: -f overwrites it"),
        ("classifier", ["t.tsv", "--format", "tvs"], 2, "is no format of a classifier"),
        ("tagger", ["t.tsv", "--confusion", "c.png"], 2, "--confusion is of no use here"),
        ("translator", ["t.tsv", "--strict"], 2, "is a translator"),
        ("classifier", ["pronunciations"], 1, "is a set for train-translator"),
    ],
)
def test_what_cannot_be_done_is_one_line(cnntool, models, folder, model, arguments, code, message):
    for name in ("t.tsv", "old.tsv"):
        (folder / name).write_text("good film\todd\n")
    done = cnntool("evaluate", models / f"{model}.npz", *arguments)
    assert done.code == code
    assert message in done.err
    assert len(done.err.splitlines()) == 1


@needs_browser
def test_a_page_has_what_was_measured_and_opens_every_mistake(cnntool, models, moods, tmp_path):
    (tmp_path / "wrong.tsv").write_text("a <b>good</b> film\tbad\nso bad\tbad\n")
    model = models / "classifier.npz"
    found = report(cnntool("evaluate", model, "wrong.tsv", "--html", "page.html", "--json"))
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    (data,) = re.findall(r'<script type="application/json" id="data">(.*)</script>', text)
    told, facts = json.loads(data), json.loads(data)["report"]
    assert facts["wrong"] == len(found["mistakes"]) == 1
    assert told["texts"] == [found["mistakes"][0]["given"]]
    assert computed(tmp_path, text.encode())
    done = cnntool("evaluate", models / "tagger.npz", "wrong.tsv", "--html", "other.html")
    assert done.code == 2
    assert "--html is of no use here" in done.err


@pytest.mark.parametrize(
    "option",
    ["--text-column t", "--label-column 2", "--format x", "--group g", "--encoding cp1252"],
)
def test_options_about_files_are_refused_for_sets_that_come_along(cnntool, models, option):
    done = cnntool("evaluate", models / "classifier.npz", "names", *option.split())
    name = option.split()[0]
    words = f"cnntool: {name} means nothing for names, which comes along, and is read in one way"
    assert (done.code, done.out) == (2, b"")
    assert done.err.startswith(words)


@pytest.mark.parametrize(
    "option", ["--text-column t", "--label-column 2", "--group g", "--column 3"]
)
def test_columns_are_refused_for_captions(cnntool, models, option):
    done = cnntool("evaluate", models / "captioner.npz", "photos", *option.split())
    assert (done.code, done.out) == (2, b"")
    assert f"{option.split()[0]} is of no use here: " in done.err

"""`cnntool predict` of texts, sentences and pictures that become texts: an answer an input."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from labelled_images import save_picture
from PIL import Image
from processes import COMMAND
from sequence_models import pictures, series, videos, write_sequence_models

from cnntool.networks.model import load_trained
from cnntool.networks.sequence_answers import class_odds, tag_odds, texts_said


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_sequence_models(folder)
    return folder


def said(model, inputs, beam=1):
    return texts_said(model.joined, model.reader.rows(inputs), model.writer.end, 12, beam)


def test_a_line_is_a_text_and_an_empty_one_stays_empty(cnntool, models):
    done = cnntool("predict", models / "classifier.npz", "-", stdin=b"a good film\n\nso bad")
    model = load_trained(models / "classifier.npz")
    good, bad = class_odds(model.network, model.reader.rows(["a good film", "so bad"]))
    assert (done.code, done.err) == (0, "")
    assert done.lines == [f"good\t{good[1]:.4f}", "", f"bad\t{bad[0]:.4f}"]


def test_top_and_json_have_all_that_was_asked_for(cnntool, models):
    model, stdin = models / "classifier.npz", b"a good film\n \n"
    (label, p, other, q), blank = (
        line.split("\t") for line in cnntool("predict", model, "-", "--top", 9, stdin=stdin).lines
    )
    assert (label, other, blank) == ("good", "bad", [""])
    assert float(p) + float(q) == pytest.approx(1, abs=1e-4)
    first, empty = map(
        json.loads, cnntool("predict", model, "-", "--top", 2, "--json", stdin=stdin).lines
    )
    assert (first["text"], first["label"]) == ("a good film", "good")
    assert [each["label"] for each in first["top"]] == ["good", "bad"]
    assert empty == {"text": " ", "label": None, "probability": None, "top": []}


@pytest.mark.parametrize(
    "text",
    [
        b"a good film\tgood\nso bad\tbad\n",
        b'{"text": "a good film", "label": "good"}\n',
        b"\nreview,sentiment\na good film,good\n",
        b'"Label";"Text"\ngood;a good film\n',
    ],
    ids=["tabs", "json", "commas", "semicolons"],
)
def test_a_table_is_read_whole_with_a_note(cnntool, models, folder, text):
    (folder / "reviews.txt").write_bytes(text)
    done = cnntool("predict", models / "classifier.npz", "reviews.txt")
    assert done.code == 0
    assert len(done.lines) == text.count(b"\n")
    notes = [line for line in done.err.splitlines() if "looks like a table" in line]
    (note,) = notes
    assert "reviews.txt looks like a table: each line is read whole, its label included" in note
    assert "table" not in cnntool("predict", models / "classifier.npz", "reviews.txt", "-q").err


@pytest.mark.parametrize(
    "text", [b"text, please\n", b"{so} bad\n", b"good, bad\ntext,label\n", b"good,film\n"]
)
def test_a_text_with_commas_is_no_table(cnntool, models, text):
    assert "table" not in cnntool("predict", models / "classifier.npz", "-", stdin=text).err


def test_sentences_become_columns(cnntool, models):
    done = cnntool("predict", models / "tagger.npz", "-", stdin=b"12 Main St\n\n9 Elm\n")
    model = load_trained(models / "tagger.npz")
    odds = tag_odds(model.network, model.reader.rows([("12", "Main", "St"), ("9", "Elm")]))
    rows = [line.split("\t") for line in done.lines]
    assert [row[0] for row in rows] == ["12", "Main", "St", "", "", "9", "Elm", ""]
    assert rows[0][1:] == [model.labels[odds[0][0].argmax()], f"{odds[0][0].max():.4f}"]


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (b"12\tX\nMain\tY\n\n9\tX", [], ["12", "Main", "", "9", ""]),
        (b"-DOCSTART- -X-\n\n12 X\nMain Y\n", [], ["12", "Main", ""]),
        (b"12\nMain\n\n\n9\n", ["--columns"], ["12", "Main", "", "9", ""]),
        (
            b"# id = 1\n1-2\tab" + b"\t_" * 8 + b"\n1\ta" + b"\t_" * 8 + b"\n2\tb" + b"\t_" * 8,
            [],
            ["a", "b", ""],
        ),
    ],
    ids=["tabs", "conll 2003", "one column", "conllu"],
)
def test_words_in_columns_are_found(cnntool, models, text, options, words):
    done = cnntool("predict", models / "tagger.npz", "-", *options, stdin=text)
    assert [line.split("\t")[0] for line in done.lines] == words
    assert ("read as columns" in done.err) == (not options)


def test_tags_as_json_have_a_line_a_sentence(cnntool, models):
    done = cnntool("predict", models / "tagger.npz", "-", "--json", "--top", 2, stdin=b"9 Elm\n\n")
    sentence, empty = map(json.loads, done.lines)
    assert sentence["words"] == ["9", "Elm"]
    assert [each[0]["tag"] for each in sentence["top"]] == sentence["tags"]
    assert empty == {"words": [], "tags": [], "probabilities": [], "top": []}


def test_texts_are_those_of_greedy_search_and_of_beams(cnntool, models, folder):
    (folder / "in.txt").write_text("abc\n\nba\n")
    path, model = models / "translator.npz", load_trained(models / "translator.npz")
    (first,), (second,) = said(model, ["abc", "ba"])
    done = cnntool("predict", path, "in.txt")
    assert done.lines == [model.writer.text(first.ids), "", model.writer.text(second.ids)]
    beam = said(model, ["abc"], 4)[0]
    done = cnntool("predict", path, "-", "--beam", 4, "--top", 2, stdin=b"abc")
    fields = done.lines[0].split("\t")
    assert fields[::2] == [model.writer.text(each.ids) for each in beam[:2]]
    assert cnntool("predict", path, "-", "--top", 4, stdin=b"abc").lines[0].split("\t")[:4] == (
        fields
    )
    entry = json.loads(cnntool("predict", path, "-", "--json", stdin=b"abc").out)
    assert (entry["source"], entry["text"]) == ("abc", model.writer.text(first.ids))


def test_pictures_are_put_into_words(cnntool, models, folder):
    for index, picture in enumerate(pictures()[0][:2]):
        save_picture(folder / f"{index}.png", picture[0])
    done = cnntool("predict", models / "captioner.npz", "1.png", "none.png", "0.png")
    model = load_trained(models / "captioner.npz")
    right, left = (model.writer.text(each[0].ids) for each in said(model, pictures()[0][:2]))
    assert done.lines == [f"1.png\t{left}", f"0.png\t{right}"]
    assert done.code == 1
    assert done.err.splitlines()[0].startswith("none.png does not exist")
    done = cnntool("predict", models / "captioner.npz", "0.png", "--top", 2, "--json")
    assert len(json.loads(done.out)["top"]) == 2


def test_what_was_unknown_is_said_once(cnntool, models):
    done = cnntool("predict", models / "classifier.npz", "-", stdin=b"a zyx film\nzyx\n")
    assert done.err.strip().endswith("2 of 4 words (50.0%) unknown to it")
    quiet = cnntool("predict", models / "classifier.npz", "-", "-q", stdin=b"zyx")
    assert quiet.err == ""


def test_texts_are_composed_as_those_that_were_learned_from(cnntool, models):
    model = models / "translator.npz"
    done = cnntool("predict", model, "-", stdin="é".encode())
    assert "1 of 1 character " in done.err
    assert "1 of 1 character " in cnntool("predict", model, "-", stdin="é".encode()).err


@pytest.mark.parametrize(
    ("model", "options", "code", "message"),
    [
        ("classifier", ["x.txt"], 1, "x.txt does not exist"),
        ("classifier", ["."], 1, ". is a folder"),
        ("classifier", ["latin.txt"], 1, "latin.txt: byte 0xe9 at offset 1 (line 1) is not UTF-8"),
        ("classifier", ["nul.txt"], 1, "a text takes its --encoding"),
        ("classifier", ["-", "--encoding", "x"], 2, "--encoding 'x' is no encoding"),
        ("classifier", ["-", "--beam", "2"], 2, "--beam is of no use here"),
        ("classifier", ["-", "--columns"], 2, "--columns is of no use here"),
        ("tagger", ["-", "--max-pixels", "5M"], 2, "--max-pixels is of no use"),
        ("translator", ["-", "--own-size"], 2, "--own-size is of no use here"),
        ("translator", ["-", "--beam", "2", "--top", "3"], 2, "--top 3 takes --beam 3 or more"),
        (
            "translator",
            ["-", "--top", "101"],
            2,
            "--top 101 takes a beam of as many: expected 1 to",
        ),
        ("captioner", ["grey.png", "--encoding", "utf-8"], 2, "is a captioner"),
        ("captioner", ["."], 1, ". is a folder: -r goes through it"),
        ("series", ["grey.png", "--white", "1"], 2, "--white is of no use here"),
    ],
)
def test_what_cannot_be_done_is_one_line(cnntool, models, folder, model, options, code, message):
    (folder / "latin.txt").write_bytes(b"h\xe9")
    (folder / "nul.txt").write_bytes(b"a\0b")
    done = cnntool("predict", models / f"{model}.npz", *options)
    assert done.code == code
    assert message in done.err
    assert len(done.err.splitlines()) == 1


def test_one_bad_file_stops_no_other(cnntool, models, folder):
    (folder / "a.txt").write_text("good")
    done = cnntool("predict", models / "classifier.npz", "no.txt", "a.txt")
    assert (done.code, len(done.lines)) == (1, 1)


def test_a_line_without_an_end_is_refused(cnntool, models, folder):
    (folder / "a.txt").write_text("good\n" + "x" * (1 << 21))
    done = cnntool("predict", models / "classifier.npz", "a.txt")
    assert (done.code, len(done.lines)) == (1, 1)
    assert "a.txt:2 has more than 1,048,576 characters in one line" in done.err


def test_a_pipe_that_stays_open_is_answered_line_by_line(models):
    command = [*COMMAND, "predict", str(models / "translator.npz"), "-", "-q"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(2):
            os.write(process.stdin.fileno(), b"abc\n")
            assert process.stdout.readline().endswith(b"\n")
        process.stdin.close()
        assert process.stdout.read() == b""
    assert process.returncode == 0


def test_series_are_read_with_and_without_labels(cnntool, models, folder):
    (first, second, *_), _ = series()
    x = np.zeros((2, max(len(first), len(second)), 2), np.float32)
    x[0, : len(first)], x[1, : len(second)] = first, second
    np.savez("s.npz", x=x, lengths=[len(first), len(second)])
    lines = [
        ":".join(",".join(map(repr, column.tolist())) for column in each.T)
        for each in (first, second)
    ]
    (folder / "s.ts").write_text(f"@classLabel true a b\n@data\n{lines[0]}\n{lines[1]}:a\n")
    path, model = models / "series.npz", load_trained(models / "series.npz")
    odds = class_odds(model.network, model.reader.rows([first, second]))
    expected = [f"{model.labels[each.argmax()]}\t{each.max():.4f}" for each in odds]
    assert cnntool("predict", path, "s.npz").lines == expected
    assert cnntool("predict", path, "s.ts").lines == expected
    stdin = (folder / "s.ts").read_bytes()
    assert cnntool("predict", path, "-", stdin=stdin).lines == expected
    entry = json.loads(cnntool("predict", path, "s.npz", "--json").lines[1])
    assert (entry["file"], entry["series"]) == ("s.npz", 2)
    (folder / "wrong.ts").write_text("1,2,3\n")
    done = cnntool("predict", path, "wrong.ts")
    assert done.err == (
        "wrong.ts:1 has 1 dimension: the model takes series of 2 dimensions, parted by colons in a "
        ".ts file\n"
    )
    (folder / "late.ts").write_text(f"{lines[0]}\n{lines[1]}\n1,2,3\n")
    done = cnntool("predict", path, "late.ts")
    assert (done.code, done.lines) == (1, expected)
    assert done.err.startswith("late.ts:3 has 1 dimension")
    np.savez("x.npz", z=x)
    assert "x.npz holds z, and no x" in cnntool("predict", path, "x.npz").err


def test_frames_of_clips_are_tagged_in_order(cnntool, models, folder):
    frames = videos()[0][0]
    pictures = [Image.fromarray(frame[0]) for frame in frames]
    for number, picture in enumerate(pictures, 8):  # 8, 9, 10, ...
        save_picture(folder / "clips" / "walk" / f"{number}.png", np.asarray(picture))
    pictures[0].save("clips/run.gif", save_all=True, append_images=pictures[1:])
    path, model = models / "frames.npz", load_trained(models / "frames.npz")
    odds = tag_odds(model.network, model.reader.rows([frames]))[0]
    expected = [
        f"{step}\t{model.labels[each.argmax()]}\t{each.max():.4f}"
        for step, each in enumerate(odds, 1)
    ]
    assert cnntool("predict", path, "clips/walk").lines == [*expected, ""]
    both = [json.loads(line) for line in cnntool("predict", path, "clips", "-r", "--json").lines]
    assert [each["clip"] for each in both] == ["clips/run.gif", "clips/walk"]
    assert both[0]["tags"] == [line.split("\t")[1] for line in expected]
    assert cnntool("predict", path, "no.gif").err.startswith("no.gif does not exist")
    (folder / "empty").mkdir()
    some = cnntool("predict", path, "clips/run.gif", "no", "clips", "empty", "-r", "--json")
    assert some.code == 1
    named = [json.loads(line)["clip"] for line in some.lines]
    assert named == ["clips/run.gif", "clips/run.gif", "clips/walk"]
    assert "empty holds no clips" in some.err
    assert "no does not exist" in some.err


def test_an_empty_file_among_several_is_told_of(cnntool, models, folder):
    (folder / "none.txt").write_bytes(b"")
    (folder / "some.txt").write_text("a good film\n\n")
    done = cnntool("predict", models / "classifier.npz", "none.txt", "some.txt")
    assert (done.code, len(done.lines)) == (0, 2)
    assert done.err == "none.txt is empty: there is nothing to answer\n"
    assert cnntool("predict", models / "classifier.npz", "none.txt", "-q").err == ""

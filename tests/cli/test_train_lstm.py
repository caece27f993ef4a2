"""Learning a text from the shell, end to end, and what is refused."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from processes import is_killed
from text_models import SAYINGS, text_of

from cnntool.datasets import memory
from cnntool.datasets.texts.corpus import load_corpus
from cnntool.networks.model import load_trained
from cnntool.networks.sequence_zoo import language_sizes
from cnntool.training.baselines import cross_entropy

TINY = ["--embed-size", "6", "--hidden-size", "8", "--batch-size", "4", "--seq-length", "12"]
TINY += ["--processes", "1", "--num-samples", "5"]


@pytest.fixture
def train(cnntool):
    """Call the command on a small text, with a network that learns in no time."""
    Path("text.txt").write_text(text_of(60), encoding="utf-8")
    return lambda *options, **stdin: cnntool("train-lstm", *TINY, *options, **stdin)


def test_a_run_leaves_its_model_and_says_what_it_did(train, cnntool):
    done = train("text.txt", "--num-epochs", "2", "--log", "run.jsonl", "--log-steps")
    assert done.code == 0
    assert done.out == b"model.npz\n"
    for part in ("epoch 2/2", "perplexity", "uniform", "unigram", "bigram", "a sample", "lstm1"):
        assert part in done.err
    trained = load_trained("model.npz", "rnn")
    assert trained.vocabulary.level == "word"
    assert trained.network.spec == f"embedding {len(trained.vocabulary)} x 6; lstm 8; dense " + str(
        len(trained.vocabulary)
    )
    events = [json.loads(line)["event"] for line in Path("run.jsonl").read_text().splitlines()]
    assert events.count("epoch") == 2
    assert events.count("step") == 2 * (len(events) // 2 - 1)
    curves = cnntool("visualize", "curves", "run.jsonl").out.decode()
    assert "perplexity" in curves
    assert "accuracy" not in curves
    again = train("text.txt")
    assert again.code == 1
    assert "-f" in again.err


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals and forks of POSIX")
def test_a_run_that_is_killed_within_an_epoch_goes_on_to_where_it_would_have_come(
    train, cnntool, monkeypatch
):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    options = ["text.txt", *TINY, "--num-epochs", "2", "--dropout", "0.2"]
    options += ["--save-every", "0.000001", "-q"]
    assert train(*options, "-o", "whole.npz").code == 0
    assert is_killed(8, "train-lstm", *options, "-o", "part.npz")
    last = load_trained("part.last.npz", "rnn").model
    place = json.loads(last.state["place"].tobytes())["place"]
    assert (place["epoch"], place["step"] > 0) == (0, True)
    assert cnntool("train-lstm", "--resume", "part.last.npz", "--num-samples", "5", "-q").code == 0
    for end in (".npz", ".last.npz"):
        assert Path(f"part{end}").read_bytes() == Path(f"whole{end}").read_bytes()


def test_the_lectures_settings_are_the_defaults(cnntool):
    Path("text.txt").write_text(text_of(60), encoding="utf-8")
    assert cnntool("train-lstm", "text.txt", "-q").code == 0
    trained = load_trained("model.npz", "rnn")
    sizes, training = language_sizes(trained.network), trained.header.training
    assert (sizes["cell"], sizes["layers"]) == ("lstm", 1)
    assert (sizes["embed_size"], sizes["hidden_size"]) == (32, 32)
    assert (training["epochs"], training["batch_size"], trained.seq_length) == (1, 20, 30)
    assert (training["optimizer"], training["learning_rate"]) == ("adam", 0.002)
    assert (training["schedule"], training["clip"]) == ("constant", 0.5)


def test_json_says_all_and_nothing_else_is_on_stdout(train):
    done = train("text.txt", "--json", "-q", "--test", "text.txt", "--level", "char")
    assert done.err == ""
    found = json.loads(done.out)
    assert found["level"] == "char"
    assert len(found["sample"]) == 5
    assert found["baselines"].keys() == {"uniform", "unigram", "bigram"}
    assert found["baselines"]["uniform"] == pytest.approx(np.log(found["vocabulary"]))
    assert found["best"]["validation_loss"] > found["baselines"]["bigram"]
    bits = found["best"]["validation_loss"] / np.log(2)
    assert found["score"] == {
        "name": "bits/char",
        "value": pytest.approx(bits),
        "better": "lower",
    }
    assert found["test_loss"] > 0


def test_beside_each_score_stands_what_counting_comes_to_on_the_same_text(train):
    Path("valid.txt").write_text(text_of(9, seed=3), encoding="utf-8")
    Path("test.txt").write_text("the sea is blue\n" * 9, encoding="utf-8")
    done = train("text.txt", "--valid", "valid.txt", "--test", "test.txt", "--json")
    found, corpus = json.loads(done.out), load_corpus("text.txt")
    for name in ("", "test_"):
        path = "test.txt" if name else "valid.txt"
        judged = load_corpus(path, vocabulary=corpus.vocabulary)
        wanted = cross_entropy(corpus.ids, judged.ids, len(corpus.vocabulary))
        assert found[f"{name}baselines"] == pytest.approx(wanted._asdict())
    lines = [line for line in done.err.splitlines() if "beside it" in line or "loss" in line][-4:]
    starts = "validation loss", "beside it, by counting", "test loss", "beside it, by counting"
    assert [line.startswith(start) for line, start in zip(lines, starts, strict=True)] == [True] * 4
    for line, name in ((lines[1], "baselines"), (lines[3], "test_baselines")):
        assert f"bigram {found[name]['bigram']:.4f}" in line


def test_scores_are_told_with_and_without_unknown_words(train, cnntool):
    Path("test.txt").write_text("the zebra is warm\n" * 9, encoding="utf-8")
    done = train("text.txt", "--test", "test.txt", "--json")
    found = json.loads(done.out)
    tokens = cnntool("evaluate", "model.npz", "test.txt", "--tokens", "-q").out.decode()
    lines = [json.loads(line) for line in tokens.splitlines()][1:]
    known = [line["surprisal"] for line in lines if line["token"] != "<unk>"]
    assert len(known) == len(lines) - 9 == 35
    assert found["test_known_loss"] == pytest.approx(np.mean(known), abs=1e-4)
    assert found["test_unknown_rate"] == pytest.approx(9 / 44)
    assert "20.45% of that is unknown; without it loss " in done.err
    entry = json.loads(cnntool("evaluate", "model.npz", "test.txt", "--json").out)
    assert entry["known"]["tokens"] == 35
    assert entry["known"]["loss"] == found["test_known_loss"]
    assert entry["known"]["perplexity"] == pytest.approx(np.exp(np.mean(known)), rel=1e-3)
    assert (entry["unknown_rate"], entry["own_unknown_rate"]) == (0.2, 0)
    table = cnntool("evaluate", "model.npz", "test.txt").out.decode()
    assert "without 9 <unk>" in table
    assert "how 9 <unk> are spelled is not counted" in table


def test_the_unknown_words_of_a_text_itself_are_not_called_unknown(train, cnntool):
    """As in the Penn Treebank's files."""
    Path("ptb.txt").write_text("the <unk> sat on N mats\n" * 40, encoding="utf-8")
    Path("other.txt").write_text("the <unk> sat on the zebra\n" * 5, encoding="utf-8")
    done = train("ptb.txt", "--valid", "other.txt")
    assert "other.txt: 14.29% of its tokens are unknown" in done.err
    entry = json.loads(cnntool("evaluate", "model.npz", "ptb.txt", "--part", "all", "--json").out)
    assert (entry["unknown_rate"], entry["own_unknown_rate"]) == (0, pytest.approx(1 / 7))
    out = cnntool("evaluate", "model.npz", "other.txt").out.decode()
    assert "14.29%  of its words, and 14.29% are <unk> in the text itself" in out


def test_unknown_words_of_another_text_are_no_surprise(cnntool):
    """What was seen once tells how often there is something new (Good, Biometrika 40, 1953)."""
    rng = np.random.default_rng(0)
    lines = [f"the name{i} of {SAYINGS[k]}" for i, k in enumerate(rng.integers(0, 4, 400))]
    Path("text.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    options = ["--num-epochs", "6", "--learning-rate", "0.01", "--processes", "1", "-q"]
    assert cnntool("train-lstm", "text.txt", *options).code == 0
    Path("other.txt").write_text("the stranger of the cat\n" * 9, encoding="utf-8")
    tokens = cnntool("evaluate", "model.npz", "other.txt", "--tokens", "-q").out.decode()
    lines = [json.loads(line) for line in tokens.splitlines()]
    unknown = [line["surprisal"] for line in lines if line["token"] == "<unk>"]
    assert len(unknown) == 9
    assert np.mean(unknown) < 4  # of more than 400 words; uniform is above 6


def test_a_model_that_is_worse_than_counting_is_told_so(train):
    done = train("text.txt", "--learning-rate", "1e-9")
    assert "the bigram model is as good or better" in done.err
    good = train(
        *("text.txt", "-f", "--num-epochs", "40", "--learning-rate", "0.02", "--seq-length", "30")
    )
    assert good.code == 0
    assert "the bigram model is as good or better" not in good.err


@pytest.mark.parametrize("level", ["word", "char", "byte"])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_every_cell_learns_at_every_level(train, cell, level):
    done = train(
        *("text.txt", "--cell", cell, "--level", level, "--layers", "2", "--dropout", "0.1"),
        *("--tie-weights", "--embed-size", "8", "--json", "-q"),
    )
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["best"]["validation_loss"] < found["baselines"]["uniform"]


def test_line_ends_marks_files_and_stdin_change_nothing(train, folder):
    text = text_of(60)
    plain = Path("text.txt").read_bytes()
    Path("windows.txt").write_bytes(b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n")[:-2])
    Path("one.txt").write_text(text[: text.index("\n", 300) + 1], encoding="utf-8")
    Path("two.txt").write_text(text[text.index("\n", 300) + 1 :], encoding="utf-8")
    fingerprints, params = set(), []
    for number, (names, stdin) in enumerate(
        [(["text.txt"], b""), (["windows.txt"], b""), (["one.txt", "two.txt"], b""), (["-"], plain)]
    ):
        done = train(*names, "-q", "-o", f"{number}.npz", stdin=stdin)
        assert done.code == 0, done.err
        trained = load_trained(f"{number}.npz", "rnn")
        fingerprints.add(trained.header.fingerprint)
        params.append(trained.network.params["lstm1.w_hidden"].tobytes())
    assert len(fingerprints) == len(set(params)) == 1


def test_the_encoding_is_part_of_the_model(train, cnntool):
    Path("latin.txt").write_text("grün und süß\nöd und früh\n" * 20, encoding="latin-1")
    assert train("latin.txt", "--encoding", "latin-1", "-q").code == 0
    assert load_trained("model.npz", "rnn").encoding == "iso8859-1"
    again = ["--resume", "model.last.npz", "--num-epochs", "2", "--encoding", "L1", "-q"]
    assert train(*again).code == 0
    found = json.loads(cnntool("evaluate", "model.npz", "latin.txt", "--json").out)
    assert found["unknown_rate"] == 0


def test_latin_1_with_control_characters_is_told_to_be_another(train):
    Path("quotes.txt").write_text("“naïve” – café\n" * 20, encoding="cp1252")
    done = train("quotes.txt", "--encoding", "latin-1", "--dry-run")
    assert "the control character '\\x93' in Latin-1: in --encoding cp1252" in done.err
    assert "control" not in train("quotes.txt", "--encoding", "cp1252", "--dry-run").err


def test_emoji_and_scripts_are_characters(train):
    Path("emoji.txt").write_text("grüß 🐈‍⬛ 你好 мир\n" * 40, encoding="utf-8")
    done = train("emoji.txt", "--level", "char", "-o", "e.npz", "-q")
    assert done.code == 0, done.err
    assert {"🐈", "你", "м", "ß"} <= set(load_trained("e.npz", "rnn").vocabulary.tokens)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_in_the_middle_of_an_epoch_loses_nothing(train, folder):
    options = [*TINY, "--num-epochs", "3", "--layers", "2", "--dropout", "0.2"]
    Path("long.txt").write_text(text_of(700), encoding="utf-8")
    assert train("long.txt", *options, "-o", "whole.npz", "-q").code == 0
    command = [sys.executable, "-m", "cnntool", "train-lstm", "long.txt", *options]
    process = subprocess.Popen(
        [*command, "-o", "part.npz"],
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while b"epoch 1/" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    text = process.stderr.read()
    assert process.wait(60) == 130
    assert b"train-lstm --resume part.last.npz" in text
    resume = [sys.executable, "-m", "cnntool", "train-lstm", "--resume", "part.last.npz", "-q"]
    assert subprocess.run(resume).returncode == 0
    for name in ("{}.npz", "{}.last.npz"):
        whole, part = (Path(name.format(run)).read_bytes() for run in ("whole", "part"))
        assert whole == part


def test_going_on_needs_the_same_text_and_settings(train):
    assert train("text.txt", "-q").code == 0
    for options, code, message in [
        (["--num-epochs", "2", "--cell", "gru"], 2, "--cell is gru"),
        (["--num-epochs", "2", "--hidden-size", "9"], 2, "--hidden-size is 9"),
        (["--num-epochs", "2", "--level", "char"], 2, "--level is char"),
        (["--num-epochs", "2", "--tie-weights"], 2, "not tied"),
    ]:
        done = train("--resume", "model.last.npz", *options)
        assert (done.code, done.err.count("\n")) == (code, 1), done.err
        assert message in done.err
    done = train("--resume", "model.last.npz")
    assert (done.code, done.out) == (0, b"model.npz\n")
    assert "the run of model.last.npz is done, 1 of 1 epoch: --epochs 2 goes on" in done.err
    assert train("--resume", "model.last.npz", "--num-epochs", "2", "-q").code == 0
    Path("text.txt").write_text(text_of(70), encoding="utf-8")
    done = train("--resume", "model.last.npz", "--num-epochs", "3")
    assert done.code == 1
    said = r"is not what model.last.npz was trained on: it differs \(\w{8}, not \w{8}\)"
    assert re.search(said, done.err)


@pytest.mark.parametrize(
    ("text", "options", "code", "message"),
    [
        (b"", [], 1, "bad.txt is empty"),
        (b" \n\n ", [], 1, "nothing but white space"),
        (b"word\nword\n" * 50, [], 1, "a vocabulary of one"),
        (b"one two three\n", ["--val-split", "0"], 1, "needs at least 5"),
        (b"one two\n" * 9, ["--val-split", "0.001"], 1, "to hold out 0.001"),
        (b"gr\xfc\xdf dich\n" * 20, [], 1, "byte 0xfc at offset 2"),
        (b"a b\0c\n" * 20, [], 1, "NUL"),
        (b"a b c\n" * 20, ["--encoding", "utf8x"], 2, "--encoding"),
        (b"a b c\n" * 20, ["--tie-weights", "--embed-size", "4"], 2, "tied weights"),
        (b"a b c\n" * 20, ["--level", "chars"], 2, "did you mean 'char'"),
        (b"a b c\n" * 20, ["--cell", "lstn"], 2, "did you mean 'lstm'"),
        (b"a b c\n" * 20, ["--valid", "bad.txt", "--val-split", "0.1"], 2, "contradict"),
        (b"a b c\n" * 20, ["--valid", "missing.txt"], 1, "missing.txt does not exist"),
        (b"a b c\n" * 20, ["--log", "-"], 2, "--log -"),
        (b"a b c\n" * 20, ["-o", "model.txt"], 2, "end it in .npz"),
        (b"a b c\n" * 20, ["-o", "bad.txt/model.npz"], 1, "bad.txt is no folder"),
        (b"a b c\n" * 20, ["--level", "byte", "--vocab-size", "9"], 2, "byte"),
    ],
)
def test_what_cannot_be_is_one_line_before_any_work(cnntool, text, options, code, message):
    Path("bad.txt").write_bytes(text)
    done = cnntool("train-lstm", "bad.txt", *TINY, *options)
    assert (done.code, done.out) == (code, b""), done.err
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not list(Path().glob("*.npz"))


def test_a_dry_run_writes_nothing_and_tells_the_time(train):
    done = train("text.txt", "--dry-run")
    assert done.code == 0
    assert "would take" in done.err
    assert not list(Path().glob("*.npz"))


def test_a_dry_run_of_what_is_large_reckons_by_shapes_alone(train, monkeypatch):
    monkeypatch.delattr("cnntool.networks.layers.layer.Parameter.drawn")
    monkeypatch.delattr("cnntool.training.task.Task.learn")
    done = train("text.txt", "--hidden-size", "2500", "--dry-run")
    assert done.code == 0, done.err
    assert " parameters, at least " in done.err
    assert " of at least " in done.err


def test_nothing_to_learn_from_is_usage(cnntool):
    done = cnntool("train-lstm")
    assert done.code == 2
    assert "TEXT is missing" in done.err


def test_a_text_of_its_own_to_validate_on_is_the_one_that_is_measured(train, cnntool):
    Path("valid.txt").write_text(text_of(9, seed=3) + "the zebra\n", encoding="utf-8")
    done = train("text.txt", "--valid", "valid.txt", "--json")
    assert "valid.txt: 1." in done.err
    assert "% of its tokens are unknown" in done.err
    found = json.loads(cnntool("evaluate", "model.npz", "valid.txt", "--json", "-q").out)
    best = json.loads(done.out)["best"]
    assert found["loss"] == pytest.approx(best["validation_loss"], rel=1e-6)
    Path("short.txt").write_bytes(b"a")
    done = train("text.txt", "--level", "byte", "--valid", "short.txt", "-o", "b.npz")
    assert (done.code, done.out) == (1, b"")
    assert "short.txt has 1 token: it needs two, one to predict" in done.err


@pytest.mark.parametrize("given", ["--hidden-size", "--embed-size"])
def test_tied_weights_take_the_size_that_was_given(cnntool, folder, given):
    Path("text.txt").write_text(text_of(60), encoding="utf-8")
    assert cnntool("train-lstm", "text.txt", "--tie-weights", given, "7", "-q").code == 0
    sizes = language_sizes(load_trained("model.npz", "rnn").network)
    assert sizes["embed_size"] == sizes["hidden_size"] == 7


def test_stdin_is_read_once(train):
    done = train("-", "--valid", "-", stdin=b"a b c\n" * 40)
    assert (done.code, done.out) == (2, b"")
    assert "- stands for stdin, which can be read once: name it once" in done.err


def test_a_window_that_does_not_fit_into_memory_is_refused(train, monkeypatch):
    Path("text.txt").write_text(text_of(2000), encoding="utf-8")
    monkeypatch.setattr(memory, "free_memory", lambda: 1_000_000)
    done = train("text.txt", "--seq-length", "100000", "--dry-run")
    assert (done.code, done.out) == (1, b"")
    assert "a step of 4 rows x " in done.err
    assert "set a smaller --seq-length, --batch-size or --hidden-size" in done.err
    assert train("text.txt", "--seq-length", "10", "--dry-run").code == 0


def test_layers_may_be_given_as_text(cnntool):
    Path("text.txt").write_text(text_of(60), encoding="utf-8")
    layers = "embedding ? x 6; lstm 8; dropout 0.1; gru 12; dense ?"
    given = ["--layers", layers, "--processes", "1", "--num-samples", "5"]
    assert cnntool("train-lstm", "text.txt", *given, "-q").code == 0
    trained = load_trained("model.npz", "rnn")
    assert trained.network.spec == layers.replace("?", str(len(trained.vocabulary)))
    for command in (
        ["info", "model.npz"],
        ["generate", "model.npz", "-n", "5"],
        ["evaluate", "model.npz", "text.txt"],
        ["explain", "lstm", "model.npz", "--text", "the cat", "--layer", "1", "--unit", "7"],
        ["explain", "bptt", "model.npz", "text.txt", "--steps", "5"],
        ["train-lstm", "--resume", "model.last.npz", "--num-epochs", "2", *given],
    ):
        done = cnntool(*command)
        assert done.code == 0, done.err
    other = ["--layers", layers.replace("gru", "rnn")]
    done = cnntool("train-lstm", "--resume", "model.last.npz", "--num-epochs", "3", *other)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "--layers gives another network than that of model.last.npz" in done.err
    done = cnntool("train-lstm", "text.txt", "-f", *given, "--cell", "gru", "--tie-weights")
    assert "--cell and --tie-weights beside --layers TEXT" in done.err


def test_a_text_without_spaces_is_advised_to_be_read_by_letters_and_is_cut_where_it_is_quoted(
    cnntool,
):
    done = cnntool("train-lstm", "-", stdin=b"ACGTTGCA" * 2000 + b"\n")
    assert done.code == 1
    assert "--level char" in done.err
    assert len(done.err) < 300


def test_an_empty_file_among_several_is_told_of(train):
    Path("none.txt").write_bytes(b"")
    done = train("text.txt", "none.txt", "--dry-run")
    assert (done.code, done.err.splitlines()[0]) == (0, "none.txt is empty: it adds nothing")


def test_an_encoding_is_refused_of_bytes(train, cnntool):
    words = "--encoding cp1252 means nothing for bytes, which are read as they are: leave it out"
    encoding = ["--encoding", "cp1252"]
    assert words in train("text.txt", "--level", "byte", *encoding, "--dry-run").err
    assert train("text.txt", "--level", "byte", "-q").code == 0
    for command in ("evaluate model.npz text.txt", "generate model.npz --prime -"):
        done = cnntool(*command.split(), *encoding, stdin=b"abc")
        assert (done.code, done.out) == (2, b"")
        assert words in done.err

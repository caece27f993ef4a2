"""Learning to answer sequences from the shell, end to end, and what is refused."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
from processes import is_killed
from sequence_models import ADDRESSES, MOODS, REVERSALS

from cnntool.datasets import memory
from cnntool.networks.model import load_sequence_model

READ = "embedding ? x 4; gru 4; dense ?"
TINY = ["--hidden-size", "6", "--epochs", "2", "--processes", "1"]

DATA = {
    "classifier": "moods.tsv",
    "tagger": "addresses.conll",
    "translator": "reversals.tsv",
    "captioner": "shapes:count=24",
}
BASELINES = {
    "classifier": ("most frequent class", "Naive Bayes on words and pairs"),
    "tagger": ("most frequent tag", "most frequent tag of the word"),
    "translator": ("copy", "nearest source", "most frequent target"),
    "captioner": ("most frequent caption", "nearest picture"),
}
TASKS = [*DATA]


@pytest.fixture(autouse=True)
def data(folder):
    moods = [(f"{text} {number}", label) for number, (text, label) in enumerate(MOODS)]
    write("moods.tsv", (f"{label}\t{text}" for text, label in moods))
    write(
        "addresses.conll",
        (
            "\n".join(map(" ".join, zip((*words, f"{k}b"), (*tags, "unit"), strict=True))) + "\n"
            for k, (words, tags) in enumerate(ADDRESSES)
        ),
    )
    write(
        "reversals.tsv",
        (
            f"{source * (k % 5 + 1)}\t{target * (k % 5 + 1)}"
            for k, (source, target) in enumerate(REVERSALS)
        ),
    )


def write(path: str, lines) -> None:
    Path(path).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@pytest.fixture
def train(cnntool):
    """Call the trainer of a task on its data, or on what is named first."""

    def run(task: str, *options: str, **stdin):
        is_named = options and (options[0] == "-" or not options[0].startswith("-"))
        name = [] if is_named or "--resume" in options else [DATA[task]]
        return cnntool(f"train-{task}", *name, *options, **stdin)

    return run


def read(run: str) -> list[bytes]:
    return [Path(f"{run}{end}").read_bytes() for end in (".npz", ".last.npz")]


@pytest.mark.parametrize("task", TASKS)
def test_a_run_leaves_its_model_and_says_what_it_did(train, task):
    done = train(task, *TINY, "--log", "run.jsonl", "--log-steps", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert (found["model"], found["last"], found["epochs"]) == ("model.npz", "model.last.npz", 2)
    assert tuple(found["beside"]) == BASELINES[task]
    assert found["best"]["validation_loss"] > 0
    scores = {"tagger": "words", "classifier": "accuracy"}.get(task, "exact")
    assert found[scores]["count"] > 0
    name = "accuracy" if task == "tagger" else scores
    share = found[scores]["share"]
    assert found["score"] == {"name": name, "value": share, "better": "higher"}
    for figures in found["beside"].values():
        assert figures[scores]["count"] == found[scores]["count"]
    *_, beside = (line for line in done.err.splitlines() if line.startswith("beside it: "))
    assert all(name in beside for name in BASELINES[task])
    events = [json.loads(line) for line in Path("run.jsonl").read_text().splitlines()]
    assert {event["task"] for event in events} == {task}
    assert [event["event"] for event in events].count("epoch") == 2
    assert load_sequence_model("model.npz").header.kind == task
    again = train(task, *TINY)
    assert (again.code, again.err.count("\n")) == (1, 1)
    assert "-f" in again.err
    assert train(task, *TINY, "-f", "-q").out == b"model.npz\n"


@pytest.mark.parametrize("task", TASKS)
def test_the_same_seed_gives_the_same_file_and_another_another(train, task):
    for name, seed in (("one", "1"), ("same", "1"), ("other", "2")):
        assert train(task, *TINY, "-q", "--seed", seed, "-o", f"{name}.npz").code == 0
    assert read("one") == read("same")
    assert read("one") != read("other")


@pytest.mark.parametrize("task", TASKS)
def test_going_on_is_as_if_nothing_had_stopped_it(train, task):
    """Also with all that was asked for said again, what was taken for granted among it."""
    constant = ["--dropout", "0.1", "--schedule", "constant", "-q"]
    assert train(task, *TINY, *constant, "--epochs", "4", "-o", "whole.npz").code == 0
    assert train(task, *TINY, *constant, "-o", "part.npz").code == 0
    again = [*TINY, *constant, "--layers", "1", "--encoding", "utf-8", "--min-count", "1"]
    done = train(task, DATA[task], *again, "--epochs", "4", "--resume", "part.last.npz")
    assert done.code == 0, done.err
    assert read("part") == read("whole")


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("task", TASKS)
def test_a_run_that_is_stopped_within_an_epoch_loses_nothing(train, task, monkeypatch):
    options = [*TINY, "--epochs", "3", "--batch-size", "4", "--dropout", "0.2"]
    assert train(task, *options, "-q", "-o", "whole.npz").code == 0
    steps = iter(range(100))

    def stopping(view, step):
        if next(steps) == 6:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("cnntool.cli.training.live.PlainView.step", stopping)
    done = train(task, *options, "-o", "part.npz")
    assert done.code == 130
    assert f"cnntool train-{task} --resume part.last.npz" in done.err
    assert re.search(r"stopped after epoch \d, step [1-9]", done.err)
    assert train(task, "--resume", "part.last.npz", "-q").code == 0
    assert read("part") == read("whole")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals and forks of POSIX")
@pytest.mark.parametrize(
    ("task", "moment"),
    [("tagger", 14), ("translator", 23), ("classifier", 14), ("captioner", 14)],
)
def test_a_run_that_is_killed_within_an_epoch_goes_on_to_where_it_would_have_come(
    train, task, moment, monkeypatch
):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    options = [*TINY, "--batch-size", "4", "--save-every", "0.000001", "-q"]
    assert train(task, *options, "-o", "whole.npz").code == 0
    assert is_killed(moment, f"train-{task}", DATA[task], *options, "-o", "part.npz")
    last = load_sequence_model("part.last.npz").model
    assert json.loads(last.state["place"].tobytes())["place"]["step"] > 0  # within an epoch
    assert train(task, "--resume", "part.last.npz", "-q").code == 0
    assert read("part") == read("whole")


@pytest.mark.parametrize("task", TASKS)
def test_a_dry_run_writes_nothing_and_tells_the_time(train, task):
    before = sorted(Path().iterdir())
    done = train(task, "--dry-run")
    assert done.code == 0
    assert "would take" in done.err
    assert sorted(Path().iterdir()) == before


@pytest.mark.parametrize("task", TASKS)
def test_a_dry_run_of_what_is_large_reckons_by_shapes_alone(train, task, monkeypatch):
    monkeypatch.delattr("cnntool.networks.layers.layer.Parameter.drawn")
    monkeypatch.delattr("cnntool.training.task.Task.learn")
    done = train(task, "--hidden-size", "2500", "--dry-run")
    assert done.code == 0, done.err
    assert " parameters, at least " in done.err
    assert " steps of at least " in done.err


@pytest.mark.parametrize("task", TASKS)
def test_two_processes_learn_what_one_does(train, task):
    """Where nothing is left out at random, as units are, and words that occur once."""
    found = []
    for count in ("1", "2"):
        options = ["--processes", count, "--dropout", "0"]
        options += ["--min-count", "2"] if task == "classifier" else []
        done = train(task, *TINY, *options, "--json", "-q", "-f")
        found.append(json.loads(done.out)["final"]["loss"])
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_data_of_its_own_to_validate_and_test_on_is_what_is_judged(train):
    write("valid.tsv", ["good\ta good day", "bad\ta bad day", "good\tall good"])
    write("test.tsv", ["good\ta good film", "bad\tA BAD film 2"])
    done = train("classifier", *TINY, "--valid", "valid.tsv", "--test", "test.tsv", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert (found["accuracy"]["count"], found["test_accuracy"]) == (3, pytest.approx(0.5, abs=0.6))
    assert "36 train, 3 validation, 2 test" in done.err
    assert (
        "test.tsv: 1 of 2 inputs stands in moods.tsv too: scores are the better for it" in done.err
    )
    *_, first, second = (line for line in done.err.splitlines() if line.startswith("beside it"))
    assert "most frequent class 66.7%" in first
    assert "most frequent class 50.0%" in second
    done = train("classifier", *TINY, "--valid", "valid.tsv", "--val-split", "0.1")
    assert (done.code, done.err.count("\n")) == (2, 1)


def test_without_anything_held_out_nothing_is_judged(train):
    done = train("translator", *TINY, "--val-split", "0", "--patience", "1")
    assert done.code == 0
    assert "on the pairs it learned from" in done.err
    assert "--patience looks at the loss on the pairs it learns from" in done.err
    assert "beside it" not in done.err


def test_groups_stay_whole(train):
    rows = [f'"{text} {k}",{label},{k // 3}' for k, (text, label) in enumerate(MOODS)]
    write("rows.csv", ["text,label,who", *rows])
    done = train("classifier", "rows.csv", *TINY, "--group", "who")
    assert "rows.csv: held out are 2 of 12 groups, whole, with 6 of 36 samples" in done.err


@pytest.mark.parametrize(
    ("task", "options", "layers"),
    [
        ("classifier", "--pool mean --one-way --dropout 0", "lstm 6; mean-steps; dense 2"),
        (
            "classifier",
            "--pool last --layers 2",
            "lstm 6 both; .*; lstm 6 both; .*last; .*; dense 2",
        ),
        ("classifier", "--letters 4", "embedding N x 64 letters N x 4; .*; lstm 6 both; .*"),
        ("tagger", "--letters 0 --dropout 0", "embedding N x 32; lstm 6 both; dense 5"),
        ("tagger", "--letters 8 --cell gru", "embedding N x 32 letters N x 8; .*; gru 6 both; .*"),
        ("translator", "--attention general", ".*; attend; dense 5"),
        ("translator", "--attention additive", ".*; attend additive; dense 5"),
        ("translator", "--attention none --one-way", ".*; gru 6 => .*; gru 6; dense 5"),
        ("captioner", "--attention none", ".*; dense 6; relu => embedding N x 32; .*; gru 6; .*"),
        ("captioner", "--dropout 0.5", ".* => .*; dropout 0.5; gru 6; dropout 0.5; attend; .*"),
    ],
)
def test_options_make_the_network(train, task, options, layers):
    done = train(task, *TINY, *options.split(), "-q")
    assert done.code == 0, done.err
    pattern = layers.replace("N", r"\d+")
    assert re.fullmatch(f"(.*; )?{pattern}", load_sequence_model("model.npz").network.spec)
    assert train(task, DATA[task], *options.split(), "--resume", "model.last.npz", "-q").code == 0


@pytest.mark.parametrize(
    ("task", "source", "options", "schedule"),
    [
        ("captioner", "shapes:count=24", [], ",warmup=4"),  # of 14 epochs of 3 steps
        ("captioner", "shapes:count=24", ["--epochs", "4000"], ",warmup=200"),
        ("captioner", "shapes:count=24", ["--schedule", "cosine:warmup=12"], ",warmup=12"),
        ("captioner", "shapes:count=24", ["--schedule", "cosine"], ""),
        ("classifier", "moods.tsv", ["--epochs", "4000"], ",warmup=200"),
        ("tagger", "moving-digits:count=24", ["--epochs", "4000"], ",warmup=200"),
        ("tagger", "addresses.conll", [], ""),
        ("translator", "reversals.tsv", [], ""),
    ],
)
def test_classifiers_and_networks_over_pictures_warm_up(train, task, source, options, schedule):
    tiny = ["--hidden-size", "6", "--batch-size", "8", "--epochs", "14"]
    done = train(task, source, *tiny, *options, "--dry-run")
    assert f"(cosine:floor=0{schedule}), " in done.err


@pytest.mark.parametrize(
    ("task", "text"),
    [
        ("classifier", "embedding ? x 8; gru 6; last; dense ?"),
        ("tagger", "embedding ? x 8 letters ? x 4; lstm 6 both; dense ?"),
        ("tagger", "embedding ? x 8; rnn 6; dense ?"),
        ("translator", "embedding ? x 8; gru 6 both => embedding ? x 8; gru 12; attend; dense ?"),
        ("captioner", "conv 4 3x3; max 4; places => embedding ? x 8; gru 6; attend; dense ?"),
    ],
)
def test_layers_may_be_given_as_text(train, cnntool, task, text):
    done = train(task, "--layers", text, "--epochs", "1", "-q")
    assert done.code == 0, done.err
    spec = load_sequence_model("model.npz").network.spec
    assert re.fullmatch(re.escape(text).replace(r"\?", r"\d+"), spec)
    assert train(task, "--resume", "model.last.npz", "--epochs", "2", "--layers", text).code == 0
    assert cnntool("info", "model.npz").code == 0
    other = train(task, "--resume", "model.last.npz", "--epochs", "3", "--layers", f"relu; {text}")
    assert (other.code, other.err.count("\n")) == (2, 1)
    assert "--layers is relu; " in other.err


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        ("classifier", ["--layers", "lstm 4; dense ?"], "embedding"),
        ("classifier", ["--layers", READ], "end with 'max-steps; dense ?'"),
        ("classifier", ["--layers", f"{READ} => {READ}"], "a classifier has no decoder"),
        ("translator", ["--layers", READ], "needs '=>'"),
        ("tagger", ["--layers", "embedding ? x 4; gru 4; dense 99"], "asks for 5 outputs"),
        ("tagger", ["--layers", READ, "--cell", "gru"], "--cell beside --layers TEXT"),
        ("tagger", ["--layers", " "], "the layers are empty"),
        ("tagger", ["--layers", "99"], "99 layers: expected 1 to 64"),
        ("translator", ["--letters", "4"], "a token is a char here"),
        ("tagger", ["--resize", "8"], "means nothing for addresses.conll, which holds words"),
        ("classifier", ["--level", "byte", "--vocab-size", "9"], "bytes, which are all known"),
        ("classifier", ["--level", "chars"], "did you mean 'char'"),
        ("classifier", ["--format", "fastext"], "did you mean 'fasttext'"),
        ("classifier", ["--encoding", "utf8x"], "--encoding"),
        ("classifier", ["--text-column", "words"], "words"),
        ("tagger", ["--group", "who"], "--group who"),
        ("captioner", ["--attention", "additve"], "did you mean 'additive'"),
        ("translator", ["--beam", "0"], "expected 1 to 100"),
        ("tagger", ["--valid", "addresses.conll", "--val-split", "0.2"], "contradict"),
        ("captioner", ["--log", "-"], "--log -"),
        ("captioner", ["-o", "grey.png/model.npz"], "grey.png is no folder"),
        ("classifier", ["--hidden-size", "65536"], "set a smaller --hidden-size"),
    ],
)
def test_options_that_cannot_be_are_one_line_before_any_work(train, task, options, message):
    assert_refused(train(task, *options), message)


@pytest.mark.parametrize(
    ("task", "source", "option"),
    [
        *(
            ("classifier", "names", option)
            for option in ("--text-column t", "--label-column 2", "--format csv", "--group g")
        ),
        ("classifier", "vowels", "--encoding latin-1"),
        ("tagger", "addresses", "--column 3"),
        ("tagger", "moving-digits", "--resize 8"),
        ("translator", "sums:digits=1", "--format tsv"),
        ("translator", "dates", "--encoding latin-1"),
        ("captioner", "shapes", "--colour grey"),
        ("captioner", "shapes", "--format coco"),
    ],
)
def test_options_about_files_are_refused_for_sets_that_come_along(train, task, source, option):
    name = option.split()[0]
    for more in ([], ["--test", source]):
        done = train(task, source, *option.split(), *more, "--dry-run")
        assert_refused(
            done, f"{name} means nothing for {source}, which comes along, and is read in one way"
        )


def test_options_about_files_hold_for_a_file_beside_a_set_that_comes_along(train):
    write("some.tsv", ["kind\twho", "male\tAdam", "female\tEve"])
    options = ["--test", "some.tsv", "--text-column", "who", "--label-column", "kind"]
    assert train("classifier", "names", *options, "--dry-run").code == 0


def test_an_encoding_is_refused_of_arrays(train):
    x, y = np.zeros((6, 3, 2), np.float32), np.arange(6) % 2
    np.savez("series.npz", x=x, y=y)
    done = train("classifier", "series.npz", "--encoding", "latin-1", "--dry-run")
    assert (done.code, done.out) == (2, b"")
    assert "--encoding means nothing for series.npz, which holds arrays, and no text" in done.err


def test_a_file_that_adds_nothing_is_told_of(train):
    Path("none.conll").write_bytes(b"")
    done = train("tagger", "addresses.conll", "none.conll", "--dry-run")
    assert (done.code, done.err.splitlines()[0]) == (0, "none.conll is empty: it adds nothing")


def assert_refused(done, message: str) -> None:
    assert (done.code in (1, 2), done.out) == (True, b""), done.err
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not list(Path().glob("*.npz"))


@pytest.mark.parametrize(
    ("task", "content", "message"),
    [
        ("classifier", "", "bad.tsv is empty"),
        ("classifier", "\n \n\n", "bad.tsv is empty"),
        ("classifier", "good\ta film\ngood\ta day\n", "has only the class 'good'"),
        ("classifier", "good\ta film\n", "has only the class 'good'"),
        ("classifier", "good\ta film\nbad\ta day\n", "2 samples, one of each class: set"),
        ("classifier", "the cat sat\n" * 3, "in no format that a classifier learns from"),
        ("tagger", "a X\nb X\n\nc X\n", "has only the tag 'X'"),
        (
            "tagger",
            "a X\nb Y\n",
            "of 1 sample, read as CoNLL columns, the last the tag (a blank line ends one): set",
        ),
        ("translator", "one\ttwo\n", "out of 1 sample: set --val-split 0, or add some"),
        ("translator", "a\tb\nA\tc\n", "2 samples of one input"),
        ("translator", "no tab here\n" * 3, "bad.tsv"),
        (
            "translator",
            "Elephants contemplate questions\n" * 3,
            "its translations behind it, line by line",
        ),
        ("translator", "we eat now\nhe is ok\nI like tea\n", "expected two files that go line by"),
        ("tagger", "the cat sat\na dog ran home\n", "expected a word a line, with its tag"),
        ("captioner", "a\tb\n", "in no format that a captioner learns from"),
    ],
)
def test_data_that_nothing_is_learned_from_is_one_line(train, task, content, message):
    Path("bad.tsv").write_text(content, encoding="utf-8")
    assert_refused(train(task, "bad.tsv"), message)


def test_data_of_another_task_is_one_line(train):
    assert_refused(train("classifier", "addresses.conll"), "no format that a classifier learns")
    assert_refused(train("translator", "vowels"), "a set for train-classifier")
    write("valid.tsv", ["great\ta good day", "bad\ta bad day"])
    said = "valid.tsv has the class 'great', which moods.tsv has not (bad, good)"
    assert_refused(train("classifier", "--valid", "valid.tsv"), said)
    assert_refused(train("classifier", "vowels", "--letters", "3"), "which holds series")


def test_parts_of_several_kinds_are_one_line(train):
    for name, features in (("two.npz", 2), ("three.npz", 3)):
        np.savez(name, x=np.ones((9, 4, features), "f"), y=np.arange(36).reshape(9, 4) % 2)
    for test, what in (("three.npz", "series of 3 features"), ("addresses.conll", "words")):
        done = train("tagger", "two.npz", *TINY, "--test", test)
        said = f"{test} holds {what}, and two.npz series of 2 features: the test part has to be"
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert said in done.err


def test_tags_that_are_never_learned_are_said(train):
    write("valid.conll", ["12 number", "Main street", "3c floor", "4d floor"])
    done = train("tagger", *TINY, "--valid", "valid.conll")
    assert done.code == 0
    said = "valid.conll: 1 tag (floor), that addresses.conll has not, is never learned: 2 of its"
    assert said in done.err
    assert "floor" in load_sequence_model("model.npz").labels


def test_a_step_that_does_not_fit_into_memory_is_refused(train, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 5_000_000)
    done = train("tagger", "--batch-size", "1000", "--dry-run")
    assert_refused(done, "set a smaller --batch-size, --max-length or --hidden-size")


def test_very_long_texts_are_learned_up_to_a_length(train):
    texts = [f"{'good' if k % 2 else 'bad'}\t{'long ' * 2_000}{k}" for k in range(12)]
    write("long.tsv", texts)
    done = train("classifier", "long.tsv", *TINY, "--max-length", "20")
    assert done.code == 0, done.err
    assert "long.tsv: of 10 inputs longer than 20 the rest is left out of training" in done.err


@pytest.mark.parametrize("task", ["tagger", "translator"])
def test_columns_may_be_named(train, task):
    rows = ["id,here,there"] + [f"{k // 3},{'abcde'[k % 5]},{'xy'[k % 2]}" for k in range(60)]
    ends = {"tagger": ["--group", "id"], "translator": []}[task]
    separator = {"tagger": ",", "translator": "\t"}[task]
    write("table", [row.replace(",", separator) for row in rows])
    named = ["--text-column", "here", "--label-column", "there", *ends]
    done = train(task, "table", *TINY, *named, "--dry-run")
    assert done.code == 0, done.err
    assert "here" in done.err + done.out.decode()


@pytest.mark.parametrize(
    ("task", "options", "said"),
    [
        ("tagger", ["--max-length", "3", "--val-split", "0.1"], "of {} inputs longer than 3"),
        ("tagger", ["--max-length", "5"], None),
        ("translator", ["--max-length", "14"], "of {} targets longer than 14"),
        ("translator", ["--max-length", "15"], None),
        ("captioner", ["--max-length", "2"], "of {} captions longer than 2"),
    ],
)
def test_what_is_left_out_of_training_is_counted(train, task, options, said):
    done = train(task, *TINY, *options, "--dry-run")
    assert done.code == 0, done.err
    found = re.findall(r"of \d+ (\w+) longer than (\d+)", done.err)
    if said is None:
        assert not found
    else:
        assert re.search(said.replace("{}", r"\d+"), done.err)


def test_two_files_are_read_line_by_line_and_stdin_like_a_file(train):
    """Pairs that are given again are left out of a table, not of two files: here are none."""
    pairs = sorted({line for line in Path("reversals.tsv").read_text().splitlines()})
    write("reversals.tsv", pairs)
    write("source.txt", [line.split("\t")[0] for line in pairs])
    write("target.txt", [line.split("\t")[1] for line in pairs])
    assert train("translator", "source.txt", "target.txt", *TINY, "-q", "-o", "two.npz").code == 0
    content = Path("reversals.tsv").read_bytes()
    done = train("translator", "-", *TINY, "-q", "-o", "stdin.npz", stdin=content)
    assert done.code == 0, done.err
    assert train("translator", *TINY, "-q", "-o", "one.npz").code == 0
    found = [load_sequence_model(f"{name}.npz") for name in ("one", "two", "stdin")]
    assert len({model.header.fingerprint for model in found}) == 1
    assert len({model.network.params["decoder.dense1.weight"].tobytes() for model in found}) == 1
    done = train("translator", "--resume", "stdin.last.npz", "--epochs", "3", "-q")
    assert_said = "had its data from stdin: name it again, a file with the same or - for stdin"
    assert (done.code, assert_said in done.err) == (2, True)
    again = ["-", "--resume", "stdin.last.npz", "--epochs", "3", "-q"]
    assert train("translator", *again, stdin=content).code == 0
    assert train("translator", "-", "--valid", "-").code == 2


def test_the_encoding_is_part_of_the_model(train):
    lines = [f"grün {k}\tsüß {k}" for k in range(20)]
    Path("latin.tsv").write_text("\n".join(lines), encoding="latin-1")
    assert train("translator", "latin.tsv", *TINY, "--encoding", "latin-1", "-q").code == 0
    assert load_sequence_model("model.npz").encoding == "iso8859-1"
    again = ["--resume", "model.last.npz", "--epochs", "3", "-q"]
    assert train("translator", *again, "--encoding", "L1").code == 0
    assert train("translator", "latin.tsv", "-o", "x.npz").code == 1


def test_going_on_needs_the_same_data_and_options(train):
    assert train("tagger", *TINY, "-q").code == 0
    for options, code, message in [
        (["--cell", "gru"], 2, "--cell is gru, and model.last.npz was trained with lstm"),
        (["--letters", "3"], 2, "--letters is 3, and model.last.npz was trained with 64"),
        (["--one-way"], 2, "--one-way is True"),
        (["--val-split", "0.5"], 2, "--val-split is 0.5, and model.last.npz was trained with 0.1"),
        (["--class-weights", "balanced"], 2, "was trained with none"),
        (["--valid", "addresses.conll"], 2, "was trained without one"),
        (["--seed", "4"], 2, "was trained with 0"),
        (["--epochs", "1"], 2, "has 2 behind it"),
        (["--optimizer", "sgd"], 2, "--optimizer is sgd"),
    ]:
        done = train("tagger", "--resume", "model.last.npz", *options)
        assert (done.code, done.err.count("\n")) == (code, 1), done.err
        assert message in done.err
    done = train("tagger", "--resume", "model.last.npz")
    assert "the run of model.last.npz is done, 2 of 2 epochs: --epochs 4 goes on" in done.err
    done = train("classifier", "--resume", "model.last.npz")
    assert "model.last.npz is a tagger" in done.err
    Path("addresses.conll").rename("moved.conll")
    done = train("tagger", "--resume", "model.last.npz", "--epochs", "3")
    assert "name it: cnntool train-tagger DATA --resume model.last.npz" in done.err
    assert train("tagger", "moved.conll", "--resume", "model.last.npz", "--epochs", "3").code == 0
    write("moved.conll", ["a X", "b Y", "", "c X"])
    done = train("tagger", "moved.conll", "--resume", "model.last.npz", "--epochs", "4")
    assert "moved.conll is not what model.last.npz was trained on" in done.err


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"data": [""]}, "does not say where its data is"),
        ({"data": []}, "does not say where its data is"),
        ({"valid": 3}, "does not say where its data is"),
        ({"val_split": 2}, "is damaged: its val_split is '2'"),
        ({"one_way": "no"}, "is damaged: its one_way is 'no'"),
        ({"format": "tar"}, "is damaged: its format is 'tar'"),
        ({"resize": [0, 0]}, "is damaged: its resize is"),
        ({"schedule": "zz"}, "does not say how it was trained"),
    ],
)
def test_what_was_tampered_with_is_the_files_fault(train, training, message):
    assert train("tagger", *TINY, "-q").code == 0
    edited("model.last.npz", **training)
    done = train("tagger", "--resume", "model.last.npz", "--epochs", "3")
    assert (done.code, done.out, done.err.count("\n")) == (1, b"", 1), done.err
    assert done.err.startswith("cnntool: model.last.npz ")
    assert message in done.err


def edited(path: str, **training) -> None:
    """Change what a model file says of its training."""
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    header = json.loads(arrays["header"].tobytes())
    header["training"] |= training
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(path, **arrays)


def test_balanced_classes_are_learned_alike(train):
    rows = [f"{'rare' if k % 9 == 0 else 'often'}\ta word {k}" for k in range(45)]
    write("rare.tsv", rows)
    said = []
    for how in ("none", "balanced"):
        done = train("classifier", "rare.tsv", *TINY, "--class-weights", how, "--json", "-q", "-f")
        said.append(json.loads(done.out)["final"]["loss"])
    assert said[0] < np.log(2) - 0.1  # from the frequencies on
    assert said[1] == pytest.approx(np.log(2), abs=0.1)


def test_levels_and_known_words_are_chosen(train):
    for options, kinds, level in [
        (["--vocab-size", "9"], 9, "word"),
        (["--min-count", "12"], 6, "word"),
        (["--level", "char"], None, "char"),
        (["--level", "byte"], 256, "byte"),
        (["--level", "symbol"], None, "symbol"),
    ]:
        done = train("classifier", *TINY, *options, "-f", "-q")
        assert done.code == 0, done.err
        reader = load_sequence_model("model.npz").reader
        assert reader.level == level
        assert kinds is None or len(reader.vocabulary) == kinds


def test_little_data_is_gone_through_more_often(train):
    done = train("tagger", "--dry-run")
    assert "100 epochs of 2 steps of 16 sequences" in done.err


def test_series_are_compared_with_the_same_network_without_recurrence(train):
    """Whose rows tell nothing by themselves: the tag is the sign of the sum so far."""
    x = np.random.default_rng(0).normal(size=(60, 8, 1)).astype("f")
    y = (x[..., 0].cumsum(axis=1) > 0).astype(int)
    np.savez("rows.npz", x=x, y=y, lengths=np.full(60, 8))
    options = ["--one-way", "--hidden-size", "16", "--epochs", "30", "--processes", "1"]
    options += ["--dropout", "0", "--lr", "0.02"]
    done = train("tagger", "rows.npz", *options, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    alone = found["beside"]["the same network without recurrence"]["steps"]["share"]
    assert found["steps"]["share"] > alone + 0.1 > 0.6
    assert f"the same network without recurrence {alone:.1%}" in done.err


def test_a_network_and_a_baseline_that_are_both_right_on_all_are_said_to_be(train):
    write("easy.tsv", (f"{'good' if n % 2 else 'bad'}\t{'ab'[n % 2] * (n + 2)}" for n in range(40)))
    options = ["--level", "char", "--epochs", "20", "--learning-rate", "0.03", "--processes", "1"]
    done = train("classifier", "easy.tsv", *options)
    assert "validation accuracy 100.00%" in done.err
    last = done.err.splitlines()[-1]
    assert re.search("Naive Bayes on .* and the network are both right on all$", last)
    assert "training:" not in done.err


def test_batch_norm_learns_from_whole_batches_of_two_or_more(cnntool):
    """Of 25 captions the last one goes into the batch before, and one process trains."""
    layers = "flatten; dense 8; batch-norm => embedding ? x 8; gru 8; dense ?"
    given = ["shapes:count=25", "--val-split", "0", "--epochs", "1", "--layers", layers, "-q"]
    assert cnntool("train-captioner", *given, "--batch-size", "4").code == 0
    assert load_sequence_model("model.npz").header.training["shards"] == 1
    done = cnntool("train-captioner", *given, "--batch-size", "1", "-f")
    assert done.code == 2
    assert "norm1 (batch-norm) of 8 features needs 2 captions at a time to learn" in done.err

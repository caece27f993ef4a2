"""Texts that a model writes, and why."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from text_models import write_text_models

from cnntool.cli import generated_text
from cnntool.cli.generated_text import write_reasons, write_text
from cnntool.datasets.texts.vocabulary import Vocabulary
from cnntool.networks.model import load_trained
from cnntool.networks.sampling import Choice, Draw, line_start, primed


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_text_models(folder)
    return folder


@pytest.fixture
def generate(cnntool, models):
    for name in ("words.npz", "chars.npz", "text.txt"):
        shutil.copy(models / name, name)
    return lambda *options, **stdin: cnntool("generate", *options, **stdin)


def test_the_same_seed_writes_the_same_text(generate):
    one, two, other = (generate("words.npz", "--seed", seed).out for seed in ("1", "1", "2"))
    assert one == two != other
    assert len(one.decode().replace("\n", " <eos> ").split()) >= 200
    assert one.endswith(b"\n")


def test_another_text_each_time_with_the_seed_that_repeats_it(generate):
    done = generate("chars.npz", "--length", "60")
    seed = done.err.split()[1]
    assert generate("chars.npz", "--length", "60", "--seed", seed).out == done.out
    assert generate("chars.npz", "--length", "60").out != done.out
    assert generate("chars.npz", "--length", "5", "-q").err == ""


def test_greedy_is_the_likeliest_each_time(generate):
    done = generate("words.npz", "--temperature", "0", "--length", "4", "--json")
    assert done.err == ""
    trained = load_trained("words.npz", "rnn")
    ids, lines = line_start(trained.vocabulary), done.out.decode().splitlines()
    for line in lines:
        logits, _ = primed(trained.network, ids)
        logits[trained.vocabulary.unknown] = -np.inf
        assert json.loads(line)["id"] == logits.argmax()
        assert json.loads(line)["probability"] == 1
        ids = np.append(ids, logits.argmax())
    assert len(lines) == 4


def test_a_prime_is_read_and_shown_as_it_was_typed(generate):
    prime = "the  king zzz"
    three = "words.npz", "--length", "3", "--seed", "1"
    done = generate(*three, "--prime", prime)
    assert done.out.decode().startswith(prime)
    assert "1 word of --prime unknown to the model: zzz" in done.err
    new = generate(
        "words.npz", "--prime", "the  king zzz", "--length", "3", "--seed", "1", "--new-only"
    )
    assert done.out.decode().removeprefix("the  king zzz").lstrip() == new.out.decode().lstrip()
    piped = generate(
        "words.npz", "--prime", "-", "-n", "3", "--seed", "1", stdin=b"the  king zzz\n"
    )
    assert piped.out == done.out


def test_what_comes_depends_on_the_prime(generate):
    one, two = (
        json.loads(generate("chars.npz", "--prime", prime, "-n", "1", "--json", "-q").out)
        for prime in ("the ca", "no one ")
    )
    assert one["runners_up"] != two["runners_up"]


def test_why_gives_each_probability_and_what_else_could_have_come(generate):
    done = generate("chars.npz", "--why", "--length", "5", "--seed", "4")
    lines = [line.split("\t") for line in done.out.decode().splitlines()]
    assert len(lines) == 5
    trained = load_trained("chars.npz", "rnn")
    ids, names = line_start(trained.vocabulary), [repr(t) for t in trained.vocabulary.tokens]
    for token, p, *others in lines:
        logits, _ = primed(trained.network, ids)
        wanted = Choice(banned=(trained.vocabulary.unknown,)).distribution(logits)
        assert float(p) == pytest.approx(wanted[names.index(token)], abs=1e-5)
        found = dict(zip(others[::2], map(float, others[1::2]), strict=True))
        assert len(found) == 4
        assert token not in found
        best = sorted((q for i, q in enumerate(wanted) if names[i] != token), reverse=True)[:4]
        assert list(found.values()) == pytest.approx(best, abs=1e-5)
        ids = np.append(ids, names.index(token))


@pytest.mark.parametrize("more", [[], ["--top-k", "1"], ["--top-p", "0.001"]])
def test_why_the_likeliest_came_is_told_at_temperature_1(generate, more):
    """At 0 nothing else could have come."""
    done = generate("chars.npz", "--why", "--length", "5", "--temperature", "0", *more)
    lines = [line.split("\t") for line in done.out.decode().splitlines()]
    assert (done.code, len(lines)) == (0, 5)
    trained = load_trained("chars.npz", "rnn")
    ids, names = line_start(trained.vocabulary), [repr(t) for t in trained.vocabulary.tokens]
    for token, p, *others in lines:
        logits, _ = primed(trained.network, ids)
        wanted = Choice(banned=(trained.vocabulary.unknown,)).distribution(logits)
        best = np.sort(wanted)[::-1][:5]
        assert float(p) == pytest.approx(wanted[names.index(token)], abs=1e-5)
        assert [float(q) for q in (p, *others[1::2])] == pytest.approx(best, abs=1e-5)
        ids = np.append(ids, names.index(token))
    entries = generate("chars.npz", "--json", "--length", "5", "--temperature", "0", *more).lines
    told = [json.loads(entry) for entry in entries]
    assert [entry["at_temperature_1"] for entry in told] == [float(line[1]) for line in lines]
    assert [len(entry["runners_up"]) for entry in told] == [4] * 5


def test_top_k_and_top_p_bound_the_choice(generate):
    for options in (["--top-k", "1"], ["--top-p", "0.0001"]):
        done = generate("words.npz", "-n", "6", "--seed", "3", *options)
        greedy = generate("words.npz", "-n", "6", "--temperature", "0")
        assert done.out == greedy.out


def test_nothing_is_asked_for_and_nothing_comes(generate):
    assert generate("words.npz", "--length", "0", "-q").out == b""
    assert generate("words.npz", "--length", "0", "-q", "--prime", "the cat").out == b"the cat\n"


def test_text_comes_while_it_is_written_and_a_closed_pipe_ends_it(generate):
    command = [sys.executable, "-m", "cnntool", "generate", "words.npz", "-n", "1000000000", "-q"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert len(process.stdout.read(100)) == 100
        assert process.poll() is None
        process.stdout.close()
        assert (process.wait(30), process.stderr.read()) == (0, b"")
    finally:
        process.kill()


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["missing.npz"], 1, "missing.npz"),
        (["text.txt"], 1, "text.txt"),
        (["words.npz", "--temperature", "-1"], 2, "--temperature"),
        (["words.npz", "--temperature", "nan"], 2, "--temperature"),
        (["words.npz", "--top-p", "0"], 2, "above 0, up to 1"),
        (["words.npz", "--top-k", "0"], 2, "--top-k"),
        (["words.npz", "--length", "x"], 2, "--length"),
        (["words.npz", "--encoding", "utf-16"], 2, "--encoding is that of stdin: give --prime -"),
    ],
)
def test_what_makes_no_sense_is_one_line(generate, options, code, message):
    done = generate(*options)
    assert (done.code, done.out) == (code, b"")
    assert message in done.err
    assert done.err.count("\n") == 1


def test_a_text_is_measured(cnntool, generate):
    done = cnntool("evaluate", "chars.npz", "text.txt", "--json")
    found = json.loads(done.out)
    assert found["part"] == "all"  # it was trained on all but nothing says what was held out
    assert found["bits_per_character"] == pytest.approx(found["loss"] / np.log(2), rel=0.01)
    tokens = cnntool("evaluate", "chars.npz", "text.txt", "--tokens", "-q")
    lines = [json.loads(line) for line in tokens.out.decode().splitlines()]
    assert lines[0]["surprisal"] is None
    mean = np.mean([line["surprisal"] for line in lines[1:]])
    assert mean == pytest.approx(found["loss"], abs=1e-4)
    assert "".join(line["token"] for line in lines) == Path("text.txt").read_text("utf-8")
    table = cnntool("evaluate", "words.npz", "-", stdin=b"the cat sat on the zebra\n")
    assert "14.29%" in table.out.decode()  # one of six words and the end of the line


def test_a_models_arrays_have_the_lectures_shapes(cnntool, generate):
    text = cnntool("info", "chars.npz").out.decode()
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line}
    count = len(load_trained("chars.npz", "rnn").vocabulary)
    assert rows["input"][1:] == ["batch", "x", "input", "4", "x", str(count)]
    assert rows["embed"][1:7] == ["input", "x", "embed", str(count), "x", "6"]
    assert rows["ih"][1:8] == ["embed", "x", "4", "hidden", "6", "x", "32"]
    assert rows["hh"][1:8] == ["hidden", "x", "4", "hidden", "8", "x", "32"]
    assert rows["output"][1:] == ["batch", "x", "output", "4", "x", str(count)]
    assert rows["target"][1:] == ["batch", "4"]
    entry = json.loads(cnntool("info", "chars.npz", "--json").out)
    params = load_trained("chars.npz", "rnn").network.params
    assert entry["totals"]["parameters"] == sum(array.size for array in params.values())
    assert cnntool("info", "chars.npz", "--classes", "3").code == 2


@pytest.mark.filterwarnings("error")
def test_a_model_whose_numbers_overflow_is_refused_without_a_warning(cnntool, generate):
    done = generate("words.npz", "-q")
    assert done.code == 0
    with np.load("words.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays["params/lstm1.w_hidden"][...] = 3e38
    np.savez("large.npz", **arrays)
    for command in (["generate", "large.npz", "-q"], ["evaluate", "large.npz", "text.txt", "-q"]):
        done = cnntool(*command)
        assert "Warning" not in done.err
        assert done.err.count("\n") <= 1


class Terminal(io.StringIO):
    def isatty(self):
        return True


def drawn(vocabulary, ids):
    """As from a network that is nearly sure of each."""
    for token in ids:
        odds = np.full(len(vocabulary), 0.1 / (len(vocabulary) - 1))
        odds[token] = 0.9
        yield Draw(token, odds)


def test_bytes_go_into_a_pipe_as_they_are(cnntool, tmp_path):
    kinds = bytes([0x80, 0xFF, 0xC3, 0x1B])  # none of UTF-8 in any order but one
    Path("bytes.bin").write_bytes(np.random.default_rng(0).choice(list(kinds), 600).astype("u1"))
    options = ["--level", "byte", "-q", "--num-epochs", "60", "--learning-rate", "0.05"]
    assert cnntool("train-lstm", "bytes.bin", *options).code == 0
    options = ["-n", "80", "--seed", "1", "--top-k", "4", "--prime", "-"]
    done = cnntool("generate", "model.npz", *options, stdin=kinds)
    assert done.out.startswith(kinds)
    assert len(done.out) == len(kinds) + 80
    assert set(done.out) == set(kinds)


@pytest.mark.parametrize("level", ["char", "byte"])
def test_a_terminal_obeys_nothing_of_a_text_and_shows_all_of_it(monkeypatch, level):
    text = "\x1b[31mred\x1b[0m\x07\ttab 👩\u200d🚀 \u202eleft\x9b2J é\n"
    vocabulary = Vocabulary.of([text, "ab"], level)
    ids = vocabulary.encode(text).tolist()
    shown = r"\x1b[31mred\x1b[0m\x07" + "\ttab 👩\u200d🚀 " + r"\u202eleft\x9b2J é" + "\n"
    monkeypatch.setattr(sys, "stdout", Terminal())
    write_text(drawn(vocabulary, ids), vocabulary, None)
    assert sys.stdout.getvalue() == shown


def test_a_sample_keeps_joiners_and_tabs(cnntool, folder):
    Path("emoji.txt").write_text("👩\u200d🚀\t\x1b\n" * 60, encoding="utf-8")
    options = ["--level", "char", "--num-epochs", "30", "--learning-rate", "0.03"]
    done = cnntool("train-lstm", "emoji.txt", *options)
    assert "👩\u200d🚀\t\\x1b\n" in done.err


def test_long_tokens_leave_room_for_their_odds(monkeypatch):
    words = ["A" * 300, "B" * 200, "c", "d"]
    vocabulary = Vocabulary.of([" ".join(words)], "word")
    file = io.StringIO()
    screen = Console(file=file, force_terminal=True, width=80, color_system=None)
    monkeypatch.setattr(generated_text, "console", lambda: screen)
    write_reasons(drawn(vocabulary, vocabulary.encode(" ".join(words)).tolist()), vocabulary)
    lines = file.getvalue().splitlines()
    assert len(lines) == 4
    for line in lines:
        assert len(line) <= 80
        assert line.count("%") >= 3
        assert "90.0%" in line


def test_options_of_chance_where_nothing_is_left_to_it_are_noted(generate):
    given = {"--seed": "3", "--top-k": "2", "--top-p": "0.5"}
    options = [word for pair in given.items() for word in pair]
    done = generate("words.npz", "-n", "3", "-t", "0", *options)
    assert done.code == 0
    assert [line.split(":")[0] for line in done.err.splitlines()] == [
        f"{option} does nothing" for option in given
    ]
    assert generate("words.npz", "-n", "3", "-t", "0", *options, "-q").err == ""

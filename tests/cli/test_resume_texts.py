"""Going on with a text: what must be the same is noticed, wherever it comes from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from text_models import text_of

TINY = ["--embed-size", "4", "--hidden-size", "4", "--batch-size", "4", "--processes", "1", "-q"]


@pytest.fixture
def train(cnntool):
    Path("text.txt").write_text(text_of(60), encoding="utf-8")
    Path("valid.txt").write_text(text_of(20, seed=1), encoding="utf-8")
    return lambda *options, **stdin: cnntool(
        "train-lstm", *TINY, "--num-samples", "0", *options, **stdin
    )


@pytest.fixture
def go_on(cnntool):
    return lambda *options, **stdin: cnntool(
        "train-lstm", *options, "--resume", "model.last.npz", "--epochs", "3", "-q", **stdin
    )


def edited(path: str, **training) -> None:
    """Change what a model file says of its training."""
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    header = json.loads(arrays["header"].tobytes())
    header["training"] |= training
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(path, **arrays)


def test_another_validation_text_is_noticed(train, go_on):
    assert train("text.txt", "--valid", "valid.txt").code == 0
    before = Path("valid.txt").read_bytes()
    Path("valid.txt").write_bytes(before + b"the cat\n")
    for options in ([], ["--valid", "valid.txt"], ["--valid", "text.txt"]):
        done = go_on(*options)
        assert (done.code, done.out) == (1, b"")
        assert "is not what model.last.npz was validated on" in done.err
    Path("moved.txt").write_bytes(before.replace(b"\n", b"\r\n"))
    assert go_on("--valid", "moved.txt").code == 0


def test_a_file_that_knows_no_fingerprint_of_its_validation_text_goes_on(train, go_on):
    assert train("text.txt", "--valid", "valid.txt").code == 0
    edited("model.last.npz", validation_fingerprint=None)
    Path("valid.txt").write_text(text_of(30), encoding="utf-8")
    assert go_on().code == 0


def test_a_run_that_held_out_its_validation_takes_no_other(train, go_on):
    assert train("text.txt").code == 0
    done = go_on("--valid", "valid.txt")
    assert done.code == 2
    assert done.err == (
        "cnntool: --valid valid.txt: model.last.npz was trained without one; leave it out, or "
        "train anew\n"
    )


def test_a_run_from_stdin_asks_for_its_text(train, go_on):
    text = Path("text.txt").read_bytes()
    assert train("-", stdin=text).code == 0
    done = go_on(stdin=text)
    assert (done.code, done.out) == (2, b"")
    assert "had its text from stdin: name it again" in done.err
    assert go_on("-", stdin=text).code == 0


def test_a_seed_of_0_is_called_0(train, go_on):
    assert train("text.txt").code == 0
    assert "model.last.npz was trained with 0:" in go_on("--seed", "3").err


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"optimizer": "zz"}, "does not say how it was trained"),
        ({"learning_rate": -1.0}, "does not say how it was trained"),
        ({"schedule": "zz"}, "does not say how it was trained"),
        ({"val_split": 2}, "is damaged: its val_split is '2'"),
        ({"val_split": True}, "is damaged: its val_split is 'True'"),
        ({"data": [""]}, "does not say where its text is"),
    ],
)
def test_settings_that_were_tampered_with_are_the_files_fault(train, go_on, training, message):
    assert train("text.txt").code == 0
    edited("model.last.npz", **training)
    done = go_on()
    assert (done.code, done.out) == (1, b"")
    assert done.err.startswith("cnntool: model.last.npz ")
    assert message in done.err
    assert done.err.count("\n") == 1


def test_a_text_that_is_validated_on_itself_is_remarked(cnntool, train):
    assert train("text.txt").code == 0
    done = cnntool("train-lstm", "text.txt", "--valid", "text.txt", "--dry-run", "-o", "x.npz")
    assert "--valid text.txt is the text to learn from: its loss says little of others" in done.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--encoding", ""], "--encoding '' is no encoding of text"),
        (
            ["--log", "model.last.npz", "-f"],
            "--log model.last.npz would overwrite the run beside -o, which is written too",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(train, options, message):
    done = train("text.txt", *options)
    assert (done.code, done.out) == (2, b"")
    assert message in done.err

"""How a run went, from its model file and from its log."""

import json
import math
import os
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from training_runs import finished, trainer_of

from cnntool.errors import InputError
from cnntool.networks.model_file import Header, Model, save_model
from cnntool.training.progress import read_history


def line(epoch, loss, **more):
    return json.dumps({"event": "epoch", "epoch": epoch, "loss": loss, "accuracy": 0.5, **more})


def log(tmp_path, *lines, end="\n"):
    path = tmp_path / "run.jsonl"
    path.write_text("\n".join(lines) + end)
    return path


def test_a_model_and_its_log_say_the_same(parts, tmp_path):
    with trainer_of(parts) as trainer:
        save_model(tmp_path / "m.npz", finished(trainer))
    path = log(tmp_path, *(json.dumps({"event": "epoch", **row}) for row in trainer.history))
    one, other = read_history(tmp_path / "m.npz"), read_history(path)
    assert one.epochs.tolist() == other.epochs.tolist() == [1, 2, 3]
    for key, values in one.values.items():
        np.testing.assert_array_equal(values, other.values[key])
    expected = [math.exp(row["validation_loss"]) for row in trainer.history]
    np.testing.assert_allclose(one.values["perplexity", "validation"], expected)


def test_the_later_line_of_an_epoch_counts_and_steps_are_passed_over(tmp_path):
    step = json.dumps({"event": "step", "epoch": 2, "loss": 99})
    history = read_history(log(tmp_path, line(1, 3.0), line(2, 2.0), step, line(2, 1.0)))
    assert history.values["loss", "training"].tolist() == [3, 1]
    assert np.isnan(history.values["loss", "validation"]).all()


def test_the_accuracy_of_tokens_is_none_of_a_decoder(tmp_path):
    rows = [line(1, 3.0, task=task) for task in ("captioner", "tagger")]
    decoder, tagger = (read_history(log(tmp_path, row)).values for row in rows)
    assert np.isnan(decoder["accuracy", "training"]).all()
    assert tagger["accuracy", "training"].tolist() == [0.5]


def test_an_accuracy_of_what_has_no_loss_is_none(tmp_path):
    """As logs have it of a network whose answers were no numbers."""
    validated = {"validation_loss": None, "validation_accuracy": 0.1}
    values = read_history(log(tmp_path, line(1, 2.0, **validated), line(2, None))).values
    np.testing.assert_array_equal(values["accuracy", "training"], [0.5, np.nan])
    assert np.isnan(values["accuracy", "validation"]).all()


def test_null_and_what_is_no_number_are_gaps(tmp_path):
    history = read_history(log(tmp_path, line(1, None), line(2, "x"), line(3, 5.0), line(4, 1e9)))
    np.testing.assert_array_equal(history.values["loss", "training"], [np.nan, np.nan, 5, 1e9])
    perplexity = history.values["perplexity", "training"]
    assert np.isnan(perplexity[3])  # too large to be a number
    assert perplexity[2] == pytest.approx(148.413159)


def test_the_half_line_of_a_killed_run_is_left_out(tmp_path):
    path = log(tmp_path, line(1, 3.0), line(2, 2.0)[:20], end="")
    assert read_history(path).epochs.tolist() == [1]


def test_language_models_are_told_apart(tmp_path):
    header = Header("x", (1,), {}, ("a",), 0, history=({"epoch": 1, "loss": 2.0},), kind="rnn")
    save_model(tmp_path / "t.npz", Model(header, {"a.b": np.zeros(1, np.float32)}))
    assert read_history(tmp_path / "t.npz").by_loss
    assert read_history(log(tmp_path, line(1, 2.0, task="rnn"))).by_loss
    assert read_history(log(tmp_path, line(1, 2.0, task="translator"))).by_loss
    assert not read_history(log(tmp_path, line(1, 2.0, task="tagger"))).by_loss
    assert not read_history(log(tmp_path, line(1, 2.0, task="cnn"))).by_loss
    assert not read_history(log(tmp_path, line(1, 2.0))).by_loss  # as 0.1.0 wrote them


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("epoch 1: loss 3\n", "line 1 is no JSON object: expected a model file, or a log"),
        (f"{line(1, 3.0)}\n[1]\n{line(2, 3.0)}\n", "line 2 is no JSON object"),
        ('{"event": "step"}\n', "holds no epoch that is done"),
        ('{"event": "epoch", "epoch": -1}\n', "holds no epoch that is done"),
        ("", "holds no epoch that is done"),
        ("PK", "is "),
        ("\x00\xff", "line 1 is no JSON object"),
        (None, "does not exist: name a model file or a log"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, content, expected):
    path = tmp_path / "run.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError) as raised:
        read_history(path)
    assert str(raised.value).startswith(str(path))
    assert expected in str(raised.value)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="a device of POSIX")
def test_a_log_without_end_is_refused(tmp_path):
    (tmp_path / "run.jsonl").symlink_to("/dev/zero")
    with pytest.raises(InputError, match=r"run\.jsonl line 1 is no JSON object"):
        read_history(tmp_path / "run.jsonl")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")
def test_a_log_comes_from_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "log")
    writer = Thread(target=(tmp_path / "log").write_text, args=(line(1, 3.0) + "\n",))
    writer.start()
    assert read_history(tmp_path / "log").values["loss", "training"].tolist() == [3.0]
    writer.join()

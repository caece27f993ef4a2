"""Training from the shell: files, exit codes, stopping and going on."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cnntool.cli.training import live
from cnntool.datasets import memory
from cnntool.networks.model import load_trained
from cnntool.networks.model_file import load_model
from cnntool.training import loop
from cnntool.training.measures import ACCURACY

TINY = ["--layers", "conv 4 3x3; relu; max 2; dense 10", "--batch-size", "256", "--processes", "1"]


@pytest.fixture
def train(cnntool):
    """Call the command on the built-in digits, with a network that learns in no time."""
    return lambda *options: cnntool("train-cnn", "digits", *TINY, *options)


def test_a_run_leaves_its_best_and_its_last_and_says_what_it_did(train, tmp_path):
    done = train("--epochs", "2", "--log", "run.jsonl", "--log-steps")
    assert done.code == 0
    assert done.out.strip() == b"model.npz"
    text = done.err
    for part in ("1,618 train", "epoch 2/2", "linear classifier"):
        assert part in text
    trained = load_trained(tmp_path / "model.npz", "cnn")
    model, network = trained.model, trained.network
    assert network.spec == "conv 4 3x3; relu; max 2; dense 10"
    assert sorted(model.filters) == [0, 1, 2]
    assert len(model.header.history) == 2
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == [*["step"] * 7, "epoch"] * 2
    again = train("--epochs", "2")
    assert again.code == 1
    assert "-f" in again.err


def test_going_on_gives_the_very_files_of_a_run_in_one_go(train, cnntool, tmp_path):
    assert train("--epochs", "3", "-o", "whole.npz", "-q").code == 0
    # The schedule spans all epochs, so the part is one that was stopped: its settings say three.
    assert train("--epochs", "3", "-o", "part.npz", "-q").code == 0
    whole, part = (tmp_path / name for name in ("whole.npz", "part.npz"))
    assert whole.read_bytes() == part.read_bytes()
    before = part.read_bytes()
    done = cnntool("train-cnn", "--resume", "part.last.npz")
    assert (done.code, done.out.strip()) == (0, b"part.npz")
    assert "the run of part.last.npz is done, 3 of 3 epochs: --epochs 6 goes on" in done.err
    assert "validation accuracy" in done.err  # what came of it is said again
    assert part.read_bytes() == before
    more = cnntool("train-cnn", "--resume", "part.last.npz", "--epochs", "4", "--json", "-q")
    assert more.code == 0
    assert json.loads(more.out)["epochs"] == 4


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_saves_and_what_follows_is_as_if_it_never_came(train, tmp_path):
    options = ["--epochs", "15", "--batch-size", "64", "--seed", "3"]
    assert train(*options, "-o", "whole.npz", "-q").code == 0
    command = [sys.executable, "-m", "cnntool", "train-cnn", "digits", *TINY, *options]
    process = subprocess.Popen(
        [*command, "-o", "part.npz"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while b"epoch 1/" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    text = process.stderr.read()
    assert process.wait(30) == 130
    assert b"--resume part.last.npz" in text
    resumed = subprocess.run(
        [sys.executable, "-m", "cnntool", "train-cnn", "--resume", "part.last.npz", "-q"],
        cwd=tmp_path,
    )
    assert resumed.returncode == 0
    for name in ("{}.npz", "{}.last.npz"):
        whole, part = (tmp_path / name.format(run) for run in ("whole", "part"))
        assert whole.read_bytes() == part.read_bytes()


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_behind_the_last_step_stops_nothing(train, tmp_path, monkeypatch):
    assert train("--epochs", "2", "-o", "whole.npz", "-q").code == 0
    line = live.epoch_line

    def interrupted_line(epoch, *rest):
        if epoch.is_last:
            signal.raise_signal(signal.SIGINT)
        return line(epoch, *rest)

    monkeypatch.setattr(live, "epoch_line", interrupted_line)
    done = train("--epochs", "2", "-o", "part.npz")
    assert (done.code, done.out.strip()) == (0, b"part.npz")
    assert (tmp_path / "whole.npz").read_bytes() == (tmp_path / "part.npz").read_bytes()


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_before_the_first_model_says_that_there_is_none(train, tmp_path, monkeypatch):
    monkeypatch.setattr(live.PlainView, "step", lambda *_: signal.raise_signal(signal.SIGINT))
    done = train("--epochs", "2")
    words = (
        "stopped after epoch 0, step 1, and no model in model.npz yet; go on with: cnntool train"
    )
    assert (done.code, (tmp_path / "model.npz").exists()) == (130, False)
    assert words in done.err


def test_an_epoch_fits_into_80_columns_and_a_long_curve_into_few_means():
    epoch = live.Epoch(100, 0.00111, 1.0, 0.02791, 1.0, 0.002, 1.5, True, False)
    assert len(live.epoch_line(epoch, 200, ACCURACY)) <= 80
    means = live.Means(most=8)
    for value in range(64):
        means.add(value)
    assert means.values == [7.5, 23.5, 39.5, 55.5]


KILLED = """
import os, signal, sys
from cnntool.__main__ import main
from cnntool.training.loop import Trainer

last, done, learn = int(sys.argv.pop(1)), [], Trainer._learn

def killed_behind(*arguments):
    lesson = learn(*arguments)
    done.append(lesson)
    if len(done) == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return lesson

Trainer._learn = killed_behind
main()
"""
"""The command, killed behind the step of that number before anyone hears of it."""


def test_a_pipe_is_told_once_how_long_a_long_run_takes(capsys):
    for each, said in ((0.5, "4,000 steps take about 33 min 20 s\n"), (0.002, "")):
        view = live.PlainView(ACCURACY, 40, 4000)
        for number in range(1, 30):
            seconds = 9.0 if number == 1 else each  # the first step makes room
            view.step(live.Step(1, number, 100, 64, 2.3, 6, 0.002, seconds))
        assert capsys.readouterr().err == said


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("steps", "more", "place"),
    [
        (7, [], (0, 0)),
        (20, [], (2, 0)),
        (5, ["--save-every", "0.000001"], (0, 4)),
        (20, ["--save-every", "0.000001s"], (2, 5)),
        (20, ["--save-every", "9h"], (2, 0)),
    ],
)
def test_a_run_that_was_killed_goes_on_from_where_it_was_saved(
    train, cnntool, tmp_path, steps, more, place
):
    """After every epoch, of 7 steps each, and by the clock."""
    options = ["--epochs", "3", "--augment", "shift=1"]
    assert train(*options, "-o", "whole.npz", "-q").code == 0
    command = [sys.executable, "-c", KILLED, str(steps), "train-cnn", "digits", *TINY, *options]
    killed = subprocess.run([*command, "-o", "part.npz", "-q", *more], cwd=tmp_path)
    assert killed.returncode == -signal.SIGKILL
    model = load_trained(tmp_path / "part.last.npz", "cnn").model
    found = json.loads(model.state["place"].tobytes())["place"]
    assert (found["epoch"], found["step"]) == place
    assert cnntool("train-cnn", "--resume", "part.last.npz", "-q").code == 0
    for name in ("{}.npz", "{}.last.npz"):
        whole, part = (tmp_path / name.format(run) for run in ("whole", "part"))
        assert whole.read_bytes() == part.read_bytes()


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--layers", "conv 4 9x9; dense 10"], 2, "layer 1 (conv 4 9x9)"),
        (["--layers", ""], 2, "--layers is empty"),
        (["--layers", "dense 9"], 2, "end with 'dense 10'"),
        (["--layers", "cnov 4 3x3; dense 10"], 2, "did you mean 'conv'?"),
        (["--network", "lenet5"], 2, "--resize 32x32"),
        (["--network", "lennet"], 2, "did you mean 'lenet'?"),
        (["--processes", "2", "--network", "small"], 2, "batch norm"),
        (
            ["--batch-size", "1", "--layers", "dense 20; batch-norm; dense 10"],
            2,
            "norm1 (batch-norm) of 20 features needs 2 images at a time to learn",
        ),
        (["--learning-rate", "nan"], 2, "nan"),
        (["--optimizer", "sgd", "--momentum", "0.9"], 2, "--optimizer momentum"),
        (["--augment", "shft=2"], 2, "shift"),
        (["--log-steps"], 2, "--log run.jsonl"),
        (["--log", "-"], 2, "run.jsonl"),
        (["--resume", "/"], 1, "name a model file"),
        (["-o", "model.txt"], 2, ".npz"),
        (["-o", "grey.png/model.npz"], 1, "grey.png is no folder"),
    ],
)
def test_what_cannot_be_trained_is_said_in_one_line_before_any_work(cnntool, options, code, words):
    done = cnntool("train-cnn", "digits", "-q", *options)
    assert done.code == code, done.err
    assert words in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "set.npz"], "-o set.npz would overwrite DATA"),
        (["-o", "here/../set.npz"], "would overwrite DATA"),
        (["--log", "set.npz"], "--log set.npz would overwrite DATA"),
        (["--layers", "layers.txt", "--log", "layers.txt"], "would overwrite --layers"),
        (["--valid", "set.last.npz", "--log", "set.last.npz"], "would overwrite --valid"),
        (["--valid", "set.last.npz", "-o", "./set.npz"], "would overwrite DATA"),
        (["-o", "a.npz", "--log", "a.npz"], "--log a.npz would overwrite -o"),
        (["-o", "a.npz", "--log", "a.last.npz"], "--log a.last.npz would overwrite the run"),
    ],
)
def test_nothing_that_is_read_or_written_is_overwritten_even_by_force(
    cnntool, tmp_path, options, words
):
    (tmp_path / "here").mkdir()
    (tmp_path / "layers.txt").write_text("dense 2")
    for name in ("set.npz", "set.last.npz"):
        np.savez(tmp_path / name, x=np.zeros((8, 8, 8), np.uint8), y=np.arange(8) % 2)
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    done = cnntool("train-cnn", "set.npz", "-f", "-q", "--epochs", "1", *options)
    assert done.code == 2, done.err
    assert words in done.err
    assert len(done.err.splitlines()) == 1
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_the_log_of_a_run_that_goes_on_spares_its_data_and_its_files(cnntool, tmp_path):
    np.savez(tmp_path / "set.npz", x=np.zeros((8, 8, 8), np.uint8), y=np.arange(8) % 2)
    layers = ["--layers", "dense 2", "--processes", "1"]
    assert cnntool("train-cnn", "set.npz", "-q", "--epochs", "1", *layers).code == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    for log in ("set.npz", "model.npz", "model.last.npz"):
        more = ["--resume", "model.last.npz", "--epochs", "2", "-q", "-o", "other.npz"]
        done = cnntool("train-cnn", *more, "--log", log)
        assert (done.code, len(done.err.splitlines())) == (2, 1), done.err
        assert f"--log {log} would overwrite" in done.err
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_one_class_is_nothing_to_learn(cnntool, tmp_path):
    np.savez(tmp_path / "set.npz", x=np.zeros((8, 8, 8), np.uint8), y=np.zeros(8, int))
    done = cnntool("train-cnn", "set.npz")
    assert (done.code, len(done.err.splitlines())) == (1, 1)
    assert "set.npz has only the class 0" in done.err


def test_data_that_is_not_there_is_named(cnntool):
    done = cnntool("train-cnn", "digitz")
    assert done.code in (1, 2)
    assert "digits" in done.err


def test_a_place_that_takes_no_file_is_named_before_any_epoch(train, tmp_path):
    before = set(tmp_path.iterdir())
    done = train("-o", "grey.png/model.npz")
    assert done.code == 1
    assert len(done.err.splitlines()) == 1  # not even the data has been read
    assert "grey.png is no folder" in done.err
    assert set(tmp_path.iterdir()) == before


def test_the_output_starts_at_how_frequent_the_classes_are(cnntool, tmp_path):
    y = np.repeat([0, 1], [40, 10])
    np.savez(tmp_path / "set.npz", x=np.zeros((50, 4, 4), np.uint8), y=y)
    options = ["--layers", "flatten; dense 2", "--val-split", "0", "--epochs", "1", "-q"]
    done = cnntool("train-cnn", "set.npz", *options, "--learning-rate", "1e-9")
    assert done.code == 0
    bias = load_trained(tmp_path / "model.npz", "cnn").network.params["dense1.bias"]
    np.testing.assert_allclose(bias, [np.log(2 * 40 / 50), np.log(2 * 10 / 50)], rtol=1e-5)


def test_a_test_set_is_named_beside_data_and_judged_at_the_end(cnntool, tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    x = (200 * y[:, None, None] + rng.integers(0, 50, (60, 8, 8))).astype(np.uint8)
    np.savez(tmp_path / "set.npz", x=x, y=y, x_test=x[:2], y_test=1 - y[:2])
    np.savez(tmp_path / "test.npz", x=x[:10], y=np.r_[1 - y[:3], y[3:10]])
    options = ["--layers", "flatten; dense 2", "--epochs", "3", "--json"]
    done = cnntool("train-cnn", "set.npz", *options, "--test", "test.npz", "--val-split", "0")
    found = json.loads(done.out)
    assert found["test_accuracy"] == 0.7  # not 0, as on DATA's own test part
    assert found["test_majority_accuracy"] == 0.4
    assert "majority_accuracy" not in found
    assert "10 test" in done.err
    assert "test accuracy 70.00%" in done.err
    model = load_trained(tmp_path / "model.npz", "cnn").model
    assert model.header.training["test"] == "test.npz"
    more = cnntool("train-cnn", "--resume", "model.last.npz", "--epochs", "4", "--json")
    assert json.loads(more.out)["test_accuracy"] == 0.7
    done = cnntool("train-cnn", "set.npz", *options, "--valid", "test.npz", "-o", "valid.npz")
    assert json.loads(done.out)["test_accuracy"] == 0.0  # DATA's own test part is still there
    np.savez(tmp_path / "other.npz", x=x[:4, :5], y=y[:4])
    done = cnntool("train-cnn", "set.npz", *options, "--test", "other.npz", "-o", "o.npz")
    assert (done.code, "other.npz has images of 1 x 5 x 8" in done.err) == (1, True)


@pytest.mark.parametrize(
    ("options", "said", "decay"),
    [
        ([], "adamw at 0.003 (cosine", 0.3),
        (["--optimizer", "adamw", "--lr", "0.01"], "adamw at 0.01 (cosine", 0.3),
        (["--weight-decay", "0"], "adamw at 0.003 (cosine", 0.0),
        (["--optimizer", "adam"], "adam at 0.002 (cosine", 0.0),
        (["--optimizer", "sgd"], "sgd at 0.1 (cosine", 0.0),
    ],
)
def test_rates_and_decay_that_are_not_given_are_those_of_the_optimizer(
    train, tmp_path, options, said, decay
):
    done = train("--epochs", "1", *options)
    assert said in done.err
    assert load_trained(tmp_path / "model.npz", "cnn").header.training["weight_decay"] == decay


@pytest.mark.parametrize(
    "layers", ["conv 4 8x8; batch-norm; dense 10", "dense 20; batch-norm; dense 10"]
)
def test_batch_norm_of_one_value_never_meets_a_batch_of_one(cnntool, tmp_path, layers):
    """33 times 49 is one less than the 1,618 images to learn from: the last batch has 34."""
    options = ["--batch-size", "33", "--epochs", "2", "--layers", layers, "--log-steps"]
    done = cnntool("train-cnn", "digits", *options, "--log", "run.jsonl")
    assert done.code == 0, done.err
    assert "2 epochs of 49 steps" in done.err
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    assert [line["samples"] for line in lines if line["event"] == "step"] == [*[33] * 48, 34] * 2


def test_batch_norm_of_maps_learns_from_one_image_at_a_time(cnntool):
    layers = ["--layers", "conv 4 3x3; batch-norm; dense 10"]
    done = cnntool(
        "train-cnn", "digits", "--batch-size", "1", "--epochs", "1", *layers, "--dry-run"
    )
    assert (done.code, "1 epoch of 1,618 steps" in done.err) == (0, True)


@pytest.mark.parametrize("layers", ["conv 64 3x3; relu; dense 10", "dense 900000; dense 10"])
def test_what_does_not_fit_into_memory_is_refused_before_any_step(cnntool, monkeypatch, layers):
    """A step of large maps, or parameters that there are very many of."""
    monkeypatch.setattr(memory, "free_memory", lambda: 20_000_000)
    done = cnntool("train-cnn", "digits", "-q", "--layers", layers, "--batch-size", "1000")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert " MB of memory is free: " in done.err


def test_a_warm_up_as_long_as_the_run_is_told_with_one_that_is_not(train):
    done = train("--epochs", "2", "--schedule", "cosine:warmup=200", "--dry-run")
    assert "the warm-up of 200 steps is as long as the run of 14, or longer" in done.err
    assert "0.000209 of 0.003" in done.err  # step 14 of 201
    better = re.search("--schedule (.*)", done.err)[1]
    assert "warm-up" not in train("--epochs", "2", "--schedule", better, "--dry-run").err


def test_a_rate_that_is_too_high_is_not_told_to_train_longer(train):
    done = train("--epochs", "1", "--lr", "10")
    assert "as good or better: the network" in done.err
    assert "steps are too large: try --learning-rate 0.003" in done.err


def test_patience_says_what_it_looks_at_where_nothing_is_held_out(train):
    note = "--patience looks at the loss on the images it learns from"
    options = ["--dry-run", "--patience", "1", "--val-split"]
    assert [note in train(*options, share).err for share in ("0", "0.1")] == [True, False]


def test_one_epoch_of_one_step_is_called_so(train):
    done = train("--epochs", "1", "--batch-size", "5000", "--dry-run")
    assert "1 epoch of 1 step of 5,000 images; seed 0" in done.err
    assert "\n1 step of " in done.err


def test_a_dry_run_writes_nothing(train, tmp_path):
    before = set(tmp_path.iterdir())
    done = train("--dry-run")
    assert done.code == 0
    assert "would take" in done.err
    assert set(tmp_path.iterdir()) == before


@pytest.fixture
def no_arrays(monkeypatch):
    """Drawing a weight, or trying a step, is an error."""
    monkeypatch.delattr("cnntool.networks.layers.layer.Parameter.drawn")
    monkeypatch.delattr("cnntool.training.task.Task.learn")


@pytest.mark.parametrize(
    "network",
    [
        ["--layers", "dense 4200; relu; dense 4200; relu; dense 10"],
        ["--layers", f"{'conv 64 9x9 pad 4; relu; ' * 3}dense 10", "--resize", "64"],
        ["--layers", "conv 64 1x1; relu; dense 10", "--resize", "100", "--batch-size", "256"],
    ],
)
def test_a_dry_run_of_what_is_large_reckons_by_shapes_alone(cnntool, no_arrays, network):
    run = ["train-cnn", "digits", *network, "--dry-run"]
    done = cnntool(*run)
    assert done.code == 0, done.err
    assert re.search(r" multiply-adds an image, at least [\d.]+ [MG]B of memory\n", done.err)
    assert re.search(r" steps of at least .* would take at least .*; nothing is written", done.err)
    facts = json.loads(cnntool(*run, "--json", "-q").out)
    assert facts["at_least"] is True
    assert facts["seconds"] == facts["steps"] * facts["seconds_a_step"] > 0


def test_a_network_that_does_not_fit_is_refused_before_it_is_drawn(train, no_arrays, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 10_000_000)
    for options in ([], ["--dry-run"]):
        done = train("--layers", "dense 4200; relu; dense 4200; dense 10", *options)
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert "and 10.0 MB of memory is free: write smaller layers" in done.err


def test_a_dry_run_of_what_goes_on_counts_the_steps_that_are_left(train, cnntool):
    assert train("--epochs", "2", "-q").code == 0
    more = cnntool("train-cnn", "--resume", "model.last.npz", "--epochs", "3", "--dry-run")
    assert "\n7 steps of" in more.err  # 1,618 images by 256


def test_a_network_that_is_best_within_an_epoch_is_the_model(train, cnntool, monkeypatch):
    monkeypatch.setattr(loop, "LEAST_PART", 3)  # of 7 steps: two parts
    losses = [1.0, 2.0]
    judged = iter(SimpleNamespace(loss=loss, accuracy=0.5) for loss in losses)
    monkeypatch.setattr(loop.Task, "judge", lambda task: next(judged))
    done = train("--epochs", "1", "--json", "--log", "run.jsonl", "--learning-rate", "0.1")
    found = json.loads(done.out)["best"]
    assert (found["epoch"], found["step"], found["validation_loss"]) == (1, 3, 1.0)
    assert "epoch 1/1, to step 3: " in done.err
    assert "validation accuracy 50.00% (epoch 1 to step 3, loss 1.0000)" in done.err
    with open("run.jsonl", encoding="utf-8") as log:
        assert [json.loads(line)["event"] for line in log] == ["part", "epoch"]
    with np.load("model.npz") as best, np.load("model.last.npz") as last:
        for name in (name for name in best.files if name.startswith("params/")):
            np.testing.assert_array_equal(best[name], last[name.replace("params", "state/best")])
            assert (best[name] != last[name]).any()


def test_a_best_model_predicts_and_names_the_file_that_goes_on(train, cnntool, tmp_path):
    """It is without the optimizer's state, which is more than all else."""
    assert train("--epochs", "2", "-q").code == 0
    assert load_trained(tmp_path / "model.npz", "cnn").model.state == {}
    assert cnntool("evaluate", "model.npz", "digits", "-q").code == 0
    done = cnntool("train-cnn", "--resume", "model.npz", "--epochs", "3")
    assert done.code == 1
    assert done.err == (
        "cnntool: model.npz is the best of a run, which stands in model.last.npz: --resume "
        "model.last.npz\n"
    )


def test_a_file_holds_0_where_nothing_is_connected(cnntool):
    layers = "conv 2 3x3; relu; conv 3 3x3 connections 10/01/11; relu; dense 10"
    options = ["--layers", layers, "--epochs", "1", "--optimizer", "momentum", "-q"]
    assert cnntool("train-cnn", "digits", *options, "--weight-decay", "0.1").code == 0
    with np.load("model.npz") as arrays:
        held = (arrays["params/conv2.weight"] != 0).all(axis=(2, 3))
    assert held.tolist() == [[True, False], [False, True], [True, True]]


def test_a_line_of_the_log_that_a_run_left_half_is_written_again(train, cnntool, tmp_path):
    assert train("--epochs", "2", "-q", "--log", "run.jsonl").code == 0
    log = tmp_path / "run.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole + b'{"event": "epo')
    more = ["--resume", "model.last.npz", "--epochs", "3", "-q", "--log", "run.jsonl"]
    assert cnntool("train-cnn", *more).code == 0
    lines = log.read_bytes().splitlines(keepends=True)
    assert b"".join(lines[:2]) == whole
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3]


def test_what_is_judged_on_in_black_for_white_is_told(train, cnntool, tmp_path):
    """And what filters answer to is, too."""
    random = np.random.default_rng(0)
    x, y = random.integers(0, 60, (40, 8, 8), dtype=np.uint8), np.arange(40) % 2
    np.savez("dark.npz", x=x, y=y)
    np.savez("light.npz", x=255 - x, y=y)
    small = ["--epochs", "1", "--layers", "conv 2 3x3; relu; dense 2"]
    of_all = " of 40 images are light, 0.89 of white on average, and the network learned from dark"
    for more in (["--valid", "light.npz"], ["--test", "light.npz"]):
        done = cnntool("train-cnn", "dark.npz", *small, *more, "-f")
        assert (done.code, done.err.count(of_all)) == (0, 1), done.err
    done = cnntool("visualize", "best", "model.npz", "--data", "light.npz")
    assert (done.code, done.err.count(of_all)) == (0, 1), done.err
    assert of_all not in cnntool("train-cnn", "dark.npz", *small, "--valid", "dark.npz", "-f").err


def test_a_run_goes_on_in_the_log_that_it_had(train, cnntool, tmp_path):
    assert train("--epochs", "1", "-q", "--log", "run.jsonl", "--log-steps").code == 0
    log = tmp_path / "run.jsonl"
    more = ["train-cnn", "--resume", "model.last.npz", "--epochs"]
    done = cnntool(*more, "2")
    assert (done.code, "the log goes on in run.jsonl\n" in done.err) == (0, True), done.err
    events = [json.loads(line) for line in log.read_text().splitlines()]
    of_epochs = [line["epoch"] for line in events if line["event"] == "step"]
    assert of_epochs == sorted([1, 2] * (len(of_epochs) // 2))
    assert [line["epoch"] for line in events if line["event"] == "epoch"] == [1, 2]
    log.unlink()
    done = cnntool(*more, "3")
    assert done.code == 0
    assert "run.jsonl, the log of the run, is not there: --log goes on in another\n" in done.err
    assert not log.exists()


@pytest.mark.parametrize("text", ["", "soon", "-1", "10 days", "1e3", "5x"])
def test_how_often_to_save_is_a_time(train, text):
    done = train("--save-every", text)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"'{text}' is no time: expected seconds, or such as 30s, 10m or 2h" in done.err


def test_a_dry_run_of_what_is_done_has_no_steps_left(train, cnntool):
    assert train("--epochs", "2", "-q").code == 0
    more = cnntool("train-cnn", "--resume", "model.last.npz", "--dry-run")
    assert more.code == 0
    assert "is done, 2 of 2 epochs: --epochs 4 goes on" in more.err
    assert "\n0 steps of" in more.err


def test_a_run_that_diverges_keeps_its_last_good_state(train, tmp_path):
    done = train("--optimizer", "sgd", "--learning-rate", "1e11", "-q")
    assert done.code == 1
    assert "--learning-rate" in done.err
    assert len(done.err.splitlines()) == 1
    assert "model.last.npz, and no model in model.npz yet" in done.err
    load_trained(tmp_path / "model.last.npz", "cnn")


def advised(done) -> list[str]:
    """The options that the last line says to go on with."""
    return done.err.split("go on with: cnntool train-cnn ")[1].split()


def losses(path) -> list[float]:
    return [row["validation_loss"] for row in load_model(path).header.history]


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "rmsprop"])
def test_what_a_run_that_diverges_advises_is_as_good_as_new(cnntool, train, name):
    """Nothing that it keeps is infinite; moments of squares are the first to be, and freeze it."""
    run = ["--layers", "conv 4 3x3; relu; max 2; dense 16; relu; dense 10", "--epochs", "3", "-q"]
    done = train(*run, "--optimizer", name, "--lr", "1e10")
    assert (done.code, done.out, done.err.count("\n")) == (1, b"", 1)
    state = load_model("model.last.npz").state
    assert all(np.isfinite(array).all() for array in state.values())
    assert cnntool("train-cnn", *advised(done), "-q").code == 0
    assert train(*run, "--optimizer", name, *advised(done)[2:], "-o", "new.npz").code == 0
    assert Path("model.npz").read_bytes() == Path("new.npz").read_bytes()
    assert losses("model.npz")[-1] < losses("model.npz")[0] < 3


def test_a_good_run_that_diverges_later_goes_on_from_its_last_epoch(cnntool, train):
    assert train("--epochs", "2", "--optimizer", "sgd", "-q").code == 0
    before = [Path(name).read_bytes() for name in ("model.npz", "model.last.npz")]
    worse = ["--resume", "model.last.npz", "--epochs", "4", "--lr"]
    done = cnntool("train-cnn", *worse, "1e11", "-q")
    assert (done.code, done.err.count("\n")) == (1, 1)
    words = "the run after epoch 2, step 0 stands in model.last.npz, its best model in model.npz;"
    assert words in done.err
    assert [Path(name).read_bytes() for name in ("model.npz", "model.last.npz")] != before
    assert losses("model.last.npz") == losses("model.npz")
    assert cnntool("train-cnn", *advised(done), "-q").code == 0
    found = losses("model.npz")
    assert len(found) == 4
    assert found[-1] < found[1]


def test_a_run_that_learned_nothing_before_it_diverged_is_to_be_trained_anew(train):
    steps = ["--optimizer", "sgd", "--batch-size", "1618", "--epochs", "9", "-q"]
    done = train(*steps, "--lr", "1e5")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "model.last.npz is none to go on from, its best model in model.npz: " in done.err
    options = done.err.split("train anew with ")[1].split()
    assert options == ["--learning-rate", "0.1", "-f"]
    assert train(*steps, *options).code == 0
    found = losses("model.npz")
    assert len(found) == 9
    assert found[-1] < found[0] < 4


def test_what_a_step_made_of_a_good_run_is_seen_where_it_is_saved(cnntool, train):
    """The loss of the step itself is that of the network before it."""
    run = ["--layers", "conv 4 3x3; relu; max 2; dense 32; relu; dense 10", "--optimizer", "sgd"]
    assert train(*run, "--epochs", "2", "-q").code == 0
    worse = ["--epochs", "4", "--lr", "1e5", "--save-every", "0.0001s", "-q"]
    done = cnntool("train-cnn", "--resume", "model.last.npz", *worse)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "model.last.npz is none to go on from, its best model in model.npz: " in done.err
    assert done.err.endswith(": train anew with --learning-rate 0.1 -f\n")
    assert len(losses("model.npz")) == 2


@pytest.mark.parametrize("held_out", ["0", "0.1"])
def test_an_only_step_that_breaks_the_network_fails_and_leaves_the_earlier_model(train, held_out):
    """Its own loss is that of the network before it."""
    assert train("--epochs", "1", "-q").code == 0
    before = Path("model.npz").read_bytes()
    step = ["--batch-size", "1797", "--epochs", "1", "--val-split", held_out, "--lr", "9e11"]
    layers = ["--layers", "; ".join(["dense 30"] * 6) + "; dense 10"]
    done = train(*step, *layers, "--optimizer", "sgd", "-fq", "--log", "run.jsonl")
    assert (done.code, done.out, done.err.count("\n")) == (1, b"", 1)
    assert "epoch 1, after step 1: the output of dense" in done.err
    assert ", that of an earlier run in model.npz; go on with" in done.err
    assert Path("model.npz").read_bytes() == before
    assert Path("run.jsonl").read_text() == ""
    load_trained("model.last.npz", "cnn")


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_run_that_is_broken_as_it_is_stopped_says_so(train, monkeypatch):
    learn = loop.Trainer._learn

    def breaking(trainer, *given):
        lesson = learn(trainer, *given)
        trainer._optimizer_state["adam/squares"][0] = np.inf
        os.kill(os.getpid(), signal.SIGINT)
        return lesson

    monkeypatch.setattr(loop.Trainer, "_learn", breaking)
    done = train("-q", "--optimizer", "adam")
    assert done.code == 1
    assert "epoch 1, after step 1: the optimizer's adam/squares is not finite" in done.err
    assert np.isfinite(load_model("model.last.npz").state["optimizer/adam/squares"]).all()


def test_the_model_of_an_earlier_run_is_said_to_stay_until_there_is_another(train):
    assert "earlier run" not in train("--epochs", "1").err
    told = train("--epochs", "1", "-f").err
    note = "the model of an earlier run in model.npz stays until this one has its first"
    assert -1 < told.find(note) < told.find("epoch 1/1")
    assert train("--epochs", "1", "-f", "-q").err == ""


def test_a_dry_run_that_diverges_says_so_in_one_line(train, tmp_path):
    before = set(tmp_path.iterdir())
    done = train("--dry-run", "-q", "--lr", "9e11", "--optimizer", "sgd")
    assert (done.code, done.err.count("\n"), set(tmp_path.iterdir())) == (1, 1, before)
    assert "is not finite: a smaller step usually helps, --learning-rate 0.1" in done.err


def test_a_run_that_held_out_its_validation_takes_no_other(train, cnntool):
    """What it held out would be learned from."""
    assert train("--epochs", "1", "-q").code == 0
    done = cnntool("train-cnn", "--resume", "model.last.npz", "--epochs", "2", "--valid", "digits")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "--valid digits: model.last.npz was trained without one" in done.err


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("median 3; dense 3", "layer 'median' is not known: expected conv, local, max"),
        (
            "lstm 8; dense 3",
            "layer 1 (lstm 8): it takes steps, not 1 x 8 x 8: put columns before it",
        ),
        ("# of texts\nembedding 9 x 4; lstm 8", "it takes tokens of a text, and images come in"),
    ],
)
def test_layers_of_texts_are_refused_for_what_they_are(cnntool, layers, message):
    found = cnntool("train-cnn", "digits", "--dry-run", "--layers", layers)
    assert found.code == 2
    assert message in found.err


def test_options_of_folders_are_told_to_mean_nothing_elsewhere(cnntool, train, digits_run):
    done = cnntool("train-cnn", "digits", "--strict", "--no-cache", "--dry-run")
    words = "--strict and --no-cache are for folders of images, and digits is none"
    assert (done.code, done.err.splitlines()[0]) == (0, words)
    done = cnntool("evaluate", digits_run, "digits", "--strict", "--json")
    assert done.code == 0
    assert "--strict is for folders of images, and digits is none" in done.err

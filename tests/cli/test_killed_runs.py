"""Training that is killed at any moment: what lies there then, and that it goes on from it."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from processes import COMMAND, is_killed, run_here

from cnntool.networks.model_file import load_model, save_model

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="signals and forks of POSIX")

RUN = ["train-cnn", "set.npz", "--layers", "conv 2 3x3; relu; dense 2", "--epochs", "4"]
RUN += ["--val-split", "0.4", "--lr", "0.05", "--processes", "1", "-q"]
OTHER = [*RUN, "--seed", "3"]
RESUME = ["train-cnn", "--resume", "model.last.npz", "-q"]
FILES = ("model.npz", "model.last.npz")


@pytest.fixture(autouse=True)
def data(folder, monkeypatch):
    """Images of noise, so that nothing but noise is ever learned; and nothing takes long."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr("cnntool.cli.training.images.linear_accuracy", lambda *_: 0.5)
    rng = np.random.default_rng(1)
    x = rng.integers(0, 256, (60, 8, 8), dtype=np.uint8)
    np.savez("set.npz", x=x, y=np.arange(60) % 2)


def whole(run: list[str]) -> list[bytes]:
    """The files of a run that nothing stops."""
    folder = Path("whole")
    folder.mkdir(exist_ok=True)
    assert run_here(*run, "-f", "-o", "whole/model.npz").code == 0
    return [(folder / name).read_bytes() for name in FILES]


def kept() -> list[bytes]:
    return [Path(name).read_bytes() for name in FILES]


def test_a_run_that_is_killed_anywhere_goes_on_to_where_it_would_have_come():
    wanted = whole(RUN)
    best = json.loads(run_here(*RESUME[:2], "whole/model.last.npz", "--json", "-q").out)
    assert 1 < best["best_epoch"] < 4  # so that what is killed matters
    number = 0
    while is_killed(number, *RUN):
        last = Path("model.last.npz").exists()
        assert run_here(*(RESUME if last else RUN)).code == 0
        assert kept() == wanted, f"killed at moment {number}"
        for name in FILES:
            Path(name).unlink()
        number += 1
    assert kept() == wanted
    assert number > 12


def test_going_on_may_be_killed_anywhere_too():
    wanted = whole(RUN)
    assert is_killed(8, *RUN)
    begun = {path.name: path.read_bytes() for path in Path().glob("*.npz")}
    number = 0
    while is_killed(number, *RESUME):
        assert run_here(*RESUME).code == 0
        assert kept() == wanted, f"killed at moment {number}"
        for name in FILES:
            Path(name).unlink(missing_ok=True)
        for name, content in begun.items():
            Path(name).write_bytes(content)
        number += 1
    assert kept() == wanted
    assert number > 4


def test_the_model_of_an_earlier_run_stays_until_a_forced_one_has_its_own(cnntool):
    """Wherever that is killed; and it goes on without being forced again."""
    others, wanted = whole(OTHER), whole(RUN)
    stayed, number = 0, 0
    while True:
        for name, content in zip(FILES, others, strict=True):
            Path(name).write_bytes(content)
        if not is_killed(number, *RUN, "-f"):
            break
        seed = load_model("model.last.npz").header.seed
        is_others = Path("model.npz").read_bytes() == others[0]
        assert is_others or load_model("model.npz").header.seed == seed, f"killed at {number}"
        stayed += is_others and seed == 0
        assert cnntool(*RESUME).code == 0
        assert kept() == (others if seed == 3 else wanted), f"killed at moment {number}"
        number += 1
    assert kept() == wanted
    assert stayed > 1


@pytest.mark.skipif(os.name == "nt", reason="no modes there")
def test_a_private_model_is_replaced_by_a_private_one(cnntool):
    assert cnntool(*OTHER).code == 0
    for name in FILES[:2]:
        Path(name).chmod(0o600)
    assert cnntool(*RUN, "-f").code == 0
    assert [Path(name).stat().st_mode & 0o777 for name in FILES[:2]] == [0o600, 0o600]


def test_a_forced_run_that_fails_leaves_the_earlier_model_and_what_it_says_goes_on(cnntool):
    assert cnntool(*OTHER).code == 0
    before = Path("model.npz").read_bytes()
    done = cnntool(*RUN, "-f", "--optimizer", "sgd", "--lr", "1e11", "--batch-size", "8")
    assert done.code == 1
    assert "model.last.npz, that of an earlier run in model.npz; go on with: " in done.err
    assert Path("model.npz").read_bytes() == before
    assert load_model("model.last.npz").header.seed == 0
    assert cnntool(*done.err.split("go on with: cnntool ")[1].split()).code == 0
    assert load_model("model.npz").header.seed == 0


def test_leave_to_replace_a_model_is_for_that_one_alone(cnntool):
    assert cnntool(*OTHER).code == 0
    assert cnntool(*RUN, "-f", "--optimizer", "sgd", "--lr", "1e11", "--batch-size", "8").code == 1
    model, last = (Path(name).read_bytes() for name in FILES)
    for name, content in ("taken.npz", model), ("moved.npz", last), ("moved.last.npz", model):
        Path(name).write_bytes(content)
    moved = ["train-cnn", "--resume", "moved.npz", "-q"]
    for run, taken in ([*RESUME, "-o", "taken.npz"], "taken.npz"), (moved, "moved.last.npz"):
        done = cnntool(*run, "--lr", "0.05")
        assert done.code == 1
        assert f"{taken} exists and is not of the run of {run[2]}: -f overwrites it" in done.err
        assert Path(taken).read_bytes() == model


def test_a_forced_run_with_a_model_of_its_own_has_no_more_leave_to_replace_one(cnntool):
    once = [*RUN, "--epochs", "1"]
    assert cnntool(*once).code == 0
    wanted = kept()
    assert cnntool(*once, "-f").code == 0
    assert kept() == wanted


def test_a_forced_run_that_never_begins_leaves_all_as_it_was(cnntool):
    assert cnntool(*OTHER).code == 0
    before = kept()
    assert cnntool(*RUN, "-f", "--test", "nowhere.npz").code == 1
    assert cnntool(*RUN, "-f", "--dry-run").code == 0
    assert kept() == before


def test_a_disk_that_takes_no_file_for_a_while_ends_no_run(cnntool, monkeypatch):
    wanted, replace, refused = whole(RUN), os.replace, iter([False, True, True, True])

    def full(source, target):
        if next(refused, False):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    done = cnntool(*RUN)
    assert (done.code, done.out) == (0, b"model.npz\n")
    assert (
        "model.last.npz cannot be written: the disk is full; training goes on, and the next save "
        "may succeed\n"
    ) in done.err
    assert kept() == wanted


def test_a_disk_that_takes_no_file_at_the_end_fails(cnntool, monkeypatch):
    replace, refused = os.replace, iter([False])

    def full(source, target):
        if next(refused, True):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    done = cnntool(*RUN)
    assert (done.code, done.out) == (1, b"")
    assert done.err.splitlines()[-1] == (
        "cnntool: model.last.npz cannot be written: the disk is full"
    )


def test_a_pair_of_format_1_goes_on_with_its_best(cnntool):
    """Whose best model holds the state behind its epoch, and whose last one no other network."""
    assert cnntool(*RUN).code == 0
    last, best = load_model("model.last.npz"), load_model("model.npz")
    plain = json.loads(last.state["place"].tobytes())
    plain["stopping"].pop("best_step")
    plain["place"].pop("within")
    place = plain["place"] | {"epoch": plain["stopping"]["best_epoch"]}
    states = [
        {name: array for name, array in last.state.items() if not name.startswith("best/")}
        | {"place": np.frombuffer(json.dumps(facts).encode(), np.uint8)}
        for facts in (plain, plain | {"place": place})
    ]
    save_model("model.last.npz", replace(last, state=states[0]), overwrite=True)
    save_model("model.npz", replace(best, state=states[1]), overwrite=True)
    done = cnntool("train-cnn", "--resume", "model.last.npz", "--epochs", "5")
    assert done.code == 0
    assert "does not hold the best epoch" not in done.err
    for path, array in load_model("model.npz").params.items():
        np.testing.assert_array_equal(array, best.params[path])
    Path("model.npz").unlink()
    save_model("model.last.npz", replace(last, state=states[0]), overwrite=True)
    done = cnntool("train-cnn", "--resume", "model.last.npz", "--epochs", "5")
    assert "model.npz does not hold the best epoch of model.last.npz" in done.err


def test_of_two_runs_into_one_file_the_second_is_refused(cnntool):
    """As long as the first one lives."""
    long = [*RUN, "--epochs", "100000", "-f"]
    first = subprocess.Popen([*COMMAND, *long])
    try:
        while not Path("model.npz").exists():
            time.sleep(0.01)
        for second in ([*RUN, "-f"], RESUME, [*RUN, "-f", "-o", "./model.npz"]):
            done = cnntool(*second)
            assert (done.code, done.out) == (1, b"")
            assert f"model.npz is being written by another process ({first.pid})" in done.err
            assert done.err.count("\n") == 1
        assert cnntool(*RUN, "-o", "other.npz").code == 0
        assert cnntool(*RUN, "--dry-run", "-f").code == 0
    finally:
        first.kill()
        first.wait()
    assert cnntool(*RUN, "-f").code == 0
    assert [path.name for path in Path().glob(".*.lock")] == []


@pytest.mark.skipif(os.name == "nt", reason="no modes there")
def test_a_run_that_is_killed_before_its_first_epoch_keeps_the_mode_of_what_gave_way(cnntool):
    assert cnntool(*RUN).code == 0
    wanted = kept()
    for number in range(1, 8):
        assert cnntool(*OTHER, "-f").code == 0
        Path("model.npz").chmod(0o640)
        assert is_killed(number, *RUN, "-f")
        assert cnntool(*RESUME).code == 0
        assert Path("model.npz").stat().st_mode & 0o777 == 0o640, f"killed at moment {number}"
    assert cnntool(*OTHER, "-f").code == 0
    Path("model.npz").chmod(0o640)
    assert cnntool(*RUN, "-f").code == 0
    assert kept() == wanted
    assert Path("model.npz").stat().st_mode & 0o777 == 0o640


def test_a_log_that_is_not_there_for_a_while_is_not_forgotten(cnntool):
    run = [option for option in RUN if option != "-q"]
    assert cnntool(*run, "--log", "run.jsonl").code == 0
    Path("run.jsonl").rename("away.jsonl")
    done = cnntool("train-cnn", "--resume", "model.last.npz", "--epochs", "5")
    assert "run.jsonl, the log of the run, is not there: --log goes on in another" in done.err
    Path("away.jsonl").rename("run.jsonl")
    done = cnntool("train-cnn", "--resume", "model.last.npz", "--epochs", "6")
    assert "the log goes on in run.jsonl" in done.err
    rows = map(json.loads, Path("run.jsonl").read_text().splitlines())
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 6]


LEFT = "the run as last saved stands in model.last.npz"
AGAIN = "; go on with: cnntool train-cnn --resume model.last.npz"


def test_a_second_signal_and_want_of_memory_name_what_they_leave(cnntool, monkeypatch):
    def twice(view, step):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    def fails(*_):
        raise MemoryError

    none, best = ", and no model in model.npz yet", ", its best model in model.npz"
    run = [option for option in RUN if option != "-q"]
    with monkeypatch.context() as patched:
        patched.setattr("cnntool.cli.training.live.PlainView.step", twice)
        done = cnntool(*run)
    assert done.code == 130
    left, _, interrupted = done.err.splitlines()[-3:]
    assert (left, interrupted) == (f"{LEFT}{none}{AGAIN}", "interrupted")
    places = {"cnntool.training.loop.Trainer._judged": none}
    for place, model in {**places, "cnntool.cli.training.images.majority_accuracy": best}.items():
        with monkeypatch.context() as patched:
            patched.setattr(place, fails)
            done = cnntool(*RUN, "-f")
        *_, left, error = done.err.splitlines()
        assert (done.code, left) == (1, f"{LEFT}{model}{AGAIN}")
        assert error.startswith("cnntool: not enough memory")
    assert cnntool(*RESUME).code == 0

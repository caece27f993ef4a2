"""Many trainings from one command: what runs, what lies there, what goes on, what is compared."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import pytest
from processes import COMMAND, run_here
from sequence_models import MOODS

from cnntool.cli.sweeps import session
from cnntool.cli.sweeps.jobs import CHILD, slots_of
from cnntool.cli.sweeps.runs import Record, find_runs
from cnntool.errors import InputError
from cnntool.networks.model_file import load_header
from cnntool.wording import plain

TINY = ["--layers", "conv 2 3x3; relu; dense 2", "--val-split", "0.4"]
SWEEP = ["sweep", "train-cnn", "set.npz", *TINY, "--epochs", "2"]
SWEEP += ["--lr", "0.01,0.1", "--seed", "0,1"]


def write_set(path: str, seed: int = 1) -> None:
    """Images of noise, one half of them brighter."""
    rng = np.random.default_rng(seed)
    y = np.arange(60) % 2
    x = rng.integers(0, 200, (60, 8, 8)) + 10 * y[:, None, None]
    np.savez(path, x=x.astype(np.uint8), y=y)


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> tuple[Path, bytes, str]:
    """A folder with a sweep that is done, and what that said."""
    folder = tmp_path_factory.mktemp("swept")
    before = os.getcwd()
    os.chdir(folder)
    try:
        write_set("set.npz")
        done = run_here(*SWEEP)
    finally:
        os.chdir(before)
    assert done.code == 0, done.err
    return folder, done.out, done.err


@pytest.fixture
def here(swept, tmp_path, monkeypatch) -> Path:
    """A copy of it, where the test runs."""
    folder = tmp_path / "here"
    shutil.copytree(swept[0], folder)
    monkeypatch.chdir(folder)
    return folder


def lines(folder: str = "sweep-train-cnn") -> list[dict]:
    return [json.loads(line) for line in Path(folder, "sweep.jsonl").read_text().splitlines()]


NAMES = [f"lr={rate},seed={seed}" for rate in ("0.01", "0.1") for seed in "01"]


def test_every_combination_is_a_run_in_a_folder_of_its_own(here):
    assert sorted(path.name for path in Path("sweep-train-cnn").iterdir()) == [
        *sorted(NAMES),
        "sweep.jsonl",
    ]
    found = lines()
    assert [entry["run"] for entry in found] == NAMES
    for entry in found:
        folder = Path("sweep-train-cnn", entry["run"])
        assert entry["path"] == str(folder / "model.npz")
        assert {path.name for path in folder.iterdir()} == {
            "model.npz", "model.last.npz", "log.jsonl", "run.json", "said.txt",
        }  # fmt: skip
        training = load_header(folder / "model.last.npz").training
        assert training["learning_rate"] == float(entry["settings"]["lr"])
        assert training["seed"] == int(entry["settings"]["seed"])
        assert training["shards"] == 1
        epochs = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        assert [event["epoch"] for event in epochs] == [1, 2]
        best = min(epochs, key=lambda event: event["validation_loss"])
        assert (entry["measure"], entry["error"]) == ("accuracy", None)
        assert entry["score"] == best["validation_accuracy"]


def test_the_table_has_means_and_spreads_and_ends_in_the_best_command(swept, here):
    _, out, err = swept
    head, *rows, command = out.decode().splitlines()
    assert head.split() == [
        "lr", "accuracy", "std", "runs", "behind", "standard", "error",
    ]  # fmt: skip
    found = lines()
    scores = {
        rate: [entry["score"] for entry in found if entry["settings"]["lr"] == rate]
        for rate in ("0.01", "0.1")
    }
    best = max(scores, key=lambda rate: fmean(scores[rate]))
    assert rows[0].split() == [
        best, f"{fmean(scores[best]):.2%}", f"{stdev(scores[best]):.2%}", "2", "best",
    ]  # fmt: skip
    assert len(rows) == 2
    assert f"--lr {best} --seed 0" in command
    said = err.splitlines()
    assert said[0].startswith("4 runs: 4 to do, ")
    assert [line.split()[0] for line in said[1:5]] == ["1/4", "2/4", "3/4", "4/4"]


def test_the_best_command_trains_the_very_model(swept, here):
    command = swept[1].decode().splitlines()[-1]
    assert "--layers 'conv 2 3x3; relu; dense 2'" in command
    program = f"{sys.executable} -m cnntool"
    subprocess.run(command.replace("cnntool", program, 1), shell=True, check=True)
    run = next(entry for entry in lines() if f"--lr {entry['settings']['lr']} " in command)
    assert Path("model.npz").read_bytes() == Path(run["path"]).read_bytes()


def test_a_sweep_that_is_done_does_nothing_again_and_a_larger_one_only_what_is_new(swept, here):
    before = {path: path.stat().st_mtime_ns for path in here.rglob("*.npz")}
    again = run_here(*SWEEP)
    assert (again.code, again.out) == (0, swept[1])
    assert "/4 lr=" not in again.err
    gone = Path("sweep-train-cnn", NAMES[2], "model.npz")
    content = gone.read_bytes()
    gone.unlink()
    before.pop(gone.resolve())
    before.pop(gone.with_name("model.last.npz").resolve())
    wider = run_here(*SWEEP[:-2], "--seed", "0", "--lr", "1e-3", "--json")
    assert wider.err.startswith("3 runs: 2 to do, ")
    assert gone.read_bytes() == content
    found = json.loads(wider.out)
    assert [row["count"] for row in found["settings"]] == [1, 1, 1]
    assert len(lines()) == 3
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_other_settings_or_data_under_a_name_are_refused_and_done_anew_by_force(here):
    other = [word.replace("conv 2", "conv 3") for word in SWEEP]
    done = run_here(*other)
    assert (done.code, done.out) == (1, b"")
    assert done.err == (
        "cnntool: sweep-train-cnn/lr=0.01,seed=0 holds a run with --layers conv 2 3x3; relu; "
        "dense 2, not conv 3 3x3; relu; dense 2, and 3 others likewise: -f does it anew, -o names "
        "another folder\n"
    )
    write_set("set.npz", seed=2)
    done = run_here(*SWEEP)
    assert (done.code, done.out) == (1, b"")
    assert "holds a run on other data: set.npz has changed since, and 3 others" in done.err
    model = Path("sweep-train-cnn/lr=0.1,seed=1/model.npz")
    before = load_header(model).fingerprint
    done = run_here(*SWEEP[:-4], "--lr", "0.1", "--seed", "1", "-f", "-q")  # that run alone
    assert (done.code, done.err) == (0, "")
    assert load_header(model).fingerprint != before
    Path("sweep-train-cnn/lr=0.3").mkdir()
    Path("sweep-train-cnn/lr=0.3/notes").touch()
    done = run_here(*SWEEP[:-4], "--lr", "0.3,0.4", "-f")
    assert done.err == (
        "cnntool: sweep-train-cnn/lr=0.3 is no run of a sweep: -o names another folder\n"
    )


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_ends_all_and_the_same_sweep_goes_on_to_the_same_models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_set("set.npz")
    sweep = ["sweep", "train-cnn", "set.npz", *TINY, "--epochs", "30", "--lr", "0.01"]
    sweep += ["--seed", "0..2", "--jobs", "2"]
    child = subprocess.Popen([*COMMAND, *sweep], stderr=subprocess.PIPE, text=True)
    first = Path("sweep-train-cnn/seed=0/model.npz")
    while not first.exists():
        assert child.poll() is None
        time.sleep(0.005)
    child.send_signal(signal.SIGINT)
    said = child.communicate(timeout=60)[1]
    assert child.returncode == 130
    assert "runs done: the same command goes on\n" in said
    stopped = load_header(first.with_name("model.last.npz")).history
    assert 0 < len(stopped) < 30
    assert not Path("sweep-train-cnn/seed=2").exists()
    assert "error" not in said
    done = run_here(*sweep, "--json")
    assert done.code == 0, done.err
    for seed in "02":
        words = [*sweep[1:-4], "--processes", "1", "--seed", seed, "--log", "log.jsonl"]
        assert run_here(*words, "-q", "-f").code == 0
        run = Path(f"sweep-train-cnn/seed={seed}")
        for name in ("model.npz", "model.last.npz"):
            assert (run / name).read_bytes() == Path(name).read_bytes()
        assert len((run / "log.jsonl").read_text().splitlines()) == 30


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_training_saves_its_run_and_ends_where_its_sweep_is_killed(tmp_path, monkeypatch):
    """Which closes its stdin."""
    monkeypatch.chdir(tmp_path)
    write_set("set.npz")
    child = subprocess.Popen(
        [*CHILD, "train-cnn", "set.npz", *TINY, "--epochs", "100000", "--processes", "1", "-q"],
        stdin=subprocess.PIPE,
    )
    while not Path("model.npz").exists():
        assert child.poll() is None
        time.sleep(0.005)
    child.stdin.close()
    assert child.wait(60) == 128 + signal.SIGTERM
    assert load_header("model.last.npz").history
    assert run_here("train-cnn", "--resume", "model.last.npz", "--dry-run", "-q").code == 0


def test_a_run_that_fails_stops_no_other(here):
    Path("layers.txt").write_text("conv 2 20x20; relu; dense 2")
    layers = ["--layers", TINY[1], "--layers", "layers.txt"]
    done = run_here("sweep", "train-cnn", "set.npz", *layers, "--epochs", "1", "-o", "out")
    assert done.code == 1
    good, bad = lines("out")
    assert good["error"] is None
    assert (bad["score"], bad["settings"]["layers"]) == (None, "layers.txt")
    assert "conv 2 20x20" in bad["error"]
    assert f"layers=layers.txt: {bad['error']}\n" in done.err
    *_, row, command = done.out.decode().splitlines()
    assert row.split()[:4] == ["layers.txt", "0", "of", "1"]
    assert "conv 2 20x20" in row
    assert "conv 2 3x3" in command


def test_what_no_run_can_be_is_said_once_before_any(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run_here("sweep", "train-cnn", "nowhere", "--lr", "0.1")
    assert (done.code, done.out) == (1, b"")
    assert done.err.startswith("cnntool: nowhere does not exist: expected 'digits'")
    assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--lr 0.1,x", "'x' is not a number"),
        ("--network light,smal", "did you mean 'small'?"),
        ("--lr 1e-4..1e-2", "--random 20 draws from it"),
        ("--lr 1e-2..1e-4 --random 3", "its end is not above its beginning"),
        ("--random 3 --seed 0..4", "has nothing to draw"),
        ("--seed 0..99999", "more than 10,000 values"),
        ("--seed 0..999 --epochs 1..999", "999,000 combinations"),
        ("--lr 0.1,0.2 --cluster local:2 --jobs 2", "use one of them"),
        ("--lr 0.1,0.2 -o -", "runs need a folder"),
        ("--lr 0.1,0.2 --sweep-seed 3", "is of --random"),
        ("--lr 0.1,0.2 --val-split 0,0.1", "holds nothing out"),
        ("--lr 0.1 --picture x.png", "a setting with several values"),
        ("--lr 0.1,0.2 --picture x.txt", "end its name in one of .png"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    done = run_here("sweep", "train-cnn", "set.npz", *words.split())
    assert (done.code, done.out, done.err.count("\n")) == (2, b"", 1)
    assert said in done.err


def test_stdin_is_no_data_of_several_runs(cnntool):
    done = cnntool("sweep", "train-classifier", "-", "--cell", "lstm,gru")
    assert (done.code, done.err.count("\n")) == (2, 1)


def test_a_dry_run_lists_the_runs_and_writes_nothing(here):
    before = sorted(here.rglob("*"))
    done = run_here(*SWEEP, "--lr", "0.01,1", "--dry-run")
    assert done.code == 0
    folders = [line.split("\t")[0] for line in done.lines]
    assert folders == [
        f"sweep-train-cnn/{name}/" for name in (*NAMES, "lr=1,seed=0", "lr=1,seed=1")
    ]
    assert done.lines[-1].endswith("--lr 1 --seed 1 --processes 1")
    assert done.err.startswith("6 runs: 2 to do, ")
    assert sorted(here.rglob("*")) == before


def test_of_large_networks_a_dry_run_says_what_they_take_at_least(here):
    layers = ["--layers", "dense 4200; relu; dense 4200; dense 2", "--lr", "0.1,0.2"]
    done = run_here("sweep", "train-cnn", "set.npz", *layers, "-o", "out", "--dry-run")
    assert done.code == 0, done.err
    assert re.match(r"2 runs: 2 to do, .*, of at least \S+.*: at least \S+.*; nothing", done.err)


def test_switches_and_texts_of_another_trainer_are_swept_too(cnntool):
    """And a picture is drawn where the extra is there."""
    pytest.importorskip("matplotlib")
    Path("my moods.tsv").write_text("".join(f"{label}\t{text}\n" for text, label in MOODS))
    sweep = ["sweep", "train-classifier", "--one-way", "off,on", "my moods.tsv", "--epochs", "1"]
    sweep += ["--hidden-size", "4", "--schedule", "cosine:warmup=20,floor=0.1", "-o", "out"]
    done = cnntool(*sweep, "--json", "--picture", "sweep.png")
    assert done.code == 0, done.err
    assert "one-way=on: the warm-up of 20 steps is as long as the run" in done.err
    found = json.loads(done.out)
    assert [row["settings"] for row in found["settings"]].count({"one-way": "on"}) == 1
    assert "one run a setting does not tell how much is chance" in done.err
    specs = {
        name: load_header(Path("out", f"one-way={name}", "model.npz")).spec
        for name in ("off", "on")
    }
    assert ("both" in specs["off"], "both" in specs["on"]) == (True, False)
    assert "'my moods.tsv'" in found["command"]
    assert Path("sweep.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="cores are given on Linux")
def test_jobs_share_the_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 5, 7})
    assert [list(cores) for cores in slots_of(2)] == [[0, 1], [2, 5]]
    assert [list(cores) for cores in slots_of(6)] == [[]] * 6


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipes_are_neither_waited_for_nor_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.npz")
    done = run_here("sweep", "train-cnn", "pipe.npz", "--lr", "0.1,0.2")
    assert done.code == 2
    assert "pipe.npz is no regular file, and every run reads it: name one" in done.err
    Path("set/a").mkdir(parents=True)
    Path("set/a/1.png").write_bytes(b"a")
    runs = [find_runs(Path("runs"), "train-cnn", ["set"], [{}], [], [], False)]
    os.mkfifo("set/a/2.png")
    runs.append(find_runs(Path("runs"), "train-cnn", ["set"], [{}], [], [], False))
    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"trainer": None},
        {"data": "set.npz"},
        {"data": [5]},
        {"settings": []},
        {"settings": {"lr": 0.1}},
        {"files": []},
        {"seconds": "2"},
        {"seconds": float("nan")},
        {"seconds": 10**400},
        {"score": 5},
        {"score": {"name": "loss", "value": 2}},
        {"score": {"name": "loss", "value": "2", "better": "lower"}},
        {"error": 5},
    ],
    ids=str,
)
def test_a_record_of_other_kinds_is_no_run_of_a_sweep(tmp_path, wrong):
    facts = plain(Record("train-cnn", ["set.npz"], {"lr": "1"}, {}))
    (tmp_path / "lr=1").mkdir()
    (tmp_path / "lr=1/run.json").write_text(json.dumps(facts))
    asked = tmp_path, "train-cnn", ["set.npz"], [{"lr": "1"}], ["lr"], [], True
    assert find_runs(*asked)[0].record.settings == {"lr": "1"}
    (tmp_path / "lr=1/run.json").write_text(json.dumps(facts | wrong))
    with pytest.raises(InputError, match="is no run of a sweep: -o names another folder"):
        find_runs(*asked)


def test_what_is_no_value_of_a_switch_is_named_with_those_that_are(cnntool):
    for given in ("off,maybe", "maybe,no"):
        done = cnntool("sweep", "train-cnn", "digits", "--strict", given)
        assert (done.code, done.out) == (2, b"")
        assert "Invalid value for '--strict': no position 'maybe': expected on, off" in done.err


def test_a_second_signal_names_what_it_leaves(cnntool, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(session, "_estimate", lambda *_: session.Estimate(None, 1))
    monkeypatch.setattr(session, "train_all", interrupted)
    done = cnntool("sweep", "train-cnn", "digits", "-o", "runs")
    assert done.code == 130
    assert f"what is done stands in runs{os.sep}: the same command goes on" in done.err

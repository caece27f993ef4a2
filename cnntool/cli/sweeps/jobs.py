"""Trainings as processes of their own, some at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from cnntool.cli.interruption import Interruption
from cnntool.cli.running import LOST, LOST_WORKERS
from cnntool.cli.sweeps.runs import LAST, LOG, SAID, Run
from cnntool.engine.fast.threads import available_cores
from cnntool.errors import InputError
from cnntool.files.atomic import plain_os_errors

PAUSE = 0.02
"""Seconds between two looks at what runs."""

PATIENCE = 10.0
"""Seconds that a process has to end after it was asked for a second time."""

PROGRAM = [sys.executable, "-m", "cnntool"]
CHILD = [sys.executable, "-m", "cnntool.cli.sweeps.child"]
THREADS = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
"""Of the libraries below NumPy: the trainers bring processes and threads of their own."""


class Training:
    """A process that trains a run, on these cores alone where some are named; InputError where the
    run cannot begin."""

    def __init__(self, run: Run, cores: Sequence[int] = ()) -> None:
        self.run = run
        self._began = time.monotonic()
        run.begin()
        goes_on = ["--resume", str(run.folder / LAST)] if run.is_begun else ["-f"]
        goes_on += [] if run.is_begun else ["-o", str(run.model)]
        places = [*goes_on, "--log", str(run.folder / LOG), "--json"]
        trainer, *words = run.words
        with plain_os_errors(run.folder / SAID):
            self._said = open(run.folder / SAID, "ab" if run.is_begun else "wb")  # noqa: SIM115
        self._result = tempfile.TemporaryFile()  # noqa: SIM115
        self._start = self._said.tell()
        self.process = subprocess.Popen(
            [*CHILD, trainer, *places, *words],
            stdin=subprocess.PIPE,  # open as long as we are there
            stdout=self._result,
            stderr=self._said,
            env={**os.environ, **THREADS},
            start_new_session=True,  # Ctrl-C reaches it once, through us
        )
        if cores and hasattr(os, "sched_setaffinity"):
            with suppress(OSError):  # it may have ended
                os.sched_setaffinity(self.process.pid, cores)

    def ask(self, number: int) -> None:
        """Send it a signal; on Windows it has the console's own."""
        if os.name == "posix":
            self.process.send_signal(number)

    def ended(self, was_asked: bool) -> bool:
        """Note in its record what came of it; False where it stopped as it was asked to."""
        run, code = self.run, self.process.wait()
        run.record.seconds += time.monotonic() - self._began
        is_over = not (was_asked and code)
        if code == 0:
            self._result.seek(0)
            found = json.load(self._result)
            run.record.score, run.record.error = _score_of(found)
            run.notes = tuple(found["notes"])
        elif is_over:
            run.record.error = self._reason(code)
        for file in (self._result, self._said, self.process.stdin):
            if file is not None:
                file.close()
        run.save()
        return is_over

    def _reason(self, code: int) -> str:
        if code == -getattr(signal, "SIGKILL", 9):
            return f"{LOST}--jobs 1 needs less"
        with open(self.run.folder / SAID, "rb") as file:
            file.seek(self._start)
            return error_of(file.read(), code)


def _score_of(found: dict[str, Any]) -> tuple[dict[str, Any] | None, str | None]:
    """What a trainer's result says of the validation part, or why it says nothing."""
    score = found.get("score")
    if score is not None and score["value"] is not None:
        return score, None
    if found.get("best") is None:
        return None, "no epoch had a loss that is a number"
    return None, "nothing was held out to validate on, which runs are compared by"


def error_of(said: bytes, code: int) -> str:
    """The line with which a trainer ended."""
    lines = said.decode("utf-8", "backslashreplace").split("\n")
    last = next((line for line in reversed(lines) if line.strip()), "")
    return last.removeprefix("cnntool: ") or f"it ended with the exit code {code}"


def slots_of(jobs: int) -> list[Sequence[int]]:
    """The cores of each job; none where there are fewer cores than jobs."""
    if not hasattr(os, "sched_getaffinity"):
        return [()] * jobs
    cores = sorted(os.sched_getaffinity(0))
    each = len(cores) // jobs
    return [cores[each * k : each * (k + 1)] for k in range(jobs)]


def train_all(runs: Sequence[Run], jobs: int, asked: Interruption) -> Generator[Run]:
    """Each run as it ends, well or not; after a signal those that train save, and no others begin.

    Whatever ends this early ends them, too.
    """
    slots, queue = slots_of(jobs), list(reversed(runs))
    training: dict[int, Training] = {}
    is_told = False
    try:
        while training or (queue and not asked.number):
            if asked.number and not is_told:
                is_told = True
                for each in training.values():
                    each.ask(asked.number)
            while queue and len(training) < jobs and not asked.number:
                run, slot = queue.pop(), min({*range(jobs)} - {*training})
                if begun := _begun(run, slots[slot]):
                    training[slot] = begun
                else:
                    yield run
            over = [slot for slot, each in training.items() if each.process.poll() is not None]
            for each in map(training.pop, over):
                if each.ended(was_asked=bool(asked.number)):
                    yield each.run
            if not over:
                time.sleep(PAUSE)
    finally:
        _end(training.values())


def _begun(run: Run, cores: Sequence[int] = ()) -> Training | None:
    """None where a run cannot begin; why is noted in its record."""
    try:
        return Training(run, cores)
    except InputError as error:
        run.record.error = str(error)
        return None


def _end(training: Iterable[Training]) -> None:
    for each in training:
        each.ask(signal.SIGINT)
    for each in training:
        try:
            each.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            each.process.kill()
            each.process.wait()


def train_on(where: str, runs: Sequence[Run]) -> Generator[Run]:
    """Each run, in their order, once a worker of a cluster has trained it.

    A run whose worker is killed goes on with another; where this ends early, those that train save.
    """
    from cnntool.cli.cluster import on_cluster

    with on_cluster(where, _train_each, runs, _lost, "the same command goes on") as results:
        for run, found in zip(runs, results, strict=True):
            run.record, run.notes, run.is_anew = found.record, found.notes, found.is_anew
            yield run


def _train_each(runs: Iterable[Run]) -> Iterator[Run]:
    """What a worker does."""
    from cnntool.cli.cluster import is_wanted

    for run in runs:
        if training := _begun(run):
            was_asked = False
            while training.process.poll() is None:
                if not was_asked and not is_wanted():
                    was_asked = True
                    training.ask(signal.SIGINT)
                time.sleep(PAUSE)
            training.ended(was_asked)
        yield run


def _lost(run: Run) -> Run:
    run.record.error = LOST_WORKERS
    return run


class Trial(NamedTuple):
    """How long a run would take, its start being that of the trial, or takes at least; or the line
    that says why it cannot be, and the exit code."""

    seconds: float
    is_least: bool = False
    reason: str = ""
    code: int = 0


def probe(run: Run) -> Trial:
    """Ask the trainer what would come of a run, from its beginning."""
    began = time.monotonic()
    trainer, *words = run.words
    done = subprocess.run(
        [*PROGRAM, trainer, "--dry-run", "--json", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**os.environ, **THREADS},
    )
    if done.returncode:
        reason = error_of(done.stderr, done.returncode)
        return Trial(0.0, reason=reason, code=done.returncode)
    found = json.loads(done.stdout)
    return Trial(found["seconds"] + time.monotonic() - began, found["at_least"])


def usual_jobs(processes: int, runs: int) -> int:
    return max(1, min(runs, available_cores() // processes))

"""One call of `cnntool sweep`: find the runs, train those that are not done, compare all."""

from __future__ import annotations

import os
import shlex
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from cnntool.cli.console import complain, print_json, print_line, progress
from cnntool.cli.files import STDIO
from cnntool.cli.interruption import Interruption, finishing_first
from cnntool.cli.running import Notes
from cnntool.cli.sweeps.jobs import probe, train_all, train_on, usual_jobs
from cnntool.cli.sweeps.options import Asked, Sweep
from cnntool.cli.sweeps.report import Table, picture, score_text
from cnntool.cli.sweeps.runs import Run, find_runs
from cnntool.cli.sweeps.settings import SEED
from cnntool.errors import InputError, RequestError
from cnntool.files.atomic import (
    atomic_write,
    check_writable,
    is_device,
    make_folder,
    plain_os_errors,
    written_alone,
)
from cnntool.wording import counted, duration, valid_json

LINES = "sweep.jsonl"


@dataclass(frozen=True)
class Estimate:
    """seconds: of one run. jobs: that train at a time. None where that cannot be told. is_least:
    whether seconds are the least that it takes."""

    seconds: float | None
    jobs: int | None
    is_least: bool = False

    def text(self, count: int) -> str:
        """Such as ``12 to do, 2 at a time, of about 20 s: 2 min 0 s``."""
        text = f"{count:,} to do, "
        text += f"{self.jobs:,} at a time" if self.jobs else "by the cluster's workers"
        if self.seconds is None:
            return text
        text += f", of {'at least' if self.is_least else 'about'} {duration(self.seconds)}"
        if (total := self.total(count)) is None:
            return text
        return f"{text}: {'at least ' if self.is_least else ''}{duration(total)}"

    def total(self, count: int) -> float | None:
        if self.seconds is None or self.jobs is None:
            return None
        return self.seconds * -(-count // self.jobs)


def run(asked: Asked) -> int:
    """Do what was asked for; the exit code."""
    options = asked.options
    folder = Path(options.output or f"sweep-{asked.trainer}")
    _check(asked)
    if options.dry_run:
        return _dry_run(asked, _found(asked, folder))
    is_new = not folder.exists()
    make_folder(folder)
    try:
        with written_alone(folder / LINES):
            return _run(asked, folder)
    finally:
        if is_new:
            with suppress(OSError):  # of what has a run
                folder.rmdir()


def _check(asked: Asked) -> None:
    """RequestError or InputError for what cannot be, before any work."""
    if any(each.get("val-split") == "0" for each in asked.settings):
        raise RequestError(
            "--val-split 0 holds nothing out to validate on, which runs are compared by: leave it "
            "out"
        )
    if asked.options.cluster and asked.options.jobs:
        raise RequestError("--jobs is of this machine, and --cluster has its own: use one of them")
    if asked.options.output == STDIO:
        raise RequestError("-o - is stdout, and runs need a folder: name one")
    if STDIO in asked.data:
        raise RequestError("- is stdin, which only one run could read: name a file")
    for name in asked.data:
        if is_device(name):
            raise RequestError(f"{name} is no regular file, and every run reads it: name one")
    if asked.options.picture is not None:
        from cnntool.visuals.charts import check_there

        if not set(asked.varied) - {SEED}:
            raise RequestError("--picture needs a setting with several values: give one such")
        path = Path(asked.options.picture)
        check_there(path.suffix)
        check_writable(path, asked.options.force)


def _found(asked: Asked, folder: Path) -> list[Run]:
    names = asked.settings, asked.varied, asked.paths
    return find_runs(folder, asked.trainer, asked.data, *names, asked.options.force)


def _run(asked: Asked, folder: Path) -> int:
    options, runs = asked.options, _found(asked, folder)
    left = [each for each in runs if not each.is_done]
    if left:
        estimate = _estimate(asked, left)
        if not options.quiet:
            complain(f"{counted(len(runs), 'run')}: {estimate.text(len(left))}")
        signals = Interruption()  # of a cluster it is an exception, which cancels
        try:
            if options.cluster:
                _train(runs, left, train_on(options.cluster, left), folder, options.quiet)
            else:
                with finishing_first() as signals:
                    ended = train_all(left, estimate.jobs or 1, signals)
                    _train(runs, left, ended, folder, options.quiet)
        except (KeyboardInterrupt, SystemExit):
            complain(f"what is done stands in {folder}{os.sep}: the same command goes on")
            raise
        if signals.number:
            done = sum(each.is_done for each in runs)
            count = counted(len(runs), "run")
            complain(f"stopped with {done} of {count} done: the same command goes on")
            return signals.exit_code
    _write(runs, folder)
    return _report(asked, runs)


def _train(
    runs: Sequence[Run], left: Sequence[Run], trained: Generator[Run], folder: Path, quiet: bool
) -> None:
    """Train what is left, each as ``trained`` gives it; sweep.jsonl has a line more behind each.

    What is done stands there first, and a run that failed before is one that is left.
    """
    _write([each for each in runs if each.is_done], folder)
    with (
        closing(trained),
        progress("training", len(left), quiet) as advance,
        Notes(quiet) as notes,
    ):
        for number, each in enumerate(trained, 1):
            with plain_os_errors(folder / LINES), open(folder / LINES, "ab") as file:
                file.write(_line(each))
            record = each.record
            place = f"{number}/{len(left)} {each.name}"
            if record.score is None:
                complain(f"{place}: {record.error}")
            elif not quiet:
                complain(f"{place}: {_said(record.score)} in {duration(record.seconds)}")
            for note in each.notes:
                notes.say(f"{each.name}: ", note)
            advance()


def _said(score: dict) -> str:
    return f"{score['name']} {score_text(score['name'], score['value'])}"


def _write(runs: Sequence[Run], folder: Path) -> None:
    """Write sweep.jsonl: a line a run that has ended."""
    ended = (each for each in runs if each.record.score or each.record.error)
    with atomic_write(folder / LINES, overwrite=True) as file:
        file.writelines(map(_line, ended))


def _line(each: Run) -> bytes:
    return valid_json(each.entry()).encode() + b"\n"


def _estimate(asked: Asked, left: Sequence[Run]) -> Estimate:
    """Of the first run that is left, and of the last one, too, where the first cannot be or nothing
    but the time is asked for. InputError or RequestError, as the trainer says it, where none can,
    and no run is done."""
    found = [probe(left[0])]
    if asked.options.dry_run or found[0].reason:
        found += map(probe, left[1:][-1:])
    told = [each for each in found if not each.reason]
    if not told and len(left) == len(asked.settings):
        raise (RequestError if found[0].code == 2 else InputError)(found[0].reason)
    mean = sum(each.seconds for each in told) / len(told) if told else None
    is_least = any(each.is_least for each in told)
    return Estimate(mean, _jobs(asked.options, left), is_least)


def _jobs(options: Sweep, left: Sequence[Run]) -> int | None:
    """How many train at a time; None where only a scheduler knows."""
    if options.cluster:
        kind, _, count = options.cluster.partition(":")
        return min(int(count), len(left)) if kind == "local" else None
    processes = max(int(each.setting["processes"]) for each in left)
    return min(options.jobs or usual_jobs(processes, len(left)), len(left))


def _dry_run(asked: Asked, runs: list[Run]) -> int:
    """The runs, a line each, and how long those would take that are left."""
    left = [each for each in runs if not each.is_done]
    estimate = _estimate(asked, left) if left else None
    if asked.options.as_json:
        seconds = estimate.total(len(left)) if estimate else 0.0
        lines = [{**each.entry(), "command": command_of(each)} for each in runs]
        print_json({"runs": lines, "left": len(left), "seconds": seconds})
        return 0
    for each in runs:
        print_line(f"{each.folder}{os.sep}\t{command_of(each)}", is_asked_for=True)
    time = estimate.text(len(left)) if estimate else "all done"
    complain(f"{counted(len(runs), 'run')}: {time}; nothing is written")
    return 0


def command_of(each: Run) -> str:
    """What trains it, as a shell reads it."""
    return shlex.join(["cnntool", *each.words])


def _report(asked: Asked, runs: list[Run]) -> int:
    table = Table.of(runs, asked.varied)
    failed = [each for each in runs if each.record.score is None]
    best = table.best
    if asked.options.picture is not None and best is not None:
        picture(table, Path(asked.options.picture), asked.options.force)
    if asked.options.as_json:
        print_json(table.facts() | {"command": best and command_of(best.runs[0])})
    elif best is not None:
        table.show()
        print_line(command_of(best.runs[0]), is_asked_for=True)
    if best is not None and not asked.options.quiet:
        for note in table.notes():
            complain(note)
    return 1 if failed else 0

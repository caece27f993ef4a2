"""The runs of a sweep as they lie in its folder, one in a folder of its own, and what each is of.

``run.json`` there says with what settings and on what data the run was begun, and what came of it;
``model.npz``, ``model.last.npz``, ``log.jsonl`` and ``said.txt`` are the trainer's.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Any

from cnntool.cli.files import identity
from cnntool.cli.sweeps.settings import SEED, Setting, name_of, words_of
from cnntool.errors import InputError
from cnntool.files.atomic import atomic_write, make_folder, written_alone
from cnntool.wording import counted, plain, readable

RECORD = "run.json"
MODEL, LAST, LOG, SAID = "model.npz", "model.last.npz", "log.jsonl", "said.txt"
BLOCK = 1 << 20
PATIENCE = 10.0
"""Seconds that a training may take to end."""


@dataclass
class Record:
    """What ``run.json`` holds.

    files: SHA-256 of what is read, by path. seconds: that it took so far. score: as the trainer
    reports it, None before the end. error: why there is none.
    """

    trainer: str
    data: list[str]
    settings: dict[str, str]
    files: dict[str, str]
    seconds: float = 0.0
    score: dict[str, Any] | None = None
    error: str | None = None

    @property
    def key(self) -> str:
        """What makes it the run that it is, whatever it is called."""
        return json.dumps([self.trainer, self.data, sorted(self.settings.items())])


@dataclass
class Run:
    """One training. is_anew: whether what stands in its folder is of another run. notes: what the
    trainer had to say of data and options."""

    folder: Path
    setting: Setting
    record: Record
    is_anew: bool = False
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def model(self) -> Path:
        return self.folder / MODEL

    @property
    def seed(self) -> str:
        return self.setting.get(SEED, "")

    @property
    def is_done(self) -> bool:
        """Whether it has come to its end, and its model is there."""
        return not self.is_anew and self.record.score is not None and self.model.is_file()

    @property
    def is_begun(self) -> bool:
        """Whether there is something to go on with."""
        return not self.is_anew and (self.folder / LAST).is_file()

    @property
    def words(self) -> list[str]:
        """Of the command that trains it."""
        data = self.record.data
        options = words_of(self.setting)
        if any(name.startswith("-") for name in data):
            return [self.record.trainer, *options, "--", *data]
        return [self.record.trainer, *data, *options]

    def begin(self) -> None:
        """Make its folder and its record; of another run nothing stays that this one could go on
        with."""
        make_folder(self.folder)
        _wait_for(self.model)
        for name in (LAST, MODEL, LOG) if self.is_anew else ():
            (self.folder / name).unlink(missing_ok=True)
        self.is_anew = False
        self.record.error = None
        self.save()

    def save(self) -> None:
        """Write ``run.json``; InputError where that cannot be."""
        with atomic_write(self.folder / RECORD, overwrite=True) as file:
            file.write(json.dumps(plain(self.record), indent=1).encode())

    def entry(self) -> dict[str, Any]:
        """Its line in ``sweep.jsonl``."""
        score = self.record.score or {}
        return {
            "run": self.name,
            "settings": dict(self.setting),
            "measure": score.get("name"),
            "score": score.get("value"),
            "seconds": round(self.record.seconds, 3),
            "path": readable(self.model) if score else None,
            "error": self.record.error,
        }


def _wait_for(model: Path) -> None:
    """Until no other process writes it, as a training that saves its run where its sweep was
    killed; InputError where one goes on."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with written_alone(model):
                return
        except InputError:
            if time.monotonic() > end:
                raise
            time.sleep(PATIENCE / 100)


def find_runs(
    folder: Path,
    trainer: str,
    data: Sequence[str],
    settings: Iterable[Setting],
    varied: Sequence[str],
    paths: Sequence[str],
    force: bool,
) -> list[Run]:
    """A run a setting, each as far as it has come; InputError where the folder of one holds another
    run, or one on other data, unless by ``force`` that is done anew."""
    known = {run.key: place for place, run in _records(folder)}
    digests: dict[str, str] = {}
    found, wrong = [], []
    for setting in settings:
        read = [*data, *(setting[name] for name in paths if name in setting)]
        files = {path: _digest(path, folder, digests) for path in read if os.path.exists(path)}
        record = Record(trainer, [*data], dict(setting), files)
        place = known.get(record.key)
        run = Run(place or folder / name_of(setting, varied), setting, record)
        found.append(run)
        if not os.path.lexists(run.folder):
            continue
        before = _read(run.folder)
        if before is None:
            if any(run.folder.iterdir()) if run.folder.is_dir() else True:
                raise InputError(f"{run.folder} is no run of a sweep: -o names another folder")
        elif reason := _differs(before, record):
            run.is_anew = True
            wrong.append(f"{run.folder} holds a run {reason}")
        else:
            run.record = before
    if wrong and not force:
        more = f", and {counted(len(wrong) - 1, 'other')} likewise" if wrong[1:] else ""
        raise InputError(f"{wrong[0]}{more}: -f does it anew, -o names another folder")
    return found


def _records(folder: Path) -> Iterable[tuple[Path, Record]]:
    for path in sorted(folder.glob(f"*/{RECORD}")):
        record = _read(path.parent)
        if record is not None:
            yield path.parent, record


def _read(folder: Path) -> Record | None:
    """What stands in the folder of a run; None where that is no such folder."""
    try:
        facts = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        found = Record(**{each.name: facts[each.name] for each in fields(Record)})
        return found if _is_sound(found) else None
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _is_sound(record: Record) -> bool:
    """Whether all is of the kind that was put down: a file may come from anywhere."""
    texts = (record.settings, record.files)
    if not all(isinstance(each, dict) for each in texts) or not isinstance(record.data, list):
        return False
    words = [record.trainer, *record.data, *(word for each in texts for word in each.values())]
    if record.score is not None:
        words += [record.score["name"], record.score["better"]]
    numbers = [record.seconds, record.score["value"] if record.score else 0]
    return (
        all(isinstance(word, str) for word in [*words, record.error or ""])
        and all(isinstance(number, int | float) for number in numbers)
        and all(map(isfinite, numbers))
    )


def _differs(before: Record, now: Record) -> str:
    """What tells a run from the one that is asked for; '' where nothing does."""
    if before.trainer != now.trainer or before.data != now.data:
        return f"of {' '.join([before.trainer, *before.data])}"
    for name in [*before.settings, *now.settings]:
        one, other = (each.settings.get(name) for each in (before, now))
        if one != other:
            was = f"without --{name}" if one is None else f"with --{name} {one}"
            return was if other is None else f"{was}, not {other}" if one else f"{was} {other}"
    for path in [*before.files, *now.files]:
        if before.files.get(path) != now.files.get(path):
            return f"on other data: {path} has changed since"
    return ""


def _digest(path: str, folder: Path, known: dict[str, str]) -> str:
    """SHA-256 of a file, or of all that lies in a folder but for the sweep's own."""
    if path not in known:
        found = hashlib.sha256()
        for file in _files(path, identity(folder)):
            found.update(os.fsencode(os.path.relpath(file, path)) + b"\0")
            try:
                with open(file, "rb") as opened:
                    while block := opened.read(BLOCK):
                        found.update(block)
            except OSError as error:
                raise InputError(f"{file} cannot be read: {error.strerror}") from None
        known[path] = found.hexdigest()
    return known[path]


def _files(path: str, own: str) -> list[str]:
    """Files, or those below a folder: no pipes, which trainers leave out."""
    if not os.path.isdir(path):
        return [path]
    found = []
    for parent, folders, names in os.walk(path):
        folders[:] = [each for each in folders if identity(Path(parent, each)) != own]
        found += [os.path.join(parent, name) for name in names]
    return sorted(filter(os.path.isfile, found))

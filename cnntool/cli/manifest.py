"""What was done, a line of JSON an input, so that a later run leaves out what is done already.

    {"cnntool": "0.1.0", "input": {"path": "a.png", "size": 9, "mtime_ns": 1, "hash": "..."},
     "settings": {"hash": "...", "command": "convolve", "specs": ["sobel"]},
     "outputs": [{"path": "out/a-sobel.png", "size": 9, "mtime_ns": 2, "hash": "..."}]}

Lines are only appended, each by one write, so that several runs may share the file on one machine;
of an input and its outputs the last line counts. A size and a time that are as they were stand for
the content; only where the time alone differs is the content read and its hash compared.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from cnntool import __version__
from cnntool.cli.files import Source
from cnntool.errors import InputError
from cnntool.files.atomic import check_free, make_folder
from cnntool.wording import counted, joined, plain, readable, valid_json

START = b'{"cnntool": "'
"""Of every line: what else begins so, and is no line, was cut short."""

UNCHANGED = "unchanged"
SETTINGS, INPUT = "whose settings changed", "whose input changed"
MISSING, CHANGED = "whose output is missing", "whose output was changed"
AGAIN = (SETTINGS, INPUT, MISSING, CHANGED)
"""Why what was done is done again."""

CHUNK_BYTES = 1 << 20

LONGEST = 1 << 24
"""Bytes of a line."""


State = dict[str, Any]
"""Of a file, as :func:`state_of` tells it."""


class Fate(NamedTuple):
    """What becomes of an image, as far as its outputs tell, before it is read.

    kept: outputs that stay; where these are all, nothing is done.
    overwrite: the others may be overwritten. adopt: one that exists may stay if it is the same.
    why: UNCHANGED or one of AGAIN, '' without a manifest or for what is new to it.
    states: of the input and its outputs, where they are as the manifest has them but for the time.
    """

    kept: frozenset[Path] = frozenset()
    overwrite: bool = False
    adopt: bool = False
    why: str = ""
    states: tuple[State, list[State]] | None = None


class Manifest:
    """The lines of a file that concern a run, and the place for those to come."""

    def __init__(
        self,
        path: str,
        settings: dict[str, Any],
        wanted: Iterable[tuple[Source, Sequence[Path]]],
        is_read_only: bool = False,
    ) -> None:
        """wanted: inputs of the run with their outputs. is_read_only: nothing will be appended,
        and no file is made. InputError for a file that is no manifest."""
        import hashlib

        self.path = path
        self.notes: list[str] = []
        facts = plain(settings)
        text = json.dumps([__version__, facts], sort_keys=True)
        digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        self._settings = {"hash": digest, **facts}
        self._lines: dict[tuple[str, ...], bytes] = {}
        self._ends_well = True
        self._read({_key(source, paths) for source, paths in wanted})
        self._file = -1 if is_read_only else self._opened()

    def _read(self, wanted: Container[tuple[str, ...]]) -> None:
        torn = 0
        if os.path.exists(self.path) and not os.path.isfile(self.path):
            raise InputError(f"{self.path} is no regular file: name one such as done.jsonl")
        try:
            with open(self.path, "rb") as file:
                for number, line in enumerate(iter(partial(file.readline, LONGEST), b""), 1):
                    self._ends_well = line.endswith(b"\n")
                    if (record := _parsed(line)) is not None:
                        states = record["input"], *record["outputs"]
                        key = tuple(state["path"] for state in states)
                        if key in wanted:
                            self._lines[key] = line
                    elif START.startswith(line.strip()[: len(START)]):
                        torn += bool(line.strip())
                    else:
                        raise InputError(
                            f"{self.path} is no manifest, by its line {number}: name one that "
                            "--manifest made, or a new file"
                        )
        except FileNotFoundError:
            return
        except OSError as error:
            raise InputError(f"{self.path} cannot be read: {error.strerror}") from None
        if torn:
            self.notes.append(f"{self.path}: {counted(torn, 'line')} cut short, passed over")

    def _opened(self) -> int:
        make_folder(os.path.dirname(self.path))
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
        try:
            file = os.open(self.path, flags, 0o666)
            if not self._ends_well:
                os.write(file, b"\n")
        except OSError as error:
            raise self._unwritable(error) from None
        return file

    def _unwritable(self, error: OSError) -> InputError:
        said = error.strerror
        return InputError(f"the manifest {self.path} cannot be written: {said}")

    def append(self, read: State, written: Sequence[State]) -> None:
        """Put down, by one write, an input that is done: its state when it was read, and those of
        its outputs."""
        record = {"cnntool": __version__, "input": read, "settings": self._settings}
        line = valid_json(record | {"outputs": written}).encode() + b"\n"
        try:
            if os.write(self._file, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise self._unwritable(error) from None

    def close(self) -> None:
        """Nothing is appended from now on."""
        if self._file != -1:
            os.close(self._file)
            self._file = -1

    def fate(self, source: Source, paths: Sequence[Path], force: bool) -> Fate:
        """What becomes of an input with these outputs; InputError for one that is not ours."""
        line = self._lines.get(_key(source, paths))
        if line is None or source.path is None:
            for path in paths:
                check_free(path, force or path.is_file())
            return Fate(overwrite=force, adopt=True)
        record = json.loads(line)
        pairs = zip(paths, record["outputs"], strict=True)
        written = [_if_unchanged(path, known) for path, known in pairs]
        for path, state in zip(paths, written, strict=True):
            if state is None and os.path.lexists(path):
                if not force:
                    raise InputError(
                        f"{path} was changed since the manifest has it: -f overwrites it"
                    )
                return Fate(overwrite=True, why=CHANGED)
        if record["settings"]["hash"] != self._settings["hash"]:
            return Fate(overwrite=True, why=SETTINGS)
        read = _if_unchanged(source.path, record["input"])
        if read is None:
            return Fate(overwrite=True, why=INPUT)
        there = [state for state in written if state is not None]
        if len(there) < len(written):
            return Fate(overwrite=True, why=MISSING)
        is_fresh = (read, there) != (record["input"], record["outputs"])
        states = (read, there) if is_fresh else None
        return Fate(frozenset(paths), why=UNCHANGED, states=states)

    def summary(self, whys: Iterable[str]) -> str:
        """What was left out, and why others were done again, in one note; '' for neither."""
        counts = Counter(whys)
        said = []
        if counts[UNCHANGED]:
            said.append(f"{counted(counts[UNCHANGED], 'image')} unchanged and left out")
        again = [f"{counts[why]:,} {why}" for why in AGAIN if counts[why]]
        if again:
            said.append(f"done again: {joined(again)}")
        return f"{self.path}: {'; '.join(said)}" if said else ""


def state_of(path: Path) -> State:
    """What tells whether a file is still the same: its size, when it was changed, and a hash."""
    import hashlib

    found = os.stat(path)
    digest = hashlib.blake2b(digest_size=16)
    if stat.S_ISREG(found.st_mode):
        with open(path, "rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
    return {
        "path": readable(path),
        "size": found.st_size,
        "mtime_ns": found.st_mtime_ns,
        "hash": digest.hexdigest(),
    }


def _if_unchanged(path: Path, known: State) -> State | None:
    """The state of a file whose content is as it was known; None where it is another, or none."""
    try:
        found = os.stat(path)
        if found.st_size != known["size"]:
            return None
        if found.st_mtime_ns == known["mtime_ns"]:
            return known
        state = state_of(path)
    except OSError:
        return None
    return state if state["hash"] == known["hash"] else None


def _key(source: Source, paths: Sequence[Path]) -> tuple[str, ...]:
    return tuple(readable(str(path)) or "" for path in (source.name, *paths))


def _parsed(line: bytes) -> dict[str, Any] | None:
    """A line as it was put down; None for anything else."""
    if not line.startswith(START):
        return None
    try:
        record = json.loads(line)
        for state in (record["input"], *record["outputs"]):
            if not isinstance(state["path"] + state["hash"], str):
                return None
            if not isinstance(state["size"] + state["mtime_ns"], int):
                return None
        return record if isinstance(record["settings"]["hash"], str) else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None

"""What is said of every image, in the order of the inputs, whichever is done first."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from cnntool.cli.console import complain

if TYPE_CHECKING:
    from cnntool.imaging.image import Image


@dataclass
class Report:
    """What there is to say about one input once it is done."""

    name: str
    error: str = ""
    skipped: bool = False
    notes: list[str] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)  # for stdout
    pictures: list[Image] = field(default_factory=list)  # to draw


class Reporter:
    """Takes reports from several threads and says them one after the other."""

    def __init__(self, as_json: bool, quiet: bool):
        self.failed = False
        self._as_json, self._quiet = as_json, quiet
        self._waiting: dict[int, Report] = {}
        self._next, self._lock = 0, Lock()

    def done(self, index: int, report: Report) -> None:
        """Say the report of this input, once all before it are said."""
        with self._lock:
            self._waiting[index] = report
            while self._next in self._waiting:
                self._say(self._waiting.pop(self._next))
                self._next += 1

    def _say(self, report: Report) -> None:
        if report.error:
            self.failed = True
            complain(report.error)
        if not self._quiet:
            for note in report.notes:
                complain(note)
        for picture in report.pictures:
            from cnntool.cli.terminal_picture import draw

            draw(picture)
        lines = [json.dumps(_entry(report))] if self._as_json else report.lines
        try:
            for line in lines:
                print(line, flush=True)
        except BrokenPipeError:  # the reader has enough; the work goes on
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _entry(report: Report) -> dict[str, Any]:
    name = os.fsencode(report.name).decode(errors="backslashreplace")  # JSON is Unicode
    entry = {"input": name, "outputs": report.outputs, "error": report.error or None}
    return entry | ({"skipped": True} if report.skipped else {})


def reason(error: Exception, name: str) -> str:
    """One line that says what went wrong, and with which input."""
    if isinstance(error, MemoryError):
        return f"{name}: not enough memory{f' ({error})' if str(error) else ''}"
    message = str(error)
    if isinstance(error, OSError) and error.strerror:
        message = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return message if name in message else f"{name}: {message}"

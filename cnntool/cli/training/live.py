"""How a run is watched: a live line on a terminal, else a plain line an epoch."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cnntool.cli.console import complain
from cnntool.errors import InputError
from cnntool.files.atomic import make_folder
from cnntool.training.loop import Epoch, Step, Trainer
from cnntool.training.measures import Measure
from cnntool.training.progress import OF_DECODERS
from cnntool.wording import SPARKS, counted, duration, sparkline, valid_json

REFRESH_SECONDS = 0.125
"""Between two pictures of the screen, so that drawing takes no time from training."""

FIRST_STEPS, WORTH_SAYING = 10, 10.0
"""Of a run without a screen: after how many steps its time is said, and from how many seconds."""

SPARK_LENGTH = 24
MOST_MEANS = 64 * SPARK_LENGTH
"""That a curve is drawn from, so that the last step's takes no longer than the first one's."""


def epoch_line(epoch: Epoch, epochs: int, measure: Measure) -> str:
    """An epoch in one line, which a terminal of 80 columns holds."""
    part = f", to step {epoch.step:,}" if epoch.step else ""
    text = f"epoch {epoch.epoch}/{epochs}{part}: loss {epoch.loss:.4f}, "
    text += measure.judged(getattr(epoch, measure.kind))
    if epoch.validation_loss == epoch.validation_loss:
        judged = getattr(epoch, f"validation_{measure.kind}")
        text += f"; validation {epoch.validation_loss:.4f}, {measure.text(judged)}"
    return text + ("; best" if epoch.is_best else "")


class Means:
    """The means of runs of values, all of one length, which doubles as often as they get many."""

    def __init__(self, most: int = MOST_MEANS) -> None:
        self.values: list[float] = []
        self._most, self._length = most, 1
        self._sum, self._count = 0.0, 0

    def add(self, value: float) -> None:
        self._sum, self._count = self._sum + value, self._count + 1
        if self._count < self._length:
            return
        self.values.append(self._sum / self._count)
        self._sum, self._count = 0.0, 0
        if len(self.values) == self._most:
            pairs = zip(self.values[::2], self.values[1::2], strict=True)
            self.values = [(one + two) / 2 for one, two in pairs]
            self._length *= 2


class PlainView:
    """A line on stderr when an epoch is done, and before a long run how long it will take."""

    def __init__(self, measure: Measure, epochs: int, left: int = 0) -> None:
        self._measure, self._epochs, self._left = measure, epochs, left
        self._taken: list[float] = []

    def step(self, step: Step) -> None:
        """A pipe wants no picture of every step: the first ones tell of all that are left."""
        if len(self._taken) == FIRST_STEPS:
            return
        self._taken.append(step.seconds)
        if len(self._taken) == FIRST_STEPS:
            seconds = self._left * sorted(self._taken)[FIRST_STEPS // 2]
            if seconds >= WORTH_SAYING:
                complain(f"{counted(self._left, 'step')} take about {duration(seconds)}")

    def epoch(self, epoch: Epoch) -> None:
        complain(epoch_line(epoch, self._epochs, self._measure))


class LiveView(PlainView):
    """A bar with the time left, samples a second, loss, accuracy and how the loss went."""

    def __init__(self, trainer: Trainer) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        from cnntool.cli.console import console

        task, epochs, steps = trainer.task, trainer.settings.epochs, trainer.steps
        epoch, step = trainer.place
        super().__init__(task.measure, epochs)
        self._counts = task.feed.counts
        screen = console(stderr=True)
        try:
            SPARKS.encode(screen.encoding)
            self._has_sparks = screen.width >= 100
        except UnicodeEncodeError:
            self._has_sparks = False
        columns = (
            TextColumn("{task.description}"),
            BarColumn(20),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[facts]}"),
        )
        self._bar = Progress(*columns, console=screen, transient=True, auto_refresh=False)
        self._task = self._bar.add_task(
            "", total=epochs * steps, completed=epoch * steps + step, facts=""
        )
        self._steps, self._losses, self._shown = steps, Means(), 0.0
        self._samples, self._correct, self._seconds, self._loss = 0, 0, 0.0, 0.0

    def __enter__(self) -> LiveView:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def step(self, step: Step) -> None:
        self._samples += step.samples
        self._correct += step.correct
        self._seconds += step.seconds
        self._loss += step.loss * step.samples
        self._losses.add(step.loss)
        now = time.monotonic()
        if now - self._shown < REFRESH_SECONDS and step.step < step.steps:
            return
        self._shown = now
        done = (step.epoch - 1) * self._steps + step.step
        loss = self._loss / self._samples
        value = loss if self._measure.by_loss else self._correct / self._samples
        facts = (
            f"{self._samples / max(self._seconds, 1e-9):,.0f} {self._counts}s/s  loss {loss:.4f}  "
            f"{self._measure.judged(value)}"
        )
        if self._has_sparks:
            facts += f"  {sparkline(self._losses.values, SPARK_LENGTH)}"
        name = f"epoch {step.epoch}/{self._epochs}"
        self._bar.update(self._task, completed=done, description=name, facts=facts, refresh=True)

    def epoch(self, epoch: Epoch) -> None:
        line = epoch_line(epoch, self._epochs, self._measure)
        self._bar.console.print(line, highlight=False, markup=False)
        self._samples, self._correct, self._seconds, self._loss = 0, 0, 0.0, 0.0


@contextmanager
def watching(trainer: Trainer, quiet: bool) -> Iterator[PlainView | None]:
    """The view of a run that fits where stderr goes, None of a quiet one."""
    measure, epochs, (epoch, step) = trainer.task.measure, trainer.settings.epochs, trainer.place
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with LiveView(trainer) as view:
            yield view
    else:
        yield PlainView(measure, epochs, (epochs - epoch) * trainer.steps - step)


class Log:
    """Lines appended to a file; a disk that takes no more ends the log and not the training.

    is_whole: whether all of them were written.
    """

    def __init__(self, path: str | None, append: bool, task: str, steps: bool = False) -> None:
        self.has_steps = steps and path is not None
        self.is_whole = True
        self._path, self._task, self._file = path, task, None
        if path is None:
            return
        make_folder(os.path.dirname(path))
        try:
            if append and os.path.isfile(path):
                _end_in_a_line(path)
            self._file = open(path, "a" if append else "w", encoding="utf-8")  # noqa: SIM115
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror or error}") from None

    def write(self, event: str, facts: dict[str, Any]) -> None:
        """One line: the event, the kind of task, and numbers; null for what is none. Of decoders
        without the accuracy of tokens, which is none of what they say."""
        if self._file is None:
            return
        if self._task in OF_DECODERS:
            facts = {key: value for key, value in facts.items() if not key.endswith("accuracy")}
        line = valid_json({"event": event, "task": self._task, **facts})
        try:
            self._file.write(line + "\n")
            self._file.flush()
        except OSError as error:
            complain(
                f"{self._path}: the log ends here: {error.strerror or error}; training goes on, "
                "without it: make room, or name another file with --log"
            )
            self._file, self.is_whole = None, False

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


LONGEST_LINE = 1 << 16
"""Bytes, of a log."""


def _end_in_a_line(path: str) -> None:
    """Cut off the line that a run was writing as it was killed; OSError as of opening."""
    with open(path, "r+b") as file:
        start = file.seek(max(0, os.path.getsize(path) - LONGEST_LINE))
        file.truncate(start + file.read().rfind(b"\n") + 1)

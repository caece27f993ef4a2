"""Signals that ask a long run to end: the first is noted, the second ends it at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
WORDS = b"\nfinishing this step to save the run; again quits at once\n"


@dataclass
class Interruption:
    """The signal that came first, 0 before."""

    number: int = 0

    @property
    def exit_code(self) -> int:
        return 128 + self.number


@contextmanager
def finishing_first() -> Iterator[Interruption]:
    """Note the first signal that asks to end, and raise what ends the program at the second.

    A signal that is ignored stays so, as ``nohup`` wants it.
    """
    asked, before = Interruption(), {}

    def note(number: int, frame: object) -> None:
        if asked.number:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            sys.exit(128 + number)
        asked.number = number
        with suppress(OSError):
            if os.isatty(2):
                os.write(2, WORDS)

    for name in NAMES:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, note)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

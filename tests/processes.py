"""Running the command, in a process of its own or in this one, and reading what it wrote."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from unittest import mock

import numpy as np
from PIL import Image

from cnntool.__main__ import _run

COMMAND = [sys.executable, "-m", "cnntool"]


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code and what it said."""

    code: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.decode().splitlines()


def report(done: Done) -> dict:
    """What a command that ended well said with ``--json``."""
    assert done.code == 0, done.err
    return json.loads(done.out)


def run_here(*arguments: str, stdin: bytes = b"") -> Done:
    """Run ``cnntool ARGUMENTS...`` in this process, between pipes.

    It does all that a process of its own does but start and end, which take most of the time.
    """
    (source, feed), (out, to_out), (err, to_err) = os.pipe(), os.pipe(), os.pipe()
    text = {"encoding": "utf-8", "errors": "surrogateescape"}
    with ThreadPoolExecutor(3) as helpers:
        helpers.submit(_feed, feed, stdin)
        said = [helpers.submit(_drain, end) for end in (out, err)]
        with (
            open(source, **text) as stdin_,
            open(to_out, "w", **text) as stdout,
            open(to_err, "w", **text) as stderr,
            mock.patch.multiple(sys, stdin=stdin_, stdout=stdout, stderr=stderr),
            mock.patch.object(sys, "argv", ["cnntool", *arguments]),
        ):
            before = signal.getsignal(signal.SIGINT)
            code = _run()
            if signal.getsignal(signal.SIGINT) is not before:  # after Ctrl-C
                signal.signal(signal.SIGINT, before)
    written, complaints = (each.result() for each in said)
    return Done(code, written, complaints.decode("utf-8", "backslashreplace"))


MOVES = ("replace", "link", "rename", "unlink")
"""What gives files their names and takes them away."""


def is_killed(number: int, *arguments: str) -> bool:
    """Whether the command is killed before or behind its move of a file of this number, from 0."""
    child = os.fork()
    if not child:
        with suppress(BaseException):
            _kill_at(number)
            os._exit(run_here(*arguments).code)
        os._exit(99)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code != 0


def _kill_at(number: int) -> None:
    moments = iter(range(sys.maxsize))

    def killing(move):
        def moved(*arguments, **options):
            for is_done in (False, True):
                if is_done:
                    result = move(*arguments, **options)
                if next(moments) == number:
                    os.kill(os.getpid(), signal.SIGKILL)
            return result

        return moved

    for name in MOVES:
        setattr(os, name, killing(getattr(os, name)))


def imported_by_help(*words: str) -> list[str]:
    """Which of NumPy, Pillow and Rich ``cnntool WORDS... --help`` imports."""
    code = (
        "import sys; sys.argv = ['cnntool', *sys.argv[1:], '--help']\n"
        "from cnntool.__main__ import _run\n"
        "_run()\n"
        "print(*[name for name in ('numpy', 'PIL', 'rich') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()[-1].split()


def _feed(end: int, data: bytes) -> None:
    try:
        with open(end, "wb") as pipe:
            pipe.write(data)
    except BrokenPipeError:  # not all of it was read
        pass


def _drain(end: int) -> bytes:
    with open(end, "rb") as pipe:
        return pipe.read()


def pixels(path) -> np.ndarray:
    """An image file as Pillow reads it."""
    with Image.open(path) as image:
        return np.asarray(image)

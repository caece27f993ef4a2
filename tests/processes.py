"""Running the command, in a process of its own or in this one, and reading what it wrote."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
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
            code = _run()
    written, complaints = (each.result() for each in said)
    return Done(code, written, complaints.decode("utf-8", "backslashreplace"))


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

"""Which files a run reads: those that were named, or those that the run it goes on with read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from cnntool.datasets.texts.text import STDIN
from cnntool.errors import InputError, RequestError

OTHERS = ("valid", "test")
"""The options that name files beside those to learn from."""


def check_stdin(*paths: str | None) -> None:
    if paths.count(STDIN) > 1:
        raise RequestError("- stands for stdin, which can be read once: name it once")


def of_empty(paths: Sequence[str]) -> Iterator[str]:
    """Which of several files add nothing."""
    for path in paths:
        if os.path.isfile(path) and not os.path.getsize(path):
            yield f"{path} is empty: it adds nothing"


def files_read(
    word: str, paths: Sequence[str], valid: str | None, test: str | None
) -> dict[str, str | None]:
    """The files that are read, by what they are called in a message: ``DATA``, ``DATA 2``."""
    read: dict[str, str | None] = {
        f"{word} {number}" if number > 1 else word: path for number, path in enumerate(paths, 1)
    }
    read |= {"--valid": valid, "--test": test}
    return {name: None if path == STDIN else path for name, path in read.items()}


def sources_of(
    name: str,
    origin: dict[str, Any],
    what: str,
    paths: Sequence[str],
    valid: str | None,
    test: str | None,
) -> tuple[tuple[str, ...], str | None, str | None]:
    """What is learned from, validated and tested on: what was named now, else what the run of
    ``name`` had; what: its ``data`` is called.

    InputError where its file does not say that, RequestError where that was stdin and nothing
    names it again.
    """
    data, others = origin.get("data"), [origin.get(key) for key in OTHERS]
    is_sound = isinstance(data, list) and all(isinstance(path, str) and path for path in data)
    is_sound &= all(path != "" and isinstance(path, str | None) for path in others)
    if not is_sound or not data:
        raise InputError(f"{name} does not say where its {what} is: it cannot go on")
    found = tuple(paths) or tuple(data)
    own = {key: now or was for key, now, was in zip(OTHERS, (valid, test), others, strict=True)}
    if STDIN in (*found, *own.values()) and STDIN not in (*paths, valid, test):
        again = next((f"--{key} " for key, path in own.items() if path == STDIN), "it ")
        raise RequestError(
            f"{name} had its {what} from stdin: name {again}again, a file with the same or - for "
            "stdin"
        )
    check_stdin(*found, *own.values())
    return found, own["valid"], own["test"]

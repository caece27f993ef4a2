"""Where the data of a run comes from: files that are named, and what its own file says of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

import click

from cnntool.cli.training.plan import Start
from cnntool.cli.training.sequence_options import RunOptions, SequenceOptions, TextOptions
from cnntool.datasets.holding_out import DEFAULT_FRACTION
from cnntool.datasets.texts.text import STDIN
from cnntool.errors import InputError, RequestError

OTHERS = ("valid", "test")
"""The options that name files beside those to learn from."""

Options = TypeVar("Options", bound=TextOptions | SequenceOptions)


def check_stdin(options: TextOptions | SequenceOptions) -> None:
    if [*options.data, options.valid, options.test].count(STDIN) > 1:
        raise RequestError("- stands for stdin, which can be read once: name it once")


def files_read(word: str, options: TextOptions | SequenceOptions) -> dict[str, str | None]:
    """The files that are read, by what they are called in a message: ``DATA``, ``DATA 2``."""
    read: dict[str, str | None] = {
        f"{word} {number}" if number > 1 else word: path
        for number, path in enumerate(options.data, 1)
    }
    read |= {"--valid": options.valid, "--test": options.test}
    return {name: None if path == STDIN else path for name, path in read.items()}


def of_empty(paths: Sequence[str]) -> Iterator[str]:
    """Which of several files add nothing."""
    for path in paths:
        if os.path.isfile(path) and not os.path.getsize(path):
            yield f"{path} is empty: it adds nothing"


def origin_of(options: RunOptions, validation: Any, kept: Iterable[str]) -> dict[str, Any]:
    """What reading and splitting the same data again takes, and other options, those of these
    names; validation: the part to validate on where it is not held out from the training one."""
    names = [name for name in ("data", *OTHERS, *kept) if hasattr(options, name)]
    found = {name: getattr(options, name) for name in names}
    found |= {name: list(value) for name, value in found.items() if isinstance(value, tuple)}
    if found["val_split"] is None and validation is None:
        found["val_split"] = DEFAULT_FRACTION
    return found | {"validation_fingerprint": validation and validation.fingerprint}


def as_before(options: Options, start: Start, kept: Iterable[str], what: str = "data") -> Options:
    """What was given, and what was not, of the options of these names, as it was when the run
    began; what: its data is called.

    InputError where its file does not say that, RequestError where its data was stdin and nothing
    names it again.
    """
    name, origin = start.name, start.origin
    data, others = origin.get("data"), {key: origin.get(key) for key in OTHERS}
    is_sound = isinstance(data, list) and all(isinstance(path, str) and path for path in data)
    is_sound &= all(path != "" and isinstance(path, str | None) for path in others.values())
    if not is_sound or not data:
        raise InputError(f"{name} does not say where its {what} is: it cannot go on")
    before: dict[str, Any] = {}
    for each in (each for each in fields(options) if each.name in kept):
        value = origin.get(each.name)
        value = tuple(value) if isinstance(value, list) else value
        if value is not None and not is_possible(each.metadata["attributes"], value):
            raise InputError(f"{name} is damaged: its {each.name} is {str(value)[:40]!r}")
        before[each.name] = value
    named = (*options.data, options.valid, options.test)
    own = {key: getattr(options, key) or was for key, was in others.items()}
    before |= {"data": options.data or tuple(data), **own, "encoding": start.trained.encoding}
    if STDIN in (*before["data"], *own.values()) and STDIN not in named:
        again = next((f"--{key} " for key, path in own.items() if path == STDIN), "it ")
        raise RequestError(
            f"{name} had its {what} from stdin: name {again}again, a file with the same or - for "
            "stdin"
        )
    found = replace(options, **before)
    check_stdin(found)
    return found


def is_possible(attributes: dict[str, Any], value: Any) -> bool:
    """Whether a command could be given the value of an option with these attributes."""
    if "type" not in attributes:
        return isinstance(value, bool)  # a flag
    if attributes["type"] is str:
        return isinstance(value, str)
    text = "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
    try:
        return attributes["type"].convert(text, None, None) == value
    except click.UsageError:
        return False

"""The header of a model file: what it says beside its arrays, as one JSON text."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from cnntool import __version__
from cnntool.errors import InputError
from cnntool.files.streams import damaged
from cnntool.wording import plain

FORMAT = 1
"""The version of what stands in a file; every change that older readers cannot read adds 1."""

KINDS = {
    "cnn": "an image model",
    "rnn": "a text model",
    "classifier": "a classifier of sequences",
    "tagger": "a tagger",
    "translator": "a translator",
    "captioner": "a captioner",
}


@dataclass(frozen=True)
class Header:
    """What stands in a model file beside its arrays.

    spec: the architecture, as the text that builds it again.
    input_shape: of one sample: (C, H, W) of an image; of sequences that of a step, () of a token.
    preprocessing: what is done to a sample before the network sees it, as plain JSON.
    labels: the names of the classes, or a vocabulary, by index.
    seed: of the random numbers of training.
    training: its settings, as plain JSON.
    history: one dict an epoch; a number that was not finite is None.
    fingerprint: of the training data.
    kind: one of ``KINDS``, the task that was learned: "cnn" for images, "rnn" for running text.
    version: of the cnntool that wrote it.
    """

    spec: str
    input_shape: tuple[int, ...]
    preprocessing: dict[str, Any]
    labels: tuple[str, ...]
    seed: int
    training: dict[str, Any] = field(default_factory=dict)
    history: tuple[dict[str, Any], ...] = ()
    fingerprint: str = ""
    kind: str = "cnn"
    version: str = __version__


def header_text(header: Header, arrays: list[str]) -> bytes:
    """A header and the names of all other arrays as JSON; InputError or ValueError where it is
    none that :func:`read_header` would take."""
    facts = {"format": FORMAT, **plain(header), "arrays": arrays}
    _checked_header(facts, "this model")
    return json.dumps(facts, allow_nan=False, indent=1).encode()


def read_header(text: bytes, path: str) -> tuple[Header, list[str]]:
    """The header that a JSON text describes, and the names that it gives for all other arrays.

    InputError, one line that begins with the path, where something in it is not so.
    """
    try:
        facts = json.loads(
            text.decode(),
            parse_int=_bounded_int,
            parse_float=_finite_float,
            parse_constant=_finite_float,
        )
    except (ValueError, RecursionError):
        raise damaged(path, "its header is no JSON text") from None
    return _checked_header(facts, path), facts["arrays"]


def shortened(value: Any, most: int = 60) -> str:
    """As one line that a terminal shows as it is."""
    text = "".join(c if c.isprintable() else " " for c in str(value))
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _bounded_int(digits: str) -> int:
    """A number of a million digits would take minutes to read."""
    if len(digits) > 40:
        raise ValueError("too many digits")
    return int(digits)


def _finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("no number")
    return value


def _checked_header(facts: Any, path: str) -> Header:
    """The header that a JSON text describes, or InputError where something in it is not so."""
    if not isinstance(facts, dict) or not is_count(facts.get("format"), 1):
        raise InputError(f"{path} is no model file: its header names no format")
    if facts["format"] > FORMAT:
        raise InputError(
            f"{path} has format {facts['format']}: this cnntool, {__version__}, reads formats up "
            f"to {FORMAT}; upgrade cnntool"
        )
    missing = [name for name in _EXPECTED if name not in facts]
    if missing:
        raise damaged(path, f"its header has no {missing[0]}")
    for name, (is_right, words) in _EXPECTED.items():
        if not is_right(facts[name]):
            raise damaged(path, f"{name} in its header is {_json(facts[name])}, not {words}")
    if facts["kind"] == "cnn" and len(facts["input_shape"]) != 3:
        raise damaged(
            path, f"input_shape in its header is {_json(facts['input_shape'])}, not [C, H, W]"
        )
    values = {each.name: facts[each.name] for each in fields(Header)}
    for name in ("input_shape", "labels", "history"):
        values[name] = tuple(values[name])
    return Header(**values)


def is_count(value: Any, least: int = 0) -> bool:
    """Whether it is a whole number that an array can be as long as."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < 1 << 63


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


def _is_list(is_right: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(is_right, value))


_EXPECTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "spec": (_is_text, "a text"),
    "input_shape": (_is_list(lambda side: is_count(side, 1)), "a list of sizes"),
    "preprocessing": (_is_dict, "an object"),
    "labels": (_is_list(_is_text), "a list of texts"),
    "seed": (lambda seed: isinstance(seed, int) and not isinstance(seed, bool), "a whole number"),
    "training": (_is_dict, "an object"),
    "history": (_is_list(_is_dict), "a list of objects, one an epoch"),
    "fingerprint": (_is_text, "a text"),
    "kind": (lambda kind: isinstance(kind, str) and kind in KINDS, f"one of {', '.join(KINDS)}"),
    "version": (_is_text, "a text"),
    "arrays": (_is_list(_is_text), "a list of names"),
}


def _json(value: Any) -> str:
    return shortened(json.dumps(value))

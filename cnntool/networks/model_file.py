"""The model file: one .npz with all that a trained model needs to predict and to train on.

==================  ==============================================================================
``header``          one JSON text (UTF-8, as uint8): format, kind, architecture, preprocessing,
                    labels, seed, training settings, history, data fingerprint, cnntool's version,
                    and the names of all other arrays, so that none gets lost unnoticed
``params/<path>``   what is trained, such as ``params/conv1.weight``
``buffers/<path>``  what belongs to layers without being trained: ``buffers/norm1.running_mean``
``state/<name>``    what training needs to go on: the optimizer, the random generator, ...
``filters/<epoch>`` the filters of the first layer as they were after that epoch
==================  ==============================================================================

The same model gives the same bytes. A file is written whole or not at all, and one that is read is
believed in nothing: what it lacks, has too much of or claims wrongly ends in one line.
"""

from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from cnntool import __version__
from cnntool.errors import InputError
from cnntool.files.atomic import atomic_write
from cnntool.files.streams import damaged
from cnntool.networks.array_archive import ArrayArchive, open_arrays, write_arrays
from cnntool.wording import counted, listed, plain

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

FLOATS = (np.float32, np.float64)
"""What parameters, buffers and filters are of."""

LARGEST_HEADER = 1 << 26
"""Bytes: a history of a hundred thousand epochs is far less."""


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


@dataclass(frozen=True, eq=False)
class Model:
    """A header and arrays by path or name, in the order of the network; filters by epoch."""

    header: Header
    params: dict[str, np.ndarray]
    buffers: dict[str, np.ndarray] = field(default_factory=dict)
    state: dict[str, np.ndarray] = field(default_factory=dict)
    filters: dict[int, np.ndarray] = field(default_factory=dict)

    def __repr__(self) -> str:
        count = sum(array.size for array in self.params.values())
        return f"<Model {self.header.kind}: {counted(count, 'parameter')}, {self.header.spec}>"


Needs = Callable[[Header], Mapping[str, tuple[tuple[int, ...], Any]]]
"""From a header to what its architecture needs: shape and dtype of every ``params/<path>`` and
``buffers/<path>``, in the order of the network."""


def save_model(path: str | os.PathLike, model: Model, overwrite: bool = False) -> None:
    """Write a model file, whole or not at all, also when the power fails.

    Raises InputError when the file exists, cannot be written, or when a parameter is not finite,
    as such a file would be of no use; ValueError for what JSON or the archive cannot hold.
    """
    arrays: dict[str, np.ndarray] = {}
    for group in ("params", "buffers", "state", "filters"):
        for name, array in getattr(model, group).items():
            array = arrays[f"{group}/{name}"] = np.asarray(array)
            if group == "state":
                continue
            if array.dtype not in FLOATS:
                raise ValueError(f"{group}/{name} is {array.dtype}: expected float32 or float64")
            if not np.isfinite(array).all():
                raise InputError(
                    f"{path} is not written: {group}/{name} is not finite; training went astray, "
                    "try a smaller learning rate"
                )
    _grouped(list(arrays), "this model")
    text = header_text(model.header, list(arrays))
    arrays = {"header": np.frombuffer(text, np.uint8), **arrays}
    with atomic_write(path, overwrite) as file:
        write_arrays(file, arrays)
        file.flush()
        _sync(file.fileno())


def load_model(
    path: str | os.PathLike, needs: Needs | None = None, kind: str | None = "cnn"
) -> Model:
    """Read a model file of this kind, None for any.

    With ``needs`` the parameters and buffers must be exactly those of the architecture, and come in
    its order. Raises InputError, one line that begins with the path, whatever is wrong with it.
    """
    with open_arrays(path) as archive:
        header, names = _read_header(archive, str(path), kind)
        groups = _grouped(_complete(archive.names, names, str(path)), str(path))
        if needs is not None:
            groups = _checked(archive, groups, header, needs, str(path))
        read = {
            group: {name: _read(archive, group, name, str(path)) for name in names}
            for group, names in groups.items()
        }
    filters = _by_epoch(read["filters"], str(path))
    return Model(header, read["params"], read["buffers"], read["state"], filters)


def load_header(path: str | os.PathLike) -> Header:
    """The header alone, of a model of any kind; InputError as for :func:`load_model`."""
    with open_arrays(path) as archive:
        return _read_header(archive, str(path), None)[0]


def _sync(descriptor: int) -> None:
    """Have the disk hold the bytes before the file gets its name; /dev/null and pipes hold none."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def _read_header(archive: ArrayArchive, path: str, kind: str | None) -> tuple[Header, list[str]]:
    """The header, and the names that it gives for all other arrays."""
    if "header" not in archive.names:
        held = listed(archive.names, 6)
        raise InputError(
            f"{path} is no model file: it has no header and holds {held or 'nothing'}; name a file "
            "that cnntool trained"
        )
    shape, dtype = archive.facts("header")
    if dtype != np.uint8 or len(shape) != 1 or archive.size("header") > LARGEST_HEADER:
        raise damaged(path, f"its header is {dtype} {shape}, not a text")
    try:
        facts = json.loads(
            archive.read("header").tobytes().decode(),
            parse_int=_bounded_int,
            parse_float=_finite_float,
            parse_constant=_finite_float,
        )
    except (ValueError, RecursionError):
        raise damaged(path, "its header is no JSON text") from None
    header = _checked_header(facts, path)
    if kind is not None and header.kind != kind:
        raise InputError(f"{path} is {KINDS[header.kind]}: expected {KINDS[kind]}")
    return header, facts["arrays"]


def _complete(found: tuple[str, ...], named: list[str], path: str) -> list[str]:
    """All arrays but the header; InputError unless they are those that it names."""
    rest = dict.fromkeys(name for name in found if name != "header")
    wanted = dict.fromkeys(named)
    for name in wanted:
        if name not in rest:
            raise damaged(path, f"it has no {shortened(name)}, which its header names")
    for name in rest:
        if name not in wanted:
            raise damaged(path, f"it holds {shortened(name)}, which its header does not name")
    return list(rest)


def _grouped(names: list[str], path: str) -> dict[str, list[str]]:
    """The names of arrays by group, without it."""
    groups: dict[str, list[str]] = {"params": [], "buffers": [], "state": [], "filters": []}
    for entry in names:
        group, _, name = entry.partition("/")
        if group not in groups or not name:
            raise damaged(path, f"it holds {shortened(entry)}, which belongs to no model")
        is_epoch = name.isdecimal() and len(name) < 10 and name == str(int(name))
        if group == "filters" and not is_epoch:
            raise damaged(path, f"it holds {shortened(entry)}, expected the number of an epoch")
        groups[group].append(name)
    if not groups["params"]:
        raise damaged(path, "it has no parameters")
    return groups


def _checked(
    archive: ArrayArchive, groups: dict[str, list[str]], header: Header, needs: Needs, path: str
) -> dict[str, list[str]]:
    """The same names with those of the network in its order; InputError unless they are its own."""
    try:
        needed = needs(header)
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        raise damaged(path, f"its architecture cannot be built: {shortened(error, 200)}") from None
    of_network = "params", "buffers"
    there = {f"{group}/{name}" for group in of_network for name in groups[group]}
    for entry, (shape, dtype) in needed.items():
        if entry not in there:
            raise damaged(path, f"it has no {entry}, which its architecture needs")
        found_shape, found_dtype = archive.facts(entry)
        if (found_shape, found_dtype) != (tuple(shape), np.dtype(dtype)):
            raise damaged(
                path,
                f"{entry} is {found_dtype} {found_shape}, its architecture needs "
                f"{np.dtype(dtype)} {tuple(shape)}",
            )
    for entry in sorted(there - needed.keys()):
        raise damaged(path, f"its architecture has no {shortened(entry)}")
    ordered: dict[str, list[str]] = {**groups, **{group: [] for group in of_network}}
    for entry in needed:
        group, _, name = entry.partition("/")
        ordered[group].append(name)
    return ordered


def _read(archive: ArrayArchive, group: str, name: str, path: str) -> np.ndarray:
    entry = f"{group}/{name}"
    _, dtype = archive.facts(entry)
    if group != "state" and dtype not in FLOATS:
        raise damaged(path, f"{shortened(entry)} is {dtype}, not float32 or float64")
    array = archive.read(entry)
    if group != "state" and not np.isfinite(array).all():
        raise damaged(path, f"{shortened(entry)} holds values that are NaN or infinite")
    return array


def _by_epoch(filters: dict[str, np.ndarray], path: str) -> dict[int, np.ndarray]:
    """Filters in the order of their epochs; InputError unless all have one shape (F, C, kh, kw)."""
    shapes = {array.shape for array in filters.values()}
    if len(shapes) > 1 or any(len(shape) != 4 for shape in shapes):
        raise damaged(path, f"its filters have shapes {shortened(sorted(shapes))}")
    return {epoch: filters[str(epoch)] for epoch in sorted(map(int, filters))}


def header_text(header: Header, arrays: list[str]) -> bytes:
    """A header and the names of all other arrays as JSON; InputError or ValueError where it is
    none that would be read again."""
    facts = {"format": FORMAT, **plain(header), "arrays": arrays}
    _checked_header(facts, "this model")
    return json.dumps(facts, allow_nan=False, indent=1).encode()


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

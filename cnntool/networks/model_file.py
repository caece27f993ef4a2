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
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnntool.errors import InputError
from cnntool.files.atomic import atomic_write
from cnntool.files.streams import damaged
from cnntool.networks.array_archive import ArrayArchive, open_arrays, write_arrays
from cnntool.networks.model_header import KINDS, Header, header_text, read_header, shortened
from cnntool.wording import counted, listed

FLOATS = (np.float32, np.float64)
"""What parameters, buffers and filters are of."""

LARGEST_HEADER = 1 << 26
"""Bytes: a history of a hundred thousand epochs is far less."""


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
    header, names = read_header(archive.read("header").tobytes(), path)
    if kind is not None and header.kind != kind:
        raise InputError(f"{path} is {KINDS[header.kind]}: expected {KINDS[kind]}")
    return header, names


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

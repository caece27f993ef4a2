"""Decoded image folders in the user's cache folder, so that the second reading takes no time."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from cnntool.datasets.images.dataset import Dataset, LoadOptions
from cnntool.datasets.images.parts import Parts
from cnntool.errors import InputError
from cnntool.files.atomic import atomic_write

VERSION = 1  # to be raised when the same files and options would give other pixels
Files = Mapping[str, tuple[Path, ...]]
"""Those of each part of a set, by its name."""

LARGEST_ENTRY = 1 << 31
LARGEST_CACHE = 1 << 32
"""Bytes of one entry and of all: beyond them, nothing is kept, and the oldest entries go."""


def cached_parts(folder: Path, files: Files, options: LoadOptions) -> Parts | None:
    """What was kept for exactly these files and options; None where there is nothing sound."""
    path = _entry(folder, files, options)
    try:
        with np.load(path, allow_pickle=False) as archive:
            header = json.loads(archive["header"].tobytes())
            parts = {
                part: Dataset(
                    archive[f"x_{part}"],
                    archive[f"y_{part}"],
                    tuple(facts["labels"]),
                    facts["name"],
                    facts["white"],
                    tuple(facts["notes"]),
                    _without(files[part], facts["left_out"]),
                )
                for part, facts in header.items()
            }
        with suppress(OSError):
            os.utime(path)  # read lately: not the next to go
        return Parts(**parts)
    except Exception:  # missing, cut short or of another kind: the images are read again
        return None


def keep_parts(folder: Path, files: Files, options: LoadOptions, parts: Parts) -> None:
    """Keep what was read, whole or not at all; a cache that cannot be written is no error."""
    if sum(part.x.nbytes for part in parts.each.values()) > LARGEST_ENTRY:
        return
    header = {
        name: {
            "labels": part.labels,
            "name": part.name,
            "white": part.white,
            "notes": part.notes,
            "left_out": _left_out(files[name], part),
        }
        for name, part in parts.each.items()
    }
    arrays: dict[str, Any] = {"header": np.frombuffer(json.dumps(header).encode(), np.uint8)}
    for name, part in parts.each.items():
        arrays |= {f"x_{name}": part.x, f"y_{name}": part.y}
    path = _entry(folder, files, options)
    with suppress(OSError, InputError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, overwrite=True) as file:
            np.savez(file, **arrays)
        _remove_oldest(path.parent)


def _left_out(files: tuple[Path, ...], part: Dataset) -> list[int]:
    """The files that gave no image, by their places."""
    kept = set(part.files or ())
    return [place for place, path in enumerate(files) if str(path) not in kept]


def _without(files: tuple[Path, ...], left_out: list[int]) -> tuple[str, ...]:
    gone = set(left_out)
    return tuple(str(path) for place, path in enumerate(files) if place not in gone)


def cache_folder() -> Path:
    """Where this user's caches are: XDG_CACHE_HOME, or what the system has instead.

    Source: XDG Base Directory Specification 0.8: a relative path is ignored.
    """
    given = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(given):
        base = Path(given)
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path.home() / ".cache"
    return base / "cnntool" / "images"


def _entry(folder: Path, files: Files, options: LoadOptions) -> Path:
    """The entry's file, named by a hash of paths (which name the classes), sizes, times and
    options."""
    asked = VERSION, str(folder), os.path.abspath(folder), asdict(options)
    digest = hashlib.sha256(repr(asked).encode())
    for part, paths in files.items():
        digest.update(part.encode())
        for path in paths:
            with suppress(OSError):
                facts = os.stat(path)
                digest.update(repr((str(path), facts.st_size, facts.st_mtime_ns)).encode())
    return cache_folder() / f"{digest.hexdigest()[:32]}.npz"


def _remove_oldest(folder: Path) -> None:
    entries = sorted(folder.glob("*.npz"), key=lambda path: path.stat().st_mtime, reverse=True)
    total = 0
    for path in entries:
        total += path.stat().st_size
        if total > LARGEST_CACHE:
            path.unlink()

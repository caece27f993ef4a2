"""Decoded image folders in the user's cache folder, so that the second reading takes no time."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cnntool.datasets.images.dataset import LoadOptions
from cnntool.datasets.images.files import Problems
from cnntool.errors import InputError
from cnntool.files.atomic import atomic_write

VERSION = 3  # to be raised when the same files and options would give other pixels

LARGEST_ENTRY = 1 << 31
LARGEST_CACHE = 1 << 32
"""Bytes of one entry and of all: beyond them, nothing is kept, and the oldest entries go."""


@dataclass(frozen=True)
class Entry:
    """Where the pixels of some files are kept, (N, C, H, W) of each part, with what was wrong and a
    note."""

    path: Path

    @classmethod
    def of(cls, parts: Mapping[str, tuple[Path, ...]], options: LoadOptions) -> Entry:
        """That of exactly these files of each part, in this order, and these options.

        A file is another when its size, its times or its place on the disk have changed: two that
        have changed places have kept both size and time of writing.
        """
        digest = hashlib.sha256(repr((VERSION, replace(options, levels=None))).encode())
        for part, files in parts.items():
            digest.update(part.encode())
            for path in files:
                with suppress(OSError):
                    s = os.stat(path)
                    facts = s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino, s.st_dev
                    digest.update(repr((str(path), *facts)).encode())
        return cls(cache_folder() / f"{digest.hexdigest()[:32]}.npz")

    def read(self) -> tuple[dict[str, np.ndarray], Problems, str] | None:
        """What was kept; None where there is nothing sound."""
        try:
            with np.load(self.path, allow_pickle=False) as archive:
                pixels = {name: archive[name] for name in archive.files if name != "said"}
                problems, note = json.loads(archive["said"].tobytes())
            with suppress(OSError):
                os.utime(self.path)  # read lately: not the next to go
            return pixels, {Path(path): reason for path, reason in problems.items()}, note
        except Exception:  # missing, cut short or of another kind: the images are read again
            return None

    def write(self, pixels: dict[str, np.ndarray], problems: Problems, note: str) -> None:
        """Keep what was read, whole or not at all; a cache that cannot be written is no error."""
        if sum(x.nbytes for x in pixels.values()) > LARGEST_ENTRY:
            return
        text = json.dumps([{str(path): reason for path, reason in problems.items()}, note])
        arrays: dict[str, Any] = {**pixels, "said": np.frombuffer(text.encode(), np.uint8)}
        with suppress(OSError, InputError):
            with atomic_write(self.path, overwrite=True) as file:
                np.savez(file, **arrays)
            _remove_oldest(self.path.parent)


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


def _remove_oldest(folder: Path) -> None:
    entries = sorted(folder.glob("*.npz"), key=lambda path: path.stat().st_mtime, reverse=True)
    total = 0
    for path in entries:
        total += path.stat().st_size
        if total > LARGEST_CACHE:
            path.unlink()

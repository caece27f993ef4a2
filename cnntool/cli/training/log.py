"""The log of a run: JSON lines, each on the disk's way as soon as it is known."""

from __future__ import annotations

import json
import math
from typing import Any

from cnntool.cli.console import complain
from cnntool.errors import InputError


class Log:
    """Lines appended to a file; a disk that takes no more ends the log and not the training."""

    def __init__(self, path: str | None, append: bool, steps: bool = False) -> None:
        self.has_steps = steps and path is not None
        self._path, self._file = path, None
        if path is None:
            return
        try:
            self._file = open(path, "a" if append else "w", encoding="utf-8")  # noqa: SIM115
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror or error}") from None

    def write(self, event: str, facts: dict[str, Any]) -> None:
        """One line: the event, and numbers; null for what is none."""
        if self._file is None:
            return
        line = json.dumps({"event": event, **_finite(facts)}, ensure_ascii=False)
        try:
            self._file.write(line + "\n")
            self._file.flush()
        except OSError as error:
            complain(f"{self._path}: the log ends here: {error.strerror or error}")
            self._file = None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value

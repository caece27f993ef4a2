"""Where the files of a run go."""

from __future__ import annotations

import os
from pathlib import Path

from cnntool.cli.places import check_free, identity
from cnntool.errors import InputError, RequestError

DEFAULT, SUFFIX, LAST = "model.npz", ".npz", ".last"


def output_of(output: str | None, resume: str | None) -> Path:
    """The file of the best model; beside what is resumed unless it is named."""
    if output is None and resume is not None:
        path = Path(resume)
        return path.with_name(path.stem.removesuffix(LAST) + SUFFIX)
    path = Path(DEFAULT if output is None else output)
    if path.suffix.lower() != SUFFIX:
        raise RequestError(
            f"-o '{output}' names no model file: end it in {SUFFIX}, such as {DEFAULT}"
        )
    return path


def last_of(output: Path) -> Path:
    """The file of the run as it stands, beside that of the best model."""
    return output.with_name(f"{output.stem}{LAST}{output.suffix}")


def check_new(output: Path, log: str | None, force: bool) -> None:
    """InputError where a new run would overwrite something."""
    last = last_of(output)
    check_free(output, force)
    if last.is_file() and not force:
        raise InputError(f"{last} exists: --resume {last} goes on with it, -f overwrites it")
    check_free(last, force)
    if log is not None:
        check_free(Path(log), force)


def check_apart(written: dict[str, str | Path | None], read: dict[str, str | None]) -> None:
    """RequestError where a file to write is one to read, or another to write; -f is no excuse.

    Both give a path, or None, to what the path is called in the message.
    """
    owners = {
        identity(Path(path)): (name, "which is read")
        for name, path in read.items()
        if path and os.path.exists(path)
    }
    for name, path in written.items():
        if path is None:
            continue
        other, use = owners.setdefault(identity(Path(path)), (name, "which is written too"))
        if other != name:
            owner = other.removesuffix(",")
            raise RequestError(f"{name} {path} would overwrite {owner}, {use}: name another file")

"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from cnntool.errors import InputError

_temporaries: set[str] = set()


@contextmanager
def atomic_write(path: str | os.PathLike, overwrite: bool = False) -> Iterator[BinaryIO]:
    """A binary file to write into, which becomes `path` when the block ends well.

    Until then the bytes are in a temporary file beside it (`.cnntool-*.tmp`, readable as the
    umask allows), and whatever ends the block early, Ctrl-C too, removes that and leaves `path`
    as it was. Without `overwrite` a file that exists is refused, also one that appears meanwhile.
    A symbolic link is written through. What exists and is no regular file (/dev/null, a FIFO) is
    written directly.

    Raises InputError when the file exists, or the folder or the disk does not take it.
    """
    with _plain_os_errors(path):
        kind = _kind(path)
        if kind == "folder":
            raise InputError(f"{path} is a folder: name a file in it")
        if kind == "file" and not overwrite:
            raise _exists(path)
        if kind == "device":
            with open(path, "wb") as file:
                yield file
            return
        target = os.path.realpath(path)
        with _temporary(target) as temporary:
            with open(temporary, "x+b") as file:
                yield file
            if overwrite:
                _keep_permissions(target, temporary)
                os.replace(temporary, target)
            else:
                _move_to_new(temporary, target, path)


def check_writable(path: str | os.PathLike) -> None:
    """Raise the InputError of atomic_write where its folder takes no file: before long work.

    A file is made there and removed, as permissions alone do not tell (root, read-only disks).
    """
    with _plain_os_errors(path):
        if _kind(path) == "device":
            return
        with _temporary(os.path.realpath(path)) as temporary, open(temporary, "xb"):
            pass


@contextmanager
def _temporary(target: str) -> Iterator[str]:
    """A new name in the folder of ``target``; whatever has it in the end is removed."""
    name = os.path.join(os.path.dirname(target), f".cnntool-{os.urandom(8).hex()}.tmp")
    _temporaries.add(name)
    try:
        yield name
    finally:
        with suppress(OSError):
            os.unlink(name)
        _temporaries.discard(name)


def remove_temporaries() -> None:
    """Remove the files that threads are still writing, before the process ends without them."""
    for temporary in list(_temporaries):
        with suppress(OSError):
            os.unlink(temporary)


def _kind(path: str | os.PathLike) -> str:
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return "new"
    if stat.S_ISDIR(mode):
        return "folder"
    return "file" if stat.S_ISREG(mode) else "device"


def _exists(path: str | os.PathLike) -> InputError:
    return InputError(f"{path} exists: add --force to overwrite it, or choose another name")


def _keep_permissions(target: str, temporary: str) -> None:
    """A private file stays private when it is overwritten."""
    with suppress(OSError):
        os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))


def _move_to_new(temporary: str, target: str, path: str | os.PathLike) -> None:
    """Give the file its name, unless a file has taken that name in the meantime."""
    try:
        if os.name == "nt":
            os.rename(temporary, target)  # on Windows a rename never overwrites
            return
        os.link(temporary, target)  # nor does a link, anywhere
    except FileExistsError:
        raise _exists(path) from None
    except OSError:  # a file system without links
        if os.path.lexists(target):
            raise _exists(path) from None
        os.replace(temporary, target)


@contextmanager
def _plain_os_errors(path: str | os.PathLike) -> Iterator[None]:
    folder = os.path.dirname(os.path.realpath(path))
    try:
        yield
    except BrokenPipeError:
        raise  # the reader went away: nothing is wrong with the file
    except FileNotFoundError:
        what = "no file can be made in" if os.path.isdir(folder) else "there is no folder"
        raise InputError(f"{path} cannot be written: {what} {folder}") from None
    except PermissionError:
        raise InputError(f"{path} cannot be written: no permission to write in {folder}") from None
    except OSError as error:
        if error.errno is None:
            raise  # not from the system
        reason = _REASONS.get(error.errno, error.strerror)
        raise InputError(f"{path} cannot be written: {reason}") from None


_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EROFS: "the file system is read-only",
    errno.ENAMETOOLONG: "the name is too long",
}

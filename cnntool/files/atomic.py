"""Files that are written whole or not at all, and those that one process writes over and over."""

from __future__ import annotations

import errno
import filecmp
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from cnntool.errors import InputError

try:
    from fcntl import LOCK_EX, LOCK_NB, flock, lockf
except ImportError:  # Windows, which removes no file that is open
    flock = None  # type: ignore[assignment]

TEMPORARY = r"\.cnntool-[0-9a-f]{16}\.tmp"

TOO_NEW = 60.0
"""Seconds in which whoever makes a temporary file has surely locked it."""

_temporaries: set[str] = set()
_swept: set[str] = set()


@contextmanager
def atomic_write(
    path: str | os.PathLike, overwrite: bool = False, adopt: bool = False
) -> Iterator[BinaryIO]:
    """A binary file to write into, which becomes `path` when the block ends well; folders of its
    path that are missing are made.

    Until then the bytes are in a temporary file beside it (`.cnntool-*.tmp`, readable as the file
    that it replaces, or as the umask allows), and whatever ends the block early, Ctrl-C too,
    removes that and leaves `path` as it was. What a killed process left there is removed, too.
    Without `overwrite` a file that exists is refused, also one that appears meanwhile, and a
    symbolic link to none. With it a link is written through. What exists and is no regular file
    (/dev/null, a FIFO) is written directly. With `adopt` a file that exists stays as it is where it
    has the bytes that were written: those of an earlier try.

    Raises InputError when the file exists, or the folder or the disk does not take it.
    """
    with plain_os_errors(path):
        make_folder(os.path.dirname(path))
        check_free(path, overwrite or (adopt and os.path.isfile(path)))
        if _kind(path) == "device":
            with open(path, "wb") as file:
                yield file
            return
        target = os.path.realpath(path)
        with _temporary(target) as (name, descriptor):
            with open(descriptor, "r+b") as file:
                yield file
            if overwrite:
                os.replace(name, target)
                return
            try:
                _move_to_new(name, target, path)
            except InputError:
                if not (adopt and filecmp.cmp(name, target, shallow=False)):
                    raise


def exists(path: str | os.PathLike) -> bool:
    """Whether writing would overwrite a file, or go through a symbolic link to one to come."""
    try:
        return _kind(path) == "file"
    except OSError:  # which writing says in words
        return False


def check_free(path: str | os.PathLike, overwrite: bool) -> None:
    """Raise the InputError of atomic_write where a folder stands, or a file that may not be
    overwritten."""
    with suppress(OSError):  # which writing says in words
        kind = _kind(path)
        if kind == "folder":
            raise InputError(f"{path} is a folder: name a file")
        if kind == "file" and not overwrite:
            raise _exists(path)


def check_writable(path: str | os.PathLike, overwrite: bool = True) -> None:
    """Raise the InputError of atomic_write, before long work, also where the folder takes no file.

    A file is made there and removed, as permissions alone do not tell (root, read-only disks). No
    folder is made yet: of one that is missing, that above it is tried.
    """
    check_free(path, overwrite)
    with plain_os_errors(path):
        folder = os.path.dirname(path)
        above = _check_folders(folder)
        if above == folder and _kind(path) == "device":
            return
        place = path if above == folder else os.path.join(above, ".cnntool-new")
        with _temporary(os.path.realpath(place)) as (_, descriptor):
            os.close(descriptor)


def make_folder(folder: str | os.PathLike) -> None:
    """Make a folder and those above it, '' being this one; InputError where that cannot be."""
    above = _check_folders(os.fspath(folder))
    if above == os.fspath(folder):
        return
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be made: {error.strerror}") from None


def _check_folders(folder: str) -> str:
    """The folder, or the one nearest above it that is there; InputError where a file is in the
    way."""
    above = folder
    while above and not os.path.lexists(above) and above != os.path.dirname(above):
        above = os.path.dirname(above)  # of a drive that is not there that is itself
    if above and not os.path.isdir(above):
        raise InputError(f"{above} is no folder, so nothing can be written into it")
    return above


@contextmanager
def _temporary(target: str) -> Iterator[tuple[str, int]]:
    """A new file in the folder of ``target``, open; whatever has its name in the end is removed."""
    folder = os.path.dirname(target)
    _sweep(folder)
    name = os.path.join(folder, f".cnntool-{os.urandom(8).hex()}.tmp")
    _temporaries.add(name)
    try:
        yield name, _open_locked(name, target)
    finally:
        with suppress(OSError):
            os.unlink(name)
        _temporaries.discard(name)


def _open_locked(name: str, target: str) -> int:
    """A new file with the owner and the mode of what it replaces, and a lock while it is open."""
    old = None
    with suppress(FileNotFoundError):
        old = os.stat(target)
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0)
    descriptor = os.open(name, flags, 0o666 if old is None else 0o600)
    with suppress(OSError):
        if flock is not None:
            flock(descriptor, LOCK_EX | LOCK_NB)
    if old is not None and hasattr(os, "fchmod"):
        with suppress(OSError):
            new = os.fstat(descriptor)
            if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
                os.fchown(descriptor, old.st_uid, old.st_gid)
        with suppress(OSError):
            os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
    return descriptor


def _sweep(folder: str) -> None:
    """Remove, once a folder, what killed processes have left half written: nobody has it locked."""
    if folder in _swept:
        return
    _swept.add(folder)
    with suppress(OSError):  # of a folder that takes files and cannot be listed
        for entry in os.scandir(folder):
            if re.fullmatch(TEMPORARY, entry.name):
                _remove_if_left(entry)


def _remove_if_left(entry: os.DirEntry) -> None:
    with suppress(OSError):  # somebody has it locked, or it is another's
        if time.time() - entry.stat().st_mtime < TOO_NEW:
            return
        with open(entry.path, "rb") as file:
            if flock is not None:
                flock(file, LOCK_EX | LOCK_NB)
        os.unlink(entry.path)


def remove_temporaries() -> None:
    """Remove the files that threads are still writing, before the process ends without them."""
    for temporary in list(_temporaries):
        with suppress(OSError):
            os.unlink(temporary)


def is_device(path: str | os.PathLike) -> bool:
    """Whether what is there is neither file nor folder: a pipe, into which nobody may ever write,
    or a device. False where the system does not tell."""
    with suppress(OSError, ValueError):
        return _kind(path) == "device"
    return False


def _kind(path: str | os.PathLike) -> str:
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return "file" if os.path.islink(path) else "new"
    if stat.S_ISDIR(mode):
        return "folder"
    return "file" if stat.S_ISREG(mode) else "device"


def _exists(path: str | os.PathLike) -> InputError:
    return InputError(f"{path} exists: -f overwrites it")


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
def plain_os_errors(path: str | os.PathLike) -> Iterator[None]:
    """What the system says of writing ``path`` becomes an InputError in words."""
    try:
        yield
    except BrokenPipeError:
        raise  # the reader went away: nothing is wrong with the file
    except OSError as error:
        if error.errno is None:
            raise  # not from the system
        raise InputError(f"{path} cannot be written: {_reason(path, error)}") from None


def _reason(path: str | os.PathLike, error: OSError) -> str:
    try:
        folder = os.path.dirname(os.path.realpath(path))
    except FileNotFoundError:
        return "the folder that this runs in is gone: change to another one with cd"
    if isinstance(error, FileNotFoundError):
        is_there = os.path.isdir(folder)
        return f"{'no file can be made in' if is_there else 'there is no folder'} {folder}"
    if isinstance(error, PermissionError):
        return f"no permission to write in {folder}"
    return _REASONS.get(error.errno or 0, error.strerror or str(error))


_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EROFS: "the file system is read-only",
    errno.ENAMETOOLONG: "the name is too long",
}


@contextmanager
def written_alone(path: str | os.PathLike) -> Iterator[None]:
    """While this process alone writes a file again and again; InputError where another one does.

    A lock on `.NAME.lock` beside it says so, which the system takes back however a process ends.
    Where the folder or the file system takes none, there is none.
    """
    folder, name = os.path.split(os.path.realpath(path))
    lock = os.path.join(folder, f".{name}.lock")
    try:
        descriptor = _locked(lock)
    except (BlockingIOError, FileExistsError):
        raise InputError(
            f"{path} is being written by another process{_owner(lock)}: wait for its end, or name "
            "another file"
        ) from None
    except OSError:
        yield
        return
    try:
        with suppress(OSError):  # a full disk, which what is written tells
            os.truncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        with suppress(OSError):
            os.unlink(lock)  # before it is free, so that whoever waits for it makes a new one
        os.close(descriptor)


def _locked(lock: str) -> int:
    """The descriptor of a lock file that is this process's; OSError where it cannot be."""
    if flock is None:  # on Windows a file that ends with its process
        return os.open(lock, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_TEMPORARY)
    while True:
        descriptor = os.open(lock, os.O_CREAT | os.O_RDWR, 0o666)
        try:
            lockf(descriptor, LOCK_EX | LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), os.stat(lock)):
                return descriptor
        except FileNotFoundError:  # its owner took it away meanwhile, as after a change of it
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _owner(lock: str) -> str:
    try:
        with open(lock, "rb") as file:
            return f" ({int(file.read(20))})"
    except (OSError, ValueError):
        return ""

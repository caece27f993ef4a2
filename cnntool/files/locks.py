"""Files that one process writes over and over, and no other meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cnntool.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


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
    if fcntl is None:  # on Windows a file that ends with its process
        return os.open(lock, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_TEMPORARY)
    while True:
        descriptor = os.open(lock, os.O_CREAT | os.O_RDWR, 0o666)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
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

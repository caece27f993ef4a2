"""Weights that other tools saved: the kernels in .npy, .npz and .safetensors files."""

from __future__ import annotations

import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from math import prod
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from cnntool.datasets.memory import check_free
from cnntool.errors import InputError
from cnntool.files.npy import MAGIC, most_bytes, read_header, read_values
from cnntool.files.streams import open_path, plain_errors
from cnntool.networks.array_archive import NO_LIST, empty, not_there, not_whole
from cnntool.wording import bytes_text

RANK = 4
"""Axes of a bank of kernels: F x C x kh x kw."""

SUFFIX = ".safetensors"
UNNAMED = "conv1"
"""What the only array of a .npy file is called."""

Shape = tuple[int, ...]


class Fact(NamedTuple):
    """What a file says of one of its arrays."""

    name: str
    shape: Shape
    dtype: np.dtype


def are_weights(path: str | os.PathLike) -> bool:
    """Whether a file is one of arrays and no model of cnntool's; what cannot be read is not."""
    if not os.path.isfile(path):  # a pipe is read once, and a device may have no end
        return False
    if Path(path).suffix.lower() == SUFFIX:
        return True
    try:
        with open(path, "rb") as file:
            return file.read(len(MAGIC)) == MAGIC or has_header(path) is False
    except (OSError, ValueError):  # reading it as a model says what is wrong
        return False


def has_header(path: str | os.PathLike) -> bool | None:
    """Whether an archive has the header of a model; None of what is no archive."""
    if not os.path.isfile(path):  # the list of an archive stands at its end
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            return "header.npy" in archive.namelist()
    except Exception:  # whatever zipfile meets; reading it says what is wrong
        return None


def read_kernels(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The arrays (F, C, kh, kw) of a file by name, as float32, in the order of the file.

    Of .safetensors files, which keep no order, in that of their names, numbers by their value. A
    ``.weight`` at the end of a name is left off. Arrays with another number of axes are not read.
    InputError, one line, for a file that cannot be read or holds no such array.
    """
    with _opened(path) as (facts, read):
        return _kernels(str(path), facts, read)


def read_facts(path: str | os.PathLike) -> list[Fact]:
    """What arrays a file has, in the same order; InputError where it cannot be read."""
    with _opened(path) as (facts, _):
        return facts


Contents = tuple[list[Fact], Callable[[str], np.ndarray]]
"""What arrays there are, and what reads one by its name."""


@contextmanager
def _opened(path: str | os.PathLike) -> Iterator[Contents]:
    name = str(path)
    with plain_errors(name), ExitStack() as opened:
        try:
            mode = os.stat(path).st_mode
        except FileNotFoundError:
            raise not_there(name, "a model file or weights") from None
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # how large it is has to be known
            raise InputError(f"{name} is no regular file: name a file of weights")
        if Path(path).suffix.lower() == SUFFIX:
            yield opened.enter_context(_safetensors(path, name))
            return
        file = opened.enter_context(open_path(path, name, "weights: name a file in it"))
        start = file.read(len(MAGIC))
        file.seek(0)
        if not start:
            raise empty(name)
        if start == MAGIC:
            yield _npy(file, name)
        elif start[:4] in (b"PK\3\4", b"PK\5\6"):
            yield _npz(opened.enter_context(_archive(file, name)), name)
        else:
            raise InputError(
                f"{name} holds no weights: expected a file that cnntool trained, .npy, .npz or "
                f"{SUFFIX}"
            )


def _npy(file: BinaryIO, name: str) -> Contents:
    header = read_header(file, name)
    fact = Fact(UNNAMED, header.shape, header.dtype)
    size = os.fstat(file.fileno()).st_size
    return [fact], lambda _: read_values(file, header, name, size)


def _archive(file: BinaryIO, name: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except zipfile.BadZipFile:  # the list stands at the end
        raise not_whole(name, NO_LIST) from None


def _npz(archive: zipfile.ZipFile, name: str) -> Contents:
    members = [member for member in archive.namelist() if member.endswith(".npy")]
    if not members:
        is_torch = any(member.endswith("data.pkl") for member in archive.namelist())
        remedy = "save its weights with safetensors" if is_torch else "write it with numpy.savez"
        kind = "a PyTorch file, which holds pickled objects" if is_torch else "no archive of arrays"
        raise InputError(f"{name} is {kind}: {remedy}")
    facts = []
    for member in members:
        with archive.open(member) as file:
            header = read_header(file, f"{name}: {member}")
        facts.append(Fact(member.removesuffix(".npy"), header.shape, header.dtype))

    def read(key: str) -> np.ndarray:
        with archive.open(f"{key}.npy") as file:
            label = f"{name}: {key}"
            most = most_bytes(archive.getinfo(f"{key}.npy"))
            return read_values(file, read_header(file, label), label, most)

    return facts, read


@contextmanager
def _safetensors(path: str | os.PathLike, name: str) -> Iterator[Contents]:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise InputError(
            f"{name}: reading {SUFFIX} needs one more package: pip install 'cnntool[safetensors]'"
        ) from None
    if not os.path.isfile(path):  # what safe_open says of it names no file
        open(path, "rb").close()
    try:
        with safe_open(path, framework="numpy") as file:
            facts = []
            for key in sorted(file.keys(), key=_by_number):
                part = file.get_slice(key)
                kind = "float32" if part.get_dtype()[0] in "FIUB" else part.get_dtype()
                facts.append(Fact(key, tuple(part.get_shape()), np.dtype(kind)))
            yield facts, file.get_tensor
    except SafetensorError as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(f"{name} is no whole {SUFFIX} file: {reason}") from None
    except TypeError:  # NumPy has no bfloat16 and no 8-bit floats
        raise InputError(
            f"{name}: its numbers are of a kind that NumPy lacks: save float32"
        ) from None


def _by_number(key: str) -> list[tuple[int, str]]:
    """``features.2`` before ``features.10``."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", key)]


def _kernels(
    name: str, facts: list[Fact], read: Callable[[str], np.ndarray]
) -> dict[str, np.ndarray]:
    found = {}
    for key, shape, dtype in facts:
        if len(shape) != RANK or not prod(shape) or dtype.kind not in "fiu":
            continue
        needed = prod(shape) * (dtype.itemsize + 4)
        text = f"{name}: {key} would need {bytes_text(needed)}"
        check_free(needed, text, "save fewer layers")
        with np.errstate(over="ignore"):  # beyond float32 is infinity, and told of as such
            found[key] = np.asarray(read(key), np.float32)
    if not found:
        held = ", ".join(map(_listed, facts[:4])) or "nothing"
        more = ", ..." if len(facts) > 4 else ""
        raise InputError(
            f"{name} holds {held}{more}: expected kernels, real numbers of {RANK} axes, "
            "F x C x kh x kw"
        )
    short = [key.removesuffix(".weight") for key in found]
    return dict(zip(short, found.values(), strict=True)) if len(set(short)) == len(short) else found


def _listed(fact: Fact) -> str:
    key, shape, dtype = fact
    return f"{key} {shape}" + ("" if dtype.kind in "fiu" else f" of {dtype.name[:20]}")

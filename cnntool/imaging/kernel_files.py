"""Kernels as numbers: a matrix as a person types it, and the files that hold one or a bank.

What is read are the fields of a :class:`~cnntool.imaging.kernels.Filter`, as in
:mod:`cnntool.imaging.kernel_lists`.
"""

import io
import re
import sys
from pathlib import Path

import numpy as np

from cnntool.errors import InputError, RequestError
from cnntool.imaging.kernel_lists import (
    Fields,
    bank_of,
    check_bank,
    folded,
    no_anchor,
    read_json,
)
from cnntool.imaging.kernel_weights import LARGEST_SIZE
from cnntool.specs import read_number

FILE_KINDS = (".txt", ".csv", ".json", ".npy")
STDIN = "-"

LARGEST_FILE = 1 << 27
"""Bytes: the largest kernel for signals as .npy, or for images as text, and some."""

_IMAGEMAGICK = re.compile(r"(\d{1,9})(?:x(\d{1,9}))?(?:\+(\d{1,9})\+(\d{1,9}))?\s*:(.*)", re.DOTALL)


def read_numbers(text: str, where: str = "kernel", largest: int = LARGEST_SIZE) -> Fields:
    """What a text says, at most ``largest`` weights on a side.

    Rows of numbers, also in brackets as MATLAB has them ('[1 0 -1; 2 0 -2]'); a size and all
    numbers row by row as ImageMagick has them ('3x3: 1,0,-1 2,0,-2 1,0,-1'); or JSON.
    """
    text = text.strip().removesuffix(";").rstrip()
    inner = text[1:].lstrip()
    if text[:1] == "{" or (text[:1] == "[" and inner[:1] == "["):
        return read_json(text, where, largest)
    if text[:1] == "[" and text[-1] == "]":
        text = text[1:-1]
    if match := _IMAGEMAGICK.fullmatch(text):
        rows = _sized_rows(match, where, largest)
    else:
        rows = _number_rows(text, where, largest)
    return {"bank": bank_of([rows], where, largest)}


def _number_rows(text: str, where: str, largest: int) -> list[list[float]]:
    """Rows of numbers. Blank lines are skipped; ';' ends a row as a line does."""
    rows: list[list[float]] = []
    for line in text.replace("\N{MINUS SIGN}", "-").splitlines():
        line = line.strip().removesuffix(";")
        for row in line.split(";") if line.strip() else []:
            here = f"{where} row {len(rows) + 1}"
            if len(rows) == largest:
                raise RequestError(f"{where} has more than {largest} rows: use a smaller one")
            rows.append(_numbers(row, here, largest))
    return rows


def _numbers(row: str, where: str, largest: int) -> list[float]:
    row = re.sub(r"\s+", " ", row).strip()
    if not row:
        raise RequestError(f"{where} is empty: put numbers in it, or take out a ';'")
    tokens = re.split(r"[ ,]", re.sub(r" ?([,/]) ?", r"\1", row), maxsplit=largest)
    if len(tokens) > largest:
        raise RequestError(f"{where} has more than {largest} numbers: use a smaller one")
    return [read_number(token, f"{where} number {i + 1}") for i, token in enumerate(tokens)]


def _sized_rows(match: re.Match, where: str, largest: int) -> list[list[float]]:
    """The rows of 'WIDTHxHEIGHT+X+Y: numbers', of which '3:' alone is a square."""
    width, height = int(match[1]), int(match[2] or match[1])
    if max(width, height) > largest:
        raise RequestError(
            f"{where} is {height}x{width}: at most {largest} are allowed on a side, use a smaller "
            "one"
        )
    if match[3] and (int(match[3]), int(match[4])) != (width // 2, height // 2):
        raise no_anchor(f"+{match[3]}+{match[4]}", where)
    flat = match[5]
    numbers = _numbers(flat, where, width * height + 1) if flat.strip() else []
    return folded(numbers, height, width, where)


def read_kernel_file(spec: str, largest: int = LARGEST_SIZE) -> Fields:
    """What a file says, or stdin for '-', at most ``largest`` weights on a side.

    The end of its name says what it is, without one what is in it: .npy, JSON or numbers as text,
    of which '#' begins a comment.
    """
    from cnntool.files import npy, wav  # which a kernel with a name does without

    where = "stdin: kernel" if spec == STDIN else f"'{spec}': kernel"
    content, kind = _content(spec), Path(spec).suffix.lower()
    if kind == ".npy" or content.startswith(npy.MAGIC):
        return {"bank": _npy_bank(content, where, largest)}
    if content.startswith(wav.MAGIC):
        raise RequestError(
            f"'{spec}' is a sound, no kernel: cnntool convolve1d --with {spec} convolves with it"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        if kind in FILE_KINDS:
            raise RequestError(f"{where} is not UTF-8 text: save it as UTF-8") from None
        raise RequestError(
            f"{where} is neither numbers as text nor JSON nor .npy: name a file of a kernel"
        ) from None
    if kind == ".json":
        return read_json(text, where, largest)
    if kind == ".csv" and ";" in text:
        raise RequestError(f"{where} has ';' in it: split the numbers of a .csv by commas")
    lines = [line.partition("#")[0] for line in text.splitlines()]
    return read_numbers("\n".join(lines), where, largest)


def _content(spec: str) -> bytes:
    """All bytes of a file, a pipe or stdin, which may have no end."""
    try:
        if spec == STDIN:
            content = sys.stdin.buffer.read(LARGEST_FILE + 1)
        else:
            with open(spec, "rb") as file:
                content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise InputError(f"kernel file '{spec}' does not exist: check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"kernel file '{spec}' cannot be read ({reason}): name a file that you may read"
        ) from None
    if len(content) > LARGEST_FILE:
        name = "stdin" if spec == STDIN else f"kernel file '{spec}'"
        raise RequestError(f"{name} is over {LARGEST_FILE:,} bytes: name a file of kernels")
    return content


def _npy_bank(content: bytes, where: str, largest: int) -> np.ndarray:
    from cnntool.files import npy

    if content.startswith(b"PK"):
        raise RequestError(f"{where} is an archive of arrays: save one array with numpy.save")
    file = io.BytesIO(content)
    try:
        header = npy.read_header(file, where)
        if header.dtype.kind not in "biuf":
            raise RequestError(
                f"{where} has dtype {header.dtype}: save whole or real numbers, such as float32"
            )
        array = npy.read_values(file, header, where)
    except InputError as error:
        raise RequestError(str(error)) from None
    if not 1 <= array.ndim <= 3:
        raise RequestError(
            f"{where} has shape {array.shape}: save (kh, kw), or (F, kh, kw) for a bank"
            + (", or name FILE:conv1/0 for one kernel of a layer" if array.ndim == 4 else "")
        )
    with np.errstate(over="ignore"):  # a long double may become infinity, which is refused
        bank = array.reshape((1,) * (3 - array.ndim) + array.shape).astype(float)
    return check_bank(bank, where, largest)

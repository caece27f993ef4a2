"""Kernels as numbers: a matrix as a person types it, and the files that hold one or a bank."""

import io
import json
import math
import re
from pathlib import Path

import numpy as np

from cnntool.errors import RequestError
from cnntool.imaging.kernel_weights import LARGEST_SIZE
from cnntool.specs import read_number
from cnntool.wording import counted

FILE_KINDS = (".txt", ".csv", ".json", ".npy")

LARGEST_WEIGHT = 1e12  # times pixels and summed over a kernel, it still fits float32


def read_matrix(text: str, largest: int = LARGEST_SIZE) -> np.ndarray:
    """The matrix of a spec as (1, kh, kw), at most ``largest`` on a side."""
    return _bank([_number_rows(text.splitlines())], "kernel", largest)


def _number_rows(lines: list[str], where: str = "kernel") -> list[list[float]]:
    """Lines of text as rows of numbers. Blank lines are skipped; ';' ends a row as a line does."""
    rows: list[list[float]] = []
    for line in lines:
        line = line.replace("\N{MINUS SIGN}", "-").strip().removesuffix(";").strip()
        line = re.sub(r"\s*/\s*", "/", line)
        for row in line.split(";") if line else []:
            tokens = re.split(r"\s*,\s*|\s+", row.strip()) if row.strip() else []
            here = f"{where} row {len(rows) + 1}"
            if not tokens:
                raise RequestError(f"{here} is empty: put numbers in it, or take out a ';'")
            rows.append(
                [read_number(token, f"{here} number {i + 1}") for i, token in enumerate(tokens)]
            )
    return rows


def _bank(kernels: list[list[list[float]]], where: str, largest: int) -> np.ndarray:
    """Lists of rows as a bank (F, kh, kw), once they are known to be rectangular and usable."""
    for k, rows in enumerate(kernels):
        here = _place(where, k, len(kernels))
        if not rows or not rows[0]:
            raise RequestError(f"{here} has no numbers: give at least one, as in '1 0 -1'")
        for i, row in enumerate(rows):
            if len(row) != len(rows[0]):
                count = counted(len(row), "number")
                raise RequestError(
                    f"{here} row {i + 1} has {count}, row 1 has {len(rows[0])}: "
                    "every row needs the same count"
                )
        if (len(rows), len(rows[0])) != (len(kernels[0]), len(kernels[0][0])):
            raise RequestError(
                f"{here} is {len(rows)}x{len(rows[0])}, the first is "
                f"{len(kernels[0])}x{len(kernels[0][0])}: every kernel needs the same size"
            )
    return check_bank(np.array(kernels, dtype=np.float64), where, largest)


def check_bank(bank: np.ndarray, where: str, largest: int = LARGEST_SIZE) -> np.ndarray:
    """The bank (F, kh, kw), once its size and its weights are known to be usable."""
    count, height, width = bank.shape
    if bank.size == 0:
        raise RequestError(f"{where} has no numbers: give at least one, as in '1 0 -1'")
    if max(count, height, width) > largest:
        shape = f"{height}x{width}" if count == 1 else f"{count}x{height}x{width}"
        raise RequestError(
            f"{where} is {shape}: at most {largest} are allowed on a side, use a smaller one"
        )
    bad = np.argwhere(~(np.abs(bank) <= LARGEST_WEIGHT))  # NaN too
    if len(bad):
        k, i, j = bad[0]
        value = bank[k, i, j]
        needed = (
            f"at most {LARGEST_WEIGHT:g} in size" if math.isfinite(value) else "a finite number"
        )
        here = _place(where, k, count)
        raise RequestError(f"{here} row {i + 1} number {j + 1} is {value:g}: it must be {needed}")
    return bank


def _place(where: str, index: int, count: int) -> str:
    """The start of an error message: 'kernel', or 'kernel 2' where there are several."""
    return where if count == 1 else f"{where} {index + 1}"


def read_kernel_file(spec: str, largest: int = LARGEST_SIZE) -> np.ndarray:
    """The kernels of a file as a bank (F, kh, kw), at most ``largest`` on a side."""
    path, where = Path(spec), f"{spec!r}: kernel"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise RequestError(f"kernel file {str(path)!r} does not exist: check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise RequestError(
            f"kernel file {str(path)!r} cannot be read ({reason}): name a file that you may read"
        ) from None
    if path.suffix.lower() == ".npy":
        return _npy_bank(content, where, largest)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RequestError(f"{where} is not UTF-8 text: save it as UTF-8") from None
    if path.suffix.lower() == ".json":
        return _json_bank(text, where, largest)
    if path.suffix.lower() == ".csv" and ";" in text:
        raise RequestError(f"{where} has ';' in it: split the numbers of a .csv by commas")
    lines = [line.partition("#")[0] for line in text.splitlines()]
    return _bank([_number_rows(lines, where)], where, largest)


def _json_bank(text: str, where: str, largest: int) -> np.ndarray:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise RequestError(
            f"{where} is not valid JSON ({error.msg}, line {error.lineno} column {error.colno}): "
            "write nested lists such as [[1, 0, -1], [2, 0, -2], [1, 0, -1]]"
        ) from None
    except (ValueError, RecursionError):  # thousands of digits, thousands of brackets
        raise RequestError(f"{where} is beyond what JSON can carry: write plain numbers") from None
    if isinstance(data, dict):
        if "kernel" not in data:
            raise RequestError(
                f"{where} has no 'kernel' in its object: write {{\"kernel\": [[...]]}}"
            )
        data = data["kernel"]
    depth, inner = 0, data
    while isinstance(inner, list):
        depth, inner = depth + 1, inner[0] if inner else None
    if not 1 <= depth <= 3:
        raise RequestError(
            f"{where} is a list {depth} deep: write rows of numbers, [[1, 0], [0, -1]], or a list "
            "of such kernels"
        )
    for _ in range(3 - depth):
        data = [data]
    count = len(data)
    matrices = [_json_matrix(m, _place(where, k, count)) for k, m in enumerate(data)]
    return _bank(matrices, where, largest)


def _json_matrix(rows: object, where: str) -> list[list[float]]:
    matrix = []
    for i, row in enumerate(rows if isinstance(rows, list) else [rows]):
        here = f"{where} row {i + 1}"
        if not isinstance(row, list):
            raise RequestError(f"{here} is {json.dumps(row)[:40]}: write every row as a list")
        matrix.append([_json_number(v, f"{here} number {j + 1}") for j, v in enumerate(row)])
    return matrix


def _json_number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        shown = json.dumps(value)[:40]
        raise RequestError(f"{where}, {shown}, is not a number: write plain numbers such as 0.5")
    try:
        return float(value)
    except OverflowError:  # a whole number of more than 308 digits
        return math.inf


def _npy_bank(content: bytes, where: str, largest: int) -> np.ndarray:
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except Exception as error:  # whatever NumPy meets in a file that is cut or was never an array
        reason = " ".join(str(error).split())[:80] or type(error).__name__
        raise RequestError(
            f"{where} is not a whole .npy array ({reason}): write it again with numpy.save"
        ) from None
    if not isinstance(array, np.ndarray):
        raise RequestError(f"{where} is an archive of arrays: save one array with numpy.save")
    if array.dtype.kind not in "biuf":
        raise RequestError(
            f"{where} has dtype {array.dtype}: save whole or real numbers, such as float32"
        )
    if not 1 <= array.ndim <= 3:
        raise RequestError(
            f"{where} has shape {array.shape}: save (kh, kw), or (F, kh, kw) for a bank"
            + (", or name FILE:conv1/0 for one kernel of a layer" if array.ndim == 4 else "")
        )
    with np.errstate(over="ignore"):  # a long double may become infinity, which is refused
        bank = array.reshape((1,) * (3 - array.ndim) + array.shape).astype(float)
    return check_bank(bank, where, largest)

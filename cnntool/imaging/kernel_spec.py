"""What a person may type for a kernel: a name, a matrix, a file, or a place in a model."""

import io
import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cnntool.errors import RequestError
from cnntool.imaging.kernel_weights import LARGEST_SIZE
from cnntool.imaging.kernels import CATALOGUE, Filter, build
from cnntool.specs import number_text, read_number
from cnntool.wording import counted, nearest

FILE_KINDS = (".txt", ".csv", ".json", ".npy")

Learned = Callable[[str, str | None], Filter]
"""From a file and a place in it, such as ``conv1/7``, None for none, to learned kernels."""

LARGEST_WEIGHT = 1e12  # times pixels and summed over a kernel, it still fits float32

_LEARNED = re.compile(r"(?s)(.+\.(?:npz|safetensors))(?::(.*))?|(.+\.npy):(.*)", re.IGNORECASE)
_MATRIX_START = re.compile(r"[+\-−]?(\.?\d|(nan|inf|infinity)\b)", re.ASCII | re.IGNORECASE)


def parse_kernel(spec: str, learned: Learned | None = None, **overrides: float | None) -> Filter:
    """Read one kernel as a person types it.

    A spec is one of:
    - a name of the catalogue, with parameters or without: 'sobel', 'gaussian:sigma=2,size=9';
    - a matrix, rows split by ';' or a line break, numbers by spaces or commas, fractions allowed:
      '1 0 -1; 2 0 -2; 1 0 -1', '1/9, 1/9, 1/9';
    - a file: .txt or .csv (a row a line, '#' starts a comment), .json (nested lists, or
      {"kernel": lists}), .npy. There a matrix is one kernel, a (F, kh, kw) array a bank of F;
    - where `learned` reads them, the kernels of a model or of weights, .npz or .safetensors, all of
      a layer or one: 'model.npz:conv1', 'model.npz:conv1/7'; of .npy with a colon only.

    `overrides` (size=5, sigma=2, angle=45; None means not given) are parameters of a named kernel.
    The weights are taken as cross-correlation applies them. Every mistake raises RequestError with
    one line that says what was found, what was expected and the remedy.
    """
    given = {key: value for key, value in overrides.items() if value is not None}
    text = spec.strip()
    if not text:
        raise RequestError(
            "the kernel is empty: give a name such as sobel, a matrix such as "
            "'1 0 -1; 2 0 -2; 1 0 -1', or a file"
        )
    name, colon, settings = text.partition(":")
    if (name := name.strip()) in CATALOGUE:
        return _named(name, settings if colon else None, given)
    if learned is not None and (match := _LEARNED.fullmatch(text)):
        _refuse_settings(given, "learned kernel")
        return learned(match[1] or match[3], match[2] or match[4])
    if is_file := Path(spec).suffix.lower() in FILE_KINDS:
        label, rebuild, bank = Path(spec).stem, spec, read_kernel_file(Path(spec))
    elif ";" in text or "\n" in text or starts_as_matrix(text):
        bank = read_matrix(text)
        label = f"kernel{bank.shape[1]}x{bank.shape[2]}"
        rebuild = "; ".join(" ".join(number_text(value) for value in row) for row in bank[0])
    elif Path(spec).is_file():
        kinds = ", ".join(FILE_KINDS)
        raise RequestError(f"{spec!r} is not a kernel file: its name must end in one of {kinds}")
    else:
        return build(name if nearest(name, CATALOGUE) else text)  # raises: unknown
    _refuse_settings(given, f"kernel given as a {'file' if is_file else 'matrix'}")
    names = [label] if len(bank) == 1 else [f"{label}-{i + 1}" for i in range(len(bank))]
    return Filter(label, rebuild, bank, "none", tuple(names))


def _refuse_settings(given: dict[str, float], kind: str) -> None:
    if given:
        key, value = next(iter(given.items()))
        raise RequestError(
            f"{key}={number_text(value)} does not apply to a {kind}: leave it out, or use a named "
            "kernel such as gaussian"
        )


def starts_as_matrix(text: str) -> bool:
    """Whether a spec begins with a number, and so is a matrix and no name."""
    return _MATRIX_START.match(text) is not None


def read_matrix(text: str, largest: int = LARGEST_SIZE) -> np.ndarray:
    """The matrix of a spec as (1, kh, kw), at most ``largest`` on a side."""
    return _bank([_number_rows(text.splitlines())], "kernel", largest)


def _named(name: str, settings: str | None, overrides: dict[str, float]) -> Filter:
    values = CATALOGUE[name].form.read(settings)
    for key, value in overrides.items():
        if key in values:
            raise RequestError(
                f"{name}: {key} is given twice, as {number_text(values[key])} in the kernel and as "
                f"{number_text(value)} beside it: keep one"
            )
    return build(name, **values, **overrides)


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


def read_kernel_file(path: Path, largest: int = LARGEST_SIZE) -> np.ndarray:
    """The kernels of a file as a bank (F, kh, kw), at most ``largest`` on a side."""
    where = f"{str(path)!r}: kernel"
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

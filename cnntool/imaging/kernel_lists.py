"""Kernels as nested lists, and as objects in JSON.

What is read are the fields of a :class:`~cnntool.imaging.kernels.Filter`: its ``bank`` (F, kh, kw)
always, of an object what else it says. What is not understood is an error, never left out.
"""

import json
import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from cnntool.choices import COMBINATIONS, RANGES
from cnntool.errors import RequestError
from cnntool.imaging.kernel_weights import LARGEST_SIZE
from cnntool.wording import counted, did_you_mean, joined, shortened

LARGEST_WEIGHT = 1e12  # times pixels and summed over a kernel, it still fits float32

Fields = dict[str, Any]

_SAID = ("kernel", "width", "height", "size", "scale", "offset", "name")
"""What an object may say of a kernel or a bank of them; a name changes nothing."""

_REPORTED = ("kernels", "combine", "directions", "size", "anchor", "offset", "colour", "range")
"""What ``cnntool kernels --json`` says of a filter, and below what follows from that."""

_FOLLOWS = (
    *("label", "spec", "sum", "rank", "separable", "symmetric", "gain", "worst_case"),
    *("formula", "source"),
)


def folded(numbers: list, height: int, width: int, where: str) -> list[list]:
    """Numbers row by row as so many rows."""
    if len(numbers) != height * width:
        raise RequestError(
            f"{where} has {counted(len(numbers), 'number')}, and {width} wide and {height} high it "
            f"needs {height * width}: give them row by row"
        )
    return [numbers[i : i + width] for i in range(0, len(numbers), width or 1)]


def no_anchor(given: str, where: str) -> RequestError:
    return RequestError(
        f"{where} has its anchor at {given}, and here it is always in the middle: leave it out, "
        "and put zeros around the weights until the anchor is"
    )


def bank_of(kernels: list[list[list[float]]], where: str, largest: int) -> np.ndarray:
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


def read_json(text: str, where: str, largest: int) -> Fields:
    try:
        data = json.loads(text, object_pairs_hook=partial(_object, where))
    except RequestError:
        raise
    except json.JSONDecodeError as error:
        raise RequestError(
            f"{where} is not valid JSON ({error.msg}, line {error.lineno} column {error.colno}): "
            "write nested lists such as [[1, 0, -1], [2, 0, -2], [1, 0, -1]]"
        ) from None
    except (ValueError, RecursionError):  # thousands of digits, thousands of brackets
        raise RequestError(f"{where} is beyond what JSON can carry: write plain numbers") from None
    if not isinstance(data, dict):
        return {"bank": _json_bank(data, where, largest)}
    if "kernels" in data:
        _check_keys(data, _REPORTED, _FOLLOWS, where)
        return _reported(data, where, largest)
    if "kernel" not in data:
        raise RequestError(f"{where} has no 'kernel' in its object: write {{\"kernel\": [[...]]}}")
    _check_keys(data, _SAID, (), where)
    return _said(data, where, largest)


def _object(where: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        raise RequestError(f"{where} has a key twice in one object: keep one")
    return data


def _check_keys(data: Fields, known: Sequence[str], ignored: Sequence[str], where: str) -> None:
    for key in data:
        if key not in known and key not in ignored:
            near = did_you_mean(key, known)
            raise RequestError(
                f"{where} has a key {shortened(key, 40)!r}, which is not understood: "
                f"{near or 'leave it out,'} it may have {joined(known)}"
            )


def _said(data: Fields, where: str, largest: int) -> Fields:
    """A kernel with its size beside it, divided by ``scale``; ``offset`` is added to responses."""
    kernel, size = data["kernel"], _size(data, where)
    if size and isinstance(kernel, list) and not any(isinstance(row, list) for row in kernel):
        height, width = size
        kernel = folded(kernel, height, width, where)
    bank = _json_bank(kernel, where, largest)
    _check_size(size, bank, where)
    scale = _json_number(data.get("scale", 1), f"{where} scale")
    if not 1 / LARGEST_WEIGHT <= abs(scale) <= LARGEST_WEIGHT:
        raise RequestError(f"{where} has the scale {scale:g}: weights are divided by it, write 1")
    return {"bank": check_bank(bank / scale, where, largest), "bias": _offset(data, where)}


def _reported(data: Fields, where: str, largest: int) -> Fields:
    """A filter as ``cnntool kernels --json`` reports it."""
    parts = data["kernels"]
    if not isinstance(parts, list) or not all(
        isinstance(part, dict) and part.keys() == {"name", "matrix"} for part in parts
    ):
        raise RequestError(
            f'{where} has "kernels" that are none: write [{{"name": ..., "matrix": [[...]]}}, ...]'
        )
    bank = _json_bank([part["matrix"] for part in parts], where, largest)
    _check_size(data.get("size"), bank, where)
    anchor = [bank.shape[1] // 2, bank.shape[2] // 2]
    if data.get("anchor", anchor) != anchor:
        raise no_anchor(json.dumps(data["anchor"]), where)
    names = [shortened(str(part["name"]), 100) for part in parts]
    if len(set(names)) < len(names):
        raise RequestError(f"{where} has two parts of one name: give each its own")
    is_colour = _one_of((False, True), data, "colour", where)
    if is_colour and len(names) % 3:
        raise RequestError(
            f"{where} is for colour with {counted(len(names), 'kernel')}: give three for each"
        )
    directions = data.get("directions")
    if directions is not None:
        directions = tuple(_json_row(directions, f"{where} directions"))
        if len(directions) != len(bank):
            raise RequestError(
                f"{where} has {counted(len(directions), 'direction')}: one a kernel is needed"
            )
    shown = _one_of(RANGES, data, "range", where)
    return {
        "bank": bank,
        "bias": _offset(data, where),
        "combine": _one_of(COMBINATIONS, data, "combine", where),
        "names": tuple(name.removesuffix("-red") for name in (names[::3] if is_colour else names)),
        "directions": directions,
        "is_colour": is_colour,
        "shown": "" if shown == "auto" else shown,
    }


def _one_of(words: Sequence, data: Fields, key: str, where: str) -> Any:
    """What an object says, the first one where it does not."""
    value = data.get(key, words[0])
    if value not in words:
        expected = joined([json.dumps(word) for word in words], "or")
        raise RequestError(f"{where} has {key} {json.dumps(value)[:40]}: expected {expected}")
    return value


def _offset(data: Fields, where: str) -> float:
    offset = _json_number(data.get("offset", 0), f"{where} offset")
    if not abs(offset) <= LARGEST_WEIGHT:
        raise RequestError(f"{where} has the offset {offset:g}: expected a finite number, or none")
    return offset


def _size(data: Fields, where: str) -> list[int] | None:
    """Height and width as an object says them; a "size" is a square's, either could come first."""
    size = data.get("size")
    sides: list[Any] = [data.get("height"), data.get("width")]
    if size is None and sides == [None, None]:
        return None
    if size is not None:
        if sides != [None, None]:
            raise RequestError(f"{where} has both a size and a width or height: leave out one")
        sides = size if isinstance(size, list) else [size, size]
    is_square = len(sides) == 2 and sides[0] == sides[1]
    if not all(type(side) is int and side > 0 for side in sides) or (size and not is_square):
        raise RequestError(
            f'{where} has the size {json.dumps(size or sides)[:40]}: write both "width" and '
            '"height" as whole numbers such as 3'
        )
    return sides


def _check_size(size: list[int] | None, bank: np.ndarray, where: str) -> None:
    height, width = bank.shape[1:]
    if size is not None and size != [height, width]:
        raise RequestError(
            f"{where} is {height}x{width}, and its size is said to be {json.dumps(size)[:40]}: "
            "correct one of them"
        )


def _json_bank(data: Any, where: str, largest: int) -> np.ndarray:
    """Nested lists as a bank (F, kh, kw): of rows, a matrix or several."""
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
    return bank_of(matrices, where, largest)


def _json_matrix(rows: object, where: str) -> list[list[float]]:
    rows = rows if isinstance(rows, list) else [rows]
    return [_json_row(row, f"{where} row {i + 1}") for i, row in enumerate(rows)]


def _json_row(row: object, where: str) -> list[float]:
    if not isinstance(row, list):
        raise RequestError(f"{where} is {json.dumps(row)[:40]}: write every row as a list")
    return [_json_number(value, f"{where} number {j + 1}") for j, value in enumerate(row)]


def _json_number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        shown = json.dumps(value)[:40]
        raise RequestError(f"{where}, {shown}, is not a number: write plain numbers such as 0.5")
    try:
        return float(value)
    except OverflowError:  # a whole number of more than 308 digits
        return math.inf

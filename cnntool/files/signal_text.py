"""Signals as text: one number a line, or the columns of a CSV file.

Lines are read many at a time by NumPy's own parser; only where it refuses are they looked at
one by one, to say which line is wrong.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from shlex import quote
from typing import BinaryIO, cast

import numpy as np

from cnntool.errors import InputError, RequestError
from cnntool.files.signal import Signal, column_index
from cnntool.wording import counted, shortened

CHUNK = 1 << 18
"""Bytes that are read at a time."""

LONGEST_LINE = 1 << 24
csv.field_size_limit(LONGEST_LINE)  # a cell is no longer than its line

MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
"""Of byte order: UTF-8, which is passed over, and UTF-16."""

DELIMITERS = (";", "\t", ",")
"""In the order in which they are believed; without any of them, white space is one."""

DECIMAL_COMMA = re.compile(r"\s*[-+]?\d+,\d+(e[-+]?\d+)?\s*", re.IGNORECASE)
"""A number in the writing of many countries, or two whole ones."""

MISSING = ("", "na", "n/a", "nan", "null", "none", "nil", "-", "--", "?")
"""What stands, in small letters, where a table has no number."""

LIKE_A_NUMBER = re.compile(r"(?=.*\d)[-+.,/\d_xXeEjJ]+")
"""What is no name of the only column."""
DIGITS = re.compile(r"[-+]?\d[\d.,]*[.,]\d*")
"""What is no name of any."""


@dataclass(frozen=True)
class Layout:
    """How the lines of a text are to be read, as its first lines show."""

    delimiter: str | None  # None: white space
    has_commas: bool  # for decimal points
    header: tuple[str, ...]
    columns: int
    used: tuple[int, ...]  # the columns that are wanted
    is_chosen: bool  # by whoever asks, not as all there are
    in_a_row: bool  # a single line with the whole signal


def read_text(
    stream: BinaryIO, head: bytes, name: str, wanted: Sequence[str] = (), live: bool = False
) -> Signal:
    """A signal from text that begins with ``head`` and goes on in a stream.

    ``wanted`` columns are named as in the header, or counted from 1. Blank lines, lines that begin
    with '#' and a byte order mark are passed over. ``live`` takes what there is of a pipe without
    waiting for more. Raises InputError, naming the line, where something is not a finite number,
    and RequestError for a column that is not there.
    """
    chunks = _chunks(stream, head, name, live)
    first: list[str] = []
    lines: list[str] = []
    for text in chunks:
        first.append(text)
        lines += islice(filter(_is_data, text.split("\n")), 2)
        if len(lines) > 1 or (live and lines and _is_number(lines[0].strip())):
            break
    if not lines:
        raise InputError(f"{name} is empty: it holds no numbers, and one a line was expected")
    if len(lines) == 1:
        _refuse_lone_header("\n".join(first).split("\n"), name)
    layout = _layout(lines, wanted, name)
    columns = tuple(layout.header[i] for i in layout.used) if layout.header else ()
    remarks: list[str] = []
    return Signal(
        name,
        "text",
        1 if layout.in_a_row else len(layout.used),
        _blocks(chain(["\n".join(first)], chunks), layout, name, remarks),
        columns=columns,
        remarks=remarks,
    )


def _blocks(
    texts: Iterable[str], layout: Layout, name: str, remarks: list[str]
) -> Iterator[np.ndarray]:
    before = 0  # lines that are done with
    is_header, has_numbers, ends_blank = bool(layout.header), False, False
    has_blanks = has_decimals = False
    is_unclear = layout.delimiter == "," and layout.columns == 2
    is_unclear &= not (layout.header or layout.is_chosen)
    for text in texts:
        lines = text.split("\n")
        if is_header:
            before = next(i for i, line in enumerate(lines) if _is_data(line)) + 1
            lines, is_header = lines[before:], False
        seen = ["0", "", *lines] if ends_blank else lines
        if layout.columns == 1 and not has_blanks and "" in seen and _has_blank(seen):
            has_blanks = True
            remarks.append(
                f"{name} has blank lines between its numbers, which are passed over: where one is "
                "missing, fill it in"
            )
        if "#" in text:
            lines = [line if _is_data(line) else "" for line in lines]
        is_unclear = is_unclear and all(map(_may_be_one_number, lines))
        if layout.has_commas and not has_decimals and any(map(DECIMAL_COMMA.search, lines)):
            has_decimals = True
            remarks.append(f"{name}: decimal commas are read as points")
        if any(line.strip() for line in lines):
            values = _parse(lines, '"' in text, before, layout, name)
            yield np.ascontiguousarray(values if layout.in_a_row else values.T)
            has_numbers = True
        ends_blank = has_numbers and (not text or text.endswith("\n"))
        before += len(lines)
    if has_numbers and is_unclear:
        given = "" if name == "stdin" else f" < {quote(name)}"
        remarks.append(
            f"{name}: commas are taken to part two columns: where they are decimal commas, put "
            f"points for them with tr , .{given}"
        )
    if not has_numbers:
        raise InputError(f"{name} holds no numbers after its header")


def _may_be_one_number(line: str) -> bool:
    return not line.strip() or DECIMAL_COMMA.fullmatch(line) is not None


def _has_blank(lines: list[str]) -> bool:
    """Whether a blank line stands between two with numbers."""
    kinds = ["1" if _is_data(line) else "0" for line in lines if line.lstrip()[:1] != "#"]
    return "0" in "".join(kinds).strip("0")


def _chunks(stream: BinaryIO, head: bytes, name: str, live: bool) -> Iterator[str]:
    """Whole lines, as many as come at a time, without the last line break."""
    read = cast(io.BufferedReader, stream).read1 if live else stream.read
    more = read(CHUNK)
    chunk = head + more
    while more and any(mark.startswith(chunk) and mark != chunk for mark in MARKS):
        more = read(CHUNK)
        chunk += more
    if wide := _wide_encoding(chunk):
        given = "" if name == "stdin" else f" {quote(name)}"
        raise InputError(
            f"{name} is {wide} text: save it as UTF-8, as with iconv -f {wide} -t UTF-8{given}"
        )
    chunk = chunk.removeprefix(MARKS[0]) or read(CHUNK)
    parts: list[bytes] = []
    while chunk:
        if b"\0" in chunk:
            raise InputError(
                f"{name} is neither text nor .npy nor WAV: it holds bytes that are no text"
            )
        end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r", 0, -1)) + 1
        if not end:
            parts.append(chunk)
            if sum(map(len, parts)) > LONGEST_LINE:
                raise InputError(
                    f"{name} has a line of more than {LONGEST_LINE:,} bytes: put one number a line"
                )
        else:
            yield _decoded(b"".join([*parts, chunk[:end]]))
            parts = [chunk[end:]]
        chunk = read(CHUNK)
    if rest := b"".join(parts):
        yield _decoded(rest)


def _wide_encoding(data: bytes) -> str:
    """UTF-16 by its mark, or by NULs in every second place; else ""."""
    if data.startswith(MARKS[1:]):
        return "UTF-16"
    for place, encoding in ((1, "UTF-16LE"), (0, "UTF-16BE")):
        others, nul = data[1 - place :: 2], data[place::2]
        if len(data) > 3 and not nul.strip(b"\0") and b"\0" not in others:
            return encoding
    return ""


def _decoded(data: bytes) -> str:
    text = data.decode("utf-8", "surrogateescape")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.removesuffix("\n")


def _is_data(line: str) -> bool:
    line = line.lstrip()
    return line != "" and line[0] != "#"


def _layout(lines: list[str], wanted: Sequence[str], name: str) -> Layout:
    delimiter = _delimiter(lines[0])
    cells = _cells(lines[0], delimiter)
    if len(lines) > 1 and not any(_is_number(cell, delimiter != ",") for cell in cells):
        delimiter = _delimiter(lines[1])  # the first line is a header, with commas of its own maybe
    has_commas = delimiter in (";", "\t") or (delimiter is None and "," in "".join(lines))
    first = _cells(lines[0], delimiter)
    second = _cells(lines[1], delimiter) if len(lines) > 1 else None
    if len(lines) > 1 and len(first) == 1 and DECIMAL_COMMA.fullmatch(lines[1]):
        delimiter, has_commas, second = None, True, [lines[1]]  # one name, one column
    header = first if second and _is_header(first, second, has_commas) else []
    columns = len(second if header and second else first)
    if header and delimiter is None and columns == 1:
        header = [" ".join(header)]  # a name of several words
    if header and len(header) != columns:
        raise InputError(
            f"{name} has {counted(len(header), 'name')} in its first line, and "
            f"{counted(columns, 'column')} in the next: every line needs as many"
        )
    odd = [cell for cell in header if (LIKE_A_NUMBER if columns == 1 else DIGITS).fullmatch(cell)]
    if odd and not _is_number(odd[0]):
        raise InputError(
            f"{name}: {odd[0]!r} is not a number: correct it, or give the column a name of letters"
        )
    used = [_column(column, header, columns, name) for column in wanted] or list(range(columns))
    in_a_row = second is None and columns > 1 and not wanted
    return Layout(
        delimiter, has_commas, tuple(header), columns, tuple(used), bool(wanted), in_a_row
    )


def _delimiter(line: str) -> str | None:
    cells = line.split()
    has_decimal = any(map(DECIMAL_COMMA.fullmatch, cells))
    if len(cells) > 1 and has_decimal and all(map(_is_plain_or_decimal, cells)):
        return ";" if ";" in line else "\t" if "\t" in line else None
    return next((mark for mark in DELIMITERS if mark in line), None)


def _is_plain_or_decimal(cell: str) -> bool:
    return DECIMAL_COMMA.fullmatch(cell) is not None or _is_number(cell)


def _cells(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return line.split()
    if '"' not in line:
        return [cell.strip() for cell in line.split(delimiter)]
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]


def _is_header(first: list[str], second: list[str], has_commas: bool) -> bool:
    """No number at all, or none where the next line has one."""
    if not any(_is_number(cell, has_commas) for cell in first):
        return True
    pairs = zip(first, second, strict=False)
    return any(
        _is_number(below, has_commas) and not _is_number(cell, has_commas) for cell, below in pairs
    )


def _is_number(cell: str, has_commas: bool = False) -> bool:
    cell = cell.replace(",", ".") if has_commas else cell
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell and cell.isascii()


def _refuse_lone_header(lines: list[str], name: str) -> None:
    """Raise InputError where the only line that counts holds the names of columns."""
    number, line = next((n, line) for n, line in enumerate(lines, 1) if _is_data(line))
    cells = _cells(line, _delimiter(line))
    if len(cells) > 1 and not any(map(_is_number, cells)):
        shown = shortened(line, 40)
        raise InputError(
            f"{name} line {number}, {shown!r}, holds no number, and nothing follows: put numbers "
            "below the names of columns"
        )


def _column(wanted: str, header: list[str], columns: int, name: str) -> int:
    if wanted in header:
        return header.index(wanted)
    if (index := column_index(wanted, columns)) is not None:
        return index
    there = f"its columns are {', '.join(header)}" if header else "its columns have no names"
    numbers = "there is only column 1" if columns == 1 else f"count them from 1 to {columns}"
    raise RequestError(f"--column {wanted}: {name} has no such column; {there}; {numbers}")


def _parse(
    lines: list[str], has_quotes: bool, before: int, layout: Layout, name: str
) -> np.ndarray:
    """Lines as an array (n, used columns); blank ones are left out."""
    uses_all = layout.used == tuple(range(layout.columns))
    if layout.delimiter and not uses_all:  # NumPy does not look at what is beside them
        split = _cells if has_quotes else str.split
        counts = {len(split(line, layout.delimiter)) for line in lines if _is_data(line)}
        if counts != {layout.columns}:
            _diagnose(lines, before, layout, name)
    try:
        values = np.loadtxt(
            [line.replace(",", ".") for line in lines] if layout.has_commas else lines,
            comments=None,
            delimiter=layout.delimiter,
            usecols=None if uses_all else layout.used,
            quotechar='"' if has_quotes else None,
            ndmin=2,
        )
    except ValueError as error:
        _diagnose(lines, before, layout, name)
        raise InputError(f"{name} cannot be read: {' '.join(str(error).split())[:120]}") from None
    if values.shape[1] != len(layout.used) or not np.isfinite(values).all():
        _diagnose(lines, before, layout, name)
    return values


def _diagnose(lines: list[str], before: int, layout: Layout, name: str) -> None:
    """Raise InputError for the first line that is not as the layout says."""
    is_log = layout.is_chosen and layout.delimiter is None  # a line may end in any words
    for number, line in enumerate(lines, before + 1):
        if not _is_data(line):
            continue
        where = f"{name} line {number}"
        cells = _cells(line, layout.delimiter)
        if len(cells) != layout.columns and not (is_log and len(cells) > max(layout.used)):
            raise InputError(
                f"{where} has {counted(len(cells), 'column')}, the first line has "
                f"{layout.columns}: every line needs as many"
            )
        for index in layout.used:
            _check_cell(cells[index], index, where, layout)


def _check_cell(cell: str, index: int, where: str, layout: Layout) -> None:
    shown = repr(shortened(cell, 40))
    if layout.columns > 1:
        column = f" ({layout.header[index]})" if layout.header else ""
        where = f"{where}, column {index + 1}{column}"
        remedy = "--column chooses the columns to read"
        if layout.is_chosen:
            remedy = "correct it, or name another --column"
    else:
        remedy = "write one number a line"
    if cell.lower() in MISSING:
        what = f"{shown} is no number" if cell else "there is no number"
        raise InputError(
            f"{where}: {what}: fill it in, for example with the mean of its neighbours (to leave "
            "the line out would shift the rest)"
        )
    if not _is_number(cell, layout.has_commas):
        if layout.delimiter != "," and _is_number(cell.replace(",", ".", 1)):
            remedy = "write a point for the decimal comma"
        raise InputError(f"{where}: {shown} is not a number: {remedy}")
    if not np.isfinite(float(cell.replace(",", "."))):
        raise InputError(f"{where}: {shown} is not a finite number: write one that is")


WHOLE = float(1 << 53)
"""Up to here every whole number is a float64."""

EXACT = 17
"""Digits that tell every float64 from its neighbours."""


def text_of(block: np.ndarray, digits: int) -> bytes:
    """A block (C, n) as n lines of C numbers, split by commas.

    Numbers have at most so many significant digits, 17 meaning the shortest text that reads back
    as the same float64; whole numbers are written in full.
    """
    values = block.T.ravel()
    whole = (np.abs(values) < WHOLE) & (values == np.rint(values))
    template = f"%.{digits}g"
    if whole.all():
        numbers, template = values.astype(np.int64).tolist(), "%d"
    elif digits >= EXACT:
        numbers = [repr(value).removesuffix(".0") for value in (values + 0.0).tolist()]
        template = "%s"
    elif (whole & (np.abs(values) >= 10.0**digits)).any():
        pairs = zip(values.tolist(), whole.tolist(), strict=True)
        numbers = [int(value) if is_whole else template % value for value, is_whole in pairs]
        template = "%s"
    else:
        numbers = (values + 0.0).tolist()  # -0.0 becomes 0.0
    row = ",".join([template] * len(block)) + "\n"
    return (row * block.shape[1] % tuple(numbers)).encode()


def header_of(columns: Sequence[str]) -> bytes:
    """The first line of a CSV file."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(columns)
    return line.getvalue().encode("utf-8", "surrogateescape")

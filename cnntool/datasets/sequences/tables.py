"""Columns: of comma- or tab-separated text, and of JSON with an object a line."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cnntool.datasets.sequences.material import Document
from cnntool.errors import InputError
from cnntool.wording import counted, listed, shortened, suggestion

WIDEST = (1 << 31) - 1
"""Characters that a field may have; Python's own limit is 131,072, beyond which it gives up."""

MOST_NAMED = 12
QUOTED = re.compile(r'"(?:[^"]|"")*"')

Row = Sequence[Any]


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of one width, each with its place.

    kind: tab-separated, comma-separated or JSON lines. header: the names of the columns; empty
        where the first line is data. rows: of texts; of JSON's values, None where there is none.
    """

    name: str
    kind: str
    header: Sequence[str]
    rows: Sequence[Row]
    places: Sequence[str]

    @property
    def width(self) -> int:
        return len(self.header or self.rows[0])

    def named(self, column: int) -> str:
        """How messages call a column: its name, or its number from 1."""
        name = self.header[column] if self.header else ""
        return f"'{name}'" if name.strip() else f"column {column + 1}"

    def find(self, wanted: str | None, usual: Sequence[str], option: str) -> int | None:
        """The column that is wanted, by its name or by its number from 1; else the first of the
        usual names that there is, or None. InputError for a wanted one that is not there."""
        names = [_plain(name) for name in self.header]
        if wanted is None:
            return next((names.index(name) for name in usual if name in names), None)
        if _plain(wanted) in names:
            return names.index(_plain(wanted))
        if wanted.isdecimal() and 1 <= int(wanted) <= self.width:
            return int(wanted) - 1
        if not self.header:
            raise InputError(
                f"{self.name} has {counted(self.width, 'column')} and no line of names with "
                f"{wanted!r} in it: {option} may be a number from 1"
            )
        raise InputError(f"{self.name} has no column {wanted!r}{suggestion(wanted, self.header)}")

    def texts(self, column: int, may_be_empty: bool = False) -> list[str]:
        """What is in a column, as texts; InputError naming the row where there is nothing."""
        found = []
        for row, place in zip(self.rows, self.places, strict=True):
            text = as_text(row[column], place, self.named(column))
            if not text and not may_be_empty:
                raise InputError(
                    f"{place} has no {self.named(column)}: fill it in, or leave the row out"
                )
            found.append(text)
        return found

    def groups(self, column: int | None) -> Sequence[str | None]:
        """What each row belongs to, by a column of such; None without one."""
        return [None] * len(self.rows) if column is None else self.texts(column)

    def unused(self, *columns: int | None) -> list[str]:
        """A note on the columns that are none of these; none where there are no others."""
        others = [self.named(i) for i in range(self.width) if i not in columns]
        verb = "is" if len(others) == 1 else "are"
        noun = "" if others and others[0].startswith("column") else "column "
        noun = noun and counted(len(others), "column").split()[-1] + " "
        return [f"{self.name}: {noun}{listed(others, MOST_NAMED)} {verb} not read"] * bool(others)


def as_text(value: Any, place: str, name: str) -> str:
    """A value of a table as a text without space around it, numbers and truth as JSON has them, ""
    for none; InputError for a list, an object, NaN and infinity."""
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    if isinstance(value, bool | int):
        return json.dumps(value)
    if isinstance(value, float) and abs(value) < float("inf"):
        return json.dumps(value)
    shown = shortened(json.dumps(value), 40)
    raise InputError(f"{place}: {name} is {shown}, expected a text or a number")


def is_jsonl(document: Document) -> bool:
    return document.first_line.lstrip()[:1] in ("{", "[") and bool(
        re.match(r'\s*(\[\s*)?(\{\s*("|\}|$)|$)', document.first_line)
    )


def is_tsv(document: Document) -> bool:
    return "\t" in document.first_line


def is_csv(document: Document) -> bool:
    line = document.first_line
    return "," in line or (";" in line and document.name.lower().endswith(".csv"))


def read_jsonl(document: Document) -> Table:
    """The columns of JSON lines are their keys."""
    records, places = [], []
    for place, line in document.filled():
        try:
            value = json.loads(line)
        except ValueError as error:
            reason = getattr(error, "msg", "numbers of that size are none")
            raise InputError(
                f"{place} is not JSON ({reason}): expected one object a line; jq -c '.[]' makes "
                "such lines of a list"
            ) from None
        except RecursionError:
            raise InputError(f"{place} is JSON nested too deep: expected a flat object") from None
        if not isinstance(value, dict):
            raise InputError(
                f"{place} is {shortened(json.dumps(value), 40)}: expected one object a line; "
                "jq -c '.[]' makes such lines of a list"
            )
        if "\\u" in line:
            _check_whole(value, place)
        records.append(value)
        places.append(place)
    if not records:
        raise InputError(f"{document.name} is empty: expected one object a line")
    header = list(dict.fromkeys(key for record in records for key in record))
    rows = [[record.get(key) for key in header] for record in records]
    return Table(document.name, "JSON lines", header, rows, places)


def _check_whole(value: Any, place: str) -> None:
    """InputError for half a surrogate pair, which no text has."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InputError(f"{place} holds half a surrogate pair, which is no text") from None


def read_delimited(
    document: Document,
    known: Sequence[str],
    wanted: Sequence[str | None],
    format: str | None = None,
) -> Table:
    """Rows parted by tabs, or where the first line has none by commas or semicolons; ``tsv`` and
    ``csv`` say which.

    The first line names the columns where it has a name that is known and does not come again in
    its column, or one that is wanted. InputError for rows of another width than the first, for
    quotes that do not close, and where nothing follows the names.
    """
    tried = {"tsv": "\t", "csv": ",;"}.get(format or "", "\t,;")
    delimiter = next((each for each in tried if each in document.first_line), tried[0])
    kind = {"\t": "tab-separated", ",": "comma-separated", ";": "semicolon-separated"}[delimiter]
    rows: list[list[str]] = []
    places: list[str] = []
    split = _unquoted if delimiter == "\t" and not _has_quotes(document) else _quoted
    for place, row in split(document, delimiter):
        if rows and len(row) != len(rows[0]):
            raise InputError(_other_width(place, row, rows[0], places[0], kind))
        rows.append(row)
        places.append(place)
    if not rows:
        raise InputError(f"{document.name} is empty: expected rows of columns")
    names = [name for name in wanted if name]
    header = list(rows[0]) if _is_header(rows, known, names) else []
    if header and len(rows) == 1:
        raise InputError(f"{document.name} has names of columns ({listed(header)}) and no rows")
    start = bool(header)
    return Table(document.name, kind, header, rows[start:], places[start:])


def _unquoted(document: Document, delimiter: str) -> Iterator[tuple[str, list[str]]]:
    return ((place, line.split(delimiter)) for place, line in document.filled())


def _quoted(document: Document, delimiter: str) -> Iterator[tuple[str, list[str]]]:
    before = csv.field_size_limit(WIDEST)
    reader = csv.reader((line + "\n" for line in document.lines), delimiter=delimiter, strict=True)
    start = 0
    try:
        for row in reader:
            if len(row) > 1 or any(field.strip() for field in row):
                yield document.place(start), row
            start = reader.line_num
    except csv.Error as error:
        raise InputError(
            f"{document.place(start)} is no row of CSV ({error}): quotes around a text open and "
            'close, and those within it are doubled, as in "say ""so"""'
        ) from None
    finally:
        csv.field_size_limit(before)


def _has_quotes(document: Document) -> bool:
    """Whether all fields that begin with a quote are quoted as in CSV, and there are some: in text
    parted by tabs a quote is mostly just a quote."""
    fields = [field for line in document.lines for field in line.split("\t") if field[:1] == '"']
    return bool(fields) and all(QUOTED.fullmatch(field) for field in fields)


def _is_header(rows: Sequence[Row], known: Sequence[str], wanted: Sequence[str]) -> bool:
    names = [_plain(name) for name in rows[0]]
    if any(_plain(name) in names for name in wanted):
        return True
    return any(
        name in known and all(_plain(row[column]) != name for row in rows[1:])
        for column, name in enumerate(names)
    )


def _other_width(place: str, row: Row, first: Row, first_place: str, kind: str) -> str:
    remedy = "put quotes around a text that holds the separator"
    if len(row) < len(first):
        separator = "a tab" if kind.startswith("tab") else "the separator"
        remedy = f"write what is missing, with {separator} before it"
    elif kind.startswith("tab"):
        remedy = "make a tab within a text a space"
    return (
        f"{place} has {counted(len(row), 'column')}, where {first_place} has {len(first):,}: "
        f"{remedy}"
    )


def _plain(name: str) -> str:
    return name.strip().casefold()

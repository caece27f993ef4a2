"""Connection tables from files: which maps each filter of a convolution sees."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import replace

from cnntool.errors import InputError, RequestError
from cnntool.networks.layers.convolutions import Convolution, Table
from cnntool.networks.layers.layer import Layer
from cnntool.wording import counted

LARGEST_BYTES = 1 << 24


def read_connections(path: str | os.PathLike) -> Table:
    """A table of 0 and 1 from a CSV file: a row a filter, a column a map that it may see.

    InputError, one line, where it is none.
    """
    try:
        with open(path, "rb") as file:
            text = file.read(LARGEST_BYTES + 1).decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text: expected a CSV file of 0 and 1") from None
    if len(text) > LARGEST_BYTES:
        raise InputError(f"{path} is over {LARGEST_BYTES:,} bytes: expected a table of 0 and 1")
    rows = [row for row in csv.reader(text.splitlines()) if any(cell.strip() for cell in row)]
    if not rows:
        raise InputError(f"{path} is empty: expected a row of 0 and 1 for each filter")
    return tuple(_row(row, number, len(rows[0]), path) for number, row in enumerate(rows, 1))


def _row(cells: list[str], number: int, count: int, path: str | os.PathLike) -> tuple[bool, ...]:
    if len(cells) != count:
        raise InputError(
            f"{path}: row {number} has {len(cells)} numbers, row 1 has {count}: every row needs "
            "the same count"
        )
    for column, cell in enumerate(cells, 1):
        if cell.strip() not in ("0", "1"):
            raise InputError(
                f"{path}: row {number}, column {column} is '{cell.strip()[:20]}': expected 0 or 1"
            )
    row = tuple(cell.strip() == "1" for cell in cells)
    if not any(row):
        raise InputError(f"{path}: row {number} is all 0: its filter would see no map")
    return row


def connected(layers: Sequence[Layer], table: Table, name: str | None = None) -> list[Layer]:
    """The layers with this table in the convolution that has one, or else in the second.

    name: what to call the table in messages. RequestError where there is no such convolution, or
    the table has not a row for each of its filters.
    """
    places = [index for index, layer in enumerate(layers) if isinstance(layer, Convolution)]
    tabled = [index for index in places if layers[index].table is not None]
    name = name or "the connection table"
    if not tabled and len(places) < 2:
        raise RequestError(
            f"{name} is for the second convolution, and the network has {len(places)}: leave it "
            "out, or take a network such as lenet"
        )
    index = (tabled or places[1:])[0]
    layer = layers[index]
    rows, columns = len(table), len(table[0])
    if rows != layer.filters:
        turned = ": turn rows into columns" if columns == layer.filters else ""
        raise RequestError(
            f"{name} has {counted(rows, 'row')} of {columns}, and {layer} has "
            f"{counted(layer.filters, 'filter')}: "
            f"expected a row for each{turned}"
        )
    return [*layers[:index], replace(layer, table=table), *layers[index + 1 :]]

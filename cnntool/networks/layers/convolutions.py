"""Convolution, and the locally connected layer that shares no weights."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from cnntool.engine.convolution import conv2d, conv2d_backward
from cnntool.engine.local_convolution import local_conv2d, local_conv2d_backward
from cnntool.engine.windows import plan_axes
from cnntool.errors import InputError, RequestError
from cnntool.files.streams import open_path
from cnntool.networks.initialisation import Fans
from cnntool.networks.layers.layer import (
    Arrays,
    Gradients,
    Layer,
    Output,
    Parameter,
    Pass,
    Shape,
    Table,
    WindowLayer,
    Words,
    maps_of,
    pair_text,
    shown,
    size_text,
)
from cnntool.wording import counted

LENET5_TABLE: Table = tuple(
    tuple(seen == "1" for seen in row)
    for row in (
        *("111000", "011100", "001110", "000111", "100011", "110001"),
        *("111100", "011110", "001111", "100111", "110011", "111001"),
        *("110110", "011011", "101101", "111111"),
    )
)
"""Which of the 6 maps of S2 each of the 16 of C3 sees.

Source: LeCun, Bottou, Bengio, Haffner, Proc. IEEE 86, 1998, table I.
"""

TABLES = {"lenet5": LENET5_TABLE}
"""Those that have a name."""


@dataclass(frozen=True)
class Window:
    """Where the windows of a layer lie."""

    size: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] | str = (0, 0)
    dilation: tuple[int, int] = (1, 1)

    def output_size(self, shape: Shape) -> tuple[int, int]:
        """(oh, ow) over maps of this shape; ValueError, saying what would fit."""
        height, width = maps_of(shape)[1:]
        try:
            axes = plan_axes((height, width), self.size, self.stride, self.dilation, self.padding)
        except ValueError as error:
            rows, columns = ((k - 1) * d + 1 for k, d in zip(self.size, self.dilation, strict=True))
            raise ValueError(
                f"its kernel spans {rows}x{columns} and it got maps of {height}x{width}: use a "
                "smaller kernel, more padding, less pooling before it or larger images"
            ) from error
        return axes[0].output_size, axes[1].output_size

    def sees(self) -> tuple[WindowLayer, WindowLayer]:
        """Along the height and along the width."""
        padding = self.padding
        pads = (padding, padding) if isinstance(padding, str) else padding
        rows, columns = (
            WindowLayer(self.size[axis], self.stride[axis], pads[axis], self.dilation[axis])
            for axis in (0, 1)
        )
        return rows, columns

    def __str__(self) -> str:
        text = size_text(self.size)
        if self.stride != (1, 1):
            text += f" stride {pair_text(self.stride)}"
        if self.padding != (0, 0):
            pad = self.padding
            text += f" pad {pad if isinstance(pad, str) else pair_text(pad)}"
        if self.dilation != (1, 1):
            text += f" dilation {pair_text(self.dilation)}"
        return text


def _read_window(words: Words, others: tuple[str, ...] = ()) -> tuple[Window, dict[str, Any]]:
    """The kernel's size and where its windows lie; a convolution's other settings apart."""
    size = words.pair("kernel size")
    settings: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    while name := words.setting(("stride", "pad", "dilation", *others)):
        if name == "pad":
            is_same = words.peek() == "same"
            settings["padding"] = words.next("pad", "1") if is_same else words.pair("pad", least=0)
        elif name in ("stride", "dilation"):
            settings[name] = words.pair(name)
        elif name == "connections":
            rest["table"] = _read_table(words)
        elif name == "groups":
            rest["groups"] = words.count("groups")
        else:
            rest["has_bias"] = False
    return Window(size, **settings), rest


def _read_table(words: Words) -> Table:
    """``lenet5``, or rows of 0 and 1 such as ``110/011``."""
    text = words.next("connection table", "lenet5 or 110/011")
    if text in TABLES:
        return TABLES[text]
    rows = text.split("/")
    if set(text) - set("01/") or len({len(row) for row in rows}) > 1 or not all(rows):
        raise words.error(
            f"connection table '{shown(text)}': expected lenet5, or rows of 0 and 1 of one length "
            "such as 110/011"
        )
    return tuple(tuple(seen == "1" for seen in row) for row in rows)


@dataclass(frozen=True)
class Convolution(Layer):
    """:func:`~cnntool.engine.convolution.conv2d` with ``filters`` kernels."""

    filters: int
    window: Window
    groups: int = 1
    table: Table | None = None
    has_bias: bool = True

    kind = "conv"

    @classmethod
    def read(cls, name: str, words: Words) -> Convolution:
        filters = words.count("number of filters")
        window, rest = _read_window(words, ("groups", "connections", "no-bias"))
        return cls(filters, window, **rest)

    def __str__(self) -> str:
        text = f"conv {self.filters} {self.window}"
        if self.groups > 1:
            text += f" groups {self.groups}"
        if self.table is not None:
            text += f" connections {_table_text(self.table)}"
        return text if self.has_bias else text + " no-bias"

    def output_shape(self, shape: Shape) -> Shape:
        channels = maps_of(shape)[0]
        if channels % self.groups or self.filters % self.groups:
            raise ValueError(
                f"{self.groups} groups divide neither or only one of {counted(channels, 'map')} "
                f"and {counted(self.filters, 'filter')}: use a number that divides both"
            )
        if self.table is not None:
            self._check_table(self.table, channels)
        return self.filters, *self.window.output_size(shape)

    def _check_table(self, table: Table, channels: int) -> None:
        rows, columns = len(table), len(table[0])
        if (rows, columns) != (self.filters, channels) or self.groups > 1:
            raise ValueError(
                f"the connection table has {counted(rows, 'row')} of {columns}: expected a row for "
                f"each of {counted(self.filters, 'filter')}, a column for each of "
                f"{counted(channels, 'map')}, and no groups"
            )

    def _taps(self, channels: int) -> int:
        """Weights of all filters that are connected."""
        taps = prod(self.window.size)
        if self.table is not None:
            return taps * sum(map(sum, self.table))
        return taps * self.filters * (channels // self.groups)

    def parameters(self, shape: Shape) -> dict[str, Parameter]:
        channels = maps_of(shape)[0]
        taps, weights = prod(self.window.size), self._taps(channels)
        weight_shape = self.filters, channels // self.groups, *self.window.size
        fans = Fans(max(weights // self.filters, taps), max(weights // channels, taps))
        weight = Parameter(weight_shape, fans, self.table)
        return {"weight": weight} | ({"bias": Parameter((self.filters,))} if self.has_bias else {})

    def sees(self, shape: Shape) -> tuple[WindowLayer, WindowLayer]:
        return self.window.sees()

    def multiply_adds(self, shape: Shape) -> int:
        return self._taps(shape[0]) * prod(self.output_shape(shape)[1:])

    def connections(self, shape: Shape) -> int:
        outputs = prod(self.output_shape(shape)[1:])
        return (self._taps(shape[0]) + self.filters * self.has_bias) * outputs

    def forward(self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass) -> Output:
        window = self.window
        table = None if self.table is None else np.array(self.table)
        settings = window.stride, window.padding, window.dilation, self.groups
        return conv2d(x, params["weight"], params.get("bias"), *settings, connections=table)

    def backward(self, dy: np.ndarray, cache: Any, *, need_dx: bool = True) -> Gradients:
        dx, dweight, dbias = conv2d_backward(dy, cache, need_dx=need_dx)
        return dx, {"weight": dweight} | ({"bias": dbias} if self.has_bias else {})


def _table_text(table: Table) -> str:
    """Its name, or rows of 0 and 1 such as ``110/011``."""
    name = next((name for name, known in TABLES.items() if known == table), None)
    return name or "/".join("".join("01"[seen] for seen in row) for row in table)


@dataclass(frozen=True)
class LocallyConnected(Layer):
    """:func:`~cnntool.engine.local_convolution.local_conv2d`: each place has kernels of its own."""

    filters: int
    window: Window

    kind = "local"
    needs_size = True

    @classmethod
    def read(cls, name: str, words: Words) -> LocallyConnected:
        return cls(words.count("number of filters"), _read_window(words)[0])

    def __str__(self) -> str:
        return f"local {self.filters} {self.window}"

    def output_shape(self, shape: Shape) -> Shape:
        return self.filters, *self.window.output_size(shape)

    def parameters(self, shape: Shape) -> dict[str, Parameter]:
        _, height, width = self.output_shape(shape)
        taps = shape[0] * prod(self.window.size)
        weight_shape = height, width, self.filters, shape[0], *self.window.size
        weight = Parameter(weight_shape, Fans(taps, self.filters * prod(self.window.size)))
        return {"weight": weight, "bias": Parameter((height, width, self.filters))}

    def sees(self, shape: Shape) -> tuple[WindowLayer, WindowLayer]:
        return self.window.sees()

    def multiply_adds(self, shape: Shape) -> int:
        return prod(self.output_shape(shape)) * shape[0] * prod(self.window.size)

    def connections(self, shape: Shape) -> int:
        return self.multiply_adds(shape) + prod(self.output_shape(shape))

    def forward(self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass) -> Output:
        window = self.window
        settings = window.stride, window.padding, window.dilation
        return local_conv2d(x, params["weight"], params["bias"], *settings)

    def backward(self, dy: np.ndarray, cache: Any, *, need_dx: bool = True) -> Gradients:
        dx, dweight, dbias = local_conv2d_backward(dy, cache, need_dx=need_dx)
        return dx, {"weight": dweight, "bias": dbias}


LARGEST_BYTES = 1 << 24


def read_connections(path: str | os.PathLike) -> Table:
    """A table of 0 and 1 from a CSV file: a row a filter, a column a map that it may see.

    InputError, one line, where it is none.
    """
    try:
        with open_path(path, str(path), "a table: name a CSV file of 0 and 1") as file:
            text = file.read(LARGEST_BYTES + 1).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text: expected a CSV file of 0 and 1") from None
    if len(text) > LARGEST_BYTES:
        raise InputError(f"{path} is over {LARGEST_BYTES:,} bytes: expected a table of 0 and 1")
    lines = text.replace('"', "").splitlines()
    rows = [line.split(",") for line in lines if line.strip(", \t")]
    if not rows:
        raise InputError(f"{path} is empty: expected a row of 0 and 1 for each filter")
    return tuple(_row(row, number, len(rows[0]), path) for number, row in enumerate(rows, 1))


def _row(cells: list[str], number: int, count: int, path: str | os.PathLike) -> tuple[bool, ...]:
    if len(cells) != count:
        raise InputError(
            f"{path}: row {number} has {counted(len(cells), 'number')}, row 1 has {count}: "
            "every row needs the same count"
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
    places = [(at, layer) for at, layer in enumerate(layers) if isinstance(layer, Convolution)]
    tabled = [(at, layer) for at, layer in places if layer.table is not None]
    name = name or "the connection table"
    if not tabled and len(places) < 2:
        raise RequestError(
            f"{name} is for the second convolution, and the network has {len(places)}: leave it "
            "out, or take a network such as lenet"
        )
    index, layer = (tabled or places[1:])[0]
    rows, columns = len(table), len(table[0])
    if rows != layer.filters:
        turned = ": turn rows into columns" if columns == layer.filters else ""
        raise RequestError(
            f"{name} has {counted(rows, 'row')} of {columns}, and {layer} has "
            f"{counted(layer.filters, 'filter')}: "
            f"expected a row for each{turned}"
        )
    return [*layers[:index], replace(layer, table=table), *layers[index + 1 :]]

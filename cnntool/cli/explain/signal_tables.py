"""A small one-dimensional convolution as tables: each output and each gradient as the sum it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cnntool.cli.console import show
from cnntool.cli.explain.geometry_tables import size_formula
from cnntool.explain.conv1d import Conv1dSteps

MOST_ROWS = 24
MOST_TERMS = 9
MOST_READS = 5  # taps whose positions are listed beside their sum

Term = tuple[float, float | None]
"""Two factors; the second is None for a zero of the padding."""


def show_steps(steps: Conv1dSteps, flip: bool) -> None:
    """Print the forward table, those of the gradients, and how well differences agree."""
    axis = steps.axis
    x, w = ("x", "bold cyan"), ("w", "bold cyan")
    show(Text.assemble(x, f" = {_list(steps.x)}    ", w, f" = {_list(steps.weight)}"))
    show(Text.assemble("outputs = ", size_formula(axis)))
    show("")
    tap = f"({axis.kernel_size - 1} - k)" if flip else "k"
    place = f"{_times('i', axis.stride)} + {_times(tap, axis.dilation)}"
    place += f" - {axis.before}" if axis.before else ""
    bias = "" if steps.bias is None else " + b"
    show(Text.assemble(("forward", "bold"), f"    y[i] = Σ w[k] · x[{place}]{bias}"))
    show(_forward(steps))
    if (steps.reads < 0).any():
        show(Text("( ) and (0) are zeros of the padding", style="dim"))
    show("")
    show(Text.assemble(("backward", "bold"), f"   from dL/dy = {_list(steps.dy)}"))
    for table in _backward(steps):
        show("")
        show(table)
    show("")
    show(Text("numeric = (L(v + h) - L(v - h)) / 2h for each number v; L = Σ dL/dy[i] · y[i]"))
    show(f"The gradients and the numeric ones differ by {steps.largest_difference:.1e} at most.")


def _list(values: np.ndarray) -> str:
    shown = " ".join(_number(value) for value in values[:MOST_ROWS])
    return f"{shown} ... ({len(values)} numbers)" if len(values) > MOST_ROWS else shown


def _number(value: float) -> str:
    return f"{value + 0.0:.6g}"


def _times(name: str, factor: int) -> str:
    return name if factor == 1 else f"{factor}{name}" if len(name) == 1 else f"{factor}·{name}"


def _forward(steps: Conv1dSteps) -> Table | Group:
    lists_reads = len(steps.weight) <= MOST_READS
    heads = ("i", "reads", "sum", "y[i]") if lists_reads else ("i", "sum", "y[i]")
    rows = []
    for i, reads in enumerate(steps.reads.tolist()):
        terms = (
            (weight, None if j < 0 else steps.x[j])
            for weight, j in zip(steps.weight, reads, strict=True)
        )
        listed = [" ".join("( )" if j < 0 else f"x{j}" for j in reads)] if lists_reads else []
        rows.append([str(i), *listed, _sum(terms, len(reads), steps.bias), _bold(steps.y[i])])
        if len(rows) == MOST_ROWS:
            break
    return _table(heads, rows, len(steps.y))


def _backward(steps: Conv1dSteps) -> Iterable[Table | Group]:
    """The tables of dL/dw, dL/dx and dL/db."""
    rows = []
    for k, weight in enumerate(steps.weight[:MOST_ROWS]):
        terms = (
            (dy, None if j < 0 else steps.x[j])
            for dy, j in zip(steps.dy, steps.reads[:, k], strict=True)
        )
        gradients = _bold(steps.dweight[k]), _numeric(steps.numeric_dweight[k])
        rows.append([str(k), _number(weight), _sum(terms, len(steps.dy)), *gradients])
    heads = ("k", "w[k]", "sum of dL/dy[i] · x[j]", "dL/dw[k]", "numeric")
    yield _table(heads, rows, len(steps.weight))

    rows, lists_readers = [], len(steps.weight) <= MOST_READS
    for j, x in enumerate(steps.x[:MOST_ROWS]):
        places = np.argwhere(steps.reads == j)
        terms = ((steps.dy[i], steps.weight[k]) for i, k in places)
        gradients = _bold(steps.dx[j]), _numeric(steps.numeric_dx[j])
        readers = [" ".join(f"y{i}" for i in places[:, 0])] if lists_readers else []
        rows.append([str(j), _number(x), *readers, _sum(terms, len(places)), *gradients])
    readers = ["read by"] if lists_readers else []
    heads = ("j", "x[j]", *readers, "sum of dL/dy[i] · w[k]", "dL/dx[j]", "numeric")
    yield _table(heads, rows, len(steps.x))

    if steps.bias is not None:
        terms = ((dy, 1.0) for dy in steps.dy)
        gradients = _bold(steps.dbias), _numeric(steps.numeric_dbias)
        row = ["", _number(steps.bias), _sum(terms, len(steps.dy)), *gradients]
        yield _table(("", "b", "sum of dL/dy[i] · 1", "dL/db", "numeric"), [row], 1)


def _sum(terms: Iterable[Term], count: int, bias: float | None = None) -> Text:
    """``1·(0) + 0·1 - 1·2 + 0.5``: a zero of the padding is in parentheses."""
    text = Text()
    for first, second in islice(terms, MOST_TERMS):
        value = "(0)" if second is None else _number(second)
        text.append(_signed(first, is_first=not text))
        text.append(f"·{value}", style="dim" if second is None else "")
    if count > MOST_TERMS:
        text.append(f" + ... {count - MOST_TERMS} more", style="dim")
    if bias is not None:
        text.append(_signed(bias, is_first=False))
    return text if text else Text("no window reads it", style="dim")


def _signed(value: float, is_first: bool) -> str:
    if is_first:
        return _number(value)
    return f" {'-' if value < 0 else '+'} {_number(abs(value))}"


def _bold(value: float) -> Text:
    return Text(_number(value), style="bold")


def _numeric(value: float) -> str:
    return f"{round(value, 8) + 0.0:.10g}"


def _table(heads: Sequence[str], rows: list[list[str | Text]], count: int) -> Table | Group:
    """A table of some of ``count`` rows; what is written out stands left, numbers right."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in heads:
        is_left = head.startswith(("read", "sum"))
        table.add_column(Text(head), justify="left" if is_left else "right", no_wrap=not is_left)
    for row in rows:
        table.add_row(*row)
    if count == len(rows):
        return table
    return Group(table, Text(f"{count - len(rows):,} rows more; --json gives all", style="dim"))

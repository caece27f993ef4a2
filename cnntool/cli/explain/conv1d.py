"""`cnntool explain conv1d`: every sum of a small convolution, forward and backward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING

import click

from cnntool.cli.console import show, styled, table
from cnntool.cli.explain.blocks import size_formula
from cnntool.cli.explain.options import Report, numbers, planning
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import flag, option, takes
from cnntool.cli.types import Number, Padding, WholeNumber
from cnntool.errors import RequestError
from cnntool.wording import counted, without_noise

if TYPE_CHECKING:
    import numpy as np
    from rich.text import Text

    from cnntool.explain.conv1d import Conv1dSteps, Term

LARGEST_STEP = 1000
LARGEST_RESULT = 2000
MOST_ROWS = 24
MOST_TERMS = 9
MOST_READS = 5  # taps whose positions are listed beside their sum


@dataclass(frozen=True)
class Numbers:
    """What is convolved with what."""

    signal: tuple[float, ...] = option(
        "--signal", numbers("signal"), "The inputs x, such as 1,2,3,4,5.", required=True
    )
    kernels: tuple[tuple[float, ...], ...] = option(
        "-k --kernel",
        numbers("kernel"),
        "The weights w, such as 1,0,-1.",
        multiple=True,
        required=True,
    )
    bias: float | None = option("--bias", Number(metavar="B"), "Added to every output.")
    flip: bool = flag(
        "--flip",
        "True convolution: the kernel turned round.  [default: cross-correlation, as CNNs do]",
    )


@dataclass(frozen=True)
class Windows:
    """How the kernel slides."""

    stride: int = option(
        "--stride", WholeNumber(1, LARGEST_STEP), "Step between windows.  [default: 1]", default=1
    )
    padding: str | int = option(
        "--padding",
        Padding("zeros", LARGEST_STEP),
        "same, valid, full, or N zeros on both sides.  [default: valid]",
        default="valid",
    )
    dilation: int = option(
        "--dilation",
        WholeNumber(1, LARGEST_STEP),
        "Step between the taps of a window.  [default: 1]",
        default=1,
    )


@dataclass(frozen=True)
class Backward:
    """What comes back."""

    grad: tuple[float, ...] = option(
        "--grad",
        numbers("grad"),
        "dL/dy, what comes back from the loss L: a number for each output, or one for all.  "
        "[default: 1]",
        default=(1.0,),
    )


@click.command(
    "conv1d",
    cls=SectionedCommand,
    epilog="""\b
Examples:
  cnntool explain conv1d --signal 1,2,3,4,5 --kernel 1,0,-1 --stride 1 --padding 1
  cnntool explain conv1d --signal 1,2,3,4,5 --kernel 1,0,-1 --padding same --flip
  cnntool explain conv1d --signal 1,2,3,4,5,6 --kernel 1,2 --stride 2 --grad 1,0,-1 --bias 0.5
  cnntool explain conv1d --signal 1,2,3,4,5 --kernel 1,1 --dilation 2 --json""",
)
@takes(Numbers, Windows, Backward, Report)
def command(given: Numbers, windows: Windows, backward: Backward, report: Report) -> None:
    """Show every sum of a one-dimensional convolution layer, forward and backward.

    Forward, each output is a sum of weights times inputs. Backward, the gradient of the loss L by
    each weight and each input is a sum again, and the numeric gradient, from moving that number a
    little up and down, stands beside it.
    """
    from cnntool.explain.conv1d import conv1d_steps

    if len(given.kernels) > 1:
        raise click.UsageError(
            f"{len(given.kernels)} kernels are given: one is explained at a time"
        )
    (kernel,), settings = given.kernels, {**asdict(windows), "flip": given.flip}
    _check(given.signal, kernel, backward.grad, **settings)
    steps = conv1d_steps(given.signal, kernel, given.bias, backward.grad, **settings)
    report.give(_entry, _show, steps, given.flip)


def _check(signal, kernel, grad, stride, padding, dilation, flip) -> None:
    """Raise RequestError where the kernel does not fit, or the gradient has another length."""
    from cnntool.engine.windows import plan_axis

    with planning("give a longer signal, or more --padding"):
        axis = plan_axis(len(signal), len(kernel), stride, dilation, padding, flipped=flip)
    if axis.output_size > LARGEST_RESULT:
        raise RequestError(
            f"the result would have {axis.output_size:,} numbers: at most {LARGEST_RESULT:,} are "
            "explained, use less --padding"
        )
    if len(grad) not in (1, axis.output_size):
        raise RequestError(
            f"--grad has {len(grad)} numbers, the result has {axis.output_size}: give one for "
            "each, or one for all"
        )


def _entry(steps: Conv1dSteps, flip: bool) -> dict:
    axis, reads = steps.axis, steps.reads
    return {
        "signal": steps.x,
        "kernel": steps.weight,
        "bias": steps.bias,
        "stride": axis.stride,
        "padding": [axis.before, axis.after],
        "dilation": axis.dilation,
        "flip": flip,
        "forward": [
            {
                "reads": [None if j < 0 else j for j in row],
                "products": [w * x if x is not None else 0.0 for w, x in steps.terms_of_y(i)],
                "y": value,
            }
            for i, (row, value) in enumerate(zip(reads.tolist(), steps.y, strict=True))
        ],
        "dy": steps.dy,
        **_by_name(steps.gradients),
        "numeric": _by_name(steps.numeric),
        "largest_difference": steps.largest_difference,
    }


def _by_name(gradients: dict[str, np.ndarray]) -> dict:
    bias = gradients["bias"].item() if "bias" in gradients else None
    return {"dweight": gradients["weight"], "dx": gradients["x"], "dbias": bias}


def _show(steps: Conv1dSteps, flip: bool) -> None:
    """Print the forward table, those of the gradients, and how well differences agree."""
    axis = steps.axis
    x, w = ("x", "bold cyan"), ("w", "bold cyan")
    show(x, f" = {_list(steps.x)}    ", w, f" = {_list(steps.weight)}")
    show("outputs = ", size_formula(axis))
    show("")
    tap = f"({axis.kernel_size - 1} - k)" if flip else "k"
    place = f"{_times('i', axis.stride)} + {_times(tap, axis.dilation)}"
    place += f" - {axis.before}" if axis.before else ""
    bias = "" if steps.bias is None else " + b"
    show(("forward", "bold"), f"    y[i] = Σ w[k] · x[{place}]{bias}")
    _show_forward(steps)
    if (steps.reads < 0).any():
        show(("( ) and (0) are zeros of the padding", "dim"))
    show("")
    show(("backward", "bold"), f"   from dL/dy = {_list(steps.dy)}")
    _show_backward(steps)
    show("")
    show("numeric = (L(v + h) - L(v - h)) / 2h for each number v; L = Σ dL/dy[i] · y[i]")
    show(f"The gradients and the numeric ones differ by {steps.largest_difference:.1e} at most.")


def _list(values: np.ndarray) -> str:
    shown = " ".join(_number(value) for value in values[:MOST_ROWS])
    return f"{shown} ... ({len(values)} numbers)" if len(values) > MOST_ROWS else shown


def _number(value: float) -> str:
    return f"{value + 0.0:.6g}"


def _times(name: str, factor: int) -> str:
    return name if factor == 1 else f"{factor}{name}" if len(name) == 1 else f"{factor}·{name}"


Column = Sequence["str | Text"]


def _show_forward(steps: Conv1dSteps) -> None:
    shown = range(len(steps.y))[:MOST_ROWS]
    columns: dict[str, Column] = {
        "i": list(map(str, shown)),
        "reads": [
            " ".join("( )" if j < 0 else f"x{j}" for j in steps.reads[i].tolist()) for i in shown
        ],
        "sum": [_sum(steps.terms_of_y(i), steps.bias) for i in shown],
        "y[i]": [_total(steps.y[i], steps.terms_of_y(i), steps.bias) for i in shown],
    }
    if len(steps.weight) > MOST_READS:
        del columns["reads"]
    _show_table(columns, len(steps.y))


def _show_backward(steps: Conv1dSteps) -> None:
    """The tables of dL/dw, dL/dx and dL/db."""
    terms = [steps.terms_of_dweight(k) for k in range(len(steps.weight))[:MOST_ROWS]]
    heads = "k", "w[k]", "sum of dL/dy[i] · x[j]", "dL/dw[k]"
    _show_gradients(steps, "weight", heads, steps.weight.tolist(), terms)
    by_reader = [steps.terms_of_dx(j) for j in range(len(steps.x))[:MOST_ROWS]]
    heads = "j", "x[j]", "sum of dL/dy[i] · w[k]", "dL/dx[j]"
    terms = [list(each.values()) for each in by_reader]
    _show_gradients(steps, "x", heads, steps.x.tolist(), terms, by_reader)
    if steps.bias is not None:
        heads = "", "b", "sum of dL/dy[i] · 1", "dL/db"
        _show_gradients(steps, "bias", heads, [steps.bias], [[(dy, 1.0) for dy in steps.dy]])


def _show_gradients(
    steps: Conv1dSteps,
    name: str,
    heads: tuple[str, str, str, str],
    values: Sequence[float],
    terms: Sequence[Sequence[Term]],
    readers: Sequence[Mapping[int, Term]] = (),
) -> None:
    """A row a number: its gradient as a sum of terms, and the numeric one; maybe who reads it."""
    index, value, total, gradient = heads
    columns: dict[str, Column] = {
        index: list(map(str, range(len(terms)))) if index else [""],
        value: list(map(_number, values)),
        "read by": [" ".join(f"y{i}" for i in each) for each in readers],
        total: list(map(_sum, terms)),
        gradient: list(map(_total, steps.gradients[name], terms)),
        "numeric": [f"{round(each, 8) + 0.0:.10g}" for each in steps.numeric[name]],
    }
    if not readers or len(steps.weight) > MOST_READS:
        del columns["read by"]
    show("")
    _show_table(columns, len(values))


def _sum(terms: Sequence[Term], bias: float | None = None) -> Text:
    """``1·(0) + 0·1 - 1·2 + 0.5``: a zero of the padding is in parentheses, as is what
    is below 0."""
    text = styled()
    for first, second in terms[:MOST_TERMS]:
        value = "(0)" if second is None else _number(second)
        value = f"({value})" if value.startswith("-") else value
        text.append(_signed(first, is_first=not text))
        text.append(f"·{value}", style="dim" if second is None else "")
    if len(terms) > MOST_TERMS:
        text.append(f" + ... {len(terms) - MOST_TERMS} more", style="dim")
    if bias is not None:
        text.append(_signed(bias, is_first=False))
    return text if text else styled("no window reads it", style="dim")


def _signed(value: float, is_first: bool) -> str:
    if is_first:
        return _number(value)
    return f" {'-' if value < 0 else '+'} {_number(abs(value))}"


def _total(value: float, terms: Sequence[Term], bias: float | None = None) -> Text:
    """What a sum gives, 0 where only rounding is left of its terms."""
    size = sum(abs(first * (second or 0.0)) for first, second in terms) + abs(bias or 0.0)
    return styled(_number(without_noise(value, size)), style="bold")


def _show_table(columns: dict[str, Column], count: int) -> None:
    """The first of ``count`` rows; what is written out stands left, numbers right."""
    left = [head for head in columns if head.startswith(("read", "sum"))]
    sums = table(*columns, left=left, style="dim")
    for row in islice(zip(*columns.values(), strict=False), MOST_ROWS):
        sums.add_row(*row)
    show(sums)
    if count > MOST_ROWS:
        show((f"{counted(count - MOST_ROWS, 'row')} more; --json gives all", "dim"))

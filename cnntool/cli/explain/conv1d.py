"""`cnntool explain conv1d`: every sum of a small convolution, forward and backward."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cnntool.cli.explain.options import NumbersType, json_option
from cnntool.cli.help import SectionedCommand, option
from cnntool.cli.options import FiniteFloat, PaddingType, WholeNumber

if TYPE_CHECKING:
    from cnntool.explain.conv1d import Conv1dSteps

NUMBERS, WINDOWS, BACKWARD = "Numbers", "Windows", "Backward"
LARGEST_STEP = 1000
LARGEST_RESULT = 2000


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
@option(
    "--signal",
    section=NUMBERS,
    type=NumbersType("signal"),
    required=True,
    metavar="N,N,...",
    help="The inputs x, such as 1,2,3,4,5.",
)
@option(
    "-k",
    "--kernel",
    "kernels",
    section=NUMBERS,
    type=NumbersType("kernel"),
    required=True,
    multiple=True,
    metavar="N,N,...",
    help="The weights w, such as 1,0,-1.",
)
@option("--bias", section=NUMBERS, type=FiniteFloat(), metavar="B", help="Added to every output.")
@option(
    "--flip",
    section=NUMBERS,
    is_flag=True,
    help="True convolution: the kernel turned round.  [default: cross-correlation, as CNNs do]",
)
@option(
    "--stride",
    section=WINDOWS,
    type=WholeNumber(1, LARGEST_STEP),
    default=1,
    metavar="N",
    help="Step between windows.  [default: 1]",
)
@option(
    "--padding",
    section=WINDOWS,
    type=PaddingType("zeros", LARGEST_STEP),
    default="valid",
    metavar="HOW",
    help="same, valid, full, or N zeros on both sides.  [default: valid]",
)
@option(
    "--dilation",
    section=WINDOWS,
    type=WholeNumber(1, LARGEST_STEP),
    default=1,
    metavar="N",
    help="Step between the taps of a window.  [default: 1]",
)
@option(
    "--grad",
    section=BACKWARD,
    type=NumbersType("grad"),
    default=(1.0,),
    metavar="N,N,...",
    help="dL/dy, what comes back from the loss L: a number for each output, or one for all.  "
    "[default: 1]",
)
@json_option
def command(signal, kernels, bias, grad, as_json, **settings) -> None:
    """Show every sum of a one-dimensional convolution layer, forward and backward.

    Forward, each output is a sum of weights times inputs. Backward, the gradient of the loss L by
    each weight and each input is a sum again, and the numeric gradient, from moving that number a
    little up and down, stands beside it.
    """
    from cnntool.cli.console import print_json
    from cnntool.explain.conv1d import conv1d_steps

    kernel, *more = kernels
    if more:
        raise click.UsageError(f"{len(kernels)} kernels are given: one is explained at a time")
    _check(signal, kernel, grad, **settings)
    steps = conv1d_steps(signal, kernel, bias, grad, **settings)
    if as_json:
        print_json(_entry(steps, settings["flip"]))
    else:
        from cnntool.cli.explain.signal_tables import show_steps

        show_steps(steps, settings["flip"])


def _check(signal, kernel, grad, stride, padding, dilation, flip) -> None:
    """Raise RequestError where the kernel does not fit, or the gradient has another length."""
    from cnntool.engine.windows import plan_axis
    from cnntool.errors import RequestError

    try:
        axis = plan_axis(len(signal), len(kernel), stride, dilation, padding, flipped=flip)
    except ValueError as error:
        raise RequestError(f"{error}: give a longer signal, or more --padding") from None
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
        "signal": steps.x.tolist(),
        "kernel": steps.weight.tolist(),
        "bias": steps.bias,
        "stride": axis.stride,
        "padding": [axis.before, axis.after],
        "dilation": axis.dilation,
        "flip": flip,
        "forward": [
            {
                "reads": [None if j < 0 else j for j in row],
                "products": [
                    0.0 if j < 0 else weight * steps.x[j]
                    for j, weight in zip(row, steps.weight, strict=True)
                ],
                "y": value,
            }
            for row, value in zip(reads.tolist(), steps.y.tolist(), strict=True)
        ],
        "dy": steps.dy.tolist(),
        "dweight": steps.dweight.tolist(),
        "dx": steps.dx.tolist(),
        "dbias": steps.dbias,
        "numeric": {
            "dweight": steps.numeric_dweight.tolist(),
            "dx": steps.numeric_dx.tolist(),
            "dbias": steps.numeric_dbias,
        },
        "largest_difference": steps.largest_difference,
    }

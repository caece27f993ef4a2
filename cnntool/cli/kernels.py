"""`cnntool kernels`: the catalogue, or one kernel and all its facts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from cnntool.cli.console import console, labelled, picked, print_json, show, styled, table
from cnntool.cli.convolve import check_stdin_once, read_learned
from cnntool.cli.explain.blocks import matrix_table
from cnntool.cli.help import FoldedEpilog
from cnntool.cli.options import argument, flag, option, takes
from cnntool.cli.types import Number, OutputName, PathName, Spec
from cnntool.errors import RequestError

if TYPE_CHECKING:
    from cnntool.imaging.kernels import Entry, Filter

LARGEST_FOUND = 63  # weights on a side of a kernel that is sought: their square are unknowns


class KernelsCommand(FoldedEpilog):
    """Takes a matrix that begins with a minus for what it is, not for an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [re.sub(r"^(?=-[\d.])", " ", arg) for arg in args])


def read_size(text: str) -> tuple[float, float]:
    """``N``, or ``HxW``: rows and columns."""
    height, cross, width = text.lower().partition("x")
    if cross and not width.strip():
        raise ValueError(f"'{text}' is not a size: expected N or HxW, such as 5 or 3x5")
    return Number().read(height), Number().read(width or height)


@dataclass(frozen=True)
class Asked:
    """Which kernel is shown, and how."""

    spec: str | None = argument("[SPEC]", str, required=False)
    pair: tuple[str, str] | None = option(
        "--from",
        PathName("two pictures, BEFORE and AFTER"),
        "Find the kernel that made the picture AFTER of the picture BEFORE; .npy holds plain "
        "numbers.",
        metavar="BEFORE AFTER",
        nargs=2,
    )
    size: tuple[float, float] | None = option(
        "--size",
        Spec("N", read_size),
        "Size of the kernel, as in box:size=N; with --from N or HxW.  [default with --from: from "
        "1x1 up to 31x31]",
    )
    sigma: float | None = option(
        "--sigma", Number(metavar="S"), "Its sigma, as in gaussian:sigma=S."
    )
    angle: float | None = option(
        "--angle", Number(metavar="A"), "Its angle in degrees, counterclockwise."
    )
    output: str | None = option(
        "-o --output",
        OutputName("a file such as kernel.npy, or -"),
        "With --from: write the kernel, for --kernel kernel.npy.",
        metavar="FILE.npy",
    )
    force: bool = flag("-f --force", "Overwrite a file that exists.")
    as_json: bool = flag("--json", "Print JSON.")


@click.command(
    "kernels",
    cls=KernelsCommand,
    epilog="""\b
Examples:
  cnntool kernels
  cnntool kernels sobel
  cnntool kernels gaussian:sigma=2
  cnntool kernels '1 0 -1; 2 0 -2; 1 0 -1'
  cnntool kernels log --sigma 1.4 --json
  cnntool kernels --from photo.png blurred.png
  cnntool kernels --from photo.png blurred.png --size 5 -o kernel.npy""",
)
@takes(Asked)
def command(asked: Asked) -> int:
    """List the kernels, show one: its weights and what they do, or find one that was used.

    SPEC is a name with parameters, a matrix, a file, - for stdin or a learned filter, as for
    `cnntool convolve --kernel`, which reads what --json prints as well.

    With --from, least squares over the windows of BEFORE finds the kernel, the bias, the rule for
    the border and the stride that made AFTER, its name in the catalogue, and the command that does
    it again, whose result is compared with AFTER. Pixels that may be clipped are left out. Where no
    single convolution explains AFTER, the exit code is 1, and what else it may be is said.
    """
    from cnntool.imaging.kernels import CATALOGUE, parse_kernel

    if asked.pair is not None:
        return _recover(asked, asked.pair)
    for name in ("output", "force"):
        if getattr(asked, name):
            raise RequestError(f"--{name} is for a kernel that is found: give --from BEFORE AFTER")
    shortcuts = {"size": _one_side(asked.size), **picked(asked, "sigma", "angle")}
    if asked.spec is None:
        given = [f"--{name}" for name, value in shortcuts.items() if value is not None]
        if given:
            raise RequestError(f"{given[0]} needs a kernel: cnntool kernels gaussian {given[0]} 2")
        entries = list(CATALOGUE.values())
        print_json([_entry(entry) for entry in entries]) if asked.as_json else _show_list(entries)
        return 0
    check_stdin_once([asked.spec])
    kernel = parse_kernel(asked.spec, read_learned, **shortcuts)
    entry = CATALOGUE.get(asked.spec.partition(":")[0].strip())
    print_json(_details(kernel, entry)) if asked.as_json else _show_kernel(kernel, entry)
    return 0


def _one_side(size: tuple[float, float] | None) -> float | None:
    """Of a kernel of the catalogue, which is a square."""
    if size is not None and size[0] != size[1]:
        raise RequestError(
            f"--size {size[0]:g}x{size[1]:g}: a kernel of the catalogue has one size, such as "
            "--size 5; HxW goes with --from BEFORE AFTER"
        )
    return None if size is None else size[0]


def _recover(asked: Asked, pair: tuple[str, str]) -> int:
    """Find the kernel that made one picture of another."""
    from cnntool.cli.kernel_recovery import recover_kernel

    given = {"SPEC": asked.spec, "--sigma": asked.sigma, "--angle": asked.angle}
    for name, value in given.items():
        if value is not None:
            raise RequestError(f"--from finds the kernel: leave out {name}, {value}")
    size = None
    if asked.size is not None:
        size = int(asked.size[0]), int(asked.size[1])
        if size != asked.size or not all(1 <= side <= LARGEST_FOUND for side in size):
            sides = "x".join(f"{side:g}" for side in asked.size)
            raise RequestError(
                f"--size {sides}: expected whole numbers from 1 to {LARGEST_FOUND}, such as 5 or "
                "3x5"
            )
    return recover_kernel(pair, size, asked.output, asked.force, asked.as_json)


def _entry(entry: Entry) -> dict:
    parameters = [picked(p, "name", "default", "expected", "help") for p in entry.parameters]
    return {
        **picked(entry, "name", "group", "summary"),
        "parameters": parameters,
        **picked(entry, "combine", "formula", "source"),
    }


def _details(kernel: Filter, entry: Entry | None) -> dict:
    from cnntool.imaging.kernel_facts import facts

    return {
        **picked(kernel, "label", "spec", "combine"),
        "kernels": [
            {"name": name, "matrix": matrix}
            for name, matrix in zip(kernel.kernel_names, kernel.bank, strict=True)
        ],
        "directions": kernel.directions,
        "colour": kernel.is_colour,
        "range": kernel.shown or "auto",
        "offset": kernel.bias,
        **facts(kernel)._asdict(),
        "formula": entry.formula if entry else None,
        "source": entry.source if entry else None,
    }


def _show_list(entries: list[Entry]) -> None:
    heads = "parameters", "what it finds or does"
    listed = table(*heads, names="kernel", left=heads)
    group = None
    for entry in entries:
        if entry.group != group:
            if group is not None:
                listed.add_row()
            group = entry.group
            listed.add_row(styled(group, style="default not bold"), style="dim italic")
        parameters = ", ".join(
            p.name if p.default is None else f"{p.name}={p.default:g}" for p in entry.parameters
        )
        listed.add_row(entry.name, parameters, entry.summary)
    show(listed)


def _show_kernel(kernel: Filter, entry: Entry | None) -> None:
    show((kernel.spec, "bold cyan"), f"  {entry.summary}" if entry else "")
    for name, matrix, direction in zip(
        kernel.kernel_names,
        kernel.bank,
        kernel.directions or [None] * len(kernel.bank),
        strict=True,
    ):
        show()
        if len(kernel.bank) > 1:
            facing = "" if direction is None else f"  brighter towards {direction:g} degrees"
            show((name, "bold"), facing)
        show(matrix_table(matrix, console().width))
    show()
    show(labelled(_fact_rows(kernel, entry)))


def _fact_rows(kernel: Filter, entry: Entry | None) -> list[tuple[str, str]]:
    from cnntool.imaging.kernel_facts import facts

    known = facts(kernel)
    height, width = known.size
    size = f"{height} x {width}"
    if height % 2 == 0 or width % 2 == 0:
        size += f", anchor at row {known.anchor[0]}, column {known.anchor[1]}, counted from 0"
    low, high = known.worst_case
    separable = "yes" if all(known.separable) else "no"
    rows = [
        ("size", size),
        ("sum", _joined(f"{value:.6g}" for value in known.sum)),
        ("rank", f"{_joined(map(str, known.rank))} (separable: {separable})"),
        ("symmetric", _joined(known.symmetric)),
    ]
    if kernel.combine != "none":
        rows.append(("combined by", kernel.combine))
    if kernel.bias:
        rows.append(("then added", f"{kernel.bias:.6g}"))
    if known.gain is not None:
        rows.append(("gain on a constant", f"{known.gain:.6g}"))
    rows.append(("worst case, 8 bit", f"{low:.6g} to {high:.6g} from pixels 0 to 255"))
    if entry:
        rows += [("formula", entry.formula), ("source", entry.source)]
        for parameter in entry.parameters:
            default = "" if parameter.default is None else f" [default: {parameter.default:g}]"
            rows.append((parameter.name, f"{parameter.help}; {parameter.expected}{default}"))
    return rows


def _joined(values) -> str:
    """One value where all are the same, else all of them."""
    values = list(values)
    return values[0] if len(set(values)) == 1 else ", ".join(values)

"""`cnntool kernels --from BEFORE AFTER`: which filter made one picture of another, said."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cnntool.cli.console import complain, labelled, picked, print_json, print_line, show, working
from cnntool.cli.explain.blocks import matrix_table
from cnntool.cli.files import STDIO, check_apart, check_no_terminal
from cnntool.cli.picture_pairs import Pictures, read_pair
from cnntool.errors import InputError, RequestError
from cnntool.files.atomic import atomic_write, check_writable
from cnntool.specs import number_text, short_number
from cnntool.study.recovery.found_kernel import Found
from cnntool.study.recovery.kernel_recovery import placements_of, recover
from cnntool.study.recovery.picture_guesses import Guess, guesses
from cnntool.study.recovery.window_equations import ROUNDING, Pair
from cnntool.wording import counted, readable

PLAIN_WIDTH = 80
"""Characters of a line of weights."""

KERNEL_FILE = "kernel.npy"

TYPED = 49
"""Weights of a kernel that a command line still holds."""

LIKE = 0.97
"""The least likeness of a kernel that is named though no kernel explains the pictures."""

CHANNELS = {1: ("",), 3: ("red", "green", "blue")}


def recover_kernel(
    names: tuple[str, str],
    size: tuple[int, int] | None,
    output: str | None,
    force: bool,
    as_json: bool,
) -> int:
    """Find the kernel, say it, and write it to ``output``; 1 where no kernel explains it."""
    if output is not None:
        _check_output(output, force, as_json)
        check_apart({"-o": output}, dict(zip(("BEFORE", "AFTER"), names, strict=True)))
    read = read_pair(names)
    for note in read.notes:
        complain(note)
    sizes = read.pair.before.shape, read.pair.after.shape
    placements = placements_of(*sizes)
    if not placements:
        raise InputError(_unlike(read.names, *sizes))
    try:
        with working("looking for the kernel") as tell:
            found = _found(read.pair, placements, size, tell)
    except ValueError as error:
        if sizes[0] != sizes[1]:
            raise InputError(_unlike(read.names, *sizes)) from None
        remedy = "name larger pictures, or a smaller --size"
        raise InputError(f"{read.names[0]}: {error}: {remedy}") from None
    is_explained = all(each.is_explained for each in found)
    others = [] if is_explained else guesses(read.pair, max(each.residual for each in found))
    if as_json:
        print_json(_entry(read, found, others))
    else:
        _show(read, found, others)
    if output is not None and is_explained:
        _write(output, force, found, not as_json)
    if not is_explained:
        complain(_unexplained(found))
    return 0 if is_explained else 1


def _check_output(output: str, force: bool, as_json: bool) -> None:
    if output == STDIO:
        if as_json:
            raise RequestError("--json and -o - both write to stdout: name a file with -o")
        check_no_terminal("the kernel", "")
        return
    if Path(output).suffix.lower() != ".npy":
        raise RequestError(f"-o {output}: name a .npy file, such as kernel.npy")
    check_writable(output, force)


def _unlike(names: tuple[str, str], before: tuple[int, ...], after: tuple[int, ...]) -> str:
    sizes = [f"{shape[1]} x {shape[0]}" for shape in (before, after)]
    ratio = f"{after[1] / before[1]:.4g} x {after[0] / before[0]:.4g}"
    return (
        f"{names[1]} is {sizes[1]} and {names[0]} {sizes[0]}, {ratio} of it: neither whole windows "
        "nor strides of 2, 3 or 4 give that size; resized or cropped, it must be brought back first"
    )


def _found(
    pair: Pair, placements: list, size: tuple[int, int] | None, tell: Callable[[str], None]
) -> list[Found]:
    """One kernel for all channels where they agree, else one for each."""
    together = recover(pair, placements, size, tell)
    if pair.channels == 1 or together.is_explained:
        return [together]
    each = []
    for channel in range(pair.channels):
        cut = slice(channel, channel + 1)
        before = np.ascontiguousarray(pair.before[..., cut])
        if not np.ptp(before) or not pair.used[..., cut].any():
            return [together]
        one = replace(pair, before=before, after=pair.after[..., cut], used=pair.used[..., cut])
        tell(f"channel {channel + 1} alone")
        each.append(recover(one, placements, size, tell))
    return each


def command_of(read: Pictures, found: Found) -> str:
    """The command that makes AFTER of BEFORE."""
    before, after = map(shlex.quote, read.names)
    geometry, is_float = found.placement, not found.step
    words = [f"cnntool convolve {before} -k {shlex.quote(kernel_text(found))}"]
    if read.gray:
        words.append("--gray")
    if geometry.stride > 1:
        words.append(f"--stride {geometry.stride}")
    if geometry.padding != "same":
        words.append(f"--padding {geometry.padding}")
    if found.border.rule not in (None, "copied", "reflect") and geometry.padding != "valid":
        value = found.border.constant
        is_zero = found.border.rule != "constant" or not value
        words.append(f"--border {found.border.rule}" + ("" if is_zero else f":{value:g}"))
    if found.scale != 1:
        words.append(f"--scale {number_text(found.scale)}")
    middle = (read.pair.white + 1) / 2
    shown = found.shown
    if shown == "clip" and found.step and found.bias == middle:
        shown = "offset"
    elif found.bias:
        words.append(f"--bias {number_text(round(found.bias, 6))}")
    if is_float and shown == "clip":
        shown = "raw"
    words.append(f"--range {shown}")
    if read.depth is not None:
        words.append(f"--depth {read.depth}")
    return " ".join([*words, "-o", after if read.names[1] != "stdin" else "after.png"])


def kernel_text(found: Found) -> str:
    """A spec of the catalogue, the matrix, or the file of a large one."""
    if found.spec is not None:
        return found.spec
    if found.kernel.size > TYPED:
        return KERNEL_FILE
    rows = found.kernel.tolist()
    if found.fractions is not None and found.fractions.numerators.shape == found.kernel.shape:
        whole, below = found.fractions.numerators, found.fractions.denominator
        end = f"/{below}" if below > 1 else ""
        return "; ".join(" ".join(f"{v}{end if v else ''}" for v in row) for row in whole.tolist())
    return "; ".join(" ".join(short_number(v) for v in row) for row in rows)


def _level(residual: float, found: Found) -> str:
    """A residual in levels, or in the values of floats."""
    if not found.step:
        return f"{residual:.3g}"
    levels = residual / found.step
    text = "0" if levels < 5e-4 else f"{levels:.3g}"
    return f"{text} level{'' if text == '1' else 's'}"


def _unexplained(found: list[Found]) -> str:
    worst = max(found, key=lambda each: each.residual)
    side = "x".join(map(str, worst.searched))
    return (
        f"no single convolution of up to {side} explains it: the residual is "
        f"{_level(worst.residual, worst)}"
    )


def _show(read: Pictures, found: list[Found], others: list[Guess]) -> None:
    names = CHANNELS.get(len(found), tuple(map(str, range(len(found)))))
    for name, each in zip(names, found, strict=True):
        head = each.spec or "a kernel of its own"
        if not each.is_explained:
            head = "no single convolution"
        show(
            (head, "bold cyan"),
            f"  {name + ': ' if name else ''}{read.names[0]} to {read.names[1]}",
        )
        if each.is_explained or each.nearest is not None:
            show()
        if each.is_explained:
            show(matrix_table(each.scale * each.kernel, PLAIN_WIDTH))
            show()
        rows = _facts(read, each, len(found) == 1)
        show(labelled(rows + [("perhaps", _guess_text(read, g, each)) for g in others]))
    if len(found) > 1:
        show("each channel has a kernel of its own")


def _guess_text(read: Pictures, guess: Guess, found: Found) -> str:
    text = f"{guess.what}: that leaves {_level(guess.residual, found)}"
    if guess.options:
        options = guess.options.format(before=shlex.quote(read.names[0]))
        text += f"; cnntool {options} -o {shlex.quote(read.names[1])}"
    return text


def _facts(read: Pictures, found: Found, is_one: bool) -> list[tuple[str, str]]:
    rows = []
    if found.is_explained:
        height, width = found.kernel.shape
        rows.append(("size", f"{height} x {width}"))
    if found.is_explained and found.fractions is not None:
        rows.append(("fractions", _fraction_text(found)))
    if found.nearest is not None and (found.is_explained or found.nearest.likeness > LIKE):
        rows.append(("nearest", _nearest_text(found)))
    if found.is_explained:
        rows += [("bias", f"{found.bias:.6g}"), ("range", _range_text(read, found))]
        rows.append(("border", _border_text(found)))
        padding = f", padding {found.placement.padding}"
        rows.append(("stride", f"{found.placement.stride}{padding}"))
        largest = _level(found.largest, found)
        rows.append(
            ("reproduced", f"{_share(found.exact)} of all pixels, the largest difference {largest}")
        )
    rows.append(("residual", _residual_text(found)))
    rows.append(("determined", _condition_text(found)))
    if found.is_explained and is_one:
        rows.append(("command", command_of(read, found)))
        if kernel_text(found) == KERNEL_FILE:
            rows.append(("", f"which -o {KERNEL_FILE} writes"))
    return rows


def _share(share: float) -> str:
    return "100%" if share > 1 - 1e-9 else f"{min(100 * share, 99.999):.5g}%"


def _fraction_text(found: Found) -> str:
    assert found.fractions is not None
    whole, below = found.fractions.numerators, found.fractions.denominator
    if whole.size > TYPED:
        return f"whole numbers / {below}"
    text = "; ".join(" ".join(map(str, row)) for row in whole.tolist())
    return f"[{text}] / {below}" if below > 1 else f"[{text}]"


def _nearest_text(found: Found) -> str:
    near = found.nearest
    assert near is not None
    times = "" if near.times == 1 else f"{near.times:.6g} times "
    if found.is_nearest:
        return f"{times}{near.spec}, which it is"
    return (
        f"{times}{near.spec}: likeness {near.likeness:.4f}, leaves {_level(near.residual, found)}"
    )


def _range_text(read: Pictures, found: Found) -> str:
    if found.shown == "abs":
        return "abs: the absolute value of the response was kept, so its sign is not known"
    if found.step and found.bias == (read.pair.white + 1) / 2:
        return "offset: 0 is mid grey"
    return "clip" if found.step else "raw"


def _border_text(found: Found) -> str:
    border = found.border
    if found.placement.padding == "valid":
        return "none is needed"
    if border.rule is None:
        return "none of the rules makes the outer pixels of AFTER"
    if border.rule == "copied":
        return "the outer pixels are those of BEFORE, unfiltered, as Pillow leaves them"
    value = f":{border.constant:g}" if border.rule == "constant" else ""
    alike = f"; {', '.join(border.alike)} would do as well" if border.alike else ""
    return f"{border.rule}{value}{alike}"


def _residual_text(found: Found) -> str:
    text = _level(found.residual, found)
    if found.step:
        text += f", where rounding leaves {ROUNDING:.4f}"
    return f"{text}; {_share(max(0.0, found.explained))} of the variance is explained"


def _condition_text(found: Found) -> str:
    taken = f"{found.windows:,} of {counted(found.of, 'window')}"
    if found.is_sampled:
        taken += ", spread evenly"
    if found.step:
        taken += ", flat ones left out"
    if found.clipped > 0:
        share = f"{100 * found.clipped:.2g}%"
        taken += f"; {share} of the pixels are black or white, perhaps clipped: left out"
    if found.unknown:
        return (
            f"not wholly: {counted(found.unknown, 'direction')} of the weights change nothing in "
            f"this picture, so other kernels do the same; {taken}"
        )
    return f"condition {found.condition:.3g}; {taken}"


def _entry(read: Pictures, found: list[Found], others: list[Guess]) -> dict[str, Any]:
    return {
        "before": readable(read.names[0]),
        "after": readable(read.names[1]),
        "explained": all(each.is_explained for each in found),
        "together": len(found) == 1,
        "gray": read.gray,
        "kernels": [_kernel_entry(read, each, len(found) == 1) for each in found],
        "guesses": [
            {**picked(guess, "what", "residual"), "options": guess.options or None}
            for guess in others
        ],
    }


def _kernel_entry(read: Pictures, found: Found, is_one: bool) -> dict[str, Any]:
    near, whole = found.nearest, found.fractions
    return {
        "explained": found.is_explained,
        "matrix": found.scale * found.kernel,
        **picked(found, "spec", "scale"),
        "fractions": whole and picked(whole, "numerators", "denominator"),
        "nearest": near and picked(near, "spec", "times", "likeness", "residual"),
        "bias": found.bias,
        "range": found.shown,
        "border": found.border.rule,
        "constant": found.border.constant,
        "borders_alike": found.border.alike,
        "padding": found.placement.padding,
        "stride": found.placement.stride,
        **picked(found, "exact", "largest", "residual", "step"),
        "rounding": ROUNDING * found.step,
        "variance_explained": found.explained,
        "condition": found.condition,
        "undetermined": found.unknown,
        "windows": found.windows,
        "windows_of": found.of,
        "sampled": found.is_sampled,
        "left_out": found.clipped,
        "searched": found.searched,
        "command": command_of(read, found) if is_one and found.is_explained else None,
    }


def _write(output: str, force: bool, found: list[Found], prints_path: bool) -> None:
    """The kernel, (kh, kw), or one for each channel, (C, kh, kw), as .npy."""
    from cnntool.study.recovery.kernel_names import fitted

    kernels = [each.scale * each.kernel for each in found]
    size = max(k.shape[0] for k in kernels), max(k.shape[1] for k in kernels)
    array = kernels[0] if len(kernels) == 1 else np.stack([fitted(k, size) for k in kernels])
    if output == STDIO:
        np.save(sys.stdout.buffer, array)
        return
    with atomic_write(output, force) as file:
        np.save(file, array)
    if prints_path:
        print_line(output)

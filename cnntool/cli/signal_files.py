"""Where signals come from and go to: what is opened, how the result is named, what is said."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cnntool.choices import SIGNAL_FORMATS as FORMATS
from cnntool.cli.console import json_text, print_line, progress
from cnntool.cli.files import STDIO, check_no_terminal, is_folder, source_of, within_name
from cnntool.cli.options import SignalOutput
from cnntool.errors import RequestError
from cnntool.files.atomic import atomic_write, check_writable, is_device
from cnntool.files.signal import Signal
from cnntool.files.signal_text import CHUNK
from cnntool.files.signals import Written, open_signal, write_signal
from cnntool.files.streams import open_path
from cnntool.wording import counted as number_of
from cnntool.wording import readable

DIGITS = 12
TEXT = ("text", "csv")


def open_file(
    file: str, files: ExitStack, columns: Sequence[str] = (), live: bool = False
) -> Signal:
    """Open a signal, - being stdin; the file is closed with ``files``."""
    if file == STDIO:
        stream, name = sys.stdin.buffer, "stdin"
    else:
        name = file
        stream = files.enter_context(open_path(file, name, "a signal: name the files in it"))
    signal = open_signal(stream, name, columns, is_pipe=not stream.seekable(), live=live)
    if signal.kind == "text" and file != STDIO:
        size = os.fstat(stream.fileno()).st_size
        signal = replace(signal, expected_blocks=-(-size // CHUNK))
    return signal


def plan_output(result: Signal, file: str, label: str, options: SignalOutput) -> SignalOutput:
    """The options with all that was left open settled: the output is a file, or None for stdout.

    Raises for what cannot be, before any work.
    """
    output = options.output
    format = _format(output, options.format, result)
    is_text = format in TEXT
    if output is None:
        output = STDIO if is_text or file == STDIO else ""
    path = None if output == STDIO else _path(output, file, label, format)
    if path is None and options.as_json:
        raise RequestError("the result and --json both go to stdout: name a file with -o")
    if path is None and not is_text:
        check_no_terminal(f"{format} bytes", "")
    for name, value in (("depth", options.depth), ("rate", options.rate)):
        if value is not None and format != "wav":
            raise RequestError(f"--{name} is for WAV, and the output is {format}: leave it out")
    if options.digits is not None and not is_text:
        raise RequestError(f"--digits is for text, and the output is {format}: leave it out")
    rate = options.rate or result.rate
    if format == "wav" and rate is None:
        raise RequestError("a WAV needs a sample rate and the input has none: --rate 44100 sets it")
    if path is not None:
        check_writable(path, options.force)
    return replace(
        options,
        output=path,
        format=format,
        digits=options.digits or DIGITS,
        depth=options.depth or result.depth or "float",
        rate=rate,
    )


def _format(output: str | None, format: str | None, result: Signal) -> str:
    """As asked for, else as the output is named, else as the input is."""
    named = None
    if output not in (None, STDIO) and not is_folder(output):
        suffix = Path(output).suffix.lower()
        named = next((name for name, end in FORMATS.items() if end == suffix), None)
        if named is None and format is None and not is_device(output):
            known = ", ".join(FORMATS.values())
            raise RequestError(f"{output} ends in none of {known}: name it so, or give --format")
    if format and named and format != named and not {format, named} <= set(TEXT):
        raise RequestError(f"--format {format} contradicts the name of {output}")
    as_input = "csv" if result.kind == "text" and result.channels > 1 else result.kind
    return format or named or as_input


def _path(output: str, file: str, label: str, format: str) -> str:
    if not is_folder(output):
        return output
    name = within_name(f"{source_of(file).stem}-{label}")
    return os.path.join(output, name + FORMATS[format])


@contextmanager
def counted(signal: Signal, label: str, place: SignalOutput) -> Iterator[Signal]:
    """The signal with a progress bar that counts its blocks, unless numbers go to the terminal."""
    is_hidden = place.quiet or (place.output is None and sys.stdout.isatty())
    with progress(label, signal.expected_blocks or 0, is_hidden) as advance:

        def blocks() -> Iterator[np.ndarray]:
            for block in signal.blocks:
                yield block
                advance()

        yield replace(signal, blocks=blocks())


def write(result: Signal, place: SignalOutput) -> Written:
    """Compute the result and write it, block after block."""
    asked = ("format", "digits", "depth", "rate")
    settings: dict[str, Any] = {key: getattr(place, key) for key in asked}
    if place.output is None:
        stdout = sys.stdout.buffer  # never sought in: it may be a file that others append to
        return write_signal(result, stdout, can_seek=False, **settings)
    with atomic_write(place.output, place.force) as file:
        return write_signal(result, file, can_seek=file.seekable(), **settings)


def report(
    signal: Signal,
    result: Signal,
    place: SignalOutput,
    written: Written,
    methods: Sequence[str],
) -> None:
    """Say what was found in the signal or clipped, and the path of a file that was written."""
    place.note(*signal.remarks)
    values = written.samples * result.channels
    if written.clipped:
        was, is_ = ("was", "is") if written.clipped == 1 else ("were", "are")
        place.note(
            f"{written.clipped:,} of {number_of(values, 'value')} {was} beyond full scale and "
            f"{is_} clipped: --scale makes them smaller, --depth float keeps them"
        )
    if place.output is None:
        return
    facts = {
        "input": readable(signal.name),
        "output": readable(place.output),
        "format": place.format,
        "samples": written.samples,
        "channels": result.channels,
        "rate": place.rate,
        "clipped": written.clipped,
        "methods": list(methods),
    }
    print_line(json_text(facts) if place.as_json else place.output, place.as_json)

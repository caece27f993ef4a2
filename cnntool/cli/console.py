"""All that is said to a person: notes and errors as plain lines, tables and bars through Rich."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cnntool.wording import valid_json

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment
    from rich.table import Table
    from rich.text import Text

PIPE_WIDTH = 400


OBEYED = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udc7f\udd00-\udfff]"
)
"""What a terminal obeys instead of showing it: control characters but tabs and line ends, and what
turns the direction of writing; and halves of pairs, which are no text."""

STRAY = re.compile("[\udc80-\udcff]")
"""A byte that is no text, as Python keeps it in the name of a file."""


BEYOND_ASCII = re.compile("[^\0-\x7f]")


def harmless(text: str) -> str:
    """The text, with escapes for what a terminal obeys; joiners, marks and emoji stay."""
    return OBEYED.sub(lambda found: repr(found[0])[1:-1], text)


def complain(message: str) -> None:
    """One line on stderr, whatever control characters and bytes a file name brings along."""
    print(_for_people(message), file=sys.stderr, flush=True)


def tell(text: str) -> None:
    """A text of some lines on stderr, with its tabs."""
    print(harmless(text), file=sys.stderr, flush=True)


def one_line(text: str) -> str:
    """Tabs, line ends and other control characters as escapes: a field stays one."""
    return harmless(text).replace("\t", r"\t").replace("\n", r"\n")


def _for_people(text: str) -> str:
    """One line, in which bytes that are no text are escapes, too."""
    return _with_bytes(one_line(text))


def _with_bytes(text: str) -> str:
    """The text, in which a byte of a name that is no text is an escape, such as ``\\xff``."""
    return STRAY.sub(lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", text)


def print_line(text: str | os.PathLike, is_asked_for: bool = False) -> None:
    """A line on stdout about what is done already, such as the path of a file.

    It stays as it is, but for a terminal. Where nobody listens any more the work goes on, and where
    nobody ever did, too, unless the line itself was asked for.
    """
    line = os.fspath(text)
    try:
        print(_for_people(line) if sys.stdout.isatty() else line, flush=True)
    except OSError as error:
        if error.errno != errno.EPIPE and (is_asked_for or error.errno != errno.EBADF):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def console(stderr: bool = False) -> Console:
    """A Rich console that honours NO_COLOR, TERM=dumb and pipes, and shows names as they are.

    Whatever comes from a file is text: no markup, no code of an emoji, and nothing that a terminal
    obeys.
    """
    from rich.console import Console
    from rich.segment import Segment

    class Screen(Console):
        def render_str(self, text: str, **settings: Any) -> Text:
            return super().render_str(self._safe(text), **settings)

        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterator[Segment]:
            """A ready text, too, of which the width may be wrong then."""
            for text, style, control in super().render(renderable, options):
                yield Segment(text if control else self._safe(text), style, control)

        def _safe(self, text: str) -> str:
            """Bytes that are no text stay themselves but for a terminal, which may obey them."""
            text = harmless(text)
            return _with_bytes(text) if self.is_terminal else text

    return Screen(stderr=stderr, highlight=False, markup=False, emoji=False)


def shows_colour(screen: Console) -> bool:
    """Whether colours can be seen: not where NO_COLOR or a dumb terminal takes them away."""
    return screen.color_system is not None and not screen.no_color


def show(*parts: RenderableType | tuple[str, str]) -> None:
    """Print one line of text pieces, some with a style, or a table or another Rich object.

    Without a terminal each row of a table is one line, unpadded.

    >>> show(("sobel", "bold cyan"), " over photo.jpg")
    sobel over photo.jpg
    """
    from rich.text import Text

    pieces = [part for part in parts if isinstance(part, str | tuple | Text)]
    renderable = Text.assemble(*pieces) if len(pieces) == len(parts) else parts[0]
    screen = console()
    if screen.is_terminal:
        screen.print(renderable)
        return
    screen.width = PIPE_WIDTH
    with screen.capture() as captured:
        screen.print(renderable)
    for line in captured.get().splitlines():
        print(line.rstrip())


def styled(*parts: str | tuple[str, str] | Text, style: str = "") -> Text:
    """A text of pieces, as :func:`show` takes them, such as for a cell of a table."""
    from rich.text import Text

    return Text.assemble(*parts, style=style)


def table(
    *heads: str,
    names: str | None = None,
    left: Sequence[str] = (),
    footer: Sequence[str] = (),
    style: str = "bold",
) -> Table:
    """A table without lines whose columns are numbers, at their right, but for those in ``left``.

    names: heads a first column of names; of plain labels where it is empty. Without a word in any
        head there is no line of heads.
    footer: a last row, such as of sums, in bold.
    """
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style=style, show_header=any((names, *heads)))
    if names is not None:
        made.add_column(names, style="bold cyan" if names else "", no_wrap=bool(names))
    for head in heads:
        is_left = head in left
        made.add_column(Text(head), justify="left" if is_left else "right", no_wrap=not is_left)
    made.show_footer = bool(footer)
    for column, cell in zip(made.columns, footer, strict=False):
        column.footer, column.footer_style = cell, "bold"
    return made


def labelled(rows: Iterable[Sequence[RenderableType]]) -> Table:
    """A table of names in bold, each with words, or with figures, at their right, before them."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, show_header=False)
    made.add_column(style="bold", no_wrap=True)
    for row in rows:
        made.add_row(*row)
    for column in made.columns[1:-1]:
        column.justify, column.no_wrap = "right", True
    return made


def json_text(value: Any, indent: int | None = None) -> str:
    """The same value as JSON in which a terminal obeys nothing, and in ASCII alone where stdout is
    not in UTF-8, in which JSON is to be."""
    text = valid_json(value, indent)
    text = OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    if not (sys.stdout.encoding or "utf-8").lower().startswith("utf"):
        text = BEYOND_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], text)
    return text


def picked(record: Any, *names: str) -> dict[str, Any]:
    """What these attributes are, for a report that calls them so, too."""
    return {name: getattr(record, name) for name in names}


def print_json(value: Any) -> None:
    """Print what a command reports, on stdout, for programs to read."""
    print(json_text(value, indent=2))


@contextmanager
def progress(description: str, total: int, quiet: bool) -> Iterator[Callable[[], None]]:
    """A progress bar with ETA on stderr where that is a terminal; yields ``advance()``.

    Lines that are printed meanwhile appear above the bar.
    """
    if quiet or total < 2 or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    # Only stderr is redirected above the bar: stdout may be a pipe.
    bar = Progress(
        *columns, console=console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty()
    )
    with bar:
        task = bar.add_task(description, total=total)
        yield lambda: bar.advance(task)


@contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """Yields what is told how far a work has come whose end is not known; shown on stderr, on a
    terminal."""
    if not sys.stderr.isatty():
        yield lambda stage: None
        return
    with console(stderr=True).status(what) as status:
        yield lambda stage: status.update(f"{what}: {stage}")


@contextmanager
def reading(source: str, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Yields what a loader tells its progress, (done, all); shown on stderr, on a terminal."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.progress import Progress

    with Progress(console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"reading {source}", total=None, visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)


def reason(error: Exception, name: str) -> str:
    """One line that says what went wrong, and with which input."""
    if isinstance(error, MemoryError):
        return f"{name}: not enough memory{f' ({error})' if str(error) else ''}"
    message = system_reason(error) if isinstance(error, OSError) else str(error)
    return message if name in message else f"{name}: {message}"


def system_reason(error: OSError) -> str:
    """What the system says, and of what: without a file's name it is stdout, or this folder."""
    said = error.strerror or str(error)
    if error.filename:
        return f"{error.filename}: {said}"
    try:
        os.getcwd()
    except OSError:
        return "the folder that this runs in is gone: change to another one with cd"
    if error.errno == errno.EBADF:
        return "stdout is closed: leave out >&-, or put > FILE in its place"
    is_of_disk = error.errno in (errno.ENOSPC, errno.EFBIG, errno.EIO, errno.EDQUOT)
    return f"stdout cannot be written: {said}" if is_of_disk else said

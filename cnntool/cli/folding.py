"""Lines of notes and examples that fit the terminal, and still read and run as they did."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Sequence

_GAP = re.compile(r"\S {2,}(?=\S)")
"""Between two columns of a table."""


def folded(text: str, width: int) -> str:
    """A text whose lines are at most so wide: prose is filled anew, a row of a table goes on below
    its last column, and a command goes on behind a backslash, as a shell reads it."""
    lines: list[str] = []
    for is_prose, group in itertools.groupby(text.splitlines(), _is_prose):
        group = list(group)
        if not any(len(line) > width for line in group):
            lines += group
        elif is_prose:
            lines += textwrap.wrap(" ".join(group), width, break_on_hyphens=False)
        else:
            lines += [part for line in group for part in _folded_line(line, width)]
    return "\n".join(lines)


def _is_prose(line: str) -> bool:
    return line.strip(" \b") != "" and not line.startswith(" ") and _GAP.search(line) is None


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _folded_line(line: str, width: int) -> list[str]:
    """A command or a row of a table in lines that fit; whole where nothing can be broken."""
    if line.startswith("  ") and "cnntool " in line:
        return _broken(line, width, _indent(line) + "    ", " \\", (r" (?=--?[a-zA-Z]|\| )", " "))
    columns = [match.end() for match in _GAP.finditer(line)]
    start = max((end for end in columns if end <= width // 2), default=len(_indent(line)) + 2)
    return _broken(line, width, " " * start, "", (r"(?<=\S) (?=\S)",))


def _broken(line: str, width: int, indent: str, mark: str, places: Sequence[str]) -> list[str]:
    """A line cut at the first kind of places that gives a piece that fits; never within quotes."""
    if len(line) <= width:
        return [line]
    for place in places:
        cuts = [
            match.start()
            for match in re.finditer(place, line)
            if len(indent) < match.start() <= width - len(mark)
            and (not mark or line[: match.start()].count("'") % 2 == 0)
        ]
        if cuts:
            rest = indent + line[cuts[-1] + 1 :]
            return [line[: cuts[-1]] + mark, *_broken(rest, width, indent, mark, places)]
    return [line]

"""Help that reads in sections: options stand under the heading that they were given."""

from __future__ import annotations

import importlib
import inspect
import itertools
import os
import re
import textwrap
from collections.abc import Sequence

import click

from cnntool.wording import suggestion


class Option(click.Option):
    """An option that knows its section of the help."""

    def __init__(self, *arguments, section: str = "Options", **attributes):
        super().__init__(*arguments, **attributes)
        self.section = section


class FoldedEpilog(click.Command):
    """A command whose notes and examples fit the terminal, though Click is to leave their lines."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As Click does, whose parser forgets whose option it is that lacks its value; a file that
        was taken for options is told how to name."""
        words = list(args)  # which Click empties
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            name = next((word for word in words if _is_file_like_an_option(word)), None)
            if name and isinstance(error, click.NoSuchOption | click.MissingParameter):
                hint = f"{name} is a file: write ./{name}, or -- before it"
                said = error.format_message().removesuffix(".")
                raise click.UsageError(f"{said}; {hint}", error.ctx) from None
            raise

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if not self.epilog:
            return
        text = inspect.cleandoc(self.epilog)
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(folded(text, formatter.width - formatter.current_indent))


class SectionedCommand(FoldedEpilog):
    """A command whose options are listed section by section, in the order they were declared."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                section = getattr(parameter, "section", "Running")
                sections.setdefault(section, []).append(record)
        for section, records in sections.items():
            with formatter.section(section):
                formatter.write_dl(records, col_max=24)


def _is_file_like_an_option(word: str) -> bool:
    return word.startswith("-") and word.strip("-") != "" and os.path.lexists(word)


_GAP = re.compile(r"\S {2,}(?=\S)")
"""Between two columns of a table."""


def folded(text: str, width: int) -> str:
    """A text whose lines are at most so wide: prose is filled anew, a row of a table goes on below
    its last column, and a command goes on behind a backslash, as a shell reads it."""
    lines: list[str] = []
    for is_prose, run in itertools.groupby(text.splitlines(), _is_prose):
        group = list(run)
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


class LazyGroup(FoldedEpilog, click.Group):
    """A group that knows its commands by name and imports the module of the one that runs.

    ``commands_help`` has one line of help a command; ``package`` holds a module for each, named
    like it, with the Click command as ``command``.
    """

    def __init__(self, *arguments, commands_help: dict[str, str], package: str, **attributes):
        super().__init__(*arguments, **attributes)
        self._help, self._package = commands_help, package

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._help)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self._help:
            return None
        return importlib.import_module(f"{self._package}.{name.replace('-', '_')}").command

    def resolve_command(self, ctx: click.Context, args: list[str]):
        name = args[0]
        if name not in self._help and not name.startswith("-"):
            raise click.UsageError(f"no command '{name}'{suggestion(name, self._help)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self._help.items()))

"""Groups of commands whose modules are imported when they are called, so help comes at once."""

from __future__ import annotations

import importlib

import click

from cnntool.cli.help import FoldedEpilog
from cnntool.suggestions import suggestion


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

"""The `cnntool` group: commands are imported when they are called, so help comes at once."""

from __future__ import annotations

import difflib
import importlib

import click

from cnntool import __version__

COMMANDS = {
    "convolve": "Filter images with edge, blur, line and other kernels.",
    "convolve1d": "Convolve signals: numbers, CSV, .npy or WAV, in a stream.",
    "kernels": "List the kernels, or show one: its weights and what they do.",
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports the module of the one that runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        return importlib.import_module(f"cnntool.cli.{name.replace('-', '_')}").command

    def resolve_command(self, ctx: click.Context, args: list[str]):
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            close = difflib.get_close_matches(name, COMMANDS, 1)
            hint = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(COMMANDS)}"
            raise click.UsageError(f"no command '{name}': {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  cnntool convolve photo.jpg --kernel sobel
  cnntool kernels gaussian:sigma=2
  cnntool convolve --help""",
)
@click.version_option(__version__, "-V", "--version", message="%(prog)s %(version)s")
def cli() -> None:
    """Convolve images from the shell, on one NumPy engine.

    Data goes to stdout, everything else to stderr; `-` is stdin or stdout.
    """

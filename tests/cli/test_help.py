"""Help that fits the terminal, and whose examples can be copied from it."""

import click
import pytest
from click.testing import CliRunner

from cnntool.cli.help import folded
from cnntool.cli.main import cli


def commands(group=cli, path=()):
    """The words of every command and group."""
    yield path
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


def help_of(words, width):
    shown = CliRunner(env={"COLUMNS": str(width)}).invoke(cli, [*words, "--help"])
    assert shown.exit_code == 0, shown.output
    return shown.output


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_no_line_of_any_help_is_wider_than_the_terminal(words):
    assert max(map(len, help_of(words, 80).splitlines())) <= 80


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_examples_that_go_on_in_the_next_line_are_the_same_commands(words):
    def examples(width):
        text = help_of(words, width).split("Examples:")[-1].replace("\\\n", " ")
        return [" ".join(line.split()) for line in text.splitlines()]

    assert examples(80) == examples(120)


def test_prose_is_filled_tables_go_on_below_their_column_and_quotes_stay_whole():
    text = """\b
Some words that
go on and on and on.
  name      what it is and what it does
  cnntool x 'a - b | c' --option 1 | cnntool y"""
    assert folded(text, 60) == text
    assert folded(text, 18).splitlines()[:3] == ["\b", "Some words that go", "on and on and on."]
    assert folded(text, 24).splitlines()[3:6] == [
        "  name      what it is",
        "            and what it",
        "            does",
    ]
    assert folded(text, 36).splitlines()[-2:] == [
        "  cnntool x 'a - b | c' --option 1 \\",
        "      | cnntool y",
    ]

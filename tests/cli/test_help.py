"""Help that fits the terminal, and whose examples can be copied from it."""

import re

import click
import pytest

from cnntool.choices import NETWORKS, USUAL_NETWORKS
from cnntool.cli.help import folded
from cnntool.cli.main import cli
from cnntool.networks.zoo import LEAST_SIZE, ZOO, usual_network


def commands(group=cli):
    """Every command and group by its words."""
    yield group
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield from commands(command) if isinstance(command, click.Group) else [command]


def help_of(command, width):
    return click.Context(command, info_name="cnntool", terminal_width=width).get_help()


every_command = pytest.mark.parametrize("command", list(commands()), ids=lambda c: c.name)


@pytest.mark.parametrize("width", [80, 100])
@every_command
def test_no_line_of_any_help_is_wider_than_the_terminal(command, width):
    assert max(map(len, help_of(command, width).splitlines())) <= width


@every_command
def test_examples_that_go_on_in_the_next_line_are_the_same_commands(command):
    def examples(width):
        text = help_of(command, width).split("Examples:")[-1].replace("\\\n", " ")
        return [" ".join(line.split()) for line in text.splitlines()]

    assert help_of(command, 80) != help_of(command, 100)
    assert examples(80) == examples(100)


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
    assert "'aaa -b ccc'" in folded("  cnntool x 'aaa -b ccc' y", 20)


@pytest.mark.parametrize("arguments", [["convolve", "x.png", "-k"], ["explain", "pool", "--mode"]])
def test_an_option_without_a_value_names_the_help_of_its_command(cnntool, arguments):
    done = cnntool(*arguments)
    name = " ".join(["cnntool", *(word for word in arguments[:-1] if "." not in word)])
    assert done.code == 2
    assert done.err == f"{name}: Option '{arguments[-1]}' requires an argument. ({name} --help)\n"


def test_every_network_with_a_name_is_in_the_help(cnntool):
    assert (list(ZOO), usual_network((1, 63, 63))) == (list(NETWORKS), "light")
    assert {usual_network(shape) for shape in ((1, 64, 64), (3, 8, 8))} == {"small"}
    for command in ("info", "train-cnn"):
        text = " ".join(cnntool(command, "--help").out.decode().split())
        assert all(re.search(rf"\b{name}\b", text) for name in NETWORKS)
    assert USUAL_NETWORKS in text
    for name, what in NETWORKS.items():
        assert f"from {LEAST_SIZE[name]}" in what
    assert ", ".join(NETWORKS) in cnntool("train-cnn", "digits", "--network", "foo").err


def test_no_two_examples_of_a_help_write_the_same_file(cnntool):
    for command in ("convolve", "pool"):
        text = cnntool(command, "--help").out.decode().split("Examples:")[-1]
        names = re.findall(r"-o (\w+\.\w+)", text)
        assert len(set(names)) == len(names) > 1

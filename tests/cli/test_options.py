"""Options that are said once, and the types that several commands share."""

import math
from dataclasses import dataclass

import click
import pytest

from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import argument, flag, option, takes
from cnntool.cli.pool import read_norm
from cnntool.cli.types import Choice, Number

TRAIN = ["train-cnn", "digits"]


@pytest.mark.parametrize(
    ("arguments", "parameter", "expected"),
    [
        (["predict", "m.npz", ""], "'INPUT...'", "a file, a folder (-r) or -"),
        (["predict", "", "grey.png"], "'MODEL'", "a model file"),
        (["evaluate", "", "digits"], "'MODEL'", "a model file"),
        (["evaluate", "m.npz", ""], "'DATA...'", "a data set or a text"),
        (["evaluate", "m.npz", "digits", "--mistakes", ""], "'--mistakes'", "a picture"),
        (["train-cnn", ""], "'DATA'", "a data set, such as digits"),
        ([*TRAIN, "--valid", ""], "'--valid'", "a data set of the same classes"),
        ([*TRAIN, "--log", ""], "'--log'", "a log, such as run.jsonl"),
        ([*TRAIN, "-o", ""], "'-o' / '--output'", "a model file, such as model.npz"),
        (["train-cnn", "--resume", ""], "'--resume'", "the file of a run"),
        (["info", ""], "'MODEL|NAME|LAYERS'", "a model file, a network such as lenet"),
        (["convolve", "", "-k", "sobel"], "'IMAGE...'", "an image, a folder (-r) or -"),
        (["convolve1d", "", "-k", "box"], "'[FILE]'", "a signal or -"),
        (["convolve1d", "-k", "box", "-o", ""], "'-o' / '--output'", "a file, a folder or -"),
    ],
)
def test_an_empty_name_is_refused_with_what_should_stand_there(
    cnntool, arguments, parameter, expected
):
    done = cnntool(*arguments)
    assert (done.code, done.out, len(done.err.splitlines())) == (2, b"", 1)
    start = f"cnntool {arguments[0]}: Invalid value for {parameter}: the name is empty: name "
    assert done.err.startswith(start + expected)


@dataclass(frozen=True)
class Learning:
    rate: float | None = option("--rate --lr", Number(above=0), "Of the steps.")
    runs: tuple[str, ...] = option("--run", str, "Any number.", metavar="NAME", multiple=True)
    strict: bool = flag("--strict", "Be it.", section="Data")


@dataclass(frozen=True)
class Running:
    section = "How it runs"
    file: str = argument("[FILE]", str, default="-")
    as_json: bool = flag("--json", "Print JSON.")


@click.command(cls=SectionedCommand)
@takes(Learning, Running)
def command(learning, running):
    return learning, running


def taken(*arguments):
    return command.main(list(arguments), standalone_mode=False)


def test_a_command_takes_dataclasses_filled_in():
    assert taken() == (Learning(), Running()) == (Learning(None, (), False), Running("-", False))
    given = taken("--lr", "1/4", "f", "--run", "a", "--run", "b", "--strict", "--json")
    assert given == (Learning(0.25, ("a", "b"), True), Running("f", True))


def test_options_stand_in_the_section_of_their_class():
    lines = click.Context(command).get_help().splitlines()
    sections = [line for line in lines if line.endswith(":")]
    assert sections == ["Learning:", "Data:", "How it runs:", "Running:"]  # the last one of --help
    assert "--rate, --lr X" in lines[lines.index("Learning:") + 1]


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (Number(above=0), "0", "'0' is out of range: expected a number above 0 and below 1e+12"),
        (Number(least=0, below=1), "1", "'1' is out of range: expected a number from 0 to below 1"),
        (Number(above=0, most=1), "nan", "'nan' is out of range: expected a number above 0, up to"),
        (Number(least=0), "-1", "'-1' is out of range: expected a number from 0 to below 1e+12"),
        (Number(least=1, most=2), "3", "'3' is out of range: expected a number from 1 to 2"),
        (Number(), "1/0", "'1/0' is out of range"),
        (Number(), "x", "'x' is not a number: expected one such as 0.5"),
        (Choice(("adam", "sgd"), "optimizer"), "adm", "no optimizer 'adm': did you mean 'adam'?"),
        (Choice(("adam", "sgd"), "optimizer"), "xyz", "no optimizer 'xyz': expected adam, sgd"),
    ],
)
def test_types_say_what_was_expected(kind, text, message):
    with pytest.raises(click.BadParameter) as raised:
        kind.convert(text, None, None)
    assert raised.value.message.startswith(message)


def test_a_number_is_a_fraction_as_well():
    assert Number().convert("1/2", None, None) == 0.5
    assert Number(above=0, most=1).convert("-3/-4", None, None) == 0.75
    assert read_norm("3/2") == 1.5
    assert read_norm("inf") == math.inf


def test_a_required_option_with_one_value_is_missed():
    @dataclass(frozen=True)
    class Text:
        text: str = option("--text", str, "What is read.", required=True)

    @click.command()
    @takes(Text)
    def needy(text):
        return text.text

    assert needy.main(["--text", "a"], standalone_mode=False) == "a"
    with pytest.raises(click.MissingParameter):
        needy.main([], standalone_mode=False)


@dataclass(frozen=True)
class Both(Running, Learning):
    """Options of two classes, in one."""


def test_what_a_class_inherits_stands_in_the_section_of_the_class_that_declares_it():
    @click.command(cls=SectionedCommand)
    @takes(Both)
    def both(asked):
        return asked

    assert both.main(["--lr", "1/4", "f"], standalone_mode=False) == Both(0.25, file="f")
    assert click.Context(both).get_help() == click.Context(command).get_help().replace(
        command.name, both.name
    )


def test_a_long_value_is_quoted_by_its_beginning():
    with pytest.raises(click.BadParameter) as raised:
        Number().convert(f"7,{'1' * 5000}", None, None)
    assert str(raised.value).startswith("'7,111")
    assert "...' is not a number: expected one such as 0.5" in str(raised.value)
    assert len(str(raised.value)) < 150

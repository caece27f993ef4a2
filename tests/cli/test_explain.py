"""`cnntool explain`: the group, its help, and that every example in the help works."""

import json
import re
import shlex
import shutil
from pathlib import Path

import click
import pytest
from explaining import explain
from processes import imported_by_help
from sequence_models import write_example_models
from text_models import write_text_models

from cnntool.cli.explain import SUBJECTS, command

ROOT = Path(__file__).parent.parent.parent


def examples(subject: str) -> list[str]:
    """The lines of the help that are a use of the command."""
    epilog = command.get_command(click.Context(command), subject).epilog
    lines = re.findall(r"^  cnntool explain (.*)$", epilog, re.MULTILINE)
    return [line.partition(" | ")[0] for line in lines]


@pytest.fixture(scope="module")
def home(tmp_path_factory, digits_run) -> Path:
    """A folder with all that the examples name."""
    folder = tmp_path_factory.mktemp("examples")
    shutil.copytree(ROOT / "sample_images", folder / "sample_images")
    write_text_models(folder)
    write_example_models(folder)
    shutil.copy(digits_run, folder / "digits.npz")
    return folder


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_example_in_the_help_works(subject, home, monkeypatch):
    monkeypatch.chdir(home)
    assert len(examples(subject)) >= 3
    for example in examples(subject):
        words = shlex.split(example)
        assert words[0] == subject
        text = explain(*words)
        if "--json" in words:
            json.loads(text)
        else:
            assert max(map(len, text.splitlines())) <= 120
            assert not any(line.endswith(" ") for line in text.splitlines())


def test_the_groups_own_examples_work(home, monkeypatch):
    monkeypatch.chdir(home)
    lines = re.findall(r"^  cnntool explain (.*)$", command.epilog, re.MULTILINE)
    assert [line.split()[0] for line in lines] == list(SUBJECTS)
    for line in lines:
        explain(*shlex.split(line))


@pytest.mark.parametrize("words", [[], *([subject] for subject in SUBJECTS)])
def test_help_needs_neither_numpy_nor_pillow_nor_rich(words):
    assert imported_by_help("explain", *words) == []


def test_a_misspelt_subject_gets_a_suggestion():
    with pytest.raises(click.UsageError, match="no command 'padd': did you mean 'padding'"):
        explain("padd")


def test_without_colour_and_in_a_pipe_there_are_no_escapes(cnntool):
    done = cnntool("explain", "convolve", "grey.png", "-k", "sobel", "--at", "0,0")
    assert done.code == 0
    assert b"\x1b" not in done.out


def test_errors_are_one_line_with_the_right_code(cnntool):
    data = ("explain", "convolve", "none.png", "-k", "sobel")
    usage = ("explain", "conv1d", "--signal", "1,x", "--kernel", "1")
    place = ("explain", "convolve", "grey.png", "-k", "sobel", "--at", "40,0")
    pooled = ("explain", "pool", "grey.png", "--at", "0,15")
    padding = ("explain", "padding", "3", "-k", "5")
    for words, code in ((data, 1), (usage, 2), (place, 2), (pooled, 2), (padding, 2)):
        done = cnntool(*words)
        assert done.code == code
        assert done.out == b""
        assert len(done.err.splitlines()) == 1

"""The README is true: its examples run, and it names every command."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from processes import run_here

from cnntool.cli.main import COMMANDS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def examples() -> list[str]:
    """Every line of the shell blocks that is a use of the installed command."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if re.match(r"((cat|seq) \S+ \| )?cnntool ", line)]


@pytest.fixture(scope="module")
def playground(tmp_path_factory) -> Path:
    """A folder with the sample images and a `cnntool` on the PATH."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "sample_images", folder / "sample_images")
    command = folder / "bin" / "cnntool"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cnntool "$@"\n')
    command.chmod(0o755)
    return folder


@pytest.mark.skipif(os.name != "posix", reason="the examples are for a POSIX shell")
def test_every_example_runs_in_order(playground, monkeypatch):
    """Those with a pipe or a pattern in a shell, the others in this process, to save its start."""
    monkeypatch.chdir(playground)
    monkeypatch.setenv("PATH", f"{playground / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert len(examples()) > 15
    for example in examples():
        if re.search(r"[|*]", example):
            command = ["bash", "-o", "pipefail", "-c", example]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
            code, errors = done.returncode, done.stderr
        else:
            done = run_here(*shlex.split(example)[1:])
            code, errors = done.code, done.err
        assert code == 0, f"{example}\n{errors}"
    assert (playground / "coffee-sobel.jpg").exists()
    assert len(list((playground / "maps").iterdir())) == 8


def test_every_picture_is_there():
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", README)
    assert len(pictures) >= 3
    assert all((ROOT / picture).is_file() for picture in pictures)


def test_the_python_example_runs():
    (example,) = blocks("python")
    exec(compile(example, "README.md", "exec"), {})


@pytest.mark.skipif(os.name != "posix", reason="completion is for POSIX shells")
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion_is_there(playground, shell):
    done = subprocess.run(
        [playground / "bin" / "cnntool"],
        env={**os.environ, "_CNNTOOL_COMPLETE": f"{shell}_source"},
        capture_output=True,
        text=True,
    )
    assert "_CNNTOOL_COMPLETE" in done.stdout


def test_every_command_has_an_example():
    for command in COMMANDS:
        assert any(f"cnntool {command}" in example for example in examples())

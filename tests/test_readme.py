"""README and docs are true: examples run, every command has one, links and names lead on."""

import importlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from processes import run_here

from cnntool import __version__
from cnntool.cli.main import COMMANDS
from cnntool.cli.visualize import SUBJECTS

ROOT = Path(__file__).parent.parent
SUBJECT_PAGES = (
    "filters",
    "signals",
    "training",
    "texts",
    "sequences",
    "looking",
    "lecture",
    "scaling",
    "speed",
)
"""In the order in which they are read: a page may use what those before it made."""
PAGES = {
    path: path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in SUBJECT_PAGES))
}
README = PAGES[ROOT / "README.md"]
TEXTS = {
    path: path.read_text(encoding="utf-8")
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))
}


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def examples(page: str) -> list[str]:
    """Every line of the shell blocks that is a use of the installed command."""
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    return [line for line in lines if re.match(r"((cat|seq|echo) [^|]+ \| )?cnntool ", line)]


ALL_EXAMPLES = list(dict.fromkeys(line for page in PAGES.values() for line in examples(page)))
"""Each once: the README shows some that a page shows again."""


@pytest.fixture(scope="module")
def playground(tmp_path_factory) -> Path:
    """A folder with the sample images, the documentation and a `cnntool` on the PATH."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "sample_images", folder / "sample_images")
    shutil.copytree(ROOT / "docs", folder / "docs")
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
    assert len(ALL_EXAMPLES) > 75
    for example in ALL_EXAMPLES:
        if "--cluster" in example and importlib.util.find_spec("distributed") is None:
            continue  # an extra
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


@pytest.mark.skipif(shutil.which("parallel") is None, reason="GNU parallel is not installed")
def test_the_shards_of_one_machine_run_by_parallel(playground, monkeypatch):
    monkeypatch.chdir(playground)
    monkeypatch.setenv("PATH", f"{playground / 'bin'}{os.pathsep}{os.environ['PATH']}")
    page = PAGES[ROOT / "docs" / "scaling.md"]
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    commands = [line for line in lines if line.startswith("parallel ")]
    assert len(commands) == 2
    for command in commands:
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    assert len(list((playground / "parted").iterdir())) == 4
    assert len((playground / "parted.jsonl").read_text().splitlines()) == 4


@pytest.mark.skipif(os.name != "posix", reason="the examples are for a POSIX shell")
def test_the_script_for_slurm_runs_as_its_tasks_do(playground, monkeypatch):
    shutil.copytree(playground / "sample_images", playground / "photos")
    monkeypatch.setenv("PATH", f"{playground / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "2")
    (script,) = blocks(PAGES[ROOT / "docs" / "scaling.md"], "bash")
    (count,) = re.findall(r"--array=1-(\d+)", script)
    for task in range(1, int(count) + 1):
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(task))
        done = subprocess.run(["bash", "-ec", script], cwd=playground, capture_output=True)
        assert done.returncode == 0, done.stderr
    assert len(list((playground / "edges").glob("*-sobel.*"))) == 4


def test_every_picture_is_shown_and_there():
    shown = [
        path.parent / picture
        for path, page in PAGES.items()
        for picture in re.findall(r"!\[[^]]+\]\(([^)]+)\)", page)
    ]
    assert all(picture.is_file() for picture in shown)
    drawn = [path for path in (ROOT / "docs").iterdir() if path.suffix in (".jpg", ".png")]
    assert sorted(shown) == sorted(drawn)


def test_over_pictures_of_networks_stand_commands_that_are_run():
    heads = re.compile(r"^(\| `.*` \|)\n\| ---.*\n\| !.*learned-", re.MULTILINE)
    told = [
        command
        for page in PAGES.values()
        for head in heads.findall(page)
        for command in re.findall(r"`([^`]+)`", head)
    ]
    assert len(told) >= 5
    run = [example.replace("sample_images/", "") for example in ALL_EXAMPLES]
    for command in told:
        assert f"cnntool {command}" in run


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_python_examples_run(path):
    for example in blocks(PAGES[path], "python"):
        exec(compile(example, path.name, "exec"), {})


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


def test_the_readme_is_short_and_shows_every_command():
    assert len(README.splitlines()) < 160
    for command in COMMANDS:
        assert any(f"cnntool {command} " in example for example in examples(README))


def test_the_changes_know_this_version():
    assert f"\n## [{__version__}]" in TEXTS[ROOT / "CHANGELOG.md"]


def test_everything_that_can_be_visualized_has_an_example():
    for subject in SUBJECTS:
        assert any(f"cnntool visualize {subject} " in example for example in ALL_EXAMPLES)


def test_every_heading_of_the_lecture_has_one_command():
    page = PAGES[ROOT / "docs" / "lecture.md"]
    headings = re.findall(r"^## .*$", page, re.MULTILINE)
    assert len(headings) == len(examples(page)) == len(blocks(page, "sh")) == 10
    whole = re.findall(r"^## .*\n\n```sh\ncnntool .*\n```\n\n\w", page, re.MULTILINE)
    assert len(whole) == 10


def anchors(page: str) -> set[str]:
    """What ``#...`` may name: the headings in lower case, with dashes for spaces."""
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXTS[path]):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.exists(), target
        assert not anchor or anchor in anchors(TEXTS[file]), target


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_name_in_the_text_exists(path):
    """Files and folders of the house, and what Python finds: `cnntool.engine.conv2d`."""
    for name in re.findall(r"`((?:cnntool|tests|benchmarks|docs)/[\w./]*)`", TEXTS[path]):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"`(cnntool(?:\.\w+)+)(?:\(\))?`", TEXTS[path]):
        module, _, attribute = name.rpartition(".")
        is_module = importlib.util.find_spec(name) is not None
        assert is_module or hasattr(importlib.import_module(module), attribute), name

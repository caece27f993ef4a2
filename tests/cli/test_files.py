"""Which files a command line names: folders that may not be read, pages that are none."""

import os
from pathlib import Path

import click
import numpy as np
import pytest

from cnntool.cli.files import check_page, gather
from cnntool.errors import InputError


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_named(tmp_path, capsys):
    (tmp_path / "secret").mkdir(mode=0)
    check_that_it_is_named(tmp_path, capsys)


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch, capsys):
    (tmp_path / "secret").mkdir()
    scandir = os.scandir

    def refuse(path):
        if os.fspath(path).endswith("secret"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    check_that_it_is_named(tmp_path, capsys)


def check_that_it_is_named(folder, capsys):
    (folder / "one.png").touch()
    sources, is_failed = gather([str(folder)], recursive=True, quiet=True)
    assert [source.path.name for source in sources] == ["one.png"]
    assert is_failed
    said = f"{folder / 'secret'} cannot be read: Permission denied\n"
    assert capsys.readouterr().err == said


def test_a_page_is_named_as_one(folder):
    for name in ("model.npz", "photo.png", "-", "page"):
        with pytest.raises(click.UsageError, match=f"-o {name}: name a page"):
            check_page("-o", Path(name), force=True)
    Path("old.html").touch()
    with pytest.raises(InputError, match="exists: -f overwrites it"):
        check_page("-o", Path("old.html"), force=False)
    check_page("-o", Path("old.html"), force=True)
    check_page("-o", Path("new.HTM"), force=False)


WRITERS = {
    "convolve": ("convolve", "grey.png", "-k", "box", "-o"),
    "convolve1d": ("convolve1d", "ramp.txt", "-k", "box", "-o"),
    "pool": ("pool", "grey.png", "-o"),
    "pyramid": ("pool", "grey.png", "--pyramid", "1", "-o"),
    "kernels": ("kernels", "--from", "grey.png", "soft.png", "-o"),
    "log": ("train-cnn", "set.npz", "-q", "--epochs", "1", "--layers", "dense 2", "--log"),
    "model": ("train-cnn", "set.npz", "-q", "--epochs", "1", "--layers", "dense 2", "-o"),
    "visualize": ("visualize", "filters", "MODEL", "-o"),
    "prediction": ("explain", "prediction", "MODEL", "grey.png", "-o"),
    "evaluate": ("evaluate", "MODEL", "digits", "--confusion"),
    "page": ("evaluate", "MODEL", "digits", "--html"),
    "explore": ("explore", "MODEL", "grey.png", "-o"),
}
ENDS = {"convolve1d": ".txt", "pyramid": ".csv", "kernels": ".npy", "log": ".jsonl"}
ENDS |= {"model": ".npz", "page": ".html", "explore": ".html"}


@pytest.mark.parametrize("what", WRITERS)
def test_every_command_makes_the_folders_of_what_it_writes(cnntool, folder, digits_run, what):
    Path("ramp.txt").write_text("1\n2\n3\n")
    np.savez("set.npz", x=np.zeros((8, 8, 8), np.uint8), y=np.arange(8) % 2)
    if what == "kernels":
        assert cnntool("convolve", "grey.png", "-k", "box", "-o", "soft.png").code == 0
    words = [str(digits_run) if word == "MODEL" else word for word in WRITERS[what]]
    end = ENDS.get(what, ".png")
    done = cnntool(*words, f"new/one/x{end}")
    assert done.code == 0, done.err
    assert Path(f"new/one/x{end}").stat().st_size
    done = cnntool(*words, f"grey.png/one/x{end}", *(["-f"] if what == "log" else []))
    assert (done.code, len(done.err.splitlines())) == (1, 1), done.err
    assert "grey.png is no folder, so nothing can be written into it" in done.err


def test_templates_take_what_lies_at_the_top_of_a_folder(cnntool, folder):
    for name in ("tree/a.png", "tree/sub/b.png"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(Path("grey.png").read_bytes())
    for template, paths in {
        "{folder}/new-{name}": ["new-a.png", "sub/new-b.png"],
        "out/{folder}/{name}": ["out/a.png", "out/sub/b.png"],
        "out/{folder}-{name}": ["out/-a.png", "out/sub-b.png"],
    }.items():
        done = cnntool("convolve", "tree", "-r", "-k", "box", "-o", template)
        assert (done.code, done.lines) == (0, paths), done.err


@pytest.mark.parametrize("wrong", ["{number:zz}", "{number:3}", "{stem:03}", "{plain}", "{}"])
def test_a_field_that_no_template_has_is_named(cnntool, folder, wrong):
    done = cnntool("convolve", "grey.png", "-k", "box", "-o", f"out/{wrong}.png")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    expected = (
        f"cnntool: template 'out/{wrong}.png': '{wrong}' is no field: expected one of {{stem}}"
    )
    assert done.err.startswith(expected)
    assert "{number:03}" in done.err


def test_a_brace_alone_is_to_be_written_twice(cnntool, folder):
    done = cnntool("convolve", "grey.png", "-k", "box", "-o", "a}.png {name}")
    assert "'}' is a brace alone: write it twice, }}, or close a field" in done.err


@pytest.mark.parametrize("name", ["-dash.png", "--dash.png", "-q.png", "-o.png"])
@pytest.mark.parametrize("command", ["convolve", "pool", "explain"])
def test_a_file_whose_name_is_taken_for_an_option_is_told_how_to_name(
    cnntool, folder, command, name
):
    Path(name).write_bytes(Path("grey.png").read_bytes())
    words = {"convolve": ["-k", "box"], "pool": [], "explain": []}[command]
    place = [command, *(["pool"] if command == "explain" else [])]
    done = cnntool(*place, name, *words)
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert f"; {name} is a file: write ./{name}, or -- before it (cnntool " in done.err
    assert cnntool(*place, *words, "--", name).code == 0
    assert cnntool(*place, f"./{name}", *words, *["-f"][: command != "explain"]).code == 0

"""Which files a command line names: folders that may not be read, pages that are none."""

import os
from pathlib import Path

import click
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

"""One process at a time writes a file."""

import errno
import os
import subprocess
import sys

import pytest

from cnntool.errors import InputError
from cnntool.files.atomic import written_alone

HOLD = """
import sys
from cnntool.files.atomic import written_alone

with written_alone(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holding(tmp_path):
    """Another process that holds ``file``, until its stdin is closed."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "file")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.communicate()


def test_what_another_process_writes_is_named_with_it(tmp_path, holding):
    with (
        pytest.raises(InputError, match=rf"file is being written by another .*\({holding.pid}\)"),
        written_alone(tmp_path / "file"),
    ):
        pass
    with written_alone(tmp_path / "other"):
        pass
    holding.communicate()
    with written_alone(tmp_path / "file"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_was_killed_holds_nothing(tmp_path, holding):
    holding.kill()
    holding.wait()
    assert [path.name for path in tmp_path.iterdir()] == [".file.lock"]
    with written_alone(tmp_path / "file"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="symbolic links")
def test_a_link_is_the_file_that_it_leads_to(tmp_path, holding):
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(InputError, match="another process"), written_alone(tmp_path / "link"):
        pass


def test_where_nothing_can_be_locked_whoever_writes_says_what_is_wrong(tmp_path):
    with written_alone(tmp_path / "nowhere" / "file"):
        pass
    with written_alone(tmp_path / ("x" * 255)):
        pass


def test_a_full_disk_is_told_by_what_is_written_not_by_the_lock(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.write", full)
    with written_alone(tmp_path / "file"):
        pass
    assert list(tmp_path.iterdir()) == []

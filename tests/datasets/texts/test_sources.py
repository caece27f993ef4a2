"""Where text comes from, and what is said when it does not."""

import io
import os
import sys
import threading
from types import SimpleNamespace

import pytest

from cnntool.datasets.texts import sources
from cnntool.datasets.texts.sources import joint_name, joint_size, read_bytes
from cnntool.errors import InputError, RequestError


def pipe_in(monkeypatch, data: bytes, isatty: bool = False):
    stdin = SimpleNamespace(buffer=io.BytesIO(data), isatty=lambda: isatty)
    monkeypatch.setattr(sys, "stdin", stdin)


def test_files_streams_and_stdin_are_read_in_their_order(tmp_path, monkeypatch):
    pipe_in(monkeypatch, b"two ")
    (tmp_path / "a").write_bytes(b"one ")
    data = b"".join(read_bytes([tmp_path / "a", "-", io.BytesIO(b"three")]))
    assert data == b"one two three"


def test_a_stream_is_not_closed_and_a_file_is(tmp_path):
    stream = io.BytesIO(b"text")
    list(read_bytes(stream))
    assert not stream.closed


def test_a_file_of_the_name_of_stdin_is_read_by_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-").write_bytes(b"dash")
    assert b"".join(read_bytes("./-")) == b"dash"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_read_to_its_end(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"x" * 300_000,))
    writer.start()
    assert joint_size(path) == 0
    assert sum(map(len, read_bytes(path))) == 300_000
    writer.join()


def test_what_is_not_there_or_no_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.txt does not exist: check the name"):
        list(read_bytes(tmp_path / "none.txt"))
    with pytest.raises(InputError, match="is a folder, not a text: name the files in it"):
        list(read_bytes([tmp_path]))
    with pytest.raises(InputError, match=r"cannot be opened: .*null"):
        list(read_bytes("a\0b"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_file_without_permission_is_named(tmp_path):
    (tmp_path / "a").touch(0)
    with pytest.raises(InputError, match="may not be read"):
        list(read_bytes(tmp_path / "a"))


def test_a_stream_that_fails_is_named():
    class Broken(io.RawIOBase):
        name = "tape"

        def read(self, size):
            raise OSError(5, "Input/output error")

    with pytest.raises(InputError, match="tape cannot be read: Input/output error"):
        list(read_bytes(Broken()))


@pytest.mark.parametrize("named", [[], "", ["a", ""]])
def test_no_name_is_refused(named):
    with pytest.raises(RequestError, match="no text is named"):
        list(read_bytes(named))


def test_stdin_is_read_once_and_from_no_terminal(monkeypatch):
    pipe_in(monkeypatch, b"")
    with pytest.raises(RequestError, match="name it once"):
        list(read_bytes(["-", "-"]))
    pipe_in(monkeypatch, b"", isatty=True)
    with pytest.raises(RequestError, match="which is a terminal: pipe a text in"):
        list(read_bytes("-"))
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="stdin is closed"):
        list(read_bytes("-"))


def test_names_for_messages(tmp_path, monkeypatch):
    pipe_in(monkeypatch, b"")
    assert joint_name("-") == joint_name(io.BytesIO()) == "stdin"
    assert joint_name(tmp_path / "a.txt") == str(tmp_path / "a.txt")
    assert joint_name(["a.txt", "b.txt", "-"]) == "a.txt and 2 more"


def test_progress_counts_bytes_over_all_files(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "CHUNK", 4)
    for name, size in (("a", 6), ("b", 3)):
        (tmp_path / name).write_bytes(b"x" * size)
    told = []
    list(read_bytes([tmp_path / "a", tmp_path / "b"], lambda *both: told.append(both)))
    assert told == [(4, 9), (6, 9), (9, 9)]
    told.clear()
    list(read_bytes([tmp_path / "a", io.BytesIO(b"xyz")], lambda *both: told.append(both)))
    assert told == [(4, 0), (6, 0), (9, 0)]

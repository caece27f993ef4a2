"""Decoding: what changes nothing, and the place of what is wrong."""

import io
import os
import sys
import threading
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntool.datasets.texts import text as texts
from cnntool.datasets.texts.text import joint_name, joint_size, read_bytes, read_text
from cnntool.errors import InputError, RequestError

TEXT = "ab é\n\n漢字 😀 e\u0301\n"


def read(data: bytes, encoding="utf-8"):
    return "".join(read_text(io.BytesIO(data), encoding))


def problem(data: bytes, encoding="utf-8", name="text.txt"):
    stream = io.BytesIO(data)
    stream.name = name
    with pytest.raises(InputError) as raised:
        list(read_text(stream, encoding))
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.fixture(params=[1, 2, 3, 5, 1 << 18])
def chunk(request, monkeypatch):
    monkeypatch.setattr(texts, "CHUNK", request.param)
    return request.param


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("is_ended", [True, False])
def test_line_ends_a_mark_and_a_missing_newline_change_nothing(line_end, mark, is_ended):
    text = mark + (TEXT if is_ended else TEXT[:-1]).replace("\n", line_end)
    assert read(text.encode()) == TEXT


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "gb18030", "utf-8-sig"])
def test_encodings_are_read_through_every_cut(encoding):
    assert read(TEXT.encode(encoding), encoding) == TEXT


@pytest.mark.usefixtures("chunk")
def test_marks_of_files_that_cat_put_together_are_dropped():
    assert read("\ufeffone\n\ufefftwo\nthree\ufeff four\n".encode()) == "one\ntwo\nthree four\n"


def test_latin_1_reads_every_byte_but_nul():
    data = bytes(range(1, 256)).replace(b"\r", b"")
    assert read(data, "latin-1") == data.decode("latin-1") + "\n"


def test_each_file_has_a_mark_of_its_own_and_ends_its_line(tmp_path):
    paths = [tmp_path / name for name in "abc"]
    for path, text in zip(paths, ["\ufeffone", "", "\ufefftwo\r\n"], strict=True):
        path.write_bytes(text.encode())
    assert "".join(read_text(paths)) == "one\ntwo\n"


@pytest.mark.usefixtures("chunk")
def test_the_byte_that_is_wrong_has_its_value_offset_and_line():
    data = "é\r\n漢\rx\n".encode() + b"ab\xff cd\n"
    assert "text.txt: byte 0xff at offset 12 (line 4) is not UTF-8: " in problem(data)


@pytest.mark.usefixtures("chunk")
def test_a_character_that_is_cut_short_is_found_where_it_begins():
    assert "byte 0xe6 at offset 3 (line 2) is not UTF-8" in problem(b"ab\n\xe6\xbc")
    assert "byte 0xe6 at offset 0 (line 1) is not UTF-8" in problem(b"\xe6\xbcab")


def test_a_surrogate_in_utf_8_is_no_character():
    assert "byte 0xed at offset 1 (line 1)" in problem(b"a\xed\xa0\xbd")


@pytest.mark.usefixtures("chunk")
def test_other_encodings_have_the_same_message():
    assert "text.txt: byte 0x80 at offset 3 (line 2) is not ASCII: " in problem(
        b"a\nb\x80", "ascii"
    )
    wrong = problem("漢\nx".encode("shift-jis") + b"\x80\xff", "shift-jis")
    assert "byte 0x80 at offset 4 (line 2) is not SHIFT_JIS" in wrong
    wrong = problem("ab\nc".encode("utf-16-le") + b"\0\xdc" + b"x\0", "utf-16-le")
    assert "byte 0x00 at offset 8 (line 2) is not UTF-16-LE" in wrong


@given(st.binary(max_size=40), st.integers(1, 5))
def test_what_is_wrong_is_found_where_the_whole_text_has_it(data, size):
    data = data.replace(b"\0", b"\xff")
    whole = None
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        whole = error
    before = texts.CHUNK
    texts.CHUNK = size
    try:
        if whole is None:
            expected = text.replace("\ufeff", "").replace("\r\n", "\n").replace("\r", "\n")
            expected += "\n" * (expected != "" and expected[-1] != "\n")
            assert read(data) == expected
        else:
            valid = data[: whole.start].decode().replace("\ufeff", "")
            lines = valid.replace("\r\n", "\n").replace("\r", "\n").count("\n")
            place = f"0x{data[whole.start]:02x} at offset {whole.start} "
            assert place + f"(line {lines + 1})" in problem(data)
    finally:
        texts.CHUNK = before


def test_binary_is_no_text():
    assert problem(b"PK\n\0\1") == (
        "text.txt holds NUL in line 2, which text never does: a text takes its --encoding"
    )


def test_bytes_are_the_remedy_where_they_may_be_asked_for():
    binary = io.BytesIO(b"PK\n\0\1")
    with pytest.raises(InputError, match="a binary file takes --level byte, a text its --encoding"):
        list(read_text(binary, has_level=True))
    wide = io.BytesIO(("The cat is here.\n" * 9).encode("utf-16-le"))
    with pytest.raises(InputError, match="--level byte, and this looks like --encoding utf-16-le"):
        list(read_text(wide, has_level=True))


def test_nul_is_found_where_it_is_the_first():
    assert "holds NUL in line 1" in problem(b"\0a\n")


def test_binary_that_is_no_utf_8_either_is_not_taken_for_latin_1():
    assert problem(b"\x89PNG\r\n\x1a\n\0\0") == (
        "text.txt is binary: it holds byte 0x89 at offset 0 (line 1), which is not UTF-8, and NUL; "
        "a text takes its --encoding"
    )


def test_an_encoding_that_names_no_place_has_one_line_too():
    assert problem(b"x", "undefined") == (
        "text.txt is not UNDEFINED after line 0: undefined encoding; name its true --encoding"
    )


def test_half_a_pair_that_an_encoding_lets_pass_is_refused():
    assert "half a surrogate pair in line 2" in problem(rb"a\n\ud83d", "unicode_escape")


@pytest.mark.parametrize("name", ["utf8x", "base64", "rot13", "", "utf-8\0", "é", "hex", "zlib"])
def test_an_encoding_that_is_none_is_refused_before_anything_is_read(name):
    with pytest.raises(RequestError, match="is no encoding of text: "):
        read_text("nowhere.txt", name)


def test_a_misspelt_encoding_gets_a_suggestion():
    with pytest.raises(RequestError, match=r"'latin1x' is no encoding.*did you mean 'latin-1'"):
        read_text("nowhere.txt", "latin1x")


@pytest.mark.parametrize("name", ["UTF8", "Latin1", "utf_16", "cp1252", "L1"])
def test_every_spelling_of_an_encoding_is_known(name):
    assert "".join(read_text(io.BytesIO("a\n".encode(name)), name)) == "a\n"


def test_nothing_is_nothing():
    assert read(b"") == read("\ufeff".encode()) == ""


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
    monkeypatch.setattr(texts, "CHUNK", 4)
    for name, size in (("a", 6), ("b", 3)):
        (tmp_path / name).write_bytes(b"x" * size)
    told = []
    list(read_bytes([tmp_path / "a", tmp_path / "b"], lambda *both: told.append(both)))
    assert told == [(4, 9), (6, 9), (9, 9)]
    told.clear()
    list(read_bytes([tmp_path / "a", io.BytesIO(b"xyz")], lambda *both: told.append(both)))
    assert told == [(4, 0), (6, 0), (9, 0)]

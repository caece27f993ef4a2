"""Decoding: what changes nothing, and the place of what is wrong."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntool.datasets.texts import sources
from cnntool.datasets.texts.text import read_text
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
    monkeypatch.setattr(sources, "CHUNK", request.param)
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
def test_a_mark_within_the_text_stays():
    assert read("a\ufeffb\n".encode()) == "a\ufeffb\n"


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
    assert problem(data) == (
        "text.txt: byte 0xff at offset 12 (line 4) is not UTF-8: name its encoding, such as "
        "--encoding latin-1"
    )


@pytest.mark.usefixtures("chunk")
def test_a_character_that_is_cut_short_is_found_where_it_begins():
    assert "byte 0xe6 at offset 3 (line 2) is not UTF-8" in problem(b"ab\n\xe6\xbc")
    assert "byte 0xe6 at offset 0 (line 1) is not UTF-8" in problem(b"\xe6\xbcab")


def test_a_surrogate_in_utf_8_is_no_character():
    assert "byte 0xed at offset 1 (line 1)" in problem(b"a\xed\xa0\xbd")


@pytest.mark.usefixtures("chunk")
def test_other_encodings_have_the_same_message():
    assert problem(b"a\nb\x80", "ascii") == (
        "text.txt: byte 0x80 at offset 3 (line 2) is not ASCII: name its true --encoding, or mend "
        "the file"
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
    before = sources.CHUNK
    sources.CHUNK = size
    try:
        if whole is None:
            expected = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
            expected += "\n" * (expected != "" and expected[-1] != "\n")
            assert read(data) == expected
        elif whole.start or data[:2] not in (b"\xff\xfe", b"\xfe\xff"):
            valid = data[: whole.start].decode().replace("\r\n", "\n").replace("\r", "\n")
            place = f"0x{data[whole.start]:02x} at offset {whole.start} "
            assert place + f"(line {valid.count(chr(10)) + 1})" in problem(data)
        else:
            problem(data)
    finally:
        sources.CHUNK = before


def test_utf_16_is_recognized_by_its_mark():
    assert problem("text".encode("utf-16")) == (
        "text.txt is UTF-16, not UTF-8: set --encoding utf-16"
    )


def test_binary_is_no_text():
    assert problem(b"PK\n\0\1") == (
        "text.txt holds NUL in line 2, which text never does: a binary file takes --level byte, "
        "UTF-16 takes --encoding utf-16-le"
    )


def test_nul_is_found_where_it_is_the_first():
    assert "holds NUL in line 1" in problem(b"\0a\n")


def test_binary_that_is_no_utf_8_either_is_not_taken_for_latin_1():
    assert problem(b"\x89PNG\r\n\x1a\n\0\0") == (
        "text.txt is binary: it holds byte 0x89 at offset 0 (line 1), which is not UTF-8, and NUL; "
        "a binary file takes --level byte, a text its --encoding"
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

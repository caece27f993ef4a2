"""Numbers from text: every usual layout, whatever the cut, and errors that name the line."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntool.errors import InputError, RequestError
from cnntool.files import signal_text
from cnntool.files.npy import header_bytes
from cnntool.files.signal_text import header_of, text_of
from cnntool.files.signals import open_signal


def read(data: bytes | str, *columns: str, **settings):
    data = data if isinstance(data, bytes) else data.encode()
    return open_signal(io.BytesIO(data), "in", columns, **settings)


def values(data: bytes | str, *columns: str) -> list[list[float]]:
    """Each channel as a list."""
    return np.concatenate(list(read(data, *columns).blocks), axis=1).tolist()


def message_of(data: bytes | str, *columns: str, error=InputError) -> str:
    with pytest.raises(error) as raised:
        values(data, *columns)
    message = str(raised.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    "data",
    [
        "1\n2.5\n-3e2\n",
        "1\n2.5\n-3e2",
        "1\r\n2.5\r\n-3e2\r\n",
        "1\r2.5\r-3e2\r",
        b"\xef\xbb\xbf1\n2.5\n-3e2\n",
        "\n1\n\n  2.5  \n\n-3e2\n\n",
        "# a comment\n1\n# another\n2.5\n-3e2\n",
        "speed\n1\n2.5\n-3e2\n",
        "speed in m/s, more or less\n1\n2.5\n-3e2\n",
        "1 2.5 -3e2\n",
        "1,2.5,-3e2",
        "1;2.5;-3e2",
        "1\t2.5\t-3e2",
    ],
)
def test_numbers_stand_one_a_line_or_all_in_one(data):
    assert values(data) == [[1, 2.5, -300]]


def test_a_quoted_name_may_be_very_long():
    name = "x" * 200_000
    signal = read(f'"{name}",b\n1,2\n3,4\n')
    assert signal.columns == (name, "b")


@pytest.mark.parametrize("delimiter", [",", ", ", ";", "\t", " ", "   "])
def test_columns_are_channels(delimiter):
    lines = [["1", "2"], ["3", "4"], ["5", "6"]]
    data = "\n".join(delimiter.join(line) for line in lines)
    assert values(data) == [[1, 3, 5], [2, 4, 6]]


TABLE = 'date,"wind, north",2\n2024-01-01,1.5,7\n"2024-01-02","2.5",8\n'


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["wind, north"], [[1.5, 2.5]]),
        (["2"], [[7, 8]]),  # a name goes before a number
        (["3"], [[7, 8]]),
        (["3", "wind, north"], [[7, 8], [1.5, 2.5]]),
    ],
)
def test_columns_are_chosen_by_name_or_number(columns, expected):
    assert values(TABLE, *columns) == expected


@pytest.mark.parametrize("data", ["1 2\n3 4\n", header_bytes((1, 2), "<f8") + bytes(16)])
@pytest.mark.parametrize("number", ["0", "3", "-1", "1.0", "²", "9" * 5000])
def test_a_column_that_is_not_there_is_refused(data, number):
    assert f"--column {number}" in message_of(data, number, error=RequestError)


def test_the_header_names_what_is_read():
    assert read(TABLE, "wind, north").columns == ("wind, north",)
    assert read("a b\n1 2\n").columns == ("a", "b")
    assert read("1 2\n3 4\n").columns == ()


@given(
    numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=40),
    chunk=st.integers(1, 30),
    live=st.booleans(),
    ending=st.sampled_from(["\n", "\r\n", "\n\n"]),
)
def test_no_cut_of_the_bytes_changes_a_number(numbers, chunk, live, ending):
    data = "".join(repr(number) + ending for number in numbers)
    before, signal_text.CHUNK = signal_text.CHUNK, chunk
    try:
        blocks = list(read(data, live=live).blocks)
    finally:
        signal_text.CHUNK = before
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1)[0], numbers)


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        ("1\n2\nabc\n4\n", ["in line 3: 'abc' is not a number", "one number a line"]),
        ("# one\n\n1\n2\n\nabc\n", ["in line 6: 'abc'"]),
        ("x\n1\n1_000\n", ["in line 3: '1_000' is not a number"]),
        ("abc\n", ["in line 1: 'abc' is not a number"]),
        ("x\ny\n", ["in line 2: 'y' is not a number"]),
        ("1\nnan\n", ["in line 2: 'nan' is no number: fill it in"]),
        ("1\n-inf\n", ["in line 2: '-inf' is not a finite number"]),
        ("1\n1e999\n", ["in line 2: '1e999' is not a finite number"]),
        ("1\n2 3\n", ["in line 2 has 2 columns, the first line has 1"]),
        ("1,2\n3\n", ["in line 2 has 1 column, the first line has 2"]),
        ("1,2\n3,\n", ["in line 2, column 2: there is no number: fill it in"]),
        ("t,v\n1,2\n3,x\n", ["in line 3, column 2 (v): 'x' is not a number", "--column"]),
        ("1 2\n3 4\n5 2,5\n", ["in line 3, column 2: '2,5'", "decimal comma"]),
        ("1.234,5;1\n2;3\n", ["'1.234,5' is not a number"]),
        ("2024-01-01,5\n2024-01-02,6\n", ["line 1, column 1: '2024-01-01'", "--column"]),
        ("a,b,c\n1,2\n", ["3 names in its first line, and 2 columns"]),
        ("", ["in is empty"]),
        ("\n \n# nothing\n", ["in is empty"]),
        ("a,b\n", ["in line 1"]),
        (b"1\n2\n\0\1\2\n" + bytes(300), ["neither text nor .npy nor WAV"]),
        ("1\n2\n".encode("utf-16"), ["UTF-16", "iconv -f UTF-16 -t UTF-8 in"]),
        ("1\n2\n".encode("utf-16-le"), ["UTF-16LE", "iconv -f UTF-16LE -t UTF-8 in"]),
        ("t\n2\n".encode("utf-16-be"), ["UTF-16BE", "iconv -f UTF-16BE -t UTF-8 in"]),
        (b"1\n\xff\xfe\n", ["in line 2: "]),
    ],
)
def test_mistakes_are_named_with_their_line(data, parts):
    message = message_of(data)
    for part in parts:
        assert part in message


@pytest.mark.parametrize("gap", ["", "NA", "n/a", "NaN", "null", "None", "-", "?", '""'])
@pytest.mark.parametrize("columns", [(), ("temperature",), ("2",)])
def test_a_gap_is_to_be_filled_in_and_not_left_out(gap, columns):
    message = message_of(f"time,temperature\n0,20\n1,{gap}\n2,22\n", *columns)
    assert "in line 3, column 2 (temperature): " in message
    assert "fill it in, for example with the mean of its neighbours" in message
    assert "or leave" not in message
    assert "--column" not in message
    assert ("there is no number" if gap in ("", '""') else f"'{gap}' is no number") in message


@pytest.mark.parametrize("data", ["1\n\n2\n", "t\n1\n2\n\n\n3", "1\n2 \n\n# more\n3\n"])
def test_blank_lines_between_numbers_are_remarked_on(data):
    signal = read(data)
    assert sum(block.size for block in signal.blocks) == data.count("1") + data.count("2") + (
        "3" in data
    )
    (remark,) = signal.remarks
    assert "in has blank lines between its numbers, which are passed over" in remark


@pytest.mark.parametrize(
    "data", ["\n1\n2\n\n", "# c\n\n1\n2\n", "1\n# c\n2\n", "1,2.5\n\n3,4\n", "t\n\n1\n2\n"]
)
def test_other_blank_lines_are_not(data):
    signal = read(data)
    list(signal.blocks)
    assert signal.remarks == []


@pytest.mark.parametrize(
    ("data", "columns"),
    [
        ("1,5;2\n-3,25;4,5e2\n", [[1.5, -3.25], [2, 450]]),
        ("a, b;c\n1,5;2\n", [[1.5], [2]]),
        ("1\t2\n3\t4,5\n", [[1, 3], [2, 4.5]]),
        ("1,5 2,5\n3,5 4\n", [[1.5, 3.5], [2.5, 4]]),
        ("speed\n1,5\n2,5\n", [[1.5, 2.5]]),
        ("1,5;2,5;3", [[1.5, 2.5, 3]]),
        ("0 1,5\n1 2,5\n2 3\n", [[0, 1, 2], [1.5, 2.5, 3]]),
        ("1,5 2,5\n2 3\n", [[1.5, 2], [2.5, 3]]),
        ("t v\n0 1,5\n1 2\n", [[0, 1], [1.5, 2]]),
    ],
)
def test_commas_are_decimal_points_where_something_else_parts_columns(data, columns):
    assert values(data) == columns
    signal = read(data)
    list(signal.blocks)
    assert signal.remarks == ["in: decimal commas are read as points"]


def test_two_columns_that_may_be_one_of_decimal_commas_are_remarked_on(monkeypatch):
    monkeypatch.setattr(signal_text, "CHUNK", 8)
    signal = read("1,5\n2,7\n3,9\n4,1\n")
    assert np.concatenate(list(signal.blocks), axis=1).tolist() == [[1, 2, 3, 4], [5, 7, 9, 1]]
    (remark,) = signal.remarks
    assert remark.startswith("in: commas are taken to part two columns")
    assert remark.endswith("tr , . < in")
    for clear in ("1,5\n2,7\n3.5,9\n", "1,5\n2,7\n3,-9\n", "a,b\n1,5\n", "1,5,2\n", "1, 5\n2,7\n"):
        signal = read(clear)
        list(signal.blocks)
        assert signal.remarks == [], clear


@pytest.mark.parametrize(
    ("lines", "words"), [("1,5;2\n", "decimal commas are read"), ("1\n\n", "has blank lines")]
)
def test_what_is_so_everywhere_is_remarked_on_once(lines, words, monkeypatch):
    monkeypatch.setattr(signal_text, "CHUNK", 8)
    signal = read(lines * 9)
    assert len(list(signal.blocks)) > 1
    (remark,) = signal.remarks
    assert words in remark


def test_spaces_beside_commas_part_no_columns():
    assert values("1,2 ,3\n4,5 ,6\n") == [[1, 4], [2, 5], [3, 6]]
    assert values("1, 2,5\n3, 4,6\n") == [[1, 3], [2, 4], [5, 6]]


def test_a_column_that_was_named_is_not_advised_to_be():
    table = "city,t\nBonn,20\nParis,21\n"
    assert message_of(table).endswith("--column chooses the columns to read")
    assert message_of(table, "city").endswith("correct it, or name another --column")


@pytest.mark.parametrize("line", ["b,1,5,7", "b,7", 'b,"x","y",7'])
def test_columns_that_are_not_asked_for_still_have_to_be_there(line):
    message = message_of(f"a,b,c\na,1,6\n{line}\n", "2")
    cells = line.count(",") + 1
    assert f"in line 3 has {cells} columns, the first line has 3" in message


def test_words_after_the_columns_of_a_log_may_be_any_number():
    log = "10:00 20.5 all is well\n10:01 20.7 rain\n10:02 21\n"
    assert values(log, "2") == [[20.5, 20.7, 21]]
    assert "in line 2 has 1 column" in message_of("10:00 20.5 well\n10:01\n", "2")


def test_a_mistake_far_down_is_named_with_its_line():
    lines = [str(number) for number in range(100_000)]
    lines[76_543] = "oops"
    assert "line 76544: 'oops'" in message_of("\n".join(lines))
    lines[76_543] = "1 2"
    assert "line 76544 has 2 columns" in message_of("\n".join(lines))


@pytest.mark.parametrize("chunk", range(1, 12))
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_no_cut_of_the_bytes_changes_the_count_of_lines(monkeypatch, chunk, ending):
    monkeypatch.setattr(signal_text, "CHUNK", chunk)
    assert "in line 5: 'abc'" in message_of(ending.join(["12", "34", "", "56", "abc", "7"]))


def test_a_quoted_cell_may_be_longer_than_the_csv_module_likes():
    cell = '"' + "a" * 200_000 + '"'
    assert values(f"{cell},b\n1,2\n", "b") == [[2]]
    assert values(f"a,b\n{cell},2\n", "b") == [[2]]
    assert len(message_of(f"a,b\n1,2\n{cell},2\n")) < 200


def test_a_line_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(signal_text, "LONGEST_LINE", 1000)
    monkeypatch.setattr(signal_text, "CHUNK", 100)
    assert "a line of more than 1,000 bytes" in message_of("1 " * 1000)


def test_missing_columns_are_named_beside_those_there_are():
    message = message_of("t,v\n1,2\n", "w", error=RequestError)
    assert "--column w" in message
    assert "its columns are t, v" in message
    assert "from 1 to 2" in message_of("1,2\n3,4\n", "3", error=RequestError)
    assert "only column 1" in message_of("1\n2\n", "0", error=RequestError)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (3.0000000000000004, "3"),
        (0.1 + 0.2, "0.3"),
        (1 / 3, "0.333333333333"),
        (-0.0, "0"),
        (1e-20, "1e-20"),
        (1700000000123456.0, "1700000000123456"),
        (1700000000123.5, "1.70000000012e+12"),
        (1e300, "1e+300"),
    ],
)
def test_numbers_are_short_and_whole_ones_whole(number, shown):
    assert text_of(np.array([[number]]), 12) == f"{shown}\n".encode()
    assert text_of(np.array([[number, 0.5]]), 12) == f"{shown}\n0.5\n".encode()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_seventeen_digits_read_back_exactly(numbers):
    lines = text_of(np.array([numbers]), 17).decode().split()
    assert [float(line) for line in lines] == numbers


def test_channels_become_columns():
    assert text_of(np.array([[1, 2], [0.5, -4]]), 12) == b"1,0.5\n2,-4\n"
    assert header_of(["t", "wind, north"]) == b't,"wind, north"\n'


@pytest.mark.parametrize("mistyped", ["1.2.3", "0x10", "-1/3", "1_0", ".5.", "2x.1"])
def test_a_mistyped_first_number_is_no_name_of_a_column(mistyped):
    assert repr(mistyped) in message_of(f"{mistyped}\n5\n6\n")
    assert values(f"t{mistyped}\n5\n6\n") == [[5, 6]]
    assert values("2m temperature\n5\n6\n") == [[5, 6]]


class Pipe(io.RawIOBase):
    """Gives what it holds write by write, and counts."""

    def __init__(self, *writes):
        self.writes, self.given = writes, 0

    def readable(self):
        return True

    def readinto(self, room):
        write = self.writes[self.given] if self.given < len(self.writes) else b""
        self.given += 1
        room[: len(write)] = write
        return len(write)


def test_live_numbers_are_passed_on_one_by_one():
    pipe = Pipe(b"0\n", b"1\n", b"2\n")
    blocks = open_signal(io.BufferedReader(pipe), "in", live=True).blocks
    for number in range(3):
        assert next(blocks).tolist() == [[number]]
        assert pipe.given == number + 1


@pytest.mark.parametrize(
    "writes",
    [
        (b"\xef\xbb\xbf", b"1\n", b"2\n"),
        (b"\xef\xbb", b"\xbf1\n", b"2\n"),
        (b"\xef", b"\xbb", b"\xbf", b"1", b"\n", b"2"),
        (b"1\n", b"2\n"),
    ],
)
def test_a_byte_order_mark_may_come_in_pieces(writes):
    signal = open_signal(io.BufferedReader(Pipe(*writes)), "in", live=True)
    assert np.concatenate(list(signal.blocks), axis=1).tolist() == [[1, 2]]
    assert signal.columns == ()


def test_a_live_header_waits_for_its_numbers():
    signal = open_signal(io.BufferedReader(Pipe(b"t\n", b"1\n")), "in", live=True)
    assert (signal.columns, next(signal.blocks).tolist()) == (("t",), [[1]])


def test_a_line_that_begins_like_another_format_does_not_wait_for_more():
    pipe = Pipe(b"R\n", b"1\n", b"2\n")
    signal = open_signal(io.BufferedReader(pipe), "in", live=True)
    assert (next(signal.blocks).tolist(), signal.columns, pipe.given) == ([[1]], ("R",), 2)


@pytest.mark.parametrize("length", range(1, 6))
def test_a_cut_off_npy_is_cut_short(length):
    assert "is cut short" in message_of(b"\x93NUMPY"[:length])


def test_a_zero_byte_anywhere_is_no_text():
    assert "neither text nor" in message_of("1\n" * 20 + "\0\n")

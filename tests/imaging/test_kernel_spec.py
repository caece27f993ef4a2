"""What may be typed for a kernel, and the one line that answers each mistake."""

import io
import json
import os
import zipfile
from pathlib import Path
from threading import Thread
from time import process_time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal

from cnntool.errors import InputError, RequestError
from cnntool.imaging import kernel_files
from cnntool.imaging.kernels import CATALOGUE, build, parse_kernel

SOBEL = [[1, 0, -1], [2, 0, -2], [1, 0, -1]]
NO_NUMBER = "is not a number: write 0.5, -1e-3 or a fraction such as 1/9"

matrices = st.tuples(st.integers(1, 5), st.integers(1, 5)).flatmap(
    lambda size: arrays(np.float64, size, elements=st.floats(-1e12, 1e12))
)


def message_of(spec: str, kind: type[ValueError] = RequestError, **overrides: float) -> str:
    with pytest.raises(kind) as raised:
        parse_kernel(spec, **overrides)
    message = str(raised.value)
    assert "\n" not in message
    return message


def assert_filter_or_one_line(spec: str) -> None:
    message = "no error"
    try:
        assert np.isfinite(parse_kernel(spec).bank).all()
    except (InputError, RequestError) as error:
        message = str(error)
    assert len(message.splitlines()) == 1


def npy_bytes(array: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


# Names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_name_alone_is_the_catalogue_kernel(name):
    assert_array_equal(parse_kernel(name).bank, build(name).bank)
    assert parse_kernel(f" {name}\n").label == name


@pytest.mark.parametrize(
    ("spec", "name", "parameters"),
    [
        ("gaussian:sigma=2", "gaussian", {"sigma": 2}),
        ("gaussian:size=9,sigma=1.5", "gaussian", {"size": 9, "sigma": 1.5}),
        (" gaussian : sigma = 1/2 , size=3 ", "gaussian", {"sigma": 0.5, "size": 3}),
        ("motion:length=5,angle=-3e1", "motion", {"length": 5, "angle": -30}),
    ],
)
def test_a_name_takes_parameters(spec, name, parameters):
    parsed, built = parse_kernel(spec), build(name, **parameters)
    assert_array_equal(parsed.bank, built.bank)
    assert (parsed.label, parsed.spec) == (built.label, built.spec)


def test_overrides_are_parameters_and_none_is_not_given():
    parsed = parse_kernel("gaussian:sigma=2", size=5, sigma=None, angle=None)
    assert parsed.spec == "gaussian:sigma=2,size=5"
    assert parse_kernel("1 2", size=None).label == "kernel1x2"


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_spec_of_a_filter_builds_it_again(name):
    entry = CATALOGUE[name]
    values = {p.name: (p.choices or [p.minimum + 1.7])[-1] for p in entry.parameters}
    values = {p.name: p.kind(values[p.name]) for p in entry.parameters}
    filter = build(name, **values)
    again = parse_kernel(filter.spec)
    assert_array_equal(again.bank, filter.bank)
    assert (again.label, again.spec) == (filter.label, filter.spec)


@pytest.mark.parametrize(
    ("spec", "overrides", "message"),
    [
        ("gausian:sigma=2", {}, "unknown kernel 'gausian': did you mean 'gaussian'? "
         "'cnntool kernels' lists them all"),
        ("horizontal_line", {}, "unknown kernel 'horizontal_line': did you mean 'horizontal-line'? "
         "'cnntool kernels' lists them all"),
        ("model.npz:conv1/7", {}, "unknown kernel 'model.npz:conv1/7': give a name that 'cnntool "
         "kernels' lists, a matrix such as '1 0 -1; 2 0 -2; 1 0 -1', or a file (.txt, .csv, "
         ".json, .npy)"),
        ("https://a.org/k?x=1&y", {}, "'https://a.org/k?x=1&y' is an address: curl -LO "
         "'https://a.org/k?x=1&y' fetches what is there, to name here"),
        ("sobel:size=3", {}, "sobel takes no parameters, and 'size' was given: write just 'sobel'"),
        ("sobel", {"size": 3},
         "sobel takes no parameters, and 'size' was given: write just 'sobel'"),
        ("gaussian", {"angle": 30}, "gaussian has no parameter 'angle': it takes sigma and size"),
        ("gaussian:sgma=3", {},
         "gaussian has no parameter 'sgma': did you mean 'sigma'? it takes sigma and size"),
        ("gaussian:sigma=2", {"sigma": 3.5}, "gaussian: sigma is given twice, as 2 in the kernel "
         "and as 3.5 beside it: keep one"),
        ("gaussian:sigma=2,sigma=2", {},
         "gaussian: sigma is given twice in 'gaussian:sigma=2,sigma=2': keep one"),
        ("gaussian:2", {}, "'2' in 'gaussian:2' is no setting: write 'gaussian:sigma=NUMBER', "
         "a number from 0.01 to 250"),
        ("gaussian:sigma=", {},
         "'sigma=' in 'gaussian:sigma=' is no setting: write 'gaussian:sigma=NUMBER', "
         "a number from 0.01 to 250"),
        ("gaussian:", {}, "'' in 'gaussian:' is no setting: write 'gaussian:sigma=NUMBER', "
         "a number from 0.01 to 250"),
        ("sobel:", {}, "'' in 'sobel:' is no setting: write just 'sobel'"),
        ("gaussian:sigma=wide", {}, f"gaussian: sigma, 'wide', {NO_NUMBER}"),
        ("gaussian:sigma=nan", {}, "gaussian: sigma is 'nan': it must be a finite number"),
        ("gaussian:sigma=1e999", {}, "gaussian: sigma is 'inf', but must be a number from 0.01 to "
         "250: for example gaussian:sigma=1"),
        ("box:size=2.5", {},
         "box: size is 2.5, but must be a whole number from 1 to 2047: for example box:size=3"),
    ],
)  # fmt: skip
def test_error_of_a_name(spec, overrides, message):
    assert message_of(spec, **overrides) == message


# Matrices ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec",
    [
        "1 0 -1; 2 0 -2; 1 0 -1",
        "1,0,-1;2,0,-2;1,0,-1",
        " 1 , 0 , -1 ;\n 2\t0 -2 ;\n+1 .0 -1.;",
        "1 0 -1\n2 0 -2\n\n1 0 -1\n",
        "1 0 -1\r\n2 0 -2\r\n1 0 -1",
        "10e-1 0e5 −1; 4/2 0/3 -4 / 2; 1/1 0 1/-1",
        "[1 0 -1; 2 0 -2; 1 0 -1]",
        "[1 0 -1; 2 0 -2; 1 0 -1];",
        " [1, 0, -1\n 2, 0, -2\n 1, 0, -1] ",
        "3x3: 1,0,-1 2,0,-2 1,0,-1",
        "3: 1 0 -1, 2 0 -2, 1 0 -1",
        "3x3+1+1 :\n1 0 -1\n2 0 -2\n1 0 -1",
        "[[1, 0, -1], [2, 0, -2], [1, 0, -1]]",
        '{"kernel": [[1, 0, -1], [2, 0, -2], [1, 0, -1]]}',
    ],
)
def test_a_matrix_is_read_in_every_notation(spec):
    filter = parse_kernel(spec)
    assert_array_equal(filter.bank, [SOBEL])
    assert (filter.label, filter.names, filter.combine) == ("kernel3x3", ("kernel3x3",), "none")
    assert filter.spec == "1 0 -1; 2 0 -2; 1 0 -1"


def test_a_matrix_may_be_of_any_shape_and_even():
    assert parse_kernel("7").bank.shape == (1, 1, 1)
    assert parse_kernel("1 2 3 4").bank.shape == (1, 1, 4)
    assert parse_kernel("-1;1").label == "kernel2x1"
    assert parse_kernel(".5 .5; 1/3 1e-3").bank.tolist() == [[[0.5, 0.5], [1 / 3, 0.001]]]


@given(matrices, st.sampled_from([" ", ",", ", ", "  ,"]), st.sampled_from([";", "; ", "\n"]))
def test_a_matrix_comes_back_exactly_and_so_does_its_spec(matrix, between, after):
    text = after.join(between.join(repr(float(value)) for value in row) for row in matrix)
    filter = parse_kernel(text)
    assert_array_equal(filter.bank, matrix[None])
    assert filter.label == f"kernel{matrix.shape[0]}x{matrix.shape[1]}"
    assert_array_equal(parse_kernel(filter.spec).bank, filter.bank)


@given(st.text(max_size=30))
def test_whatever_is_typed_gives_a_filter_or_one_line(spec):
    assert_filter_or_one_line(spec)


@example("-\n")
@given(st.text(alphabet="0123456789.,;/eE+- \nnaif[]:x", max_size=30))
def test_whatever_looks_like_a_matrix_gives_a_filter_or_one_line(spec):
    assert_filter_or_one_line(spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("1 0 -1; 2 0", "kernel row 2 has 2 numbers, row 1 has 3: every row needs the same count"),
        ("1 0; 3; 2 0", "kernel row 2 has 1 number, row 1 has 2: every row needs the same count"),
        ("", "the kernel is empty: give a name such as sobel, a matrix such as "
         "'1 0 -1; 2 0 -2; 1 0 -1', or a file"),
        (" \n ", "the kernel is empty: give a name such as sobel, a matrix such as "
         "'1 0 -1; 2 0 -2; 1 0 -1', or a file"),
        (";", "kernel has no numbers: give at least one, as in '1 0 -1'"),
        ("1 0;; 0 1", "kernel row 2 is empty: put numbers in it, or take out a ';'"),
        ("1 0 x; 1 2 3", f"kernel row 1 number 3, 'x', {NO_NUMBER}"),
        ("1 2; 3 0x10", f"kernel row 2 number 2, '0x10', {NO_NUMBER}"),
        ("1_000", f"kernel row 1 number 1, '1_000', {NO_NUMBER}"),
        ("1/2/3", f"kernel row 1 number 1, '1/2/3', {NO_NUMBER}"),
        ("3x3", f"kernel row 1 number 1, '3x3', {NO_NUMBER}"),
        ("1,,2", "kernel row 1 number 2 is missing: put one number between two commas"),
        ("1 2; 3 nan", "kernel row 2 number 2 is 'nan': it must be a finite number"),
        ("-inf 1", "kernel row 1 number 1 is '-inf': it must be a finite number"),
        ("1 1e999", "kernel row 1 number 2 is inf: it must be a finite number"),
        ("1 2e12", "kernel row 1 number 2 is 2e+12: it must be at most 1e+12 in size"),
        ("1/0", "kernel row 1 number 1, '1/0', divides by zero: use another denominator"),
        ("1 0/0.0", "kernel row 1 number 2, '0/0.0', divides by zero: use another denominator"),
        ("1 " * 2048, "kernel row 1 has more than 2047 numbers: use a smaller one"),
        ("1;" * 2048, "kernel has more than 2047 rows: use a smaller one"),
        ("3x3: 1 2 3", "kernel has 3 numbers, and 3 wide and 3 high it needs 9: give them row by "
         "row"),
        ("3x1+0+0: 1 2 3", "kernel has its anchor at +0+0, and here it is always in the middle: "
         "leave it out, and put zeros around the weights until the anchor is"),
        ("0x3:", "kernel has no numbers: give at least one, as in '1 0 -1'"),
        ("2x2: 1 - 3 4", f"kernel number 2, '-', {NO_NUMBER}"),
        ("9999x1: 1", "kernel is 1x9999: at most 2047 are allowed on a side, use a smaller one"),
        ("[1 0 -1; 2 0]", "kernel row 2 has 2 numbers, row 1 has 3: every row needs the same "
         "count"),
        ("[]", "kernel has no numbers: give at least one, as in '1 0 -1'"),
        ("[[1 0] [2 3]]", "kernel is not valid JSON (Expecting ',' delimiter, line 1 column 5): "
         "write nested lists such as [[1, 0, -1], [2, 0, -2], [1, 0, -1]]"),
    ],
)  # fmt: skip
def test_error_of_a_matrix(spec, message):
    assert message_of(spec) == message


def test_an_override_does_not_apply_to_a_matrix_or_a_file(tmp_path):
    end = "leave it out, or use a named kernel such as gaussian"
    path = tmp_path / "k.txt"
    path.write_text("1 2")
    for spec, kind in (("1 2", "matrix"), (str(path), "file")):
        message = message_of(spec, size=3)
        assert message == f"size=3 does not apply to a kernel given as a {kind}: {end}"


# Files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("k.txt", b"1 0 -1\n2 0 -2\n1 0 -1\n"),
        ("k.txt", b"1 0 -1; 2 0 -2; 1 0 -1"),
        ("k.TXT", b"\xef\xbb\xbf# sobel\r\n1 0 -1 # top\r\n\r\n4/2 0 -2\r\n1 0 -1\r\n"),
        ("k.csv", b"1,0,-1\n2, 0, -2\n1,0,-1"),
        ("k.csv", "# größe\n1,0,-1\n2,0,-2\n1,0,-1".encode("utf-8-sig")),
        ("k.json", json.dumps(SOBEL).encode()),
        ("k.json", json.dumps({"name": "sobel", "kernel": SOBEL}).encode("utf-8-sig")),
        ("k.json", json.dumps([SOBEL]).encode()),
        ("k.npy", npy_bytes(np.array(SOBEL))),
        ("k.npy", npy_bytes(np.array(SOBEL, dtype=">f4"))),
        ("k.npy", npy_bytes(np.asfortranarray(SOBEL).astype(np.float16))),
        ("k.npy", npy_bytes(np.array([SOBEL], dtype=np.int8))),
    ],
)
def test_a_file_of_each_kind_is_read(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    filter = parse_kernel(str(path))
    assert_array_equal(filter.bank, [SOBEL])
    assert (filter.label, filter.names, filter.combine) == ("k", ("k",), "none")
    assert filter.spec == str(path)


def test_a_path_may_have_spaces_colons_and_letters_of_any_alphabet(tmp_path):
    for name in ("my kernel; 1.txt", "gaußsche Störung.txt", "C：k.txt"):
        (tmp_path / name).write_text("1 2 3")
        assert parse_kernel(str(tmp_path / name)).label == name.removesuffix(".txt")


def test_a_windows_path_is_taken_for_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = "C:\\kernels\\mine.txt"
    try:
        Path(spec).write_text("1 2 3")
    except OSError:
        pytest.skip("this name cannot be written here")
    assert_array_equal(parse_kernel(spec).bank, [[[1, 2, 3]]])


def test_one_row_in_json_and_npy_is_a_kernel_of_one_row(tmp_path):
    (tmp_path / "k.json").write_text("[1, 2.5, 3]")
    np.save(tmp_path / "k.npy", np.array([True, False, True]))
    assert parse_kernel(str(tmp_path / "k.json")).bank.tolist() == [[[1, 2.5, 3]]]
    assert parse_kernel(str(tmp_path / "k.npy")).bank.tolist() == [[[1, 0, 1]]]


def test_a_three_dimensional_file_is_a_bank_of_feature_maps(tmp_path):
    bank = np.arange(12.0).reshape(3, 2, 2)
    np.save(tmp_path / "k.npy", bank)
    (tmp_path / "k.json").write_text(json.dumps({"kernel": bank.tolist()}))
    for kind in ("npy", "json"):
        filter = parse_kernel(str(tmp_path / f"k.{kind}"))
        assert_array_equal(filter.bank, bank)
        assert (filter.combine, filter.names) == ("none", ("k-1", "k-2", "k-3"))


@settings(max_examples=30)  # of six numbers each, in three files
@given(bank=arrays(np.float64, (2, 3, 2), elements=st.floats(-1e12, 1e12)))
def test_files_carry_every_digit(tmp_path_factory, bank):
    folder = tmp_path_factory.mktemp("kernels")
    np.savetxt(folder / "k.txt", bank[0])
    np.savetxt(folder / "k.csv", bank[0], delimiter=",", header="a bank")
    (folder / "k.json").write_text(json.dumps(bank.tolist()))
    for kind, expected in (("txt", bank[:1]), ("csv", bank[:1]), ("json", bank)):
        assert_array_equal(parse_kernel(str(folder / f"k.{kind}")).bank, expected)


@pytest.mark.parametrize(
    "content",
    [
        b"1 0 -1\n2 0 -2\n1 0 -1\n",
        json.dumps(SOBEL).encode(),
        b"[1 0 -1; 2 0 -2; 1 0 -1]",
        npy_bytes(np.array(SOBEL)),
    ],
)
def test_without_a_name_that_says_it_the_content_says_what_a_kernel_is(tmp_path, content):
    path = tmp_path / "sobel"
    path.write_bytes(content)
    filter = parse_kernel(str(path))
    assert_array_equal(filter.bank, [SOBEL])
    assert filter.label == "sobel"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")
def test_a_pipe_is_a_kernel_named_by_its_size(tmp_path):
    os.mkfifo(tmp_path / "63")
    writer = Thread(target=(tmp_path / "63").write_text, args=("1 0 -1",))
    writer.start()
    filter = parse_kernel(str(tmp_path / "63"))
    writer.join()
    assert_array_equal(filter.bank, [[[1, 0, -1]]])
    assert filter.label == "kernel1x3"


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="a device of POSIX")
@pytest.mark.parametrize("name", ["k.txt", "k.json", "k.npy", "k"])
def test_a_file_without_end_is_refused(tmp_path, name, monkeypatch):
    monkeypatch.setattr(kernel_files, "LARGEST_FILE", 1 << 16)
    (tmp_path / name).symlink_to("/dev/zero")
    assert "is over 65,536 bytes: name a file of kernels" in message_of(str(tmp_path / name))


def test_time_grows_with_the_length_of_a_text_and_no_faster(tmp_path):
    """120,000 blanks take 36 seconds where a pattern begins anew at each."""
    started = process_time()
    for between in (" " * 200_000, "\t" * 200_000, " " * 99_999 + "," + " " * 99_999):
        assert_array_equal(parse_kernel(f"1{between}2").bank, [[[1, 2]]])
    assert "missing" in message_of("1" + " ," * 1000)
    assert "more than 2047 numbers" in message_of("1" + "," * 200_000)
    assert "no numbers" in message_of(";" + " " * 200_000)
    assert "has 0 numbers" in message_of("3" + " " * 200_000 + ":")
    assert "is not a number" in message_of("1" + "/" * 200_000)
    assert "unknown kernel" in message_of("sobel" * 40_000)
    assert "not valid JSON" in message_of("[[" + " " * 200_000)
    assert process_time() - started < 5


# Objects in JSON ---------------------------------------------------------------------------------

ASYMMETRIC = [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("data", "bank", "bias"),
    [
        ({"width": 3, "height": 3, "kernel": [-1, 0, 1, -2, 0, 2, -1, 0, 1], "scale": 8,
          "offset": 128}, np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8, 128),  # as sharp
        ({"size": [3, 3], "kernel": [0, 0, 0, 0, 1, 0, 0, 0, 0], "scale": 1, "offset": 0},
         [[0, 0, 0], [0, 1, 0], [0, 0, 0]], 0),  # as Pillow
        ({"kernel": [[0, 0, 0], [0, 1, 0], [0, 0, 0]], "scale": 8, "offset": 128},
         [[0, 0, 0], [0, 1 / 8, 0], [0, 0, 0]], 128),
        ({"width": 3, "height": 2, "kernel": [1, 2, 3, 4, 5, 6]}, ASYMMETRIC, 0),
        ({"width": 3, "height": 2, "kernel": ASYMMETRIC, "name": "mine"}, ASYMMETRIC, 0),
        ({"size": 2, "kernel": [1, 2, 3, 4], "scale": -0.5}, [[-2, -4], [-6, -8]], 0),
        ({"kernel": [1, 2, 3], "offset": -0.25}, [[1, 2, 3]], -0.25),
    ],
)  # fmt: skip
def test_sizes_scale_and_offset_beside_a_kernel_count(tmp_path, data, bank, bias):
    path = tmp_path / "k.json"
    path.write_text(json.dumps(data))
    for spec in (str(path), json.dumps(data)):
        filter = parse_kernel(spec)
        assert_array_equal(filter.bank, [bank])
        assert filter.bias == bias


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"kernel": SOBEL, "divisor": 8}, "has a key 'divisor', which is not understood: leave it "
         "out, it may have kernel, width, height, size, scale, offset and name"),
        ({"kernel": SOBEL, "scal": 8}, "has a key 'scal', which is not understood: did you mean "
         "'scale'? it may have kernel, width"),
        ({"kernel": SOBEL, "x": 1, "scale": 2}, "has a key 'x', which is not understood"),
        ({"kernels": [], "scale": 2}, "has a key 'scale', which is not understood: leave it out, "
         "it may have kernels, combine, directions, size, anchor, offset, colour and range"),
        ({"kernel": SOBEL, "scale": 0}, "has the scale 0: weights are divided by it, write 1"),
        ({"kernel": SOBEL, "scale": "8"}, 'scale, "8", is not a number'),
        ({"kernel": SOBEL, "scale": 1e-12}, "row 2 number 1 is 2e+12: it must be at most 1e+12"),
        ({"kernel": SOBEL, "offset": [1]}, "offset, [1], is not a number"),
        ({"kernel": SOBEL, "offset": 1e300}, "has the offset 1e+300: expected a finite number"),
        ({"kernel": [1, 2, 3, 4], "width": 3, "height": 1},
         "has 4 numbers, and 3 wide and 1 high it needs 3: give them row by row"),
        ({"kernel": [1, 2, 3], "width": 3},
         'has the size [null, 3]: write both "width" and "height" as whole numbers such as 3'),
        ({"kernel": [1, 2], "width": "2", "height": 1}, 'has the size [1, "2"]: write both'),
        ({"kernel": [1, 2], "size": 1.5}, "has the size 1.5: write both"),
        ({"kernel": [1, 2], "size": True}, "has the size true: write both"),
        ({"kernel": [1, 2, 3, 4, 5, 6], "size": [2, 3]},
         'has the size [2, 3]: write both "width" and "height"'),
        ({"kernel": SOBEL, "size": 3, "width": 3}, "has both a size and a width or height"),
        ({"kernel": ASYMMETRIC, "width": 2, "height": 3},
         "is 2x3, and its size is said to be [3, 2]: correct one of them"),
        ({"kernel": SOBEL, "size": 5}, "is 3x3, and its size is said to be [5, 5]: correct"),
        ({"kernel": None}, "is a list 0 deep"),
        ({"kernels": [SOBEL]}, 'has "kernels" that are none: write [{"name": ..., "matrix"'),
        ({"kernels": [{"name": "a", "matrix": SOBEL}], "anchor": [0, 0]},
         "has its anchor at [0, 0], and here it is always in the middle"),
        ({"kernels": [{"name": "a", "matrix": SOBEL}], "combine": "sum"},
         'has combine "sum": expected "none", "magnitude", "maximum" or "orientation"'),
        ({"kernels": [{"name": "a", "matrix": SOBEL}] * 2}, "has two parts of one name"),
        ({"kernels": [{"name": "a", "matrix": SOBEL}], "directions": [1, 2]},
         "has 2 directions: one a kernel is needed"),
        ({"kernels": [{"name": "a", "matrix": SOBEL}], "size": [3, 5]},
         "is 3x3, and its size is said to be [3, 5]"),
        ({"kernels": [{"name": "a", "matrix": SOBEL}], "colour": True},
         "is for colour with 1 kernel: give three for each"),
    ],
)  # fmt: skip
def test_what_an_object_says_is_understood_or_refused_by_name(tmp_path, data, message):
    path = tmp_path / "k.json"
    path.write_text(json.dumps(data))
    found = message_of(str(path))
    assert found.startswith(f"{str(path)!r}: kernel ")
    assert message in found


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 5) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=9,
)
rows = st.lists(st.lists(st.integers(-2, 2), min_size=1, max_size=3), min_size=1, max_size=3)
parts = st.fixed_dictionaries({"name": values, "matrix": rows | values})


@given(
    st.dictionaries(
        st.sampled_from(["width", "height", "size", "scale", "offset", "name", "combine", "anchor",
                         "directions", "colour", "range"]),
        values,
        max_size=4,
    ),
    st.tuples(st.just("kernel"), rows | values)
    | st.tuples(st.just("kernels"), st.lists(parts, max_size=6) | values),
)  # fmt: skip
def test_whatever_an_object_says_it_is_a_filter_or_one_line(data, kernel):
    assert_filter_or_one_line(json.dumps(data | dict([kernel])))


@pytest.mark.parametrize("combine", ["orientation", "magnitude", "maximum"])
def test_an_object_cannot_combine_what_there_is_not(combine):
    part = {"name": "a", "matrix": SOBEL}
    message = message_of(json.dumps({"kernels": [part], "combine": combine}))
    assert "--combine" in message


def test_a_key_that_stands_twice_is_refused():
    assert "has a key twice" in message_of('{"kernel": [[1]], "scale": 2, "scale": 4}')


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("k.txt", b"1 2\n3", "kernel row 2 has 1 number, row 1 has 2: every row needs"),
        ("k.txt", b"", "kernel has no numbers: give at least one"),
        ("k.txt", b"# only a comment\n", "kernel has no numbers: give at least one"),
        ("k.txt", b"1 2\n\n3 four", f"kernel row 2 number 2, 'four', {NO_NUMBER}"),
        ("k.txt", "1 2".encode("utf-16"), "kernel is not UTF-8 text: save it as UTF-8"),
        ("k.csv", b"1;0;-1\n", "kernel has ';' in it: split the numbers of a .csv by commas"),
        ("k.csv", b"1,2,\n", "kernel row 1 number 3 is missing: put one number between two commas"),
        ("k.csv", b'"1","2"\n', "kernel row 1 number 1, '\"1\"', is not a number: write"),
        ("k.json", b"[[1, 2], [3,", "kernel is not valid JSON (Expecting value, line 1 column 13"),
        ("k.json", b"", "kernel is not valid JSON (Expecting value, line 1 column 1"),
        ("k.json", b"[" * 100_000, "kernel is beyond what JSON can carry"),
        ("k.json", b"[1" + b"0" * 5000 + b"]", "kernel"),
        ("k.json", b"[1" + b"0" * 400 + b"]",
         "kernel row 1 number 1 is inf: it must be a finite number"),
        ("k.json", b"[[1, NaN]]", "kernel row 1 number 2 is nan: it must be a finite number"),
        ("k.json", b"[[1], [Infinity]]", "kernel row 2 number 1 is inf: it must be a finite"),
        ("k.json", b'[[1, "2"]]', "kernel row 1 number 2, \"2\", is not a number: write plain"),
        ("k.json", b"[[1, true]]", "kernel row 1 number 2, true, is not a number: write plain"),
        ("k.json", b"[[1, [2]]]", "kernel row 1 number 2, [2], is not a number: write plain"),
        ("k.json", b"[[1], 2]", "kernel row 2 is 2: write every row as a list"),
        ("k.json", b"[[1, 2], [3]]", "kernel row 2 has 1 number, row 1 has 2: every row needs"),
        ("k.json", b"[[[1, 2]], [[3]]]",
         "kernel 2 is 1x1, the first is 1x2: every kernel needs the same size"),
        ("k.json", b'[[[1]], [["x"]]]', 'kernel 2 row 1 number 1, "x", is not a number: write'),
        ("k.json", b"[[[1]], [[1e31]]]",
         "kernel 2 row 1 number 1 is 1e+31: it must be at most 1e+12 in size"),
        ("k.json", b"[[[1]], [[1], [1, 2]]]", "kernel 2 row 2 has 2 numbers, row 1 has 1: every"),
        ("k.json", b"[[[[1]]]]", "kernel is a list 4 deep: write rows of numbers"),
        ("k.json", b"[]", "kernel has no numbers: give at least one"),
        ("k.json", b"[[], []]", "kernel has no numbers: give at least one"),
        ("k.json", b"3", "kernel is a list 0 deep: write rows of numbers"),
        ("k.json", b'{"weights": [[1]]}', "kernel has no 'kernel' in its object: write {"),
        ("k.npy", b"", "kernel is cut short: the header ends too soon"),
        ("k.npy", npy_bytes(np.ones((2, 2))) + b"x",
         "kernel is damaged: it holds more than the 2 x 2 values its header says"),
        ("k.npy", b"1 2 3 4 5", "kernel is damaged: its .npy header cannot be understood"),
        ("k.npy", npy_bytes(np.array([1j])), "kernel has dtype complex128: save whole or real"),
        ("k.npy", npy_bytes(np.array(["a"])), "kernel has dtype <U1: save whole or real"),
        ("k.npy", npy_bytes(np.array([None])), "kernel has dtype object: save whole or real"),
        ("k.npy", npy_bytes(np.zeros((2, 2, 2, 2))), "kernel has shape (2, 2, 2, 2): save"),
        ("k.npy", npy_bytes(np.array(3.0)), "kernel has shape (): save (kh, kw)"),
        ("k.npy", npy_bytes(np.zeros((0, 3))), "kernel has no numbers: give at least one"),
        ("k.npy", npy_bytes(np.array([1, np.nan])),
         "kernel row 1 number 2 is nan: it must be a finite number"),
        ("k.npy", npy_bytes(np.zeros((1, 2048), bool)),
         "kernel is 1x2048: at most 2047 are allowed on a side, use a smaller one"),
        ("k.npy", npy_bytes(np.zeros((2048, 1, 1), bool)),
         "kernel is 2048x1x1: at most 2047 are allowed on a side, use a smaller one"),
    ],
)  # fmt: skip
def test_error_of_a_file_names_the_file_and_the_place(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    assert message_of(str(path)).startswith(f"{str(path)!r}: {message}")


def test_a_missing_file_a_folder_and_a_file_of_another_kind_are_named(tmp_path):
    missing, folder, other = tmp_path / "no.txt", tmp_path / "folder.csv", tmp_path / "k.png"
    folder.mkdir()
    other.write_bytes(b"\x89PNG\r\n\x1a\n")
    assert message_of(str(missing), InputError) == (
        f"kernel file {str(missing)!r} does not exist: check the path"
    )
    assert message_of(str(folder), InputError).startswith(
        f"kernel file {str(folder)!r} cannot be read ("
    )
    assert message_of(str(other)) == (
        f"{str(other)!r}: kernel is neither numbers as text nor JSON nor .npy: name a file of a "
        "kernel"
    )
    assert message_of("a\0b.txt", InputError).startswith("kernel file 'a\0b.txt' cannot be read (")


def test_an_archive_of_arrays_under_the_name_npy_is_refused(tmp_path):
    path = tmp_path / "k.npy"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", npy_bytes(np.ones((2, 2))))
    assert "is an archive of arrays: save one array with numpy.save" in message_of(str(path))


def test_an_npy_file_cut_at_any_byte_is_refused(tmp_path):
    whole = npy_bytes(np.array(SOBEL, dtype=np.float32))
    path = tmp_path / "k.npy"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert "kernel is cut short: " in message_of(str(path))


@given(st.data())
def test_an_npy_file_with_a_wrong_byte_gives_a_filter_or_one_line(tmp_path_factory, data):
    content = bytearray(npy_bytes(np.array(SOBEL, dtype=np.float32)))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("kernels") / "k.npy"
    path.write_bytes(bytes(content))
    assert_filter_or_one_line(str(path))


def test_an_npy_file_with_an_object_inside_is_never_unpickled(tmp_path):
    path = tmp_path / "k.npy"
    path.write_bytes(npy_bytes(np.array([print], dtype=object), allow_pickle=True))
    assert "kernel has dtype object" in message_of(str(path))

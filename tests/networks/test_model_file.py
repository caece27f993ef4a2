"""The model file: what is saved comes back, and what is broken ends in one line."""

import json
import math
import os
import re
from contextlib import suppress
from dataclasses import asdict, fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnntool import __version__
from cnntool.errors import InputError, RequestError
from cnntool.networks import model_file
from cnntool.networks.array_archive import write_arrays
from cnntool.networks.model_file import (
    FORMAT,
    Header,
    Model,
    load_header,
    load_model,
    save_model,
)

HEADER = Header(
    spec="conv 4 3x3; relu; max 2; dense 10",
    input_shape=(1, 8, 8),
    preprocessing={"channels": 1, "size": [8, 8], "mean": [0.3], "std": [0.4]},
    labels=("zero", "one", "größer"),
    seed=7,
    training={"optimizer": "adam", "rate": 1e-3, "epochs": 2},
    history=({"epoch": 1, "loss": 2.3025850929940455}, {"epoch": 2, "loss": 0.1}),
    fingerprint="0123abcd",
)


def arrays(seed=0):
    rng = np.random.default_rng(seed)
    draw = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    params = {
        "norm10.weight": draw(4),
        "conv2.weight": draw(4, 1, 3, 3),
        "conv2.bias": draw(4),
        "dense1.weight": draw(36, 10),
        "dense1.scale": rng.standard_normal(3),
    }
    state = {
        "adam/conv2.weight/first moment": draw(4, 1, 3, 3),
        "best loss": np.array(np.inf),
        "rng": np.array([2**63, 1], np.uint64),
    }
    buffers = {"norm10.running_mean": draw(4)}
    filters = {epoch: draw(4, 1, 3, 3) for epoch in (0, 2, 10)}
    return {"params": params, "buffers": buffers, "state": state, "filters": filters}


MODEL = Model(HEADER, **arrays())
GROUPS = ("params", "buffers", "state", "filters")


def needs(header):
    """What the architecture of MODEL needs, in its own order."""
    order = ("conv2.weight", "conv2.bias", "norm10.weight", "dense1.weight", "dense1.scale")
    wanted = {f"params/{path}": MODEL.params[path] for path in order}
    wanted["buffers/norm10.running_mean"] = MODEL.buffers["norm10.running_mean"]
    return {name: (array.shape, array.dtype) for name, array in wanted.items()}


def assert_same(model, expected):
    assert model.header == expected.header
    for group in GROUPS:
        found, wanted = getattr(model, group), getattr(expected, group)
        assert found.keys() == wanted.keys()
        for name, array in wanted.items():
            np.testing.assert_array_equal(found[name], array, strict=True)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The bytes of MODEL."""
    path = tmp_path_factory.mktemp("saved") / "model.npz"
    save_model(path, MODEL)
    return path.read_bytes()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A path to overwrite."""
    return tmp_path_factory.mktemp("models") / "model.npz"


def refusal(path, *arguments, **options):
    """The one line with which a file is refused."""
    with pytest.raises(InputError) as raised:
        load_model(path, *arguments, **options)
    return checked_line(raised.value, path)


def checked_line(error, path):
    text = str(error)
    assert text.startswith(f"{path}")
    assert text.isprintable()
    assert len(text) - len(str(path)) < 300
    return text.replace(str(path), "FILE")


def facts():
    """The header of MODEL's file."""
    return {"format": FORMAT, **json.loads(json.dumps(asdict(HEADER))), "arrays": list(named())}


def named():
    """The arrays of MODEL's file but the header."""
    return {
        f"{group}/{name}": array
        for group in GROUPS
        for name, array in getattr(MODEL, group).items()
    }


def contents(header=None, **more):
    """The arrays of MODEL's file; ``more`` replaces some by name, or takes them out by None."""
    held = {name: array for name, array in (named() | more).items() if array is not None}
    text = json.dumps({**facts(), "arrays": list(held)}) if header is None else header
    text = text if isinstance(text, bytes) else text.encode()
    return {"header": np.frombuffer(text, np.uint8), **held}


def write(path, held):
    with open(path, "wb") as file:
        write_arrays(file, held)
    return path


def test_a_model_comes_back_as_it_was(place):
    save_model(place, MODEL, overwrite=True)
    model = load_model(place)
    assert_same(model, MODEL)
    assert list(model.params) == list(MODEL.params)
    assert load_header(place) == HEADER
    assert model.params["conv2.weight"].flags.writeable


def test_a_model_of_parameters_alone_comes_back(place):
    header = replace(HEADER, history=(), training={})
    model = Model(header, MODEL.params)
    save_model(place, model, overwrite=True)
    assert_same(load_model(place), model)


def test_layout_in_memory_does_not_count(place, saved):
    turned = {name: np.asfortranarray(array) for name, array in MODEL.params.items()}
    save_model(place, replace(MODEL, params=turned), overwrite=True)
    assert place.read_bytes() == saved


def test_the_same_model_is_the_same_file_whenever_it_is_saved(place, saved, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    save_model(place, Model(HEADER, **arrays()), overwrite=True)
    assert place.read_bytes() == saved
    save_model(place, Model(HEADER, **arrays(1)), overwrite=True)
    assert place.read_bytes() != saved
    save_model(place, load_model(write(place, contents())), overwrite=True)
    assert place.read_bytes() == saved


def test_with_the_needs_of_a_network_parameters_come_in_its_order(place, saved):
    place.write_bytes(saved)
    model = load_model(place, needs)
    assert [f"params/{path}" for path in model.params] == list(needs(HEADER))[:-1]
    assert_same(model, MODEL)


def test_numbers_of_numpy_and_such_as_are_none_can_stand_in_a_history(place):
    history = ({"epoch": np.int64(1), "loss": np.float32(0.5), "worst": math.inf, "by": (1, 2)},)
    model = replace(MODEL, header=replace(HEADER, history=history, seed=np.int64(3)))
    save_model(place, model, overwrite=True)
    header = load_header(place)
    assert header.history == ({"epoch": 1, "loss": 0.5, "worst": None, "by": [1, 2]},)
    assert header.seed == 3


def test_labels_that_are_no_unicode_come_back(place):
    model = replace(MODEL, header=replace(HEADER, labels=("\udcff", "日本", "a\nb")))
    save_model(place, model, overwrite=True)
    assert load_header(place).labels == ("\udcff", "日本", "a\nb")


def test_every_fact_of_a_header_is_checked():
    assert set(model_file._EXPECTED) == {*(each.name for each in fields(Header)), "arrays"}
    assert HEADER.version == __version__


def test_a_file_that_exists_is_kept_unless_it_may_be_overwritten(place, saved):
    place.write_bytes(b"mine")
    with pytest.raises(InputError, match="exists: -f overwrites it"):
        save_model(place, MODEL)
    assert place.read_bytes() == b"mine"
    save_model(place, MODEL, overwrite=True)
    assert place.read_bytes() == saved


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_save_that_fails_leaves_what_was_there(place, monkeypatch, error):
    def fail(descriptor):
        raise error

    place.write_bytes(b"before")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises((InputError, KeyboardInterrupt)):
        save_model(place, MODEL, overwrite=True)
    assert place.read_bytes() == b"before"
    assert os.listdir(place.parent) == [place.name]


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="no such device here")
def test_a_model_can_be_thrown_away():
    save_model("/dev/null", MODEL)


@pytest.mark.parametrize("group", ["params", "buffers", "filters"])
@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_what_is_not_finite_is_not_saved(place, group, odd):
    damaged = arrays()
    next(iter(damaged[group].values())).flat[1] = odd
    place.write_bytes(b"before")
    with pytest.raises(InputError, match=rf"is not written: {group}/.* is not finite"):
        save_model(place, Model(HEADER, **damaged), overwrite=True)
    assert place.read_bytes() == b"before"


@pytest.mark.parametrize(
    "model",
    [
        replace(MODEL, header=replace(HEADER, kind="tree")),
        replace(MODEL, header=replace(HEADER, seed="7")),
        replace(MODEL, params={}),
        replace(MODEL, params={"x": np.arange(3)}),
        replace(MODEL, params={"a\\b": np.ones(3)}),
        replace(MODEL, filters={-1: np.ones((1, 1, 3, 3))}),
        replace(MODEL, state={"object": np.array([None])}),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(place, model):
    place.write_bytes(b"before")
    with pytest.raises(ValueError, match=r"x is int64|damaged|no name|belongs|not written"):
        save_model(place, model, overwrite=True)
    assert place.read_bytes() == b"before"


def test_files_that_are_none_are_named(tmp_path):
    assert refusal(tmp_path / "none.npz") == "FILE does not exist: name a model file"
    assert refusal(tmp_path) == "FILE is a folder: name a model file"
    path = tmp_path / "x.npz"
    path.write_bytes(b"")
    assert refusal(path) == "FILE is empty: name a model file"
    path.write_bytes(b"epoch,loss\n")
    assert refusal(path) == (
        "FILE is no model file: it is not an .npz archive; name a file that cnntool trained"
    )
    np.savez(path, x_train=np.ones(3), y_train=np.ones(3))
    assert "it has no header and holds x_train, y_train" in refusal(path)
    np.savez(path, header=np.ones(3))
    assert "its header is float64 (3,), not a text" in refusal(path)
    np.savez(path, header=np.array(["{}", None], object))
    assert "header holds pickled objects, which are never loaded" in refusal(path)


def test_another_kind_of_model_is_named(place):
    text = replace(HEADER, kind="rnn", input_shape=())
    save_model(place, replace(MODEL, header=text), overwrite=True)
    assert refusal(place) == "FILE is a text model: expected an image model"
    assert load_model(place, kind=None).header == load_model(place, kind="rnn").header == text
    save_model(place, MODEL, overwrite=True)
    assert refusal(place, kind="rnn") == "FILE is an image model: expected a text model"


def test_a_newer_format_says_what_this_one_reads(place):
    write(place, contents(json.dumps({"format": FORMAT + 1, "new": "unknown"})))
    assert refusal(place) == (
        f"FILE has format {FORMAT + 1}: this cnntool, {__version__}, reads formats up to {FORMAT}; "
        "upgrade cnntool"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"format": 1' + b"0" * 100_000 + b"}", "no JSON"),
        (json.dumps({**facts(), "history": [{"loss": math.nan}]}), "no JSON"),
        (json.dumps(facts()).replace("0.001", "1e999"), "no JSON"),
        (b"[]", "names no format"),
        (b"{}", "names no format"),
        (b'{"format": true}', "names no format"),
        (b'{"format": "1"}', "names no format"),
        (b'{"format": 0}', "names no format"),
        (b'{"format": 1}', "has no spec"),
    ],
)
def test_a_header_that_is_none_is_refused(place, text, message):
    assert message in refusal(write(place, contents(text)))


@pytest.mark.parametrize("name", [each.name for each in fields(Header)])
@pytest.mark.parametrize("value", [None, 1.5, True, [[1]], [None], "\x1b[2J" * 99, [-1, 2, 3]])
def test_a_fact_of_another_type_is_named(place, name, value):
    if isinstance(value, str) and name in ("spec", "fingerprint", "version"):
        return
    path = write(place, contents(json.dumps({**facts(), name: value})))
    assert f"{name} in its header is" in refusal(path)
    with pytest.raises(InputError):
        load_header(path)


def test_images_have_three_sizes(place):
    write(place, contents(json.dumps({**facts(), "input_shape": [8, 8]})))
    assert "input_shape in its header is [8, 8], not [C, H, W]" in refusal(place)


def test_an_array_that_got_lost_or_came_in_is_named(place):
    held = contents()
    lost = {name: array for name, array in held.items() if name != "state/rng"}
    assert "it has no state/rng, which its header names" in refusal(write(place, lost))
    more = write(place, {**held, "state/more": WEIGHT})
    assert "it holds state/more, which its header does not name" in refusal(more)


WEIGHT = MODEL.params["conv2.weight"]


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({"params/conv2.weight": None}, "it has no params/conv2.weight, which its architecture"),
        ({"buffers/norm10.running_mean": None}, "it has no buffers/norm10.running_mean"),
        ({"params/conv9.weight": WEIGHT}, "its architecture has no params/conv9.weight"),
        (
            {"params/conv2.weight": WEIGHT[:, 0]},
            "float32 (4, 3, 3), its architecture needs float32",
        ),
        ({"params/conv2.weight": WEIGHT.astype(float)}, "conv2.weight is float64 (4, 1, 3, 3)"),
        ({"params/conv2.weight": WEIGHT.astype("f2")}, "conv2.weight is float16"),
        ({"params/conv2.weight": WEIGHT * np.nan}, "conv2.weight holds values that are NaN or"),
        ({"buffers/norm10.running_mean": np.full(4, np.inf, "f4")}, "NaN or infinite"),
    ],
)
def test_arrays_that_are_not_those_of_the_architecture_are_named(place, held, message):
    assert message in refusal(write(place, contents(**held)), needs)


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({"secret": WEIGHT}, "it holds secret, which belongs to no model"),
        ({"params/": WEIGHT}, "it holds params/, which belongs to no model"),
        ({"filters/one": WEIGHT}, "it holds filters/one, expected the number of an epoch"),
        ({"filters/007": WEIGHT}, "it holds filters/007, expected the number of an epoch"),
        ({"filters/3": WEIGHT[:2]}, "its filters have shapes"),
        ({"filters/3": WEIGHT * np.inf}, "filters/3 holds values that are NaN or infinite"),
        ({"params/x": np.arange(3)}, "params/x is int64, not float32 or float64"),
        ({f"params/{path}": None for path in MODEL.params}, "it has no parameters"),
    ],
)
def test_arrays_that_belong_to_no_model_are_named(place, held, message):
    assert message in refusal(write(place, contents(**held)))


@pytest.mark.parametrize("error", [ValueError, InputError, RequestError, OverflowError])
def test_an_architecture_that_cannot_be_built_is_the_files_fault(place, saved, error):
    def needs(header):
        raise error("no layer\x1b[2J 'conw'\n")

    place.write_bytes(saved)
    assert refusal(place, needs).startswith(
        "FILE is damaged: its architecture cannot be built: no layer [2J 'conw'"
    )


def test_a_file_cut_short_anywhere_is_refused(place, saved):
    entries = [match.start() for match in re.finditer(b"PK\1\2|PK\3\4|PK\5\6|\x93NUMPY", saved)]
    near = {entry + by for entry in entries for by in (-1, 0, 1, 5, 29, 30, 31)}
    lengths = near | set(range(1, 70)) | set(range(0, len(saved), 97))
    lengths |= {len(saved) - by for by in range(1, 100)}
    for length in sorted(lengths & set(range(1, len(saved)))):
        place.write_bytes(saved[:length])
        assert "cut short" in refusal(place, needs), length


def assert_refused_or_the_same(path):
    with suppress(InputError):
        assert_same(load_model(path, needs), MODEL)
    try:
        load_model(path, needs)
    except InputError as error:
        checked_line(error, path)


@settings(max_examples=400)
@given(st.data())
def test_a_flipped_byte_is_noticed_or_means_nothing(place, saved, data):
    """Some bytes, such as the time of an entry, stand for nothing that is read."""
    flipped = bytearray(saved)
    directory = saved.index(b"PK\1\2")
    start = data.draw(st.sampled_from([0, 0, directory, len(saved) - 22]))
    at = data.draw(st.integers(start, len(saved) - 1))
    flipped[at] ^= data.draw(st.integers(1, 255))
    place.write_bytes(flipped)
    assert_refused_or_the_same(place)


@settings(max_examples=150)
@given(st.data())
def test_pieces_taken_out_put_in_or_repeated_are_noticed_or_mean_nothing(place, saved, data):
    first, second = sorted(data.draw(st.tuples(*[st.integers(0, len(saved))] * 2)))
    junk = data.draw(st.binary(max_size=20))
    piece = data.draw(st.sampled_from([b"", junk, saved[first:second] * 2, bytes(second - first)]))
    place.write_bytes(saved[:first] + piece + saved[second:])
    assert_refused_or_the_same(place)


@settings(max_examples=200)
@given(st.binary(max_size=300), st.sampled_from([b"", b"PK\3\4"]))
def test_any_other_bytes_are_refused(place, junk, start):
    place.write_bytes(start + junk)
    refusal(place)

"""Archives of NumPy, sound and malformed."""

import io
import os
import zipfile

import numpy as np
import pytest
from labelled_images import noise
from trained_models import darkness_model

from cnntool.datasets import memory
from cnntool.datasets.images.arrays import load_npz
from cnntool.errors import InputError

X, Y = noise(6, 5, 4), np.array([0, 1, 2, 0, 1, 2])


@pytest.fixture
def load(tmp_path):
    def load(**arrays):
        path = tmp_path / "set.npz"
        np.savez(path, **arrays)
        return load_npz(path)

    return load


def message_of(load, **arrays):
    with pytest.raises(InputError) as raised:
        load(**arrays)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_x_and_y_are_the_training_part(load):
    parts = load(x=X, y=Y, labels=np.array(["ant", "bee", "cow"]), white=200)
    np.testing.assert_array_equal(parts.train.x[:, 0], X)
    assert parts.train.labels == ("ant", "bee", "cow")
    assert (parts.train.y.tolist(), parts.train.white) == (Y.tolist(), 200.0)


def test_the_names_of_keras_and_a_validation_part_are_understood(load):
    parts = load(x_train=X, y_train=Y, x_test=X[:2], y_test=Y[:2], x_val=X[3:], y_val=Y[3:])
    assert {name: len(part) for name, part in parts.each.items()} == {
        "train": 6,
        "validation": 3,
        "test": 2,
    }


def test_black_and_white_of_the_first_part_hold_for_every_part(load):
    parts = load(x=X * np.uint16(16), y=Y, x_test=X[:2].astype(np.int32), y_test=Y[:2])
    assert (parts.train.white, parts.test.white, parts.test.scale) == (4095, 4095, 65535)
    assert len(parts.notes) == 1
    signed = load(x=X / 127.5 - 1, y=Y, x_test=X[:2] / 255, y_test=Y[:2])
    assert signed.test.levels == signed.train.levels == (-1, 1)
    parts = load(x=X, y=Y, black=-10, white=300)
    assert (parts.train.black, parts.train.white, parts.notes) == (-10, 300, ())


def test_a_model_is_called_a_model(load, tmp_path):
    model = darkness_model(tmp_path / "model.npz")
    with pytest.raises(
        InputError, match=r"model\.npz is a model, and labelled images are expected"
    ):
        load_npz(model)


def test_white_of_training_holds_for_every_part(load):
    parts = load(x=X / 255, y=Y, x_test=X[:2] / 1000, y_test=Y[:2])
    assert parts.test.white == parts.train.white == 1.0


def test_a_test_part_alone_is_enough(load):
    parts = load(x_test=X, y_test=Y)
    assert (list(parts.each), parts.first.name.endswith("set.npz (x_test)")) == (["test"], True)
    with pytest.raises(InputError, match="is a test part alone: a network learns from a set with"):
        _ = parts.train


def test_arrays_that_are_not_read_are_named(load, tmp_path):
    name = tmp_path / "set.npz"
    found = load(x=X, y=Y, x_train=X, y_train=Y, mean=0.5, labels=np.array(["a", "b", "c"]))
    assert found.notes == (f"{name}: mean, x_train and y_train left out, beside labels, x and y",)
    many = {f"z{index:02}": 0 for index in range(20)}
    (note,) = load(x=X, y=Y, **many).notes
    assert note.startswith(f"{name}: z00, z01, z02, z03, z04, z05, z06, z07 and 12 more left out")


def test_what_is_missing_is_named(load):
    assert "has y but no x" in message_of(load, y=Y, z=X)
    assert "holds images: expected x and y, or x_train" in message_of(load, images=X)
    assert "has x_test but no y_test" in message_of(load, x=X, y=Y, x_test=X)


def test_pickled_objects_are_never_loaded(load):
    assert "y holds pickled objects" in message_of(load, x=X, y=np.array([{}] * 6, object))
    assert "labels holds pickled objects" in message_of(
        load, x=X, y=Y, labels=np.array(["a", "b", None], object)
    )


def test_labels_must_be_one_name_a_class(load):
    assert "expected 0 to 1, one for each of 2 labels" in message_of(
        load, x=X, y=Y, labels=np.array(["a", "b"])
    )
    assert "all different" in message_of(load, x=X, y=Y, labels=np.array(["a", "b", "a"]))
    assert "white has shape (2,), expected one number" in message_of(load, x=X, y=Y, white=[1, 2])


def test_files_that_are_no_archive_or_cut_short_are_named(tmp_path):
    path = tmp_path / "set.npz"
    np.savez(path, x=X, y=Y)
    whole = path.read_bytes()
    for content in (b"", b"x,y\n1,2\n", whole[:-40], whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"is no \.npz archive"):
            load_npz(path)
    damaged = bytearray(whole)
    damaged[200] ^= 1  # in the pixels: the check sum of the archive tells
    path.write_bytes(damaged)
    with pytest.raises(InputError, match="damaged"):
        load_npz(path)


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no devices here")
def test_a_link_to_a_device_is_not_read_to_its_end(tmp_path):
    path = tmp_path / "set.npz"
    path.symlink_to("/dev/zero")
    with pytest.raises(InputError, match=r"set\.npz is no regular file: write it with numpy"):
        load_npz(path)


def test_a_member_that_is_no_array_is_named(tmp_path):
    path = tmp_path / "set.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"no array at all, but long enough")
        archive.writestr("y.npy", b"")
    with pytest.raises(InputError, match=r"x is damaged: its \.npy header cannot be"):
        load_npz(path)


def test_a_header_that_claims_more_than_memory_is_refused_before_it_is_tried(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 10**9)
    header = io.BytesIO()
    claim = {"descr": "<f4", "fortran_order": False, "shape": (10**6, 1000, 1000)}
    np.lib.format.write_array_header_1_0(header, claim)
    path = tmp_path / "set.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", header.getvalue())
        archive.writestr("y.npy", b"")
    with pytest.raises(InputError, match=r"set.npz: x would need 4.0 TB for 1,000,000 images"):
        load_npz(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_no_room_is_made_for_what_is_not_there(tmp_path, monkeypatch, compression):
    monkeypatch.setattr(memory, "free_memory", lambda: 10**18)
    header = io.BytesIO()
    claim = {"descr": "<f4", "fortran_order": False, "shape": (10**6, 1000, 1000)}
    np.lib.format.write_array_header_1_0(header, claim)
    path = tmp_path / "set.npz"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("x.npy", header.getvalue() + bytes(100))
        archive.writestr("y.npy", b"")
    with pytest.raises(
        InputError, match=r"x is cut short: its header says 4,000,000,000,000 bytes"
    ):
        load_npz(path)

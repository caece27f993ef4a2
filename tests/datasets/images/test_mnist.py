"""Folders of IDX files in all spellings, and those whose files disagree."""

import gzip

import numpy as np
import pytest
from labelled_images import idx_bytes, noise

from cnntool.datasets.images.idx import is_idx_folder, load_idx_folder
from cnntool.errors import InputError

IMAGES, LABELS = noise(7, 5, 4), np.array([0, 1, 2, 0, 1, 2, 1])


def write(folder, names, images=IMAGES, labels=LABELS):
    for name, content in zip(names, (idx_bytes(images), idx_bytes(labels)), strict=True):
        packed = gzip.compress(content) if name.endswith(".gz") else content
        (folder / name).write_bytes(packed)


TRAIN = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
TEST = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@pytest.mark.parametrize(
    "names",
    [
        TRAIN,
        tuple(f"{name}.gz" for name in TRAIN),
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
        ("train-images-idx3-ubyte.gz", "train-labels.idx1-ubyte"),
    ],
)
def test_names_may_have_dots_and_files_may_be_packed(tmp_path, names):
    write(tmp_path, names)
    assert is_idx_folder(tmp_path)
    parts = load_idx_folder(tmp_path)
    np.testing.assert_array_equal(parts.train.x[:, 0], IMAGES)
    np.testing.assert_array_equal(parts.train.y, LABELS)
    assert (parts.train.labels, parts.train.white) == (("0", "1", "2"), 255.0)
    assert list(parts.each) == ["train"]


def test_t10k_is_the_test_part_with_the_labels_of_training(tmp_path):
    write(tmp_path, TRAIN)
    write(tmp_path, TEST, IMAGES[:2], np.array([1, 0]))
    test = load_idx_folder(tmp_path).test
    assert (test.y.tolist(), test.labels) == ([1, 0], ("0", "1", "2"))
    np.testing.assert_array_equal(test.x[:, 0], IMAGES[:2])


def message_of(folder):
    with pytest.raises(InputError) as raised:
        load_idx_folder(folder)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_counts_that_disagree_name_both_files(tmp_path):
    write(tmp_path, TRAIN, labels=LABELS[:-1])
    message = message_of(tmp_path)
    assert "train-images-idx3-ubyte has 7 images, train-labels-idx1-ubyte has 6 labels" in message


def test_a_missing_file_is_named(tmp_path):
    write(tmp_path, TRAIN)
    (tmp_path / TEST[0]).write_bytes(idx_bytes(IMAGES))
    assert "has no t10k-labels-idx1-ubyte, with or without .gz" in message_of(tmp_path)
    (tmp_path / TRAIN[1]).unlink()
    assert "has no train-labels-idx1-ubyte" in message_of(tmp_path)


def test_images_and_labels_that_changed_places_are_noticed(tmp_path):
    write(tmp_path, TRAIN[::-1])
    assert "has 1 dimensions, expected 3" in message_of(tmp_path)


def test_a_class_in_the_test_part_only_is_named(tmp_path):
    write(tmp_path, TRAIN)
    write(tmp_path, TEST, IMAGES[:2], np.array([1, 5]))
    assert "(t10k) has the class 5, which" in message_of(tmp_path)


def test_other_folders_are_none(tmp_path):
    (tmp_path / "train-images").mkdir()
    assert not is_idx_folder(tmp_path)


def test_a_test_part_alone_is_enough(tmp_path):
    write(tmp_path, TEST)
    parts = load_idx_folder(tmp_path)
    assert list(parts.each) == ["test"]
    np.testing.assert_array_equal(parts.test.y, LABELS)


def test_names_may_begin_with_that_of_the_set(tmp_path):
    write(tmp_path, [f"emnist-digits-{name}.gz" for name in TRAIN])
    write(tmp_path, [f"emnist-digits-{name}".replace("t10k", "test") for name in TEST])
    parts = load_idx_folder(tmp_path)
    assert list(parts.each) == ["train", "test"]
    assert "rows of its images as columns" in parts.notes[0]
    write(tmp_path, [f"emnist-letters-{name}" for name in TRAIN])
    assert message_of(tmp_path) == (
        f"{tmp_path} holds files of emnist-digits and emnist-letters: give each set a folder of "
        "its own"
    )
    write(tmp_path, TRAIN)
    note = (
        f"{tmp_path}: files of emnist-digits and emnist-letters left out, beside those of no name"
    )
    assert load_idx_folder(tmp_path).notes == (note,)

"""CIFAR-10's binary records, made by hand."""

import numpy as np
import pytest
from labelled_images import noise

from cnntool.datasets.images.cifar import is_cifar_folder, load_cifar_file, load_cifar_folder
from cnntool.errors import InputError


def records(classes, seed=0):
    """Records and the pixels in them as (N, 32, 32, 3), laid out as the description says."""
    pixels = noise(len(classes), 32, 32, 3, seed=seed)
    content = b""
    for number, picture in zip(classes, pixels, strict=True):
        planes = [picture[..., channel].tobytes() for channel in range(3)]
        content += bytes([number]) + b"".join(planes)
    return content, pixels


@pytest.fixture
def folder(tmp_path):
    for index in (10, 2):
        (tmp_path / f"data_batch_{index}.bin").write_bytes(records([index % 10, 3], index)[0])
    (tmp_path / "test_batch.bin").write_bytes(records([9, 0, 1])[0])
    return tmp_path


def test_batches_are_read_in_the_order_of_their_numbers(folder):
    assert is_cifar_folder(folder)
    parts = load_cifar_folder(folder)
    assert parts.train.y.tolist() == [2, 3, 0, 3]
    expected = np.concatenate([records([0, 0], seed)[1] for seed in (2, 10)])
    np.testing.assert_array_equal(parts.train.x.transpose(0, 2, 3, 1), expected)
    assert parts.test.y.tolist() == [9, 0, 1]
    assert parts.train.labels[:3] == ("airplane", "automobile", "bird")


def test_a_test_batch_alone_is_enough(folder):
    for path in folder.glob("data_batch_*"):
        path.unlink()
    assert is_cifar_folder(folder)
    parts = load_cifar_folder(folder)
    assert (list(parts.each), parts.test.y.tolist()) == (["test"], [9, 0, 1])


def test_labels_come_from_the_meta_file(folder):
    (folder / "batches.meta.txt").write_text("\n".join("zyxwvutsrq") + "\n\n")
    parts = load_cifar_folder(folder)
    assert parts.train.labels == parts.test.labels == tuple("zyxwvutsrq")
    assert load_cifar_file(folder / "data_batch_2.bin").train.labels == tuple("zyxwvutsrq")


def test_malformed_files_are_named(folder):
    batch = folder / "data_batch_2.bin"
    content = batch.read_bytes()
    for bad, message in (
        (content[:-1], "has 6,145 bytes, expected a whole number of records of 3,073"),
        (b"", "has 0 bytes"),
        (b"\x0a" + content[1:], "has the class number 10, expected 0 to 9"),
    ):
        batch.write_bytes(bad)
        with pytest.raises(InputError, match=message) as raised:
            load_cifar_folder(folder)
        assert str(raised.value).startswith(str(batch))


@pytest.mark.parametrize("names", ["a", "a b c a"])
def test_labels_that_do_not_tell_classes_apart_are_refused(folder, names):
    (folder / "batches.meta.txt").write_text("\n".join(names.split()))
    with pytest.raises(InputError, match=r"has (1 name|4 names), expected ten different"):
        load_cifar_folder(folder)


def test_the_pickled_version_is_refused_by_name(tmp_path):
    (tmp_path / "data_batch_1").write_bytes(b"\x80\x02}q\x01")
    with pytest.raises(InputError, match=r"pickled: download the binary version"):
        load_cifar_folder(tmp_path)

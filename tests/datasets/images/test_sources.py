"""One way in for every kind of source."""

import numpy as np
import pytest
from labelled_images import idx_bytes, noise, picture_folder

from cnntool.datasets.images.dataset import LoadOptions
from cnntool.datasets.images.sources import load_images
from cnntool.errors import InputError


def message_of(source):
    with pytest.raises(InputError) as raised:
        load_images(source)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A source of every kind, by its name."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    y = np.array([0, 1, 2, 1])
    (tmp_path / "idx").mkdir()
    (tmp_path / "idx" / "train-images-idx3-ubyte").write_bytes(idx_bytes(noise(4, 6, 5)))
    (tmp_path / "idx" / "train-labels-idx1-ubyte").write_bytes(idx_bytes(y))
    np.savez(tmp_path / "set.npz", x=noise(4, 6, 5, 3), y=y)
    (tmp_path / "cifar").mkdir()
    batch = np.column_stack([y, noise(4, 3072)]).astype(np.uint8)
    batch.tofile(tmp_path / "cifar" / "data_batch_1.bin")
    picture_folder(tmp_path / "photos", ("a", "b", "c"), 2)
    return {
        "digits": "digits",
        "idx": tmp_path / "idx",
        "npz": str(tmp_path / "set.npz"),
        "cifar": tmp_path / "cifar",
        "cifar file": tmp_path / "cifar" / "data_batch_1.bin",
        "photos": tmp_path / "photos",
    }


SHAPES = {
    "digits": (1, 8, 8),
    "idx": (1, 6, 5),
    "npz": (3, 6, 5),
    "cifar": (3, 32, 32),
    "cifar file": (3, 32, 32),
    "photos": (1, 6, 5),
}


@pytest.mark.parametrize("kind", SHAPES)
def test_every_kind_of_source_is_read_resized_and_recoloured(sources, kind):
    data = load_images(sources[kind]).train
    assert data.image_shape == SHAPES[kind]
    assert len(data.labels) >= 3
    other = load_images(sources[kind], LoadOptions(resize=(7, 9), colour="rgb")).train
    assert other.image_shape == (3, 7, 9)
    np.testing.assert_array_equal(other.y, data.y)


def test_a_name_that_is_nothing_gets_a_hint(tmp_path):
    assert message_of("digit") == "digit does not exist: did you mean 'digits'?"
    assert "does not exist: expected 'digits', a folder" in message_of(tmp_path / "nowhere")
    assert "has an empty name" in message_of("")


def test_files_that_are_no_data_set_are_told_what_is(sources, tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("no images")
    assert "is no data set: expected 'digits'" in message_of(text)
    one = sources["idx"] / "train-images-idx3-ubyte"
    assert "is one file of several: name the folder" in message_of(one)

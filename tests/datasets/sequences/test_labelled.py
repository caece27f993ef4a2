"""Labelled texts, from every format that they come in."""

import pytest

from cnntool.datasets.sequences.reading import load_samples
from cnntool.errors import InputError


def test_fasttext_lines(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"__label__a good\tone\r\n\r\nso bad __label__b indeed\r\n")
    samples = load_samples(str(path), "classifier")["train"]
    assert samples.inputs == ["good\tone", "so bad indeed"]
    assert samples.answers == ["a", "b"]
    assert samples.places == [f"{path}:1", f"{path}:3"]


def test_a_text_has_one_label(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("__label__a x\n__label__a __label__b y\n")
    with pytest.raises(InputError, match=r"a.txt:2 has 2 labels \(a, b\): .*one"):
        load_samples(str(path), "classifier")

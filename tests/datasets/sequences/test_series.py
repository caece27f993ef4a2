"""Series in .ts files and .npz archives, back as they were written, and each mistake in a line."""

import re

import numpy as np
import pytest

from cnntool.datasets.sequences.reading import load_samples
from cnntool.errors import InputError

HEADER = """# a comment
@problemName toy
@timeStamps false
@missing false
@univariate false
@dimensions 2
@equalLength false
@classLabel true up down
@data
"""


def written(folder, text, name="toy.ts"):
    path = folder / name
    path.write_text(text)
    return str(path)


def test_series_of_a_ts_file_are_read_with_their_labels(tmp_path):
    path = written(tmp_path, HEADER + "1,2,3:-4,5.5,6e1:up\n\n7:8:down\n")
    data = load_samples(path, "classifier")["train"]
    assert (data.form, data.format) == ("steps", "series of 2 dimensions (.ts)")
    assert [x.tolist() for x in data.inputs] == [[[1, -4], [2, 5.5], [3, 60]], [[7, 8]]]
    assert data.inputs[0].dtype == np.float32
    assert data.answers == ["up", "down"]
    assert data.places == [f"{path}:10", f"{path}:12"]


def test_a_folder_of_train_and_test_has_parts(tmp_path):
    text = "@classLabel true a b\n@DATA\n1,2:a\n3:b\n"
    written(tmp_path, text, "Toy_TRAIN.ts")
    written(tmp_path, text.replace("3:b\n", ""), "Toy_TEST.ts")
    parts = load_samples(str(tmp_path), "classifier")
    assert {name: len(part) for name, part in parts.items()} == {"train": 2, "test": 1}
    assert parts["train"].inputs[0].shape == (2, 1)


def test_a_label_a_series_is_not_for_a_tagger(tmp_path):
    path = written(tmp_path, HEADER + "1:2:up\n")
    with pytest.raises(InputError, match="has a label a series, and a tagger learns one a step: "):
        load_samples(path, "tagger")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "1,?:3,4:up", ":10: value 2 of dimension 1 is '?', which is missing: fill it in"),
        (HEADER + "1,2:3,NaN:up", ":10: value 2 of dimension 2 is 'NaN', which is missing"),
        (HEADER + "1,2:3,x:up", ":10: value 2 of dimension 2 is 'x', expected a finite number"),
        (HEADER + "1,2:3,1e39:up", ":10: value 2 of dimension 2 is '1e39', expected a finite"),
        (HEADER + "1,2:3:up", ":10: dimension 2 has 1 value and the first 2: each step needs"),
        (HEADER + "1:2:up\n1:up", ":11 has 1 dimension, where "),
        (HEADER + "1:2:left", ":10 ends in the label 'left', which is none of @classLabel (up, d"),
        (HEADER + "1,2", ":10 has no label: expected values, a colon and a label"),
        (HEADER, " holds no samples: expected series as sktime and aeon have them"),
        ("@timeStamps true\n@data\n(0,1):a", ":1 says that values have time stamps: leave them"),
        ("@classLabel false\n@data\n1", ":1 says that series have no class: a classifier needs"),
        ("@problemName x\n1:a\n", " has no line '@data', behind which the series stand"),
    ],
)
def test_a_mistake_in_a_ts_file_is_one_line(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(InputError, match=f"^{re.escape(path)}{re.escape(message)}"):
        load_samples(path, "classifier")


def saved(folder, name="series.npz", **arrays):
    path = folder / name
    np.savez(path, **arrays)
    return str(path)


X = np.arange(24.0).reshape(2, 4, 3)


def test_arrays_are_cut_to_their_lengths(tmp_path):
    path = saved(tmp_path, x=X, lengths=np.array([4, 2]), y=np.array(["a", "b"]), more=X)
    data = load_samples(path, "classifier")["train"]
    assert data.form == "steps"
    for found, expected in zip(data.inputs, [X[0], X[1, :2]], strict=True):
        np.testing.assert_array_equal(found, expected)
        assert (found.dtype, found.flags.c_contiguous) == (np.float32, True)
    assert data.answers == ["a", "b"]
    assert data.notes == (f"{path}: more left out, beside x, lengths and y",)


def test_a_label_a_step_is_for_a_tagger(tmp_path):
    y = np.array([[0, 1, 1, 0], [2, 2, -1, -1]])
    path = saved(tmp_path, x=X[:, :, 0], lengths=np.array([4, 2]), y=y)
    data = load_samples(path, "tagger")["train"]
    assert [x.shape for x in data.inputs] == [(4, 1), (2, 1)]
    assert data.answers == [("0", "1", "1", "0"), ("2", "2")]
    with pytest.raises(InputError, match=r"expected a label a series, \(2,\); train-tagger learns"):
        load_samples(path, "classifier")


def test_what_lies_behind_an_end_counts_for_nothing(tmp_path):
    x = X.copy()
    x[1, 2:] = np.nan
    path = saved(tmp_path, x=x, lengths=np.array([4, 2]), y=np.array([1.0, 0.0]))
    assert load_samples(path, "classifier")["train"].answers == ["1", "0"]
    path = saved(tmp_path, x=x, y=np.array([1, 0]))
    with pytest.raises(InputError, match=r"step 2 of series 1 is no finite number: fill it in, or"):
        load_samples(path, "classifier")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x_train": X, "y": [0, 1]}, " holds x_train and y, and no x: save x, lengths and y"),
        ({"x": X[0, 0], "y": [0, 1]}, ": x is float64 (3,), expected numbers (N, T, D), or (N, T)"),
        ({"x": X, "y": [0, 1, 2]}, ": y is int64 (3,), expected a label a series, (2,)"),
        ({"x": X, "y": [0, 0.5]}, ": y holds 0.5, expected names or whole numbers"),
        ({"x": X, "y": [0, np.inf]}, ": y holds inf, expected names or whole numbers"),
        ({"x": X, "y": [0, 1], "lengths": [4, 5]}, ": series 1 has the length 5, expected 1 to 4"),
        ({"x": X, "y": [0, 1], "lengths": [[4, 4]]}, ": lengths is int64 (1, 2), expected whole"),
        ({"x": X * 1e38, "y": [0, 1]}, ": step 1 of series 0 is no finite number"),
        ({"x": np.array([None]), "y": [0]}, ": x holds pickled objects, which are never loaded"),
    ],
)
def test_a_mistake_in_an_archive_is_one_line(tmp_path, arrays, message):
    path = saved(tmp_path, **arrays)
    with pytest.raises(InputError, match=f"^{re.escape(path)}{re.escape(message)}"):
        load_samples(path, "classifier")


def test_what_is_no_archive_is_said(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"text")
    with pytest.raises(InputError, match=r"x.npz is no .npz archive: write it with numpy.savez"):
        load_samples(str(tmp_path / "x.npz"), "tagger")

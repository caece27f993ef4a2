"""Parameters in one vector: views write through, and keep their paths, places and shapes."""

import numpy as np
import pytest

from cnntool.training.shards import fill, flatten, views_of

PARAMS = {
    "conv1.weight": np.arange(12.0, dtype=np.float32).reshape(2, 1, 2, 3),
    "conv1.bias": np.array([20.0, 21], np.float32),
    "norm1.scale": np.ones(2, np.float32),
    "out.weight": np.arange(6.0, dtype=np.float32).reshape(2, 3).T,  # not in C order
}


def test_the_vector_holds_the_arrays_one_after_the_other():
    vector, views = flatten(PARAMS)
    assert vector.dtype == np.float32
    assert vector.tolist() == [*range(12), 20, 21, 1, 1, 0, 3, 1, 4, 2, 5]
    assert list(views) == list(PARAMS)
    for path, view in views.items():
        np.testing.assert_array_equal(view, PARAMS[path])
        assert view.flags.c_contiguous


def test_views_and_vector_are_the_same_memory_and_the_originals_are_not():
    vector, views = flatten(PARAMS)
    vector[12] = -1
    views["out.weight"][0, 1] = -3
    assert views["conv1.bias"].tolist() == [-1, 21]
    assert vector[17] == -3
    assert PARAMS["conv1.bias"].tolist() == [20, 21]


def test_gradients_are_copied_into_their_places():
    gradient = np.zeros(22, np.float32)
    fill(views_of(gradient, PARAMS), PARAMS)
    np.testing.assert_array_equal(gradient, flatten(PARAMS)[0])


def test_what_does_not_fit_is_refused():
    vector, views = flatten(PARAMS)
    with pytest.raises(ValueError, match=r"the vector is \(21,\): the parameters need \(22,\)"):
        views_of(vector[1:], PARAMS)
    with pytest.raises(ValueError, match=r"conv1\.bias stands on one side only"):
        fill(views, {k: v for k, v in PARAMS.items() if k != "conv1.bias"})
    with pytest.raises(ValueError, match=r"conv1\.bias is \(1,\): its view is \(2,\)"):
        fill(views, PARAMS | {"conv1.bias": np.ones(1, np.float32)})
    with pytest.raises(ValueError, match="float32 and float64: expected one float type"):
        flatten(PARAMS | {"conv1.bias": np.ones(2)})
    with pytest.raises(ValueError, match="are none: expected one float type"):
        flatten({})

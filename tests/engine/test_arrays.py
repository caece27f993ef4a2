"""What arrays operations take: in which precision they compute, and what is none of numbers."""

import numpy as np
import pytest
from batched_operations import of
from operations import OPERATIONS as OF_ONE_KIND

from cnntool import engine
from cnntool.engine.arrays import float_dtype

X = np.arange(50).reshape(2, 1, 5, 5)
WEIGHT = np.ones((1, 1, 3, 3), np.float32)
OPERATIONS = {
    "conv2d": lambda x: engine.conv2d(x, WEIGHT)[0],
    "max_pool2d": lambda x: engine.max_pool2d(x, 2)[0],
    "min_pool2d": lambda x: engine.min_pool2d(x, 2),
    "average_pool2d": lambda x: engine.average_pool2d(x, 2)[0],
    "adaptive_pool2d": lambda x: engine.adaptive_pool2d(x, 3)[0],
    "relu": lambda x: engine.relu(x)[0],
    "softmax": lambda x: engine.softmax(x[0, 0]),
    "dense": lambda x: engine.dense(x[0, 0], np.ones((5, 2), np.float32), None)[0],
    "filter_bank": lambda x: engine.filter_bank(x[0].transpose(1, 2, 0), WEIGHT[0]),
    "pool_image": lambda x: engine.pool_image(x[0].transpose(1, 2, 0), "lp", 2),
    "time_pool": lambda x: engine.time_pool(x[:, 0], "mean")[0],
}


@pytest.mark.parametrize(
    ("dtype", "computed"),
    [
        ("bool", "float32"),
        ("int8", "float32"),
        ("uint16", "float32"),
        ("float16", "float32"),
        (">f4", "float32"),
        ("int64", "float32"),
        (">f8", "float64"),
        ("longdouble", "float64"),
    ],
)
def test_real_numbers_of_64_bits_are_computed_in_float64(dtype, computed):
    assert float_dtype(np.zeros(3, np.float32), np.zeros(3, dtype)) == computed
    assert engine.conv2d(X.astype(dtype), WEIGHT)[0].dtype == computed


@pytest.mark.parametrize("operation", ["conv2d", "average_pool2d", "relu", "filter_bank"])
@pytest.mark.parametrize("dtype", [">f8", "longdouble"])
def test_seventeen_million_and_one_is_no_even_number(operation, dtype):
    x = np.full((2, 1, 5, 5), 2**24 + 1, dtype)
    taps = {"conv2d": 9, "filter_bank": 9}.get(operation, 1)
    middle = OPERATIONS[operation](x).ravel()
    assert middle[len(middle) // 2] == taps * (2**24 + 1)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("dtype", ["S3", "U3", "M8[s]", "m8[s]", "complex64", object])
def test_text_dates_and_pairs_are_no_numbers(operation, dtype):
    with pytest.raises(ValueError, match=r"an array of .*: expected whole or real numbers"):
        OPERATIONS[operation](X.astype(dtype))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_mask_is_not_passed_over(operation):
    masked = np.ma.masked_array(X.astype(float), mask=X == 3)
    with pytest.raises(ValueError, match=r"some elements are masked: fill them .* x\.filled\(0\)"):
        OPERATIONS[operation](masked)
    plain = OPERATIONS[operation](X.astype(float))
    np.testing.assert_array_equal(OPERATIONS[operation](np.ma.masked_array(X.astype(float))), plain)


EVERY = {
    str(each).split()[0]: each for each in [*OF_ONE_KIND, *of(4)] if "separable" not in str(each)
}


@pytest.mark.parametrize("operation", EVERY.values(), ids=EVERY)
def test_no_array_of_any_operation_may_be_masked_or_of_anything_but_numbers(operation):
    """Its weights, bias, states, targets and the gradient that comes in among them."""
    arrays = operation.arrays(np.float64)
    for place, array in enumerate(arrays):
        masked = np.ma.masked_array(array, np.arange(array.size).reshape(array.shape) == 0)
        for wrong in (masked, array.astype("S3"), array.astype("i8").astype("M8[s]"), array + 0j):
            given = [*arrays[:place], wrong, *arrays[place + 1 :]]
            with pytest.raises(ValueError, match=r"are masked|expected (whole|integers)"):
                operation.results(*given)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"stride": 1.5}, "stride is 1.5: expected a whole number"),
        ({"stride": (1, 2.0)}, "stride is 2.0: expected a whole number"),
        ({"stride": "2"}, "stride is '2': expected a whole number"),
        ({"dilation": None}, "dilation is None: expected a whole number"),
        ({"padding": 0.5}, "padding is 0.5: expected a whole number"),
        ({"padding": ((0, 1), (0, 1.5))}, "padding is 1.5: expected a whole number"),
        ({"groups": 1.5}, "groups is 1.5: expected a whole number"),
    ],
)
def test_settings_that_are_no_whole_numbers_are_named(settings, said):
    with pytest.raises(ValueError, match=said):
        engine.conv2d(X, WEIGHT, **settings)


def test_sizes_of_pools_that_are_no_whole_numbers_are_named():
    with pytest.raises(ValueError, match=r"kernel_size is 1\.5: expected a whole number"):
        engine.max_pool2d(X, 1.5)
    with pytest.raises(ValueError, match=r"output_size is 2\.5: expected a whole number"):
        engine.adaptive_pool2d(X, (2.5, None))
    assert engine.adaptive_pool2d(X, (np.int64(2), None))[0].shape == (2, 1, 2, 5)

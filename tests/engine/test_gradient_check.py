"""The check of gradients passes right ones, catches wrong ones, and knows a kink when it meets one.

All functions here are written out with derivatives from a textbook: none is the engine's.
"""

import numpy as np
import pytest

from cnntool.engine.gradient_check import gradcheck


def run(forward, backward, seed=0, **inputs):
    return gradcheck(forward, backward, inputs, np.random.default_rng(seed))


def cube(x):
    return x**3, x


def cube_backward(dy, x):
    return dy * 3 * x**2


def product(a, b):
    return a @ b, (a, b)


def product_backward(dy, cache):
    a, b = cache
    return dy @ b.T, a.T @ dy


def relu(x):
    return np.maximum(x, 0), x


def relu_backward(dy, x):
    return dy * (x > 0)


def normal(*shape, seed=1):
    return np.random.default_rng(seed).standard_normal(shape)


def test_a_right_gradient_is_ok_element_by_element():
    (check,) = run(cube, cube_backward, x=normal(3, 4))
    assert (check.input, check.by, check.checked, check.kinks) == ("x", "elements", 12, 0)
    assert check.verdict == "ok"
    assert check.error < 1e-8


def test_a_right_gradient_is_ok_along_directions():
    a, b = run(product, product_backward, a=normal(20, 30), b=normal(30, 1))
    assert (a.by, b.by) == ("directions", "elements")
    assert a.verdict == b.verdict == "ok"
    assert max(a.error, b.error) < 1e-7


def test_a_gradient_of_something_that_is_not_there_is_left_out():
    (check,) = run(cube, lambda dy, x: (cube_backward(dy, x), None), x=normal(3))
    assert check.verdict == "ok"


def test_what_it_reports_is_the_derivative():
    (check,) = run(lambda x: (float(x[0] ** 3), x), cube_backward, x=np.array([2.0]))
    dy = np.random.default_rng(0).standard_normal()
    assert check.analytic == 12 * dy
    assert check.numeric == pytest.approx(12 * dy, rel=1e-9)
    assert check.where == (0,)


@pytest.mark.parametrize("scale", [1e-6, 1, 1e6])
def test_the_step_follows_the_size_of_the_input(scale):
    (check,) = run(cube, cube_backward, x=scale * normal(5))
    assert check.verdict == "ok"
    assert check.error < 1e-7


@pytest.mark.parametrize("shape", [(3, 4), (40, 50)])
@pytest.mark.parametrize(
    "wrong",
    {
        "missing factor": lambda dy, x: dy * x**2,
        "wrong sign": lambda dy, x: -dy * 3 * x**2,
        "one part in 100,000": lambda dy, x: dy * 3.00003 * x**2,
        "nothing": lambda dy, x: 0 * x,
        "not a number": lambda dy, x: np.nan * x,
        "without dy": lambda dy, x: 3 * x**2,
        "in reverse": lambda dy, x: (dy * 3 * x**2)[::-1].copy(),
    }.items(),
    ids=lambda item: item[0],
)
def test_a_wrong_gradient_is_caught(wrong, shape):
    (check,) = run(cube, wrong[1], x=normal(*shape))
    assert check.verdict == "wrong"
    assert not check.error <= 1e-6
    assert check.where is not None


def test_a_transposed_gradient_is_caught():
    def transposed(dy, cache):
        da, db = product_backward(dy, cache)
        return da, db.T.copy()

    a, b = run(product, transposed, a=normal(4, 4), b=normal(4, 4, seed=2))
    assert a.verdict == "ok"
    assert b.verdict == "wrong"


@pytest.mark.parametrize("shape", [(6, 7), (100, 200)])
def test_one_wrong_element_is_caught_and_named(shape):
    place = tuple(size // 3 for size in shape)

    def almost(dy, x):
        gradient = cube_backward(dy, x)
        gradient[place] += 0.01
        return gradient

    (check,) = run(cube, almost, x=normal(*shape))
    assert check.verdict == "wrong"
    assert check.where == place
    assert check.analytic - check.numeric == pytest.approx(0.01, rel=1e-3)


def test_an_element_that_should_have_no_gradient_is_caught():
    def first(x):
        return x[0] ** 2, x

    def leaking(dy, x):
        gradient = np.zeros_like(x)
        gradient[0], gradient[5] = 2 * x[0] * dy, 1e-3
        return gradient

    (check,) = run(first, leaking, x=normal(9))
    assert (check.verdict, check.where) == ("wrong", (5,))


def test_a_function_that_depends_on_nothing_is_ok():
    (check,) = run(lambda x: (np.ones(3), x), lambda dy, x: np.zeros_like(x), x=normal(4))
    assert (check.verdict, check.error) == ("ok", 0)


def test_relu_at_zero_is_a_kink():
    (check,) = run(relu, relu_backward, x=np.array([1.5, 0, -2, 0, 3]))
    assert (check.verdict, check.checked, check.kinks) == ("kink", 5, 2)
    assert check.error < 1e-8


def test_one_kink_among_many_elements_is_seen_along_directions():
    x = normal(30, 30)
    x[7, 8] = 0
    (check,) = run(relu, relu_backward, x=x)
    assert (check.by, check.verdict, check.kinks) == ("directions", "kink", 8)


def test_a_kink_where_the_gradient_agrees_by_chance_is_still_one():
    (check,) = run(
        lambda x: (np.abs(x), x), lambda dy, x: dy * np.sign(x), x=np.array([1.0, 0, -1])
    )
    assert (check.verdict, check.kinks) == ("kink", 1)


def test_ties_of_a_maximum_are_kinks():
    def largest(x):
        return x.max(axis=1), x

    def to_the_first(dy, x):
        gradient = np.zeros_like(x)
        gradient[np.arange(len(x)), x.argmax(axis=1)] = dy
        return gradient

    (check,) = run(largest, to_the_first, x=np.array([[1.0, 3, 3], [4, 2, 1]]))
    assert (check.verdict, check.kinks) == ("kink", 2)


@pytest.mark.parametrize(
    ("forward", "backward"),
    [
        (
            lambda x: (np.sqrt(np.abs(x)), x),
            lambda dy, x: dy * np.sign(x) / 2 / np.sqrt(np.abs(x) + (x == 0)),
        ),
        (lambda x: (np.floor(x), x), lambda dy, x: 0 * dy),
    ],
    ids=["infinite slope", "jump"],
)
def test_other_points_without_a_derivative(forward, backward):
    (check,) = run(forward, backward, x=np.array([1.5, 0, -2.5]))
    assert (check.verdict, check.kinks) == ("kink", 1)


@pytest.mark.parametrize("distance", [1e-7, 1e-6, 5e-6])
def test_a_kink_within_the_step_is_passed_by_with_a_finer_one(distance):
    (check,) = run(relu, relu_backward, x=np.array([1.5, distance, -distance, -2]))
    assert (check.verdict, check.kinks) == ("ok", 0)


def test_kinks_that_were_passed_by_are_counted():
    (check,) = run(relu, relu_backward, x=np.array([1.5, 1e-6, -1e-6, -2]))
    assert (check.kinks, check.passed) == (0, 2)
    (check,) = run(relu, relu_backward, x=normal(400, 400))  # along directions
    assert (check.verdict, check.by) == ("ok", "directions")
    assert check.passed > 0
    (check,) = run(cube, cube_backward, x=normal(30, 30))
    assert check.passed == 0


def test_an_input_that_moves_little_is_checked_as_well_as_others():
    """Of a small bias beside large sums, a step of its own size would be lost in rounding."""
    x, bias = 1000 * normal(50, 20), 1e-4 * normal(20, seed=2)
    forward = lambda bias: (np.tanh(1e-3 * (x + bias)), bias)
    slope = 1e-3 / np.cosh(1e-3 * (x + bias)) ** 2
    (check,) = run(forward, lambda dy, _: (dy * slope).sum(axis=0), bias=bias)
    assert check.verdict == "ok"
    assert check.error < 1e-7
    (check,) = run(forward, lambda dy, _: 1.00001 * (dy * slope).sum(axis=0), bias=bias)
    assert check.verdict == "wrong"


@pytest.mark.parametrize("distance", [1e-12, 1e-8, 3e-8, 5e-8])
def test_a_kink_nearer_than_the_finest_step_is_no_mistake(distance):
    (check,) = run(relu, relu_backward, x=np.array([1.5, distance, -distance, -2]))
    assert (check.verdict, check.kinks) == ("kink", 2)


def test_a_wrong_value_at_a_kink_is_wrong():
    (check,) = run(relu, lambda dy, x: dy * ((x > 0) + 5 * (x == 0)), x=np.array([1.0, 0, -1]))
    assert (check.verdict, check.where) == ("wrong", (1,))


@pytest.mark.parametrize("size", [5, 1000])
def test_a_kink_hides_no_mistake_elsewhere(size):
    x = normal(size)
    x[0] = 0
    (check,) = run(relu, lambda dy, x: 2 * relu_backward(dy, x), x=x)
    assert check.verdict == "wrong"


def test_steep_curves_are_no_kinks():
    def steep(x):
        y = np.tanh(3000 * x)
        return y, y

    def backward(dy, y):
        return dy * 3000 * (1 - y**2)

    x = np.concatenate([np.linspace(-5e-4, 5e-4, 9), [1.0]])
    (check,) = run(steep, backward, x=x)
    assert (check.verdict, check.kinks) == ("ok", 0)


def test_the_same_seed_gives_the_same_numbers():
    def checks(seed):
        return run(product, product_backward, seed, a=normal(20, 30), b=normal(30, 1))

    assert checks(3) == checks(3)
    assert checks(3) != checks(4)


def test_inputs_of_any_dtype_become_float64_and_stay_as_they_are():
    x = np.array([1, 2, 3])
    (check,) = run(cube, cube_backward, x=x)
    assert check.verdict == "ok"
    assert x.tolist() == [1, 2, 3]


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,)])
def test_small_shapes(shape):
    (check,) = run(cube, cube_backward, x=np.ones(shape))
    assert (check.verdict, check.checked) == ("ok", np.ones(shape).size)


@pytest.mark.parametrize(
    ("forward", "backward", "message"),
    [
        (cube, lambda dy, x: (dy, dy), "backward gives 2 gradients: expected one for each of x"),
        (cube, lambda dy, x: dy[:2], r"dx has shape \(2,\): expected \(3,\)"),
        (cube, lambda dy, x: None, "backward gives 0 gradients: expected one for each of x"),
        (cube, lambda dy, x: dy.astype(np.float32), "dx is float32: expected float64"),
        (lambda x: (x.astype(np.float32), x), cube_backward, "y is float32: expected float64"),
    ],
)
def test_gradients_that_cannot_be_compared_are_refused(forward, backward, message):
    with pytest.raises(ValueError, match=message):
        run(forward, backward, x=np.ones(3))


def test_what_is_rounded_away_on_the_way_takes_a_larger_step():
    x = np.array([13.2, 0.3])

    def forward(x):
        return 1e3 * np.tanh(x), np.tanh(x)

    (found,) = gradcheck(
        forward, lambda dy, y: 1e3 * dy * (1 - y * y), {"x": x}, np.random.default_rng(0)
    )
    assert found.verdict == "ok"

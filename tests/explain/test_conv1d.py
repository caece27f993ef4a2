"""Small convolutions by hand, and their gradients against PyTorch and differences."""

import numpy as np
import pytest

from cnntool.engine.windows import plan_axis
from cnntool.explain.conv1d import central_differences, conv1d_steps, inputs_read


def test_the_sums_of_one_to_five_under_1_0_minus_1_by_hand():
    steps = conv1d_steps([1, 2, 3, 4, 5], [1, 0, -1], padding=1)
    assert steps.reads.tolist() == [[-1, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, -1]]
    assert steps.y.tolist() == [-2, -2, -2, -2, 4]
    assert steps.gradients["weight"].tolist() == [10, 15, 14]  # 1+2+3+4, 1+...+5, 2+3+4+5
    assert steps.gradients["x"].tolist() == [1, 0, 0, 0, -1]
    assert "bias" not in steps.gradients


def test_true_convolution_by_hand():
    steps = conv1d_steps([1, 2, 3, 4, 5], [1, 0, -1], padding=1, flip=True)
    assert steps.reads[1].tolist() == [2, 1, 0]  # weight 0 meets the window's end
    assert steps.y.tolist() == [2, 2, 2, 2, -4]
    assert steps.y.tolist() == np.convolve([1, 2, 3, 4, 5], [1, 0, -1], "same").tolist()
    assert steps.gradients["weight"].tolist() == [14, 15, 10]


def test_a_stride_a_bias_and_a_gradient_by_hand():
    steps = conv1d_steps([1, 2, 3, 4, 5, 6], [1, 2], 0.5, [1, 0, -1], stride=2)
    assert steps.y.tolist() == [5.5, 11.5, 17.5]
    assert steps.gradients["weight"].tolist() == [1 - 5, 2 - 6]
    assert steps.gradients["x"].tolist() == [1, 2, 0, 0, -1, -2]
    assert steps.gradients["bias"].item() == 0
    assert steps.numeric["bias"] == pytest.approx(0, abs=1e-8)


def test_inputs_that_no_window_reads_get_no_gradient():
    steps = conv1d_steps([1, 2, 3, 4, 5, 6, 7], [1, 2], stride=3)
    assert steps.gradients["x"].tolist() == [1, 2, 0, 1, 2, 0, 0]
    assert not np.isin([2, 5, 6], steps.reads).any()


GEOMETRIES = [
    {},
    {"padding": 2},
    {"padding": "full", "dilation": 2},
    {"padding": "same", "stride": 2},
    {"stride": 3, "dilation": 2, "padding": 1},
]


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_the_listed_terms_add_up_to_what_the_engine_gives(geometry, flip):
    rng = np.random.default_rng(1)
    x, weight = rng.normal(size=9), rng.normal(size=4)
    count = conv1d_steps(x, weight, **geometry, flip=flip).axis.output_size
    dy = rng.normal(size=count)
    steps = conv1d_steps(x, weight, 0.7, dy, **geometry, flip=flip)
    seen = np.append(x, 0)[steps.reads]  # -1 reads the zero at the end
    np.testing.assert_allclose(steps.y, seen @ weight + 0.7, rtol=1e-12)
    np.testing.assert_allclose(steps.gradients["weight"], dy @ seen, rtol=1e-12)
    dx = [
        sum(dy[i] * weight[k] for i, k in zip(*np.where(steps.reads == j), strict=True))
        for j in range(9)
    ]
    np.testing.assert_allclose(steps.gradients["x"], dx, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(steps.gradients["bias"], dy.sum(), rtol=1e-12)
    assert steps.largest_difference < 1e-8


@pytest.mark.parametrize("geometry", [g for g in GEOMETRIES if g.get("padding") != "same"])
def test_gradients_are_pytorchs(geometry):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    x, weight = rng.normal(size=11), rng.normal(size=3)
    steps = conv1d_steps(x, weight, 0.1, 2.0, **geometry)
    leaves = [torch.tensor(each, requires_grad=True) for each in (x, weight, np.array([0.1]))]
    settings = {**geometry, "padding": steps.axis.before}
    y = torch.nn.functional.conv1d(
        leaves[0][None, None], leaves[1][None, None], leaves[2], **settings
    )
    (2 * y).sum().backward()
    np.testing.assert_allclose(steps.y, y.detach().numpy()[0, 0], rtol=1e-12)
    for ours, leaf in zip(
        (steps.gradients["x"], steps.gradients["weight"], steps.gradients["bias"]),
        leaves,
        strict=True,
    ):
        np.testing.assert_allclose(ours, leaf.grad.numpy().squeeze(), rtol=1e-12, atol=1e-12)


def test_the_inputs_read_follow_the_formula():
    axis = plan_axis(10, 3, 2, 2, (3, 1))
    expected = np.arange(axis.output_size)[:, None] * 2 + np.arange(3) * 2 - 3
    expected[(expected < 0) | (expected >= 10)] = -1
    assert inputs_read(axis).tolist() == expected.tolist()


def test_central_differences_of_a_polynomial():
    gradient = central_differences(
        lambda x: float(x[0] ** 2 * x[1] + 3 * x[2]), np.array([2.0, 5, 7])
    )
    np.testing.assert_allclose(gradient, [20, 4, 3], rtol=1e-8)


def test_a_gradient_of_another_length_is_refused():
    with pytest.raises(ValueError, match="dy has 2 values: expected 1, or 3 as y"):
        conv1d_steps([1, 2, 3, 4], [1, 1], grad=[1, 2])


def test_numeric_gradients_hold_where_the_loss_is_large():
    steps = conv1d_steps([1e10, 2e10, 3], [1, 0, -1], padding=1)
    np.testing.assert_allclose(steps.numeric["x"], steps.gradients["x"], rtol=1e-6)
    np.testing.assert_allclose(steps.numeric["weight"], steps.gradients["weight"], rtol=1e-6)

"""Convolution layers against PyTorch, hand-worked numbers and theorems."""

import tracemalloc
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cnntool.engine import convolution
from cnntool.engine.convolution import conv1d, conv1d_backward, conv2d, conv2d_backward
from cnntool.engine.fast import blocks, row_windows, samples_innermost
from cnntool.engine.fast.layout import batch_last, is_batch_last


@st.composite
def layers(draw):
    """The shapes and settings of a convolution that fits."""
    groups = draw(st.integers(1, 3))
    filters, maps = groups * draw(st.integers(1, 4)), draw(st.integers(1, 3))
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 3)))
    padding = draw(st.tuples(st.integers(0, 4), st.integers(0, 5)))
    size = draw(st.tuples(st.integers(1, 9), st.integers(1, 11)))
    for n, k, d, p in zip(size, kernel, dilation, padding, strict=True):
        assume(n + 2 * p >= (k - 1) * d + 1)
    shapes = (draw(st.integers(1, 4)), groups * maps, *size), (filters, maps, *kernel)
    return shapes, {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


# All in one block, and in many; rows of padding multiplied, and left out.
block_settings = st.tuples(st.sampled_from([1 << 19, 600]), st.sampled_from([1 << 30, 0]))
layouts = st.sampled_from([np.asarray, batch_last])


@contextmanager
def blocks_of(size, worth_a_run):
    """Blocks of so many bytes, and of as few samples as that makes."""
    with (
        patch.object(row_windows, "WORTH_A_RUN", worth_a_run),
        patch.object(blocks, "COLUMNS_BYTES", size),
        patch.object(row_windows, "COLUMNS_BYTES", size),
        patch.object(samples_innermost, "FOLDED_BYTES", size),
        patch.object(samples_innermost, "FEWEST_SAMPLES", 1),
        patch.object(samples_innermost, "SUMS_BYTES", size),
        patch.object(row_windows, "FEWEST_SAMPLES", 1),
    ):
        row_windows.cut_rows.cache_clear()
        yield
    row_windows.cut_rows.cache_clear()


def random(*shapes, dtype=np.float64):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


@given(layers(), block_settings, layouts)
def test_conv2d_and_its_gradients_agree_with_pytorch(layer, blocks, layout):
    torch = pytest.importorskip("torch")
    (x_shape, w_shape), settings = layer
    x, weight, bias = random(x_shape, w_shape, w_shape[:1])
    with blocks_of(*blocks):
        y, cache = conv2d(layout(x), weight, bias, **settings)
        dy = random(y.shape)[0]
        gradients = conv2d_backward(dy, cache)
    leaves = [torch.from_numpy(a).requires_grad_() for a in (x, weight, bias)]
    expected = torch.nn.functional.conv2d(*leaves, **settings)
    np.testing.assert_allclose(y, expected.detach().numpy(), atol=1e-10)
    expected.backward(torch.from_numpy(dy))
    for gradient, leaf in zip(gradients, leaves, strict=True):
        np.testing.assert_allclose(gradient, leaf.grad.numpy(), atol=1e-10)


@given(layers(), block_settings, layouts)
def test_the_backward_pass_is_the_adjoint_of_the_forward_one(layer, blocks, layout):
    (x_shape, w_shape), settings = layer
    x, weight, dx, dweight = random(x_shape, w_shape, x_shape, w_shape)
    with blocks_of(*blocks):
        y, cache = conv2d(layout(x), weight, **settings)
        dy = random(y.shape)[0]
        back_x, back_weight, back_bias = conv2d_backward(dy, cache)
    through_x = (conv2d(dx, weight, **settings)[0] * dy).sum()
    through_weight = (conv2d(x, dweight, **settings)[0] * dy).sum()
    np.testing.assert_allclose((dx * back_x).sum(), through_x, atol=1e-8)
    np.testing.assert_allclose((dweight * back_weight).sum(), through_weight, atol=1e-8)
    assert back_bias is None


@given(layers())
def test_conv1d_is_conv2d_on_one_row(layer):
    (x_shape, w_shape), settings = layer
    x, weight, bias = random(x_shape[:2] + x_shape[3:], w_shape[:2] + w_shape[3:], w_shape[:1])
    one = {name: value[1] if name != "groups" else value for name, value in settings.items()}
    y, cache = conv1d(x, weight, bias, **one)
    two = {name: (1, v[1]) if name != "groups" else v for name, v in settings.items()}
    two["padding"] = (0, settings["padding"][1])
    expected, cache2 = conv2d(x[:, :, None], weight[:, :, None], bias, **two)
    np.testing.assert_array_equal(y, expected[:, :, 0])
    gradients = conv1d_backward(y, cache), conv2d_backward(expected, cache2)
    for gradient, reference in zip(*gradients, strict=True):
        np.testing.assert_array_equal(gradient, reference.reshape(gradient.shape))


def test_conv1d_by_hand():
    x = np.array([[[1.0, 2, 3, 4, 5]]])
    weight = np.array([[[1.0, 0, -1]]])
    y, cache = conv1d(x, weight, np.array([10.0]), padding=1)
    assert y.tolist() == [[[8, 8, 8, 8, 14]]]
    dx, dweight, dbias = conv1d_backward(np.ones_like(y), cache)
    # x[0] is in windows 0 (times 0) and 1 (times 1), x[4] in windows 3 (times -1) and 4 (times 0).
    assert dx.tolist() == [[[1, 0, 0, 0, -1]]]
    assert dweight.tolist() == [[[10, 15, 14]]]
    assert dbias.tolist() == [5]


@pytest.mark.parametrize("layout", [np.asarray, batch_last])
def test_padding_may_differ_on_every_side(layout):
    x, weight = map(layout, random((2, 3, 5, 6), (4, 3, 3, 2)))
    padded = np.pad(x, ((0, 0), (0, 0), (0, 2), (3, 1)))
    y, cache = conv2d(x, weight, padding=((0, 2), (3, 1)), stride=2)
    expected, padded_cache = conv2d(padded, weight, stride=2)
    np.testing.assert_allclose(y, expected, atol=1e-12)
    dx = conv2d_backward(y, cache)[0]
    padded_dx = conv2d_backward(y, padded_cache)[0]
    np.testing.assert_allclose(dx, padded_dx[:, :, :5, 3:9], atol=1e-12)


def test_a_connection_table_cuts_maps_off_from_filters():
    x, weight, bias = random((2, 4, 6, 6), (3, 4, 3, 3), (3,))
    table = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 0, 1]], bool)
    y, cache = conv2d(x, weight, bias, connections=table)
    for f, row in enumerate(table):
        part, _ = conv2d(x[:, row], weight[f : f + 1, row], bias[f : f + 1])
        np.testing.assert_allclose(y[:, f : f + 1], part, atol=1e-12)
    dx, dweight, _ = conv2d_backward(y, cache)
    assert (dweight[~table] == 0).all()
    whole_dx, whole_dweight, _ = conv2d_backward(y, conv2d(x, weight * table[:, :, None, None])[1])
    np.testing.assert_allclose(dx, whole_dx, atol=1e-12)
    np.testing.assert_allclose(dweight[table], whole_dweight[table], atol=1e-12)


def test_small_maps_of_many_samples_come_out_with_the_samples_innermost():
    x, weight = random((16, 1, 12, 12), (4, 1, 5, 5))
    y, cache = conv2d(x, weight)
    dx, _, _ = conv2d_backward(np.ascontiguousarray(y), cache)
    assert is_batch_last(y)
    assert is_batch_last(dx)
    one, one_cache = conv2d(x[:1], weight)  # too few to be worth a copy
    assert one.flags.c_contiguous
    np.testing.assert_allclose(one, y[:1], atol=1e-12)
    np.testing.assert_allclose(conv2d_backward(one, one_cache)[0], dx[:1], atol=1e-12)


def test_a_first_layer_skips_the_gradient_of_its_input():
    x, weight = random((1, 2, 5, 5), (3, 2, 3, 3))
    y, cache = conv2d(x, weight)
    dx, dweight, _ = conv2d_backward(y, cache, need_dx=False)
    assert dx is None
    np.testing.assert_array_equal(dweight, conv2d_backward(y, cache)[1])


@pytest.mark.parametrize("settings", [{}, {"stride": 2}, {"groups": 2}])
def test_the_number_of_threads_and_blocks_changes_nothing(settings, monkeypatch):
    x, weight = random((9, 4, 20, 20), (8, 4 // settings.get("groups", 1), 3, 3), dtype=np.float32)
    results = []
    for threads in (1, 4):
        monkeypatch.setattr(blocks, "available_cores", lambda threads=threads: threads)
        monkeypatch.setattr(blocks, "SHARED_PRODUCTS", 0)
        y, cache = conv2d(x, weight, **settings)
        results.append((y, *conv2d_backward(y, cache)[:2]))
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_operands_are_not_written_to_and_may_have_any_layout():
    x, weight = random((3, 8, 7, 2), (3, 5, 3, 4))
    x, weight = x.transpose(0, 3, 2, 1)[:, :, ::-1], weight.transpose(3, 0, 1, 2)[:, :2, :, ::-1]
    kept = x.copy(), weight.copy()
    y, cache = conv2d(x, weight, padding=1)
    dy = y.transpose(0, 1, 3, 2).copy().transpose(0, 1, 3, 2)
    gradients = conv2d_backward(dy, cache)
    np.testing.assert_array_equal(x, kept[0])
    np.testing.assert_array_equal(weight, kept[1])
    clean, clean_cache = conv2d(*kept, padding=1)
    np.testing.assert_array_equal(y, clean)
    for one, other in zip(gradients[:2], conv2d_backward(clean, clean_cache)[:2], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


@pytest.mark.parametrize(
    ("dtypes", "expected"),
    [
        ((np.float32, np.float32), np.float32),
        ((np.float64, np.float64), np.float64),
        ((np.float32, np.float64), np.float64),
        ((np.uint8, np.float32), np.float32),
        ((np.int64, np.float32), np.float32),
    ],
)
def test_results_are_float32_unless_an_operand_is_double(dtypes, expected):
    x, weight = np.ones((1, 1, 4, 4), dtypes[0]), np.ones((1, 1, 3, 3), dtypes[1])
    y, cache = conv2d(x, weight)
    assert y.dtype == expected
    assert {g.dtype for g in conv2d_backward(y, cache)[:2]} == {np.dtype(expected)}


@pytest.mark.parametrize(
    ("shapes", "settings", "message"),
    [
        (((1, 3, 5, 5), (4, 2, 3, 3)), {}, "takes 2 input maps .* has 3 maps"),
        (((1, 4, 5, 5), (3, 2, 3, 3)), {"groups": 2}, "multiple of 2 filters"),
        (((3, 5, 5), (4, 3, 3, 3)), {}, r"conv2d takes x \(N, C, H, W\)"),
        (((1, 1, 2, 9), (1, 1, 3, 3)), {}, "spans 3 does not fit into 2"),
        (((1, 1, 5, 5), (1, 1, 3, 3)), {"stride": 0}, "stride is 0: it must be at least 1"),
        (((1, 1, 5, 5), (1, 1, 3, 3)), {"padding": (1, 2, 3)}, "padding has 3 values"),
        (((1, 1, 5, 5), (1, 1, 3, 3)), {"padding": -1}, "padding is -1"),
        (((1, 2, 5, 5), (3, 2, 3, 3)), {"connections": np.ones((2, 3))}, r"expected .*\(3, 2\)"),
        (((1, 1, 5, 5), (1, 1, 3, 3)), {"bias": np.ones(2)}, r"bias has shape \(2,\)"),
    ],
)
def test_shapes_that_do_not_fit_are_named(shapes, settings, message):
    with pytest.raises(ValueError, match=message):
        conv2d(np.zeros(shapes[0]), np.zeros(shapes[1]), **settings)


def test_a_gradient_of_another_shape_is_refused():
    y, cache = conv2d(*random((1, 1, 5, 5), (2, 1, 3, 3)))
    with pytest.raises(ValueError, match=r"\(1, 1, 3, 3\)"):
        conv2d_backward(y[:, :1], cache)


def test_gradients_agree_with_central_differences():
    x, weight, bias = random((2, 2, 5, 6), (3, 2, 2, 3), (3,))
    settings = {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)}
    y, cache = conv2d(x, weight, bias, **settings)
    dy = random(y.shape)[0]
    step = 1e-6
    for operand, gradient in zip((x, weight, bias), conv2d_backward(dy, cache), strict=True):
        for place in np.ndindex(operand.shape):
            kept = operand[place]
            sides = []
            for moved in (kept + step, kept - step):
                operand[place] = moved
                sides.append((conv2d(x, weight, bias, **settings)[0] * dy).sum())
            operand[place] = kept
            np.testing.assert_allclose(
                (sides[0] - sides[1]) / (2 * step), gradient[place], atol=1e-6
            )


def test_gradients_side_by_side_are_those_one_after_the_other(monkeypatch):
    y, cache = conv2d(*random((2, 3, 6, 6), (4, 3, 3, 3)))
    expected = conv2d_backward(y, cache)
    monkeypatch.setattr(convolution, "SIDE_BY_SIDE", 0)
    for one, other in zip(conv2d_backward(y, cache)[:2], expected[:2], strict=True):
        np.testing.assert_array_equal(one, other)
    assert conv2d_backward(y, cache, need_dx=False)[0] is None


@pytest.mark.parametrize("weight_shape", [(4, 0, 3, 3), (0, 3, 3, 3), (4, 3, 0, 3)])
def test_weights_without_elements_are_refused(weight_shape):
    x, weight = np.zeros((2, weight_shape[1], 8, 8)), np.zeros(weight_shape)
    with pytest.raises(ValueError, match="no elements"):
        conv2d(x, weight)


@pytest.mark.parametrize("stride", [1, 2])
def test_memory_grows_little_with_the_kernel_where_samples_are_innermost(stride):
    x = batch_last(np.zeros((32, 64, 32, 32), np.float32))
    weight = np.zeros((4, 64, 15, 15), np.float32)
    tracemalloc.start()
    y, cache = conv2d(x, weight, padding=7, stride=stride)
    conv2d_backward(y, cache)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * x.nbytes  # results and their gradients are two of them


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (20, 3, 8, 8), (4, 24, 32, 32)])
@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[..., ::-1],
        lambda x: x[:, ::-1, ::-1],
        lambda x: x[:, :, ::2, ::3],
        lambda x: x.swapaxes(2, 3),
        lambda x: np.broadcast_to(x[..., :1], x.shape),
        lambda x: np.broadcast_to(x[:, :, :1], x.shape),
        lambda x: np.broadcast_to(x[:1], x.shape),
        lambda x: np.asfortranarray(x),
    ],
)
def test_how_the_input_lies_in_memory_does_not_matter(view, shape):
    x = view(random(shape)[0])
    (weight,) = random((24 if shape[1] == 24 else 4, shape[1], 3, 3))
    y, cache = conv2d(x, weight)
    expected, reference = conv2d(np.array(x, order="C"), weight)
    np.testing.assert_allclose(y, expected, atol=1e-12)
    gradients = (conv2d_backward(expected, c)[:2] for c in (cache, reference))
    for ours, theirs in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-9)

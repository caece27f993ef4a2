"""Convolution layers against PyTorch, hand-worked numbers and theorems, by both ways."""

import tracemalloc
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cnntool.engine import convolution
from cnntool.engine.convolution import conv1d, conv1d_backward, conv2d, conv2d_backward
from cnntool.engine.fast import samples_innermost, small_products, threads
from cnntool.engine.fast.layout import batch_last, is_batch_last
from cnntool.engine.fast.scratch import Scratch


@st.composite
def layers(draw):
    """The shapes and settings of a convolution that fits."""
    groups = draw(st.integers(1, 3))
    filters, maps = groups * draw(st.integers(1, 7)), draw(st.integers(1, 3))
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 3)))
    sides = st.tuples(st.integers(0, 5), st.integers(0, 5))
    padding = draw(st.tuples(sides, sides))
    size = draw(st.tuples(st.integers(1, 9), st.integers(1, 11)))
    for n, k, d, p in zip(size, kernel, dilation, padding, strict=True):
        assume(n + sum(p) >= (k - 1) * d + 1)
    shapes = (draw(st.integers(1, 5)), groups * maps, *size), (filters, maps, *kernel)
    return shapes, {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


@contextmanager
def textbook_way(block_bytes=1 << 22):
    """Every convolution as im2col, one product and col2im, in blocks of so many bytes."""
    with (
        patch.object(samples_innermost, "suits", lambda *_: False),
        patch.object(convolution, "COLUMNS_BYTES", block_bytes),
    ):
        yield


@contextmanager
def batch_last_way(block_bytes=1 << 22):
    """Every convolution that can go with the samples innermost does, in float64 too."""
    constants, small_product = {"UNFOLDED_BYTES": block_bytes}, small_products.SMALL_PRODUCT
    if block_bytes < 1 << 22:
        constants, small_product = constants | {"FEWEST_TOGETHER": 1}, 200
    with (
        patch.object(samples_innermost, "suits", lambda _, axes: axes[0].dilation == 1),
        patch.multiple(samples_innermost, **constants),
        patch.multiple(small_products, SMALL_PRODUCT=small_product, FEWEST_PIXELS=2),
    ):
        yield


ways = st.sampled_from([textbook_way, batch_last_way])
block_sizes = st.sampled_from([1 << 22, 3000, 600])  # all in one block, and in many
WAYS = pytest.mark.parametrize("way", [textbook_way, batch_last_way])


def random(*shapes, dtype=np.float64):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


@contextmanager
def spoilt_memory():
    """All memory that is not set to anything is full of infinities."""
    array, empty = Scratch.array, lambda *args: np.full(args[0], np.inf, *args[1:])

    def spoilt(self, *key):
        memory = array(self, *key)
        memory[...] = np.inf
        return memory

    with ExitStack() as stack:
        stack.enter_context(patch.object(Scratch, "array", spoilt))
        stack.enter_context(patch.object(np, "empty", empty))
        stack.enter_context(np.errstate(all="raise"))
        yield


@given(layers(), ways, block_sizes)
def test_conv2d_and_its_gradients_agree_with_pytorch(layer, way, block_bytes):
    torch = pytest.importorskip("torch")
    (x_shape, w_shape), settings = layer
    x, weight, bias = random(x_shape, w_shape, w_shape[:1])
    leaves = [torch.from_numpy(a).requires_grad_() for a in (x, weight, bias)]
    vertical, horizontal = settings["padding"]
    padded = torch.nn.functional.pad(leaves[0], (*horizontal, *vertical))
    expected = torch.nn.functional.conv2d(padded, *leaves[1:], **{**settings, "padding": 0})
    dy = random(tuple(expected.shape))[0]
    expected.backward(torch.from_numpy(dy))
    with way(block_bytes), spoilt_memory():
        y, cache = conv2d(x, weight, bias, **settings)
        gradients = conv2d_backward(dy, cache)
    np.testing.assert_allclose(y, expected.detach().numpy(), atol=1e-10)
    for gradient, leaf in zip(gradients, leaves, strict=True):
        np.testing.assert_allclose(gradient, leaf.grad.numpy(), atol=1e-10)


@given(layers(), ways, block_sizes)
def test_the_backward_pass_is_the_adjoint_of_the_forward_one(layer, way, block_bytes):
    (x_shape, w_shape), settings = layer
    x, weight, dx, dweight = random(x_shape, w_shape, x_shape, w_shape)
    with way(block_bytes):
        y, cache = conv2d(x, weight, **settings)
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
    two["padding"] = ((0, 0), settings["padding"][1])
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


def test_padding_may_differ_on_every_side():
    x, weight = random((2, 3, 5, 6), (4, 3, 3, 2))
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


def test_small_float32_maps_of_many_samples_come_out_with_the_samples_innermost():
    x, weight = random((16, 1, 12, 12), (4, 1, 5, 5), dtype=np.float32)
    y, cache = conv2d(x, weight)
    dx, _, _ = conv2d_backward(np.ascontiguousarray(y), cache)
    assert is_batch_last(y)
    assert is_batch_last(dx)
    one, one_cache = conv2d(x[:1], weight)  # too few to be worth a copy
    assert one.flags.c_contiguous
    np.testing.assert_allclose(one, y[:1], atol=1e-5)
    np.testing.assert_allclose(conv2d_backward(one, one_cache)[0], dx[:1], atol=1e-4)


@pytest.mark.parametrize("count", [1, 40])
def test_float64_runs_im2col_and_its_way_back_col2im(count):
    x, weight = random((count, 2, 9, 9), (3, 2, 3, 3))
    with (
        patch.object(convolution, "im2col", wraps=convolution.im2col) as im2col,
        patch.object(convolution, "col2im", wraps=convolution.col2im) as col2im,
    ):
        y, cache = conv2d(x, weight)
        assert im2col.called
        conv2d_backward(y, cache)
        assert col2im.called


@pytest.mark.parametrize(
    ("shapes", "settings"),
    [
        (((5, 4, 6, 7), (3, 4, 3, 2)), {"padding": ((2, 0), (0, 1))}),
        (((5, 4, 6, 7), (3, 4, 3, 2)), {"padding": ((0, 1), (1, 0))}),
        (((5, 4, 6, 7), (4, 4, 2, 5)), {"padding": ((3, 0), (4, 1))}),  # rows of padding alone
        (((5, 4, 6, 7), (3, 4, 3, 2)), {"dilation": (1, 2)}),
        (((5, 4, 6, 7), (3, 4, 3, 2)), {"stride": (1, 2)}),
        (((5, 4, 6, 7), (3, 4, 3, 2)), {"stride": (2, 1)}),
        (((5, 8, 6, 7), (4, 4, 3, 3)), {"groups": 2}),
        (((5, 4, 1, 9), (1, 4, 1, 4)), {"padding": ((0, 0), (3, 2))}),
    ],
    ids=str,
)
@pytest.mark.parametrize("block_bytes", [1 << 22, 600])
def test_few_filters_give_the_gradient_by_many_maps(shapes, settings, block_bytes):
    """Where it is a convolution by the turned kernels, and where it is none."""
    x, weight = random(*shapes)
    found = []
    for way in textbook_way, batch_last_way:
        with way(block_bytes), spoilt_memory():
            y, cache = conv2d(x, weight, **settings)
            found.append(conv2d_backward(y, cache)[0])
    np.testing.assert_allclose(found[1], found[0], atol=1e-10)


def test_a_first_layer_skips_the_gradient_of_its_input():
    x, weight = random((1, 2, 5, 5), (3, 2, 3, 3))
    y, cache = conv2d(x, weight)
    dx, dweight, _ = conv2d_backward(y, cache, need_dx=False)
    assert dx is None
    np.testing.assert_array_equal(dweight, conv2d_backward(y, cache)[1])


@WAYS
@pytest.mark.parametrize(
    "settings", [{}, {"stride": 2}, {"stride": (2, 1)}, {"groups": 2}, {"filters": 24}], ids=str
)
def test_the_number_of_threads_changes_nothing(settings, way, monkeypatch):
    filters, groups = settings.get("filters", 8), settings.get("groups", 1)
    settings = {name: value for name, value in settings.items() if name != "filters"}
    x, weight = random((37, 4, 16, 16), (filters, 4 // groups, 5, 5), dtype=np.float32)
    for module in (threads, samples_innermost):
        monkeypatch.setattr(module, "SHARED_PRODUCTS", 0)
    results = []
    for cores in (1, 4, 4, 4):
        monkeypatch.setattr(threads, "available_cores", lambda cores=cores: cores)
        with way(1 << 14):
            y, cache = conv2d(x, weight, padding=2, **settings)
            results.append((y, *conv2d_backward(y, cache)[:2]))
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


@WAYS
@pytest.mark.parametrize("padding", [((0, 9), (0, 0)), ((9, 0), (0, 0)), ((9, 9), (1, 1))])
def test_blocks_that_lie_wholly_in_the_padding_are_zero(padding, way):
    x, weight, bias = random((5, 2, 6, 7), (3, 2, 2, 2), (3,))
    padded = np.pad(x, ((0, 0), (0, 0), *padding))
    read = np.lib.stride_tricks.sliding_window_view(padded, (2, 2), axis=(2, 3))
    expected = np.einsum("ncijkl,fckl->nfij", read, weight)
    dy = random(expected.shape)[0]
    with way(1):
        y, cache = conv2d(x, weight, bias, padding=padding)
        dx, dweight, _ = conv2d_backward(dy, cache)
    np.testing.assert_allclose(y, expected + bias[:, None, None], atol=1e-12)
    np.testing.assert_allclose(dweight, np.einsum("ncijkl,nfij->fckl", read, dy), atol=1e-12)
    np.testing.assert_allclose((dx * x).sum(), (dy * expected).sum(), rtol=1e-9)


def test_a_batch_without_samples_has_no_results_and_zero_gradients():
    x, weight, bias = random((0, 2, 6, 7), (3, 2, 2, 2), (3,))
    y, cache = conv2d(x, weight, bias)
    dx, dweight, dbias = conv2d_backward(y, cache)
    assert (y.shape, dx.shape) == ((0, 3, 5, 6), x.shape)
    assert not dweight.any()
    assert not dbias.any()


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


@pytest.mark.parametrize("weight_shape", [(4, 0, 3, 3), (0, 3, 3, 3), (4, 3, 0, 3)])
def test_weights_without_elements_are_refused(weight_shape):
    x, weight = np.zeros((2, weight_shape[1], 8, 8)), np.zeros(weight_shape)
    with pytest.raises(ValueError, match="no elements"):
        conv2d(x, weight)


@WAYS
@pytest.mark.parametrize("stride", [1, 2])
def test_memory_grows_little_with_the_kernel(stride, way):
    x = batch_last(np.zeros((32, 32, 32, 32), np.float32))
    weight = np.zeros((4, 32, 11, 11), np.float32)
    with way():
        tracemalloc.start()
        y, cache = conv2d(x, weight, padding=5, stride=stride)
        conv2d_backward(y, cache)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 12 * x.nbytes  # results and their gradients are two of them

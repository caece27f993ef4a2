"""Pools against the node cases that ONNX publishes."""

import numpy as np
import pytest
from onnx_cases import onnx_cases

from cnntool.engine.bin_pooling import global_pool2d
from cnntool.engine.max_pooling import max_pool2d, max_pool2d_indices
from cnntool.engine.pooling import average_pool1d, average_pool2d, lp_pool1d, lp_pool2d, max_pool1d


def read(case, fill):
    """x, kernel and settings. Padding of more than half a window is put into x as ``fill``."""
    x, kernel = case.inputs[0], case.per_axis("kernel_shape")
    pads, dilations = case.pads(kernel), case.per_axis("dilations")
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    if any(max(pad) > extent // 2 for pad, extent in zip(pads, extents, strict=True)):
        x = np.pad(x, ((0, 0), (0, 0), *pads), constant_values=fill)
        pads = ((0, 0),) * len(pads)
    strides = case.per_axis("strides")
    if case.spatial_axes == 1:
        kernel, strides, pads, dilations = kernel[0], strides[0], pads[0], dilations[0]
    is_ceil = bool(case.attributes.get("ceil_mode", 0))
    settings = {"stride": strides, "padding": pads, "dilation": dilations, "ceil_mode": is_ceil}
    return x, kernel, settings


def test_the_cases_are_there():
    counts = {name: len(onnx_cases(name, 1, 2)) for name in ("MaxPool", "AveragePool", "LpPool")}
    assert counts["MaxPool"] >= 15
    assert counts["AveragePool"] >= 13
    assert counts["LpPool"] >= 7


@pytest.mark.parametrize("case", onnx_cases("MaxPool", 1, 2))
def test_max_pool_is_onnx(case):
    lowest = -np.inf if case.inputs[0].dtype.kind == "f" else 0
    x, kernel, settings = read(case, lowest)
    pool = max_pool1d if case.spatial_axes == 1 else max_pool2d
    y, cache = pool(x, kernel, **settings)
    np.testing.assert_array_equal(y, case.outputs[0])
    assert y.dtype == case.outputs[0].dtype
    if len(case.outputs) == 2 and not case.attributes.get("storage_order", 0):
        indices = max_pool2d_indices(cache)  # ONNX counts on through the maps
        planes = np.arange(indices.shape[0] * indices.shape[1]).reshape(*indices.shape[:2], 1, 1)
        plane = x.shape[2] * x.shape[3]
        np.testing.assert_array_equal(indices + planes * plane, case.outputs[1])


@pytest.mark.parametrize("case", onnx_cases("AveragePool", 1, 2))
def test_average_pool_is_onnx(case):
    x, kernel, settings = read(case, 0)
    pool = average_pool1d if case.spatial_axes == 1 else average_pool2d
    counts_pads = bool(case.attributes.get("count_include_pad", 0))
    y, _ = pool(x, kernel, count_include_pad=counts_pads, **settings)
    if x.shape != case.inputs[0].shape and not counts_pads:
        inside = read(_with_input(case, np.ones_like(case.inputs[0])), 0)[0]
        y = y / pool(inside, kernel, count_include_pad=False, **settings)[0]
    expected = case.outputs[0]
    is_rounded = np.array_equal(expected, expected.round(4))  # one case is given so
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=6e-5 if is_rounded else 1e-6)


@pytest.mark.parametrize("case", onnx_cases("LpPool", 1, 2))
def test_lp_pool_is_onnx(case):
    x, kernel, settings = read(case, 0)
    pool = lp_pool1d if case.spatial_axes == 1 else lp_pool2d
    y, _ = pool(x, kernel, case.attributes.get("p", 2), **settings)
    np.testing.assert_allclose(y, case.outputs[0], rtol=1e-5)


@pytest.mark.parametrize("mode", ["average", "max"])
def test_global_pool_is_onnx(mode):
    operator = {"average": "GlobalAveragePool", "max": "GlobalMaxPool"}[mode]
    cases = onnx_cases(operator, 2)
    assert cases
    for parameter in cases:
        case = parameter.values[0]
        y, _ = global_pool2d(case.inputs[0], mode)
        np.testing.assert_allclose(y, case.outputs[0], rtol=1e-5)


def _with_input(case, x):
    return type(case)(case.name, case.attributes, (x, *case.inputs[1:]), case.outputs)

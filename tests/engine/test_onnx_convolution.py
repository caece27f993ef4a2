"""Convolution layers against the node cases that ONNX publishes."""

import numpy as np
import pytest
from onnx_cases import onnx_cases

from cnntool.engine.convolution import conv1d, conv2d


def test_the_cases_are_there():
    assert len(onnx_cases("Conv", 1, 2)) >= 6


@pytest.mark.parametrize("case", onnx_cases("Conv", 1, 2))
def test_convolution_is_onnx(case):
    x, weight, *bias = case.inputs
    settings = {
        "stride": case.per_axis("strides"),
        "padding": case.pads(weight.shape[2:]),
        "dilation": case.per_axis("dilations"),
    }
    conv = conv2d
    if case.spatial_axes == 1:
        conv = conv1d
        settings = {name: value[0] for name, value in settings.items()}
    y, _ = conv(x, weight, *bias, groups=case.attributes.get("group", 1), **settings)
    np.testing.assert_allclose(y, case.outputs[0], rtol=1e-5)

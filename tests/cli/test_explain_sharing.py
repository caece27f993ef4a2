"""`cnntool explain sharing`: the published numbers of LeNet-5, in the table and as JSON."""

import pytest
from explaining import explain, explain_json, rows_of

from cnntool.errors import RequestError


def test_layer_c1_of_lenet_5():
    text = explain("sharing", 32, "--kernel", 5, "--maps", 6)
    assert "from 1 x 32 x 32 to 6 x 28 x 28 by windows of 5 x 5" in text
    rows = {row[0]: row for row in rows_of(text, "layer")}
    assert rows["convolution"][1:5] == ["156", "122,304", "624", "bytes"]
    assert rows["locally"][2:4] == ["122,304", "122,304"]
    assert rows["dense"][1:5] == ["4,821,600", "4,821,600", "19.3", "MB"]
    assert "30,908 times fewer parameters than the dense layer" in text
    facts = explain_json("sharing", 32, "--kernel", 5, "--maps", 6)
    expected = {"layer": "convolution", "parameters": 156, "connections": 122_304}
    assert facts["layers"][-1] == expected
    assert facts["output"] == {"maps": 6, "height": 28, "width": 28}


def test_padding_has_no_connections():
    text = explain("sharing", "4x5", "--kernel", 3, "--padding", "same")
    assert "taps that fall on the padding are no connections" in text
    dense, local, convolution = explain_json("sharing", "4x5", "-k", 3, "--padding", "same")[
        "layers"
    ]
    assert local["parameters"] == (4 * 3 - 2) * (5 * 3 - 2) + 20
    assert convolution["parameters"] == 10
    assert dense["parameters"] == 21 * 20


def test_few_outputs_are_compared_either_way():
    text = explain("sharing", 1, "--kernel", 3, "--padding", "same")
    assert "5 times more parameters than the locally connected one" in text
    assert "as many parameters as the dense layer" in explain("sharing", 1, "--kernel", 1)
    assert "2 times fewer parameters than the locally" in explain("sharing", "1x2", "-k", "1x1")


def test_a_kernel_that_does_not_fit_is_refused():
    with pytest.raises(RequestError, match="a kernel that spans 5 does not fit into 3"):
        explain("sharing", 3, "--kernel", 5)

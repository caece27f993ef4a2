"""The usual networks of sequences."""

from itertools import pairwise

import pytest

from cnntool.networks import sequence_zoo as zoo
from cnntool.networks.joined import parse_network

TEXT, CLIP = zoo.Inputs(vocabulary=9, letters=5), zoo.Inputs(shape=(1, 8, 8))
STRIP = zoo.Inputs(shape=(1, 8, 32))


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("attention", ["general", "none"])
@pytest.mark.parametrize(
    ("make", "inputs"),
    [
        (zoo.classifier, TEXT),
        (zoo.tagger, TEXT),
        (zoo.tagger, CLIP),
        (zoo.translator, TEXT),
        (zoo.captioner, CLIP),
        (zoo.captioner, STRIP),
    ],
)
def test_dropout_is_before_recurrences_and_the_output_once_each(make, inputs, layers, attention):
    spec = make(inputs, 7, zoo.Sizes(dropout=0.5, layers=layers, attention=attention))
    network = parse_network(spec, inputs.shape if make is zoo.captioner else (None, *inputs.shape))
    kinds = [layer.kind for layer in network.layers if layer.kind not in ("columns", "attend")]
    before = set(pairwise(kinds))
    assert ("dropout", "dropout") not in before
    assert {one for one, two in before if two == "lstm"} == {"dropout"}
    assert kinds[-2:] == ["dropout", "dense"]
    assert ("dropout", "max") not in before

"""What was looked at, and how it lies over a picture."""

import numpy as np
import pytest
from sequence_models import write_sequence_models

from cnntool.explain.attention import attention_step
from cnntool.networks.joined import parse_network
from cnntool.networks.model import load_sequence_model
from cnntool.study.attention import grid_of, looked_at, place_names


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_sequence_models(folder, "translator", "captioner")
    return lambda name: load_sequence_model(folder / f"{name}.npz")


def test_each_row_is_the_step_that_explain_shows(models):
    model = models("translator")
    source, lengths = model.reader.rows(["cab"]).take(np.array([0]))
    found = looked_at(model, source, lengths)
    assert found.weights.shape == (len(found.said.log_odds), 4)
    for number, row in enumerate(found.weights, 1):
        step = attention_step(model, source, lengths, number)
        np.testing.assert_allclose(row, step.weights, rtol=1e-5, atol=1e-7)
        assert row.sum() == pytest.approx(1, abs=1e-6)


def test_places_lie_over_a_picture_in_rows_and_columns_are_bands(models):
    model = models("captioner")
    assert grid_of(model) == (2, 2)
    assert place_names(model, 4)[1] == "row 1, column 2"
    spec = "conv 2 3x3; columns; gru 4 both => embedding 6 x 3; gru 4; attend; dense 6"
    strips = type(model)(**{**vars(model), "network": parse_network(spec, (1, 4, 9))})
    assert grid_of(strips) == (1, 7)
    assert place_names(strips, 7)[-1] == "band 7"
    assert grid_of(models("translator")) is None

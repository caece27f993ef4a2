"""Of cells that learn a task of memory: the task, and what they learn of it."""

import numpy as np
import pytest

from cnntool.explain.recurrent import recall_flow
from cnntool.training import remembering
from cnntool.training.remembering import recall_windows


def test_what_is_to_be_recalled_stands_first_and_is_asked_for_last():
    ids = recall_windows(np.random.default_rng(0), 7, 200)
    assert ids.shape == (8, 200)
    np.testing.assert_array_equal(ids[0], ids[-1])
    assert ids[0].max() < ids[1:-1].min()
    assert len(np.unique(ids[0])) == 8


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_gated_cells_learn_to_recall_what_they_read(cell, monkeypatch):
    """Far more often than by chance, one in eight, and with more gradient left than untrained."""
    monkeypatch.setattr(remembering, "LONGEST_LAG", 6)
    ids = recall_windows(np.random.default_rng(1), 6, 128)
    flows = []
    for lessons in (150, 0):
        monkeypatch.setattr(remembering, "LESSONS", lessons)
        flows.append(recall_flow(remembering.remembering(cell), ids))
    learned, fresh = flows
    assert learned.recalled > 0.9
    assert fresh.recalled < 0.4
    state = {"lstm": "lstm1.c", "gru": "gru1.h"}[cell]
    assert learned.left(state) > fresh.left(state)

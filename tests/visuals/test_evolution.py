"""Evolutions: one size, one scale, a frame a stage."""

from itertools import pairwise

import numpy as np
import pytest

from cnntool.visuals.evolution import LAST, MOST_FRAMES, chosen, evolution_frames, evolution_strip
from cnntool.visuals.filter_sheet import Panel


def stages(count: int) -> list[Panel]:
    rng = np.random.default_rng(0)
    words = ["before training", *("epoch and accuracy, a line that is long" for _ in range(count))]
    return [Panel(rng.normal(size=(4, 1, 3, 3)), word) for word in words[:count]]


@pytest.mark.parametrize(("count", "most"), [(1, 5), (5, 5), (6, 5), (100, 7), (23, 2)])
def test_chosen_ones_are_evenly_apart_and_have_the_ends(count, most):
    found = chosen(range(count), most)
    assert len(found) == min(count, most)
    assert (found[0], found[-1]) == (0, count - 1)
    assert np.ptp(np.diff(found)) <= 1 if len(found) > 1 else True


def test_every_stage_is_a_frame_of_one_size_and_the_last_stays():
    frames, durations = evolution_frames(stages(4), "m")
    assert len({frame.shape for frame in frames}) == 1
    assert len(frames) == len(durations) == 4
    assert durations[-1] == LAST
    assert all((a != b).any() for a, b in pairwise(frames))


def test_all_frames_are_on_the_scale_of_all():
    """A stage of a tenth of the weights is nearly grey."""
    whole = Panel(stages(1)[0].bank)
    frames, _ = evolution_frames([Panel(whole.bank / 10), whole], "m")
    spans = [np.ptp(frame[60:280, 60:280].astype(int)[..., 0]) for frame in frames]
    assert spans[0] < 80  # lines between kernels are a little lighter than mid grey
    assert spans[1] > 200


def test_very_many_stages_are_thinned():
    frames, _ = evolution_frames(stages(MOST_FRAMES + 30), "m")
    assert len(frames) == MOST_FRAMES


def test_a_strip_is_of_sensible_size():
    for count in (2, 7, 40):
        height, width, _ = evolution_strip(stages(count), "m").shape
        assert max(height, width) < 1700


def test_frames_whose_headings_make_them_wider_are_of_one_size_too():
    nothing = np.zeros((1, 1, 3, 3))
    frames, _ = evolution_frames([Panel(nothing, "a"), Panel(nothing, "a long heading " * 3)], "m")
    assert len({frame.shape for frame in frames}) == 1

"""Colour filters: three kernels a response, summed, wherever sums of weights count."""

from dataclasses import replace

import numpy as np
import pytest

from cnntool.files.image import Frame, Image
from cnntool.imaging.filter_pass import FilterPass
from cnntool.imaging.filter_plan import Geometry, plan_filter
from cnntool.imaging.filtering import Rendering, filter_image, normalized
from cnntool.imaging.kernel_facts import facts
from cnntool.imaging.kernels import Filter
from cnntool.imaging.rows import rows_of
from cnntool.imaging.tone import automatic_range

BANK = np.random.default_rng(0).integers(-3, 4, (6, 3, 3)).astype(float)
COLOUR = Filter("two", "two", BANK, "none", ("a", "b"), is_colour=True)


def test_it_has_a_response_for_each_three_kernels():
    assert COLOUR.count == 2
    assert COLOUR.kernel_names == ("a-red", "a-green", "a-blue", "b-red", "b-green", "b-blue")


@pytest.mark.parametrize("combine", ["none", "magnitude", "maximum"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_responses_are_sums_that_are_combined_afterwards(combine, dtype):
    pixels = np.random.default_rng(1).integers(0, 256, (7, 8, 3)).astype(dtype)
    plan = plan_filter(pixels.shape, replace(COLOUR, combine=combine), Geometry())
    step = FilterPass(rows_of(Frame(pixels)), 255.0, plan)
    found = np.empty((plan.count, *plan.shape))

    def write(index, values, rows, columns):
        found[index, rows, columns] = values.reshape(found[index, rows, columns].shape)

    for part in step.steps():
        step.run(part, write)
    padded = np.pad(pixels.astype(float), ((1, 1), (1, 1), (0, 0)), mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
    sums = np.einsum("hwcij,fcij->fhw", windows, BANK.reshape(2, 3, 3, 3))
    expected = {
        "none": sums,
        "magnitude": np.sqrt((sums**2).sum(axis=0, keepdims=True)),
        "maximum": sums.max(axis=0, keepdims=True),
    }[combine]
    np.testing.assert_allclose(found[..., 0], expected, rtol=1e-4, atol=1e-3)
    low, high = step.bounds()
    if dtype == np.uint8:
        assert low <= found.min()
        assert found.max() <= high


def test_whole_numbers_of_three_channels_have_room_for_their_sum():
    """Each response to white is 15,300, which 16 bits hold; all three are not."""
    kernel = Filter("k", "k", np.full((3, 1, 1), 60.0), "none", ("k",), is_colour=True)
    white = Image((Frame(np.full((2, 2, 3), 255, np.uint8)),), 255.0, "PNG")
    (result,) = filter_image(white, [kernel], None, Rendering("raw", dtype=np.dtype(np.float32)))
    assert np.unique(result.image.frames[0].pixels).tolist() == [3 * 60 * 255]


def test_bounds_are_reached_by_the_worst_picture():
    one = replace(COLOUR, bank=BANK[:3], names=("a",))
    worst = np.where(np.moveaxis(BANK[:3], 0, -1) > 0, 255, 0).astype(np.uint8)
    plan = plan_filter(worst.shape, one, Geometry(padding="valid"))
    step = FilterPass(rows_of(Frame(worst)), 255.0, plan)
    values = []
    for part in step.steps():
        step.run(part, lambda index, block, rows, columns: values.append(float(block.max())))
    assert max(values) == step.bounds()[1] == facts(one).worst_case[1]


def test_normalizing_divides_by_the_sum_of_all_three():
    kernel = normalized(COLOUR)
    sums = BANK.reshape(2, -1).sum(axis=1)
    expected = BANK.reshape(2, 3, 3, 3) / sums[:, None, None, None]
    np.testing.assert_allclose(kernel.bank, expected.reshape(6, 3, 3))
    assert facts(replace(COLOUR, bank=BANK[:3], names=("a",))).gain == pytest.approx(sums[0])


def test_a_filter_whose_sum_is_0_is_signed_whatever_its_kernels():
    kernels = np.stack([np.full((3, 3), 2.0), np.full((3, 3), -1.0), np.full((3, 3), -1.0)])
    kernel = Filter("k", "k", kernels, "none", ("k",), is_colour=True)
    assert automatic_range([kernel]) == "abs"
    assert automatic_range([replace(kernel, shown="stretch")]) == "stretch"
    assert automatic_range([replace(kernel, is_colour=False)]) == "clip"

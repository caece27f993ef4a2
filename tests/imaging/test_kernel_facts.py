"""Facts of kernels against brute force over every black-and-white window, and known values."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from cnntool.imaging.kernel_facts import facts, flip_matters
from cnntool.imaging.kernels import CATALOGUE, Filter, build, parse_kernel

weights = st.integers(-9, 9).map(float)
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3)).flatmap(
    lambda size: arrays(np.float64, (2, *size), elements=weights)
)


def bank_of(bank, combine="none") -> Filter:
    bank = np.asarray(bank, dtype=float)
    return Filter("bank", "bank", bank, combine, tuple(f"bank-{i}" for i in range(len(bank))))


def responses_to_black_and_white(bank: np.ndarray) -> np.ndarray:
    """(F, 2^n): each kernel's response to every window whose pixels are 0 or 255."""
    size = bank[0].size
    windows = np.array(list(itertools.product([0, 255.0], repeat=size)))
    return bank.reshape(len(bank), size) @ windows.T


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("sobel-x", ((3, 3), (1, 1), 0, 1, "antisymmetric", 0, (-1020, 1020))),
        ("box", ((3, 3), (1, 1), 1, 1, "symmetric", 1, (0, 255))),
        ("sharpen", ((3, 3), (1, 1), 1, 2, "symmetric", 1, (-1020, 1275))),
        ("emboss", ((3, 3), (1, 1), 1, 3, "no", 1, (-1020, 1275))),
        ("motion:length=9", ((1, 9), (0, 4), 1, 1, "symmetric", 1, (0, 255))),
        ("1 2; 3 4", ((2, 2), (1, 1), 10, 2, "no", 10, (0, 2550))),
        ("1 -2 0 4", ((1, 4), (0, 2), 3, 1, "no", 3, (-510, 1275))),
        ("0 0; 0 0", ((2, 2), (1, 1), 0, 0, "symmetric", 0, (0, 0))),
    ],
)
def test_facts_of_one_kernel(spec, expected):
    size, anchor, total, rank, symmetric, gain, worst_case = expected
    found = facts(parse_kernel(spec))
    assert found.size == size
    assert found.anchor == anchor
    assert found.sum == pytest.approx((total,))
    assert found.rank == (rank,)
    assert found.separable == (rank <= 1,)
    assert found.symmetric == (symmetric,)
    assert found.gain == pytest.approx(gain)
    assert found.worst_case == pytest.approx(worst_case)


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_facts_tuple_has_one_value_a_kernel(name):
    filter = build(name)
    found = facts(filter)
    for values in (found.sum, found.rank, found.separable, found.symmetric):
        assert len(values) == len(filter.bank)


@pytest.mark.parametrize(
    ("spec", "rank"),
    [("gaussian:sigma=5", 1), ("log:sigma=3", 2), ("dog:sigma=3", 2), ("gabor", 1),
     ("gabor:angle=30", 2), ("laplacian:neighbours=8", 2), ("unsharp:sigma=4", 2)],
)  # fmt: skip
def test_rank_of_known_kernels(spec, rank):
    assert facts(parse_kernel(spec)).rank == (rank,)


def test_rank_counts_the_singular_values_above_the_limit_at_every_scale():
    rng = np.random.default_rng(7)
    for _ in range(100):
        height, width, terms = rng.integers(1, 40, size=3)
        strengths = 10.0 ** rng.uniform(-9, 0, terms) * 10.0 ** rng.uniform(-200, 200)
        kernel = (rng.normal(size=(height, terms)) * strengths) @ rng.normal(size=(terms, width))
        singular = np.linalg.svd(kernel, compute_uv=False)
        limit = np.finfo(np.float32).eps * max(height, width) * singular[0]
        assert facts(bank_of([kernel])).rank == ((singular > limit).sum(),)


def test_rank_of_a_kernel_as_large_as_they_come_takes_no_singular_values_of_all_of_it(monkeypatch):
    sizes = []
    svd = np.linalg.svd
    monkeypatch.setattr(np.linalg, "svd", lambda a, **how: sizes.append(a.shape) or svd(a, **how))
    assert facts(build("log", sigma=250)).rank == (2,)
    assert sizes == [(2, 2)]


def test_rank_ignores_the_rounding_of_typed_digits_but_not_a_real_change():
    assert facts(parse_kernel("0.1 0.2; 0.2 0.4; 0.3 0.6000000001")).rank == (1,)
    assert facts(parse_kernel("0.1 0.2; 0.2 0.4; 0.3 0.6001")).rank == (2,)


def test_rank_does_not_depend_on_the_scale_of_the_weights():
    for scale in (1e-12, 1e12):
        assert facts(bank_of(scale * build("gaussian", sigma=2).bank)).rank == (1,)
        assert facts(bank_of(scale * build("emboss").bank)).rank == (3,)


def test_sum_of_an_edge_kernel_is_exactly_zero_in_spite_of_rounding():
    assert facts(build("log", sigma=2.3)).sum == (0.0,)
    assert facts(parse_kernel("1e-12 1; 0 -1")).sum == pytest.approx((1e-12,), rel=1e-3)


def test_gain_of_combined_filters():
    assert facts(build("sobel")).gain == 0
    assert facts(bank_of([[[3]], [[-4]]], "magnitude")).gain == pytest.approx(5)
    assert facts(bank_of([[[3]], [[-4]]], "maximum")).gain == 3
    assert facts(bank_of([[[3]], [[-4]]], "none")).gain is None


def test_sobel_magnitude_is_at_most_the_one_of_the_worst_of_all_512_windows():
    sobel = build("sobel")
    x, y = responses_to_black_and_white(sobel.bank)
    assert facts(sobel).worst_case == (0, pytest.approx(np.hypot(x, y).max()))


@given(pairs)
def test_worst_magnitude_is_reached_by_a_window_and_by_none_exceeded(bank):
    x, y = responses_to_black_and_white(bank)
    low, high = facts(bank_of(bank, "magnitude")).worst_case
    assert low == 0
    assert high == pytest.approx(np.hypot(x, y).max())


def test_worst_magnitude_of_large_kernels_is_the_maximum_over_directions():
    a, b = np.random.default_rng(3).normal(size=(2, 15, 15))
    thetas = np.linspace(0, 2 * math.pi, 20_001)
    supports = [np.maximum(0, math.cos(t) * a + math.sin(t) * b).sum() for t in thetas]
    high = facts(bank_of([a, b], "magnitude")).worst_case[1]
    assert high == pytest.approx(255 * max(supports), rel=1e-6)
    assert high >= 255 * max(supports) * (1 - 1e-12)


@given(pairs)
def test_worst_maximum_bounds_every_window_and_its_highest_is_reached(bank):
    largest = responses_to_black_and_white(bank).max(axis=0)
    low, high = facts(bank_of(bank, "maximum")).worst_case
    assert high == pytest.approx(largest.max())
    assert low <= largest.min() + 1e-9


@pytest.mark.parametrize("name", ["kirsch", "robinson", "all-lines"])
def test_worst_maximum_of_the_catalogue_is_reached_at_both_ends(name):
    filter = build(name)
    largest = responses_to_black_and_white(filter.bank).max(axis=0)
    assert facts(filter).worst_case == pytest.approx((largest.min(), largest.max()))


@given(pairs)
def test_worst_of_feature_maps_covers_each_of_them(bank):
    responses = responses_to_black_and_white(bank)
    assert facts(bank_of(bank)).worst_case == pytest.approx((responses.min(), responses.max()))


def test_worst_magnitude_of_three_kernels_is_a_bound():
    bank = np.random.default_rng(1).normal(size=(3, 3, 3))
    largest = np.linalg.norm(responses_to_black_and_white(bank), axis=0).max()
    assert facts(bank_of(bank, "magnitude")).worst_case[1] >= largest


def test_orientation_is_in_degrees():
    found = facts(replace(build("sobel"), combine="orientation"))
    assert found.gain is None
    assert found.worst_case == (-180, 180)


COMBINED = {
    "none": lambda responses: responses,
    "magnitude": lambda responses: np.sqrt((responses**2).sum(axis=0)),
    "maximum": lambda responses: responses.max(axis=0),
}


@pytest.mark.parametrize("ignores_sign", [False, True])
@pytest.mark.parametrize("name", CATALOGUE)
def test_flip_matters_where_scipy_convolves_and_correlates_to_different_results(name, ignores_sign):
    filter = build(name)
    image = np.random.default_rng(0).random((40, 40))
    results = []
    for operator in (ndimage.correlate, ndimage.convolve):
        responses = np.stack([operator(image, kernel) for kernel in filter.bank])
        result = COMBINED[filter.combine](responses)
        results.append(np.abs(result) if ignores_sign else result)
    differ = not np.allclose(*results)
    assert flip_matters(filter, ignores_sign=ignores_sign) == differ


@pytest.mark.parametrize(
    ("spec", "signed", "unsigned"),
    [
        ("1 2 1", False, False),
        ("1 0 -1", True, False),
        ("1 2 3", True, True),
        ("1 1", True, True),
        ("1; 1", True, True),
        ("1 0 -1; 0 0 0", True, True),
        ("5", False, False),
        ("0 0; 0 0", False, False),
    ],
)
def test_flip_of_typed_kernels(spec, signed, unsigned):
    filter = parse_kernel(spec)
    assert flip_matters(filter, ignores_sign=False) is signed
    assert flip_matters(filter, ignores_sign=True) is unsigned


def test_flip_turns_an_orientation_round():
    assert flip_matters(replace(build("sobel"), combine="orientation"), ignores_sign=False)


def test_a_lone_compass_kernel_makes_the_flip_matter():
    half = bank_of(build("kirsch").bank[:4], "maximum")
    assert flip_matters(half, ignores_sign=False)

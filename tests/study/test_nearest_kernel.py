"""Likeness to the catalogue, and the resizing that it needs."""

import numpy as np
import pytest

from cnntool.imaging.kernels import build
from cnntool.study.filter_statistics import nearest_kernels
from cnntool.study.interpolation import resized, shares


@pytest.mark.parametrize("scale", [1, -0.01, 1e6])
def test_kernels_of_the_catalogue_are_most_like_themselves(scale):
    for name in ("sobel-x", "prewitt-y", "laplacian", "vertical-line", "sharpen", "box"):
        (found,) = nearest_kernels(scale * build(name).bank[:1])
        assert (found.name, found.similarity) == (name, pytest.approx(1))


def test_the_similarity_is_the_cosine_whatever_the_sign():
    pattern = build("sobel-x").bank[0] + np.array([[0.5, 0, 0], [0, 0, 0], [0, 0, 0]])
    (found,) = nearest_kernels(-pattern[None])
    known = build(found.name).bank[0]
    cosine = (pattern * known).sum() / np.linalg.norm(pattern) / np.linalg.norm(known)
    assert found.similarity == pytest.approx(abs(cosine))
    others = [build(name).bank[0] for name in ("sobel-y", "scharr-x", "prewitt-x", "laplacian")]
    cosines = [
        abs((pattern * k).sum()) / np.linalg.norm(pattern) / np.linalg.norm(k) for k in others
    ]
    assert found.similarity >= max(cosines)


def test_larger_kernels_are_compared_with_enlarged_ones():
    (found,) = nearest_kernels(resized(build("prewitt-x").bank[0], (7, 7))[None])
    assert (found.name, found.similarity) == ("prewitt-x", pytest.approx(1))
    (found,) = nearest_kernels(build("gabor", angle=60, phase=90).bank)
    assert (found.name, found.similarity) == ("gabor:angle=60,phase=90", pytest.approx(1))


def test_names_are_what_the_catalogue_builds_or_kernels_of_its_banks():
    rng = np.random.default_rng(0)
    for shape in ((40, 3, 3), (10, 5, 4), (4, 1, 3)):
        for found in nearest_kernels(rng.standard_normal(shape)):
            assert 0 < found.similarity <= 1
    assert nearest_kernels(np.ones((2, 1, 1))) == (None, None)


def test_resizing_is_linear_as_pytorch_has_it():
    torch = pytest.importorskip("torch")
    plane = np.random.default_rng(1).standard_normal((4, 6))
    theirs = torch.nn.functional.interpolate(
        torch.tensor(plane)[None, None], (9, 11), mode="bilinear"
    )
    np.testing.assert_allclose(resized(plane, (9, 11)), theirs[0, 0], atol=1e-12)
    smaller = torch.nn.functional.interpolate(
        torch.tensor(plane)[None, None], (2, 3), mode="bilinear", antialias=True
    )
    np.testing.assert_allclose(resized(plane, (2, 3)), smaller[0, 0], atol=1e-12)


def test_shares_sum_to_one():
    for size, wanted in ((1, 5), (5, 1), (3, 3), (9, 4)):
        np.testing.assert_allclose(shares(size, wanted).sum(axis=1), 1)
    np.testing.assert_array_equal(shares(4, 4), np.eye(4))
    assert shares(2, 5)[[0, -1]].tolist() == [[1, 0], [0, 1]]  # beyond the middles of the last two


def test_kernels_of_a_bank_are_compared_one_by_one():
    for name in ("kirsch", "all-lines"):
        bank = build(name)
        found = nearest_kernels(bank.bank)
        assert [each.similarity for each in found] == pytest.approx([1] * len(found))
    assert [each.name for each in nearest_kernels(build("kirsch").bank)] == list(
        build("kirsch").names
    )


@pytest.mark.filterwarnings("error")
def test_kernels_that_average_out_are_like_none():
    for shape in ((1, 2), (2, 1), (2, 2)):
        for found in nearest_kernels(np.random.default_rng(2).standard_normal((20, *shape))):
            assert 0.5 < found.similarity <= 1
